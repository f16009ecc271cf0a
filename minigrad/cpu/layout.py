"""How the compiled kernels lay images out in memory: channels last.

A tensor's shape is always (N, C, H, W). In memory the compiled kernels keep all channels of one
pixel side by side, (N, H, W, C): then the part of a row that a window sees is one contiguous run,
a 1×1 convolution is one matrix product without any copy, and every loop over channels fills whole
vector registers. An array that comes in another order is copied once; what a kernel returns is
already in this order, so within a network nothing is copied.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigrad.cpu.compiler import kernel
from minigrad.cpu.memory import empty
from minigrad.cpu.threads import run


def channels_last(x):
    """View (N, C, H, W) as a contiguous (N, H, W, C), copying only if memory is not in order."""
    N, C, H, W = x.shape
    if C <= FEW and x.size > STRIP and x.flags.c_contiguous and C > 1:
        pixels = empty((N, H, W, C), x.dtype)
        strips = -(-H * W // STRIP)
        run(_interleave, N * strips, x.reshape(N, C, -1), pixels.reshape(N, -1, C))
        return pixels
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


FEW = 4  # channels: those of a picture
STRIP = 1 << 12  # pixels in one task


@kernel
def _interleave(first, last, planes, pixels):
    """Put a strip of each plane of a picture side by side: (N, C, H·W) → (N, H·W, C)."""
    N, C, area = planes.shape
    strips = -(-area // STRIP)
    for task in range(first, last):
        n, start = task // strips, task % strips * STRIP
        for p in range(start, min(start + STRIP, area)):
            for c in range(C):
                pixels[n, p, c] = planes[n, c, p]


def channels_first(x):
    """View (N, H, W, C) as (N, C, H, W) again."""
    return x.transpose(0, 3, 1, 2)


def flat(x):
    """View all numbers of `x` as one row, in the order of memory.

    Possible if `x` is contiguous in some order of its axes; otherwise a contiguous copy is made.
    """
    x = x if is_dense(x) else np.ascontiguousarray(x)
    return x.transpose(_memory_order(x)).reshape(-1)


def is_dense(x):
    """Tell whether `x` fills its memory without gaps, in some order of its axes."""
    return x.transpose(_memory_order(x)).flags.c_contiguous


def like(x, model):
    """Lay `x` out in memory as `model` is, copying only if it is not."""
    if all(a == b or n == 1 for a, b, n in zip(x.strides, model.strides, x.shape, strict=True)):
        return x
    ordered = empty_like(model, x.dtype)
    ordered[...] = x
    return ordered


def runs(x, model):
    """Cut `x` into equal runs of neighbours, in the order of memory of the dense array `model`.

    A few channels of a channels-last image are runs with gaps between them: nothing is copied.

    Returns
    -------
    numbers : 1-D array
        What lies in memory from the first number of `x` to the last.
    length, step : int
        Of a run, and from the beginning of one to that of the next.
    """
    if (
        x.ndim == 4
        and x.strides != model.strides
        and model.transpose(0, 2, 3, 1).flags.c_contiguous
    ):
        N, C, H, W = x.shape
        n, c, h, w = (stride // x.itemsize for stride in x.strides)
        if c == 1 and (n, h) == (H * W * w, W * w) and x.size:
            around = (N * H * W - 1) * w + C
            return as_strided(x, (around,), (x.itemsize,), writeable=False), C, w
    return flat(like(x, model)), x.size, x.size


def empty_like(model, dtype=None):
    """Make an array of the shape of `model` that lies in memory as it does, without gaps."""
    order = _memory_order(model)
    out = empty([model.shape[axis] for axis in order], dtype or model.dtype)
    return out.transpose(np.argsort(order))


def _memory_order(x):
    """List the axes from the one with the longest steps to the one with the shortest."""
    return sorted(range(x.ndim), key=x.strides.__getitem__, reverse=True)
