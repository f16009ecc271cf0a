"""How laws compare: exactly, or to a number of roundings, and what they say."""

import numpy as np
import pytest

from minigrad import tensor
from minigrad.testing import laws
from minigrad.testing.laws.comparison import compare
from minigrad.testing.strategies import random_array
from tests.testing.broken import violation, with_gradient

X = random_array((2, 3), "integers")


def test_comparing():
    nan, inf = np.nan, np.inf
    compare("law", np.array([nan, inf, -inf, 0.0]), np.array([nan, inf, -inf, -0.0]), "a", "b")
    compare("law", np.zeros((0, 3)), np.zeros((0, 3)), "a", "b", roundings=1)
    for a, b in ((nan, 1.0), (inf, -inf), (1.0, inf), (1.0, np.nextafter(1, 2))):
        with violation("law", "at [0] a"):
            compare("law", np.array([a]), np.array([b]), "a", "b")
    with pytest.raises(AssertionError, match=r"^law: at \[1, 0\] a is 3.0 but b is 4.0 \(2 of 4 n"):
        compare("law", np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 2], [4, 5]]), "a", "b")
    with pytest.raises(AssertionError, match=r"^law: a has shape \(2,\) but b has \(1,\)$"):
        compare("law", np.zeros(2), np.zeros(1), "a", "b")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_roundings_are_counted_from_the_largest_number(dtype):
    eps = np.finfo(dtype).eps
    a, b = np.array([1000, 1], dtype), np.array([1000, 1 + 1000 * eps], dtype)
    compare("law", a, b, "a", "b", roundings=1.5)
    with violation("law", "at [1]"):
        compare("law", a, b, "a", "b", roundings=0.5)
    compare("law", a, b, "a", "b", roundings=0.5, size=4000)
    with violation("law"):  # NaN and ∞ are no roundings
        compare("law", a, np.array([np.inf, 1], dtype), "a", "b", roundings=1e9)


def test_cotangents_are_not_the_inputs():
    """Drawn with the same seed they might be: then a law could mistake one for the other."""
    with violation("adjoint"):
        laws.adjoint(lambda x: tensor(x.data) + with_gradient(lambda t: t * 0, lambda g: X)(x), X)
