"""Lesson 15's exercises: right answers pass, wrong ones are told what is wrong."""

import numpy as np
import pytest

from examples.exercises import e15
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "15_what_it_learned"


@pytest.mark.parametrize("name", ["class_activation_map", "occlusion"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e15, name), LESSON, name)


def weighed(features, weights):
    return (weights[:, np.newaxis, np.newaxis] * features).sum(0)


def test_a_class_activation_map():
    e15.class_activation_map(lambda f, w, c: weighed(f, w[c]))
    e15.class_activation_map(lambda f, w, c: np.einsum("k,kij->ij", w[c], f))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda f, w, c: f.mean(0), "the same for every class"),
        (lambda f, w, c: np.maximum(weighed(f, w[c]), 0), "without them the mean is not the logit"),
        (lambda f, w, c: weighed(f, np.abs(w[c])), "keep its sign"),
        (lambda f, w, c: weighed(f, w.sum(0)), "All classes are mixed there"),
        (lambda f, w, c: w[c] @ f.mean((1, 2)), "That is the logit already"),
        (lambda f, w, c: w[c][:, None, None] * f, "add them up"),
        (lambda f, w, c: weighed(f, w[c]) / len(f), "The channels are summed"),
    ],
)
def test_wrong_class_activation_maps(answer, words):
    says(e15.class_activation_map, answer, words)


def covering(score, image, size, fill, sign=1, more=1, copy="each", difference=True):
    """Return what a reader would write, with the mistakes that are asked for."""
    H, W = image.shape
    falls = np.zeros((H - size + more, W - size + more))
    whole, covered = score(image), image if copy == "none" else image.copy()
    for y, x in np.ndindex(falls.shape):
        if copy == "each":
            covered = image.copy()
        covered[y : y + size, x : x + size] = fill
        falls[y, x] = sign * (whole - score(covered)) if difference else score(covered)
    return falls


def test_occlusion():
    e15.occlusion(covering)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sign": -1}, "The sign is turned"),
        ({"more": 0}, "The last places are missing"),
        ({"copy": "none"}, "Cover a copy"),
        ({"copy": "once"}, "Earlier squares are still covered"),
        ({"difference": False}, "by how much does it fall?"),
    ],
)
def test_wrong_occlusions(options, words):
    says(e15.occlusion, lambda *a: covering(*a, **options), words)


def test_an_occlusion_that_fills_with_zeros():
    says(e15.occlusion, lambda s, i, n, fill: covering(s, i, n, 0.0), "become `fill`, not 0")
