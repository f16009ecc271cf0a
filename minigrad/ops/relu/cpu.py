"""The rectifier, rung 3: memory read once, from front to back, by all threads.

What it gains over NumPy: no array of booleans between the comparison and the choice, and several
threads. Such a loop waits for memory, not for arithmetic, so what counts is to touch each number
once and in the order in which it lies. The kernels therefore see one row of numbers and no axes:
a channels-last image stays channels-last and nothing is rearranged.
"""

import numpy as np

from minigrad.cpu import kernel, run
from minigrad.cpu.layout import flat, is_dense, like

BLOCK = 1 << 14  # numbers in one task: 64 KiB of float32


def relu_forward(x):
    """Set what is not positive to zero; NaN stays: any shape → the same."""
    x = x if is_dense(x) else np.ascontiguousarray(x)
    out = np.empty_like(x)
    run(_forward, -(-x.size // BLOCK), flat(x), flat(out), BLOCK)
    return out


def relu_input_gradient(gradient, out):
    """Let the gradient through where the output is positive: any shape → the same."""
    out = out if is_dense(out) else np.ascontiguousarray(out)
    x_gradient = np.empty_like(out)
    arrays = flat(like(gradient, out)), flat(out), flat(x_gradient)
    run(_input_gradient, -(-out.size // BLOCK), *arrays, BLOCK)
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
def _input_gradient(first, last, gradient, out, x_gradient, block):
    zero = out.dtype.type(0)
    for task in range(first, last):
        slope = gradient[task * block : (task + 1) * block]
        kept = out[task * block : (task + 1) * block]
        part_out = x_gradient[task * block : (task + 1) * block]
        for i in range(len(kept)):
            part_out[i] = slope[i] if kept[i] > 0 else zero
