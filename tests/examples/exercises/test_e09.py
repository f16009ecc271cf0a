import numpy as np
import pytest

from examples.exercises import e09
from tests.examples.exercises.starting import starting

LESSON = "09_dropout_lrn_batch_norm"


def batch_norm_gradient(x, g, ddof=0):
    centred, M = x - x.mean(), len(x)
    s = 1 / x.std(ddof=ddof)
    normal = centred / x.std()
    return s * (g - g.mean() - normal * (g * normal).sum() / M)


def running_variance(running, x, momentum):
    return (1 - momentum) * running + momentum * x.var(ddof=1)


def test_right_answers_pass():
    e09.the_mean_stays(lambda x, p, u: np.where(u < p, 0, x / (1 - p)))
    e09.the_mean_stays(lambda x, p, u: x * (u > p) / (1 - p))
    e09.shift_and_scale_cost_nothing(batch_norm_gradient)
    e09.the_population_is_meant(running_variance)


def test_the_lesson_begins_unsolved():
    with pytest.raises(AssertionError, match="make up for what is lost"):
        e09.the_mean_stays(starting(LESSON, "dropout"))
    with pytest.raises(NotImplementedError):
        e09.shift_and_scale_cost_nothing(starting(LESSON, "batch_norm_gradient"))
    with pytest.raises(NotImplementedError):
        e09.the_population_is_meant(starting(LESSON, "running_variance"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, p, u: np.where(u < p, x / (1 - p), 0), "the probability to drop, not to keep"),
        (lambda x, p, u: np.where(u < p, 0, x * (1 - p)), "dividing what is kept by 0.75"),
        (lambda x, p, u: np.where(u < p, 0, x / p), "the mean of the output is 3"),
    ],
    ids=["keeps with p", "multiplies", "divides by p"],
)
def test_wrong_dropout_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e09.the_mean_stays(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, g: g / x.std(), "The mean depends on x, too"),
        (lambda x, g: (g - g.mean()) / x.std(), "The variance depends on x, too"),
        (lambda x, g: batch_norm_gradient(x, g, ddof=1), "the variance that divided in forward"),
    ],
    ids=["statistics as constants", "the mean alone", "M − 1"],
)
def test_wrong_batch_norm_gradients_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e09.shift_and_scale_cost_nothing(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda r, x, m: (1 - m) * r + m * x.var(), "divide by M − 1"),
        (lambda r, x, m: m * r + (1 - m) * x.var(ddof=1), "the shares are exchanged"),
        (lambda r, x, m: r + m * x.var(ddof=1), "between the two|add up to 1"),
    ],
    ids=["biased", "exchanged", "forgets nothing"],
)
def test_wrong_running_variances_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e09.the_population_is_meant(wrong)
