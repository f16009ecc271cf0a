"""The linear layer, rung 4: one matrix product each, by cuBLAS on a GPU.

cuBLAS reads a matrix as it lies or transposed: ``.T`` copies nothing. Of numbers of 16 bits the
sums are float32, and so are the gradients of weight and bias.
"""

from minigrad.gpu import contiguous, empty, matmul, sum_dtype


def linear_forward(x, weight, bias):
    """Weigh and sum: (N, I), (O, I), (O,) or None → (N, O)."""
    out = _product(x, weight.T, x.dtype)
    if bias is not None:
        out += bias
    return out


def linear_input_gradient(gradient, weight):
    """(N, O), (O, I) → (N, I)."""
    return _product(gradient, weight, gradient.dtype)


def linear_weight_gradient(gradient, x):
    """(N, O), (N, I) → (O, I)."""
    return _product(gradient.T, x, sum_dtype(x.dtype))


def linear_bias_gradient(gradient):
    """(N, O) → (O,)."""
    return gradient.sum(axis=0, dtype=sum_dtype(gradient.dtype))


def _product(a, b, dtype):
    """Multiply two matrices, copied first if they have gaps along both axes."""
    a, b = (x if min(x.strides, default=0) == x.itemsize else contiguous(x) for x in (a, b))
    return matmul(a, b, empty((a.shape[0], b.shape[1]), dtype))
