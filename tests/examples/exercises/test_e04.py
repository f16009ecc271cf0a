"""Lesson 04's exercises: right answers pass, wrong ones are told what is wrong."""

import math

import numpy as np
import pytest

from examples.exercises import e04
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "04_convolution_as_loops"


@pytest.mark.parametrize("name", ["output_length", "convolve", "input_gradient"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e04, name), LESSON, name)


def test_lengths():
    e04.output_length(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s + 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s, "One is missing"),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1, "round down"),
        (lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1, "hang over"),
        (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1, "at both ends"),
        (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "With dilation a kernel of k reaches"),
        (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1, "k pixels have k − 1 gaps"),
    ],
)
def test_wrong_lengths(answer, words):
    says(e04.output_length, answer, words)


def convolving(add=True, flip=False, step=True, both=True, channels=slice(None)):
    def convolve(x, weight, stride, padding):
        (C, H, W), (O, _, kh, kw) = x.shape, weight.shape
        ends = (padding, padding if both else 0)
        oh, ow = (H + 2 * padding - kh) // stride + 1, (W + 2 * padding - kw) // stride + 1
        x = np.pad(x, ((0, 0), ends, ends))
        if flip:
            weight = weight[:, :, ::-1, ::-1]
        out = np.zeros((O, oh, ow))
        for o, i, j in np.ndindex(out.shape):
            for c in range(C)[channels]:
                y, z = (i * stride, j * stride) if step else (i, j)
                part = (x[c, y : y + kh, z : z + kw] * weight[o, c]).sum()
                out[o, i, j] = out[o, i, j] + part if add else part
        return out

    return convolve


def test_convolving():
    e04.convolve(convolving())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (convolving(flip=True), "The kernel is flipped"),
        (convolving(add=False), "add, do not assign"),
        (convolving(channels=slice(1)), "Only the first channel"),
        (convolving(step=False), "window (i, j) starts at (i·stride, j·stride)"),
        (convolving(both=False), "padding 1"),
        (
            lambda x, weight, stride, padding: convolving()(x, weight, stride, 0),
            "padding is missing",
        ),
    ],
)
def test_wrong_convolving(answer, words):
    says(e04.convolve, answer, words)


def going_back(add=True, flip=False, step=True, kernels=slice(None)):
    def input_gradient(gradient, weight, shape, stride):
        if flip:
            weight = weight[:, :, ::-1, ::-1]
        x = np.zeros(shape)
        for o in range(len(weight))[kernels]:
            for i, j in np.ndindex(gradient.shape[1:]):
                for c, u, v in np.ndindex(weight.shape[1:]):
                    y, z = (i * stride + u, j * stride + v) if step else (i + u, j + v)
                    part = gradient[o, i, j] * weight[o, c, u, v]
                    x[c, y, z] = x[c, y, z] + part if add else part
        return x

    return input_gradient


def test_going_back():
    e04.input_gradient(going_back())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (going_back(add=False), "Only the last window's part is left"),
        (going_back(flip=True), "The kernel is flipped"),
        (going_back(step=False), "The stride is missing"),
        (going_back(kernels=slice(1)), "Only the first kernel"),
        (lambda gradient, weight, shape, stride: gradient, "The weights are missing"),
    ],
)
def test_wrong_going_back(answer, words):
    says(e04.input_gradient, answer, words)
