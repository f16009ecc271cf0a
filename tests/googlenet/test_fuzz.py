"""Files with flipped bits, cut ends, foreign content and other files' content: right or refused.

Whatever is done to a file, the outcome is what the sound file gives, or an error of ours whose
sentence names the file: never another error, never something else in silence. What carries a
checksum is held to that to the bit. A picture does not: there the damaged one may come out, and
only it; the others have to be what they were.
"""

import csv
import dataclasses
import io
import json
import os
import shutil
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from googlenet.classify import Classifier
from googlenet.commands.session import Session
from googlenet.evaluation import Evaluation
from googlenet.prediction import predict
from googlenet.recipes import Recipe
from googlenet.run_folder import RunFolder, load_model
from googlenet.runs import find_runs
from minigrad import checkpoint
from minigrad.data import ImageFolder, read_image
from tests.data.test_damaged_files import damaged
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

ODD = [
    None,
    True,
    -1,
    0,
    3.5,
    1e-300,
    float("inf"),
    float("nan"),
    2**70,
    "",
    "x",
    [],
    [[]],
    {},
    "7",
]
outcomes: Counter = Counter()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("fuzz")
    photographs(folder / "pictures", each=3)
    for name, seed in (("a", 0), ("b", 1)):
        data = ("--data", folder / "pictures", "--batch-size", "4", "--seed", seed)
        # --pictures is that of `train` unless it is said again
        train(folder / f"finished-{name}", *data, "--pictures", "6", "--epochs", "1")
        train(folder / f"stopped-{name}", *data, "--pictures", "6", stop=True)
    return folder


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no crash is to be survived here
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made"


@contextmanager
def sound_or_refused(*names):
    """Let what is within succeed or refuse, naming one of these."""
    try:
        yield
    except (ValueError, OSError) as error:
        outcomes["refused"] += 1
        text = str(error)
        assert any(str(name) in text for name in names), text
        assert text.strip()
        assert "\n" not in text
    else:
        outcomes["read"] += 1


def cases(path, count, seed):
    """Damage the file at a path, time and again; in the end it is sound."""
    whole = path.read_bytes()
    rng = np.random.default_rng(seed)
    for case in range(count):
        path.write_bytes(damaged(whole, rng))
        yield case
    path.write_bytes(whole)


def facts(model):
    """All that a model is, to be compared."""
    state = {name: array.tobytes() for name, array in model.net.state_dict().items()}
    return state, model.recipe, model.classes, model.transform.to_dict()


def test_damaged_models(runs):
    run = runs / "finished-a"
    sound = facts(load_model(run))
    for _ in cases(run / "model.safetensors", 500, 1):
        with sound_or_refused(run / "model.safetensors"):
            assert facts(load_model(run)) == sound
    assert facts(load_model(run)) == sound


def test_damaged_configs(runs):
    folder = RunFolder(runs / "stopped-a")
    sound = folder.config(), folder.recipe()
    for _ in cases(folder.path / "config.json", 500, 2):
        with sound_or_refused(folder.path / "config.json"):
            opened = RunFolder.open(folder.path)
            try:
                assert (opened.config(), opened.recipe()) == sound
            finally:
                opened.close()
    assert not (folder.path / ".lock").exists()


@pytest.fixture
def training(runs, monkeypatch):
    """A training as `googlenet train --resume` makes it."""
    given = []
    monkeypatch.setattr(Session, "run", lambda session, folder: given.append(session.training))
    call("train", "--resume", runs / "stopped-a")
    return given[0]


def values(training):
    state = training.state_dict()
    arrays = {name: np.array(array).tobytes() for name, array in state["arrays"].items()}
    return arrays, json.dumps(state["values"])


def test_damaged_checkpoints(runs, training):
    folder = RunFolder(runs / "stopped-a")
    assert folder.resume(training)
    sound = values(training)
    for _ in cases(folder.path / "checkpoint.safetensors", 400, 3):
        with sound_or_refused(folder.path / "checkpoint.safetensors"):
            assert folder.resume(training)
            assert values(training) == sound


def test_damaged_runs_in_a_list(runs):
    """The list comes out whatever is damaged; a run that is not is as it was."""

    def listed(**options):
        return {run.name: {**run.to_dict(), "when": ""} for run in find_runs(runs, **options)}

    sound = listed()
    assert Counter(run["state"] for run in sound.values()) == {"finished": 2, "stopped": 2}
    for name, file in (
        ("finished-a", "config.json"),
        ("finished-a", "metrics.csv"),
        ("finished-a", "model.safetensors"),
        ("stopped-a", "checkpoint.safetensors"),
    ):
        path = runs / name / file
        for _ in cases(path, 60, 4):
            found = listed(check=True)
            assert set(found) == set(sound)
            one = found.pop(name)
            assert found == {key: run for key, run in sound.items() if key != name}
            if one["state"] == "damaged":
                outcomes["refused"] += 1
                assert file in one["note"]
            else:
                outcomes["read"] += 1
                if file != "metrics.csv":  # which has no checksum: other numbers may be numbers
                    assert one == sound[name]


def test_files_in_each_others_places(runs, training):
    """Any file of a run, or a picture, in the place of any other, also of another run."""
    sources = {
        (run.name, file.name): file.read_bytes()
        for run in runs.iterdir() if run.name != "pictures"
        for file in run.iterdir()
    }  # fmt: skip
    sources["a", "picture"] = (runs / "pictures/cat/0.png").read_bytes()
    sources["nobody", "nothing"] = b""
    model = facts(load_model(runs / "finished-a"))
    stopped = RunFolder(runs / "stopped-a")
    stopped.resume(training)
    state, config = values(training), stopped.config()
    for content in sources.values():
        for run, file in (
            ("finished-a", "model.safetensors"),
            ("stopped-a", "checkpoint.safetensors"),
            ("stopped-a", "config.json"),
            ("finished-a", "config.json"),
        ):
            place = runs / run / file
            own = place.read_bytes()
            place.write_bytes(content)
            if file == "model.safetensors":
                with sound_or_refused(place):
                    assert facts(load_model(runs / run)) == model
            elif file == "checkpoint.safetensors":
                with sound_or_refused(place):
                    assert stopped.resume(training)
                    assert values(training) == state
            elif run == "stopped-a":  # a config may be that of another run; a checkpoint is not
                with sound_or_refused(place, runs / run / "checkpoint.safetensors"):
                    assert stopped.resume(training)
                    assert stopped.config()["recipe"] == config["recipe"]
            else:
                with sound_or_refused(place, runs / run / "model.safetensors"):
                    assert facts(load_model(runs / run)) == model
            place.write_bytes(own)


def odd(rng, content):
    """Put something odd into a nest of dicts and lists, somewhere."""
    content = json.loads(json.dumps(content))
    at, key, inside = None, None, content
    while isinstance(inside, dict | list) and len(inside) and (at is None or rng.random() < 0.8):
        at = inside
        key = (list(at) if isinstance(at, dict) else range(len(at)))[rng.integers(len(at))]
        inside = at[key]
    way = rng.integers(4)
    if at is None or (way == 0 and isinstance(at, list)):
        return ODD[rng.integers(len(ODD))]
    if way == 1:
        del at[key]
    elif way == 2 and isinstance(at, dict):
        at[f"{key}?"] = at.pop(key)
    else:
        at[key] = ODD[rng.integers(len(ODD))]
    return content


def test_models_of_odd_content(runs):
    """With a checksum that is right: somebody wrote this on purpose."""
    path = runs / "finished-a" / "model.safetensors"
    state, metadata = checkpoint.load(path)
    image = read_image(runs / "pictures/cat/0.png")
    rng = np.random.default_rng(5)
    (runs / "finished-a" / "config.json").unlink()  # which tells that it is another
    for _ in range(300):
        changed = dict(metadata)
        part = ("recipe", "classes", "transform", "in_channels")[rng.integers(4)]
        changed[part] = json.dumps(odd(rng, json.loads(changed[part])))
        checkpoint.save(path, state, changed)
        with sound_or_refused(path):
            model = load_model(path)
            assert model.net.num_classes == len(model.classes) == 3
            with np.errstate(all="ignore"):
                given = model.transform(image, np.random.default_rng(0))
            if np.isfinite(given).all():  # else a strange normalisation, that was asked for
                logits = Classifier(model.net, batch_size=1).logits([given])
                Evaluation.of_logits(model.classes, np.arange(1), np.zeros(1, int), logits)


def test_configs_of_odd_content(runs):
    folder = RunFolder(runs / "stopped-a")
    content = folder.config()
    rng = np.random.default_rng(6)
    for _ in range(300):
        changed = odd(rng, content)
        if not isinstance(changed, dict):
            continue
        checkpoint.save_json(folder.path / "config.json", changed)
        with sound_or_refused(folder.path / "config.json"):
            assert isinstance(folder.recipe(), Recipe)
            assert set(dataclasses.asdict(folder.recipe())) == set(content["recipe"])
        assert len(find_runs(folder.path)) == 1


def test_checkpoints_of_odd_content(runs, training):
    folder = RunFolder(runs / "stopped-a")
    path = folder.path / "checkpoint.safetensors"
    state, metadata = checkpoint.load(path)
    rng = np.random.default_rng(7)
    for _ in range(200):
        changed = {**metadata, "training": json.dumps(odd(rng, json.loads(metadata["training"])))}
        arrays = dict(state)
        if rng.random() < 0.3:
            name = list(arrays)[rng.integers(len(arrays))]
            array = arrays.pop(name)
            if rng.random() < 0.7:
                arrays[name] = array[..., None] if rng.random() < 0.5 else array.astype(np.int8)
        checkpoint.save(path, arrays, changed)
        with sound_or_refused(path):
            folder.resume(training)
            assert len(training.history) <= training.recipe.epochs
            assert training.means.count >= 0
        assert len(find_runs(folder.path)) == 1


def test_damaged_pictures_beside_sound_ones(runs):
    """What is predicted of the sound ones is to the bit what it was."""
    model = load_model(runs / "finished-a")
    folder = runs / "pictures"
    Image.open(folder / "dog/1.png").save(folder / "dog/1.jpg")
    classifier = Classifier(model.net, batch_size=3)
    names = [str(folder / name) for name in ("cat/0.png", "dog/1.png", "dog/1.jpg", "owl/2.png")]
    sound = [said.probabilities for said in predict(classifier, model.transform, names, workers=1)]
    for place in (1, 2):
        path = folder / "dog" / names[place].rsplit("/")[-1]
        for _ in cases(path, 100, 8):
            said = list(predict(classifier, model.transform, names, workers=1))
            assert [each.path for each in said] == names
            with sound_or_refused(path):
                if said[place].error is not None:
                    raise said[place].error
                assert said[place].probabilities.sum() == pytest.approx(1)
            for other in {0, 1, 2, 3} - {place}:
                np.testing.assert_array_equal(said[other].probabilities, sound[other])


def test_damaged_pictures_in_a_folder(runs):
    folder = runs / "pictures"
    sound = read_image(folder / "cat/1.png")
    for case in cases(folder / "cat/1.png", 200, 9):
        dataset = ImageFolder(folder)
        assert len(dataset) == 9
        if case % 20 == 0:
            assert set(dataset.check()) <= {1}
        with sound_or_refused(folder / "cat/1.png"):
            image, label = dataset[1]
            assert label == 0
            assert image.dtype == np.uint8
            assert image.shape[0] == 3
    np.testing.assert_array_equal(ImageFolder(folder)[1][0], sound)


def test_there_were_enough_cases():
    """Of those above, as far as they ran: 2,000 at least, most of them refused, some harmless."""
    print(dict(outcomes))
    if outcomes.total() < 1000:
        pytest.skip("only some of the tests of this file ran")
    assert outcomes.total() >= 2000
    assert outcomes["refused"] > 1000
    assert outcomes["read"] > 20


def test_metrics_are_read_as_they_were_written(runs):
    with open(runs / "finished-a" / "metrics.csv") as file:
        row = list(csv.DictReader(io.StringIO(file.read())))[-1]
    (run,) = find_runs(runs / "finished-a")
    assert run.last_accuracy == float(row["test_accuracy"])
    assert run.seconds == float(row["seconds"])
