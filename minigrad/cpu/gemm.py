"""The matrix product inside a kernel: one thread, no copy of its operands."""

from numba.extending import overload

from minigrad.cpu import microkernel
from minigrad.cpu.microkernel import (
    NARROW_ROWS,
    ROWS,
    narrow_product,
    narrow_product_transposed,
    tile_product,
    tile_product_transposed,
)
from minigrad.cpu.vectors import lanes

DEPTH = 256  # values of k at a time


def gemm(a, b, c, transpose_a, accumulate):
    """Set ``c`` to ``a @ b`` (or ``a.T @ b``), or add the product to it.

    Parameters
    ----------
    a, b, c : 2-D arrays of one floating dtype
        Their rows may lie apart; the numbers of a row are neighbours.
    transpose_a : bool
        Use the transpose of `a`.
    accumulate : bool
        Add to what `c` holds instead of replacing it.
    """
    # This body runs only with compilation switched off; compiled kernels get `_compiled` below.
    product = (a.T if transpose_a else a) @ b
    c[...] = c + product if accumulate else product


@overload(gemm)
def _compiled(a, b, c, transpose_a, accumulate):
    itemsize = a.dtype.bitwidth // 8
    columns, one_register = microkernel.columns(itemsize), lanes(itemsize)

    def gemm(a, b, c, transpose_a, accumulate):
        m, n = c.shape
        k = b.shape[0]
        a_step, b_step = a.strides[0] // itemsize, b.strides[0] // itemsize
        c_step = c.strides[0] // itemsize
        # A strip of b, DEPTH × columns, stays in the nearest cache while all of a goes past it.
        for start in range(0, max(k, 1), DEPTH):
            depth = min(DEPTH, k - start)
            add = accumulate or start > 0
            for j in range(0, n, columns):
                cols = min(columns, n - j)
                strip = b[start:, j:]
                narrow = cols <= one_register
                height = NARROW_ROWS if narrow else ROWS
                for i in range(0, m, height):
                    rows = min(height, m - i)
                    tile = c[i:, j:]
                    if transpose_a:
                        part = a[start:, i:]
                        if narrow:
                            narrow_product_transposed(
                                part, a_step, strip, b_step, depth, tile, c_step, rows, cols, add
                            )
                        else:
                            tile_product_transposed(
                                part, a_step, strip, b_step, depth, tile, c_step, rows, cols, add
                            )
                    else:
                        part = a[i:, start:]
                        if narrow:
                            narrow_product(
                                part, a_step, strip, b_step, depth, tile, c_step, rows, cols, add
                            )
                        else:
                            tile_product(
                                part, a_step, strip, b_step, depth, tile, c_step, rows, cols, add
                            )

    return gemm
