"""Intervals and tests beside published figures, and beside what they are defined by."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from googlenet.evaluation.intervals import Z, compared, mcnemar, wilson


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_as_published(right, total, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(right, total) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson(total - right, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_are_just_z_deviations_away(case):
    right, total = case
    share = right / total
    low, high = wilson(right, total)
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            away = Z * math.sqrt(end * (1 - end) / total)
            assert abs(share - end) == pytest.approx(away, rel=1e-6)


def test_z_is_that_of_95_percent():
    assert math.erf(Z / math.sqrt(2)) == pytest.approx(0.95, abs=1e-15)


@pytest.mark.parametrize("case", [(1, 0), (3, 2), (-1, 5)])
def test_shares_that_cannot_be_are_refused(case):
    with pytest.raises(ValueError, match="wilson: right must lie"):
        wilson(*case)


def test_mcnemar_by_hand():
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == 2 / 32
    assert mcnemar(1, 9) == 2 * (1 + 10) / 1024
    # Table 1 of Fagerland et al., BMC Medical Research Methodology 13 (2013): 1 and 7.
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_sum_of_both_tails(better, worse):
    total = better + worse
    far = abs(better - worse)
    tails = sum(math.comb(total, k) for k in range(total + 1) if abs(total - 2 * k) >= far)
    assert mcnemar(better, worse) == mcnemar(worse, better)
    assert mcnemar(better, worse) == pytest.approx(float(Fraction(tails, 2**total)), rel=1e-12)


def test_mcnemar_of_many_pictures():
    assert 0 < mcnemar(24_000, 26_000) < 1e-15
    with pytest.raises(ValueError, match="counts must be 0 or more"):
        mcnemar(-1, 3)


def test_what_is_compared():
    first = np.array([1, 1, 1, 1, 0, 0], bool)
    second = np.array([1, 0, 0, 1, 1, 0], bool)
    found = compared(first, second)
    assert (found.better, found.worse, found.difference) == (2, 1, 1 / 6)
    assert found.p == mcnemar(2, 1)
    assert compared(second, first).difference == -1 / 6
    for bad in (second[:3], second[:0]):
        with pytest.raises(ValueError, match="arrays of one length"):
            compared(bad if len(bad) == 0 else first, bad)
