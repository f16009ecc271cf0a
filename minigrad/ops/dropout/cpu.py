"""Dropout, rung 3: hash, decide and scale in one pass over memory, by all threads.

What it gains over NumPy: no array of 64-bit hashes, up to eight hashes at once in a vector
register, and several threads.

A number's hash belongs to its position when the array is read row by row, (n, c, h, w). Memory may
be in another order: in a channels-last image a *run* of C neighbours, the channels of one pixel,
are C positions that lie h·w apart. The kernel walks along runs and moves the position by a fixed
*step* from one number to the next. An array that lies row by row is cut into runs with step 1.
"""

import math

import numpy as np

from minigrad import random
from minigrad.cpu import kernel, run
from minigrad.cpu.layout import channels_last, empty_like, like
from minigrad.cpu.memory import empty
from minigrad.random import GOLDEN, MASK

RUN = 1 << 12  # numbers in one run, where memory is in order

_mix = kernel(random.mix)  # the function of the other rungs, compiled


def dropout_forward(x, p, key):
    """Drop with probability p and scale the rest: any shape → the same."""
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    numbers = np.uint64(key), np.uint64(round(p * 2**24)), scale
    if x.ndim == 4 and x.transpose(0, 2, 3, 1).flags.c_contiguous:
        out, length, step = empty_like(x), x.shape[1], math.prod(x.shape[2:])
        _run(channels_last(x), channels_last(out), length, step, *numbers)
        return out
    out = empty(x.shape, x.dtype)
    _run(np.ascontiguousarray(x), out, RUN, 1, *numbers)
    return like(out, x)


def dropout_input_gradient(gradient, p, key):
    """Send the gradient through the same gate: any shape → the same."""
    return dropout_forward(gradient, p, key)


def _run(x, out, length, *numbers):
    """Spread the runs of two contiguous arrays over the threads."""
    runs = -(-x.size // max(length, 1))
    run(_gate, runs, x.reshape(-1), out.reshape(-1), length, *numbers)


@kernel
def _gate(first, last, x, out, length, step, key, threshold, scale):
    """Task t does run t: `length` numbers side by side, whose positions lie `step` apart.

    int(np.uint64(…)) keeps the 64 bits without a sign: compiled code would make a float of a
    signed and an unsigned number, and plain Python would warn of NumPy numbers that wrap around.
    """
    zero, start, least = x.dtype.type(0), int(key), int(threshold)
    for task in range(first, last):
        part_in = x[task * length : (task + 1) * length]
        part_out = out[task * length : (task + 1) * length]
        position = task // step * step * length + task % step
        for i in range(len(part_in)):
            number = int(np.uint64(position + i * step + 1))
            kept = _mix((start + number * GOLDEN) & MASK) >> 40 >= least
            part_out[i] = part_in[i] * scale if kept else zero
