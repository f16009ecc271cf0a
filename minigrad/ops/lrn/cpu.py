"""Local response normalisation, rung 3: a few pixels at a time, compiled and threaded.

What it gains over whole arrays: memory is crossed once. All steps are done for a *tile* of a few
pixels, which stays in the innermost cache, before the next is begun.

Images lie channels-last in memory (`minigrad.cpu.layout`), one row of C channels for each pixel.
A tile is laid out with gaps of size − 1 zeros between its rows::

    0 0 │ pixel 0: C channels │ 0 0 0 0 │ pixel 1: C channels │ 0 0 0 0 │ …

so that a window which reaches over the end of a row finds zeros there, and the windows of all
rows are summed in one long loop, as if the tile were a single row. Row by row, the loops would be
four vectors long for 64 channels, and each would read at other offsets what the one before had
only just written, which has to reach the cache first: that took three times as long.
"""

import numpy as np

from minigrad.cpu.compiler import kernel
from minigrad.cpu.layout import channels_first, channels_last
from minigrad.cpu.memory import empty
from minigrad.cpu.threads import run

TILE_NUMBERS = 1024  # in one tile: the innermost cache holds a few of them
TASK_NUMBERS = 1 << 16  # in one task


def lrn_forward(x, size, alpha, beta, k):
    """Normalise each channel: (N, C, H, W) → the output and the scale, of the same shape."""
    pixels = channels_last(x)
    out, scale = empty(pixels.shape, x.dtype), empty(pixels.shape, x.dtype)
    number = x.dtype.type
    settings = size, number(alpha / size), number(beta), number(k)
    _run_over_pixels(_forward, (pixels, out, scale), settings)
    return channels_first(out), channels_first(scale)


def lrn_input_gradient(gradient, x, scale, size, alpha, beta):
    """Hand each output's gradient to its channel and to those that damped it: → (N, C, H, W)."""
    pixels = channels_last(x)
    pixels_gradient = empty(pixels.shape, x.dtype)
    number = x.dtype.type
    arrays = channels_last(gradient), pixels, channels_last(scale), pixels_gradient
    _run_over_pixels(_input_gradient, arrays, (size, number(2 * alpha / size * beta), number(beta)))
    return channels_first(pixels_gradient)


def _run_over_pixels(function, images, settings):
    """Run a kernel over all pixels of (N, H, W, C) images, a block of them to a task."""
    C = images[0].shape[-1]
    rows = [image.reshape(images[0].size // max(C, 1), C) for image in images]
    step = max(1, TASK_NUMBERS // max(C, 1))
    run(function, -(-len(rows[0]) // step), *rows, step, *settings)


@kernel
def _forward(first, last, x, out, scale, step, size, share, beta, k):
    """Task t does pixels t·step …, tile by tile."""
    P, C = x.shape
    width = C + size - 1
    rows = max(1, TILE_NUMBERS // width)
    squares = np.zeros(rows * width + size, x.dtype)
    sums = np.empty(rows * width, x.dtype)
    power = np.empty(rows * C, x.dtype)
    flat_x, flat_out, flat_scale = x.reshape(-1), out.reshape(-1), scale.reshape(-1)
    for task in range(first, last):
        end = min((task + 1) * step, P)
        for p in range(task * step, end, rows):
            p_end = min(p + rows, end)
            for r in range(p_end - p):
                pixel, at = x[p + r], r * width + size // 2
                row = squares[at : at + C]
                for c in range(C):
                    row[c] = pixel[c] * pixel[c]
            _sum_windows(squares, sums[: (p_end - p) * width], size)
            for r in range(p_end - p):
                target, row = scale[p + r], sums[r * width : r * width + C]
                for c in range(C):
                    target[c] = k + share * row[c]
            tile_x, tile_out = flat_x[p * C : p_end * C], flat_out[p * C : p_end * C]
            _raise_to_minus(beta, flat_scale[p * C : p_end * C], power)
            for e in range(len(tile_x)):
                tile_out[e] = tile_x[e] * power[e]


@kernel
def _input_gradient(first, last, slope, x, scale, x_gradient, step, size, weight, beta):
    """Task t does pixels t·step …, tile by tile."""
    P, C = x.shape
    width = C + size - 1
    rows = max(1, TILE_NUMBERS // width)
    damped = np.zeros(rows * width + size, x.dtype)
    sums = np.empty(rows * width, x.dtype)
    power = np.empty(rows * C, x.dtype)
    flat_scale = scale.reshape(-1)
    for task in range(first, last):
        end = min((task + 1) * step, P)
        for p in range(task * step, end, rows):
            p_end = min(p + rows, end)
            _raise_to_minus(beta, flat_scale[p * C : p_end * C], power)
            for r in range(p_end - p):
                # The transposed window, which reaches (size − 1) // 2 down, not size // 2.
                at = r * width + (size - 1) // 2
                row, row_power = damped[at : at + C], power[r * C : (r + 1) * C]
                row_slope, row_x, row_scale = slope[p + r], x[p + r], scale[p + r]
                for c in range(C):
                    row[c] = row_slope[c] * row_x[c] * row_power[c] / row_scale[c]
            _sum_windows(damped, sums[: (p_end - p) * width], size)
            for r in range(p_end - p):
                row, row_power = sums[r * width : r * width + C], power[r * C : (r + 1) * C]
                row_slope, row_x, target = slope[p + r], x[p + r], x_gradient[p + r]
                for c in range(C):
                    target[c] = row_slope[c] * row_power[c] - weight * row_x[c] * row[c]


@kernel
def _sum_windows(values, sums, size):
    """Set each of `sums` to the sum of `size` values from the same place on."""
    length = len(sums)
    for e in range(length):
        sums[e] = values[e]
    shift = 1
    # Four at a time, so that sums are read and written once for four values.
    while shift + 4 <= size:
        a, b = values[shift : shift + length], values[shift + 1 : shift + 1 + length]
        c, d = values[shift + 2 : shift + 2 + length], values[shift + 3 : shift + 3 + length]
        for e in range(length):
            sums[e] += (a[e] + b[e]) + (c[e] + d[e])
        shift += 4
    while shift < size:
        a = values[shift : shift + length]
        for e in range(length):
            sums[e] += a[e]
        shift += 1


@kernel
def _raise_to_minus(beta, scale, power):
    """Set `power` to scale^(−beta).

    The general power is a call for each number, which takes five times as long as all the rest.
    Those in use can be had from square roots, which the processor takes of a whole vector at
    once: s^¾ = √s · √√s.
    """
    one = scale.dtype.type(1)
    if beta == 0.75:
        for e in range(len(scale)):
            root = np.sqrt(scale[e])
            power[e] = one / (root * np.sqrt(root))
    elif beta == 0.5:
        for e in range(len(scale)):
            power[e] = one / np.sqrt(scale[e])
    elif beta == 1:
        for e in range(len(scale)):
            power[e] = one / scale[e]
    else:
        for e in range(len(scale)):
            power[e] = scale[e] ** -beta
