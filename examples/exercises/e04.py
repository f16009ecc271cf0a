"""The properties of lesson 04: how large an output is, what is in it, and the way back."""

import math
from collections.abc import Callable

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits, written
from examples.exercises.engine import SIZES, conv2d
from examples.exercises.engine import input_gradient as back

__all__ = ["convolve", "input_gradient", "output_length"]


def output_length(answer: Callable) -> None:
    """Hold it against counting the places where the window fits."""

    @cases(
        count=150,
        length=st.integers(1, 12),
        kernel=st.integers(1, 5),
        stride=st.integers(1, 3),
        padding=st.integers(0, 2),
        dilation=st.integers(1, 3),
    )
    def holds(length: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
        reach = dilation * (kernel - 1) + 1
        needed = len(range(0, length + 2 * padding - reach + 1, stride))
        assume(needed > 0)
        case = (
            f"for length {length}, kernel {kernel}, stride {stride}, padding {padding}, "
            f"dilation {dilation}"
        )

        def count(padded: int, reach: int) -> float:
            return (padded - reach) / stride

        padded = length + 2 * padding
        agree(case, "the number of outputs", ask(answer, case, length, kernel, stride, padding,
                                                 dilation), needed, [
            (count(padded, reach) + 1, "Windows are whole: round down."),
            (math.ceil(count(padded, reach)) + 1, "The last window would hang over the end: round "
                                                  "down, not up."),
            (math.floor(count(length + padding, reach)) + 1, "Padding stands at both ends."),
            (math.floor(count(padded, kernel)) + 1, "With dilation a kernel of k reaches over "
                                                    "dilation·(k − 1) + 1."),
            (math.floor(count(padded, kernel * dilation)) + 1, "Dilation leaves gaps between "
             "pixels, and k pixels have k − 1 gaps."),
            (math.floor(count(length, reach)) + 1, "Padding makes the axis longer."),
            (math.floor(count(padded, reach)), "One is missing: a window that cannot move still "
                                               "has one place."),
        ])  # fmt: skip

    holds()


MORE = {"O": st.integers(1, 2), "stride": st.integers(1, 2)}


def convolve(answer: Callable) -> None:
    """Hold it against the engine: channels, kernels, sizes, strides and padding of all kinds."""

    @cases(count=60, padding=st.integers(0, 1), **SIZES, **MORE)
    def holds(
        C: int, O: int, h: int, w: int, kh: int, kw: int, stride: int, padding: int
    ) -> None:  # fmt: skip
        x, weight = digits(C, kh + h, kw + w), digits(O, C, kh, kw, seed=1)
        case = (
            f"for x = {written(x)}, weight = {written(weight)}, stride {stride}, padding {padding},"
        )
        came = ask(answer, case, x, weight, stride, padding)
        needed = conv2d(x, weight, stride, padding)
        mistakes = [
            (conv2d(x, weight[:, :, ::-1, ::-1], stride, padding),
             "The kernel is flipped: here it lies on the image as it is."),
            (conv2d(x, weight, 1, padding), "The stride is missing."),
            (conv2d(x, weight, 1, padding)[:, : needed.shape[1], : needed.shape[2]],
             "The output has the right size, but its windows stand side by side: window (i, j) "
             "starts at (i·stride, j·stride)."),
            (conv2d(x, weight, stride), "The padding is missing."),
            (conv2d(x[:1], weight[:, :1], stride, padding), "Only the first channel is in it."),
            (conv2d(x[-1:], weight[:, -1:], stride, padding),
             "Only the last channel is in it: add, do not assign."),
            (needed.sum(0, keepdims=True), "Each kernel has an output of its own."),
            (needed / (C * kh * kw), "That is the mean of the products; the sum is needed."),
            (needed.swapaxes(1, 2), "Rows and columns are swapped."),
        ]  # fmt: skip
        agree(case, "the output", came, needed, mistakes)

    holds()


def last_only(
    gradient: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], stride: int
) -> np.ndarray:
    """Assign instead of adding: of all that arrives at a pixel the last is left."""
    x = np.zeros(shape)
    for o, i, j in np.ndindex(gradient.shape):
        for c, u, v in np.ndindex(weight.shape[1:]):
            x[c, i * stride + u, j * stride + v] = gradient[o, i, j] * weight[o, c, u, v]
    return x


def side_by_side(gradient: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Go back as if the stride were 1."""
    (O, oh, ow), (kh, kw) = gradient.shape, weight.shape[2:]
    dense = np.zeros((O, shape[1] - kh + 1, shape[2] - kw + 1))
    dense[:, :oh, :ow] = gradient
    return back(dense, weight, shape)


def input_gradient(answer: Callable) -> None:
    """Hold it against the engine: each pixel gets what all windows that saw it hand back."""

    @cases(count=60, **SIZES, **MORE)
    def holds(C: int, O: int, h: int, w: int, kh: int, kw: int, stride: int) -> None:
        shape, weight = (C, kh + h, kw + w), digits(O, C, kh, kw, seed=1)
        gradient = digits(O, h // stride + 1, w // stride + 1)
        case = (
            f"for gradient = {written(gradient)}, weight = {written(weight)}, x of shape {shape}, "
            f"stride {stride},"
        )
        came = ask(answer, case, gradient, weight, shape, stride)
        agree(case, "the gradient of x", came, back(gradient, weight, shape, stride), [
            (last_only(gradient, weight, shape, stride),
             "Only the last window's part is left: a pixel that many windows saw gets the sum."),
            (back(gradient, weight[:, :, ::-1, ::-1], shape, stride),
             "The kernel is flipped: pixel i·stride + u met weight u going forward, and meets it "
             "again going back."),
            (back(gradient, np.ones_like(weight), shape, stride), "The weights are missing."),
            (back(gradient[:1], weight[:1], shape, stride), "Only the first kernel is in it."),
            (side_by_side(gradient, weight, shape),
             "The stride is missing: window (i, j) starts at (i·stride, j·stride)."),
        ])  # fmt: skip

    holds()
