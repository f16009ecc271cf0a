"""ONNX's windows, written as calls of minigrad: convolution, pooling and columns.

ONNX lets a border be wider on one side than on the other, and wider than half of the window. Where
ours does not, the border is put around the image first.
"""

import math
from collections.abc import Callable

import numpy as np

from minigrad import functional as F
from minigrad import tensor
from tests.conformance.verdicts import LeftOut

Pads = list[tuple[int, int]]


def window_pads(shape, kernel, strides, dilations, pads, auto_pad) -> Pads:
    """Give (before, after) for each axis that a window slides along."""
    if auto_pad == "VALID" or (auto_pad == "NOTSET" and pads is None):
        return [(0, 0)] * len(kernel)
    if auto_pad == "NOTSET":
        return list(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    found = []
    for n, k, s, d in zip(shape[2:], kernel, strides, dilations, strict=True):
        total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
        small, large = total // 2, total - total // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return found


def window(x, kernel, strides, dilations, pads, auto_pad):
    """Read the attributes of a window, with their defaults."""
    strides, dilations = strides or [1] * len(kernel), dilations or [1] * len(kernel)
    return kernel, strides, dilations, window_pads(
        x.shape, kernel, strides, dilations, pads, auto_pad
    )  # fmt: skip


def in_front(x, pads: Pads, value: float):
    """Put a border around an image (N, C, H, W), with widths that a window itself may not have."""
    (top, bottom), (left, right) = pads
    return F.pad(x, (left, right, top, bottom), value)


def conv(
    x, weight, bias=None, *, kernel_shape=None, strides=None, dilations=None, pads=None,
    group=1, auto_pad="NOTSET",
):  # fmt: skip
    kernel = weight.shape[2:]
    assert kernel_shape is None or tuple(kernel_shape) == kernel
    _, strides, dilations, pads = window(x, kernel, strides, dilations, pads, auto_pad)
    if all(before == after for before, after in pads):
        padding = tuple(before for before, _ in pads)
    else:
        x, padding = in_front(x, pads, 0.0), 0
    return F.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), group)


def pooled(pool: Callable, x, kernel, strides, dilations, pads: Pads):
    """Pool images (N, C, H, W), (N, C, L) or (N, C, D, H, W) with a pooling of (N, C, H, W).

    The largest, or the mean, of a box is that of the largest, or means, of its slices.
    """
    if len(kernel) == 1:
        wide = [1, *kernel], [1, *strides], [1, *dilations], [(0, 0), *pads]
        return pool(x.unsqueeze(2), *wide).squeeze(2)
    if len(kernel) == 2:
        return pool(x, kernel, strides, dilations, pads)
    n, c, d, h, w = x.shape
    slices = pool(
        x.reshape(n, c * d, h, w), kernel[1:], strides[1:], dilations[1:], pads[1:]
    )  # fmt: skip
    h, w = slices.shape[2:]
    high = [kernel[0], 1], [strides[0], 1], [dilations[0], 1], [pads[0], (0, 0)]
    return pool(slices.reshape(n * c, 1, d, h * w), *high).reshape(n, c, -1, h, w)


def own_padding(kernel, pads: Pads) -> tuple[int, int] | None:
    """Give the padding as our poolings take it, or None if they do not take it."""
    fits = all(a == b and a <= k // 2 for k, (a, b) in zip(kernel, pads, strict=True))
    return (pads[0][0], pads[1][0]) if fits else None


def max_pool(
    x, *, kernel_shape, strides=None, dilations=None, pads=None, ceil_mode=0, auto_pad="NOTSET",
    storage_order=0,
):  # fmt: skip
    if x.dtype.kind != "f":
        raise LeftOut("integers: our windows take float32 and float64")

    def pool(x, kernel, strides, dilations, pads):
        padding = own_padding(kernel, pads)
        if padding is None:
            if ceil_mode:
                raise LeftOut("ceil mode with a padding that our windows do not have")
            x, padding = in_front(x, pads, -math.inf), 0
        return F.max_pool2d(
            x, tuple(kernel), tuple(strides), padding, tuple(dilations), bool(ceil_mode)
        )

    out = pooled(pool, x, *window(x, kernel_shape, strides, dilations, pads, auto_pad))
    return [out, LeftOut("indices: our max pooling gives none")]


def average_pool(
    x, *, kernel_shape, strides=None, dilations=None, pads=None, ceil_mode=0, auto_pad="NOTSET",
    count_include_pad=0,
):  # fmt: skip
    def pool(x, kernel, strides, dilations, pads):
        if set(dilations) != {1}:
            raise LeftOut("dilation: our averages are over neighbours")
        padding = own_padding(kernel, pads)
        options = tuple(kernel), tuple(strides)
        if padding is not None:
            return F.avg_pool2d(x, *options, padding, bool(ceil_mode), bool(count_include_pad))
        if ceil_mode:
            raise LeftOut("ceil mode with a padding that our windows do not have")
        out = F.avg_pool2d(in_front(x, pads, 0.0), *options)
        if count_include_pad:
            return out
        ones = tensor(np.ones(x.shape, x.dtype))
        return out / F.avg_pool2d(in_front(ones, pads, 0.0), *options)

    return pooled(pool, x, *window(x, kernel_shape, strides, dilations, pads, auto_pad))


def col2im(cols, image_shape, block_shape, *, dilations=None, pads=None, strides=None):
    image, block = image_shape.tolist(), block_shape.tolist()
    if len(image) != 2:
        raise LeftOut("columns of a volume: ours are of images")
    pads = pads or [0] * 4
    if pads[:2] != pads[2:]:
        raise LeftOut("columns with a padding that is not the same on both sides")
    return F.col2im(cols, image, block, strides or 1, pads[:2], dilations or 1)
