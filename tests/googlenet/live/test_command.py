"""``googlenet train --live`` and ``--tensorboard``, as they are called."""

import json
import re
import socket
import urllib.request
from importlib.util import find_spec

import pytest

from googlenet.commands import session as module
from googlenet.live import Live, Server
from googlenet.run_folder import REPORT
from tests.googlenet.live.test_story import in_report
from tests.googlenet.tiny import call, tiny, train  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")


def test_the_page_is_there_while_it_trains_and_its_report_after(tmp_path, monkeypatch):
    seen = []
    step = Live.step

    def asking(self, *told):
        step(self, *told)
        if not seen:
            page = urllib.request.urlopen(self.server.url).read().decode()
            story = json.load(urllib.request.urlopen(f"{self.server.url}story.json"))
            seen.extend([page, story, self.server.url])

    monkeypatch.setattr(Live, "step", asking)
    done = call(
        "train", "--live", "--pictures", "64", "--epochs", "1", "--run", tmp_path / "run",
        "--log", "plain",
    )  # fmt: skip
    assert done.code == 0, done.err
    page, story, url = seen
    assert story["state"] == "training"
    assert '"live":true' in page
    told = re.search(r"live page: (\S+)  \(kept as (.*)\)", done.out)
    assert told[1] == url
    assert told[2] == str(tmp_path / "run" / REPORT)
    report = in_report(tmp_path / "run")
    assert report["story"]["state"] == "finished"
    assert report["fixed"]["run"] == str(tmp_path / "run")
    assert "epochs = 1" in report["fixed"]["recipe"].splitlines()
    assert report["fixed"]["title"].startswith("GoogLeNet, ")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_programs_are_told_where_it_is(tmp_path):
    done = call("train", "--live", "--quiet", "--pictures", "64", "--epochs", "1", "--log", "json",
                "--run", tmp_path / "run")  # fmt: skip
    events = {e["event"]: e for e in map(json.loads, done.out.splitlines())}
    assert events["live"]["url"].startswith("http://127.0.0.1:")
    assert events["live"]["report"] == str(tmp_path / "run" / REPORT)


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("train", "--live", str(port), "--pictures", "64", "--run", tmp_path / "run")
    assert done.code == 2
    assert f"port {port} of 127.0.0.1" in done.err
    assert "without a number, one is taken that is free" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("port", ["70000", "here"])
def test_a_port_that_is_none_is_refused(tmp_path, port):
    done = call("train", f"--live={port}", "--run", tmp_path / "run")
    assert done.code == 2
    assert "--live" in done.err
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_stopped_goes_on_with_a_page(tmp_path):
    run = train(tmp_path / "run", "--live", stop=True)
    assert in_report(run)["story"]["state"] == "stopped"
    done = call("train", "--resume", run, "--live")
    assert done.code == 0, done.err
    assert in_report(run)["story"]["state"] == "finished"


@pytest.mark.parametrize("epochs", [0, 1])
def test_an_error_is_told_on_the_page(tmp_path, monkeypatch, epochs):
    """Where nothing was learned before it, no folder is left, and browsers have been told."""
    over, told = [], []
    close = Server.close

    def step(self, *what):
        if len(over) == epochs:
            raise ValueError("something went wrong")

    def closing(self):
        told.append(json.loads(self.told()[0]))
        close(self)

    monkeypatch.setattr(module.Health, "step", step)
    monkeypatch.setattr(module.Health, "epoch", lambda self, metrics: over.append(metrics))
    monkeypatch.setattr(Server, "close", closing)
    options = ["--tensorboard"] if find_spec("tensorboardX") else []
    run = tmp_path / "run"
    done = call("train", "--live", *options, "--pictures", "64", "--run", run)
    assert done.code == 1
    assert [(s["state"], s["error"]) for s in told] == [("failed", "something went wrong")]
    assert run.exists() == (epochs > 0)
    if epochs:
        assert in_report(run)["story"]["state"] == "failed"


def test_warnings_are_told_on_the_page(tmp_path, monkeypatch):
    def worried(self, *told):
        self.warn("stuck", "The main head is stuck.")

    monkeypatch.setattr(module.Health, "epoch", worried)
    done = call("train", "--live", "--pictures", "64", "--epochs", "1", "--run", tmp_path / "run")
    assert "Warning: The main head is stuck." in done.out
    assert [m["text"] for m in in_report(tmp_path / "run")["story"]["messages"]] == [
        "The main head is stuck."
    ]


def test_without_it_there_is_neither_page_nor_port(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Server", pytest.fail)
    run = train(tmp_path / "run")
    assert not (run / REPORT).exists()
    assert not list(run.glob("events*"))


def test_event_files_are_written(tmp_path):
    pytest.importorskip("tensorboardX")
    run = train(tmp_path / "run", "--tensorboard")
    assert len(list(run.glob("events.out.tfevents.*"))) == 1


def test_the_page_says_which_network_it_is(tmp_path):
    run = train(
        tmp_path / "run", "--live", "--set", "architecture=inception-v3", "--image-size", "75",
        "--no-aux-heads", "--batch-size", "8", pictures="8",
    )  # fmt: skip
    assert in_report(run)["fixed"]["title"].startswith("Inception v3, ")
