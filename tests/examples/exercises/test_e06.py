"""Lesson 06's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e06
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "06_col2im_and_weights"


@pytest.mark.parametrize("name", ["scatter", "weight_gradient", "is_transpose"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e06, name), LESSON, name)


def scattering(add=True, channels_first=True, mean=False, flip=False):
    def scatter(cols, shape, kernel_size, stride):
        (C, H, W), (kh, kw) = shape, kernel_size
        oh, ow = (H - kh) // stride + 1, (W - kw) // stride + 1
        if channels_first:
            cols = cols.reshape(C, kh, kw, oh, ow)
        else:
            cols = cols.reshape(kh, kw, C, oh, ow).transpose(2, 0, 1, 3, 4)
        x, counts = np.zeros(shape), np.zeros(shape)
        for c, i, j, u, v in np.ndindex(C, oh, ow, kh, kw):
            y, z = i * stride + u, j * stride + v
            if flip:
                y, z = i * stride + kh - 1 - u, j * stride + kw - 1 - v
            x[c, y, z] = x[c, y, z] + cols[c, u, v, i, j] if add else cols[c, u, v, i, j]
            counts[c, y, z] += 1
        return x / np.maximum(counts, 1) if mean else x

    return scatter


def test_scattering():
    e06.scatter(scattering())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (scattering(add=False), "only the last is left"),
        (scattering(mean=True), "the gradient is the sum"),
        (scattering(channels_first=False), "run over the channels first"),
        (scattering(flip=True), "The kernel is flipped"),
        (lambda cols, shape, kernel_size, stride: cols, "must have shape"),
    ],
)
def test_wrong_scattering(answer, words):
    says(e06.scatter, answer, words)


def test_weight_gradients():
    e06.weight_gradient(lambda cols, g, shape: np.einsum("nol,nkl->ok", g, cols).reshape(shape))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda cols, g, shape: (g[-1] @ cols[-1].T).reshape(shape), "Only the last image"),
        (lambda cols, g, shape: (g[0] @ cols[0].T).reshape(shape), "Only the first image"),
        (
            lambda cols, g, shape: np.einsum("nol,nkl->ok", g, cols).reshape(shape) / len(g),
            "That is the mean over the images",
        ),
        (
            lambda cols, g, shape: (
                g.reshape(g.shape[1], -1) @ cols.reshape(cols.shape[1], -1).T
            ).reshape(shape),
            "mixes images and outputs",
        ),
        (
            lambda cols, g, shape: np.einsum("nol,nkl->ko", g, cols).reshape(shape),
            "multiply the other way round",
        ),
        (lambda cols, g, shape: np.einsum("nol,nkl->ok", g, cols), "the shape of the weight"),
        (lambda cols, g, shape: g @ cols.swapaxes(1, 2), "sum over N"),
    ],
)
def test_wrong_weight_gradients(answer, words):
    says(e06.weight_gradient, answer, words)


def products(f, g, in_shape, out_shape, draw, draw_too=None):
    x, c = draw(in_shape), (draw_too or draw)(out_shape)
    return np.sum(f(x) * c), np.sum(x * g(c))


def drawn(shape):
    return np.random.default_rng(3).standard_normal(shape)


def others(shape):
    return np.random.default_rng(4).standard_normal(shape)


def test_a_test_of_transposes():
    e06.is_transpose(lambda *pair: np.isclose(*products(*pair, drawn, others)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *pair: np.isclose(*products(*pair, np.ones)), "agree by accident"),
        (lambda f, g, i, o: np.allclose(g(f(drawn(i))), drawn(i)), "g need not undo f"),
        (lambda *pair: np.isclose(*products(*pair, drawn)), "draw both"),
        (lambda *pair: np.equal(*products(*pair, drawn, others)), "compare with np.isclose"),
        (lambda *pair: True, "an inverse is something else"),
        (lambda f, g, i, o: f(np.ones(i)).shape == o and g(np.ones(o)).shape == i, "an inverse"),
        (lambda f, g, i, o: f(np.ones(i)), "True or False is asked for"),
    ],
)
def test_wrong_tests_of_transposes(answer, words):
    says(e06.is_transpose, answer, words)
