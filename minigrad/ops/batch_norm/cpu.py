"""Batch normalisation, rung 3: few passes over memory, channels last, all threads.

The arithmetic is nothing, memory is all. NumPy's array operations read and write it some ten times:
28 ms forward and 18 ms back for a batch of 8 × 192 × 56 × 56. Here the forward pass reads x twice
and writes once, the backward pass reads x and the gradient twice and writes once: 2.6 and 3.5 ms on
the same thread. Fewer is not possible, since no number can be normalised before all are seen.

Images lie channels-last: as a matrix of *rows*, one for each pixel, and C columns. A loop along a
row meets all channels, their sums side by side in vector registers and the nearest cache. An input
in another order is copied once; what comes out is channels-last.

**Two numbers a channel.** (x − μ)·s·weight + bias is multiplied out to x·scale + shift. Every
number that belongs to a channel is loaded again for each pixel, and the processor loads fewer than
it could multiply: without μ, the loop is a quarter faster. Scale is rounded first and shift is made
to fit it, in float64, so that x = μ gives bias up to one rounding of μ·scale.

**Sums.** A task sums a block of rows, in x's dtype; the blocks' sums are added in float64, in
their order. Blocks are cut by the shape alone, so the bits do not depend on the threads.

**Variance in one pass.** The textbook shortcut Σx² − M·μ² subtracts two large numbers and loses
every digit when μ is large against the deviation. Shifting by a value near the mean cures it, and
a few rows of the block are enough to find one: with x₀ the mean of the first 16, and d = x − x₀::

    mean = x₀ + Σd / m          Σ(x − mean)² = Σd² − (Σd)² / m

For usual data Σd² is a sixteenth more than the result. Even if just those 16 rows are far off
from the others, m = 512 in all, it is m/16 times the result, so that five of 24 bits are lost.
Blocks join by Chan's formula: the deviations within them, plus those of their means from the mean
of all, which are computed in float64.
"""

import math

import numpy as np

from minigrad.cpu import kernel, run
from minigrad.cpu.memory import empty

ENOUGH = 16  # blocks to keep a few threads busy
FIRST = 16  # rows that tell about where the mean lies


def batch_norm_statistics(x):
    """Mean and biased variance of each channel: (N, C, ...) → (C,), (C,)."""
    rows, C = _rows(x), x.shape[1]
    if rows.size == 0:
        return np.zeros(C, x.dtype), np.zeros(C, x.dtype)
    block, blocks = _cut(rows)
    partial = np.zeros((3, blocks, C), x.dtype)
    run(_deviations, blocks, rows, *partial, block)
    origins, sums, squares = partial.astype(np.float64)
    counts = np.minimum(block, len(rows) - block * np.arange(blocks))[:, np.newaxis]
    means = origins + sums / counts
    mean = (counts * means).sum(axis=0) / len(rows)
    within = (squares - sums**2 / counts).sum(axis=0)
    between = (counts * (means - mean) ** 2).sum(axis=0)
    return mean.astype(x.dtype), ((within + between) / len(rows)).astype(x.dtype)


def batch_norm_forward(x, mean, var, weight, bias, eps):
    """Normalise, scale and shift: (N, C, ...) → the same."""
    scale = (weight / np.sqrt(var + eps)).astype(x.dtype)
    return _scale_shift(x, scale, bias - mean.astype(np.float64) * scale)


def batch_norm_gradients(gradient, x, mean, var, weight, eps, training):
    """Gradients of x, weight and bias: → (N, C, ...), (C,), (C,).

    `training` tells whether mean and var were computed from x or are constants.
    """
    rows, slope = _rows(x), _rows(gradient)
    block, blocks = _cut(rows)
    partial = np.zeros((2, blocks, x.shape[1]), x.dtype)
    run(_gradient_sums, blocks, slope, rows, np.ascontiguousarray(mean), *partial, block)
    to_bias, moment = partial.sum(axis=1, dtype=np.float64)
    s = 1 / np.sqrt(var.astype(np.float64) + eps)
    to_weight = moment * s
    if training:
        x_gradient = empty(rows.shape, rows.dtype)
        M = max(len(rows), 1)
        # weight·s·(G − Σ G / M − x̂·Σ G·x̂ / M), where x̂ = (x − mean)·s, multiplied out.
        scale = (weight * s).astype(x.dtype)
        along = (-scale * s * to_weight / M).astype(x.dtype)
        shift = (-scale * to_bias / M - along * mean.astype(np.float64)).astype(x.dtype)
        run(_input_gradient, blocks, slope, rows, x_gradient, scale, along, shift, block)
        x_gradient = _as(x_gradient, x)
    else:
        x_gradient = _scale_shift(gradient, weight * s, np.zeros_like(mean))
    return x_gradient, to_weight.astype(x.dtype), to_bias.astype(x.dtype)


def _scale_shift(x, scale, shift):
    """x·scale + shift, channel by channel."""
    rows = _rows(x)
    block, blocks = _cut(rows)
    out = empty(rows.shape, rows.dtype)
    scale, shift = np.ascontiguousarray(scale, x.dtype), np.ascontiguousarray(shift, x.dtype)
    run(_normalise, blocks, rows, out, scale, shift, block)
    return _as(out, x)


def _rows(x):
    """View (N, C, ...) as the matrix that lies in memory, (N·..., C); copy if it does not."""
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    return last.reshape(math.prod(last.shape[:-1]), x.shape[1])


def _as(rows, x):
    """Give a matrix (N·..., C) the axes of x again."""
    return np.moveaxis(rows.reshape(len(x), *x.shape[2:], x.shape[1]), -1, 1)


def _cut(rows):
    """Choose how many rows a block has, and how many blocks there are. Looks at shapes only."""
    block = min(512, max(16, len(rows) // ENOUGH))
    return block, -(-len(rows) // block)


@kernel
def _deviations(first, last, rows, origins, sums, squares, block):
    """Task t finds the origin of block t, and sums d = row − origin, and d². All start at zero."""
    C = rows.shape[1]
    for task in range(first, last):
        part = rows[task * block : (task + 1) * block]
        origin, total, square = origins[task], sums[task], squares[task]
        few = min(FIRST, len(part))
        for r in range(few):
            row = part[r]
            for c in range(C):
                origin[c] += row[c] / few
        for r in range(len(part)):
            row = part[r]
            for c in range(C):
                d = row[c] - origin[c]
                total[c] += d
                square[c] += d * d


@kernel
def _normalise(first, last, rows, out, scale, shift, block):
    """Task t does block t of x·scale + shift."""
    C = rows.shape[1]
    for task in range(first, last):
        part_in = rows[task * block : (task + 1) * block]
        part_out = out[task * block : (task + 1) * block]
        for r in range(len(part_in)):
            row, row_out = part_in[r], part_out[r]
            for c in range(C):
                row_out[c] = row[c] * scale[c] + shift[c]


@kernel
def _gradient_sums(first, last, slope, rows, mean, sums, moments, block):
    """Task t sums G and G·(x − mean) over block t. Both sums start at zero."""
    C = rows.shape[1]
    for task in range(first, last):
        part_g = slope[task * block : (task + 1) * block]
        part_x = rows[task * block : (task + 1) * block]
        total, moment = sums[task], moments[task]
        for r in range(len(part_x)):
            g, row = part_g[r], part_x[r]
            for c in range(C):
                total[c] += g[c]
                moment[c] += g[c] * (row[c] - mean[c])


@kernel
def _input_gradient(first, last, slope, rows, out, scale, along, shift, block):
    """Task t does block t of G·scale + x·along + shift."""
    C = rows.shape[1]
    for task in range(first, last):
        part_g = slope[task * block : (task + 1) * block]
        part_x = rows[task * block : (task + 1) * block]
        part_out = out[task * block : (task + 1) * block]
        for r in range(len(part_x)):
            g, row, row_out = part_g[r], part_x[r], part_out[r]
            for c in range(C):
                row_out[c] = g[c] * scale[c] + row[c] * along[c] + shift[c]
