"""What a training run says: to people through a pipe, to programs, and when it is to be quiet."""

import io
import json
import sys

import pytest
from rich.console import Console

from googlenet.log import JsonLines, Plain
from googlenet.screen import Screen, open_log
from googlenet.train import RunningMean
from minigrad import tensor
from tests.googlenet.process import googlenet

ROW = {
    "epoch": 1, "learning_rate": 1e-4, "loss": 3.5, "loss_logits": 2.2, "loss_aux_4a": 2.1,
    "loss_aux_4d": 2.0, "train_accuracy": 0.25, "images_per_second": 300.0, "test_loss": 2.0,
    "test_accuracy": 0.5, "seconds": 61.0,
}  # fmt: skip


def events(text):
    """Read lines of JSON, strictly: with what is no JSON (NaN) they are not."""

    def refuse(name):
        raise ValueError(f"{name} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


SHORT = ("train", "--epochs", "2", "--pictures", "192", "--threads", "1")


def test_json_is_one_object_a_line_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    done = googlenet(*SHORT, "--log", "json", "--run", str(run))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = events(done.stdout)
    kinds = [event["event"] for event in said if event["event"] != "compiling"]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert kinds.count("epoch") == 2
    assert kinds.count("step") >= 1
    begin, end = said[0], said[-1]
    assert begin["config"]["recipe"]["epochs"] == 2
    assert begin["config"].items() <= json.loads((run / "config.json").read_text()).items()
    assert begin["parameters"] == 7182030
    assert end["run"] == str(run)
    epochs = [event for event in said if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert end["test_accuracy"] == epochs[-1]["test_accuracy"]
    assert (run / "metrics.csv").read_text().splitlines()[0].split(",") == list(epochs[0])[2:]
    elapsed = [event["elapsed"] for event in said]
    assert elapsed == sorted(elapsed)


def test_errors_are_json_too(tmp_path):
    """Numbers that are not finite, a class alone, a picture short: each names itself, once."""
    run = tmp_path / "run"
    done = googlenet(*SHORT, "--lr", "1e12", "--log", "json", "--run", str(run))
    assert done.returncode == 1
    *_, error = events(done.stdout)
    assert error["event"] == "error"
    assert error["code"] == 1
    assert "in step 2 of epoch 1: the loss is not finite" in error["message"]
    assert "conv2d: its output has" in error["message"]
    assert "Try a lower --lr (now 1e+12)" in error["message"]
    assert done.stderr == f"Error: {error['message']}\n"
    assert not list(run.glob("*.safetensors"))

    done = googlenet("train", "--pictures", "1", "--log", "json", cwd=tmp_path)
    assert done.returncode == 2
    (error,) = events(done.stdout)
    assert error["code"] == 2
    assert "all training pictures (1) are of one class, 'T-shirt/top'" in error["message"]
    assert not (tmp_path / "runs").exists()


def test_plain_lines_hold_no_control_characters(tmp_path):
    """And are what a pipe gets."""
    done = googlenet(*SHORT, "--run", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert all(c == "\n" or c.isprintable() for c in done.stdout)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Compiling")]
    assert lines[0].startswith("GoogLeNet, 7,182,030 parameters")
    assert lines[1].startswith("data: embedded Fashion-MNIST")
    assert lines[2].startswith("first batch after ")
    assert [line.split()[0] for line in lines[-4:-1]] == ["epoch", "1", "2"]
    assert lines[-1].startswith("test accuracy 0.")
    assert str(tmp_path / "run") in lines[-1]


def test_quiet_says_how_it_ended_and_nothing_else(tmp_path):
    done = googlenet(
        "train", "--epochs", "1", "--pictures", "40", "--quiet", "--run", str(tmp_path / "run")
    )
    assert done.returncode == 0
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()  # though there are classes of fewer than ten pictures
    assert line.startswith("test accuracy 0.")


def test_quiet_json_is_the_end_alone():
    stream = io.StringIO()
    log = JsonLines(stream, quiet=True)
    log.say("begin", "begun", parameters=3)
    log.warn("stuck", "it is stuck")
    log.epoch(ROW)
    log.say("end", "ended", test_accuracy=0.5)
    assert [event["event"] for event in events(stream.getvalue())] == ["end"]


def test_numbers_that_json_does_not_know_are_null():
    stream = io.StringIO()
    JsonLines(stream).epoch({**ROW, "test_loss": float("nan"), "more": [float("inf"), {"x": 1.0}]})
    (row,) = events(stream.getvalue())
    assert row["test_loss"] is None
    assert row["more"] == [None, {"x": 1.0}]


def steps(log, count, seconds, monkeypatch):
    """Take steps of so many seconds each, in an epoch of 640 pictures."""
    now = [100.0]
    monkeypatch.setattr("googlenet.log.time.perf_counter", lambda: now[0])
    means = RunningMean()
    with log.showing(2, 640):
        for _ in range(count):
            now[0] += seconds
            numbers = {"loss": tensor(3.0), "loss_logits": tensor(2.0), "loss_aux_4a": tensor(2.5)}
            means.add(64, **numbers, train_accuracy=tensor(0.25))
            log.step(64, means, 1e-3)


def test_long_epochs_have_a_line_now_and_then(monkeypatch):
    stream = io.StringIO()
    steps(Plain(stream), 9, 10.0, monkeypatch)
    first, *lines = stream.getvalue().splitlines()
    assert first.startswith("first batch after")
    assert lines == [
        "    1, 40%: loss main 2.000 4a 2.500 · accuracy 0.250 · lr 1.0e-03",
        "    1, 70%: loss main 2.000 4a 2.500 · accuracy 0.250 · lr 1.0e-03",
    ]


def test_programs_hear_of_steps_more_often(monkeypatch):
    stream = io.StringIO()
    steps(JsonLines(stream), 10, 2.0, monkeypatch)
    said = [event for event in events(stream.getvalue()) if event["event"] == "step"]
    assert [event["pictures"] for event in said] == [64, 256, 448, 640]
    assert said[0]["loss_aux_4a"] == 2.5
    assert {event["epoch"] for event in said} == {1}


def test_a_run_that_goes_on_counts_from_where_it_was():
    log = Plain(io.StringIO())
    with log.showing(5, 640, done=3 * 640 + 128):
        assert (log.epoch_number, log.done) == (4, 128)


def test_warnings_of_the_loader_are_said_as_warnings():
    import warnings

    stream = io.StringIO()
    before = warnings.showwarning
    with JsonLines(stream).showing(1, 10):
        warnings.warn("DataLoader: sample 3 is left out", RuntimeWarning, stacklevel=1)
    assert warnings.showwarning is before
    (warning,) = events(stream.getvalue())
    assert warning["event"] == "warning"
    assert warning["message"] == "DataLoader: sample 3 is left out"


@pytest.mark.parametrize("said", ["markup like [bold] or [/nothing] is text"])
def test_the_screen_shows_the_same_lines(said):
    """On a terminal, above its bar, which is gone in the end."""
    stream = io.StringIO()
    screen = Screen(Console(file=stream, force_terminal=True, width=100, color_system=None))
    with screen.showing(1, 640):
        screen.warn("stuck", said)
        screen.step(64, RunningMean({"loss_logits": 64.0, "train_accuracy": 6.4}, 64), 1e-3)
        screen.epoch(ROW)
    shown = stream.getvalue()
    assert f"Warning: {said}" in shown
    assert "epoch 1/1" in shown
    plain = io.StringIO()
    Plain(plain).epoch(ROW)
    for line in plain.getvalue().splitlines():
        assert line in shown


@pytest.mark.parametrize(
    ("terminal", "term", "kind", "quiet", "expected"),
    [
        (True, "xterm", "auto", False, Screen),
        (True, "dumb", "auto", False, Plain),
        (False, "xterm", "auto", False, Plain),
        (True, "xterm", "auto", True, Plain),
        (True, "xterm", "plain", False, Plain),
        (False, "xterm", "rich", False, Screen),
        (True, "xterm", "json", True, JsonLines),
    ],
)
def test_who_speaks(monkeypatch, terminal, term, kind, quiet, expected):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", term)
    log = open_log(kind, quiet)
    assert type(log) is expected
    assert log.quiet is quiet
