"""Moving numbers between images and columns: part of rung 3.

`gather` and `scatter` serve the tiles of `minigrad.ops.conv.cpu`: channels last, some windows at a
time, one window a row. `im2col` and `col2im` are the public ones: channels first, all at once, one
window a column.

To gather is linear, a matrix of zeros and ones; to scatter is that matrix transposed. So what one
reads, the other adds to, and nothing else differs between the two.
"""

from minigrad.cpu.compiler import kernel
from minigrad.cpu.vectors import MOST_LANES, copy_registers

# -- channels last, tile by tile -----------------------------------------------------------------


@kernel
def gather(image, cols, p, p_end, size, u_range, kw, stride, origin, dilation, c_range):
    """Fill row i of `cols` with what window p + i sees, for windows p … p_end − 1.

    Only the kernel's rows in `u_range`, and the channels in `c_range`: all of them unless there
    are groups.
    """
    N, H, W, C = image.shape
    oh, ow = size
    flat, flat_cols = image.reshape(-1), cols.reshape(-1)
    c_first, c_last = c_range
    channels = c_last - c_first
    contiguous = dilation[1] == 1 and channels == C
    last_in, last_out = len(flat) - kw * C - MOST_LANES, len(flat_cols) - kw * C - MOST_LANES
    n, i, j = p // (oh * ow), p // ow % oh, p % ow
    for q in range(p, p_end):
        row, start = cols[q - p], (q - p) * cols.shape[1]
        z = j * stride[1] - origin[1]
        at = 0
        for u in range(u_range[0], u_range[1]):
            y = i * stride[0] - origin[0] + u * dilation[0]
            source = ((n * H + y) * W + z) * C
            inside = 0 <= y < H and 0 <= z <= W - kw
            if contiguous and inside and source <= last_in and start + at <= last_out:
                # The window's row is one run of kw pixels. It is copied in whole registers, with a
                # little of what comes after it; the next run is copied over that.
                copy_registers(flat, source, flat_cols, start + at, kw * C)
                at += kw * C
            elif contiguous:
                # Cut off what hangs over the border.
                left = min(max(-z, 0), kw) if 0 <= y < H else kw
                right = max(min(W - z, kw), left) if 0 <= y < H else kw
                row[at : at + left * C] = 0
                seen = (right - left) * C
                run_in = flat[source + left * C : source + left * C + seen]
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
        j += 1
        if j == ow:
            i, j = i + 1, 0
        if i == oh:
            n, i = n + 1, 0


@kernel
def scatter(cols, image, p, p_end, size, kernel_size, stride, origin, dilation, c_range):
    """Add row i of `cols` onto the pixels that window p + i saw: `gather` transposed."""
    N, H, W, C = image.shape
    oh, ow = size
    flat = image.reshape(-1)
    kh, kw = kernel_size
    c_first, c_last = c_range
    channels = c_last - c_first
    contiguous = dilation[1] == 1 and channels == C
    for q in range(p, p_end):
        n, i, j = q // (oh * ow), q // ow % oh, q % ow
        row = cols[q - p]
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


# -- channels first, all at once -----------------------------------------------------------------


@kernel
def im2col(first, last, x, cols, stride, origin, dilation):
    """Task n·C + c copies what each window sees of that plane."""
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
def col2im(first, last, x, cols, stride, origin, dilation):
    """Task n·C + c adds each entry of the columns onto that plane: `im2col` transposed."""
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
