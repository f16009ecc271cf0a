"""The rectifier, rung 1: one number after the other. The specification."""

import numpy as np


def relu_forward(x):
    """Set what is not positive to zero; NaN stays: any shape → the same."""
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = 0 if x[index] <= 0 else x[index]
    return out


def relu_input_gradient(gradient, out):
    """Let the gradient through where the output is positive: any shape → the same."""
    x_gradient = np.empty_like(out)
    for index in np.ndindex(out.shape):
        x_gradient[index] = gradient[index] if out[index] > 0 else 0
    return x_gradient
