import numpy as np
import pytest

from examples.exercises import e11
from minigrad import tensor
from minigrad.autograd import record
from minigrad.testing import gradcheck
from tests.examples.exercises.starting import starting

LESSON = "11_your_own_layer"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slope(x):
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


def silu(forward=lambda x: x * sigmoid(x), back=lambda g, x: g * slope(x)):
    def layer(x):
        return record("silu", forward(x.data), (x, lambda g: back(g, x.data)))

    return layer


def overwrites(x):
    s = sigmoid(x)
    return np.multiply(x, s, out=x)


def in_float32(x):
    return (x * sigmoid(x)).astype(np.float32).astype(x.dtype)


def whole(relu, nan=True, fresh=True, at_zero=0.0, gradient=True, forward=True):
    x = tensor(np.float32([-2, 0, 3]), requires_grad=True)
    out = relu(x)
    if forward:
        assert out.tolist() == [0, 0, 3], "the numbers"
    if fresh:
        assert x.tolist() == [-2, 0, 3], "it writes into its input"
    if nan:
        assert np.isnan(relu(tensor([np.nan])).data).all(), "it hides NaN"
    if gradient:
        out.backward(np.float32([5, 6, 7]))
        assert x.grad.tolist() == [0, 6 * at_zero, 7], "the gradient"


def by_gradcheck(relu):
    gradcheck(relu, [np.array([-1.0, 2.0, 0.5])])


def test_right_answers_pass():
    e11.silu_is_a_good_layer(silu())
    e11.silu_is_a_good_layer(lambda x: x * x.sigmoid())
    e11.the_test_kills_what_breaks_relu(whole)


def test_the_lesson_begins_unsolved():
    with pytest.raises(AssertionError, match="Both factors depend on x"):
        e11.silu_is_a_good_layer(starting(LESSON, "silu"))
    with pytest.raises(AssertionError, match="2 of 5 mutants killed.*\n.*everything passes"):
        e11.the_test_kills_what_breaks_relu(starting(LESSON, "relu_is_right"))


def test_an_answer_not_begun_is_no_wrong_one():
    def unwritten(_):
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        e11.the_test_kills_what_breaks_relu(unwritten)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (silu(back=lambda g, x: slope(x)), "the gradient that came multiplies all"),
        (silu(forward=overwrites), "make a new array"),
        (silu(forward=in_float32), "float64"),
        (silu(forward=lambda x: x * np.tanh(x)), "and yours"),
        (lambda x: x.data * sigmoid(x.data), "a layer gives a Tensor"),
    ],
    ids=["forgets g", "overwrites x", "float32", "another function", "an array"],
)
def test_wrong_layers_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e11.silu_is_a_good_layer(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda relu: whole(relu, gradient=False), "4 of 5 .*relu-gradient-passes-zeros"),
        (by_gradcheck, "relu-hides-nan"),
        (lambda relu: whole(relu, at_zero=1), "blames a ReLU that is right: the gradient"),
        (lambda relu: whole(relu, fresh=False, nan=False), "relu-overwrites-its-input"),
    ],
    ids=["forward alone", "gradcheck alone", "slope 1 at zero", "ordinary numbers"],
)
def test_weak_tests_are_told_what_they_miss(wrong, words):
    with pytest.raises(AssertionError, match="(?s)" + words):
        e11.the_test_kills_what_breaks_relu(wrong)
