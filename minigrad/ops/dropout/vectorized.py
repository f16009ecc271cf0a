"""Dropout, rung 2: all hashes at once, in NumPy.

`mix` was written for Python's integers and cut to 64 bits by a mask. An array of uint64 goes
through it as well: there the mask changes nothing, since such numbers wrap around by themselves.
"""

import numpy as np

from minigrad.random import GOLDEN, mix


def dropout_forward(x, p, key):
    """Drop with probability p and scale the rest: any shape → the same."""
    threshold = round(p * 2**24)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    position = np.arange(1, x.size + 1, dtype=np.uint64)
    kept = mix(key + position * GOLDEN) >> 40 >= threshold
    return np.multiply(x, scale, out=np.zeros_like(x), where=kept.reshape(x.shape))


def dropout_input_gradient(gradient, p, key):
    """Send the gradient through the same gate: any shape → the same."""
    return dropout_forward(gradient, p, key)
