"""Convolution, rung 3: im2col and matrix product, tile by tile, compiled and threaded.

What it gains over one big product:

* The columns are never stored whole. A tile of output pixels gathers its columns into a buffer
  that stays in the processor's cache, multiplies them, and the buffer is used again.
* Images lie channels-last in memory (`minigrad.cpu.layout`), so that one row of a window is one
  contiguous run of kw·C numbers: gathering is copying runs.
* Threads share out tiles, each with a single-threaded BLAS, and never wait for each other.

A *pixel* below is an output pixel of the whole batch, numbered p = (n·oh + i)·ow + j. A row of
`cols` is what its window sees, (kh, kw, C) flattened: im2col transposed, because memory runs
along rows. A 1×1 convolution with stride 1 sees single pixels: its columns are the image itself.
"""

import numpy as np

from minigrad.cpu.compiler import kernel
from minigrad.cpu.gemm import gemm
from minigrad.cpu.layout import channels_first, channels_last
from minigrad.cpu.matmul import matmul
from minigrad.cpu.threads import run
from minigrad.ops.window import fitting_windows

TILE_NUMBERS = 1 << 18  # in one tile of columns: 1 MiB of float32
ENOUGH = 8  # tasks to keep a few threads busy


def im2col(x, kernel_size, stride, padding, dilation):
    """Copy what each window sees into a column: (N, C, H, W) → (N, C·kh·kw, oh·ow)."""
    N, C, H, W = x.shape
    oh, ow = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    cols = np.empty((N, C, *kernel_size, oh, ow), x.dtype)
    origin = padding[0][0], padding[1][0]
    run(_im2col, N * C, np.ascontiguousarray(x), cols, stride, origin, dilation)
    return cols.reshape(N, C * kernel_size[0] * kernel_size[1], oh * ow)


def col2im(cols, input_shape, kernel_size, stride, padding, dilation):
    """Add each entry of the columns onto its pixel: (N, C·kh·kw, oh·ow) → (N, C, H, W)."""
    N, C, H, W = input_shape
    oh, ow = fitting_windows(input_shape, kernel_size, stride, padding, dilation)
    cols = np.ascontiguousarray(cols).reshape(N, C, *kernel_size, oh, ow)
    x = np.zeros(input_shape, cols.dtype)
    origin = padding[0][0], padding[1][0]
    run(_col2im, N * C, x, cols, stride, origin, dilation)
    return x


def conv2d_forward(x, weight, bias, stride, padding, dilation, groups):
    """Weigh and sum each window: (N, C, H, W), (O, C/groups, kh, kw) → (N, O, oh, ow)."""
    (N, C), O, kernel_size = x.shape[:2], len(weight), weight.shape[2:]
    oh, ow = fitting_windows(x.shape, kernel_size, stride, padding, dilation)
    image, filters = channels_last(x), channels_last(weight)
    start = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    if _is_pointwise(kernel_size, stride, padding, groups):
        out = matmul(image.reshape(-1, C), filters.reshape(O, C), transpose_b=True, bias=start)
        return channels_first(out.reshape(N, oh, ow, O))
    out = np.empty((N, oh, ow, O), x.dtype)
    rows = _tile_rows(N * oh * ow, filters.size // O)
    geometry = stride, (padding[0][0], padding[1][0]), dilation
    run(_forward, -(-N * oh * ow // rows), image, filters, start, out, rows, *geometry, groups)
    return channels_first(out)


def conv2d_input_gradient(gradient, weight, input_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the pixels it saw: → (N, C, H, W)."""
    (N, C, H, W), (O, _, *kernel_size) = input_shape, weight.shape
    slope, filters = channels_last(gradient), channels_last(weight)
    if _is_pointwise(kernel_size, stride, padding, groups):
        image_gradient = matmul(slope.reshape(-1, O), filters.reshape(O, C))
        return channels_first(image_gradient.reshape(N, H, W, C))
    image_gradient = np.zeros((N, H, W, C), gradient.dtype)
    # Windows overlap, so that two tiles of one image add to the same pixels. Two images never do:
    # a task is a few whole images.
    pixels = gradient.shape[2] * gradient.shape[3]
    rows = _tile_rows(N * pixels, filters.size // O)
    images = max(1, rows // max(pixels, 1))
    geometry = stride, (padding[0][0], padding[1][0]), dilation
    run(
        _input_gradient, -(-N // images),
        slope, filters, image_gradient, rows, images, *geometry, groups,
    )  # fmt: skip
    return channels_first(image_gradient)


def conv2d_weight_gradient(gradient, x, weight_shape, stride, padding, dilation, groups):
    """Hand each output's gradient back to the weights it used: → (O, C/groups, kh, kw)."""
    (O, per_group, kh, kw), C = weight_shape, x.shape[1]
    slope, image = channels_last(gradient), channels_last(x)
    if _is_pointwise((kh, kw), stride, padding, groups):
        weight_gradient = matmul(slope.reshape(-1, O), image.reshape(-1, C), transpose_a=True)
        return channels_first(weight_gradient.reshape(O, 1, 1, C))
    # A task is a few rows of the kernel and a slab of pixels. Slabs are summed in their order.
    pixels = slope.size // O
    kernel_rows = min(kh, max(1, 384 // (kw * per_group)))
    parts = -(-kh // kernel_rows)
    slabs = min(-(-ENOUGH // parts), max(1, pixels // 512))
    partial = np.zeros((slabs, O, kh, kw, per_group), gradient.dtype)
    rows = _tile_rows(pixels, kernel_rows * kw * per_group)
    geometry = stride, (padding[0][0], padding[1][0]), dilation
    run(
        _weight_gradient, slabs * parts,
        slope, image, partial, rows, kernel_rows, *geometry, groups,
    )  # fmt: skip
    return channels_first(partial[0] if slabs == 1 else partial.sum(axis=0))


def conv2d_bias_gradient(gradient):
    """Sum over images and pixels: (N, O, oh, ow) → (O,)."""
    rows = channels_last(gradient).reshape(-1, gradient.shape[1])
    step = 1024
    partial = np.zeros((max(1, -(-len(rows) // step)), rows.shape[1]), rows.dtype)
    run(_sum_rows, -(-len(rows) // step), rows, partial, step)
    return partial.sum(axis=0)


def _is_pointwise(kernel_size, stride, padding, groups):
    return (*kernel_size, *stride, groups) == (1, 1, 1, 1, 1) and not any(map(any, padding))


def _tile_rows(pixels, numbers_per_row):
    """Choose how many pixels a tile has: what the cache holds, but enough tiles for all threads."""
    fitting = TILE_NUMBERS // numbers_per_row
    return int(min(max(fitting, 64), 1024, max(64, -(-pixels // ENOUGH))))


# -- moving numbers between images and columns -------------------------------------------------


@kernel
def _gather(
    image,
    cols,
    p_first,
    p_last,
    size,
    u_first,
    u_last,
    kw,
    stride,
    origin,
    dilation,
    c_first,
    c_last,
):
    """Fill row p − p_first of `cols` with what window p sees: kernel rows u_first … u_last − 1.

    Only channels c_first … c_last − 1, which are all of them unless there are groups.
    """
    N, H, W, C = image.shape
    oh, ow = size
    flat = image.reshape(-1)
    channels = c_last - c_first
    contiguous = dilation[1] == 1 and channels == C
    for p in range(p_first, p_last):
        n, i, j = p // (oh * ow), p // ow % oh, p % ow
        row = cols[p - p_first]
        z = j * stride[1] - origin[1]
        at = 0
        for u in range(u_first, u_last):
            y = i * stride[0] - origin[0] + u * dilation[0]
            if contiguous:
                # The window's row is one run of kw pixels; cut off what hangs over the border.
                left = min(max(-z, 0), kw) if 0 <= y < H else kw
                right = max(min(W - z, kw), left) if 0 <= y < H else kw
                row[at : at + left * C] = 0
                seen = (right - left) * C
                source = ((n * H + y) * W + z + left) * C
                run_in = flat[source : source + seen]
                run_out = row[at + left * C : at + left * C + seen]
                for c in range(seen):
                    run_out[c] = run_in[c]
                row[at + right * C : at + kw * C] = 0
                at += kw * C
            else:
                for v in range(kw):
                    x = z + v * dilation[1]
                    if 0 <= y < H and 0 <= x < W:
                        row[at : at + channels] = image[n, y, x, c_first:c_last]
                    else:
                        row[at : at + channels] = 0
                    at += channels


@kernel
def _scatter(cols, image, p_first, p_last, size, kh, kw, stride, origin, dilation, c_first, c_last):
    """Add row p − p_first of `cols` onto the pixels that window p saw: `_gather` transposed."""
    N, H, W, C = image.shape
    oh, ow = size
    flat = image.reshape(-1)
    channels = c_last - c_first
    contiguous = dilation[1] == 1 and channels == C
    for p in range(p_first, p_last):
        n, i, j = p // (oh * ow), p // ow % oh, p % ow
        row = cols[p - p_first]
        z = j * stride[1] - origin[1]
        for u in range(kh):
            y = i * stride[0] - origin[0] + u * dilation[0]
            if not 0 <= y < H:
                continue
            at = u * kw * channels
            if contiguous:
                left = min(max(-z, 0), kw)
                right = max(min(W - z, kw), left)
                seen = (right - left) * C
                target = ((n * H + y) * W + z + left) * C
                run_out = flat[target : target + seen]
                run_in = row[at + left * C : at + left * C + seen]
                for c in range(seen):
                    run_out[c] += run_in[c]
            else:
                for v in range(kw):
                    x = z + v * dilation[1]
                    if 0 <= x < W:
                        for c in range(channels):
                            image[n, y, x, c_first + c] += row[at + v * channels + c]


# -- the tiles ---------------------------------------------------------------------------------


@kernel
def _forward(first, last, image, weight, bias, out, rows, stride, origin, dilation, groups):
    """Tile t makes output pixels t·rows …: gather, multiply."""
    O, kh, kw, per_group = weight.shape
    N, oh, ow, _ = out.shape
    pixels, outputs = N * oh * ow, O // groups
    filters, flat_out = weight.reshape(O, kh * kw * per_group), out.reshape(pixels, O)
    cols = np.empty((rows, kh * kw * per_group), image.dtype)
    for tile in range(first, last):
        p, p_end = tile * rows, min((tile + 1) * rows, pixels)
        flat_out[p:p_end] = bias
        for g in range(groups):
            _gather(
                image, cols, p, p_end, (oh, ow), 0, kh, kw, stride, origin, dilation,
                g * per_group, (g + 1) * per_group,
            )  # fmt: skip
            o, o_end = g * outputs, (g + 1) * outputs
            c = flat_out[p:p_end, o:o_end]
            gemm(cols[: p_end - p], filters[o:o_end], c, False, True, True)


@kernel
def _input_gradient(
    first, last, slope, weight, image_gradient, rows, images, stride, origin, dilation, groups
):
    """Task t does images t·images …, tile by tile: multiply, scatter."""
    O, kh, kw, per_group = weight.shape
    N, oh, ow, _ = slope.shape
    outputs = O // groups
    filters, flat_slope = weight.reshape(O, kh * kw * per_group), slope.reshape(N * oh * ow, O)
    cols = np.empty((rows, kh * kw * per_group), slope.dtype)
    for task in range(first, last):
        task_end = min((task + 1) * images, N) * oh * ow
        for p in range(task * images * oh * ow, task_end, rows):
            p_end = min(p + rows, task_end)
            for g in range(groups):
                o, o_end = g * outputs, (g + 1) * outputs
                tile = cols[: p_end - p]
                gemm(flat_slope[p:p_end, o:o_end], filters[o:o_end], tile, False, False, False)
                _scatter(
                    cols, image_gradient, p, p_end, (oh, ow), kh, kw, stride, origin, dilation,
                    g * per_group, (g + 1) * per_group,
                )  # fmt: skip


@kernel
def _weight_gradient(
    first, last, slope, image, partial, rows, kernel_rows, stride, origin, dilation, groups
):
    """Task t does some rows of the kernel over a slab of pixels, tile by tile: gather, multiply."""
    slabs, O, kh, kw, per_group = partial.shape
    N, oh, ow, _ = slope.shape
    pixels, outputs = N * oh * ow, O // groups
    parts, depth = -(-kh // kernel_rows), -(-pixels // slabs)
    flat_slope = slope.reshape(pixels, O)
    flat_partial = partial.reshape(slabs, O, kh * kw * per_group)
    cols = np.empty((rows, kernel_rows * kw * per_group), image.dtype)
    for task in range(first, last):
        slab, u = task // parts, task % parts * kernel_rows
        u_end = min(u + kernel_rows, kh)
        k, k_end = u * kw * per_group, u_end * kw * per_group
        slab_end = min((slab + 1) * depth, pixels)
        for p in range(slab * depth, slab_end, rows):
            p_end = min(p + rows, slab_end)
            for g in range(groups):
                _gather(
                    image, cols, p, p_end, (oh, ow), u, u_end, kw, stride, origin, dilation,
                    g * per_group, (g + 1) * per_group,
                )  # fmt: skip
                o, o_end = g * outputs, (g + 1) * outputs
                tile = cols[: p_end - p, : k_end - k]
                c = flat_partial[slab, o:o_end, k:k_end]
                gemm(flat_slope[p:p_end, o:o_end], tile, c, True, False, True)


@kernel
def _sum_rows(first, last, rows, partial, step):
    """Task t sums rows t·step … into row t of `partial`."""
    for task in range(first, last):
        total = partial[task]
        for r in range(task * step, min((task + 1) * step, len(rows))):
            row = rows[r]
            for c in range(len(row)):
                total[c] += row[c]


# -- the public im2col, channels first -----------------------------------------------------------


@kernel
def _im2col(first, last, x, cols, stride, origin, dilation):
    N, C, H, W = x.shape
    _, _, kh, kw, oh, ow = cols.shape
    for task in range(first, last):
        image, columns = x[task // C, task % C], cols[task // C, task % C]
        for u in range(kh):
            for v in range(kw):
                for i in range(oh):
                    y = i * stride[0] - origin[0] + u * dilation[0]
                    for j in range(ow):
                        z = j * stride[1] - origin[1] + v * dilation[1]
                        inside = 0 <= y < H and 0 <= z < W
                        columns[u, v, i, j] = image[y, z] if inside else 0


@kernel
def _col2im(first, last, x, cols, stride, origin, dilation):
    N, C, H, W = x.shape
    _, _, kh, kw, oh, ow = cols.shape
    for task in range(first, last):
        image, columns = x[task // C, task % C], cols[task // C, task % C]
        for u in range(kh):
            for v in range(kw):
                for i in range(oh):
                    y = i * stride[0] - origin[0] + u * dilation[0]
                    if 0 <= y < H:
                        for j in range(ow):
                            z = j * stride[1] - origin[1] + v * dilation[1]
                            if 0 <= z < W:
                                image[y, z] += columns[u, v, i, j]
