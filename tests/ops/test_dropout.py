"""Dropout: one mask for all rungs, layouts, dtypes and threads; its statistics; its errors.

Every key below is fixed, so no check here is a matter of luck: it holds, or it never did.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import functional as F
from minigrad import random, tensor
from minigrad.ops.dropout import RUNGS, cpu, vectorized
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled
from tests.ops.rungs import assert_rungs_agree

shapes = array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5)
dtypes = st.sampled_from([np.float32, np.float64])
keys = st.integers(0, 2**64 - 1)
shares = st.sampled_from([1e-9, 0.2, 0.5, 0.7, 1 - 1e-9, 1.0])
COUNT = 1 << 18


def mask(p, key, count=COUNT):
    return vectorized.dropout_forward(np.ones(count, np.float32), p, key) != 0


@given(shapes, dtypes, shares, keys)
def test_rungs_agree_to_the_bit(shape, dtype, p, key):
    """One product rounds one way: also with p that is no power of two there is no tolerance."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    out = assert_rungs_agree(RUNGS, "dropout_forward", x, p, key)
    for layout in (scrambled(rng, x), np.asfortranarray(x), x[..., ::-1].copy()[..., ::-1]):
        np.testing.assert_array_equal(
            assert_rungs_agree(RUNGS, "dropout_forward", layout, p, key), out
        )
    assert_rungs_agree(RUNGS, "dropout_input_gradient", scrambled(rng, x), p, key)


def test_a_single_number():
    seen = {
        float(assert_rungs_agree(RUNGS, "dropout_forward", np.array(3.0), 0.5, key))
        for key in range(9)
    }
    assert seen == {0.0, 6.0}


def test_the_stream_is_splitmix64():
    """The first numbers of SplitMix64 with seed 1234567, as published with its C code."""
    published = [
        6457827717110365317, 3203168211198807973, 9817491932198370423,
        4593380528125082431, 16408922859458223821,
    ]  # fmt: skip
    key = 1234567
    for i, number in enumerate(published):
        assert random.mix((key + (i + 1) * random.GOLDEN) & random.MASK) == number
    for p in (0.1, 0.17, 0.18, 0.3, 0.36, 0.52, 0.54, 0.88, 0.89):
        kept = [number / 2**64 >= p for number in published]
        for module in RUNGS.values():
            out = module.dropout_forward(np.ones(5, np.float32), p, key)
            np.testing.assert_array_equal(out != 0, kept)
    # Where the hash and the threshold are equal, the number is kept.
    hashed = published[0] >> 40
    for module in RUNGS.values():
        for threshold, kept in ((hashed - 1, True), (hashed, True), (hashed + 1, False)):
            out = module.dropout_forward(np.ones(1), threshold / 2**24, key)
            assert (out[0] != 0) == kept


def test_the_mask_goes_by_position_not_by_memory():
    """Large enough for several tasks; ragged; positions that lie h·w apart in memory."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 20, 17, 19), dtype=np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    other = np.ascontiguousarray(x.transpose(2, 0, 3, 1)).transpose(1, 3, 0, 2)
    wanted = vectorized.dropout_forward(x, 0.3, 99)
    before = minigrad.get_num_threads()
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            for layout in (x, last, other):
                for name in ("dropout_forward", "dropout_input_gradient"):
                    out = getattr(cpu, name)(layout, 0.3, 99)
                    np.testing.assert_array_equal(out, wanted)
                    assert out.strides == layout.strides
            double = cpu.dropout_forward(last.astype(np.float64), 0.3, 99)
            np.testing.assert_array_equal(double != 0, wanted != 0)
    finally:
        minigrad.set_num_threads(before)


# A sum of n independent choices lies within 5 standard deviations of its mean but for one time in
# two million. Each key is such a choice, made once and for all when this file was written.
@pytest.mark.parametrize("key", [0, 1, 2, 2**63, 2**64 - 1, random.GOLDEN])
@pytest.mark.parametrize("p", [0.01, 0.4, 0.5, 0.7, 0.99])
def test_share_of_the_dropped(p, key):
    dropped = int((~mask(p, key)).sum())
    assert abs(dropped - COUNT * p) < 5 * math.sqrt(COUNT * p * (1 - p))
    # The scaled mask has mean 1 and variance p/(1 − p).
    scaled = mask(p, key) / (1 - p)
    assert abs(scaled.mean() - 1) < 5 * math.sqrt(p / (1 - p) / COUNT)
    assert scaled.var() == pytest.approx(p / (1 - p), rel=5 / math.sqrt(COUNT * p * (1 - p)))


def correlation(a, b):
    """In standard deviations of what independent masks would give."""
    return abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a))


@pytest.mark.parametrize("key", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("distance", [1, 2, 3, 64, 1000, 56 * 56])
def test_neighbours_are_independent(key, distance):
    kept = mask(0.5, key)
    assert correlation(kept[:-distance], kept[distance:]) < 5


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_consecutive_keys_are_independent(seed):
    stream = random.Stream(seed)
    drawn = [mask(0.5, stream.next_key()) for _ in range(4)]
    for i in range(4):
        for k in range(i):
            assert correlation(drawn[i], drawn[k]) < 5
            # Nor is one the other, moved: keys that differ by a few steps of the stream would be.
            for shift in range(1, 9):
                assert correlation(drawn[i][shift:], drawn[k][:-shift]) < 5
                assert correlation(drawn[k][shift:], drawn[i][:-shift]) < 5


def test_keys_come_from_the_default_stream():
    x = tensor(np.ones(1000, np.float32))
    minigrad.manual_seed(3)
    first, second = F.dropout(x), F.dropout(x)
    stream = random.Stream(3)
    for drawn in (first, second):
        np.testing.assert_array_equal(drawn.data, F.dropout(x, key=stream.next_key()).data)
    assert (first.data != second.data).any()
    minigrad.manual_seed(3)
    np.testing.assert_array_equal(F.dropout(x).data, first.data)


def test_nothing_is_drawn_where_nothing_is_dropped():
    minigrad.manual_seed(3)
    x = tensor([1.0, 2.0])
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert random.default.drawn == 0


@pytest.mark.parametrize("rung", RUNGS)
def test_p_of_one_drops_all(rung):
    with minigrad.kernels(rung):
        x = tensor([1.0, -np.inf, np.nan], requires_grad=True)
        out = F.dropout(x, 1)
        np.testing.assert_array_equal(out.data, [0, 0, 0])
        out.backward([1.0, 2.0, 3.0])
        np.testing.assert_array_equal(x.grad.data, [0, 0, 0])


@given(shapes, st.sampled_from([0.2, 0.5, 0.9]), keys)
def test_gradient_by_finite_differences(shape, p, key):
    x = np.random.default_rng(0).standard_normal(shape)
    gradcheck(lambda t: F.dropout(t, p, key=key), [x])


def test_backward_uses_the_mask_of_forward():
    x = tensor(np.ones((2, 3, 20, 20), np.float32), requires_grad=True)
    out = F.dropout(x, 0.3)
    out.backward(np.ones(out.shape))
    np.testing.assert_array_equal(x.grad.data, out.data)


X = tensor([1.0, 2.0])


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, "0.5", None])
def test_errors_of_p(p):
    with pytest.raises(ValueError, match="^dropout: p must be a number from 0 to 1, got "):
        F.dropout(X, p)


@pytest.mark.parametrize("key", [-1, 2**64, 1.0, True, "7"])
def test_errors_of_key(key):
    with pytest.raises(ValueError, match="^dropout: key must be an integer from 0 to 2⁶⁴ − 1, got"):
        F.dropout(X, key=key)


def test_errors_of_type():
    with pytest.raises(TypeError, match="dropout: x must be a Tensor, got ndarray"):
        F.dropout(X.data)
    with pytest.raises(TypeError, match="dropout: x must be float32 or float64, got int64"):
        F.dropout(tensor([1, 2]))
