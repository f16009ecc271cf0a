"""Lesson 01's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

import minigrad
from examples.exercises import e01
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "01_value_and_gradient"


@pytest.mark.parametrize("name", ["slope_at", "neuron_gradients", "descend"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e01, name), LESSON, name)


def test_central_differences_are_a_slope():
    e01.slope_at(lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 2e-5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda f, x: (f(x + 1e-4) - f(x)) / 1e-4, "One-sided differences err like h"),
        (lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 1e-5, "a way of 2h, not h"),
        (lambda f, x: (f(x + 1e-17) - f(x)) / 1e-17, "h is lost beside x"),
        (lambda f, x: (f(x + 1e-12) - f(x - 1e-12)) / 2e-12, "rounding takes over"),
        (lambda f, x: f(x + 1), "the slope is"),
        (lambda f, x: print(end=""), "is its return missing?"),
    ],
)
def test_wrong_slopes(answer, words):
    says(e01.slope_at, answer, words)


def error(w, x, b, t):
    return (w * x).sum() + b - t


def test_gradients_of_a_neuron():
    e01.neuron_gradients(lambda *a: (2 * error(*a) * a[1], 2 * error(*a)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: (error(*a) * a[1], error(*a)), "The 2 that comes down from the square"),
        (lambda *a: (-2 * error(*a) * a[1], -2 * error(*a)), "The sign is turned"),
        (lambda *a: (2 * error(*a) * np.ones_like(a[1]), 2 * error(*a)), "The chain is cut short"),
        (lambda *a: (2 * error(*a) * a[1], 2 * error(*a) * a[1].sum()), "x does not meet b"),
        (lambda *a: 2 * error(*a) * a[1], "return them as a pair"),
    ],
)
def test_wrong_gradients_of_a_neuron(answer, words):
    says(e01.neuron_gradients, answer, words)


def descending(sign=-1, forget=True, fresh=True):
    def descend(f, start, lr, steps):
        x = minigrad.tensor(start, dtype=np.float64, requires_grad=True)
        for _ in range(steps):
            if forget:
                x.grad = None
            f(x).backward()
            if fresh:
                x.data += sign * lr * x.grad.data
            else:  # a new tensor, and no leaf
                x = x + sign * lr * x.grad
        return float(x)

    return descend


def test_descent():
    e01.descend(descending())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (descending(sign=1), "That walks uphill"),
        (descending(forget=False), "set x.grad = None before each backward"),
        (descending(fresh=False), "your code raises"),
        (lambda f, start, lr, steps: start, "x never moved"),
    ],
)
def test_wrong_descents(answer, words):
    says(e01.descend, answer, words)
