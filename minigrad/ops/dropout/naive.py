"""Dropout, rung 1: one hash, one decision, one number after the other. The specification."""

import numpy as np

from minigrad.random import GOLDEN, MASK, mix


def dropout_forward(x, p, key):
    """Drop with probability p and scale the rest: any shape → the same."""
    threshold = round(p * 2**24)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    out = np.empty_like(x)
    for i, index in enumerate(np.ndindex(x.shape)):
        kept = mix((key + (i + 1) * GOLDEN) & MASK) >> 40 >= threshold
        out[index] = x[index] * scale if kept else 0
    return out


def dropout_input_gradient(gradient, p, key):
    """Send the gradient through the same gate: any shape → the same."""
    return dropout_forward(gradient, p, key)
