"""The doctor reads run folders, and speaks and draws."""

import json
import math
import shutil

import numpy as np
import pytest

from googlenet import vitals as vitals_module
from googlenet.doctor import diagnose, open_case
from googlenet.doctor.drawings import draw
from googlenet.probe import PER_STAGE
from googlenet.vitals import VITALS, read_vitals
from minigrad import checkpoint
from tests.googlenet.doctor.cases import (
    case,
    probe,
    with_probes,
)
from tests.googlenet.tiny import call, tiny, train  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):  # noqa: F811
    """A run of a few steps, of which enough was recorded."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vitals_module, "BUDGET", 1.0)
        train(folder, "--batch-size", "16")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "one")


def test_a_run_folder_is_read(run):
    made = open_case(run)
    assert made.damage == []
    assert len(made.epochs) == 2
    assert len(made.probes) >= 2
    assert made.heads == ["logits", "aux_4a", "aux_4d"]
    assert made.per_stage("dead").shape == (len(made.probes), len(made.vitals["stages"]))
    assert set(PER_STAGE) <= set(made.probes[0])


def test_the_command_speaks_and_draws(run):
    done = call("doctor", run)
    assert done.err == ""
    assert done.code in (0, 1)
    assert "finished, 2 of 2 epochs, test accuracy" in done.out
    assert "too short to judge" in done.out
    names = {"curves.png", "stages.png", "gradients.png"}
    assert {file.name for file in (run / "doctor").iterdir()} == names
    assert all((run / "doctor" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert call("runs", run, "--json").code == 0  # the folder is still that of a run


def test_the_command_speaks_json(run):
    done = call("doctor", run, "--json", "--no-pictures")
    told = json.loads(done.out)
    assert (done.code == 0) == told["healthy"]
    assert told["recorded"] >= 2
    assert told["pictures"] == []
    assert not (run / "doctor").exists()
    for finding in told["findings"]:
        assert set(finding) == {"kind", "severity", "title", "evidence", "cure", "numbers", "epoch"}


def test_the_exit_code_says_whether_something_is_wrong(run, monkeypatch):
    from googlenet.commands import doctor as module

    for made, code in ((case(), 0), (case(tested=100), 0), (case(lambda s: 2.1), 1)):
        made.path = run
        monkeypatch.setattr(module, "open_case", lambda path, made=made: made)
        done = call("doctor", run, "--no-pictures")
        assert done.code == code, done.out
        assert ("Nothing is wrong" in done.out) == (code == 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [("config.json", "config.json"), ("metrics.csv", "metrics.csv"), (VITALS, "vitals.json"),
     ("model.safetensors", "model.safetensors")],
)  # fmt: skip
def test_damage_is_a_finding_and_the_rest_is_looked_at(run, name, said):
    (run / name).write_bytes((run / name).read_bytes()[:40])
    done = call("doctor", run, "--json")
    assert done.code == 1, done.err
    told = json.loads(done.out)
    assert told["state"] == "damaged"
    assert told["findings"][0]["kind"] == "damaged"
    assert said in told["findings"][0]["evidence"]
    assert told["pictures"]


def test_a_run_that_recorded_nothing(run):
    (run / VITALS).unlink()
    done = call("doctor", run)
    assert "Nothing was recorded inside the network" in done.out
    assert {file.name for file in (run / "doctor").iterdir()} == {"curves.png"}


def test_a_run_that_was_too_short_to_look_inside(run):
    content = read_vitals(run / VITALS)
    checkpoint.save_json(run / VITALS, {**content, "probes": []})
    assert "too short to look inside" in call("doctor", run).out


def test_a_run_that_was_stopped_before_its_first_epoch(tiny, tmp_path):  # noqa: F811
    path = train(tmp_path / "stopped", stop=True)
    done = call("doctor", path)
    assert done.code == 0, done.out
    assert "stopped, 0 of 2 epochs" in done.out
    assert "--resume" in done.out


def test_no_run_is_a_mistake_in_what_was_asked(tmp_path):
    assert call("doctor", tmp_path / "none").code == 2
    (tmp_path / "empty").mkdir()
    done = call("doctor", tmp_path / "empty")
    assert done.code == 2
    assert "is no run folder" in done.err


def test_recording_can_be_left_out(tiny, tmp_path):  # noqa: F811
    path = train(tmp_path / "plain", "--no-record")
    assert not (path / VITALS).exists()


def test_pictures_of_all_kinds_of_runs():
    """Drawn without an error or a warning: one look, zeros, no heads, many findings."""
    only = {"logits": probe(1)["heads"]["logits"]}
    flat = probe(900, gradient=[0.0] * 6, gradient_main=[0.0] * 6, activation=[1.0] * 6,
                 update=[None] * 6)  # fmt: skip
    alone = with_probes(case(heads=("logits",)), probe(9, heads=only))
    for made in (with_probes(case(lambda s: math.nan if s > 500 else 1e9), flat), alone):
        with np.errstate(all="raise", under="ignore"):
            drawn = draw(made, diagnose(made))
        assert set(drawn) == {"curves.png", "stages.png", "gradients.png"}
        assert all(picture.startswith(b"\x89PNG") for picture in drawn.values())
