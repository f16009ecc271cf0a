"""Lesson 12's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e12
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "12_inception"


@pytest.mark.parametrize("name", ["pointwise", "inception_cost", "widest_that_pays"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e12, name), LESSON, name)


def flat(x, weight, transposed=False):
    N, C, H, W = x.shape
    matrix = weight[:, :, 0, 0]
    return ((matrix.T if transposed else matrix) @ x.reshape(N, C, H * W)).reshape(N, -1, H, W)


def test_a_pointwise_convolution():
    e12.pointwise(flat)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, w: (w[:, :, 0, 0] @ x.reshape(x.shape[1], -1)).reshape(
            len(x), -1, *x.shape[2:]), "numbers of one land in the channels of another"),
        (lambda x, w: x.transpose(0, 2, 3, 1) @ w[:, :, 0, 0].T, "channels came out last"),
        (lambda x, w: w[:, :, 0, 0] @ x.reshape(*x.shape[:2], -1), "give the pixels their two"),
        (lambda x, w: w[:, :, 0, 0] @ x, "your code raises ValueError"),
        (lambda x, w: np.repeat(x.sum(1, keepdims=True), len(w), 1), "where is the weight?"),
    ],
)  # fmt: skip
def test_wrong_pointwise_convolutions(answer, words):
    says(e12.pointwise, answer, words)


def cost(channels, pixels, row, reduction=1, into=None, power=2, pool=1):
    three = channels if into else row.conv_3x3_reduce
    five = channels if into else row.conv_5x5_reduce
    return pixels * (
        channels * row.conv_1x1
        + reduction * channels * (row.conv_3x3_reduce + row.conv_5x5_reduce)
        + 3**power * three * row.conv_3x3
        + 5**power * five * row.conv_5x5
        + pool * channels * row.pool_proj
    )


def test_the_cost_of_a_module():
    e12.inception_cost(cost)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: cost(*a, reduction=0), "The 1×1 in front is missing"),
        (lambda *a: cost(*a, into="all"), "what the reduction leaves"),
        (lambda *a: cost(*a, power=1), "A 3×3 window has 9 pixels"),
        (lambda *a: cost(*a, pool=0), "It has a convolution, and that costs"),
        (lambda c, p, row: cost(c, 1, row), "at each of them"),
    ],
)
def test_wrong_costs(answer, words):
    says(e12.inception_cost, answer, words)


def limit(channels, out, k):
    return k * k * channels * out / (channels + k * k * out)


def test_the_widest_that_pays():
    e12.widest_that_pays(lambda c, o, k: int(np.ceil(limit(c, o, k))) - 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (limit, "A width is a whole number"),
        (lambda c, o, k: round(limit(c, o, k)), "that does not save any"),
        (lambda c, o, k: int(limit(c, o, k)) + 1, "that does not save any"),
        (lambda c, o, k: c - 1, "the 1×1 costs channels · r as well"),
        (lambda c, o, k: int(k * c * o / (c + k * o)), "pixels, not"),
    ],
)
def test_wrong_widths(answer, words):
    says(e12.widest_that_pays, answer, words)
