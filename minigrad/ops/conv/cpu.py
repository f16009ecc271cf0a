"""Convolution, rung 3: im2col and matrix product, tile by tile, compiled and threaded.

What it gains over one big product:

* The columns are never stored whole. A tile of output pixels gathers its columns into a buffer
  that stays in the processor's cache, multiplies them, and the buffer is used again.
* Images lie channels-last in memory (`minigrad.cpu.layout`), so that one row of a window is one
  contiguous run of kw·C numbers: gathering is copying runs.
* Threads share out tiles, and never wait for each other inside one.

A *pixel* below is an output pixel of the whole batch, numbered p = (n·oh + i)·ow + j. A row of
`cols` is what its window sees, K = kh·kw·C numbers: im2col transposed, because memory runs along
rows. Weights are used as a matrix (K, O), and lie so in memory (`nn.Conv2d` sees to it). With G
the gradient of the output (pixels, O), the three products are::

    out  = cols @ weights          (pixels, K) · (K, O)
    cols' gradient = G @ weightsᵀ  (pixels, O) · (O, K)
    weights' gradient = colsᵀ @ G  (K, pixels) · (pixels, O)

Two kinds of convolution need no columns. One with 1×1 windows and stride 1 sees single pixels: its
columns are the image itself. And 3×3 windows in float32 go a shorter way, which takes a quarter of
the multiplications: see `minigrad.ops.conv.winograd`.
"""

import numpy as np

from minigrad.cpu import microkernel
from minigrad.cpu.compiler import kernel
from minigrad.cpu.gemm import gemm
from minigrad.cpu.layout import channels_first, channels_last, runs
from minigrad.cpu.matmul import add_slabs, matmul, pieces_worth, rectify, transposed
from minigrad.cpu.memory import empty, zeros
from minigrad.cpu.threads import run
from minigrad.ops.conv import columns, winograd
from minigrad.ops.window import fitting_windows

TILE_NUMBERS = 1 << 14  # in one tile of columns: 64 KiB of float32


def im2col(x, kernel_size, stride, padding, dilation):
    """Copy what each window sees into a column: (N, C, H, W) → (N, C·kh·kw, oh·ow)."""
    N, C, H, W = x.shape
    oh, ow = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    cols = empty((N, C, *kernel_size, oh, ow), x.dtype)
    origin = padding[0][0], padding[1][0]
    run(columns.im2col, N * C, np.ascontiguousarray(x), cols, stride, origin, dilation)
    return cols.reshape(N, C * kernel_size[0] * kernel_size[1], oh * ow)


def col2im(cols, input_shape, kernel_size, stride, padding, dilation):
    """Add each entry of the columns onto its pixel: (N, C·kh·kw, oh·ow) → (N, C, H, W)."""
    N, C, H, W = input_shape
    oh, ow = fitting_windows(input_shape, kernel_size, stride, padding, dilation)
    cols = np.ascontiguousarray(cols).reshape(N, C, *kernel_size, oh, ow)
    x = np.zeros(input_shape, cols.dtype)
    origin = padding[0][0], padding[1][0]
    run(columns.col2im, N * C, x, cols, stride, origin, dilation)
    return x


def conv2d_forward(x, weight, bias, stride, padding, dilation, groups, relu=False):
    """Weigh and sum each window: (N, C, H, W), (O, C/groups, kh, kw) → (N, O, oh, ow)."""
    (N, C, H, W), O = x.shape, len(weight)
    if _is_pointwise(weight.shape, stride, padding, groups):
        pixels = channels_last(x).reshape(-1, C)
        out = matmul(pixels, _as_matrix(weight), bias=bias, relu=relu)
        return channels_first(out.reshape(N, H, W, O))
    seen, padding = _seen_taps(x.shape, weight.shape, stride, padding, dilation)
    weight = weight[seen]
    kernel_size = weight.shape[2:]
    oh, ow = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    image, filters = channels_last(x), _as_matrix(weight)
    start = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    origin = padding[0][0], padding[1][0]
    if winograd.suits(x.shape, weight.shape, x.dtype, stride, padding, dilation, groups):
        filters = filters.reshape(*kernel_size, C, O)
        return channels_first(winograd.forward(image, filters, start, origin, (oh, ow), relu))
    out = empty((N, oh, ow, O), x.dtype)
    rows = _tile_rows(N * oh * ow, *filters.shape)
    geometry = kernel_size, stride, origin, dilation
    run(
        _forward, -(-N * oh * ow // rows),
        image, filters, start, out, rows, *geometry, groups, relu,
        scratch=(rows * len(filters), x.dtype),
    )  # fmt: skip
    return channels_first(out)


def conv2d_input_gradient(
    gradient, weight, input_shape, stride, padding, dilation, groups, into=None
):
    """Hand each output's gradient back to the pixels it saw: → (N, C, H, W), or added to `into`."""
    (N, C, H, W), O = input_shape, len(weight)
    slope = channels_last(gradient)
    if _is_pointwise(weight.shape, stride, padding, groups):
        filters = transposed(_as_matrix(weight))
        rows = None if into is None else channels_last(into).reshape(-1, C)
        if rows is None or not np.shares_memory(rows, into):
            return _sum(into, matmul(slope.reshape(-1, O), filters).reshape(N, H, W, C))
        matmul(slope.reshape(-1, O), filters, into=rows)
        return into
    seen, padding = _seen_taps(input_shape, weight.shape, stride, padding, dilation)
    weight = weight[seen]
    kernel_size, origin = weight.shape[2:], (padding[0][0], padding[1][0])
    if winograd.suits(input_shape, weight.shape, weight.dtype, stride, padding, dilation, groups):
        filters = _as_matrix(weight).reshape(*kernel_size, C, O)
        return _sum(into, winograd.input_gradient(slope, filters, origin, (H, W)))
    filters = transposed(_as_matrix(weight))
    image_gradient = zeros((N, H, W, C), gradient.dtype)
    # Windows overlap, so that two tiles of one image add to the same pixels. Two images never do:
    # a task is a few whole images.
    pixels = gradient.shape[2] * gradient.shape[3]
    rows = _tile_rows(N * pixels, *filters.shape[::-1])
    images = max(1, rows // max(pixels, 1))
    geometry = kernel_size, stride, origin, dilation
    run(
        _input_gradient, -(-N // images),
        slope, filters, image_gradient, rows, images, *geometry, groups,
        scratch=(rows * filters.shape[1], slope.dtype),
    )  # fmt: skip
    return _sum(into, image_gradient)


def conv2d_weight_gradient(gradient, x, weight_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the weights it used: → (O, C/groups, kh, kw)."""
    (O, per_group, kh, kw), C = weight_shape, x.shape[1]
    slope, image = channels_last(gradient), channels_last(x)
    if _is_pointwise(weight_shape, stride, padding, groups):
        matrix = matmul(image.reshape(-1, C), slope.reshape(-1, O), transpose_a=True)
        return matrix.reshape(1, 1, C, O).transpose(3, 2, 0, 1)
    seen, within = _seen_taps(x.shape, weight_shape, stride, padding, dilation)
    if within != padding:
        weight_gradient = zeros((kh, kw, per_group, O), gradient.dtype).transpose(3, 2, 0, 1)
        part = weight_gradient[seen]
        geometry = stride, within, dilation, groups
        part[...] = conv2d_weight_gradient(gradient, x, part.shape, *geometry)
        return weight_gradient
    if winograd.suits(x.shape, weight_shape, x.dtype, stride, padding, dilation, groups):
        origin = padding[0][0], padding[1][0]
        return winograd.weight_gradient(slope, image, origin).transpose(3, 2, 0, 1)
    # A task is a few rows of the kernel and a slab of pixels. Slabs are summed in their order.
    pixels = slope.size // O
    kernel_rows = min(kh, max(1, 384 // (kw * per_group)))
    parts = -(-kh // kernel_rows)
    worth = pieces_worth(pixels * O * kh * kw * per_group)
    slabs = min(-(-worth // parts), max(1, pixels // 512))
    partial = zeros((slabs, kh * kw * per_group, O), gradient.dtype)
    rows = _tile_rows(pixels, kernel_rows * kw * per_group, O)
    geometry = (kh, kw), stride, (padding[0][0], padding[1][0]), dilation
    run(
        _weight_gradient, slabs * parts,
        slope, image, partial, rows, kernel_rows, *geometry, groups,
        scratch=(rows * kernel_rows * kw * per_group, slope.dtype),
    )  # fmt: skip
    return add_slabs(partial).reshape(kh, kw, per_group, O).transpose(3, 2, 0, 1)


def conv2d_bias_gradient(gradient):
    """Sum over images and pixels: (N, O, oh, ow) → (O,)."""
    rows = channels_last(gradient).reshape(-1, gradient.shape[1])
    step = 1024
    partial = np.zeros((max(1, -(-len(rows) // step)), rows.shape[1]), rows.dtype)
    run(_sum_rows, -(-len(rows) // step), rows, partial, step)
    return add_slabs(partial)


def conv2d_relu_gradient(gradient, out):
    """Let the gradient through where the output is positive; sum that: → (N, O, oh, ow), (O,)."""
    out = channels_last(out)
    O, slope, step = out.shape[3], empty(out.shape, out.dtype), 1024
    numbers, length, distance = runs(gradient, channels_first(out))
    if length != O:  # without gaps
        distance = O
    pixels = out.size // max(O, 1)
    partial = np.zeros((max(1, -(-pixels // step)), O), out.dtype)
    rows = out.reshape(-1, O), slope.reshape(-1, O)
    run(_pass_positive, -(-pixels // step), numbers, distance, *rows, partial, step)
    return channels_first(slope), add_slabs(partial)


def _sum(into, image_gradient):
    """Add (N, H, W, C) to `into`, if there is one."""
    image_gradient = channels_first(image_gradient)
    return image_gradient if into is None else np.add(into, image_gradient, out=into)


def _as_matrix(weight):
    """View a weight (O, C, kh, kw) as (kh·kw·C, O), copying unless it lies in memory so."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(-1, len(weight))


def _seen_taps(x_shape, weight_shape, stride, padding, dilation):
    """Find the elements of the kernel that ever meet a pixel: on small maps the outer ones do not.

    A 5×5 kernel that keeps the size of a 2×2 map meets it with its inner 3×3 only.

    Returns
    -------
    seen : tuple of slices
        Of the weight's axes.
    padding : ((int, int), (int, int))
        That leaves the windows where they were, for the smaller kernel.
    """
    if (*stride, *dilation) != (1, 1, 1, 1):
        return (...,), padding
    seen, within = [slice(None), slice(None)], []
    for length, taps, (before, after) in zip(x_shape[2:], weight_shape[2:], padding, strict=True):
        count = length + before + after - taps + 1  # of windows
        first, end = max(0, before - count + 1), min(taps, before + length)
        if end <= first:  # no window sees a pixel
            return (...,), padding
        seen.append(slice(first, end))
        within.append((before - first, after - (taps - end)))
    return tuple(seen), tuple(within)


def _is_pointwise(weight_shape, stride, padding, groups):
    unpadded = padding == ((0, 0), (0, 0))
    return unpadded and weight_shape[2:] == stride == (1, 1) and groups == 1


def _tile_rows(pixels, k, outputs):
    """Choose how many pixels a tile has: what the cache holds, but enough tiles for all threads."""
    step = microkernel.ROWS
    share = -(-pixels // pieces_worth(pixels * k * outputs))
    fitting = min(TILE_NUMBERS // k, 1024, share)
    return max(-(-fitting // step), 4) * step


# -- the tiles ---------------------------------------------------------------------------------


@kernel
def _forward(
    first, last, image, filters, bias, out, rows,
    kernel_size, stride, origin, dilation, groups, relu, work,
):  # fmt: skip
    """Tile t makes output pixels t·rows …: gather, multiply."""
    N, oh, ow, O = out.shape
    (kh, kw), pixels, outputs = kernel_size, N * oh * ow, O // groups
    per_group = image.shape[3] // groups
    flat_out = out.reshape(pixels, O)
    cols = work.reshape(rows, len(filters))
    for tile in range(first, last):
        p, p_end = tile * rows, min((tile + 1) * rows, pixels)
        flat_out[p:p_end] = bias
        for g in range(groups):
            channels = (g * per_group, (g + 1) * per_group)
            columns.gather(
                image, cols, p, p_end, (oh, ow), (0, kh), kw, stride, origin, dilation, channels
            )
            o, o_end = g * outputs, (g + 1) * outputs
            seen = cols[: p_end - p]
            gemm(seen, filters[:, o:o_end], flat_out[p:p_end, o:o_end], False, True)
        if relu:
            rectify(flat_out[p:p_end])


@kernel
def _input_gradient(
    first, last, slope, filters, image_gradient, rows, images,
    kernel_size, stride, origin, dilation, groups, work,
):  # fmt: skip
    """Task t does images t·images …, tile by tile: multiply, scatter."""
    N, oh, ow, O = slope.shape
    outputs, per_group = O // groups, image_gradient.shape[3] // groups
    flat_slope = slope.reshape(N * oh * ow, O)
    cols = work.reshape(rows, filters.shape[1])
    for task in range(first, last):
        task_end = min((task + 1) * images, N) * oh * ow
        for p in range(task * images * oh * ow, task_end, rows):
            p_end = min(p + rows, task_end)
            for g in range(groups):
                o, o_end = g * outputs, (g + 1) * outputs
                tile = cols[: p_end - p]
                gemm(flat_slope[p:p_end, o:o_end], filters[o:o_end], tile, False, False)
                channels = (g * per_group, (g + 1) * per_group)
                columns.scatter(
                    cols, image_gradient, p, p_end, (oh, ow),
                    kernel_size, stride, origin, dilation, channels,
                )  # fmt: skip


@kernel
def _weight_gradient(
    first, last, slope, image, partial, rows, kernel_rows,
    kernel_size, stride, origin, dilation, groups, work,
):  # fmt: skip
    """Task t does some rows of the kernel over a slab of pixels, tile by tile: gather, multiply."""
    N, oh, ow, O = slope.shape
    (kh, kw), pixels, outputs = kernel_size, N * oh * ow, O // groups
    per_group = image.shape[3] // groups
    parts, depth = -(-kh // kernel_rows), -(-pixels // len(partial))
    flat_slope = slope.reshape(pixels, O)
    cols = work.reshape(rows, kernel_rows * kw * per_group)
    for task in range(first, last):
        slab, u = task // parts, task % parts * kernel_rows
        u_end = min(u + kernel_rows, kh)
        k, k_end = u * kw * per_group, u_end * kw * per_group
        slab_end = min((slab + 1) * depth, pixels)
        for p in range(slab * depth, slab_end, rows):
            p_end = min(p + rows, slab_end)
            for g in range(groups):
                channels = (g * per_group, (g + 1) * per_group)
                columns.gather(
                    image, cols, p, p_end, (oh, ow),
                    (u, u_end), kw, stride, origin, dilation, channels,
                )  # fmt: skip
                o, o_end = g * outputs, (g + 1) * outputs
                tile = cols[: p_end - p, : k_end - k]
                gemm(
                    tile, flat_slope[p:p_end, o:o_end], partial[slab, k:k_end, o:o_end], True, True
                )


@kernel
def _sum_rows(first, last, rows, partial, step):
    """Task t sums rows t·step … into row t of `partial`."""
    for task in range(first, last):
        total = partial[task]
        for r in range(task * step, min((task + 1) * step, len(rows))):
            row = rows[r]
            for c in range(len(row)):
                total[c] += row[c]


@kernel
def _pass_positive(first, last, gradient, distance, out, slope, partial, step):
    """Task t does pixels t·step …, and sums what it lets through into row t of `partial`."""
    zero, O = out.dtype.type(0), out.shape[1]
    for task in range(first, last):
        total = partial[task]
        for p in range(task * step, min((task + 1) * step, len(out))):
            given, made, passed = gradient[p * distance : p * distance + O], out[p], slope[p]
            for o in range(O):
                passed[o] = given[o] if made[o] > 0 else zero
                total[o] += passed[o]
