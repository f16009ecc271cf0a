"""Memory layouts: views where possible, copies where not, the same numbers always."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.cpu.layout import channels_first, channels_last, flat, is_dense, like


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_dense_arrays_are_viewed_and_not_copied(order, shape):
    x = np.arange(np.prod(shape)).reshape(shape).transpose(order)
    assert is_dense(x)
    row = flat(x)
    assert np.shares_memory(row, x)
    np.testing.assert_array_equal(row, np.arange(x.size))


def test_arrays_with_gaps_are_copied():
    x = np.arange(24).reshape(4, 6)[:, ::2]
    assert not is_dense(x)
    np.testing.assert_array_equal(np.sort(flat(x)), np.sort(x.ravel()))


def test_broadcast_arrays_are_not_dense():
    assert not is_dense(np.broadcast_to(np.ones(3), (2, 3)))


def test_like_takes_over_the_order_in_memory():
    model = np.zeros((2, 3, 4, 5)).transpose(0, 3, 1, 2)
    x = np.random.default_rng(0).standard_normal(model.shape)
    ordered = like(x, model)
    assert ordered.strides == model.strides
    np.testing.assert_array_equal(ordered, x)
    assert like(ordered, model) is ordered


def test_channels_last_and_first():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    last = channels_last(x)
    assert last.shape == (2, 4, 5, 3)
    assert last.flags.c_contiguous
    np.testing.assert_array_equal(channels_first(last), x)
    assert np.shares_memory(channels_last(channels_first(last)), last)


@pytest.mark.parametrize("shape", [(2, 3, 70, 65), (1, 4, 1, 4097), (3, 2, 64, 64), (1, 5, 90, 90)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_pictures_are_interleaved(shape, dtype):
    """Large ones with few channels by a kernel of ours, the others by NumPy."""
    x = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    pixels = channels_last(x)
    assert pixels.flags.c_contiguous
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, x.transpose(0, 2, 3, 1))
    assert np.shares_memory(channels_last(channels_first(pixels)), pixels)
