"""One matrix product on all threads, cut into tiles that threads share."""

from functools import lru_cache

import numpy as np

from minigrad.cpu import microkernel
from minigrad.cpu.compiler import kernel
from minigrad.cpu.gemm import gemm
from minigrad.cpu.memory import empty
from minigrad.cpu.threads import run
from minigrad.cpu.vectors import MOST_LANES, turn_square

ROWS = 16 * microkernel.ROWS  # of one tile, at most
FINEST = 4 * microkernel.ROWS, 64  # rows and columns of one tile, at least
DEPTH = 2048  # of one slab of k, at least


def pieces_worth(multiply_adds):
    """Tell into how many pieces to cut a piece of work, at least, to keep a few threads busy.

    Four million multiply-adds take some forty microseconds. To wake a thread for less is a loss.
    """
    return min(max(multiply_adds >> 22, 1), 8)


def matmul(a, b, transpose_a=False, bias=None, relu=False, into=None):
    """Return ``a @ b`` or ``a.T @ b``, with `bias` (one number a column) added if given.

    Parameters
    ----------
    a, b : 2-D contiguous arrays of one floating dtype
    transpose_a : bool
        Use the transpose of `a`.
    bias : 1-D array, optional
    relu : bool
        Set to zero what is negative.
    into : 2-D contiguous array, optional
        Add the product to it, and return it. Without bias and ReLU.
    """
    m, k = a.shape[::-1] if transpose_a else a.shape
    n = b.shape[1]
    rows, columns, slabs = _cut(m, n, k)
    tiles = slabs * -(-m // rows) * -(-n // columns)  # none if there is nothing to compute
    start = np.zeros(n, a.dtype) if bias is None else np.ascontiguousarray(bias)
    if into is not None and slabs == 1:
        whole = into[np.newaxis]
        run(_tiles, tiles, a, b, start, whole, transpose_a, rows, columns, False, True)
        return into
    out = empty((slabs, m, n), a.dtype)
    run(_tiles, tiles, a, b, start, out, transpose_a, rows, columns, relu and slabs == 1, False)
    if slabs == 1:
        return out[0]
    total = add_slabs(out)
    if into is not None:
        return np.add(into, total, out=into)
    return np.maximum(total, 0, out=total) if relu else total


def add_slabs(slabs):
    """Add up partial sums, always in their order: (slabs, …) → (…)."""
    if len(slabs) == 1:
        return slabs[0]
    total = empty(slabs.shape[1:], slabs.dtype)
    run(_add, -(-total.size // STRIP), slabs.reshape(len(slabs), -1), total.reshape(-1))
    return total


def transposed(a):
    """Return the transpose of a 2-D array, contiguous: copied unless it lies in memory so."""
    if a.T.flags.c_contiguous:
        return a.T
    a = np.ascontiguousarray(a)
    out = empty(a.shape[::-1], a.dtype)
    rows = -(-WORTH // (max(a.shape[1], 1) * BLOCK)) * BLOCK
    run(_transpose, -(-len(a) // rows), a, out, rows)
    return out


@lru_cache(1024)
def _cut(m, n, k):
    """Choose the size of a tile and into how many slabs to cut k. Looks at shapes only."""
    columns, worth = max(n, 1), pieces_worth(m * n * k)
    # Tiles come in fours, so that two or four threads have as many each.
    rows = max(_share(m, 4 * _pieces(m, 4 * ROWS), microkernel.ROWS), microkernel.ROWS)
    if _pieces(m, rows) < worth:  # few rows: cut them finer, then the columns too
        rows = max(FINEST[0], _share(m, worth, microkernel.ROWS))
        columns = max(FINEST[1], _share(n, -(-worth // _pieces(m, rows)), 32))
    tiles = _pieces(m, rows) * _pieces(n, columns)
    slabs = min(-(-worth // tiles), max(1, k // DEPTH))
    return rows, columns, slabs


def _pieces(length, size):
    return max(1, -(-length // size))


def _share(length, pieces, step):
    """Cut a length into that many pieces, each a multiple of `step`."""
    return -(-length // (step * pieces)) * step


@kernel
def rectify(rows):
    """Set to zero what is negative, while the tile is still in the cache. NaN stays."""
    zero = rows.dtype.type(0)
    for i in range(len(rows)):
        row = rows[i]
        for j in range(len(row)):
            row[j] = zero if row[j] <= 0 else row[j]


@kernel
def _tiles(first, last, a, b, start, out, transpose_a, rows, columns, relu, add):
    slabs, m, n = out.shape
    k = len(b)
    down, across = -(-m // rows), -(-n // columns)
    depth = -(-k // slabs)
    for tile in range(first, last):
        slab = tile // (down * across)
        i = tile // across % down * rows
        j = tile % across * columns
        i_end, j_end = min(i + rows, m), min(j + columns, n)
        k_start, k_end = slab * depth, min((slab + 1) * depth, k)
        c = out[slab, i:i_end, j:j_end]
        if slab == 0 and not add:
            c[:] = start[j:j_end]
        if transpose_a:
            part = a[k_start:k_end, i:i_end]
        else:
            part = a[i:i_end, k_start:k_end]
        gemm(part, b[k_start:k_end, j:j_end], c, transpose_a, slab == 0)
        if relu:
            rectify(c)


STRIP = 1 << 13  # numbers of a sum in one task: they stay in the first cache


@kernel
def _add(first, last, slabs, total):
    """Task t adds up numbers t·STRIP …"""
    for task in range(first, last):
        start, end = task * STRIP, min((task + 1) * STRIP, len(total))
        strip = total[start:end]
        strip[:] = slabs[0, start:end]
        for s in range(1, len(slabs)):
            more = slabs[s, start:end]
            for i in range(len(strip)):
                strip[i] += more[i]


BLOCK = 16  # rows are turned in multiples of this: whole squares, however wide a register is
WORTH = 1 << 16  # numbers in one task, at least


@kernel
def _transpose(first, last, a, out, rows):
    """Task t turns rows t·rows …: squares of a register's width, then what is left over."""
    m, n = a.shape
    flat_a, flat_out = a.reshape(-1), out.reshape(-1)
    side = MOST_LANES * 4 // a.itemsize
    for i in range(first * rows, min(last * rows, m // side * side), side):
        for j in range(0, n // side * side, side):
            turn_square(flat_a, i * n + j, n, flat_out, j * m + i, m)
        for j in range(n // side * side, n):
            for step in range(side):
                out[j, i + step] = a[i + step, j]
    for i in range(max(first * rows, m // side * side), min(last * rows, m)):
        for j in range(n):
            out[j, i] = a[i, j]
