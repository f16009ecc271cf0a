"""What every operation owes the engine: held by ours, violated by those wrong on purpose."""

import itertools
from functools import partial

import numpy as np
import pytest

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.autograd import record
from minigrad.device import choose
from minigrad.testing import laws
from minigrad.testing.strategies import random_array
from tests.testing.broken import violation, with_gradient

X, Y = random_array((2, 3)), random_array((2, 3), seed=1)
TARGET = np.array([2, -100])


def draw(*shapes, values="integers"):
    return [random_array(shape, values, seed=i) for i, shape in enumerate(shapes)]


# name: (function, inputs, roundings between rungs and between layouts)
OPERATIONS = {
    "conv2d": (
        partial(F.conv2d, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        draw((2, 4, 6, 7), (4, 2, 3, 2), (4,)), 0,
    ),
    "max_pool2d": (
        partial(F.max_pool2d, kernel_size=3, stride=2, padding=1),
        draw((2, 3, 7, 6), values="ties"), 0,
    ),
    "avg_pool2d": (partial(F.avg_pool2d, kernel_size=2, stride=1), draw((2, 3, 5, 6)), 0),
    "local_response_norm": (
        partial(F.local_response_norm, size=3, alpha=1.0), draw((2, 5, 3, 2)), 16,
    ),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        draw((3, 4, 2, 3), (4,), (4,), values="normal"), 256,
    ),
    "softmax": (partial(F.softmax, axis=1), draw((3, 5, 2)), 16),
    "cross_entropy": (
        partial(F.cross_entropy, reduction="none", label_smoothing=0.1), [X, TARGET], 16,
    ),
    "linear": (F.linear, draw((4, 3), (5, 3), (5,)), 0),
    "relu": (F.relu, draw((3, 4, 5)), 0),
    "dropout": (partial(F.dropout, p=0.3), draw((3, 4, 5)), 0),
    "concat": (lambda *t: minigrad.concat(t, 1), draw((2, 3, 4), (2, 1, 4)), 0),
    "matmul": (lambda a, b: a @ b, draw((2, 3, 4), (4, 5)), 0),
    "several operations": (lambda x, y: ((x * y).exp() + x).sum(1), [X, Y], 16),
    "two outputs": (lambda x, y: (x * y, F.relu(x)), draw((2, 3), (2, 3)), 0),
    "a number": (lambda x: x.sum(), draw((2, 3)), 0),
    "an empty batch": (F.linear, draw((0, 3), (5, 3)), 0),
    "not recorded": (lambda x: tensor(x.data), draw((2, 3)), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_ours_keep_what_they_owe(name):
    f, inputs, roundings = OPERATIONS[name]
    laws.rungs_agree(f, inputs, roundings=roundings)
    laws.threads_agree(f, inputs)
    laws.deterministic(f, inputs, times=3)
    laws.inputs_unchanged(f, inputs)
    laws.keeps_dtype(f, inputs)
    laws.same_for_any_memory_layout(f, inputs, roundings=roundings)
    laws.gradients_accumulate(f, inputs)
    laws.gradients_alone(f, inputs)


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "batch_norm", "softmax", "relu"])
def test_ours_do_not_depend_on_threads_where_there_are_many_tasks(name):
    f, inputs, _ = OPERATIONS[name]
    x = random_array((3, *inputs[0].shape[1:2], 40, 41), dtype=np.float32)
    laws.threads_agree(f, [x, *(a.astype(np.float32) for a in inputs[1:])])


def test_rungs_that_differ_are_seen():
    def slower_is_larger(x):
        return x * choose({"naive": 1.0, "vectorized": 1.0, "cpu": 2.0})

    with violation("rungs_agree", "the output on rung cpu", "on naive", "at [0, 0]"):
        laws.rungs_agree(slower_is_larger, X)
    laws.rungs_agree(slower_is_larger, X, rungs=("vectorized", "naive"))
    with violation("rungs_agree", "the gradient of input 0 on rung vectorized"):
        factor = {"naive": 1.0, "vectorized": 2.0, "cpu": 1.0}
        laws.rungs_agree(
            lambda x: (lambda n: with_gradient(F.relu, lambda g: g * n)(x))(choose(factor)), X
        )


def test_threads_that_matter_are_seen_and_put_back():
    before = minigrad.get_num_threads()
    with violation("threads_agree", "on 2 threads", "on 1"):
        laws.threads_agree(lambda x: x * minigrad.get_num_threads(), X)
    with violation("threads_agree", "on 7 threads", "the gradient"):
        laws.threads_agree(
            with_gradient(F.relu, lambda g: g * (minigrad.get_num_threads() > 6)), X,
            threads=(1, 7),
        )  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        laws.threads_agree(lambda x: 1 / 0, X)
    assert minigrad.get_num_threads() == before


def test_what_changes_from_run_to_run_is_seen():
    counter = itertools.count()
    with violation("deterministic", "of run 2", "of run 1"):
        laws.deterministic(lambda x: x * next(counter), X)
    counter = iter([1, 1, 2])
    with violation("deterministic", "of run 3", "the gradient"):
        laws.deterministic(with_gradient(F.relu, lambda g: g * next(counter)), X, times=3)


def writes(where, when):
    """Write into an array as forward or backward runs."""

    def f(x):
        held = {"input": x.data}

        def back(g):
            if when == "backward":
                {**held, "gradient": g}[where][...] = 7
            return g.copy()

        out = record("writes", x.data * 1, (x, back))
        held["output"] = out.data
        if when == "forward":
            held[where][...] = 7
        return out

    return f


def test_arrays_that_are_written_to_are_seen():
    law = laws.inputs_unchanged
    with violation("inputs_unchanged", "input 0 after forward is 7.0 but before it"):
        law(writes("input", "forward"), np.array(1.0))
    with violation("inputs_unchanged", "input 0 after backward"):
        law(writes("input", "backward"), X)
    with violation("inputs_unchanged", "output 0 after backward"):
        law(writes("output", "backward"), X)
    with violation("inputs_unchanged", "the gradient of writes after its rule"):
        law(writes("gradient", "backward"), X)
    with violation("inputs_unchanged", "the gradient of writes after its rule"):  # deep inside
        law(lambda x: F.relu(writes("gradient", "backward")(x)) * 2, X)
    counter = itertools.count()
    with violation("inputs_unchanged", "asked again", "through sends to leaf"):
        law(with_gradient(F.relu, lambda g: g + next(counter)), X)
    laws.inputs_unchanged(F.relu, X)
    np.testing.assert_array_equal(X, random_array((2, 3)))  # nor did the laws write into theirs


def test_dtypes_that_change_are_seen():
    with pytest.raises(AssertionError, match="^keeps_dtype: output 0 is float64 but the inputs ar"):
        laws.keeps_dtype(lambda x: x * np.ones(3), X)
    with pytest.raises(AssertionError, match="output 1 is float32 but the inputs are float64"):
        laws.keeps_dtype(lambda x: (x, x.astype(np.float32)), X)
    sentence = "^keeps_dtype: the gradient that through sends to leaf is float64 but the inputs a"
    with pytest.raises(AssertionError, match=sentence):  # the engine would have cast it
        laws.keeps_dtype(with_gradient(F.relu, lambda g: g.astype(np.float64)), X)


@pytest.mark.parametrize("order", ["K", "A"])
def test_looking_at_memory_is_seen(order):
    def flat(array):
        return array.ravel(order).reshape(array.shape)

    with violation("same_for_any_memory_layout", "the output with memory", "row by row"):
        laws.same_for_any_memory_layout(lambda x: tensor(flat(x.data)), X)
    with violation("same_for_any_memory_layout", "the gradient of input 0 with memory"):
        laws.same_for_any_memory_layout(lambda x: record("f", x.data * 2, (x, flat)), X)


def test_rules_that_remember_are_seen():
    first = []
    with violation("gradients_accumulate", "after two backwards"):

        def once(g):
            first.append(g)
            return g if len(first) == 1 else 0 * g

        laws.gradients_accumulate(with_gradient(F.relu, once), random_array((2, 3), "positive"))


def test_gradients_that_depend_on_each_other_are_seen():
    def jealous(x, y):
        out = x * y
        return record(
            "jealous",
            out.data,
            (x, lambda g: g * y.data * (2 if y.requires_grad else 1)),
            (y, lambda g: g * x.data),
        )

    with violation("gradients_alone", "the gradient of input 0 alone"):
        laws.gradients_alone(jealous, [X, Y])


def test_cotangents_may_be_given():
    c = np.arange(6.0).reshape(2, 3)
    seen = []

    def keep(g):
        seen.append(g)
        return g

    laws.deterministic(with_gradient(lambda x: x * 1, keep), X, c)
    np.testing.assert_array_equal(seen[0], c)
    seen.clear()
    laws.deterministic(with_gradient(lambda x: (x * 1, x.sum()), keep), X, (c, 10.0))
    np.testing.assert_array_equal(seen[0] + seen[1], c + 10)


def test_every_law_has_a_test_of_its_violation():
    """Each name in laws.__all__ occurs in a `violation` or in a sentence that is expected."""
    from pathlib import Path

    here = Path(__file__).parent
    text = "".join(path.read_text() for path in here.glob("test_laws*.py"))
    for name in laws.__all__:
        assert f'violation("{name}"' in text or f"{name}: " in text, name
