"""Pooling, rung 4: one thread for each window or, going back, for each pixel, on a GPU.

A thread does for its number what the definition says, and no more. Backward gathers, as on the CPU:
a pixel collects from the windows that see it, so that threads never write to the same place, and
sums come out the same every time.
"""

import numpy as np

from minigrad.gpu import Source, contiguous, empty
from minigrad.ops.window import fitting_windows

source = Source(__file__, small=True)


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode):
    """Find the largest number of each window, and which it was: two of (N, C, oh, ow)."""
    x, (kh, kw) = contiguous(x), kernel_size
    size = fitting_windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    out = empty((*x.shape[:2], *size), x.dtype)
    winners = empty(out.shape, np.uint8 if kh * kw <= 256 else np.int32)
    geometry = *kernel_size, *stride, padding[0][0], padding[1][0], *dilation
    arrays = x, out, *_bytes_or_ints(winners)
    source.launch("max_pool2d_forward", out.size, *arrays, -np.inf, *x.shape[2:], *size, *geometry)
    return out, winners


def max_pool2d_input_gradient(
    gradient, winners, input_shape, kernel_size, stride, padding, dilation
):
    """Hand each output's gradient to the pixel that won: → (N, C, H, W)."""
    gradient, winners = contiguous(gradient), contiguous(winners)
    x_gradient = empty(input_shape, gradient.dtype)
    sizes = *input_shape[2:], *gradient.shape[2:]
    geometry = *kernel_size, *stride, padding[0][0], padding[1][0], *dilation
    arrays = gradient, *_bytes_or_ints(winners), x_gradient
    source.launch("max_pool2d_input_gradient", x_gradient.size, *arrays, *sizes, *geometry)
    return x_gradient


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Average each window: (N, C, H, W) → (N, C, oh, ow)."""
    x = contiguous(x)
    size = fitting_windows(x.shape, kernel_size, stride, padding, (1, 1), ceil_mode)
    out = empty((*x.shape[:2], *size), x.dtype)
    geometry = *kernel_size, *stride, *padding[0], *padding[1], count_include_pad
    source.launch("avg_pool2d_forward", out.size, x, out, *x.shape[2:], *size, *geometry)
    return out


def avg_pool2d_input_gradient(
    gradient, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad
):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    gradient = contiguous(gradient)
    x_gradient = empty(input_shape, gradient.dtype)
    sizes = *input_shape[2:], *gradient.shape[2:]
    geometry = *kernel_size, *stride, *padding[0], *padding[1], count_include_pad
    arrays = gradient, x_gradient
    source.launch("avg_pool2d_input_gradient", x_gradient.size, *arrays, *sizes, *geometry)
    return x_gradient


def adaptive_avg_pool2d_forward(x, output_size):
    """Average windows that cover the image evenly: (N, C, H, W) → (N, C, oh, ow)."""
    x = contiguous(x)
    out = empty((*x.shape[:2], *output_size), x.dtype)
    sizes = *x.shape[2:], *output_size
    source.launch("adaptive_avg_pool2d_forward", out.size, x, out, *sizes)
    return out


def adaptive_avg_pool2d_input_gradient(gradient, input_shape):
    """Hand each pixel its share of the gradient of the windows that saw it: → (N, C, H, W)."""
    gradient = contiguous(gradient)
    x_gradient = empty(input_shape, gradient.dtype)
    sizes = *input_shape[2:], *gradient.shape[2:]
    arrays = gradient, x_gradient
    source.launch("adaptive_avg_pool2d_input_gradient", x_gradient.size, *arrays, *sizes)
    return x_gradient


def _bytes_or_ints(winners):
    """Pass winners in the place for their dtype, and nothing in the other."""
    return (winners, None) if winners.dtype == np.uint8 else (None, winners)
