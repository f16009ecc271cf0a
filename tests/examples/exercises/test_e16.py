"""Lesson 16's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e16
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "16_ladder"


@pytest.mark.parametrize("name", ["shifted", "at_best"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e16, name), LESSON, name)


def nine(x, weight, back=False, turn=False, add=True, pad=True):
    """Return what a reader would write, with the mistakes that are asked for."""
    (_, H, W), total = x.shape, 0
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1))) if pad else x
    rows, columns = (H, W) if pad else (H - 2, W - 2)
    for u in range(3):
        for v in range(3):
            y, z = (2 - u, 2 - v) if back else (v, u) if turn else (u, v)
            seen = padded[:, y : y + rows, z : z + columns]
            product = np.einsum("oc,chw->ohw", weight[:, :, u, v], seen)
            total = total + product if add else product
    return total


def rolled(x, weight):
    return sum(
        np.tensordot(weight[:, :, u, v], np.roll(x, (1 - u, 1 - v), (1, 2)), 1)
        for u in range(3)
        for v in range(3)
    )


def test_a_convolution_of_shifted_pictures():
    e16.shifted(nine)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, w: nine(x, w, back=True), "The shifts go the wrong way"),
        (lambda x, w: nine(x, w, turn=True), "Rows and columns of the kernel are exchanged"),
        (lambda x, w: nine(x, w, add=False), "add them up"),
        (lambda x, w: nine(x, w, pad=False), "The padding is missing"),
        (rolled, "in again at the other side"),
        (lambda x, w: np.tensordot(w[:, :, 1, 1], x, 1), "only the middle"),
    ],
)
def test_wrong_convolutions(answer, words):
    says(e16.shifted, answer, words)


def both(N, C, H, W, O, K, peak, bandwidth, flop=2, size=4, weights=1, out=1):
    work = flop * N * O * C * K * K * H * W / peak
    numbers = N * C * H * W + weights * O * C * K * K + out * N * O * H * W
    return work, size * numbers / bandwidth


def test_the_time_under_the_roof():
    e16.at_best(lambda *a: max(both(*a)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: both(*a)[0], "only the arithmetic"),
        (lambda *a: both(*a)[1], "only the way of the numbers"),
        (lambda *a: sum(both(*a)), "the slower one counts, not the sum"),
        (lambda *a: max(both(*a, flop=1)), "two operations"),
        (lambda *a: max(both(*a, size=1)), "four bytes"),
        (lambda *a: max(both(*a, weights=0)), "The weights must move"),
        (lambda *a: max(both(*a, out=0)), "The output must be written"),
    ],
)
def test_wrong_times(answer, words):
    says(e16.at_best, answer, words)
