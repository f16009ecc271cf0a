"""Mistakes in max pooling, average pooling and adaptive average pooling."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.ops import pool, window
from minigrad.ops.pool.vectorized import _divisors, _windows
from minigrad.testing.mutants.mutant import Mutant, at, every_rung, mutant, together

RUNGS = pool.RUNGS
NONE = ((0, 0), (0, 0))
BITS = 62  # of an integer: one for each pixel of a window, where all of them may win

# -- max pooling ---------------------------------------------------------------------------------


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"), historical=True)
def max_pool2d_pads_with_zero(sound, x, kernel_size, stride, padding, dilation, ceil_mode):
    """An engine's max pooling padded with 0, which beats every negative number.

    A ReLU in front of the layer masks it, so that most networks never show it.
    """
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    return sound(padded, kernel_size, stride, NONE, dilation, ceil_mode)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"), historical=True)
def max_pool2d_must_tile(sound, x, kernel_size, stride, padding, dilation, ceil_mode):
    """An engine refused strides that do not tile the image: GoogLeNet cannot run on it at all."""
    for length, k, s, ends in zip(x.shape[2:], kernel_size, stride, padding, strict=True):
        if (length + sum(ends) - k) % s:
            raise ValueError("the stride must tile the input")
    return sound(x, kernel_size, stride, padding, dilation, ceil_mode)


def _seen(x, out, kernel_size, stride, padding, dilation):
    """Copy what each window sees: (N, C, oh, ow, kh·kw)."""
    return _windows(x, kernel_size, out.shape[2:], stride, padding, dilation, -np.inf)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"), historical=True)
def max_pool2d_last_of_equals_wins(sound, x, kernel_size, *rest):
    """The last of equal numbers wins instead of the first.

    After a ReLU windows of nothing but zeros are common: devices that differ in this train
    differently.
    """
    out, winners = sound(x, kernel_size, *rest)
    seen = _seen(x, out, kernel_size, *rest[:-1])
    last = seen.shape[-1] - 1 - seen[..., ::-1].argmax(axis=-1)
    return out, last.astype(winners.dtype)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def _all_equals_win(sound, x, kernel_size, *rest):
    out, winners = sound(x, kernel_size, *rest)
    if kernel_size[0] * kernel_size[1] > BITS:
        return out, winners
    equal = _seen(x, out, kernel_size, *rest[:-1]) == out[..., np.newaxis]
    return out, (equal << np.arange(equal.shape[-1])).sum(axis=-1)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_input_gradient"))
def _all_equals_get_it(sound, gradient, winners, input_shape, kernel_size, *rest):
    if kernel_size[0] * kernel_size[1] > BITS:
        return sound(gradient, winners, input_shape, kernel_size, *rest)
    total = np.zeros(input_shape, gradient.dtype)
    for element in range(kernel_size[0] * kernel_size[1]):
        won = np.where(winners >> element & 1, gradient, 0).astype(gradient.dtype)
        number = np.full(winners.shape, element, np.uint8)
        total += sound(won, number, input_shape, kernel_size, *rest)
    return total


max_pool2d_all_equals_win = Mutant(
    "max-pool2d-all-equals-win",
    "max_pool2d",
    "Every pixel that equals the maximum gets the whole gradient, found by comparing input and "
    "output in the backward pass: a window of nine zeros hands out nine times what it got.",
    together(_all_equals_win, _all_equals_get_it),
)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def max_pool2d_hides_nan(sound, x, *rest):
    """NaN compares as smaller than every number: a network that broke does not show it."""
    return sound(np.where(np.isnan(x), -np.inf, x).astype(x.dtype), *rest)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def max_pool2d_last_window_dropped(sound, x, kernel_size, stride, *rest):
    """The last window of each row is dropped: a range that ends one too early."""
    out, winners = sound(x, kernel_size, stride, *rest)
    return (out[..., :-1], winners[..., :-1]) if out.shape[3] > 1 else (out, winners)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def max_pool2d_ceil_mode_ignored(sound, *arguments):
    """Ceil mode is taken and forgotten. A stage of GoogLeNet is one pixel smaller for it."""
    return sound(*arguments[:-1], False)


@mutant("max_pool2d", at(window, "output_length"))
def max_pool2d_ceil_mode_rounds_up_only(sound, length, kernel, stride, padding, dilation, ceil):
    """Ceil mode rounds up, and does not ask whether the last window begins inside the image."""
    size = sound(length, kernel, stride, padding, dilation, False)
    room = length + sum(padding) - dilation * (kernel - 1) - 1
    return size + (room % stride != 0) if ceil else size


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def _dilation_ignored(sound, x, kernel_size, stride, padding, dilation, ceil_mode):
    return sound(x, kernel_size, stride, padding, (1, 1), ceil_mode)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_input_gradient"))
def _dilation_ignored_back(sound, *arguments):
    return sound(*arguments[:-1], (1, 1))


max_pool2d_dilation_ignored = Mutant(
    "max-pool2d-dilation-ignored",
    "max_pool2d",
    "Windows are never spread: dilation is taken, checked and forgotten, forward and backward.",
    together(_dilation_ignored, _dilation_ignored_back),
)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_forward"))
def max_pool2d_winner_in_a_byte(sound, *arguments):
    """The winner is kept in one byte however large the window is: 257 elements are too many."""
    out, winners = sound(*arguments)
    return out, winners.astype(np.uint8)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_input_gradient"))
def max_pool2d_gradient_assigned(sound, gradient, *rest):
    """A pixel that wins two windows gets the gradient of the last: assigned, not added."""
    total = np.zeros_like(sound(gradient, *rest))
    for i, j in np.ndindex(*gradient.shape[2:]):
        only = np.zeros_like(gradient)
        only[..., i, j] = 1
        won = sound(only, *rest) > 0
        total[won] = sound(only * gradient, *rest)[won]
    return total


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_input_gradient"))
def max_pool2d_winner_read_by_column(sound, gradient, winners, shape, kernel_size, *rest):
    """Winner u·kw + v is taken apart as u + v·kh: row and column of the window exchanged."""
    kh, kw = kernel_size
    turned = (winners % kh * kw + winners // kh).astype(winners.dtype)
    return sound(gradient, turned, shape, kernel_size, *rest)


@mutant("max_pool2d", every_rung(RUNGS, "max_pool2d_input_gradient"))
def max_pool2d_gradient_spread(sound, gradient, winners, shape, kernel_size, *rest):
    """The gradient is spread over the window, as average pooling does."""
    area = kernel_size[0] * kernel_size[1]
    share = gradient / gradient.dtype.type(area)
    numbers = (np.full(winners.shape, e, winners.dtype) for e in range(area))
    return sum(sound(share, number, shape, kernel_size, *rest) for number in numbers)


# -- average pooling -----------------------------------------------------------------------------


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_forward", "avg_pool2d_input_gradient"))
def avg_pool2d_counts_padding_the_other_way(sound, *arguments):
    """count_include_pad means its opposite, forward and backward alike."""
    return sound(*arguments[:-1], not arguments[-1])


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_forward"))
def _by_area(sound, x, kernel_size, stride, padding, ceil_mode, include):
    out = sound(x, kernel_size, stride, padding, ceil_mode, include)
    return out * _excess(x.shape, out, kernel_size, stride, padding, include)


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_input_gradient"))
def _by_area_back(sound, gradient, shape, kernel_size, stride, padding, ceil_mode, include):
    excess = _excess(shape, gradient, kernel_size, stride, padding, include)
    return sound(gradient * excess, shape, kernel_size, stride, padding, ceil_mode, include)


def _excess(shape, out, kernel_size, stride, padding, include):
    """Give the share of each window that is counted, where padding is to be counted."""
    area = out.dtype.type(kernel_size[0] * kernel_size[1])
    right = _divisors(shape, kernel_size, out.shape[2:], stride, padding, include, out.dtype)
    return right / area if include else np.ones_like(right)


avg_pool2d_divides_by_what_hangs_over = Mutant(
    "avg-pool2d-divides-by-what-hangs-over",
    "avg_pool2d",
    "In ceil mode a window that hangs over the padding is divided by its whole area, forward and "
    "backward alike.",
    together(_by_area, _by_area_back),
)


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_forward"))
def avg_pool2d_repeats_the_border(sound, x, kernel_size, stride, padding, *rest):
    """Padding repeats the pixels of the border instead of adding nothing."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding), mode="edge")
    return sound(padded, kernel_size, stride, NONE, *rest)


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_forward"))
def avg_pool2d_strides_exchanged(sound, x, kernel_size, stride, *rest):
    """Height gets the stride of width."""
    return sound(x, kernel_size, stride[::-1], *rest)


@mutant("avg_pool2d", every_rung(RUNGS, "avg_pool2d_input_gradient"))
def avg_pool2d_gradient_not_divided(sound, gradient, shape, kernel_size, *rest):
    """Each pixel of a window gets all of its gradient, not its share."""
    area = gradient.dtype.type(kernel_size[0] * kernel_size[1])
    return sound(gradient * area, shape, kernel_size, *rest)


@mutant("avg_pool2d", at(pool.cpu, "avg_pool2d_input_gradient"))
def avg_pool2d_gathers_one_window_too_few(sound, gradient, *rest):
    """In the fast rung pixels gather from the windows that see them, all but the last one."""
    gradient = gradient.copy()
    gradient[..., 1:, -1] = 0
    return sound(gradient, *rest)


# -- adaptive average pooling --------------------------------------------------------------------


def _covered(i, length, count):
    """Give the pixels of window i, with the end rounded down."""
    start = i * length // count
    return slice(start, max((i + 1) * length // count, start + 1))


@mutant("adaptive_avg_pool2d", every_rung(RUNGS, "adaptive_avg_pool2d_forward"))
def _side_by_side(sound, x, output_size):
    (H, W), (oh, ow) = x.shape[2:], output_size
    out = sound(x, output_size).copy()
    for i, j in np.ndindex(oh, ow):
        out[..., i, j] = x[..., _covered(i, H, oh), _covered(j, W, ow)].mean(axis=(2, 3))
    return out


@mutant("adaptive_avg_pool2d", every_rung(RUNGS, "adaptive_avg_pool2d_input_gradient"))
def _side_by_side_back(sound, gradient, input_shape):
    total = np.zeros_like(sound(gradient, input_shape))
    (H, W), (oh, ow) = input_shape[2:], gradient.shape[2:]
    for i, j in np.ndindex(oh, ow):
        part = total[..., _covered(i, H, oh), _covered(j, W, ow)]
        part += gradient[..., i : i + 1, j : j + 1] / (part.shape[2] * part.shape[3])
    return total


adaptive_avg_pool2d_windows_side_by_side = Mutant(
    "adaptive-avg-pool2d-windows-side-by-side",
    "adaptive_avg_pool2d",
    "Windows end where the next one begins, ⌊(i + 1)·H/oh⌋ and not ⌈…⌉: they never overlap. "
    "Forward and backward alike, and right wherever the sizes divide.",
    together(_side_by_side, _side_by_side_back),
)


@mutant("adaptive_avg_pool2d", every_rung(RUNGS, "adaptive_avg_pool2d_forward"))
def adaptive_avg_pool2d_size_exchanged(sound, x, output_size):
    """Height and width of the output are exchanged."""
    return sound(x, output_size[::-1])


@mutant("adaptive_avg_pool2d", every_rung(RUNGS, "adaptive_avg_pool2d_input_gradient"))
def adaptive_avg_pool2d_gradient_not_divided(sound, gradient, input_shape):
    """Each pixel gets the whole gradient of its window: right for windows of one pixel."""
    area = -(-input_shape[2] // gradient.shape[2]) * -(-input_shape[3] // gradient.shape[3])
    return sound(gradient * gradient.dtype.type(area), input_shape)


@mutant("adaptive_avg_pool2d", every_rung(RUNGS, "adaptive_avg_pool2d_input_gradient"))
def adaptive_avg_pool2d_gradient_of_even_windows(sound, gradient, input_shape):
    """Every window's gradient is divided by the mean size of a window, not by its own."""
    sizes = []
    for length, count in zip(input_shape[2:], gradient.shape[2:], strict=True):
        i = np.arange(count)
        sizes.append(-(-(i + 1) * length // count) - i * length // count)
    areas = np.multiply.outer(*sizes)
    return sound((gradient * (areas / areas.mean())).astype(gradient.dtype), input_shape)
