"""Lesson 05's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e05
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "05_im2col"


@pytest.mark.parametrize("name", ["columns", "product", "copies"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e05, name), LESSON, name)


def windows(x, kernel_size, stride=1):
    """(oh, ow, C, kh, kw)"""
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(1, 2))
    return seen[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)


def arranged(*axes, stride=True):
    """Columns with the axes (i, j, c, u, v) in the order of `axes`, the last two for windows."""

    def columns(x, kernel_size, step):
        seen = windows(x, kernel_size, step if stride else 1).transpose(axes)
        return seen.reshape(int(np.prod(seen.shape[:3])), -1)

    return columns


def test_columns():
    e05.columns(arranged(2, 3, 4, 0, 1))


def side_by_side(x, kernel_size, stride):
    seen = windows(x, kernel_size)
    oh, ow = windows(x, kernel_size, stride).shape[:2]
    seen = seen[:oh, :ow]
    return seen.transpose(2, 3, 4, 0, 1).reshape(-1, oh * ow)


def rows_of_windows(x, kernel_size, stride):
    return arranged(2, 3, 4, 0, 1)(x, kernel_size, stride).T


def rows_reshaped(x, kernel_size, stride):
    cols = rows_of_windows(x, kernel_size, stride)
    return cols.reshape(cols.shape[::-1])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (arranged(3, 4, 2, 0, 1), "Rows run over the channels first"),
        (arranged(2, 3, 4, 1, 0), "column i·ow + j is window (i, j)"),
        (arranged(2, 4, 3, 0, 1), "kernel's rows come first"),
        (arranged(2, 3, 4, 0, 1, stride=False), "The stride is missing"),
        (side_by_side, "The windows stand side by side"),
        (rows_of_windows, "Transpose it"),
        (rows_reshaped, "ranspose"),
    ],
)
def test_wrong_columns(answer, words):
    says(e05.columns, answer, words)


def multiplied(rows):
    return lambda cols, weight, size: (rows(weight) @ cols).reshape(len(weight), *size)


def test_product():
    e05.product(multiplied(lambda weight: weight.reshape(len(weight), -1)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (multiplied(lambda w: w.reshape(-1, len(w)).T), "reshape(−1, O) cuts kernels into pieces"),
        (multiplied(lambda w: w.reshape(len(w), -1)[:, ::-1]), "The kernel is flipped"),
        (
            multiplied(lambda w: w.transpose(0, 2, 3, 1).reshape(len(w), -1)),
            "numbers meet strangers",
        ),
        (
            lambda cols, w, size: (w.reshape(len(w), -1) @ cols).reshape(len(w), *size[::-1]),
            "The height comes first",
        ),
        (
            lambda cols, w, size: (cols.T @ w.reshape(len(w), -1).T).reshape(len(w), *size),
            "Kernels and pixels are mixed up",
        ),
        (lambda cols, w, size: w.reshape(len(w), -1) @ cols, "Lay each kernel's row out"),
    ],
)
def test_wrong_products(answer, words):
    says(e05.product, answer, words)


def counted(length, kernel, stride):
    counts = np.zeros(length)
    for start in range(0, length - kernel + 1, stride):
        counts[start : start + kernel] += 1
    return counts


def test_copies():
    e05.copies(counted)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda length, kernel, stride: [kernel] * length, "At the ends fewer windows fit"),
        (lambda length, kernel, stride: counted(length, kernel, 1), "The stride is missing"),
        (lambda *a: counted(*a).sum(), "One number for each pixel"),
        (
            lambda n, kernel, stride: [min(i + 1, n - i, kernel) for i in range(n)],
            "no pixel is seen by more windows than there are",
        ),
    ],
)
def test_wrong_copies(answer, words):
    says(e05.copies, answer, words)
