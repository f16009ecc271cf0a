"""Calibration beside sums by hand and beside a loop over bins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from googlenet.charts import draw_calibration
from googlenet.evaluation.calibration import reliability
from googlenet.evaluation.intervals import wilson

SURE = np.array([0.95, 0.9, 0.85, 0.8, 0.3, 0.1, 1.0, 0.0])
RIGHT = np.array([1, 1, 0, 1, 0, 1, 1, 0], bool)


def test_by_hand():
    """Two bins, (0, 0.5] and (0.5, 1]: 1 of 3 right at 0.4/3, 4 of 5 right at 4.5/5."""
    found = reliability(SURE, RIGHT, bins=2)
    assert found.counts.tolist() == [3, 5]
    assert found.accuracy.tolist() == pytest.approx([1 / 3, 0.8])
    assert found.confidence.tolist() == pytest.approx([0.4 / 3, 0.9])
    assert found.error == pytest.approx((3 * (0.2) + 5 * 0.1) / 8)
    assert found.largest_error == pytest.approx(0.2)
    assert found.overconfidence == pytest.approx(4.9 / 8 - 5 / 8)
    np.testing.assert_allclose(found.intervals(), [wilson(1, 3), wilson(4, 5)])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_beside_a_loop(pictures, bins):
    sure, right = (np.array(column) for column in zip(*pictures, strict=True))
    found = reliability(sure, right, bins)
    assert found.counts.sum() == len(pictures)
    error = 0.0
    for number in range(bins):
        low, high = found.edges[number], found.edges[number + 1]
        inside = [(s, r) for s, r in pictures if low < s <= high or (s == 0 and number == 0)]
        assert len(inside) == found.counts[number]
        if inside:
            mean_sure = math.fsum(s for s, _ in inside) / len(inside)
            share = sum(r for _, r in inside) / len(inside)
            assert found.confidence[number] == pytest.approx(mean_sure)
            assert found.accuracy[number] == share
            error += len(inside) / len(pictures) * abs(mean_sure - share)
        else:
            assert math.isnan(found.accuracy[number])
            assert math.isnan(found.confidence[number])
    assert found.error == pytest.approx(error)
    assert found.overconfidence == pytest.approx(sure.mean() - right.mean(), abs=1e-12)


def test_json_has_no_nan():
    said = reliability(SURE, RIGHT, bins=15).to_dict()
    assert None in said["accuracy"]
    assert sum(said["counts"]) == 8
    assert len(said["edges"]) == 16
    assert all(value is None or 0 <= value <= 1 for value in said["accuracy"] + said["confidence"])


def test_a_bin_holds_its_upper_edge():
    found = reliability(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), RIGHT[:5], bins=4)
    assert found.counts.tolist() == [2, 1, 1, 1]


def test_what_a_rounding_put_above_1_counts():
    assert reliability(np.array([1 + 1e-16, np.nextafter(1, 2)]), RIGHT[:2]).counts[-1] == 2


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        reliability(SURE, RIGHT, 0)
    for sure, right in ((SURE[:3], RIGHT), (SURE[:0], RIGHT[:0])):
        with pytest.raises(ValueError, match="arrays of one length"):
            reliability(sure, right)


def test_the_drawing(tmp_path):
    (tmp_path / "a.png").write_bytes(draw_calibration(reliability(SURE, RIGHT)))
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        assert min(image.size) > 400
