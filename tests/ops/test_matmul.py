"""The matrix product: NumPy going forward, exact on integers going back."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.testing import gradcheck
from minigrad.testing.strategies import broadcastable_shapes, scrambled
from tests.ops.rungs import integers
from tests.ops.test_elementwise import (
    SEEDS,
    assert_keeps_contract,
    assert_keeps_no_array,
)


@st.composite
def products(draw):
    """Draw two shapes that multiply: vectors, matrices, and stacks of them that broadcast."""
    m, k, n = (draw(st.sampled_from([3, 2, 1, 4, 0])) for _ in range(3))
    left, right = draw(broadcastable_shapes(max_axes=2))
    a = (k,) if draw(st.integers(0, 3)) == 3 else (*left, m, k)
    b = (k,) if draw(st.integers(0, 3)) == 3 else (*right, k, n)
    return a, b


@given(shapes=products(), seed=SEEDS)
def test_product_is_numpys(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(shape) for shape in shapes)
    out = minigrad.tensor(a) @ minigrad.tensor(b)
    np.testing.assert_array_equal(out.data, np.matmul(a, b), strict=True)
    gradcheck(lambda a, b: a @ b, [a, b], seed=seed, directions=1)


@given(shapes=products(), seed=SEEDS)
def test_gradients_are_adjoint(shapes, seed):
    """⟨A·B, G⟩ = ⟨A, dA⟩ = ⟨B, dB⟩: exact in float32 on integers, in any memory order."""
    rng = np.random.default_rng(seed)
    a, b = (
        minigrad.tensor(scrambled(rng, integers(rng, *shape)), requires_grad=True)
        for shape in shapes
    )
    out = a @ b
    cotangent = integers(rng, *out.shape)
    out.backward(cotangent)
    product = (out.data * cotangent).sum()
    assert (a.data * a.grad.data).sum() == product
    assert (b.data * b.grad.data).sum() == product
    assert a.grad.dtype == b.grad.dtype == np.float32


def test_by_hand():
    a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    b = minigrad.tensor([[1.0, 0.0, 2.0, 1.0], [0.0, 1.0, 1.0, 3.0]], requires_grad=True)
    out = a @ b
    assert out.tolist() == [[1, 2, 4, 7], [3, 4, 10, 15], [5, 6, 16, 23]]
    gradient = np.zeros((3, 4), np.float32)
    gradient[1, 3] = 2
    out.backward(gradient)
    assert a.grad.tolist() == [[0, 0], [2, 6], [0, 0]]
    assert b.grad.tolist() == [[0, 0, 0, 6], [0, 0, 0, 8]]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((5, 2, 3), (3, 4)),
        ((3,), (5, 3, 2)),
        ((5, 1, 2, 3), (4, 3, 1)),
    ],
)
def test_contract(a, b):
    assert_keeps_contract(lambda a, b: a @ b, a, b)
    fixed = minigrad.tensor(np.ones(b))
    assert_keeps_no_array(lambda a: a @ fixed, a)
    fixed_left = minigrad.tensor(np.ones(a))
    assert_keeps_no_array(lambda b: fixed_left @ b, b)


def test_only_the_gradient_that_is_needed():
    a = minigrad.tensor(np.ones((2, 3)), requires_grad=True)
    fixed = minigrad.tensor(np.ones((3, 4)))
    assert len((a @ fixed).node.vjps) == 1
    (a @ fixed).sum().backward()
    assert fixed.grad is None
    assert a.grad.tolist() == [[4, 4, 4], [4, 4, 4]]


def test_arrays_on_either_side():
    x = minigrad.tensor([[1, 2], [3, 4]], dtype=np.float32, requires_grad=True)
    array = np.array([[0, 1], [2, 0]])
    for out, expected in ((x @ array, x.data @ array), (array @ x, array @ x.data)):
        assert type(out) is minigrad.Tensor
        assert out.dtype == np.float32
        assert out.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("a", "b", "side"),
    [
        ((2, 3), (2, 3), "second to last"),
        ((2, 3), (2,), "only"),
        ((3,), (5, 2, 4), "second to last"),
        ((), (2, 2), "second to last"),
        ((2, 2), (), "second to last"),
    ],
)
def test_shapes_that_do_not_fit(a, b, side):
    message = (
        f"matmul: the last axis of a (shape {a}) must be as long as the {side} axis of b "
        f"(shape {b})"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        minigrad.tensor(np.ones(a)) @ minigrad.tensor(np.ones(b))


def test_stacks_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"\(2,.*\(3,"):
        minigrad.tensor(np.ones((2, 3, 4))) @ np.ones((3, 4, 5))


def test_operands_that_are_no_numbers():
    with pytest.raises(TypeError, match="^matmul: an operand must be .*, got NoneType$"):
        minigrad.tensor(np.ones((2, 3))) @ None
