"""Reductions: NumPy going forward, differences going back, PyTorch where elements tie."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.testing import gradcheck
from tests.ops.test_elementwise import SEEDS, assert_keeps_contract, assert_keeps_no_array

NAMES = ("sum", "mean", "var", "max", "min")


@st.composite
def foldings(draw, lengths=(2, 3, 1, 4)):
    """Draw a shape, the axis to fold as one may write it, and keepdims."""
    shape = tuple(draw(st.lists(st.sampled_from(lengths), max_size=4)))
    axis = None
    kind = draw(st.sampled_from(["all", "one", "some"]))
    if kind == "one" and shape:
        axis = draw(st.integers(-len(shape), len(shape) - 1))
    elif kind == "some":
        chosen = draw(st.permutations(range(len(shape))))[: draw(st.integers(0, len(shape)))]
        axis = tuple(a - draw(st.sampled_from([0, len(shape)])) for a in chosen)
    return shape, axis, draw(st.booleans())


def distinct(rng, shape):
    """Draw numbers that are all 0.6 or more apart, so that no two tie for the maximum."""
    size = int(np.prod(shape, dtype=int))
    return (rng.permutation(size) - size / 2 + rng.uniform(-0.2, 0.2, size)).reshape(shape)


@pytest.mark.parametrize("name", NAMES)
@given(case=foldings(), seed=SEEDS)
def test_reduction(name, case, seed):
    shape, axis, keepdims = case
    x = distinct(np.random.default_rng(seed), shape)
    out = getattr(minigrad.tensor(x), name)(axis, keepdims)
    expected = np.asarray(getattr(np, name)(x, axis=axis, keepdims=keepdims))
    np.testing.assert_allclose(out.data, expected, rtol=1e-13, atol=1e-13, strict=True)
    gradcheck(lambda x: getattr(x, name)(axis, keepdims), [x], seed=seed, directions=1)


@given(case=foldings(lengths=(2, 3, 4)), seed=SEEDS, correction=st.sampled_from([-2, 0, 1]))
def test_var_with_correction(case, seed, correction):
    shape, axis, keepdims = case
    if not shape or axis == ():
        shape, axis = (*shape, 2), len(shape)
    x = np.random.default_rng(seed).standard_normal(shape)
    out = minigrad.tensor(x).var(axis, keepdims, correction)
    expected = np.asarray(np.var(x, axis=axis, keepdims=keepdims, ddof=correction))
    np.testing.assert_allclose(out.data, expected, rtol=1e-13, strict=True)
    gradcheck(lambda x: x.var(axis, keepdims, correction), [x], seed=seed, directions=1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_contract(name, keepdims):
    for axis in (None, 0, (0, -1), ()):
        assert_keeps_contract(lambda x, a=axis: getattr(x, name)(a, keepdims), (3, 4))
    assert_keeps_contract(lambda x: getattr(x, name)(), ())
    assert_keeps_contract(lambda x: getattr(x, name)(1), (3, 1))
    if name in ("sum", "mean"):
        assert_keeps_no_array(lambda x: getattr(x, name)(0, keepdims), (3, 4))


def test_var_of_large_numbers_close_together():
    x = minigrad.tensor(np.array([1e9 - 1, 1e9, 1e9 + 1]), requires_grad=True)
    out = x.var()
    out.backward()
    assert out.item() == pytest.approx(2 / 3, rel=1e-12)  # E[x²] − E[x]² would give rubbish
    assert x.grad.tolist() == pytest.approx([-2 / 3, 0, 2 / 3], rel=1e-12)


def test_by_hand():
    x = minigrad.tensor([[1.0, 2.0, 6.0], [9.0, 4.0, 5.0]], requires_grad=True)
    out = x.sum(0) + 10 * x.mean(0) + 100 * x.max(axis=1, keepdims=True).sum() + x.min()
    assert out.tolist() == [10 + 50 + 1500 + 1, 6 + 30 + 1500 + 1, 11 + 55 + 1500 + 1]
    out.backward([1.0, 10.0, 100.0])
    assert x.grad.tolist() == [[6 + 111, 60, 600 + 11100], [6 + 11100, 60, 600]]


@pytest.mark.parametrize("name", ["max", "min"])
@given(case=foldings(), seed=SEEDS)
def test_ties_share_evenly(name, case, seed):
    """Few distinct numbers, so ties are common: every element's share is 1/(number of ties)."""
    shape, axis, _ = case
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 2, shape).astype(np.float64)
    x = minigrad.tensor(data, requires_grad=True)
    out = getattr(x, name)(axis, keepdims=True)
    cotangent = rng.standard_normal(out.shape)
    out.backward(cotangent)
    winners = data == out.data
    count = winners.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(x.grad.data, winners * cotangent / count, rtol=1e-15, strict=True)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_ties_are_pytorchs(axis):
    torch = pytest.importorskip("torch")
    data = np.array([[0.0, 3.0, 3.0, -1.0], [3.0, 0.0, 3.0, -1.0]])
    for name in ("amax", "amin"):
        x = minigrad.tensor(data, requires_grad=True)
        peer = torch.tensor(data, requires_grad=True)
        expected = getattr(peer, name)(dim=(0, 1) if axis is None else axis)
        out = getattr(x, name[1:])(axis)
        cotangent = np.arange(2.0, 2 + out.size).reshape(out.shape)
        out.backward(cotangent)
        expected.backward(torch.tensor(cotangent))
        np.testing.assert_array_equal(out.data, expected.detach().numpy())
        np.testing.assert_allclose(x.grad.data, peer.grad.numpy(), rtol=1e-15)


def test_var_is_pytorchs():
    torch = pytest.importorskip("torch")
    data = np.random.default_rng(0).standard_normal((3, 4, 5))
    for correction in (0, 1):
        x = minigrad.tensor(data, requires_grad=True)
        peer = torch.tensor(data, requires_grad=True)
        cotangent = np.arange(1.0, 5.0)
        x.var((0, 2), correction=correction).backward(cotangent)
        peer.var((0, 2), correction=correction).backward(torch.tensor(cotangent))
        np.testing.assert_allclose(x.grad.data, peer.grad.numpy(), rtol=1e-13)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float16, [np.float16] * 5),
        (np.float32, [np.float32] * 5),
        (np.float64, [np.float64] * 5),
        (np.int64, [np.int64, np.float32, np.float32, np.int64, np.int64]),
        (np.bool_, [np.int64, np.float32, np.float32, np.bool_, np.bool_]),
    ],
)
@pytest.mark.parametrize("axis", [None, 1])
def test_dtypes(dtype, expected, axis):
    x = minigrad.tensor(np.eye(3), dtype=dtype)
    assert [getattr(x, name)(axis).dtype for name in NAMES] == expected


def test_no_elements():
    x = minigrad.tensor(np.zeros((0, 3)), requires_grad=True)
    assert x.sum(0).tolist() == [0, 0, 0]
    x.sum(0).backward(np.ones(3))
    assert x.grad.shape == (0, 3)
    assert x.max(axis=1).shape == (0,)
    message = "nothing to choose from along axis 0 of shape (0, 3)"
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=f"^{name}: {re.escape(message)}$"):
            getattr(x, name)(0)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_axes(name):
    x = minigrad.tensor(np.ones((2, 3)))
    for axis in (2, -3, (0, 5)):
        wrong = axis[-1] if isinstance(axis, tuple) else axis
        message = f"^{name}: axis {wrong} does not exist in a tensor of 2 axes$"
        with pytest.raises(IndexError, match=message):
            getattr(x, name)(axis)
    with pytest.raises(ValueError, match=rf"^{name}: axis \(1, -1\) names an axis twice$"):
        getattr(x, name)((1, -1))


def test_var_needs_enough_elements():
    x = minigrad.tensor(np.ones((1, 3)))
    message = "var: needs more than correction = 1 elements along axis 0, got 1 (shape (1, 3))"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        x.var(0, correction=1)
    message = "var: needs more than correction = 0 elements along axis None, got 0 (shape (0,))"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        minigrad.tensor(np.zeros(0)).var()
