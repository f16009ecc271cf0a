"""Numbers of 16 bits on the CPU: kept in 16, computed in 32.

A GPU multiplies float16 and bfloat16 in its tensor cores, with sums of float32. A CPU has nothing
of the kind. There the kernels of float32 do the work between two conversions, which is slow, and
says exactly what the GPU's kernels have to compute: every result rounded once.
"""

from collections.abc import Callable
from functools import cache, wraps
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.dtypes import is_small, rounded

# Results that stay float32, by their place: gradients of parameters, and LRN's scale.
WIDE = {
    "conv2d_weight_gradient": {0},
    "conv2d_bias_gradient": {0},
    "conv2d_relu_gradient": {1},
    "linear_weight_gradient": {0},
    "linear_bias_gradient": {0},
    "lrn_forward": {1},
}


class Widened:
    """A rung whose kernels take arrays of 16 bits.

    Parameters
    ----------
    rung : module
        One that runs on the CPU.
    """

    def __init__(self, rung: ModuleType) -> None:
        self._rung = rung

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Looked up anew each time: the module's functions can be replaced (`minigrad.testing`).
        return _widened(getattr(self._rung, name), WIDE.get(name, set()))


@cache
def widened(rung: ModuleType) -> Widened:
    """Return a rung's kernels for numbers of 16 bits."""
    return Widened(rung)


def _widened(kernel: Callable[..., Any], wide: set[int]) -> Callable[..., Any]:
    @wraps(kernel)
    def computed(*arguments: Any, into: Any = None, **options: Any) -> Any:
        small = next(a.dtype for a in _arrays(arguments) if is_small(a.dtype))
        if into is not None:
            options["into"] = _wide(into)
        made = kernel(*map(_wide, arguments), **options)
        parts = made if isinstance(made, tuple) else (made,)
        parts = tuple(
            rounded(part, small) if part.dtype == np.float32 and i not in wide else part
            for i, part in enumerate(parts)
        )
        if into is not None:
            into[...] = parts[0]
            return into
        return parts if isinstance(made, tuple) else parts[0]

    return computed


def _arrays(arguments: Any) -> list[np.ndarray]:
    """List the arrays among arguments, and those in their lists."""
    found = []
    for argument in arguments:
        if isinstance(argument, list):
            found += _arrays(argument)
        elif isinstance(argument, np.ndarray):
            found.append(argument)
    return found


def _wide(value: Any) -> Any:
    """Make float32 of an array of 16 bits; leave all else."""
    if isinstance(value, list):
        return [_wide(part) for part in value]
    if isinstance(value, np.ndarray) and is_small(value.dtype):
        return value.astype(np.float32)
    return value
