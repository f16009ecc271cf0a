"""Exercises of lesson 10: a numerical gradient, and a check that is itself checked."""

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import cases
from minigrad import functional as F
from minigrad.testing.strategies import random_array, seeds

__all__ = ["differences_are_taken_well", "the_check_is_not_blind"]

CLOSE = 3e-8


def differences_are_taken_well(answer) -> None:
    """Hold a numerical gradient against the engine's, to 7 digits.

    Parameters
    ----------
    answer : function
        Takes f, which makes one number of an array, and x; gives an array of x's shape.

    Raises
    ------
    AssertionError
    """

    @cases(count=40, shape=st.sampled_from([(1,), (2,), (2, 3)]), seed=seeds())
    def holds(shape: tuple[int, ...], seed: int) -> None:
        x, c = (np.round(random_array(shape, seed=seed + i), 1) for i in range(2))
        c = c + 2

        def loss(x):
            return (minigrad.tensor(c) * (x * 0.5).exp()).sum()

        leaf, given = minigrad.tensor(x, requires_grad=True), x.copy()
        loss(leaf).backward()
        want = leaf.grad.data
        got = np.asarray(answer(lambda moved: loss(minigrad.tensor(moved)).item(), given))
        assert np.array_equal(given, x), f"x was\n{x}\nand is now\n{given}: put back what you move"
        assert got.shape == x.shape, f"x has shape {x.shape}, your gradient {got.shape}"
        off = float(np.abs(got - want).max(initial=0) / np.abs(want).max(initial=1))
        if off < CLOSE:
            return
        if np.allclose(got, 2 * want, rtol=1e-3):
            why = "yours is twice that: the two points are two steps apart"
        elif off < 0.1:
            why = (
                f"yours is off by {off:.0e} of it: look to both sides, f(x + h) − f(x − h), with "
                "an h near 1e-5; a smaller one rounds, a larger one bends"
            )
        else:
            why = "move one number of x at a time, and only that one"
        raise AssertionError(f"for f = Σ c·exp(x/2), x = {x} and c = {c} it is {want}; {why}")

    holds()


# -- forward, backward, and what is wrong with that --------------------------------------------


def _softmax(x):
    return F.softmax(minigrad.tensor(x), axis=0).data


def _softmax_gradient(x, g):
    leaf = minigrad.tensor(x, requires_grad=True)
    F.softmax(leaf, axis=0).backward(g)
    return leaf.grad.data


def _tanh_gradient(x, g):
    return g * (1 - np.tanh(x) ** 2)


def _forgets_the_last(x, g):
    return _tanh_gradient(x, g) * (np.arange(len(x)) < len(x) - 1)


RIGHT = {
    "softmax": (_softmax, _softmax_gradient),
    "tanh": (np.tanh, _tanh_gradient),
    "x turned round": (lambda x: x[::-1].copy(), lambda x, g: g[::-1].copy()),
    "x / 10⁹": (lambda x: x * 1e-9, lambda x, g: g * 1e-9),
    "10⁶ · x²": (lambda x: 1e6 * x**2, lambda x, g: 2e6 * x * g),
}
WRONG = {
    "zeros for softmax: its outputs add up to 1, so in a sum of all of them nothing moves": (
        _softmax, lambda x, g: np.zeros_like(x),
    ),
    "a gradient in the wrong order: if the gradient of every output is 1, order does not show": (
        lambda x: x[::-1].copy(), lambda x, g: g.copy(),
    ),
    "a backward that does not look at g: give it a g that is not 1": (
        np.tanh, lambda x, g: 1 - np.tanh(x) ** 2,
    ),
    "a tanh that forgets the last number: weigh all outputs, not one": (np.tanh, _forgets_the_last),
    "twice the gradient of x / 10⁹: an absolute tolerance lets everything small pass": (
        lambda x: x * 1e-9, lambda x, g: 2e-9 * g,
    ),
}  # fmt: skip


def the_check_is_not_blind(answer) -> None:
    """Hunt a check: it must accept right gradients, and none of five wrong ones.

    Parameters
    ----------
    answer : function
        Takes forward(x), backward(x, g) and x (n,); says whether backward is right.

    Raises
    ------
    AssertionError
    """
    x = np.array([0.3, -0.7, 1.1, 0.2])
    for name, (forward, backward) in RIGHT.items():
        assert answer(forward, backward, x.copy()), (
            f"your check refuses the gradient of {name}, which is right: differences are good for "
            "7 digits or so, relative to the gradient"
        )
    for story, (forward, backward) in WRONG.items():
        assert not answer(forward, backward, x.copy()), f"your check accepts {story}"
