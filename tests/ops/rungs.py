"""Comparing the rungs of one operation.

On integer-valued inputs every sum is exact in float32 (below 2²⁴) whatever its order, so the rungs
must agree bit for bit: no tolerance.
"""

from contextlib import contextmanager

import numpy as np

import minigrad


@contextmanager
def without_winograd():
    """Convolve by plain sums alone, which are exact on integers."""
    minigrad.allow_winograd(False)
    try:
        yield
    finally:
        minigrad.allow_winograd(True)


def integers(rng, *shape, low=-4, high=5, dtype=np.float32):
    """Draw integer-valued floats."""
    return rng.integers(low, high, shape).astype(dtype)


def assert_rungs_agree(rungs, name, *arguments):
    """Call one kernel on every rung; results equal to the bit, inputs unchanged. Returns one."""
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    results = {rung: getattr(module, name)(*arguments) for rung, module in rungs.items()}
    for old, now in zip(before, arguments, strict=True):
        if isinstance(old, np.ndarray):
            np.testing.assert_array_equal(now, old, f"{name} changed its input")
    naive = results["naive"]
    for rung, result in results.items():
        pairs = zip(result, naive, strict=True) if isinstance(naive, tuple) else [(result, naive)]
        for got, want in pairs:
            assert got.dtype == want.dtype, (rung, name)
            assert got.shape == want.shape, (rung, name)
            np.testing.assert_array_equal(got, want, f"{name}: {rung} differs from naive")
    return naive
