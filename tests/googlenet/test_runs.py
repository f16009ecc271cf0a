"""``googlenet runs``: every state that a run can be in, and damage that does not stop the list."""

import json
import os
import shutil

import pytest

from googlenet.run_folder import RunFolder
from googlenet.runs import find_runs
from tests.googlenet.tiny import call, tiny, train  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):  # noqa: F811
    runs = tmp_path_factory.mktemp("past") / "runs"
    train(runs / "finished")
    train(runs / "stopped", stop=True)
    for name in ("truncated", "flipped", "headless", "another"):
        shutil.copytree(runs / "finished", runs / name)
    os.truncate(runs / "truncated" / "model.safetensors", 9000)
    config = bytearray((runs / "flipped" / "config.json").read_bytes())
    config[40] ^= 1
    (runs / "flipped" / "config.json").write_bytes(config)
    (runs / "headless" / "config.json").unlink()
    (runs / "another" / "metrics.csv").write_text("epoch,time\n1,never\n")
    (runs / "notes").mkdir()
    (runs / "notes" / "plan.txt").write_text("no run")
    (runs / "file").touch()
    for age, name in enumerate(("finished", "stopped")):
        os.utime(runs / name / "config.json", (10**9 + 60 * age,) * 2)
    return runs


def by_name(folder, *options):
    done = call("runs", folder, "--json", *options)
    assert done.code == 0, done.err
    assert done.err == ""
    found = json.loads(done.out)
    return {run["name"]: run for run in found}, [run["name"] for run in found]


def test_all_states(folder):
    runs, order = by_name(folder)
    assert order[-2:] == ["stopped", "finished"]  # the newest first
    assert set(order) == {"finished", "stopped", "truncated", "flipped", "headless", "another"}
    one = runs["finished"]
    assert (one["state"], one["epochs_done"], one["epochs"]) == ("finished", 2, 2)
    assert one["best_accuracy"] >= one["last_accuracy"] > 0
    assert (one["data"], one["when"][:4]) == ("embedded", "2001")
    assert one["seconds"] > 0
    one = runs["stopped"]
    assert (one["state"], one["epochs_done"]) == ("stopped", 0)
    assert one["note"] == "after epoch 0 and 1 steps, resumable"
    for name, sentence in {
        "truncated": "model.safetensors' is not a whole safetensors file",
        "flipped": "config.json",
        "headless": "there is no file",
        "another": "metrics.csv' is not the table of a run",
    }.items():
        assert runs[name]["state"] == "damaged"
        assert sentence in runs[name]["note"]


def test_parameters_are_those_of_the_network(folder):
    from googlenet import GoogLeNet

    count = sum(p.size for p in GoogLeNet(10, in_channels=1, image_size=32).parameters())
    runs, _ = by_name(folder)
    assert runs["finished"]["parameters"] == count
    assert runs["stopped"]["parameters"] == count  # without what the optimiser remembers


def test_batch_norm_remembers_what_is_no_parameter(folder, tmp_path):
    from googlenet import GoogLeNet

    run = train(tmp_path / "normed", "--batch-norm")
    net = GoogLeNet(10, in_channels=1, image_size=32, batch_norm=True)
    assert find_runs(run)[0].parameters == sum(p.size for p in net.parameters())


def test_a_run_that_is_being_trained(folder):
    opened = RunFolder.open(folder / "stopped")
    try:
        runs, _ = by_name(folder)
        assert runs["stopped"]["state"] == "training"
    finally:
        opened.close()
    assert by_name(folder)[0]["stopped"]["state"] == "stopped"


def test_a_lock_that_a_killed_process_left(folder):
    (folder / "stopped" / ".lock").touch()
    assert by_name(folder)[0]["stopped"]["state"] == "stopped"


def test_weights_are_held_against_their_checksum_if_asked(folder, tmp_path):
    shutil.copytree(folder / "finished", tmp_path / "bit")
    weights = tmp_path / "bit" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 4
    weights.write_bytes(content)
    assert by_name(tmp_path)[0]["bit"]["state"] == "finished"
    checked = by_name(tmp_path, "--check")[0]["bit"]
    assert checked["state"] == "damaged"
    assert "checksum" in checked["note"]


def test_a_table(folder, monkeypatch, tmp_path):
    done = call("runs", folder)
    assert done.code == 0
    assert "finished" in done.out
    assert "headless: damaged" in done.out
    one = call("runs", folder / "finished")
    assert "2/2" in one.out
    monkeypatch.chdir(tmp_path)
    assert "no runs in 'runs' yet" in call("runs").out
    assert json.loads(call("runs", "--json").out) == []


def test_a_folder_that_may_not_be_listed(folder, monkeypatch):
    """As root there is no such folder, so the system is made to say so."""
    listdir = os.listdir

    def refuse(path):
        if str(path).endswith("stopped"):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    runs, _ = by_name(folder)
    assert runs["stopped"]["state"] == "damaged"
    assert "Permission denied" in runs["stopped"]["note"]
    assert runs["finished"]["state"] == "finished"
