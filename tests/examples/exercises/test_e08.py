import numpy as np
import pytest

from examples.exercises import e08
from tests.examples.exercises.starting import starting

LESSON = "08_softmax_cross_entropy"


def softmax(z, axis=-1):
    exponentials = np.exp(z - z.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def stable(z, y):
    z = z - z.max()
    return np.log(np.exp(z).sum()) - z[y]


def half_shifted(z, y):
    return np.log(np.exp(z - z.max()).sum()) - z[y]


def truth(z, y):
    return np.eye(z.shape[1])[y]


def only_the_true_class(z, y):
    return (softmax(z) - 1) * truth(z, y) / len(z)


def test_right_answers_pass():
    e08.scores_may_be_large(stable)
    e08.what_was_said_minus_what_is_true(lambda z, y: (softmax(z) - truth(z, y)) / len(z))
    e08.probabilities_share_one_sum(lambda p, g: p * (g - (g * p).sum()))


def test_the_lesson_begins_unsolved():
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match="Subtract the largest"):
        e08.scores_may_be_large(starting(LESSON, "cross_entropy"))
    with pytest.raises(NotImplementedError):
        e08.what_was_said_minus_what_is_true(starting(LESSON, "cross_entropy_gradient"))
    with pytest.raises(NotImplementedError):
        e08.probabilities_share_one_sum(starting(LESSON, "softmax_gradient"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda z, y: -np.log(softmax(z)[y]), "rounds to 0 before its logarithm"),
        (lambda z, y: -np.log(softmax(z)[y] + 1e-12), "27.6310.*added to p only hides"),
        (half_shifted, "must be subtracted from all"),
    ],
    ids=["log of softmax", "a small number added", "shifted in one place"],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_wrong_losses_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e08.scores_may_be_large(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda z, y: softmax(z) - truth(z, y), "the mean of 2 rows, not the sum"),
        (lambda z, y: (truth(z, y) - softmax(z)) / len(z), "sign is turned round"),
        (only_the_true_class, "other classes matter"),
        (lambda z, y: (softmax(z, axis=0) - truth(z, y)) / len(z), "every row adds up to 0"),
    ],
    ids=["of the sum", "truth minus saying", "the true class alone", "columns"],
)
def test_wrong_gradients_of_the_loss_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e08.what_was_said_minus_what_is_true(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p, g: p * g, "must add up to 0"),
        (lambda p, g: g * p * (1 - p), "Every p depends on every score"),
        (lambda p, g: np.zeros_like(p), "only where g is the same for all"),
        (lambda p, g: g - p * g.sum(), "the wrong things are in it"),
    ],
    ids=["the diagonal", "sigmoid's", "zeros", "log-softmax's"],
)
def test_wrong_gradients_of_softmax_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e08.probabilities_share_one_sum(wrong)
