"""Gradient clipping against its formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn, optim, tensor
from minigrad.optim import updates
from tests.optim.test_layouts import LAYOUTS

SHAPES = [(3,), (), (0, 2), (3, 4, 2, 5), (updates.BLOCK + 100,)]


def with_gradients(seed=0, dtype=np.float64, layout="rows", scale=1.0):
    rng = np.random.default_rng(seed)
    parameters = []
    for shape in SHAPES:
        parameter = nn.Parameter(np.zeros(shape, dtype))
        slope = np.asarray(scale * rng.standard_normal(shape)).astype(dtype)
        parameter.grad = parameter.new(LAYOUTS[layout](slope) if slope.ndim == 4 else slope)
        parameters.append(parameter)
    return [*parameters, nn.Parameter(np.ones(2, dtype))]  # one without a gradient


def numbers(parameters):
    return np.concatenate([p.grad.data.ravel() for p in parameters if p.grad is not None])


@given(
    p=st.sampled_from([2.0, 2, 1.0, math.inf, 0.5, 3.0]),
    share=st.sampled_from([0.5, 0.999, 1.001, 0.0, 10.0]),
    layout=st.sampled_from(list(LAYOUTS)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 9),
)
def test_norm(p, share, layout, dtype, seed):
    parameters = with_gradients(seed, dtype, layout)
    arrays = [q.grad.data for q in parameters[:-1]]
    before = numbers(parameters)
    wanted = np.linalg.norm(before.astype(float), p)
    most = share * wanted
    norm = optim.clip_grad_norm_(parameters, most, p)
    tolerance = 1e-12 if dtype is np.float64 else 1e-6
    assert isinstance(norm, minigrad.Tensor)
    assert (norm.shape, norm.dtype) == ((), dtype)
    np.testing.assert_allclose(norm.item(), wanted, rtol=tolerance)
    factor = min(1, most / (wanted + 1e-6))
    if factor == 1:
        np.testing.assert_array_equal(numbers(parameters), before)
    np.testing.assert_allclose(numbers(parameters), before * factor, rtol=2 * tolerance)
    assert all(q.grad.data is a for q, a in zip(parameters, arrays, strict=False))  # in place
    assert parameters[-1].grad is None


def test_large_numbers_do_not_overflow_in_float32():
    x = nn.Parameter(np.zeros(2, np.float32))
    x.grad = tensor(np.array([3e30, 4e30], np.float32))
    assert optim.clip_grad_norm_(x, 1.0).item() == np.float32(5e30)
    np.testing.assert_allclose(x.grad.data, [0.6, 0.8], rtol=1e-6)


def test_the_norm_does_not_depend_on_threads():
    before, seen = minigrad.get_num_threads(), []
    try:
        for threads in (1, 3):
            minigrad.set_num_threads(threads)
            parameters = with_gradients(dtype=np.float32)
            seen.append((optim.clip_grad_norm_(parameters, 0.5).item(), numbers(parameters)))
    finally:
        minigrad.set_num_threads(before)
    assert seen[0][0] == seen[1][0]
    np.testing.assert_array_equal(seen[0][1], seen[1][1])


def test_an_infinite_limit_only_measures():
    for value in (1.0, np.inf):
        x = nn.Parameter(np.zeros(3))
        x.grad = tensor(np.array([value, 0, -2]))
        norm = optim.clip_grad_norm_(x, math.inf)
        assert norm.item() == np.hypot(value, 2)
        np.testing.assert_array_equal(x.grad.data, [value, 0, -2])


@pytest.mark.parametrize("p", [2, math.inf, 1])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_gradients_that_are_not_finite(p, wrong):
    x, y = nn.Parameter(np.zeros(2)), nn.Parameter(np.zeros(1))
    x.grad, y.grad = tensor(np.array([1.0, wrong])), tensor(np.ones(1))
    with pytest.raises(
        FloatingPointError, match=r"^clip_grad_norm_: the norm .* is (nan|inf), so "
    ):
        optim.clip_grad_norm_([x, y], 1.0, p, error_if_nonfinite=True)
    assert y.grad.item() == 1
    norm = optim.clip_grad_norm_([x, y], 1.0, p)
    assert np.isnan(norm.item()) if np.isnan(wrong) else norm.item() == np.inf
    # As in PyTorch: all NaN, or all 0 but for ∞ · 0.
    np.testing.assert_array_equal(y.grad.data, np.nan if np.isnan(wrong) else 0)
    assert np.isnan(x.grad.data[1])


def test_without_gradients():
    norm = optim.clip_grad_norm_([nn.Parameter(np.ones(2))], 1.0)
    assert (norm.item(), norm.shape, norm.dtype) == (0, (), np.float32)
    assert optim.clip_grad_norm_([], 1.0).item() == 0
    optim.clip_grad_value_([nn.Parameter(np.ones(2))], 1.0)
    for p in (1, 2, math.inf):
        empty = nn.Parameter(np.ones(0))
        empty.grad = tensor(np.ones(0))
        assert optim.clip_grad_norm_([empty], 1.0, p).item() == 0


def test_a_gradient_that_two_share_is_shortened_once():
    x, y = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
    x.grad = y.grad = tensor(np.array([4.0]))
    norm = optim.clip_grad_norm_(iter([x, y]), 1.0)
    assert norm.item() == 32**0.5
    np.testing.assert_allclose(x.grad.data, 0.5**0.5, rtol=1e-6)


@given(
    bound=st.sampled_from([0.0, 0.3, 2, np.float32(1), math.inf]),
    layout=st.sampled_from(list(LAYOUTS)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_value(bound, layout, dtype):
    parameters = with_gradients(0, dtype, layout)
    arrays, before = [q.grad.data for q in parameters[:-1]], numbers(parameters)
    assert optim.clip_grad_value_(parameters, bound) is None
    wanted = np.clip(before, -dtype(bound), dtype(bound))
    np.testing.assert_array_equal(numbers(parameters), wanted)
    assert all(q.grad.data is a for q, a in zip(parameters, arrays, strict=False))
    assert {q.grad.dtype for q in parameters[:-1]} == {np.dtype(dtype)}


def test_value_keeps_nan():
    x = nn.Parameter(np.zeros(3))
    x.grad = tensor(np.array([np.nan, np.inf, -np.inf]))
    optim.clip_grad_value_(x, 2.0)
    np.testing.assert_array_equal(x.grad.data, [np.nan, 2, -2])


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda p: optim.clip_grad_norm_(p, -1), ValueError, "clip_grad_norm_: max_norm must be a"),
        (
            lambda p: optim.clip_grad_norm_(p, math.nan),
            ValueError,
            "max_norm .* at least 0, got nan",
        ),
        (
            lambda p: optim.clip_grad_norm_(p, 1, 0),
            ValueError,
            "norm_type must be a number above 0",
        ),
        (lambda p: optim.clip_grad_norm_(p, 1, "inf"), ValueError, "norm_type .*, got 'inf'"),
        (lambda p: optim.clip_grad_norm_([1.0], 1), TypeError, "must be tensors, got float"),
        (lambda p: optim.clip_grad_value_(p, -1), ValueError, "clip_grad_value_: clip_value must"),
        (lambda p: optim.clip_grad_value_([None], 1), TypeError, "must be tensors, got NoneType"),
    ],
)
def test_errors(call, error, sentence):
    parameters = with_gradients()
    before = numbers(parameters)
    with pytest.raises(error, match=sentence):
        call(parameters)
    np.testing.assert_array_equal(numbers(parameters), before)
