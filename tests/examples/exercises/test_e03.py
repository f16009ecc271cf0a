"""Lesson 03's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e03
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "03_broadcasting"


@pytest.mark.parametrize("name", ["unbroadcast", "multiply_gradients", "centre_gradient"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e03, name), LESSON, name)


def reduced(gradient, shape, reduce=np.sum, stay=True):
    while gradient.ndim > len(shape):
        gradient = reduce(gradient, axis=0)
    for axis in reversed(range(len(shape))):
        if shape[axis] == 1:
            gradient = reduce(gradient, axis=axis, keepdims=stay)
    return gradient


def test_unbroadcasting():
    e03.unbroadcast(reduced)


def test_the_beginning_works_for_a_bias_only():
    says(e03.unbroadcast, lambda gradient, shape: gradient.sum(axis=0), "shape")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda gradient, shape: reduced(gradient, shape, np.mean), "That is the mean"),
        (lambda gradient, shape: reduced(gradient, shape, stay=False), "axes of length 1 stay"),
        (lambda gradient, shape: gradient, "Nothing was summed"),
        (
            lambda gradient, shape: gradient[(0,) * (gradient.ndim - len(shape))][
                tuple(slice(0, n) for n in shape)
            ],
            "That is one of the copies",
        ),
    ],
)
def test_wrong_unbroadcasting(answer, words):
    says(e03.unbroadcast, answer, words)


def test_products():
    e03.multiply_gradients(
        lambda a, b, gradient: (reduced(gradient * b, a.shape), reduced(gradient * a, b.shape))
    )


def summed_first(a, b, gradient):
    def one(own, other):
        early = reduced(gradient, own.shape)
        return early * reduced(np.broadcast_to(other, gradient.shape), own.shape)

    return (
        gradient * b if a.shape == gradient.shape else one(a, b),
        gradient * a if b.shape == gradient.shape else one(b, a),
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda a, b, gradient: (reduced(gradient * a, a.shape), reduced(gradient * b, b.shape)),
            "its slope is the other factor",
        ),
        (lambda a, b, gradient: (gradient * b, gradient * a), "Nothing was summed"),
        (summed_first, "Multiply first, then sum"),
        (
            lambda a, b, gradient: (reduced(gradient, a.shape), reduced(gradient, b.shape)),
            "The other factor is missing",
        ),
    ],
)
def test_wrong_products(answer, words):
    says(e03.multiply_gradients, answer, words)


def test_centring():
    e03.centre_gradient(lambda gradient: gradient - gradient.mean(axis=0))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda gradient: gradient, "x is used twice"),
        (lambda gradient: gradient - gradient.sum(axis=0), "The mean divides by N"),
        (lambda gradient: gradient - gradient.mean(), "axis 0"),
        (lambda gradient: gradient * (1 - 1 / len(gradient)), "not only its own"),
    ],
)
def test_wrong_centring(answer, words):
    says(e03.centre_gradient, answer, words)
