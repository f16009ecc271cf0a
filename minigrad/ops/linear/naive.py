"""The linear layer, rung 1: the definition, as loops."""

import numpy as np


def linear_forward(x, weight, bias):
    """Weigh and sum: (N, I), (O, I), (O,) or None → (N, O)."""
    out = np.zeros((len(x), len(weight)), x.dtype)
    if bias is not None:
        out += bias
    for n, o, i in np.ndindex(*out.shape, x.shape[1]):
        out[n, o] += x[n, i] * weight[o, i]
    return out


def linear_input_gradient(gradient, weight):
    """(N, O), (O, I) → (N, I)."""
    x_gradient = np.zeros((len(gradient), weight.shape[1]), gradient.dtype)
    for n, o, i in np.ndindex(*gradient.shape, weight.shape[1]):
        x_gradient[n, i] += gradient[n, o] * weight[o, i]
    return x_gradient


def linear_weight_gradient(gradient, x):
    """(N, O), (N, I) → (O, I)."""
    weight_gradient = np.zeros((gradient.shape[1], x.shape[1]), gradient.dtype)
    for n, o, i in np.ndindex(*gradient.shape, x.shape[1]):
        weight_gradient[o, i] += gradient[n, o] * x[n, i]
    return weight_gradient


def linear_bias_gradient(gradient):
    """(N, O) → (O,)."""
    bias_gradient = np.zeros(gradient.shape[1], gradient.dtype)
    for row in gradient:
        bias_gradient += row
    return bias_gradient
