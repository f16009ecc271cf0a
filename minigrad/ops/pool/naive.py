"""Pooling, rung 1: the definition, as loops. The specification that all others are held to.

Slow on purpose: nothing here is clever enough to be wrong. Arrays in, arrays out; shapes have been
checked by `minigrad.ops.pool`.
"""

import numpy as np

from minigrad.ops.window import fitting_windows


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    """Find the largest number of each window, and which it was: two of (N, C, oh, ow)."""
    size = fitting_windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    kh, kw = kernel_size
    out = np.full((*x.shape[:2], *size), -np.inf, x.dtype)
    winners = np.zeros(out.shape, np.uint8 if kh * kw <= 256 else np.int32)
    for n, c, i, j in np.ndindex(out.shape):
        seen = [
            (x[n, c, y, z], u * kw + v)
            for u, v, y, z in _elements(i, j, kernel_size, stride, padding, dilation, x.shape)
        ]
        for value, number in seen:
            # The first that nothing beats. NaN is beaten by nothing, another NaN included.
            if np.isnan(value) or not any(other > value or np.isnan(other) for other, _ in seen):
                out[n, c, i, j], winners[n, c, i, j] = value, number
                break
    return out, winners


def max_pool2d_input_gradient(
    gradient, winners, input_shape, kernel_size, stride, padding, dilation
):
    """Hand each output's gradient to the pixel that won: → (N, C, H, W)."""
    x_gradient = np.zeros(input_shape, gradient.dtype)
    for n, c, i, j in np.ndindex(gradient.shape):
        for u, v, y, z in _elements(i, j, kernel_size, stride, padding, dilation, input_shape):
            if winners[n, c, i, j] == u * kernel_size[1] + v:
                x_gradient[n, c, y, z] += gradient[n, c, i, j]
    return x_gradient


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Average each window: (N, C, H, W) → (N, C, oh, ow)."""
    size = fitting_windows(x.shape, kernel_size, stride, padding, (1, 1), ceil_mode)
    out = np.zeros((*x.shape[:2], *size), x.dtype)
    for n, c, i, j in np.ndindex(out.shape):
        for _, _, y, z in _elements(i, j, kernel_size, stride, padding, (1, 1), x.shape):
            out[n, c, i, j] += x[n, c, y, z]
        out[n, c, i, j] /= _divisor(i, j, kernel_size, stride, padding, x.shape, count_include_pad)
    return out


def avg_pool2d_input_gradient(
    gradient, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad
):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    x_gradient = np.zeros(input_shape, gradient.dtype)
    for n, c, i, j in np.ndindex(gradient.shape):
        share = gradient[n, c, i, j] / _divisor(
            i, j, kernel_size, stride, padding, input_shape, count_include_pad
        )
        for _, _, y, z in _elements(i, j, kernel_size, stride, padding, (1, 1), input_shape):
            x_gradient[n, c, y, z] += share
    return x_gradient


def adaptive_avg_pool2d_forward(x, output_size):
    """Average windows that cover the image evenly: (N, C, H, W) → (N, C, oh, ow)."""
    out = np.zeros((*x.shape[:2], *output_size), x.dtype)
    for n, c, i, j in np.ndindex(out.shape):
        pixels = _covered(i, j, x.shape, output_size)
        for y, z in pixels:
            out[n, c, i, j] += x[n, c, y, z]
        out[n, c, i, j] /= len(pixels)
    return out


def adaptive_avg_pool2d_input_gradient(gradient, input_shape):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    x_gradient = np.zeros(input_shape, gradient.dtype)
    for n, c, i, j in np.ndindex(gradient.shape):
        pixels = _covered(i, j, input_shape, gradient.shape[2:])
        share = gradient[n, c, i, j] / len(pixels)
        for y, z in pixels:
            x_gradient[n, c, y, z] += share
    return x_gradient


def _elements(i, j, kernel_size, stride, padding, dilation, shape):
    """Walk over what window (i, j) sees of the image, as (u, v, y, z), in scan order."""
    H, W = shape[2:]
    for u, v in np.ndindex(*kernel_size):
        y = i * stride[0] - padding[0][0] + u * dilation[0]
        z = j * stride[1] - padding[1][0] + v * dilation[1]
        if 0 <= y < H and 0 <= z < W:
            yield u, v, y, z


def _divisor(i, j, kernel_size, stride, padding, shape, count_include_pad):
    """Count what the average of window (i, j) is over."""
    count = 0
    for u, v in np.ndindex(*kernel_size):
        # From the first row and column of the padding, not of the image.
        y, z = i * stride[0] + u, j * stride[1] + v
        (top, bottom), (left, right) = padding
        H, W = shape[2:]
        if count_include_pad:
            count += y < top + H + bottom and z < left + W + right
        else:
            count += top <= y < top + H and left <= z < left + W
    return count


def _covered(i, j, shape, output_size):
    """List the pixels that adaptive window (i, j) averages."""
    (H, W), (oh, ow) = shape[2:], output_size
    rows = range(i * H // oh, -(-(i + 1) * H // oh))
    columns = range(j * W // ow, -(-(j + 1) * W // ow))
    return [(y, z) for y in rows for z in columns]
