"""Batch normalisation, rung 4: on a GPU, sums in two stages.

A channel's sums run over all images and pixels, and threads cannot share a sum without a risk that
its bits depend on who comes first. So the first stage gives each *plane* (one channel of one image,
whose P numbers lie side by side) to one thread, which walks it and leaves its sums; the second
gives each channel to one thread, which adds up those of its planes, in their order. Partial sums
are float64 for either dtype.

What is computed for each number of the output, then, needs no sums: one thread for each.
"""

import math

import numpy as np

from minigrad.gpu import Source, contiguous, cupy, empty

source = Source(__file__)


def batch_norm_statistics(x):
    """Mean and biased variance of each channel: (N, C, ...) → (C,), (C,)."""
    x, (N, C, P) = contiguous(x), _by_channel(x)
    if x.size == 0:
        return cupy().zeros(C, x.dtype), cupy().zeros(C, x.dtype)
    sums, squares = empty((N, C), np.float64), empty((N, C), np.float64)
    source.launch("plane_deviations", N * C, x, C, P, sums, squares, dtype=x.dtype)
    mean, var = empty((C,), x.dtype), empty((C,), x.dtype)
    source.launch("channel_moments", C, x, sums, squares, N, P, mean, var, dtype=x.dtype)
    return mean, var


def batch_norm_forward(x, mean, var, weight, bias, eps):
    """Normalise, scale and shift: (N, C, ...) → the same."""
    x, (_, C, P) = contiguous(x), _by_channel(x)
    out = empty(x.shape, x.dtype)
    per_channel = map(contiguous, (mean, var, weight, bias))
    source.launch("batch_norm_forward", x.size, x, *per_channel, float(eps), C, P, out)
    return out


def batch_norm_gradients(gradient, x, mean, var, weight, eps, training):
    """Gradients of x, weight and bias: → (N, C, ...), (C,), (C,).

    `training` tells whether mean and var were computed from x or are constants.
    """
    gradient, x, (N, C, P) = contiguous(gradient), contiguous(x), _by_channel(x)
    mean, var, weight, eps = contiguous(mean), contiguous(var), contiguous(weight), float(eps)
    sums, moments = empty((N, C), np.float64), empty((N, C), np.float64)
    source.launch(
        "plane_gradient_sums", N * C, gradient, x, mean, C, P, sums, moments, dtype=x.dtype
    )
    to_weight, to_bias = empty((C,), x.dtype), empty((C,), x.dtype)
    source.launch(
        "channel_gradients", C, sums, moments, var, eps, N, to_weight, to_bias, dtype=x.dtype
    )
    x_gradient = empty(x.shape, x.dtype)
    source.launch(
        "input_gradient", x.size, gradient, x, mean, var, weight, to_weight, to_bias, eps,
        N, C, P, bool(training), x_gradient,
    )  # fmt: skip
    return x_gradient, to_weight, to_bias


def _by_channel(x):
    """Count images, channels, and the pixels of a plane: (N, C, ...) → N, C, P."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])
