"""Whatever is given: a sentence that names it, an exit code, no traceback, nothing half done."""

import os
import shlex
import shutil

import pytest

from googlenet.run_folder import RunFolder
from tests.googlenet.bad_input import CASES, RESUME, flip, make, spoiled
from tests.googlenet.process import googlenet
from tests.googlenet.tiny import call, tiny  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):  # noqa: F811
    return make(tmp_path_factory.mktemp("bad"))


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_bad_input_is_one_sentence(case, place):
    done, left = spoiled(case)
    assert case.sentence in done.err
    assert done.code == case.code
    assert "Traceback" not in done.err
    said = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1
    assert "[Errno" not in done.err
    assert left == set()  # nothing was begun, nothing was changed
    if not case.command.startswith(("train", "predict")):  # these may have said something before
        assert done.out == ""


def test_the_commands_work_where_nothing_is_spoilt(place):
    """Else the cases above would prove little."""
    for command in (
        "predict runs/animals cat.png",
        "predict runs/animals pictures",
        "evaluate runs/animals",
        "evaluate runs/animals --test-data pictures",
        "evaluate runs/animals --data pictures",
        "runs runs",
        RESUME,
    ):
        done = call(*command.split())
        assert done.code == 0, (command, done.err)


def test_a_run_that_has_learned_is_left_to_go_on(place, monkeypatch):
    """A failure in the second epoch takes nothing away."""
    written = RunFolder.epoch

    def fail(folder, metrics):
        written(folder, metrics)
        raise OSError(5, "Input/output error", "somewhere")

    monkeypatch.setattr(RunFolder, "epoch", fail)
    done = call(*shlex.split("train --run new --epochs 3 --data pictures --batch-size 4"))
    assert done.code == 1
    assert done.err == "Error: 'somewhere': Input/output error\n"
    assert {"config.json", "metrics.csv"} <= {path.name for path in (place / "new").iterdir()}


def test_debug_shows_where(place):
    flip("runs/animals/config.json", 50)()
    with pytest.raises(ValueError, match="checksum"):
        call("--debug", "evaluate", "runs/animals")


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("predict runs/gone cat.png", 2, "there is no run 'runs/gone'"),
        ("evaluate empty", 1, "'empty' is no run folder"),
        ("predict cat.png cat.png", 1, "'cat.png' is not a whole safetensors file"),
        ("runs cat.png", 2, "a folder was needed, but this is a file: 'cat.png'"),
        ("runs runs", 0, ""),
    ],
)
def test_as_a_process(place, command, code, sentence):
    done = googlenet(*command.split())
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if code else 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(place):
    os.chmod("pictures/cat", 0)
    try:
        done = call("evaluate", "runs/animals", "--test-data", "pictures")
    finally:
        os.chmod("pictures/cat", 0o755)
    assert done.code == 2
    assert "no permission to list the folder 'pictures/cat'" in done.err
