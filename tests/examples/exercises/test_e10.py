import numpy as np
import pytest

from examples.exercises import e10
from tests.examples.exercises.starting import starting

LESSON = "10_checking_gradients"


def by_differences(f, x, step=1e-5, apart=2.0, behind=1):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = step
        gradient[index] = (f(x + unit) - f(x - behind * unit)) / (apart * step)
    return gradient


def all_at_once(f, x):
    return np.full_like(x, (f(x + 1e-5) - f(x - 1e-5)) / 2e-5)


def in_place(f, x):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        x[index] += 1e-5
        ahead = f(x)
        x[index] -= 2e-5
        gradient[index] = (ahead - f(x)) / 2e-5
    return gradient


def random(shape):
    return np.random.default_rng(0).standard_normal(shape)


def check(cotangent=random, atol=0.0, rtol=1e-6):
    def holds(forward, backward, x):
        shape = forward(x).shape
        c = (
            np.random.default_rng(0).standard_normal(shape)
            if cotangent is None
            else cotangent(shape)
        )
        numeric = by_differences(lambda x: (c * forward(x)).sum(), x)
        got = backward(x, c)
        return np.abs(got - numeric).max() <= atol + rtol * np.abs(numeric).max()

    return holds


def test_right_answers_pass():
    e10.differences_are_taken_well(by_differences)
    e10.the_check_is_not_blind(check())


def test_the_lesson_begins_unsolved():
    with pytest.raises(NotImplementedError):
        e10.differences_are_taken_well(starting(LESSON, "numerical_gradient"))
    with pytest.raises(AssertionError, match="zeros for softmax"):
        e10.the_check_is_not_blind(starting(LESSON, "gradient_is_right"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda f, x: by_differences(f, x, step=1e-6, apart=1, behind=0), "look to both sides"),
        (lambda f, x: by_differences(f, x, step=1e-12), "a smaller one rounds"),
        (lambda f, x: by_differences(f, x, apart=1), "two steps apart"),
        (all_at_once, "one number of x at a time"),
        (in_place, "put back what you move"),
    ],
    ids=["one-sided", "too small a step", "divided by one step", "all at once", "not put back"],
)
def test_wrong_differences_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e10.differences_are_taken_well(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (check(np.ones), "accepts zeros for softmax"),
        (check(lambda shape: np.eye(shape[0])[0]), "forgets the last"),
        (check(atol=1e-6), "lets everything small pass"),
        (check(rtol=1e-15), "refuses the gradient of softmax"),
    ],
    ids=["all ones", "the first output", "an absolute tolerance", "to the last digit"],
)
def test_blind_checks_are_told_what_they_miss(wrong, words):
    with pytest.raises(AssertionError, match=words):
        e10.the_check_is_not_blind(wrong)


@pytest.mark.parametrize("story", e10.WRONG, ids=lambda story: story[:12])
def test_a_gradient_that_is_called_wrong_is(story):
    forward, backward = e10.WRONG[story]
    assert not check()(forward, backward, np.array([0.3, -0.7, 1.1, 0.2]))
