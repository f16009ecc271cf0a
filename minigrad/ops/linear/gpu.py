"""The linear layer, rung 4: one matrix product each, by cuBLAS on a GPU.

cuBLAS reads a matrix as it lies or transposed: ``.T`` copies nothing.
"""

from minigrad.gpu import cupy


def linear_forward(x, weight, bias):
    """Weigh and sum: (N, I), (O, I), (O,) or None → (N, O)."""
    out = cupy().matmul(x, weight.T)
    if bias is not None:
        out += bias
    return out


def linear_input_gradient(gradient, weight):
    """(N, O), (O, I) → (N, I)."""
    return cupy().matmul(gradient, weight)


def linear_weight_gradient(gradient, x):
    """(N, O), (N, I) → (O, I)."""
    return cupy().matmul(gradient.T, x)


def linear_bias_gradient(gradient):
    """(N, O) → (O,)."""
    return gradient.sum(axis=0)
