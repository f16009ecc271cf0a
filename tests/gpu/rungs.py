"""Comparing the GPU's rung of one operation with the first, the definition."""

import numpy as np

from minigrad import device
from minigrad.dtypes import is_small
from minigrad.gpu import cupy, is_gpu_array
from minigrad.widened import widened


def on_gpu(value):
    """Move an array (or arrays in a list) to the GPU; leave all else as it is."""
    if isinstance(value, list):
        return [on_gpu(part) for part in value]
    return device.put(value, "cuda:0") if isinstance(value, np.ndarray) else value


def on_cpu(value):
    """Move arrays back."""
    if isinstance(value, tuple | list):
        return type(value)(map(on_cpu, value))
    return cupy().asnumpy(value) if is_gpu_array(value) else value


def both(room, name, *arguments, **options):
    """Call one kernel of a room on rung 1 and on the GPU; return both results, on the CPU.

    The GPU's arguments must be as they were afterwards, and its results must lie there.
    """
    moved = [on_gpu(argument) for argument in arguments]
    got = getattr(room.gpu, name)(*moved, **options)
    for before, after in zip(arguments, moved, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(on_cpu(after), before, f"{name} changed its input")
    parts = got if isinstance(got, tuple) else (got,)
    assert all(is_gpu_array(part) for part in parts), f"{name}: a result lies on the CPU"
    return getattr(definition(room, arguments), name)(*arguments, **options), on_cpu(got)


def definition(room, arguments, rung="naive"):
    """Return rung 1, or another, for arrays of 16 bits if there are any."""
    lists = [a if isinstance(a, list) else [a] for a in arguments]
    arrays = [a for part in lists for a in part if isinstance(a, np.ndarray)]
    small, kernels = any(is_small(a.dtype) for a in arrays), getattr(room, rung)
    return widened(kernels) if small else kernels


def assert_agree(room, name, *arguments, **options):
    """On integers every sum is exact: the GPU's results are those of rung 1, to the bit."""
    wanted, got = both(room, name, *arguments, **options)
    pairs = zip(wanted, got, strict=True) if isinstance(wanted, tuple) else [(wanted, got)]
    for want, made in pairs:
        assert made.dtype == want.dtype, name
        assert made.shape == want.shape, name
        np.testing.assert_array_equal(made, want, name)
    return got
