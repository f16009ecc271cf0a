"""Batch normalisation, rung 2: the formulas as array operations, in NumPy.

What it gains over the loops: each line is one pass in compiled code. What it costs: each line is
one pass over memory, and there are about ten.
"""

import math

import numpy as np


def batch_norm_statistics(x):
    """Mean and biased variance of each channel: (N, C, ...) → (C,), (C,)."""
    if x.size == 0:
        return np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    mean = x.mean(_others(x), dtype=np.result_type(x, np.float64))
    var = ((x - _stretched(mean, x)) ** 2).mean(_others(x))
    return mean.astype(x.dtype), var.astype(x.dtype)


def batch_norm_forward(x, mean, var, weight, bias, eps):
    """Normalise, scale and shift: (N, C, ...) → the same."""
    scale = weight / np.sqrt(var + eps)
    return (x - _stretched(mean, x)) * _stretched(scale, x) + _stretched(bias, x)


def batch_norm_gradients(gradient, x, mean, var, weight, eps, training):
    """Gradients of x, weight and bias: → (N, C, ...), (C,), (C,).

    `training` tells whether mean and var were computed from x or are constants.
    """
    s = 1 / np.sqrt(var + eps)
    normal = (x - _stretched(mean, x)) * _stretched(s, x)
    to_weight = (gradient * normal).sum(_others(x), dtype=np.float64).astype(x.dtype)
    to_bias = gradient.sum(_others(x), dtype=np.float64).astype(x.dtype)
    part = gradient
    if training:
        M = max(1, math.prod(x.shape) // max(1, x.shape[1]))
        part = gradient - _stretched(to_bias / M, x) - normal * _stretched(to_weight / M, x)
    return part * _stretched(weight * s, x), to_weight, to_bias


def _others(x):
    """Name all axes but that of the channels."""
    return (0, *range(2, x.ndim))


def _stretched(per_channel, x):
    """Shape (C,) so that it broadcasts against (N, C, ...)."""
    return per_channel.reshape(-1, *(1,) * (x.ndim - 2))
