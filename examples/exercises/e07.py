"""Exercises of lesson 07: max pooling, its gradient at ties, and its padding."""

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import ask, cases
from minigrad import functional as F
from minigrad.testing.strategies import random_array, seeds

__all__ = ["each_window_pays_its_first_winner", "padding_never_wins"]


def _images(least: int):
    """Draw small images with many equal numbers, −2 … 1."""
    sides = st.integers(least, 6)
    return st.builds(
        lambda h, w, seed: random_array((h, w), "ties", np.float32, seed), sides, sides, seeds()
    )


def each_window_pays_its_first_winner(answer) -> None:
    """Hold that a window's gradient goes to its winner, the first of equals, and adds up there.

    Parameters
    ----------
    answer : function
        Takes x (H, W) and the output's gradient (oh, ow), gives the gradient of x: windows of
        3×3, stride 2.

    Raises
    ------
    AssertionError
    """

    @cases(count=40, x=_images(3))
    def holds(x: np.ndarray) -> None:
        leaf = minigrad.tensor(x[np.newaxis, np.newaxis], requires_grad=True)
        out = F.max_pool2d(leaf, 3, stride=2)
        gradient = 10.0 ** np.arange(out.size, dtype=np.float32).reshape(out.shape[2:])
        out.backward(gradient[np.newaxis, np.newaxis])
        case = f"for x =\n{x}\nand a gradient of\n{gradient}\n"
        want, got = leaf.grad.data[0, 0], np.asarray(ask(answer, case, x, gradient))
        assert got.shape == x.shape, (
            f"the gradient of x has x's shape, {x.shape}; yours has {got.shape}"
        )
        if np.allclose(got, want):
            return
        if got.sum() > want.sum() * 1.001:
            why = (
                f"your windows gave away {got.sum():g} and had {gradient.sum():g}: where several "
                "pixels are equally large only one may win"
            )
        elif got.sum() < want.sum() * 0.999:
            why = (
                f"the windows had {gradient.sum():g} to give, and {got.sum():g} arrived: a pixel "
                "that wins two windows gets both gradients, so add, don't assign"
            )
        else:
            why = "the sum is right but not the winner: of equal numbers the first in scan order"
        raise AssertionError(f"{case}{why}. The right answer is\n{want}")

    holds()


def padding_never_wins(answer) -> None:
    """Hold that only numbers of the image come out of max pooling, whatever the padding.

    Parameters
    ----------
    answer : function
        Takes x (H, W) and padding, 0 or 1; gives the maxima of 3×3 windows with stride 1.

    Raises
    ------
    AssertionError
    """

    @cases(count=40, x=_images(3), padding=st.integers(0, 1))
    def holds(x: np.ndarray, padding: int) -> None:
        want = F.max_pool2d(minigrad.tensor(x[np.newaxis, np.newaxis]), 3, 1, padding).data[0, 0]
        case = f"for x =\n{x}\nand padding {padding}"
        got = np.asarray(ask(answer, case, x, padding))
        assert got.shape == want.shape, (
            f"an image of {x.shape}, padded by {padding} on every side, has {want.shape} windows "
            f"of 3×3; yours gave {got.shape}"
        )
        if np.array_equal(got, want):
            return
        i, j = np.argwhere(~(got == want))[0]
        came = f"window ({i}, {j}) gives {got[i, j]:g}"
        seen = f"but the largest number of x that it sees is {want[i, j]:g}"
        won = ": the padding has won" if got[i, j] > want[i, j] else ""
        raise AssertionError(f"{case} {came}, {seen}{won}")

    holds()
