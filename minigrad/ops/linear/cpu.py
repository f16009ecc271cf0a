"""The linear layer, rung 3: the products cut into tiles that threads share (`minigrad.cpu.matmul`).

What it gains over NumPy: small products stay fast on a busy machine, and the bits do not depend on
the number of threads.
"""

import numpy as np

from minigrad.cpu.matmul import matmul, transposed


def linear_forward(x, weight, bias):
    """Weigh and sum: (N, I), (O, I), (O,) or None → (N, O)."""
    return matmul(np.ascontiguousarray(x), transposed(weight), bias=bias)


def linear_input_gradient(gradient, weight):
    """(N, O), (O, I) → (N, I)."""
    if weight.T.flags.c_contiguous:
        # As `nn.Linear` keeps it. Of the two, the gradient is the smaller one to turn.
        return transposed(matmul(weight.T, transposed(gradient)))
    return matmul(np.ascontiguousarray(gradient), np.ascontiguousarray(weight))


def linear_weight_gradient(gradient, x):
    """(N, O), (N, I) → (O, I)."""
    x, gradient = np.ascontiguousarray(x), np.ascontiguousarray(gradient)
    return matmul(x, gradient, transpose_a=True).T


def linear_bias_gradient(gradient):
    """(N, O) → (O,)."""
    return gradient.sum(axis=0)
