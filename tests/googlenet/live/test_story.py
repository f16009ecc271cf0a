"""The story: right, bounded, always JSON; and a training with it is the training without."""

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest

import minigrad
from googlenet.live import Live, Server, samples
from googlenet.live import story as module
from googlenet.live.pace import Pace
from googlenet.live.samples import Samples, choose
from googlenet.live.story import MOST_MESSAGES, thinned
from googlenet.run_folder import REPORT
from googlenet.vitals import Recorder
from minigrad.data import ArrayDataset, ImageError
from tests.googlenet.test_resume import StopAfter
from tests.googlenet.test_vitals import pictures, silent, training
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")
FACTS = {"title": "a training", "run": "runs/one", "recipe": "lr = 1"}


@pytest.fixture
def eager(monkeypatch):
    """Ask, publish and make points at every step."""
    monkeypatch.setattr(Pace, "due", lambda self: True)
    monkeypatch.setattr(module, "Points", lambda training: Every(training))


class Every(module.Points):
    def __init__(self, training):
        super().__init__(training, every=0.0)


def live(run, folder, recorder=None, warn=silent):
    return Live(run, Server(), FACTS, folder, warn, recorder)


def in_report(folder):
    text = (folder / REPORT).read_text()
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def weights(run):
    return {name: array.tobytes() for name, array in run.net.state_dict().items()}


@pytest.mark.parametrize(
    "recipe",
    [{}, {"batch_norm": True}, {"batch_norm": True, "freeze": ("conv1",)}, {"accumulate": 2}],
)
@pytest.mark.usefixtures("eager")
def test_it_changes_no_number(tmp_path, recipe):
    alone = training(**recipe)
    alone.run()
    told = training(**recipe)
    with live(told, tmp_path) as watcher:
        told.run(watcher)
        watcher.end("finished")
    assert weights(told) == weights(alone)
    times = ("seconds", "images_per_second")
    for row, other in zip(told.history, alone.history, strict=True):
        assert {n: v for n, v in row.items() if n not in times} == {
            n: v for n, v in other.items() if n not in times
        }


@pytest.mark.usefixtures("eager")
def test_what_it_tells(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    with live(run, tmp_path, recorder) as watcher:
        run.run(recorder, watcher)
        watcher.note("stuck", "a head is stuck")
        watcher.end("finished")
    told = in_report(tmp_path)
    assert told["live"] is False
    fixed, story = told["fixed"], told["story"]
    assert (fixed["title"], fixed["steps"], fixed["epochs"]) == ("a training", 15, 3)
    assert fixed["classes"] == ["a", "b", "c"]
    assert len(fixed["pictures"]) == len(story["answers"]["of"]) == 12
    assert (story["state"], story["step"], story["error"]) == ("finished", 15, None)
    assert [row["step"] for row in story["curve"]] == list(range(1, 16))
    assert story["rows"] == run.history
    assert story["messages"] == [{"step": 15, "text": "a head is stuck"}]
    for row in story["curve"]:
        assert row["learning_rate"] >= 0
        assert row["images_per_second"] > 0
    # Each epoch's mean is that of its points.
    for epoch in run.history:
        points = story["curve"][5 * (epoch["epoch"] - 1) :][:5]
        for name in ("loss", "loss_logits", "loss_aux_4a", "train_accuracy"):
            assert np.mean([p[name] for p in points]) == pytest.approx(epoch[name], rel=1e-4)


def test_answers_are_those_of_the_network_in_use(tmp_path):
    run = training(batch_norm=True)
    some = Samples(run.test_batches.dataset, run.transform)
    run.net.train()
    run.net.conv1.training = False
    modes = {name: module.training for name, module in run.net.named_modules()}
    answers = some.answers(run.net)
    assert {name: module.training for name, module in run.net.named_modules()} == modes
    run.net.eval()
    for picture, found in zip(choose(run.test_batches.dataset.labels, 40), answers, strict=True):
        image, _ = run.test_batches.dataset[picture]
        x = run.transform(image, np.random.default_rng(0))
        logits = run.net(minigrad.tensor(x[np.newaxis])).numpy()[0].astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum()
        assert [k for k, _ in found] == list(np.argsort(-shares)[:3])
        np.testing.assert_allclose([p for _, p in found], np.sort(shares)[::-1][:3], atol=1e-4)


def test_a_picture_that_cannot_be_read_is_passed_over(tmp_path):
    class Torn(ArrayDataset):
        def __getitem__(self, index):
            if index == 0:
                raise ImageError("torn")
            return super().__getitem__(index)

    whole = pictures()
    run = training(whole)
    some = Samples(Torn(whole.images, whole.labels, whole.classes), run.transform)
    assert 0 in choose(whole.labels, 40)
    assert len(some.pictures) == len(some.answers(run.net)) == samples.MOST - 1


def test_pictures_are_shown_of_every_class_first():
    labels = np.repeat(range(30), 4)
    assert [labels[i] for i in choose(labels, 120)] == list(range(12))
    assert choose(None, 5) == [0, 1, 2, 3, 4]
    assert choose([2, 2], 2) == [0, 1]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 300, 200)])
def test_pictures_are_shown_as_they_are_but_small(shape):
    import base64
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    kind, data = samples._url(image).split(",")
    assert kind == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    if shape[0] == 1:
        np.testing.assert_array_equal(shown, image[0])
    else:
        assert shown.shape == (96, 64, 3)


@pytest.mark.usefixtures("eager")
def test_a_run_that_goes_on_shows_what_was_before(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    recorder.window = 2
    run.run(StopAfter(run, 7), recorder)
    recorder.write()
    state = run.state_dict()  # now: the stream of random numbers is everybody's
    again = training()
    again.load_state_dict(state)
    watcher = live(again, tmp_path, Recorder(tmp_path, again, silent))
    before = [row["step"] for row in watcher.content["curve"]]
    assert before == [2, 4, 5, 7]
    with watcher:
        again.run(watcher)
    curve = watcher.content["curve"]
    assert [row["step"] for row in curve] == [*before, *range(8, 16)]
    (tmp_path / "alone").mkdir()
    alone = live(training(), tmp_path / "alone")
    with alone:
        alone.training.run(alone)
    whole = alone.content["curve"]
    assert [row["loss"] for row in curve[-8:]] == [row["loss"] for row in whole[-8:]]
    assert [row["epoch"] for row in watcher.content["rows"]] == [1, 2, 3]


def test_the_end_is_told(tmp_path):
    for number, (error, state) in enumerate(
        [(None, "stopped"), (ValueError("not\nthis"), "failed"), (KeyboardInterrupt(), "stopped")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            with live(training(), folder):
                if error is not None:
                    raise error
        except (ValueError, KeyboardInterrupt):
            pass
        story = in_report(folder)["story"]
        assert story["state"] == state
        assert story["error"] == (str(error) if isinstance(error, ValueError) else None)


@pytest.mark.usefixtures("eager")
def test_numbers_that_are_not_finite_are_left_out(tmp_path):
    run = training()
    with live(run, tmp_path) as watcher:
        watcher._add({"step": 1, "steps": 1, "loss": math.nan, "loss_logits": math.inf})
        watcher._publish()
        story = json.loads(watcher.server.told()[0], parse_constant=pytest.fail)
    assert story["curve"][0]["loss"] is story["curve"][0]["loss_logits"] is None


@pytest.mark.usefixtures("eager")
def test_trouble_is_said_once_and_training_goes_on(tmp_path, monkeypatch):
    said = []
    run = training()

    def full(*what):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.checkpoint, "write_whole", full)
    with live(run, tmp_path, warn=lambda *what: said.append(what)) as watcher:
        assert run.run(watcher)
        watcher.end("finished")
    assert len(run.history) == 3
    assert [kind for kind, _ in said] == ["live"]
    assert "No space left on device" in said[0][1]


def test_it_stays_small(tmp_path):
    run = training()
    watcher = live(run, tmp_path)
    every = watcher.points.every
    for step in range(1, 2000):
        watcher._add({"step": step, "steps": 1, "loss": float(step), "learning_rate": 1.0})
        watcher.note("kind", "text")
    curve = watcher.content["curve"]
    assert len(curve) <= module.MOST_POINTS
    assert watcher.points.every > every
    assert sum(row["steps"] for row in curve) == 1999
    assert curve[-1]["step"] == 1999
    assert sum(row["steps"] * row["loss"] for row in curve) == pytest.approx(1999 * 1000, rel=1e-4)
    assert len(watcher.content["messages"]) == MOST_MESSAGES
    watcher.server.close()


def test_what_one_of_two_points_lacks_is_left_out():
    rows = [{"step": 1, "steps": 1, "a": 1.0}, {"step": 2, "steps": 1, "a": 3.0, "b": 1.0}]
    assert thinned([*rows, {"step": 3, "steps": 1}]) == [
        {"step": 2, "steps": 2, "a": 2.0}, {"step": 3, "steps": 1},
    ]  # fmt: skip


def test_the_dearer_an_answer_the_rarer(tmp_path, monkeypatch):
    """The first does not count: kernels may have been compiled in it."""
    now = [0.0]
    run = training()
    watcher = live(run, tmp_path)
    watcher._asking.clock = lambda: now[0]
    asked = []

    def answers(*what):
        asked.append(now[0])
        now[0] += 60.0 if len(asked) == 1 else 0.1
        return []

    monkeypatch.setattr(watcher.samples, "answers", answers)
    watcher._publishing.due = lambda: False
    with watcher:
        run.run(Ticking(now, 0.5), watcher)
    # By the clock: one costs 0.1 s, so the next is 20 s later; but for those at epochs' ends.
    steps = [b - a for a, b in pairwise(asked[1:])]
    assert len(asked) == 2 + 3
    assert all(step < 20 for step in steps)  # only the epochs' ends
    assert not watcher._asking.due()
    now[0] = asked[-1] + 0.1 + 0.1 / module.ASKING
    assert watcher._asking.due()


class Ticking:
    def __init__(self, now, seconds):
        self.now, self.seconds = now, seconds

    def step(self, *told):
        self.now[0] += self.seconds

    def epoch(self, metrics):
        pass
