"""The properties of lesson 06: col2im, the weight gradient of a batch, and a test of transposes."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits, written
from examples.exercises.engine import SIZES, col2im, im2col

__all__ = ["is_transpose", "scatter", "weight_gradient"]


def scatter(answer: Callable) -> None:
    """Hold it against the engine's col2im."""

    @cases(count=60, stride=st.integers(1, 2), **SIZES)
    def holds(C: int, h: int, w: int, kh: int, kw: int, stride: int) -> None:
        shape = C, kh + h, kw + w
        sources = im2col(np.arange(np.prod(shape)).reshape(shape).astype(float), (kh, kw), stride)
        cols = digits(*sources.shape)
        came_from = sources.astype(int).ravel()  # the pixel of each entry

        def added(values: np.ndarray) -> np.ndarray:
            return np.bincount(came_from, values.ravel(), int(np.prod(shape))).reshape(shape)

        by_kernel, by_window = np.zeros(shape), np.zeros(shape)
        by_kernel.ravel()[came_from] = cols.ravel()
        by_window.ravel()[sources.T.astype(int).ravel()] = cols.T.ravel()
        one = "Of all that comes back to a pixel only the last is left: add."
        counts = added(np.ones_like(cols))
        swapped = cols.reshape(kh * kw, C, -1).swapaxes(0, 1)
        case = f"for cols = {written(cols)}, shape {shape}, kernel ({kh}, {kw}), stride {stride},"
        came = ask(answer, case, cols, shape, (kh, kw), stride)
        needed = col2im(cols, shape, (kh, kw), stride)
        agree(case, "the image", came, needed, [
            (by_kernel, one),
            (by_window, one),
            (added(cols) / np.maximum(counts, 1), "That is the mean of what comes back: it would "
             "undo im2col, but the gradient is the sum."),
            (added(swapped), "The rows of cols run over the channels first, then the kernel."),
            (added(cols[:, ::-1]), "The windows are taken in the wrong order."),
            (added(cols[::-1]), "The kernel is flipped."),
        ])  # fmt: skip

    holds()


def weight_gradient(answer: Callable) -> None:
    """Hold it against the sum over images of G @ colsᵀ."""

    @cases(
        count=60,
        N=st.integers(1, 3),
        O=st.integers(1, 2),
        C=st.integers(1, 2),
        L=st.integers(1, 3),
        kw=st.integers(1, 2),
    )
    def holds(N: int, O: int, C: int, L: int, kw: int) -> None:
        cols, gradient = digits(N, C * kw, L), digits(N, O, L, seed=1)
        shape = O, C, 1, kw
        case = f"for cols = {written(cols)}, gradient = {written(gradient)}, shape {shape},"
        parts = gradient @ cols.swapaxes(1, 2)
        needed = parts.sum(axis=0)
        rows = gradient.reshape(O, -1) @ cols.reshape(C * kw, -1).T
        again = "Every image uses the same weights, so all of them add to the gradient: sum over N."
        came = ask(answer, case, cols, gradient, shape)
        agree(case, "the gradient", came, needed.reshape(shape), [
            (parts[-1].reshape(shape), f"Only the last image is in it. {again}"),
            (parts[0].reshape(shape), f"Only the first image is in it. {again}"),
            (parts.mean(axis=0).reshape(shape), "That is the mean over the images. If the loss is "
             "a mean, that is already in the gradient that came: sum."),
            (parts.reshape(-1, *shape[1:]) if N > 1 else parts, again),
            (parts, again),
            (rows.reshape(shape), "reshape from (N, O, L) to (O, N·L) mixes images and outputs: "
                                  "bring O to the front first, with transpose."),
            (needed.T.reshape(shape), "That is cols @ Gᵀ, with the outputs last: reshape keeps the "
                                      "order of numbers, so multiply the other way round."),
            (needed, "The numbers are right: give them the shape of the weight."),
            (needed.T, "The outputs come first, and the shape is to be that of the weight."),
        ])  # fmt: skip

    holds()


Map = Callable[[np.ndarray], np.ndarray]


def _image(cols: np.ndarray) -> np.ndarray:
    return col2im(cols, (1, 3, 4), (2, 2))


def _pairs() -> list[tuple[str, Map, Map, tuple, tuple, bool, str]]:
    """List maps f and g, whether g is the transpose of f, and why."""
    seen = _image(np.ones((4, 6)))
    w = np.array([1.0, 2.0, 4.0])
    matrix = np.random.default_rng(7).standard_normal((40, 30))
    return [
        ("f = im2col, g = col2im", lambda x: im2col(x, (2, 2)), _image, (1, 3, 4), (4, 6), True,
         "g need not undo f: ⟨f(x), c⟩ = ⟨x, g(c)⟩ for all x and c is all that is asked"),
        ("f = im2col, g = col2im divided by the copies", lambda x: im2col(x, (2, 2)),
         lambda c: _image(c) / seen, (1, 3, 4), (4, 6), False,
         "g undoes f, but is not its transpose: an inverse is something else"),
        ("f(x) = x · (1, 2, 4), g(c) = c · (4, 2, 1)", lambda x: x * w, lambda c: c * w[::-1],
         (3,), (3,), False,
         "with ones, or one number everywhere, the two sides agree by accident: draw random "
         "numbers"),
        ("f(x) = x · (1, 2, 4), g(c) = c · (1, 2, 4)", lambda x: x * w, lambda c: c * w, (3,), (3,),
         True, "a diagonal matrix is its own transpose"),
        ("f = running sums from the left, g = from the right", np.cumsum,
         lambda c: np.cumsum(c[::-1])[::-1], (4,), (4,), True,
         "x[i] is in all sums from i on, so those come back to it"),
        ("f(x) = A @ x, g(c) = A @ c with a square A", lambda x: matrix[:3, :3] @ x,
         lambda c: matrix[:3, :3] @ c, (3,), (3,), False,
         "g is f itself, and A is not symmetric; if x and c are the same numbers, the two sides "
         "agree for any f with itself: draw both"),
        ("f(x) = A @ x, g(c) = Aᵀ @ c with a 40 × 30 matrix A", lambda x: matrix @ x,
         lambda c: matrix.T @ c, (30,), (40,), True, "that is the transpose by name"),
    ]  # fmt: skip


def is_transpose(answer: Callable) -> None:
    """Ask about pairs of maps of which it is known."""
    for name, f, g, in_shape, out_shape, needed, why in _pairs():
        case = f"for {name},"
        came = ask(answer, case, f, g, in_shape, out_shape)
        assert np.ndim(came) == 0, f"{case} True or False is asked for, yours is {came!r:.60}"
        if needed:
            why += ". (If your two sides differ in the last digits only, compare with np.isclose.)"
        says = f"{case} g is {'' if needed else 'not '}the transpose of f, and yours says "
        assert bool(came) == needed, f"{says}{bool(came)}: {why}"
