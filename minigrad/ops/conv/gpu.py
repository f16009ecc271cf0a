"""Convolution, rung 4: im2col and matrix products on a GPU.

The products are cuBLAS's, for many images in one call; the rest is in `kernels.cu`, one thread for
each number. Nothing is added by two threads to one place, so the same numbers come out each time.

With P = oh·ow output pixels, K = C/groups·kh·kw numbers in a window, and n for one image::

    out[n]           = weight (O, K) @ cols[n] (K, P)
    gradient of cols = weightᵀ (K, O) @ gradient[n] (O, P), then col2im
    weight gradient  = Σ gradient[n] (O, P) @ colsᵀ[n] (P, K)
                       n

* Late layers have few pixels: too few for a product to be fast. There several images lie side by
  side and are one n. The columns are gathered so, and what comes out is put back in passing.
* Groups are one more axis of each product's batch.
* Columns are kh·kw times as large as the image. A large batch is done in chunks of images.
* The columns of a 1×1 window are the image itself.
* Images of 16 bits: so are the columns and the factors of each product, but its sums are float32,
  and the gradients of weight and bias come out as float32.
"""

from math import prod

from minigrad.gpu import Source, contiguous, cupy, empty, matmul, sum_dtype
from minigrad.ops.window import fitting_windows

COLUMNS = 1 << 28  # numbers that one chunk of images may take: 1 GiB of float32
PIXELS = 1024  # that one product should have, if the batch has them
LANES = 32  # threads that share the sum of one channel of one image, at most

source = Source(__file__, small=True)


def im2col(x, kernel_size, stride, padding, dilation):
    """Copy what each window sees into a column: (N, C, H, W) → (N, C·kh·kw, oh·ow)."""
    return _gather(contiguous(x), 1, kernel_size, stride, padding, dilation)


def col2im(cols, input_shape, kernel_size, stride, padding, dilation):
    """Add each entry of the columns onto its pixel: (N, C·kh·kw, oh·ow) → (N, C, H, W)."""
    x = empty(input_shape, cols.dtype)
    _scatter(contiguous(cols), 1, x, False, kernel_size, stride, padding, dilation)
    return x


def conv2d_forward(x, weight, bias, stride, padding, dilation, groups, relu=False):
    """Weigh and sum each window: (N, C, H, W), (O, C/groups, kh, kw) → (N, O, oh, ow)."""
    x, N, (O, per_group, kh, kw) = contiguous(x), len(x), weight.shape
    oh, ow = fitting_windows(x.shape, (kh, kw), stride, padding, dilation)
    K, L, P, window = per_group * kh * kw, O // groups, oh * ow, ((kh, kw), stride, padding)
    filters, bias = _as_matrices(weight, groups), None if bias is None else contiguous(bias)
    out = empty((N, O, oh, ow), x.dtype)
    for part, slabs, side in _chunks(N, (groups * K + O) * P, P):
        seen, made = x[part], out[part]
        if side > 1 or not _is_pointwise(*window):
            seen = _gather(seen, side, *window, dilation)
        shape = slabs, groups, L, side * P
        product = empty(shape, x.dtype) if side > 1 else made.reshape(shape)
        matmul(filters, seen.reshape(slabs, groups, K, side * P), product)
        if side > 1 or bias is not None or relu:
            source.launch("finish", made.size, product, bias, O, P, side, relu, made)
        del seen, product  # their memory is for the next chunk
    return out


def conv2d_input_gradient(
    gradient, weight, input_shape, stride, padding, dilation, groups, into=None
):
    """Hand each output's gradient back to the pixels it saw: → (N, C, H, W), or added to `into`."""
    gradient, (N, O, oh, ow) = contiguous(gradient), gradient.shape
    _, per_group, kh, kw = weight.shape
    K, L, P, window = per_group * kh * kw, O // groups, oh * ow, ((kh, kw), stride, padding)
    filters = _as_matrices(weight, groups).swapaxes(1, 2)  # as it lies: cuBLAS turns it
    add = into is not None and into.flags.c_contiguous  # as we go, or else at the end
    x_gradient = into if add else empty(input_shape, gradient.dtype)
    for part, slabs, side in _chunks(N, (groups * K + O) * P, P):
        image = x_gradient[part]
        rows = contiguous(gradient[part].reshape(slabs, side, O, P).swapaxes(1, 2))
        rows = rows.reshape(slabs, groups, L, side * P)
        if side == 1 and not add and _is_pointwise(*window):
            matmul(filters, rows, image.reshape(slabs, groups, K, P))
        else:
            _scatter(_product(filters, rows, rows.dtype), side, image, add, *window, dilation)
        del rows  # its memory is for the next chunk
    if into is None or add:
        return x_gradient
    into += x_gradient
    return into


def conv2d_weight_gradient(gradient, x, weight_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the weights it used: → (O, C/groups, kh, kw)."""
    gradient, x = contiguous(gradient), contiguous(x)
    (N, O, oh, ow), (_, per_group, kh, kw) = gradient.shape, weight_shape
    K, L, P, window = per_group * kh * kw, O // groups, oh * ow, ((kh, kw), stride, padding)
    total = None
    for part, slabs, side in _chunks(N, groups * K * max(P, L) + O * P, P):
        seen = x[part]
        if side > 1 or not _is_pointwise(*window):
            seen = _gather(seen, side, *window, dilation)
        rows = contiguous(gradient[part].reshape(slabs, side, O, P).swapaxes(1, 2))
        rows = rows.reshape(slabs, groups, L, side * P)
        cols = seen.reshape(slabs, groups, K, side * P).swapaxes(2, 3)
        chunk = _product(rows, cols, sum_dtype(x.dtype)).sum(axis=0)
        total = chunk if total is None else total + chunk
        del seen, cols, rows  # their memory is for the next chunk
    if total is None:  # of no images
        total = cupy().zeros(weight_shape, sum_dtype(x.dtype))
    return total.reshape(weight_shape)


def conv2d_bias_gradient(gradient):
    """Sum over images and pixels: (N, O, oh, ow) → (O,)."""
    gradient, (N, O, oh, ow) = contiguous(gradient), gradient.shape
    lanes = min(LANES, -(-oh * ow // LANES))
    partial = empty((N, O, lanes), sum_dtype(gradient.dtype))
    source.launch("sum_rows", partial.size, gradient, oh * ow, lanes, partial)
    return partial.sum(axis=(0, 2))


def conv2d_relu_gradient(gradient, out):
    """Let the gradient through where the output is positive; sum that: → (N, O, oh, ow), (O,)."""
    gradient, out = contiguous(gradient), contiguous(out)
    slope = empty(out.shape, out.dtype)
    source.launch("pass_positive", out.size, gradient, out, slope)
    return slope, conv2d_bias_gradient(slope)


def _gather(x, side, kernel_size, stride, padding, dilation):
    """Make the columns, of `side` images side by side: → (N/side, C·kh·kw, side·oh·ow)."""
    N, C, H, W = x.shape
    size = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    cols = empty((N // side, C * prod(kernel_size), side * prod(size)), x.dtype)
    window = _numbers(kernel_size, size, stride, padding, dilation)
    source.launch("im2col", cols.size, x, C, H, W, *window, side, cols)
    return cols


def _scatter(cols, side, x, add, kernel_size, stride, padding, dilation):
    """Write into each pixel of x the sum of its entries in the columns, or add it with `add`."""
    size = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    window = _numbers(kernel_size, size, stride, padding, dilation)
    source.launch("col2im", x.size, cols, *x.shape[1:], *window, side, add, x)


def _numbers(kernel_size, size, stride, padding, dilation):
    """List what the kernels are told of the windows."""
    return *kernel_size, *size, *stride, padding[0][0], padding[1][0], *dilation


def _product(a, b, dtype):
    """Multiply matrices of two batches, a's axes before the last two broadcast."""
    return matmul(a, b, empty((*b.shape[:-2], a.shape[-2], b.shape[-1]), dtype))


def _as_matrices(weight, groups):
    """View a weight (O, C/groups, kh, kw) as (groups, O/groups, K)."""
    return contiguous(weight).reshape(groups, len(weight) // groups, prod(weight.shape[1:]))


def _is_pointwise(kernel_size, stride, padding):
    """Tell whether each window is the one pixel in its place."""
    return kernel_size == stride == (1, 1) and padding == ((0, 0), (0, 0))


def _chunks(count, numbers, pixels):
    """Cut a batch so that a chunk takes about `COLUMNS` numbers, of `numbers` for each image.

    Yields
    ------
    part : slice
        Of the batch.
    slabs, side : int
        How many products to make of it, and how many images of `pixels` each has side by side.
    """
    side = 1 << max(PIXELS // max(pixels, 1), 1).bit_length() - 1  # a power of two, as batches are
    step, whole = max(COLUMNS // max(numbers * side, 1), 1) * side, count - count % side
    for first in range(0, whole, step):
        last = min(first + step, whole)
        yield slice(first, last), (last - first) // side, side
    if whole < count:
        yield slice(whole, count), 1, count - whole
