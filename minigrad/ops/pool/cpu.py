"""Pooling, rung 3: all channels of a pixel at once, compiled and threaded.

What it gains over whole arrays:

* Images lie channels-last in memory (`minigrad.cpu.layout`). What happens to one channel happens
  to all, so the innermost loop runs over channels, side by side in memory, and the compiler makes
  it a few instructions on whole vectors, branches included: the running maximum of 16 channels
  takes two comparisons and two masked copies. No window is ever copied.
* Backward *gathers*. Windows overlap, so that windows that hand out their gradients meet at the
  same pixels; instead each row of the image collects what the windows that see it have for it. Then
  a task is one row, and no two tasks write to the same place.

An average is the sum over a box: some rows, some columns. The windows that see a pixel are again a
box, of windows, so the transpose of summing over boxes is summing over boxes, and one compiled loop
serves plain and adaptive pooling, forward and backward.
"""

import numpy as np

from minigrad.cpu.compiler import kernel
from minigrad.cpu.layout import channels_first, channels_last
from minigrad.cpu.memory import empty
from minigrad.cpu.threads import run
from minigrad.ops.window import fitting_windows


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    """Find the largest number of each window, and which it was: two of (N, C, oh, ow)."""
    N, C, H, W = x.shape
    kh, kw = kernel_size
    oh, ow = fitting_windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    out = empty((N, oh, ow, C), x.dtype)
    winners = empty((N, oh, ow, C), np.uint8 if kh * kw <= 256 else np.int32)
    geometry = kernel_size, stride, (padding[0][0], padding[1][0]), dilation
    run(_max_forward, N * oh, channels_last(x), out, winners, *geometry)
    return channels_first(out), channels_first(winners)


def max_pool2d_input_gradient(
    gradient, winners, input_shape, kernel_size, stride, padding, dilation
):
    """Hand each output's gradient to the pixel that won: → (N, C, H, W)."""
    N, C, H, W = input_shape
    image_gradient = empty((N, H, W, C), gradient.dtype)
    slope, won = channels_last(gradient), channels_last(winners)
    geometry = kernel_size, stride, (padding[0][0], padding[1][0]), dilation
    run(_max_input_gradient, N * H, slope, won, image_gradient, *geometry)
    return channels_first(image_gradient)


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Average each window: (N, C, H, W) → (N, C, oh, ow)."""
    size = fitting_windows(x.shape, kernel_size, stride, padding, (1, 1), ceil_mode)
    geometry = kernel_size, stride, padding, count_include_pad
    return _means(x, *_windows(x.shape[2:], size, *geometry))


def avg_pool2d_input_gradient(
    gradient, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad
):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    geometry = kernel_size, stride, padding, count_include_pad
    windows = _windows(input_shape[2:], gradient.shape[2:], *geometry)
    return _shares(gradient, input_shape, *windows)


def adaptive_avg_pool2d_forward(x, output_size):
    """Average windows that cover the image evenly: (N, C, H, W) → (N, C, oh, ow)."""
    return _means(x, *_adaptive_windows(x.shape[2:], output_size))


def adaptive_avg_pool2d_input_gradient(gradient, input_shape):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    windows = _adaptive_windows(input_shape[2:], gradient.shape[2:])
    return _shares(gradient, input_shape, *windows)


# -- averages: sums over boxes -------------------------------------------------------------------
#
# Boxes are given by two arrays, one for each axis: along it, box i goes from spans[0, i] to
# spans[1, i] - 1. Both ends grow with i.


def _windows(shape, size, kernel_size, stride, padding, count_include_pad):
    """Give the spans of all windows along both axes, and what their averages divide by."""
    spans, counts = [], []
    for length, count, k, s, (before, after) in zip(
        shape, size, kernel_size, stride, padding, strict=True
    ):
        start = np.arange(count) * s - before
        end = np.minimum(start + k, length + after)
        inside = np.stack([np.maximum(start, 0), np.minimum(end, length)])
        spans.append(inside)
        counts.append(end - start if count_include_pad else inside[1] - inside[0])
    return *spans, np.multiply.outer(*counts)


def _adaptive_windows(shape, size):
    spans = []
    for length, count in zip(shape, size, strict=True):
        i = np.arange(count)
        spans.append(np.stack([i * length // count, -(-(i + 1) * length // count)]))
    return *spans, np.multiply.outer(*(end - start for start, end in spans))


def _means(x, rows, columns, divisors):
    """Average over boxes: add up, then divide."""
    N, C = x.shape[:2]
    oh, ow = divisors.shape
    out = empty((N, oh, ow, C), x.dtype)
    boxes = rows, columns, divisors.astype(x.dtype)
    run(_average_boxes, N * oh, channels_last(x), out, *boxes)
    return channels_first(out)


def _shares(gradient, input_shape, rows, columns, divisors):
    """Transpose `_means`: divide, then each pixel adds up the windows that see it."""
    N, C, H, W = input_shape
    share = channels_last(gradient) / divisors[:, :, np.newaxis].astype(gradient.dtype)
    image_gradient = empty((N, H, W, C), gradient.dtype)
    boxes = _seen_by(rows, H), _seen_by(columns, W), np.ones((H, W), gradient.dtype)
    run(_average_boxes, N * H, share, image_gradient, *boxes)
    return channels_first(image_gradient)


def _seen_by(spans, length):
    """Give, for each pixel along an axis, the span of the windows that see it.

    Past are those that end at or before it, begun are those that start at or before it.
    """
    past, begun = (np.searchsorted(ends, np.arange(length), side="right") for ends in spans[::-1])
    return np.stack([past, begun])


@kernel
def _average_boxes(first, last, image, out, rows, columns, divisors):
    """Task t makes one row of `out`: row i of image n, where t = n·oh + i."""
    _, oh, ow, C = out.shape
    for task in range(first, last):
        n, i = task // oh, task % oh
        for j in range(ow):
            total = out[n, i, j]
            total[:] = 0
            for y in range(rows[0, i], rows[1, i]):
                z, z_last = columns[0, j], columns[1, j]
                # Two pixels at a time: the total is read and written once for both.
                while z + 1 < z_last:
                    left, right = image[n, y, z], image[n, y, z + 1]
                    for c in range(C):
                        total[c] += left[c] + right[c]
                    z += 2
                if z < z_last:
                    pixel = image[n, y, z]
                    for c in range(C):
                        total[c] += pixel[c]
            divisor = divisors[i, j]
            if divisor != 1:
                for c in range(C):
                    total[c] /= divisor


# -- the maximum ---------------------------------------------------------------------------------


@kernel
def _max_forward(first, last, image, out, winners, kernel_size, stride, origin, dilation):
    """Task t makes one row of the output: row i of image n, where t = n·oh + i."""
    _, H, W, C = image.shape
    _, oh, ow, _ = out.shape
    kh, kw = kernel_size
    for task in range(first, last):
        n, i = task // oh, task % oh
        for j in range(ow):
            best, winner = out[n, i, j], winners[n, i, j]
            best[:] = -np.inf
            unseen = True
            for u in range(kh):
                y = i * stride[0] - origin[0] + u * dilation[0]
                if not 0 <= y < H:
                    continue
                for v in range(kw):
                    z = j * stride[1] - origin[1] + v * dilation[1]
                    if not 0 <= z < W:
                        continue
                    pixel = image[n, y, z]
                    number = winners.dtype.type(u * kw + v)
                    if unseen:
                        unseen = False
                        for c in range(C):
                            best[c], winner[c] = pixel[c], number
                    else:
                        for c in range(C):
                            # Larger, or the first NaN: no comparison with NaN is true. Written
                            # without a branch, for the compiler to make vectors of it.
                            value = pixel[c]
                            better = (not value <= best[c]) & (best[c] == best[c])
                            best[c] = value if better else best[c]
                            winner[c] = number if better else winner[c]
            if unseen:  # dilation may leap over a small image
                winner[:] = 0


@kernel
def _inside(start, step, count, length):
    """Give the range of k in 0 … count − 1 for which 0 ≤ start + k·step < length."""
    k_first = max(0, -(start // step))
    return k_first, max(k_first, min(count, -((start - length) // step)))


@kernel
def _max_input_gradient(
    first, last, slope, winners, image_gradient, kernel_size, stride, origin, dilation
):
    """Task t makes one row of the gradient: row y of image n, where t = n·H + y."""
    _, H, W, C = image_gradient.shape
    _, oh, ow, _ = slope.shape
    kh, kw = kernel_size
    zero = slope.dtype.type(0)
    for task in range(first, last):
        n, y = task // H, task % H
        image_gradient[n, y] = 0
        for u in range(kh):
            # Row u of the windows in row i lies on y, if there is such an i.
            distance = y + origin[0] - u * dilation[0]
            i = distance // stride[0]
            if distance % stride[0] != 0 or not 0 <= i < oh:
                continue
            for v in range(kw):
                number = winners.dtype.type(u * kw + v)
                z = v * dilation[1] - origin[1]
                j_first, j_last = _inside(z, stride[1], ow, W)
                for j in range(j_first, j_last):
                    pixel, winner = slope[n, i, j], winners[n, i, j]
                    total = image_gradient[n, y, z + j * stride[1]]
                    for c in range(C):
                        total[c] += pixel[c] if winner[c] == number else zero
