"""The matrix product inside a kernel: BLAS, one thread, no copy of its operands.

NumPy's ``a @ b`` inside Numba wants whole contiguous arrays and cannot add to its output. A tile
of a convolution needs more: a block of columns of the weights, a running sum of gradients. BLAS
offers both through the distance between rows (``lda``) and through ``beta``.
"""

import numpy as np
from numba import types
from numba.extending import overload


def gemm(a, b, c, transpose_a, transpose_b, accumulate):
    """Set ``c`` to ``op(a) @ op(b)``, or add the product to it, where ``op`` may transpose.

    Parameters
    ----------
    a, b, c : 2-D arrays of one floating dtype
        Their rows may lie apart; the elements of a row are neighbours.
    transpose_a, transpose_b : bool
        Use the transpose of the array given.
    accumulate : bool
        Add to what `c` holds instead of replacing it.
    """
    # This body runs only with compilation switched off; compiled kernels get `_compiled` below.
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    c[...] = c + product if accumulate else product


def _blas_gemm(dtype):
    """Give Numba's own entry to BLAS gemm: it finds SciPy's library when first called."""
    pointer = types.CPointer(dtype)
    size = types.intp
    flags = (types.char, types.char, types.char)  # kind, transpose a, transpose b
    a, b, c = (pointer, size), (pointer, size), (pointer, size)  # where, distance between rows
    signature = types.intc(*flags, size, size, size, pointer, *a, *b, pointer, *c)
    return types.ExternalFunction("numba_xxgemm", signature)


@overload(gemm)
def _compiled(a, b, c, transpose_a, transpose_b, accumulate):
    blas = _blas_gemm(a.dtype)
    kind = np.uint8(ord("s" if a.dtype == types.float32 else "d"))
    itemsize = a.dtype.bitwidth // 8

    def gemm(a, b, c, transpose_a, transpose_b, accumulate):
        m, n = c.shape
        k = a.shape[0] if transpose_a else a.shape[1]
        if m == 0 or n == 0:
            return
        one = np.ones(1, a.dtype)
        beta = np.full(1, 1 if accumulate else 0, a.dtype)
        flag_a = np.uint8(116 if transpose_a else 110)  # 't' or 'n'
        flag_b = np.uint8(116 if transpose_b else 110)
        lda = max(a.strides[0] // itemsize, a.shape[1], 1)
        ldb = max(b.strides[0] // itemsize, b.shape[1], 1)
        ldc = max(c.strides[0] // itemsize, n)
        # BLAS counts columns first. Read that way our arrays are their own transposes, and
        # cᵀ = op(b)ᵀ op(a)ᵀ: the same call with a and b exchanged.
        blas(
            kind, flag_b, flag_a, n, m, k,
            one.ctypes, b.ctypes, ldb, a.ctypes, lda, beta.ctypes, c.ctypes, ldc,
        )  # fmt: skip

    return gemm
