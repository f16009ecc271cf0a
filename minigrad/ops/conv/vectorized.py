"""Convolution, rung 2: im2col and one matrix product, in NumPy. The idea.

What it gains over the loops: the sum over C·kh·kw runs inside BLAS. What it costs: the columns of
the whole batch are stored, kh·kw times the size of the input.
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
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    # One slice for each element of the kernel: everything that it meets, as an (oh, ow) image.
    cols = np.empty((N, C, kh, kw, oh, ow), x.dtype)
    for u, v in np.ndindex(kh, kw):
        cols[:, :, u, v] = padded[_met(u, v, (oh, ow), stride, dilation)]
    return cols.reshape(N, C * kh * kw, oh * ow)


def col2im(cols, input_shape, kernel_size, stride, padding, dilation):
    """Add each entry of the columns onto its pixel: (N, C·kh·kw, oh·ow) → (N, C, H, W)."""
    N, C, H, W = input_shape
    (kh, kw), (oh, ow) = (
        kernel_size,
        fitting_windows(input_shape, kernel_size, stride, padding, dilation),
    )
    cols = cols.reshape(N, C, kh, kw, oh, ow)
    (top, bottom), (left, right) = padding
    padded = np.zeros((N, C, top + H + bottom, left + W + right), cols.dtype)
    for u, v in np.ndindex(kh, kw):
        padded[_met(u, v, (oh, ow), stride, dilation)] += cols[:, :, u, v]
    return padded[:, :, top : top + H, left : left + W].copy()


def conv2d_forward(x, weight, bias, stride, padding, dilation, groups, relu=False):
    """Weigh and sum each window: (N, C, H, W), (O, C/groups, kh, kw) → (N, O, oh, ow)."""
    oh, ow = fitting_windows(x.shape, weight.shape[2:], stride, padding, dilation)
    cols = _grouped(im2col(x, weight.shape[2:], stride, padding, dilation), groups)
    # (groups, O/g, K) @ (N, groups, K, L) → (N, groups, O/g, L)
    out = weight.reshape(groups, len(weight) // groups, -1) @ cols
    out = out.reshape(len(x), len(weight), oh, ow)
    out = out if bias is None else out + bias[:, np.newaxis, np.newaxis]
    return np.maximum(out, 0) if relu else out


def conv2d_input_gradient(
    gradient, weight, input_shape, stride, padding, dilation, groups, into=None
):
    """Hand each output's gradient back to the pixels it saw: → (N, C, H, W)."""
    N, O, oh, ow = gradient.shape
    rows = _grouped(gradient.reshape(N, O, oh * ow), groups)
    weight_t = weight.reshape(groups, O // groups, -1).swapaxes(1, 2)
    cols = weight_t @ rows  # (groups, K, O/g) @ (N, groups, O/g, L) → (N, groups, K, L)
    cols = cols.reshape(N, cols.shape[2] * groups, oh * ow)
    image_gradient = col2im(cols, input_shape, weight.shape[2:], stride, padding, dilation)
    return image_gradient if into is None else np.add(into, image_gradient, out=into)


def conv2d_weight_gradient(gradient, x, weight_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the weights it used: → (O, C/groups, kh, kw)."""
    N, O, oh, ow = gradient.shape
    rows = _grouped(gradient.reshape(N, O, oh * ow), groups)
    cols = _grouped(im2col(x, weight_shape[2:], stride, padding, dilation), groups)
    # (N, groups, O/g, L) @ (N, groups, L, K), summed over the images
    return (rows @ cols.swapaxes(2, 3)).sum(axis=0).reshape(weight_shape)


def conv2d_bias_gradient(gradient):
    """Sum over images and pixels: (N, O, oh, ow) → (O,)."""
    return gradient.sum(axis=(0, 2, 3))


def _met(u, v, size, stride, dilation):
    """Index the padded pixels that element (u, v) of the kernel meets, one for each window."""
    y, z = u * dilation[0], v * dilation[1]
    return (
        ...,
        slice(y, y + (size[0] - 1) * stride[0] + 1, stride[0]),
        slice(z, z + (size[1] - 1) * stride[1] + 1, stride[1]),
    )


def _grouped(rows, groups):
    """Cut the second axis into groups: (N, R, L) → (N, groups, R/groups, L)."""
    N, R, L = rows.shape
    return rows.reshape(N, groups, R // groups, L)


def conv2d_relu_gradient(gradient, out):
    """Let the gradient through where the output is positive; sum that: → (N, O, oh, ow), (O,)."""
    slope = np.where(out > 0, gradient, gradient.dtype.type(0))
    return slope, conv2d_bias_gradient(slope)
