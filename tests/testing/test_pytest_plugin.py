"""The pytest plugin, seen from a project that is not ours."""

import subprocess
import sys

import pytest

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
