"""Event files: what TensorBoard would read of them, by the library's own description of them."""

import builtins
import struct

import numpy as np
import pytest

from googlenet import event_files
from googlenet.event_files import EventFiles, check_installed
from googlenet.vitals import Recorder
from googlenet.windows import Points
from tests.googlenet import test_vitals
from tests.googlenet.test_resume import StopAfter
from tests.googlenet.test_vitals import silent, training
from tests.googlenet.tiny import call, tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")
often = test_vitals.often


@pytest.fixture
def proto(monkeypatch):
    pytest.importorskip("tensorboardX")
    monkeypatch.setattr(event_files, "Points", lambda training: Points(training, every=0.0))
    from tensorboardX.proto import event_pb2

    return event_pb2


def events(proto, folder):
    """Read all events: each a length, its checksum, the message, its checksum."""
    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(proto.Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def scalars(found):
    rows = {}
    for event in found:
        for value in event.summary.value:
            if value.HasField("simple_value"):
                rows.setdefault(value.tag, []).append((event.step, value.simple_value))
    return rows


def written(run, folder, warn=silent, recorder=None):
    return EventFiles(folder, run, "lr = 1\nepochs = 3", warn, recorder)


@pytest.mark.usefixtures("often")
def test_all_of_a_training_is_there(proto, tmp_path):
    run = training(average="mean")
    recorder = Recorder(tmp_path, run, silent)
    with written(run, tmp_path, recorder=recorder) as watcher:
        run.run(recorder, watcher)
    found = events(proto, tmp_path)
    rows = scalars(found)
    for name in ("main", "4a", "4d"):
        assert [step for step, _ in rows[f"loss/{name}"]] == list(range(1, 16))
    for name in ("test/loss", "test/accuracy", "test/loss_averaged", "test/accuracy_averaged"):
        expected = [(5 * row["epoch"], row[name.replace("/", "_")]) for row in run.history]
        np.testing.assert_allclose(rows[name], expected, rtol=1e-6)
    for epoch in run.history:
        points = [
            v for s, v in rows["loss/main"] if 5 * epoch["epoch"] - 5 < s <= 5 * epoch["epoch"]
        ]
        assert sum(points) / 5 == pytest.approx(epoch["loss_logits"], rel=1e-4)
    for name in ("gradient", "gradient_main", "activation"):
        for i, stage in enumerate(run.net.stages):
            expected = [(p["step"], p[name][i]) for p in recorder.content["probes"]]
            tag = f"{name}/{stage.removeprefix('inception_')}"
            np.testing.assert_allclose(rows[tag], expected, rtol=1e-6)
    assert found[0].file_version == "brain.Event:2"
    texts = [v.tensor.string_val[0] for e in found for v in e.summary.value if v.tensor.string_val]
    assert texts == [b"    lr = 1\n    epochs = 3\n"]


def test_a_run_that_goes_on_takes_back_what_did_not_count(proto, tmp_path):
    run = training()
    with written(run, tmp_path) as watcher:
        run.run(StopAfter(run, 7), watcher)
    state = run.state_dict()  # now: the stream of random numbers is everybody's
    again = training()
    again.load_state_dict(state)
    with written(again, tmp_path) as watcher:
        again.run(watcher)
    found = events(proto, tmp_path)
    starts = [e.step for e in found if e.session_log.status == proto.SessionLog.START]
    assert starts == [8]
    assert [step for step, _ in scalars(found)["loss/main"]] == list(range(1, 16))


def test_trouble_is_said_once_and_training_goes_on(proto, tmp_path):
    said = []
    run = training()
    with written(run, tmp_path, lambda *what: said.append(what)) as watcher:

        def full(event):
            raise OSError(28, "No space left on device")

        watcher._writer.write_event = full
        assert run.run(watcher)
    assert [kind for kind, _ in said] == ["tensorboard"]
    assert "No space left on device" in said[0][1]


def test_a_missing_library_is_said_before_anything_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(event_files, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="python -m pip install tensorboardX"):
        check_installed()
    done = call("train", "--tensorboard", "--pictures", "64", "--run", tmp_path / "run")
    assert done.code == 2
    assert "--tensorboard needs the library tensorboardX" in done.err
    assert not (tmp_path / "run").exists()


def test_nobody_else_needs_the_library(monkeypatch, tmp_path):
    real = builtins.__import__

    def importing(name, *more):
        assert not name.startswith("tensorboardX")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", importing)
    done = call("train", "--pictures", "64", "--epochs", "1", "--run", tmp_path / "run")
    assert done.code == 0, done.err
