"""A map along both axes of tiles: M · tile · Mᵀ, channel by channel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.cpu import kernel
from minigrad.cpu.matmul import transposed
from minigrad.cpu.tiles import both_axes
from minigrad.cpu.vectors import MOST_LANES, copy_registers, lanes


def narrowing(a, b, c):
    return a - 2.0 * b, b + 0.5 * c


def widening(a, b):
    return a, a + b, a - b, 3.0 * b


MAPS = {
    formula: np.array([formula(*row) for row in np.eye(size)]).T
    for formula, size in ((narrowing, 3), (widening, 2))
}
apply_narrowing, apply_widening = both_axes(narrowing, 3), both_axes(widening, 2)


@kernel
def narrow(source, at, down, right, target, to, down_out, right_out, channels):
    apply_narrowing(source, at, down, right, target, to, down_out, right_out, channels)


@kernel
def widen(source, at, down, right, target, to, down_out, right_out, channels):
    apply_widening(source, at, down, right, target, to, down_out, right_out, channels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(0, 3), st.integers(0, 5), st.integers(0, 99))
def test_every_channel_and_nothing_else(dtype, registers, gap, seed):
    """Exact on integers. The tile may be mirrored, and lie anywhere."""
    channels = registers * lanes(np.dtype(dtype).itemsize)
    rng = np.random.default_rng(seed)
    for formula, function in ((narrowing, narrow), (widening, widen)):
        m = MAPS[formula]
        made, size = m.shape
        step = channels + gap
        source = rng.integers(-9, 9, 3 + size * size * step).astype(dtype)
        target = np.full(2 + made * made * step, 7, dtype)
        function(source, 3, size * step, step, target, 2, made * step, step, channels)
        tile = source[3:].reshape(size, size, step)[:, :, :channels]
        wanted = np.full((made, made, step), 7, dtype)
        wanted[:, :, :channels] = np.einsum("ai,ijc,bj->abc", m, tile, m)
        np.testing.assert_array_equal(target[2:].reshape(made, made, step), wanted)
        np.testing.assert_array_equal(target[:2], 7)

        turned = np.full_like(target, 7)
        last = 3 + (size * size - 1) * step
        function(source, last, -size * step, -step, turned, 2, made * step, step, channels)
        wanted[:, :, :channels] = np.einsum("ai,ijc,bj->abc", m, tile[::-1, ::-1], m)
        np.testing.assert_array_equal(turned[2:].reshape(made, made, step), wanted)


@kernel
def copy(source, at, target, to, count):
    copy_registers(source, at, target, to, count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 70))
def test_a_run_is_copied_and_at_most_a_register_more(dtype, at, to, count):
    source = np.arange(1, at + count + MOST_LANES + 1).astype(dtype)
    target = np.zeros(to + count + MOST_LANES, dtype)
    copy(source, at, target, to, count)
    assert not target[:to].any()
    np.testing.assert_array_equal(target[to : to + count], source[at : at + count])
    width = lanes(np.dtype(dtype).itemsize)
    assert not target[to + -(-count // width) * width :].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(0, 70), st.integers(0, 70), st.integers(0, 99))
def test_a_matrix_is_turned_in_squares(dtype, m, n, seed):
    a = np.random.default_rng(seed).standard_normal((m, n)).astype(dtype)
    turned = transposed(a)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, a.T)


def test_a_large_matrix_is_turned_by_all_threads():
    a = np.arange(1500 * 130, dtype=np.float32).reshape(1500, 130)
    np.testing.assert_array_equal(transposed(a), a.T)
