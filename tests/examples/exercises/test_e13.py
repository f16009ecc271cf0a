"""Lesson 13's exercises: right answers pass, wrong ones are told what is wrong."""

import pytest

from examples.exercises import e13
from minigrad import functional as F
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "13_auxiliary_heads"


@pytest.mark.parametrize("name", ["training_loss", "way_back"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e13, name), LESSON, name)


def right(main, heads, target, weight):
    total = F.cross_entropy(main, target)
    for head in heads:
        total = total + weight * F.cross_entropy(head, target)
    return total


def test_the_loss_of_all_heads():
    e13.training_loss(right)


def cut(main, heads, target, weight):
    others = sum(F.cross_entropy(head, target).item() for head in heads)
    return F.cross_entropy(main, target) + weight * others


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda m, h, t, w: right(m, h, t, 1.0), "multiply the auxiliary ones by weight"),
        (lambda m, h, t, w: right(m, h, t, w) / (1 + len(h)), "the losses are added"),
        (lambda m, h, t, w: F.cross_entropy(sum(h, start=m), t), "Each has a loss of its own"),
        (lambda m, h, t, w: F.cross_entropy(m, t), "auxiliary heads are missing"),
        (cut, "it trains nothing"),
        (lambda *a: right(*a).item(), "nothing can go back from it"),
    ],
)
def test_wrong_losses(answer, words):
    says(e13.training_loss, answer, words)


def back(matrices, arriving, add=True, turn=True, later=1, early=False, order=1):
    """Return what a reader would write, with the mistakes that are asked for."""
    last = len(matrices) - 1
    found = [arriving[last]]
    for i in range(last - 1, -1, -1):
        matrix = matrices[i + later]
        gradient = (matrix.T if turn else matrix) @ found[-1]
        if i in arriving:
            comes = matrices[i].T @ arriving[i] if early else arriving[i]
            gradient = gradient + comes if add else comes
        found.append(gradient)
    return found[::-order]


def test_the_way_back():
    e13.way_back(back)


def without_heads(matrices, arriving):
    last = len(matrices) - 1
    return back(matrices, {last: arriving[last]})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: back(*a, add=False), "where ways meet, add"),
        (lambda *a: back(*a, turn=False), "must be transposed"),
        (lambda *a: back(*a, later=0), "the stage after i is i + 1"),
        (lambda *a: back(*a, early=True), "into the stage's output"),
        (lambda *a: back(*a, order=-1), "stage 0 comes first"),
        (without_heads, "auxiliary heads are missing"),
        (lambda m, a: back(m, a)[:-1], "a list of 1 gradients"),
    ],
)
def test_wrong_ways_back(answer, words):
    says(e13.way_back, answer, words)
