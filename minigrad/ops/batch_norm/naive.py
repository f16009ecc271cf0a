"""Batch normalisation, rung 1: the formulas, channel by channel. The specification.

Sums are taken in float64 whatever the dtype, so that float32 results are right to the last bits.
"""

import numpy as np


def batch_norm_statistics(x):
    """Mean and biased variance of each channel: (N, C, ...) → (C,), (C,)."""
    values, C = _by_channel(x), x.shape[1]
    M = values.shape[0] * values.shape[2]
    mean, var = np.zeros(C), np.zeros(C)
    if M == 0:
        return mean.astype(x.dtype), var.astype(x.dtype)
    for n, c, i in np.ndindex(values.shape):
        mean[c] += values[n, c, i] / M
    for n, c, i in np.ndindex(values.shape):
        var[c] += (values[n, c, i] - mean[c]) ** 2 / M
    return mean.astype(x.dtype), var.astype(x.dtype)


def batch_norm_forward(x, mean, var, weight, bias, eps):
    """Normalise, scale and shift: (N, C, ...) → the same."""
    values, out = _by_channel(x), np.empty(_by_channel(x).shape, x.dtype)
    for n, c, i in np.ndindex(values.shape):
        normal = (values[n, c, i] - mean[c]) / np.sqrt(var[c] + eps)
        out[n, c, i] = weight[c] * normal + bias[c]
    return out.reshape(x.shape)


def batch_norm_gradients(gradient, x, mean, var, weight, eps, training):
    """Gradients of x, weight and bias: → (N, C, ...), (C,), (C,).

    `training` tells whether mean and var were computed from x or are constants.
    """
    values, slope, C = _by_channel(x), _by_channel(gradient), x.shape[1]
    M = values.shape[0] * values.shape[2]
    s = 1 / np.sqrt(var + eps)
    to_weight, to_bias = np.zeros(C), np.zeros(C)
    for n, c, i in np.ndindex(values.shape):
        to_weight[c] += slope[n, c, i] * (values[n, c, i] - mean[c]) * s[c]
        to_bias[c] += slope[n, c, i]
    to_x = np.empty(values.shape, x.dtype)
    for n, c, i in np.ndindex(values.shape):
        part = slope[n, c, i]
        if training:
            normal = (values[n, c, i] - mean[c]) * s[c]
            part = part - to_bias[c] / M - normal * to_weight[c] / M
        to_x[n, c, i] = weight[c] * s[c] * part
    return to_x.reshape(x.shape), to_weight.astype(x.dtype), to_bias.astype(x.dtype)


def _by_channel(x):
    """View all axes after the channels as one: (N, C, ...) → (N, C, P)."""
    return x.reshape(*x.shape[:2], int(np.prod(x.shape[2:])))
