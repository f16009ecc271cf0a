"""The rectifier, rung 3: memory read once, from front to back, by all threads.

What it gains over NumPy: no array of booleans between the comparison and the choice, and several
threads. Such a loop waits for memory, not for arithmetic, so what counts is to touch each number
once and in the order in which it lies. The kernels therefore see one row of numbers and no axes:
a channels-last image stays channels-last and nothing is rearranged.
"""

import numpy as np

from minigrad.cpu import kernel, run
from minigrad.cpu.layout import empty_like, flat, is_dense, runs

BLOCK = 1 << 14  # numbers in one task: 64 KiB of float32


def relu_forward(x):
    """Set what is not positive to zero; NaN stays: any shape → the same."""
    x = x if is_dense(x) else np.ascontiguousarray(x)
    out = empty_like(x)
    run(_forward, -(-x.size // BLOCK), flat(x), flat(out), BLOCK)
    return out


def relu_input_gradient(gradient, out):
    """Let the gradient through where the output is positive: any shape → the same."""
    out = out if is_dense(out) else np.ascontiguousarray(out)
    x_gradient = empty_like(out)
    slope, length, step = runs(gradient, out)
    if length > BLOCK:  # then it has no gaps
        length = step = BLOCK
    count = max(1, BLOCK // max(length, 1))  # runs in one task
    tasks = -(-out.size // max(count * length, 1))
    run(_input_gradient, tasks, slope, flat(out), flat(x_gradient), length, step, count)
    return x_gradient


# Each task cuts its slices first: a loop that runs from 0 over a slice is one that the compiler
# can prove harmless, and turns into vector instructions. That makes it several times faster.


@kernel
def _forward(first, last, x, out, block):
    zero = x.dtype.type(0)
    for task in range(first, last):
        part_in = x[task * block : (task + 1) * block]
        part_out = out[task * block : (task + 1) * block]
        for i in range(len(part_in)):
            part_out[i] = zero if part_in[i] <= 0 else part_in[i]


@kernel
def _input_gradient(first, last, gradient, out, x_gradient, length, step, count):
    """Task t does `count` runs."""
    zero = out.dtype.type(0)
    for r in range(first * count, min(last * count, -(-len(out) // length))):
        slope = gradient[r * step : r * step + length]
        kept = out[r * length : (r + 1) * length]
        part_out = x_gradient[r * length : (r + 1) * length]
        for i in range(len(kept)):
            part_out[i] = slope[i] if kept[i] > 0 else zero
