"""The properties of lesson 03: gradients of what was broadcast have its shape, and are sums."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import agree, ask, cases, digits, pair, written

__all__ = ["centre_gradient", "multiply_gradients", "unbroadcast"]


@st.composite
def operand_shapes(draw: Any, full: tuple[int, ...]) -> tuple[int, ...]:
    """Draw a shape that broadcasts to `full`: axes cut off at the left, others of length 1."""
    kept = full[draw(st.integers(0, len(full))) :]
    return tuple(draw(st.sampled_from((1, n))) for n in kept)


@st.composite
def shapes(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw the shape of a result and that of an operand."""
    full = tuple(draw(st.lists(st.integers(2, 4), min_size=1, max_size=3)))
    return full, draw(operand_shapes(full))


def summed(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Ask the engine for the gradient of an operand of `shape`."""
    c = minigrad.tensor(np.zeros(shape), requires_grad=True)
    c.broadcast_to(gradient.shape).backward(gradient)
    return c.grad.data


def _mistakes(gradient: np.ndarray, shape: tuple[int, ...]) -> list[tuple[Any, str]]:
    """List what goes wrong when a gradient is brought to a shape, with a sentence for each."""
    needed = summed(gradient, shape)
    copies = gradient.size / max(needed.size, 1)
    first = gradient[(0,) * (gradient.ndim - len(shape))]
    first = first[tuple(slice(0, n) for n in shape)]
    keep = "A gradient has the shape of its operand: axes of length 1 stay, with length 1."
    return [
        (gradient, "Nothing was summed: the operand was read more often than once."),
        (needed / copies, "That is the mean. Every use counts fully: sum."),
        (first, "That is one of the copies. Their sum is needed."),
        (np.squeeze(needed), keep),
        (needed.reshape((1,) * (gradient.ndim - len(shape)) + shape),
         "Axes that the operand does not have are summed and go."),
        (gradient.sum(axis=0) if gradient.ndim else gradient,
         "You summed over axis 0. Which axes are to be summed is in the shapes, aligned at "
         "the right."),
        (gradient.sum(), "Everything was summed; only what was copied should be."),
    ]  # fmt: skip


def unbroadcast(answer: Callable) -> None:
    """Hold sums against those of the engine, for result and operand of all kinds of shapes."""

    @cases(count=80, drawn=shapes())
    def holds(drawn: tuple) -> None:
        full, shape = drawn
        gradient = digits(*full)
        case = (
            f"for a gradient of shape {full}, {written(gradient)}, and an operand of shape {shape},"
        )
        came = ask(answer, case, gradient, shape)
        agree(
            case,
            "the operand's gradient",
            came,
            summed(gradient, shape),
            _mistakes(gradient, shape),
        )

    holds()


def multiply_gradients(answer: Callable) -> None:
    """Hold both gradients against the gradient times the other factor, then summed."""

    @cases(count=80, drawn=shapes(), swap=st.booleans())
    def holds(drawn: tuple, swap: bool) -> None:
        full, shape = drawn
        a, b, gradient = digits(*full), digits(*shape, seed=1), digits(*full, seed=2)
        first, second = (b, a) if swap else (a, b)
        case = f"for a = {written(first)}, b = {written(second)}, gradient = {written(gradient)},"
        came = pair(case, ask(answer, case, first, second, gradient), "the gradients of a and of b")
        for name, given, own, other in zip(
            "ab", came, (first, second), (second, first), strict=True
        ):
            early = summed(gradient, own.shape) * (other if own.shape == full else summed(
                np.broadcast_to(other, full), own.shape))  # fmt: skip
            agree(case, f"the gradient of {name}", given, summed(gradient * other, own.shape), [
                (summed(gradient * own, own.shape),
                 "That has the factor itself in it: its slope is the other factor."),
                (gradient * other, f"Nothing was summed: {name} was read more often than once."),
                (summed(gradient, own.shape), "The other factor is missing."),
                (early, "Multiply first, then sum: each use has its own factor."),
                *_mistakes(gradient * other, own.shape),
            ])  # fmt: skip

    holds()


def centre_gradient(answer: Callable) -> None:
    """Hold it against the engine: x is used by itself, and in the mean."""

    @cases(N=st.integers(2, 4), C=st.integers(1, 3))
    def holds(N: int, C: int) -> None:
        gradient = digits(N, C)
        x = minigrad.tensor(np.zeros((N, C)), requires_grad=True)
        (x - x.mean(axis=0)).backward(gradient)
        case = f"for a gradient of {written(gradient)}"
        agree(case, "that of x", ask(answer, case, gradient), x.grad.data, [
            (gradient, "x is used twice: by itself, and in the mean, which moves with every x."),
            (gradient - gradient.sum(axis=0), "The mean divides by N, and so does its gradient."),
            (gradient - gradient.mean(), "Each column has a mean of its own: axis 0."),
            (gradient - gradient.mean(axis=1, keepdims=True), "The mean is over axis 0."),
            (gradient * (1 - 1 / N), "In the mean, every x of the column meets every gradient of "
                                     "the column, not only its own."),
            (-gradient.mean(axis=0), "That is only what comes through the mean."),
        ])  # fmt: skip

    holds()
