"""The packaged properties of `minigrad.testing.suite`, each on a GPU.

On a real one with all their examples; on the stand-in with few, always the same.
"""

import importlib
import inspect
from pathlib import Path

import pytest
from hypothesis import settings

import minigrad
from minigrad.gpu import is_gpu_array
from minigrad.testing import on_device
from minigrad.testing.suite import SUITE

PROPERTIES = {f"{p.operation}: {p.name}": p for named in SUITE.values() for p in named.values()}
HERE = {name: prop for name, prop in PROPERTIES.items() if not prop.cpu_only}
FEW = settings(max_examples=10, derandomize=True, deadline=None)


@pytest.mark.parametrize("prop", HERE.values(), ids=HERE)
def test_holds(prop, gpu):
    with on_device("cuda"):
        prop(FEW if gpu == "stand-in" else None)


def test_what_says_nothing_about_a_gpu():
    """All others run there: whoever leaves one out has to say so here."""
    threads = "the threads are those of the CPU"
    assert {name: p.cpu_only for name, p in PROPERTIES.items() if p.cpu_only} == {
        "conv2d: winograd_but_for_rounding": "Winograd's way through 3×3 is the CPU's",
        "conv2d: winograd_on_any_number_of_threads": threads,
        "conv2d: convolution_on_any_number_of_threads": threads,
        "dropout: dropout_on_any_number_of_threads": threads,
        "avg_pool2d: on_any_number_of_threads": threads,
        "batch_norm: on_any_number_of_threads": threads,
        "linear: on_any_number_of_threads": threads,
        "max_pool2d: on_any_number_of_threads": threads,
        "relu: on_any_number_of_threads": threads,
        "softmax: on_any_number_of_threads": threads,
    }
    assert len(HERE) >= 530


# -- would they notice? --------------------------------------------------------------------------

# room: the operations that its functions belong to
ROOMS = {
    "batch_norm": ["batch_norm"],
    "concat": ["concat"],
    "conv": ["conv2d", "im2col", "col2im"],
    "dropout": ["dropout"],
    "linear": ["linear"],
    "lrn": ["local_response_norm"],
    "pool": ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"],
    "relu": ["relu"],
    "softmax_cross_entropy": ["softmax", "log_softmax", "cross_entropy", "nll_loss"],
    "optim": ["sgd", "adam", "clip_grad_norm"],
}
MODULES = {
    path.parent.name: ".".join(path.relative_to(Path(minigrad.__file__).parents[1]).parts)[:-3]
    for path in Path(minigrad.__file__).parent.rglob("gpu.py")
}
FUNCTIONS = [
    (room, name)
    for room, module in sorted(MODULES.items())
    for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
    if function.__module__ == module and not name.startswith("_")
]


def off_by_one(function):
    """Break a function: the first number of what it returns, or else changes, is one too large."""

    def broken(*arguments, **options):
        result = function(*arguments, **options)
        several = result if isinstance(result, tuple) else (result,)
        for array in arguments[:1] if result is None else several:
            if is_gpu_array(array) and array.size:
                array[(0,) * array.ndim] += array.dtype.type(1)
        return result

    return broken


@pytest.mark.parametrize(("room", "name"), FUNCTIONS, ids=[f"{r}.{n}" for r, n in FUNCTIONS])
def test_a_wrong_number_is_noticed(room, name, gpu, monkeypatch):
    if gpu != "stand-in":
        pytest.skip("the stand-in shows it")
    module = importlib.import_module(MODULES[room])
    monkeypatch.setattr(module, name, off_by_one(getattr(module, name)))
    with pytest.raises((AssertionError, ValueError)), on_device("cuda"):  # noqa: PT012
        for operation in ROOMS[room]:
            for prop in SUITE[operation].values():
                if not prop.cpu_only:
                    prop(FEW)
