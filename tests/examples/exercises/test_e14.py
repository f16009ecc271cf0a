"""Lesson 14's exercises: right answers pass, wrong ones are told what is wrong."""

import math

import pytest

from examples.exercises import e14
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "14_training"


@pytest.mark.parametrize("name", ["train_step", "epoch_loss", "rate"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e14, name), LESSON, name)


def stepping(order):
    """Return a step that does these things in this order."""

    def train_step(parameters, optimizer, loss_of, batch):
        loss = loss_of(batch)
        for what in order.split():
            {"zero": optimizer.zero_grad, "back": loss.backward, "step": optimizer.step}[what]()

    return train_step


@pytest.mark.parametrize("order", ["zero back step", "back step zero"])
def test_a_step(order):
    e14.train_step(stepping(order))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("back step", "Call zero_grad before it"),
        ("back zero step", "zero_grad came between backward and step"),
        ("zero step back", "Backward comes first"),
        ("zero back", "optimizer.step() was not called"),
    ],
)
def test_wrong_steps(order, words):
    says(e14.train_step, stepping(order), words)


def test_a_step_on_something_else():
    def raises(parameters, optimizer, loss_of, batch):
        loss_of(batch).backwards()

    says(e14.train_step, raises, "AttributeError")


def test_the_loss_of_an_epoch():
    e14.epoch_loss(lambda batches: sum(m * n for m, n in batches) / sum(n for _, n in batches))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda b: sum(m for m, _ in b) / len(b), "a picture in a small batch counts more"),
        (lambda b: sum(m * n for m, n in b) / len(b), "the number of pictures, not of batches"),
        (lambda b: sum(m * n for m, n in b), "That is the sum over the pictures"),
        (lambda b: sum(m for m, _ in b) / sum(n for _, n in b), "must be multiplied"),
        (lambda b: b[-1][0], "That is the last batch's"),
    ],
)
def test_wrong_losses_of_an_epoch(answer, words):
    says(e14.epoch_loss, answer, words)


def schedule(step, steps, warmup, peak, first=1, begin=None, end=None, waves=1):
    if step < warmup:
        return peak * (step + first) / warmup
    begin = warmup - 1 if begin is None else begin
    end = steps if end is None else steps + end
    way = (step - begin) / (end - begin)
    return peak / 2 * (1 + math.cos(math.pi * waves * way))


def test_a_schedule():
    e14.rate(schedule)


def unlifted(step, steps, warmup, peak):
    return 2 * schedule(step, steps, warmup, peak) - peak if step >= warmup else schedule(
        step, steps, warmup, peak
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: schedule(*a, first=0), "Step 0 would not move at all"),
        (lambda *a: schedule(*a, begin=0), "count its steps from there"),
        (lambda *a: schedule(*a, waves=2), "it climbs again"),
        (lambda *a: schedule(*a, end=-1), "The last step would not move"),
        (unlifted, "lift it"),
        (lambda step, steps, warmup, peak: peak, "Warm-up climbs"),
    ],
)
def test_wrong_schedules(answer, words):
    says(e14.rate, answer, words)
