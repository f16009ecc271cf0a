"""Definitions in a few lines of NumPy, that share nothing with the rungs.

Mistakes are planted in all rungs alike, so no rung can bear witness. These formulas are written
anew, from NumPy's own sliding windows and sums, and are as slow as they like.
"""

from itertools import count, takewhile

import numpy as np

from minigrad.autograd import Array

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def windows(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    fill: float = 0.0,
    beyond: float | None = None,
) -> Array:
    """Copy what each window sees: (N, C, H, W) → (N, C, oh, ow, kh, kw).

    Padding holds `fill`, what hangs over it in ceil mode `beyond` (if not given, `fill` as well).
    """
    view = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=fill)
    for axis, k, s, ends, d in zip((2, 3), kernel_size, stride, padding, dilation, strict=True):
        length, spread = view.shape[axis], d * (k - 1) + 1
        starts = _starts(length, spread, s, length - ends[1], ceil_mode)
        hanging = max(starts[-1] + spread - length, 0)
        grown = [(0, 0)] * view.ndim
        grown[axis] = (0, hanging)
        outside = fill if beyond is None else beyond
        view = np.pad(view, grown, constant_values=outside)
        view = np.lib.stride_tricks.sliding_window_view(view, spread, axis)
        view = view.take(starts, axis)[..., ::d]
    return view


def _starts(length: int, spread: int, stride: int, end: int, ceil_mode: bool) -> list[int]:
    """List where windows begin, on an axis whose image and first padding end at `end`."""

    def fits(start: int) -> bool:
        if not ceil_mode:
            return start + spread <= length
        one_before_left_some = start - stride + spread < length
        return one_before_left_some and start < end

    return list(takewhile(fits, count(0, stride)))


def conv2d(
    arrays: tuple[Array, Array, Array],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Take x, weight and bias: each group by itself, every window times every kernel."""
    x, weight, bias = arrays
    seen = windows(x, (weight.shape[2], weight.shape[3]), stride, padding, dilation)
    parts = [
        np.einsum("ncijuv,ocuv->noij", s, w)
        for s, w in zip(np.split(seen, groups, 1), np.split(weight, groups), strict=True)
    ]
    return np.concatenate(parts, 1) + bias[:, np.newaxis, np.newaxis]


def average(seen: Array, counted: Array) -> Array:
    """Average windows over what is counted in them."""
    return seen.sum((-2, -1)) / counted.sum((-2, -1))


def adaptive_bounds(length: int, size: int) -> list[slice]:
    """Cut an axis into `size` windows that cover it: ⌊i·H/oh⌋ to ⌈(i + 1)·H/oh⌉."""
    return [
        slice(int(np.floor(i * length / size)), int(np.ceil((i + 1) * length / size)))
        for i in range(size)
    ]


def local_response_norm(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Divide channel by channel, each by what its window holds."""
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        first = c - size // 2
        window = x[:, max(first, 0) : first + size]
        out[:, c] = x[:, c] / (k + alpha * (window**2).sum(1) / size) ** beta
    return out


def batch_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Normalise channel by channel, in float64."""
    out = np.empty(x.shape)
    for c in range(x.shape[1]):
        values = x[:, c].astype(np.float64)
        deviation = values - values.mean()
        out[:, c] = weight[c] * deviation / np.sqrt((deviation**2).mean() + eps) + bias[c]
    return out


def log_softmax(x: Array, axis: int) -> Array:
    """Subtract the logarithm of the sum of exponentials."""
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def cross_entropy(
    logits: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
) -> tuple[Array, float]:
    """Compute the losses of all examples, and what their mean divides by."""
    logs = np.moveaxis(log_softmax(logits, 1), 1, -1).reshape(-1, logits.shape[1])
    weights = np.ones(logits.shape[1]) if weight is None else weight
    losses, total = np.zeros(target.size), 0.0
    for row, y in enumerate(target.ravel()):
        if y != ignore_index:
            truth = np.full(len(weights), smoothing / len(weights))
            truth[y] += 1 - smoothing
            losses[row] = -(truth * weights * logs[row]).sum()
            total += weights[y]
    return losses.reshape(target.shape), total
