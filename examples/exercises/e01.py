"""The properties of lesson 01: slopes, by differences, by hand and by the engine."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits, pair, written

__all__ = ["descend", "neuron_gradients", "slope_at"]


def slope_at(answer: Callable) -> None:
    """Of polynomials of degree 3: near 0 and far from it, six digits are right."""

    @cases(a=st.integers(0, 3), b=st.integers(-3, 3), x=st.integers(-20, 20))
    def holds(a: int, b: int, x: int) -> None:
        needed = 3.0 * a * x**2 + b
        case = f"for f(x) = {a}·x³ {b:+d}·x at x = {x}"
        came = ask(answer, case, lambda v: a * v**3 + b * v, float(x))
        agree(case, "the slope", came, needed, [
            (2 * needed, "That is twice as much: from x − h to x + h is a way of 2h, not h."),
            (needed / 2, "That is half as much: from x to x + h is a way of h, not 2h."),
            (-needed, "The sign is turned: what stands ahead minus what stands behind."),
            (0.0, "Both values came out equal: h is lost beside x, whose 16 digits end before it."),
        ], tolerance=1e-2)  # fmt: skip

    def near(x: float) -> float:
        return x**3 - 3 * x

    holds()
    for x in (2.0, 0.1, -1.5):
        case = f"for f(x) = x³ − 3x at x = {x:g}"
        came, needed = ask(answer, case, near, x), 3 * x**2 - 3
        error = abs(came - needed) / abs(needed)
        assert error < 1e-6, (
            f"{case} the slope is {written(needed)}, yours is {written(came)}: that is off by "
            f"{error:.0e}. One-sided differences err like h, (f(x + h) − f(x − h)) / 2h like h²; "
            "and with h below 1e-8 or so rounding takes over."
        )


def neuron_gradients(answer: Callable) -> None:
    """∂L/∂w = 2·(Σ wᵢ·xᵢ + b − t)·x and ∂L/∂b = 2·(Σ wᵢ·xᵢ + b − t)."""

    @cases(n=st.integers(1, 3), b=st.integers(0, 3), t=st.integers(0, 3))
    def holds(n: int, b: int, t: int) -> None:
        w, x = digits(n), digits(n, seed=1)
        error = (w * x).sum() + b - t
        case = f"for w = {written(w)}, x = {written(x)}, b = {b}, t = {t}"
        came = ask(answer, case, w, x, float(b), float(t))
        came = pair(case, came, "∂L/∂w and ∂L/∂b")
        half = "The 2 that comes down from the square is missing."
        sign = "The sign is turned: the error is what came minus the target t."
        agree(case, "∂L/∂w", came[0], 2 * error * x, [
            (error * x, half),
            (-2 * error * x, sign),
            (2 * error * np.ones(n),
             "The chain is cut short: wᵢ moves the sum by xᵢ, so the error's slope meets xᵢ."),
            (2 * error, "The chain is cut short: wᵢ moves the sum by xᵢ, one number for each i."),
            (2 * error * w, "That is ∂L/∂x: x is what w is multiplied by."),
            ((2 * error * x).sum(), "Each wᵢ has a gradient of its own: do not add them up."),
        ])  # fmt: skip
        agree(case, "∂L/∂b", came[1], 2 * error, [
            (error, half),
            (-2 * error, sign),
            (1.0, "1 is how b moves the sum; the square comes after it."),
            (2 * error * x.sum(), "x does not meet b: b moves the sum by 1, whatever x is."),
        ])  # fmt: skip

    holds()


def descend(answer: Callable) -> None:
    """For f(x) = (x − c)², every step takes x to c + (1 − 2·lr)·(x − c)."""

    @cases(c=st.integers(-3, 3), start=st.integers(-5, 5), steps=st.integers(0, 5))
    def holds(c: int, start: int, steps: int) -> None:
        lr = 0.1
        case = f"for f(x) = (x − {c})², {steps} steps with lr = {lr} from {start}:"
        case = case.replace("− -", "+ ")
        came = ask(answer, case, lambda x: (x - c) * (x - c), float(start), lr, steps)
        up, gathered, slope = float(start), float(start), 0.0
        for _ in range(steps):
            up += lr * 2 * (up - c)
            slope += 2 * (gathered - c)
            gathered -= lr * slope
        agree(case, "the last x", came, c + (1 - 2 * lr) ** steps * (start - c), [
            (up, "That walks uphill: the gradient points up, so subtract it."),
            (gathered, "backward adds to x.grad, and the gradients of earlier steps are still in "
                       "it: set x.grad = None before each backward."),
            (float(start), "x never moved."),
            (start - lr * 2 * (start - c), "That is one step."),
        ])  # fmt: skip

    holds()
