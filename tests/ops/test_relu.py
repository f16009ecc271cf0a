"""The rectifier: its rungs against each other, its gradient, its memory layout."""

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops.relu import RUNGS, cpu
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled
from tests.ops.rungs import assert_rungs_agree

shapes = array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5)
dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32)
SPECIAL = [-np.inf, -1.5, -0.0, 0.0, 1e-30, 2.0, np.inf, np.nan]


@given(shapes, dtypes, seeds)
def test_rungs_agree_to_the_bit(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array(SPECIAL, dtype), shape)
    out = assert_rungs_agree(RUNGS, "relu_forward", scrambled(rng, x))
    assert not np.signbit(out[~np.isnan(out)]).any()  # −0 becomes 0 as well
    gradient = rng.standard_normal(shape).astype(dtype)
    layouts = (gradient, out), (scrambled(rng, gradient), out), (gradient, scrambled(rng, out))
    for arrays in layouts:
        part = assert_rungs_agree(RUNGS, "relu_input_gradient", *arrays)
        np.testing.assert_array_equal(part, np.where(out > 0, gradient, 0))


def test_a_single_number():
    assert assert_rungs_agree(RUNGS, "relu_forward", np.array(-2.0)) == 0
    assert assert_rungs_agree(RUNGS, "relu_input_gradient", np.array(3.0), np.array(2.0)) == 3


def test_nan_passes_and_gets_no_gradient():
    x = tensor([np.nan, -1.0, 1.0], requires_grad=True)
    out = F.relu(x)
    np.testing.assert_array_equal(out.data, [np.nan, 0, 1])
    out.backward([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(x.grad.data, [0, 0, 1])


@given(shapes, seeds)
def test_gradient_by_finite_differences(shape, seed):
    rng = np.random.default_rng(seed)
    away_from_the_kink = rng.choice([-1, 1], shape) * rng.uniform(0.1, 2, shape)
    gradcheck(F.relu, [away_from_the_kink], seed=seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_pytorch(dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    array = rng.choice(np.array(SPECIAL[:-1], dtype), (3, 4, 5))
    gradient = rng.standard_normal(array.shape).astype(dtype)
    ours, theirs = tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    out, wanted = F.relu(ours), torch.relu(theirs)
    out.backward(gradient)
    wanted.backward(torch.from_numpy(gradient))
    np.testing.assert_array_equal(out.data, wanted.detach().numpy())
    np.testing.assert_array_equal(ours.grad.data, theirs.grad.numpy())
    assert out.dtype == ours.grad.dtype == dtype


# Several tasks, the last one ragged; memory in several orders.
ORDERS = [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)]


@pytest.mark.parametrize("order", ORDERS)
def test_layout_is_kept_and_threads_change_nothing(order):
    rng = np.random.default_rng(1)
    shape = np.array((3, 19, 31, 33))
    back = np.argsort(order)
    x = rng.standard_normal(shape[list(order)], dtype=np.float32).transpose(back)
    other = rng.standard_normal(shape, dtype=np.float32)
    before = minigrad.get_num_threads()
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            out = cpu.relu_forward(x)
            assert out.strides == x.strides
            np.testing.assert_array_equal(out, np.maximum(x, 0))
            part = cpu.relu_input_gradient(other, out)
            assert part.strides == x.strides
            np.testing.assert_array_equal(part, other * (x > 0))
    finally:
        minigrad.set_num_threads(before)


def test_what_is_kept_is_the_output():
    """The input's memory is free as soon as nobody else holds it, and backward does not miss it."""
    x = tensor([1.0, -1.0], requires_grad=True)
    hidden = x * 1
    gone, out = weakref.ref(hidden.data), F.relu(hidden)
    del hidden
    assert gone() is None
    out.backward([2.0, 3.0])
    np.testing.assert_array_equal(x.grad.data, [2, 0])


def test_errors_say_what_is_wrong():
    with pytest.raises(TypeError, match="relu: x must be a Tensor, got list"):
        F.relu([1.0])
    with pytest.raises(TypeError, match="relu: x must be float32 or float64, got int64"):
        F.relu(tensor([1]))
