"""Lesson 17's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e17
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "17_gpu"


@pytest.mark.parametrize("name", ["blocks", "axes_of", "windows_over"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e17, name), LESSON, name)


def test_blocks():
    e17.blocks(lambda count, threads: (count + threads - 1) // threads)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, t: n // t, "numbers have no thread: round up"),
        (lambda n, t: n // t + 1, "The last block would have nothing to do"),
        (lambda n, t: round(n / t), "numbers have no thread"),
        (lambda n, t: n / t, "Blocks are whole"),
        (lambda n, t: n, "a block has several"),
    ],
)
def test_wrong_blocks(answer, words):
    says(e17.blocks, answer, words)


def peel(place, shape):
    index = []
    for length in reversed(shape):
        place, along = divmod(place, length)
        index.append(along)
    return tuple(reversed(index))


def fortran(place, shape):
    return np.unravel_index(place, shape, order="F")


def undivided(place, shape):
    return [place % length for length in shape]


def unlimited(place, shape):
    N, C, H, W = shape
    return place // (C * H * W), place // (H * W), place // W, place % W


def test_the_axes_of_a_place():
    e17.axes_of(peel)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, s: peel(p, s)[::-1], "n comes first"),
        (fortran, "the first axis runs fastest"),
        (unlimited, "take % of each length"),
        (undivided, "before you go on to the next"),
        (lambda p, s: peel(p, (*s[:2], s[3], s[2])), "Rows and columns are exchanged"),
    ],
)
def test_wrong_axes(answer, words):
    says(e17.axes_of, answer, words)


def windows(y, k, stride, padding, count, first=0, last=0, low=0, high=None):
    high = count if high is None else high
    starts = ((i, i * stride - padding) for i in range(low, high))
    return [i for i, at in starts if at + first <= y < at + k + last]


def by_division(y, k, stride, padding, count):
    first = max(0, -(-(y + padding - k + 1) // stride))
    return list(range(first, min(count - 1, (y + padding) // stride) + 1))


@pytest.mark.parametrize("answer", [windows, by_division])
def test_the_windows_over_a_row(answer):
    e17.windows_over(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda y, k, s, p, n: windows(y, k, s, 0, n), "moves every window up by as much"),
        (lambda y, k, s, p, n: windows(y, k, s, -p, n), "moves windows up, not down"),
        (lambda y, k, s, p, n: windows(y, k, 1, p, n), "That is for stride 1"),
        (lambda *a: windows(*a, last=1), "that row is not in it"),
        (lambda *a: windows(*a, first=1), "A window sees its first row"),
        (lambda *a: windows(*a, low=-9), "No window has a negative number"),
        (lambda *a: windows(*a, high=20), "There are only"),
    ],
)
def test_wrong_windows(answer, words):
    says(e17.windows_over, answer, words)
