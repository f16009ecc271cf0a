"""The arithmetic of optimisers on a GPU: one kernel for each parameter, one pass over memory.

The formulas are those of `minigrad.optim.updates`, in the same order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.gpu import Source, contiguous, empty

source = Source(__file__)
PARTS = 1 << 13  # of a norm: so many threads read fast enough, and are few to add up afterwards


def zeros_like(data: Any) -> Any:
    """Make zeros for a parameter's state, where it lies."""
    zeros = empty(data.shape, data.dtype)
    zeros.fill(0)
    return zeros


def update(
    data: Any, gradient: Any, state: Sequence[Any], kernel: str, numbers: Sequence[Any]
) -> None:
    """Change `data` and `state`, of which some may be None, by the kernel of this name.

    It gets these arrays, or copies in order that are put back.
    """
    changed = [data, *state]
    in_order = [None if array is None else contiguous(array) for array in changed]
    weights, *rest = in_order
    source.launch(kernel, data.size, weights, contiguous(gradient), *rest, *numbers)
    for array, copy in zip(changed, in_order, strict=True):
        if copy is not array:
            array[...] = copy


def squares(gradient: Any) -> Any:
    """Sum the squares of a gradient in parts: → (P,) of float64."""
    count = min(gradient.size, PARTS)
    parts = empty((count,), np.float64)
    source.launch("squares", count, contiguous(gradient), gradient.size, parts)
    return parts
