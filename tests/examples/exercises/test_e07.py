import numpy as np
import pytest

from examples.exercises import e07
from tests.examples.exercises.starting import starting

LESSON = "07_pooling"


def windows(gradient):
    for i, j in np.ndindex(gradient.shape):
        yield (i, j), (slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3))


def to_the_winner(x, gradient, add=True, last=False):
    total = np.zeros_like(x)
    for at, seen in windows(gradient):
        flat = x[seen].ravel()
        winner = 8 - flat[::-1].argmax() if last else flat.argmax()
        place = seen[0].start + winner // 3, seen[1].start + winner % 3
        total[place] = total[place] * add + gradient[at]
    return total


def to_all_equal(x, gradient):
    total = np.zeros_like(x)
    for at, seen in windows(gradient):
        total[seen] += gradient[at] * (x[seen] == x[seen].max())
    return total


def padded_with(**options):
    def max_pool(x, padding):
        padded = np.pad(x, padding, **options)
        return np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max(axis=(2, 3))

    return max_pool


def padded_on_two_sides(x, padding):
    padded = np.pad(x, ((padding, 0), (padding, 0)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max(axis=(2, 3))


def test_right_answers_pass():
    e07.each_window_pays_its_first_winner(to_the_winner)
    e07.padding_never_wins(padded_with(constant_values=-np.inf))


def test_the_lesson_begins_unsolved():
    with pytest.raises(NotImplementedError):
        e07.each_window_pays_its_first_winner(starting(LESSON, "max_pool_gradient"))
    with pytest.raises(AssertionError, match="the padding has won"):
        e07.padding_never_wins(starting(LESSON, "max_pool"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, g: to_the_winner(x, g, add=False), "add, don't assign"),
        (lambda x, g: to_the_winner(x, g, last=True), "the first in scan order"),
        (to_all_equal, "only one may win"),
    ],
    ids=["assigned", "last wins", "all equals win"],
)
def test_wrong_gradients_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e07.each_window_pays_its_first_winner(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (padded_with(constant_values=np.finfo(np.float32).tiny), "the padding has won"),
        (padded_with(mode="wrap"), "the largest number of x that it sees is"),
        (padded_on_two_sides, "on every side"),
    ],
    ids=["the smallest positive number", "wraps round", "top and left only"],
)
def test_wrong_paddings_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e07.padding_never_wins(wrong)
