"""Local response normalisation, rung 1: the definition, as loops. The specification.

Slow on purpose: nothing here is clever enough to be wrong. Arrays in, arrays out; shapes have been
checked by `minigrad.ops.lrn`.
"""

import numpy as np


def lrn_forward(x, size, alpha, beta, k):
    """Normalise each channel: (N, C, H, W) → the output and the scale, of the same shape."""
    scale = np.zeros(x.shape, x.dtype)
    for n, c, i in _neighbours(x.shape, size):
        scale[n, c] += x[n, i] * x[n, i]
    for index in np.ndindex(x.shape):
        scale[index] = k + alpha / size * scale[index]
    out = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        out[index] = x[index] * scale[index] ** -beta
    return out, scale


def lrn_input_gradient(gradient, x, scale, size, alpha, beta):
    """Hand each output's gradient to its channel and to those that damped it: → (N, C, H, W)."""
    x_gradient = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        x_gradient[index] = gradient[index] * scale[index] ** -beta
    for n, c, i in _neighbours(x.shape, size):
        through_scale = gradient[n, c] * x[n, c] * scale[n, c] ** (-beta - 1)
        x_gradient[n, i] -= 2 * alpha / size * beta * x[n, i] * through_scale
    return x_gradient


def _neighbours(shape, size):
    """Walk over every (n, c, i) for which channel i is in the window of channel c."""
    N, C = shape[:2]
    for n, c in np.ndindex(N, C):
        for i in range(c - size // 2, c + (size - 1) // 2 + 1):
            if 0 <= i < C:
                yield n, c, i
