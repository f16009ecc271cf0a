"""Every operation stands four times: the same functions, with the same parameters."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from minigrad import ops

ROOMS = sorted(path.parent.name for path in Path(ops.__file__).parent.glob("*/naive.py"))


def signatures(room, rung):
    """Return the parameters of the kernels that a rung defines, by their names."""
    module = import_module(f"minigrad.ops.{room}.{rung}")
    return {
        name: inspect.signature(function)
        for name, function in inspect.getmembers(module, callable)
        if not name.startswith("_") and function.__module__ == module.__name__
    }


def test_the_rooms_are_found():
    assert {"batch_norm", "concat", "conv", "dropout", "linear", "lrn", "pool", "relu"} < {*ROOMS}


@pytest.mark.parametrize("rung", ["vectorized", "cpu", "gpu"])
@pytest.mark.parametrize("room", ROOMS)
def test_rungs_have_the_same_functions(room, rung):
    wanted = signatures(room, "naive")
    assert wanted
    assert signatures(room, rung) == wanted
