"""The matrix product, for vectors, matrices and stacks of matrices."""

from typing import TYPE_CHECKING

import numpy as np

from minigrad.autograd import Array, record
from minigrad.ops.elementwise import Operand, operands, unbroadcast

if TYPE_CHECKING:
    from minigrad.tensor import Tensor


def matmul(a: Operand, b: Operand) -> "Tensor":
    """Return a @ b as NumPy does: the last two axes are multiplied, the ones before broadcast.

    Raises
    ------
    TypeError, ValueError
        If an operand is no array of numbers, or the shapes do not fit.

    Notes
    -----
    With C = A·B and G the gradient of C: ``C[i, j] = Σₖ A[i, k]·B[k, j]``, so A[i, k] is met once
    for every j, with weight B[k, j]: dA = G·Bᵀ, shapes (m, n)·(n, k). Likewise dB = Aᵀ·G.
    A vector is a matrix with one row (left) or one column (right).
    """
    a, b = operands("matmul", a, b)
    x, y = a.data, b.data
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
        raise ValueError(
            f"matmul: the last axis of a (shape {x.shape}) must be as long as the "
            f"{'only' if y.ndim == 1 else 'second to last'} axis of b (shape {y.shape})"
        )
    try:
        product = x @ y
    except ValueError:
        raise ValueError(
            f"matmul: the axes before the last two of a (shape {x.shape}) and of b (shape "
            f"{y.shape}) do not broadcast"
        ) from None
    rows = x[np.newaxis, :] if x.ndim == 1 else x
    columns = y[:, np.newaxis] if y.ndim == 1 else y
    # Shapes by themselves, so that each vjp keeps only the array it multiplies by.
    shape_x, shape_y, shape_rows, shape_columns = x.shape, y.shape, rows.shape, columns.shape

    def as_matrix(gradient: Array) -> Array:
        if len(shape_x) == 1:
            gradient = np.expand_dims(gradient, -1 if len(shape_y) == 1 else -2)
        return gradient[..., np.newaxis] if len(shape_y) == 1 else gradient

    def to_a(gradient: Array) -> Array:
        full = as_matrix(gradient) @ columns.swapaxes(-1, -2)
        return unbroadcast(full, shape_rows).reshape(shape_x)

    def to_b(gradient: Array) -> Array:
        full = rows.swapaxes(-1, -2) @ as_matrix(gradient)
        return unbroadcast(full, shape_columns).reshape(shape_y)

    return record("matmul", product, (a, to_a), (b, to_b))
