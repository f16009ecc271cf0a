"""Convolution, rung 1: the definition, as loops. The specification that all others are held to.

Slow on purpose: nothing here is clever enough to be wrong. Arrays in, arrays out; shapes have been
checked by `minigrad.ops.conv`.
"""

import numpy as np

from minigrad.ops.window import fitting_windows


def im2col(x, kernel_size, stride, padding, dilation):
    """Copy what each window sees into a column: (N, C, H, W) → (N, C·kh·kw, oh·ow)."""
    N, C, H, W = x.shape
    (kh, kw), (oh, ow) = (
        kernel_size,
        fitting_windows(x.shape, kernel_size, stride, padding, dilation),
    )
    cols = np.zeros((N, C, kh, kw, oh, ow), x.dtype)
    for n, c, u, v, i, j in np.ndindex(cols.shape):
        y = i * stride[0] - padding[0][0] + u * dilation[0]
        z = j * stride[1] - padding[1][0] + v * dilation[1]
        if 0 <= y < H and 0 <= z < W:
            cols[n, c, u, v, i, j] = x[n, c, y, z]
    return cols.reshape(N, C * kh * kw, oh * ow)


def col2im(cols, input_shape, kernel_size, stride, padding, dilation):
    """Add each entry of the columns onto its pixel: (N, C·kh·kw, oh·ow) → (N, C, H, W)."""
    N, C, H, W = input_shape
    (kh, kw), (oh, ow) = (
        kernel_size,
        fitting_windows(input_shape, kernel_size, stride, padding, dilation),
    )
    cols = cols.reshape(N, C, kh, kw, oh, ow)
    x = np.zeros(input_shape, cols.dtype)
    for n, c, u, v, i, j in np.ndindex(cols.shape):
        y = i * stride[0] - padding[0][0] + u * dilation[0]
        z = j * stride[1] - padding[1][0] + v * dilation[1]
        if 0 <= y < H and 0 <= z < W:
            x[n, c, y, z] += cols[n, c, u, v, i, j]
    return x


def conv2d_forward(x, weight, bias, stride, padding, dilation, groups, relu=False):
    """Weigh and sum each window: (N, C, H, W), (O, C/groups, kh, kw) → (N, O, oh, ow)."""
    N, O = len(x), len(weight)
    oh, ow = fitting_windows(x.shape, weight.shape[2:], stride, padding, dilation)
    out = np.zeros((N, O, oh, ow), x.dtype)
    if bias is not None:
        out += bias[:, np.newaxis, np.newaxis]
    for n, o, c, i, j, u, v, y, z, k in _products(
        x.shape, weight.shape, (oh, ow), stride, padding, dilation, groups
    ):
        out[n, o, i, j] += x[n, c, y, z] * weight[o, k, u, v]
    return np.maximum(out, 0) if relu else out


def conv2d_input_gradient(
    gradient, weight, input_shape, stride, padding, dilation, groups, into=None
):
    """Hand each output's gradient back to the pixels it saw: → (N, C, H, W)."""
    x_gradient = np.zeros(input_shape, gradient.dtype)
    for n, o, c, i, j, u, v, y, z, k in _products(
        input_shape, weight.shape, gradient.shape[2:], stride, padding, dilation, groups
    ):
        x_gradient[n, c, y, z] += gradient[n, o, i, j] * weight[o, k, u, v]
    return x_gradient if into is None else np.add(into, x_gradient, out=into)


def conv2d_weight_gradient(gradient, x, weight_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the weights it used: → (O, C/groups, kh, kw)."""
    weight_gradient = np.zeros(weight_shape, gradient.dtype)
    for n, o, c, i, j, u, v, y, z, k in _products(
        x.shape, weight_shape, gradient.shape[2:], stride, padding, dilation, groups
    ):
        weight_gradient[o, k, u, v] += gradient[n, o, i, j] * x[n, c, y, z]
    return weight_gradient


def conv2d_bias_gradient(gradient):
    """Sum over images and pixels: (N, O, oh, ow) → (O,)."""
    bias_gradient = np.zeros(gradient.shape[1], gradient.dtype)
    for n, o, i, j in np.ndindex(gradient.shape):
        bias_gradient[o] += gradient[n, o, i, j]
    return bias_gradient


def _products(input_shape, weight_shape, size, stride, padding, dilation, groups):
    """Walk over every product of a pixel and a weight that the convolution sums.

    Yields (n, o, c, i, j, u, v, y, z, k): output (n, o, i, j) gets pixel (n, c, y, z) times weight
    (o, k, u, v). Forward and both gradients are sums over the same products.
    """
    N, _, H, W = input_shape
    O, per_group, kh, kw = weight_shape
    for n, o, i, j, k, u, v in np.ndindex(N, O, *size, per_group, kh, kw):
        c = o // (O // groups) * per_group + k
        y = i * stride[0] - padding[0][0] + u * dilation[0]
        z = j * stride[1] - padding[1][0] + v * dilation[1]
        if 0 <= y < H and 0 <= z < W:
            yield n, o, c, i, j, u, v, y, z, k


def conv2d_relu_gradient(gradient, out):
    """Let the gradient through where the output is positive; sum that: → (N, O, oh, ow), (O,)."""
    slope = np.where(out > 0, gradient, gradient.dtype.type(0))
    return slope, conv2d_bias_gradient(slope)
