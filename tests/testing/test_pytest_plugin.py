"""The pytest plugin, seen from a project that is not ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu import host

PROJECT = """
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrad import functional as F
from minigrad import tensor

drawn = []

@given(st.integers())
def test_property(n):
    drawn.append(n)

def test_how_many_were_drawn():
    print("drawn:", len(drawn))

@pytest.mark.minigrad_thorough
def test_slow():
    print("slow ran")

def test_relu():
    assert F.relu(tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on the project above; gives its exit code and what it printed."""

    def run(*options):
        (tmp_path / "test_it.py").write_text(PROJECT)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *options, "."],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def test_thorough_deepens_every_property_and_runs_what_is_marked(run):
    code, said = run()
    assert code == 0, said
    assert "drawn: 100\n" in said  # hypothesis's own default: nothing of theirs has changed
    assert "slow ran" not in said
    assert "1 skipped" in said
    assert "Warning" not in said  # the marker is known
    code, said = run("--minigrad-thorough")
    assert code == 0, said
    assert "drawn: 400\n" in said
    assert "slow ran" in said


def test_a_mutant_breaks_the_engine_for_the_session(run):
    code, said = run("--minigrad-mutant", "relu-leaks")
    assert "broken on purpose by the mutant relu-leaks" in said
    assert code == 1, said
    assert "FAILED test_it.py::test_relu" in said
    assert "1 failed, 2 passed, 1 skipped" in said


def test_an_unknown_mutant(run):
    code, said = run("--minigrad-mutant", "relu-leak")
    assert code == 4, said
    assert "--minigrad-mutant: " in said
    assert "relu-leaks" in said  # the one that is near


# Some project's own property of a layer, and a plugin that lends CuPy's stand-in.
ON_A_DEVICE = """
from minigrad import nn
from minigrad.testing import check_layer, place

def test_layer():
    assert check_layer(nn.ReLU(), (2, 3)).ok
    print("ran on", place.here())
"""
LENT = """
from tests.gpu import standin
lent = standin.installed()
lent.__enter__()
"""


@pytest.mark.skipif(host.COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize(("device", "name"), [("cuda", "cuda:0"), ("cpu", "cpu")])
def test_checks_run_on_a_device(run, tmp_path, monkeypatch, device, name):
    (tmp_path / "test_device.py").write_text(ON_A_DEVICE)
    (tmp_path / "lent.py").write_text(LENT)
    paths = tmp_path, Path(__file__).parents[2], os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    code, said = run("-p", "lent", "--minigrad-device", device)
    assert code == 0, said
    assert f"minigrad: checks run on {device}" in said
    assert f"ran on {name}" in said


@pytest.mark.parametrize(
    ("device", "sentence"), [("gpu", "device must be"), ("cuda:99", "--minigrad-device: cuda: ")]
)
def test_a_device_that_is_not_there(run, device, sentence):
    code, said = run("--minigrad-device", device)
    assert code == 4, said
    assert sentence in said
