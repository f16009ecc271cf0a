"""Concatenation, rung 3: runs of neighbours, copied in the order of memory, by all threads.

Channels-last images stay channels-last. In memory order, whatever the axis, an array is a matrix:
its rows are counted by the axes before the one that grows, and the part's share of a row is one
run of numbers. For channels that is a pixel: 64, 128, 32 and 32 numbers side by side become 256.

There is nothing to compile: NumPy copies runs almost as fast as a compiled loop would, and holds
no lock meanwhile, so that threads can share the rows. A task does all parts of its rows, so that
what it writes lies in one piece.
"""

import math

from minigrad.cpu import run
from minigrad.cpu.memory import empty

BLOCK = 1 << 17  # numbers in one task, about


def concat_forward(arrays, axis):
    """Put the arrays one behind the other along an axis."""
    order = _memory_order(arrays)
    shape = list(arrays[0].shape)
    shape[axis] = sum(a.shape[axis] for a in arrays)
    out = empty([shape[i] for i in order], arrays[0].dtype)
    rows = _as_rows(out, order, axis)
    parts, places, start = [], [], 0
    for a in arrays:
        part = _as_rows(a.transpose(order), order, axis)
        parts.append(part)
        places.append(rows[:, start : start + part.shape[1]])
        start += part.shape[1]
    step = max(1, BLOCK // max(rows.shape[1], 1))
    run(_copy, -(-rows.shape[0] // step), parts, places, step)
    return out.transpose([order.index(i) for i in range(out.ndim)])


def concat_input_gradient(gradient, start, length, axis):
    """View the places start … start + length − 1 of an axis: nothing is copied.

    A few channels of each pixel are runs with gaps, which the kernels that come next can walk
    along as they are (`minigrad.cpu.layout.runs`).
    """
    places = [slice(None)] * gradient.ndim
    places[axis] = slice(start, start + length)
    return gradient[tuple(places)]


def _memory_order(arrays):
    """Name the axes as the result is to have them in memory: channels last if all arrays do."""
    images = arrays[0].ndim == 4 and not all(a.flags.c_contiguous for a in arrays)
    if images and all(a.transpose(0, 2, 3, 1).flags.c_contiguous for a in arrays):
        return 0, 2, 3, 1
    return tuple(range(arrays[0].ndim))


def _as_rows(x, order, axis):
    """View x, whose axes are in `order`, as a matrix: its rows are one array's share of `axis`."""
    at = order.index(axis)
    return x.reshape(math.prod(x.shape[:at]), math.prod(x.shape[at:]))


def _copy(first, last, sources, targets, step):
    """Task t copies rows t·step … of every source to its target."""
    rows = slice(first * step, last * step)
    for source, target in zip(sources, targets, strict=True):
        target[rows] = source[rows]
