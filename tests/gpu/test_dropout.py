"""Dropout on a GPU: the CPU's masks, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import functional as F
from minigrad import nn, random, tensor
from minigrad.ops import dropout
from minigrad.testing.strategies import scrambled
from tests.gpu.rungs import assert_agree, both, on_cpu, on_gpu

pytestmark = pytest.mark.usefixtures("gpu")

KERNELS = ["dropout_forward", "dropout_input_gradient"]
KEYS = [0, 1, 2**63 - 1, 2**63, 2**64 - 1, random.GOLDEN]
SHARES = [0.0, 1e-9, 0.17, 0.5, 0.7, 1 - 2**-24, 1 - 1e-9, 1.0]
keys = st.integers(0, 2**64 - 1)
shapes = array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (255,), (257,), (2, 3, 5, 7)])
def test_agrees_with_the_definition(shape, dtype, name):
    """One product rounds one way: no tolerance, whatever p is."""
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)
    for key in KEYS:
        for p in SHARES:
            assert_agree(dropout, name, x, p, key)


@given(shapes, st.sampled_from([np.float32, np.float64]), st.floats(0, 1), keys)
def test_agrees_whatever_is_drawn(shape, dtype, p, key):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for name in KERNELS:
        assert_agree(dropout, name, x, p, key)


def test_where_hash_and_threshold_are_equal_the_number_is_kept():
    hashed = random.mix((1234567 + random.GOLDEN) & random.MASK) >> 40
    for more, kept in ((-1, True), (0, True), (0.4, True), (0.6, False), (1, False)):
        threshold = hashed + more  # rounded to a whole number
        out = assert_agree(dropout, "dropout_forward", np.ones(1), threshold / 2**24, 1234567)
        assert (out[0] != 0) == kept


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_what_is_dropped_is_zero_even_if_it_is_infinite(p):
    x = np.tile(np.array([np.inf, -np.inf, np.nan, -0.0, 1e-45], np.float32), 20)
    wanted, got = both(dropout, "dropout_forward", x, p, 7)
    assert (wanted == 0).any()
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


def test_the_mask_goes_by_position_not_by_memory():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 20, 7, 9), dtype=np.float32)
    wanted = dropout.naive.dropout_forward(x, 0.3, 99)
    last = on_gpu(np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    wide = on_gpu(np.repeat(x, 2, axis=1))[:, ::2]
    for layout in (last, wide):
        assert not layout.flags.c_contiguous
        got = dropout.gpu.dropout_forward(layout, 0.3, 99)
        np.testing.assert_array_equal(on_cpu(got), wanted)
    assert_agree(dropout, "dropout_forward", scrambled(rng, x), 0.3, 99)


def test_the_operation_draws_what_the_cpu_draws():
    x = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    seen = []
    for place in ("cpu", "cuda"):
        minigrad.manual_seed(3)
        t = tensor(x, device=place, requires_grad=True)
        out = nn.Dropout(0.4)(t)
        out.backward(np.ones(x.shape))
        assert out.device == t.grad.device == t.device
        seen.append([out.cpu().numpy(), t.grad.cpu().numpy()])
    np.testing.assert_array_equal(seen[0], seen[1])
    assert F.dropout(t, 0.4, training=False) is t
