"""One matrix product on all threads: cut into tiles, one single-threaded BLAS call for each.

A BLAS with threads of its own would do the same, but its threads wait for each other at every
product; on a busy machine small ones become many times slower. And how it cuts may depend on the
number of threads, so that the last bits do too.
"""

import numpy as np

from minigrad.cpu.compiler import kernel
from minigrad.cpu.gemm import gemm
from minigrad.cpu.threads import run

ROWS, FINEST = 256, 64  # of one tile: rows at most, rows and columns at least
DEPTH = 2048  # of one slab of k, at least
ENOUGH = 8  # tiles to keep a few threads busy


def matmul(a, b, transpose_a=False, transpose_b=False, bias=None):
    """Return ``op(a) @ op(b)``, with `bias` (one number a column) added if given.

    Parameters
    ----------
    a, b : 2-D contiguous arrays of one floating dtype
    transpose_a, transpose_b : bool
        Use the transpose of the array given.
    bias : 1-D array, optional
    """
    m, k = a.shape[::-1] if transpose_a else a.shape
    n = b.shape[0] if transpose_b else b.shape[1]
    rows, columns, slabs = _cut(m, n, k)
    out = np.empty((slabs, m, n), a.dtype)
    start = np.zeros(n, a.dtype) if bias is None else np.ascontiguousarray(bias)
    tiles = slabs * -(-m // rows) * -(-n // columns)  # none if there is nothing to compute
    run(_tiles, tiles, a, b, start, out, transpose_a, transpose_b, rows, columns)
    # Slabs are partial sums over k, and are always added in the same order.
    return out[0] if slabs == 1 else out.sum(axis=0)


def _cut(m, n, k):
    """Choose the size of a tile and into how many slabs to cut k. Looks at shapes only."""
    rows, columns = ROWS, max(n, 1)
    if m <= ROWS * (ENOUGH - 1):  # few rows: cut them finer, then the columns too
        rows = max(FINEST, _share(m, ENOUGH))
        columns = max(FINEST, _share(n, -(-ENOUGH // _pieces(m, rows))))
    tiles = _pieces(m, rows) * _pieces(n, columns)
    slabs = min(-(-ENOUGH // tiles), max(1, k // DEPTH))
    return rows, columns, slabs


def _pieces(length, size):
    return max(1, -(-length // size))


def _share(length, pieces):
    """Cut a length into that many pieces, each a multiple of 16: whole vector registers."""
    return -(-length // (16 * pieces)) * 16


@kernel
def _tiles(first, last, a, b, start, out, transpose_a, transpose_b, rows, columns):
    slabs, m, n = out.shape
    k = a.shape[0] if transpose_a else a.shape[1]
    down, across = -(-m // rows), -(-n // columns)
    depth = -(-k // slabs)
    for tile in range(first, last):
        slab = tile // (down * across)
        i = tile // across % down * rows
        j = tile % across * columns
        i_end, j_end = min(i + rows, m), min(j + columns, n)
        k_start, k_end = slab * depth, min((slab + 1) * depth, k)
        c = out[slab, i:i_end, j:j_end]
        if slab == 0:
            c[:] = start[j:j_end]
        # The two operands' parts. A transposed one is stored the other way round.
        if transpose_a:
            part_a = a[k_start:k_end, i:i_end]
        else:
            part_a = a[i:i_end, k_start:k_end]
        if transpose_b:
            part_b = b[j:j_end, k_start:k_end]
        else:
            part_b = b[k_start:k_end, j:j_end]
        gemm(part_a, part_b, c, transpose_a, transpose_b, slab == 0)
