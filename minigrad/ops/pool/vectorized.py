"""Pooling, rung 2: element (u, v) of all windows at once, in NumPy. The idea.

What it gains over the loops: kh·kw operations on whole arrays. What it costs: the padded image,
and for max pooling a copy of everything that every window sees, kh·kw times the output.
"""

import numpy as np

from minigrad.ops.window import fitting_windows


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    """Find the largest number of each window, and which it was: two of (N, C, oh, ow)."""
    kh, kw = kernel_size
    size = fitting_windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    geometry = kernel_size, size, stride, padding, dilation
    # (N, C, oh, ow, kh·kw): argmax takes the first of several, and NaN before every number.
    windows = _windows(x, *geometry, fill=-np.inf)
    winners = windows.argmax(axis=-1)
    out = np.take_along_axis(windows, winners[..., np.newaxis], axis=-1)[..., 0]
    # Where even the largest is −∞, argmax may have found the padding: take the first real pixel.
    real = _windows(np.ones((1, 1, *x.shape[2:]), bool), *geometry, fill=False)
    winners = np.where(out == -np.inf, real.argmax(axis=-1), winners)
    return out, winners.astype(np.uint8 if kh * kw <= 256 else np.int32)


def max_pool2d_input_gradient(
    gradient, winners, input_shape, kernel_size, stride, padding, dilation
):
    """Hand each output's gradient to the pixel that won: → (N, C, H, W)."""
    size, zero = gradient.shape[2:], gradient.dtype.type(0)
    shape = _padded_shape(input_shape, kernel_size, size, stride, padding, dilation)
    padded = np.zeros(shape, gradient.dtype)
    for u, v in np.ndindex(*kernel_size):
        won = winners == u * kernel_size[1] + v
        padded[_met(u, v, size, stride, dilation)] += np.where(won, gradient, zero)
    return _cropped(padded, input_shape, padding)


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Average each window: (N, C, H, W) → (N, C, oh, ow)."""
    size = fitting_windows(x.shape, kernel_size, stride, padding, (1, 1), ceil_mode)
    geometry = kernel_size, size, stride, padding
    return _sums(x, *geometry) / _divisors(x.shape, *geometry, count_include_pad, x.dtype)


def avg_pool2d_input_gradient(
    gradient, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad
):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    geometry = kernel_size, gradient.shape[2:], stride, padding
    share = gradient / _divisors(input_shape, *geometry, count_include_pad, gradient.dtype)
    padded = np.zeros(_padded_shape(input_shape, *geometry, (1, 1)), gradient.dtype)
    for u, v in np.ndindex(*kernel_size):
        padded[_met(u, v, gradient.shape[2:], stride, (1, 1))] += share
    return _cropped(padded, input_shape, padding)


def adaptive_avg_pool2d_forward(x, output_size):
    """Average windows that cover the image evenly: (N, C, H, W) → (N, C, oh, ow)."""
    out = np.empty((*x.shape[:2], *output_size), x.dtype)
    for i, j in np.ndindex(*output_size):
        window = x[_covered(i, j, x.shape, output_size)]
        out[..., i, j] = window.sum(axis=(2, 3)) / (window.shape[2] * window.shape[3])
    return out


def adaptive_avg_pool2d_input_gradient(gradient, input_shape):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    x_gradient = np.zeros(input_shape, gradient.dtype)
    for i, j in np.ndindex(*gradient.shape[2:]):
        window = x_gradient[_covered(i, j, input_shape, gradient.shape[2:])]
        area = window.shape[2] * window.shape[3]
        window += gradient[..., i : i + 1, j : j + 1] / area
    return x_gradient


def _windows(x, kernel_size, size, stride, padding, dilation, fill):
    """Copy what each window sees: (N, C, H, W) → (N, C, oh, ow, kh·kw)."""
    shape = _padded_shape(x.shape, kernel_size, size, stride, padding, dilation)
    padded = np.full(shape, fill, x.dtype)
    _cropped(padded, x.shape, padding)[...] = x
    elements = [padded[_met(u, v, size, stride, dilation)] for u, v in np.ndindex(*kernel_size)]
    return np.stack(elements, axis=-1)


def _sums(x, kernel_size, size, stride, padding):
    """Add up what each window sees: (N, C, H, W) → (N, C, oh, ow)."""
    padded = np.zeros(_padded_shape(x.shape, kernel_size, size, stride, padding, (1, 1)), x.dtype)
    _cropped(padded, x.shape, padding)[...] = x
    return sum(padded[_met(u, v, size, stride, (1, 1))] for u, v in np.ndindex(*kernel_size))


def _divisors(shape, kernel_size, size, stride, padding, count_include_pad, dtype):
    """Count what each average is over, by pooling an image of ones: → (1, 1, oh, ow)."""
    H, W = shape[2:]
    if count_include_pad:  # padding counts like pixels: it is part of a larger image
        H, W, padding = H + sum(padding[0]), W + sum(padding[1]), ((0, 0), (0, 0))
    return _sums(np.ones((1, 1, H, W), dtype), kernel_size, size, stride, padding)


def _padded_shape(shape, kernel_size, size, stride, padding, dilation):
    """Give the shape of the padded image, and of what the last window of ceil mode needs more."""
    lengths = [
        max(before + length + after, (count - 1) * s + (k - 1) * d + 1)
        for (before, after), length, count, s, k, d in zip(
            padding, shape[2:], size, stride, kernel_size, dilation, strict=True
        )
    ]
    return *shape[:2], *lengths


def _cropped(padded, shape, padding):
    """View the image inside its padding."""
    top, left = padding[0][0], padding[1][0]
    return padded[:, :, top : top + shape[2], left : left + shape[3]]


def _met(u, v, size, stride, dilation):
    """Index the padded pixels that element (u, v) of the window meets, one for each window."""
    y, z = u * dilation[0], v * dilation[1]
    return (
        ...,
        slice(y, y + (size[0] - 1) * stride[0] + 1, stride[0]),
        slice(z, z + (size[1] - 1) * stride[1] + 1, stride[1]),
    )


def _covered(i, j, shape, output_size):
    """Index the pixels that adaptive window (i, j) averages."""
    (H, W), (oh, ow) = shape[2:], output_size
    return (
        ...,
        slice(i * H // oh, -(-(i + 1) * H // oh)),
        slice(j * W // ow, -(-(j + 1) * W // ow)),
    )
