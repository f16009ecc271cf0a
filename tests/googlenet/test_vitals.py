"""What is recorded while a network is trained: right, bounded, kept, and without any trace."""

import json

import numpy as np
import pytest

import minigrad
from googlenet import vitals as module
from googlenet.probe import PER_STAGE
from googlenet.recipes import Recipe
from googlenet.run_folder import RunFolder, network
from googlenet.train import Training
from googlenet.vitals import VITALS, Recorder, interval, read_vitals
from minigrad import checkpoint
from minigrad.data import ArrayDataset
from tests.googlenet.test_resume import CONFIG, StopAfter
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")


def pictures(count=40, seed=0, classes="abc"):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)
    return ArrayDataset(images, rng.integers(0, len(classes), count), classes)


def training(data=None, **recipe):
    recipe = Recipe(**{"batch_size": 8, "epochs": 3, "seed": 5, **recipe})
    minigrad.manual_seed(recipe.seed)
    data = data or pictures()
    return Training(network(recipe, len(data.classes), 1), recipe, data, data)


@pytest.fixture
def often(monkeypatch):
    """Probe every other step, also in runs that are too short for it."""
    monkeypatch.setattr(module, "BUDGET", module.COST)
    monkeypatch.setattr(module, "WINDOW", 2)


def silent(kind, text):
    raise AssertionError(text)


# -- a recorder ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_training_that_is_recorded_gives_the_same_numbers(tmp_path, batch_norm):
    """To the bit: weights, running statistics, the optimiser's memories, every figure."""
    plain, watched = training(batch_norm=batch_norm), None
    assert plain.run()
    alone = plain.state_dict()
    arrays = {name: array.copy() for name, array in alone["arrays"].items()}
    figures = [{k: v for k, v in row.items() if "second" not in k} for row in plain.history]
    watched = training(batch_norm=batch_norm)
    recorder = Recorder(tmp_path, watched, silent)
    assert watched.run(recorder)
    assert len(recorder.content["probes"]) >= 5
    beside = watched.state_dict()
    for name, array in beside["arrays"].items():
        np.testing.assert_array_equal(array, arrays[name], name)
    assert [
        {k: v for k, v in row.items() if "second" not in k} for row in watched.history
    ] == figures
    assert beside["values"]["keys"] == alone["values"]["keys"]
    assert beside["values"]["optimizer"] == alone["values"]["optimizer"]


@pytest.mark.usefixtures("often")
def test_what_is_written_can_be_read(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    run.run(recorder)
    content = read_vitals(tmp_path / VITALS)
    assert content == json.loads(json.dumps(recorder.content))
    assert content["stages"] == run.net.stages
    assert content["pictures"] == {"probe": 16, "training": 40, "test": 40}
    assert sum(point["steps"] for point in content["curve"]) == 15
    assert [point["step"] for point in content["curve"]] == [2, 4, 5, 7, 9, 10, 12, 14, 15]
    means = run.history[0]
    first = [p for p in content["curve"] if p["step"] <= 5]
    weights = [p["steps"] for p in first]
    assert np.average([p["loss"] for p in first], weights=weights) == pytest.approx(
        means["loss"], rel=1e-4
    )
    for row in content["probes"]:
        assert all(len(row[name]) == len(run.net.stages) for name in (*PER_STAGE, "update"))
        assert set(row["heads"]) == {"logits", "aux_4a", "aux_4d"}
        moved = [value for value in row["update"] if value is not None]
        assert all(value > 0 for value in moved)


@pytest.mark.usefixtures("often")
def test_updates_are_those_of_the_weights(tmp_path):
    run = training(epochs=1)
    recorder, weights = Recorder(tmp_path, run, silent), []

    class Note:
        def step(self, images, means, rate):
            weights.append(run.net.conv2.weight.numpy().copy())

        def epoch(self, metrics):
            pass

    run.run(recorder, Note())
    row = recorder.content["probes"][-1]
    new, old = weights[row["step"] - 1], weights[row["step"] - 2]
    place = run.net.stages.index("conv2")
    ratio = np.linalg.norm(new - old) / np.linalg.norm(old)
    assert row["update"][place] == pytest.approx(ratio, rel=1e-4)  # of so few filters, all


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("steps", [1, 5, 8])
def test_rows_go_on_where_a_run_does(tmp_path, steps):
    whole = training()
    undisturbed = Recorder(tmp_path / "a", whole, silent)
    (tmp_path / "a").mkdir()
    whole.run(undisturbed)
    first = training()
    (tmp_path / "b").mkdir()
    folder = RunFolder.create(tmp_path / "b")
    folder.write_config(first.recipe, **CONFIG)
    folder.training = first
    recorder = Recorder(folder.path, first, silent)
    folder.beside.append(recorder.write)
    first.run(recorder, folder, StopAfter(first, steps))
    (folder.path / VITALS).unlink(missing_ok=True)
    folder.keep()
    written = read_vitals(folder.path / VITALS)  # with the checkpoint, as far as it is
    assert written["probes"] == json.loads(json.dumps(recorder.content["probes"]))
    recorder.step(8, first.means, 0.0)  # a step that is lost: after the checkpoint it was killed
    recorder.content["curve"].append({"step": 99, "steps": 1, "loss": 9.0, "loss_logits": 9})
    recorder.write()
    again = training()
    assert folder.resume(again)
    later = Recorder(folder.path, again, silent)
    again.run(later)
    folder.close()
    rows = {row["step"]: row for row in undisturbed.content["probes"]}
    assert [row["step"] for row in later.content["probes"]] == list(rows)
    for row in later.content["probes"]:
        if row["step"] == steps + 1:  # what weights were before its step is not known any more
            assert set(row["update"]) == {None}
            row = {**row, "update": rows[row["step"]]["update"]}
        assert row == rows[row["step"]]
    points = [point["step"] for point in later.content["curve"]]
    assert points == sorted(set(points))
    assert points[-1] == 15
    assert all(point["loss"] < 9 for point in later.content["curve"])


def test_a_probe_costs_its_share_and_no_more():
    """By the count of pictures, 1.8 for each that a probe looks at: below 2 % of all."""
    for total, batch_size in ((948, 64), (10**5, 256), (405, 8), (900, 16), (12000, 64)):
        pictures_ = min(32, max(16, batch_size // 2))
        every = interval(total, pictures_, batch_size)
        probes = total // every
        assert probes >= 1
        assert probes <= module.MOST_PROBES
        if total > 500:
            assert probes * module.COST * pictures_ < 0.02 * total * batch_size
    assert interval(15, 32, 64) == 0


def test_a_short_run_has_a_curve_and_no_probe(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    run.run(recorder)
    content = read_vitals(tmp_path / VITALS)
    assert content["probes"] == []
    assert content["guess"]["training"] > 0


def test_the_file_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 1e9)
    run = training(epochs=400, batch_size=40)
    recorder = Recorder(tmp_path, run, silent)
    assert len(range(recorder.every, 401, recorder.every)) <= module.MOST_PROBES
    monkeypatch.setattr(module, "MOST_POINTS", 10)
    assert Recorder(tmp_path, run, silent).window == 40


@pytest.mark.usefixtures("often")
def test_recording_that_fails_does_not_end_a_training(tmp_path, monkeypatch):
    said = []
    run = training()
    recorder = Recorder(tmp_path, run, lambda kind, text: said.append((kind, text)))

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_json", full)
    assert run.run(recorder)
    assert [kind for kind, _ in said] == ["vitals"]
    assert "No space left" in said[0][1]


@pytest.mark.usefixtures("often")
def test_pictures_that_cannot_be_read_are_passed_over(tmp_path):
    class Damaged(ArrayDataset):
        def __getitem__(self, index):
            if index == 0:
                raise minigrad.data.ImageError("damaged")
            return super().__getitem__(index)

    data = pictures()
    run = training(Damaged(data.images, data.labels, data.classes))
    recorder = Recorder(tmp_path, run, silent)
    images, labels = recorder._read()
    assert len(images) == len(labels) == 15


# -- reading -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tiny, tmp_path_factory):  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUDGET", module.COST)
        run = training()
        recorder = Recorder(tmp_path_factory.mktemp("recorded"), run, silent)
        run.run(recorder)
    return json.dumps(recorder.content)


@pytest.fixture
def content(recorded):
    return json.loads(recorded)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("stages"),
        lambda c: c.update(stages=["conv1"]),
        lambda c: c.update(stages="conv1"),
        lambda c: c["guess"].update(training="2.3"),
        lambda c: c["pictures"].pop("test"),
        lambda c: c.update(test_shares=[1.0]),
        lambda c: c["probes"][0].pop("dead"),
        lambda c: c["probes"][0]["gradient"].append(1.0),
        lambda c: c["probes"][0].update(zero=["a"] * 18),
        lambda c: c["probes"][0].update(heads=[]),
        lambda c: c["probes"][0]["heads"]["logits"].pop("loss"),
        lambda c: c["probes"].reverse(),
        lambda c: c["curve"][0].pop("loss_logits"),
        lambda c: c["curve"][0].update(loss=None),
        lambda c: c["curve"].append(3),
        lambda c: c.update(probes={}),
        lambda c: c.update(curve=None),
        lambda c: c.update(steps_of_epoch=0),
        lambda c: c.update(classes=True),
        lambda c: c["curve"][0].update(step=1.5),
        lambda c: c["curve"][0].update(steps=0),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, content, damage):
    damage(content)
    checkpoint.save_json(tmp_path / VITALS, content)
    with pytest.raises(ValueError, match=r"vitals.json' is not what was recorded"):
        read_vitals(tmp_path / VITALS)


@pytest.mark.usefixtures("often")
def test_a_damaged_file_is_said_and_the_run_goes_on(tmp_path):
    (tmp_path / VITALS).write_text("{")
    said, run = [], training()
    recorder = Recorder(tmp_path, run, lambda kind, text: said.append(text))
    assert run.run(recorder)
    assert len(said) == 1
    assert "vitals.json" in said[0]
    assert (tmp_path / VITALS).read_text() == "{"  # left as evidence
