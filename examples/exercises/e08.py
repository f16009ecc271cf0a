"""Exercises of lesson 08: cross entropy of large scores, its gradient, and that of softmax."""

import math

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import ask, cases
from minigrad import functional as F
from minigrad.testing.strategies import random_array, seeds

__all__ = [
    "probabilities_share_one_sum",
    "scores_may_be_large",
    "what_was_said_minus_what_is_true",
]

SCORES = st.lists(st.integers(-5, 5) | st.integers(-2000, 2000), min_size=2, max_size=4)


def scores_may_be_large(answer) -> None:
    """Hold the loss of a row against the engine's, for scores of any size.

    Parameters
    ----------
    answer : function
        Takes scores z (C,) and a class; gives −log softmax(z)[class].

    Raises
    ------
    AssertionError
    """

    def check(scores: list[int], y: int, why: str = "") -> None:
        z, y = np.array(scores, np.float64), y % len(scores)
        case = f"for scores {scores} and class {y}"
        got, want = float(ask(answer, case, z, y)), F.cross_entropy(minigrad.tensor(z), y).item()
        assert math.isclose(got, want, rel_tol=1e-7, abs_tol=1e-7), (
            f"{case} the loss is {want:.4f}; yours is {got:.4f}{why}"
        )

    check([0, 0], 0, ": two equal scores make two equal probabilities, and −log ½ is 0.6931")
    check([-1, -1], 0, ": what is subtracted from one score must be subtracted from all")
    big = ": exp(1000) is ∞, and ∞/∞ is NaN. Subtract the largest score from all of them first"
    check([1000, 1000], 0, big)
    small = (
        ": exp(−1000) rounds to 0 before its logarithm is taken. Take the logarithm on paper, "
        "log(a/b) = log a − log b. (A small number added to p only hides it: it bounds the loss.)"
    )
    check([0, 1000], 0, small)

    @cases(count=40, scores=SCORES, y=st.integers(0, 3))
    def holds(scores: list[int], y: int) -> None:
        check(scores, y)

    holds()


def what_was_said_minus_what_is_true(answer) -> None:
    """Hold the gradient of the mean loss of a batch against the engine's.

    Parameters
    ----------
    answer : function
        Takes scores z (N, C) and classes (N,); gives the gradient (N, C).

    Raises
    ------
    AssertionError
    """

    @cases(count=40, rows=st.integers(1, 3), classes=st.integers(2, 4), seed=seeds())
    def holds(rows: int, classes: int, seed: int) -> None:
        z = np.round(random_array((rows, classes), "normal", np.float64, seed), 1)
        y = np.random.default_rng(seed).integers(0, classes, rows)
        leaf = minigrad.tensor(z, requires_grad=True)
        F.cross_entropy(leaf, y).backward()
        case = f"for z =\n{z}\nand classes {y}"
        want, got = leaf.grad.data, np.asarray(ask(answer, case, z, y))
        assert got.shape == z.shape, f"z has shape {z.shape}, your gradient {got.shape}"
        if np.allclose(got, want, rtol=1e-6, atol=1e-9):
            return
        others = np.arange(classes) != y[:, np.newaxis]
        if np.allclose(got, -want):
            why = "the sign is turned round: the true class has the negative one, to go up"
        elif np.allclose(got, rows * want):
            why = f"yours is {rows} times that: the loss is the mean of {rows} rows, not the sum"
        elif classes > 1 and not got[others].any():
            why = "the scores of the other classes matter, too: they are in the sum that divides"
        elif not np.allclose(got.sum(axis=1), 0):
            why = "every row adds up to 0, since a constant added to all its scores changes nothing"
        else:
            why = "it is p − q, divided by the number of rows"
        raise AssertionError(f"{case} the gradient is\n{want}\n{why}")

    holds()


def probabilities_share_one_sum(answer) -> None:
    """Hold the gradient of softmax against the engine's.

    Parameters
    ----------
    answer : function
        Takes probabilities p (C,) and their gradient g (C,); gives that of the scores.

    Raises
    ------
    AssertionError
    """

    @cases(count=40, classes=st.integers(2, 4), seed=seeds())
    def holds(classes: int, seed: int) -> None:
        z, g = (np.round(random_array((classes,), seed=seed + i), 1) for i in range(2))
        leaf = minigrad.tensor(z, requires_grad=True)
        p = F.softmax(leaf, axis=0)
        p.backward(g)
        case = f"for p = {p.data} and g = {g}"
        got, want = np.asarray(ask(answer, case, p.data, g)), leaf.grad.data
        assert got.shape == z.shape, f"z has shape {z.shape}, your gradient {got.shape}"
        if np.allclose(got, want, rtol=1e-6, atol=1e-9):
            return
        if not got.any():
            why = "zeros are right only where g is the same for all classes"
        elif not math.isclose(got.sum(), 0, abs_tol=1e-9):
            why = (
                f"it must add up to 0, yours to {got.sum():.4f}: what one class gains, "
                "others lose. Every p depends on every score"
            )
        else:
            why = "it adds up to 0, but the wrong things are in it"
        raise AssertionError(f"{case} the gradient is {want}; {why}")

    holds()
