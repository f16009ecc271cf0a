"""The matrix product: NumPy going forward, exact on integers going back; and `gradcheck` itself.

The check is held against matrix products, and a softmax, whose gradients are wrong on purpose.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.autograd import record
from minigrad.testing import gradcheck
from tests.ops.rungs import integers, scrambled
from tests.ops.test_elementwise import (
    SEEDS,
    assert_keeps_contract,
    assert_keeps_no_array,
    broadcastable,
)


@st.composite
def products(draw):
    """Draw two shapes that multiply: vectors, matrices, and stacks of them that broadcast."""
    m, k, n = (draw(st.sampled_from([3, 2, 1, 4, 0])) for _ in range(3))
    left, right = draw(broadcastable(max_axes=2))
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


# -- gradcheck itself, which must see what is wrong with a matrix product --------------------------


def softmax(x, vjp=None):
    """Softmax over the last axis; `vjp` takes the gradient and the output."""
    power = np.exp(x.data - x.data.max(axis=-1, keepdims=True))
    y = power / power.sum(axis=-1, keepdims=True)
    vjp = vjp or (lambda g, y: y * (g - (g * y).sum(axis=-1, keepdims=True)))
    return record("softmax", y, (x, lambda gradient: vjp(gradient, y)))


def times(a, b, to_a=lambda g, a, b: g @ b.T, to_b=lambda g, a, b: a.T @ g):
    """The matrix product, with vjps to be replaced by wrong ones."""
    x, y = a.data, b.data
    return record("times", x @ y, (a, lambda g: to_a(g, x, y)), (b, lambda g: to_b(g, x, y)))


SQUARES = [np.random.default_rng(1).standard_normal((3, 3)) for _ in range(2)]
WRONG = {
    "softmax of zeros": lambda a, b: softmax(a, lambda g, y: 0 * g) + b,
    "softmax without its sum": lambda a, b: softmax(a, lambda g, y: g * y) + b,
    "twice": lambda a, b: times(a, b, lambda g, a, b: 2 * g @ b.T),
    "1.0001 times": lambda a, b: times(a, b, to_b=lambda g, a, b: 1.0001 * a.T @ g),
    "12,345 times": lambda a, b: times(a, b, to_b=lambda g, a, b: 12345.0 * a.T @ g),
    "zeros": lambda a, b: times(a, b, lambda g, a, b: 0 * a),
    "negative": lambda a, b: times(a, b, to_b=lambda g, a, b: -a.T @ g),
    "transposed": lambda a, b: times(a, b, lambda g, a, b: (g @ b.T).T),
    "the other's": lambda a, b: times(a, b, lambda g, a, b: a.T @ g),
    "infinite": lambda a, b: times(a, b, lambda g, a, b: np.where(np.eye(3, 3, 2) > 0, np.inf, a)),
    "nan": lambda a, b: times(a, b, lambda g, a, b: g * np.nan),
    "one entry": lambda a, b: times(a, b, lambda g, a, b: g @ b.T + np.eye(1, 9, 5).reshape(3, 3)),
    "cut off": lambda a, b: a * b.detach() + b * 0,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradcheck_rejects(name, seed):
    with pytest.raises(AssertionError, match=r"gradient of input [01] \(shape \(3, 3\)\) is wrong"):
        gradcheck(WRONG[name], SQUARES, seed=seed)


@pytest.mark.parametrize("f", [lambda a, b: softmax(a) + b, times, lambda a, b: a * 1e6 / (b + 9)])
def test_gradcheck_accepts(f):
    for seed in range(20):
        gradcheck(f, SQUARES, seed=seed)


def test_gradcheck_sees_errors_in_small_results():
    """Of a thousand classes each has a probability, and a gradient, of about 1/1000."""

    def wrong(x):
        return softmax(x, lambda g, y: 1.01 * y * (g - (g * y).sum(axis=-1, keepdims=True)))

    x = np.random.default_rng(0).standard_normal((4, 1000))
    gradcheck(softmax, [x])
    with pytest.raises(AssertionError, match="gradient of input 0"):
        gradcheck(wrong, [x])
    with pytest.raises(AssertionError, match="gradient of input 0"):
        gradcheck(lambda x: record("tiny", 1e-6 * x.data, (x, lambda g: 0 * g)), [x])
    gradcheck(lambda x: (x - x.mean(1, keepdims=True)).sum(1), [x])  # 0, but for rounding


def test_gradcheck_says_what_is_wrong():
    with pytest.raises(AssertionError) as caught:
        gradcheck(lambda a, b: a + times(b, b, to_b=lambda g, a, b: 0 * g), SQUARES)
    first, *table = str(caught.value).splitlines()
    pattern = (
        r"gradcheck: the gradient of input 1 \(shape \(3, 3\)\) is wrong: along a random "
        r"direction it gives (\S+), differences give (\S+)"
    )
    analytic, numeric = map(float, re.fullmatch(pattern, first).groups())
    assert len(table) == 5
    for line in table:  # a wrong gradient has the same error whatever the step
        error = float(re.fullmatch(r"    step +\S+: difference (\S+)", line)[1])
        assert error == pytest.approx(abs(analytic - numeric), rel=0.01)


def test_gradcheck_draws_other_directions_for_other_seeds():
    drawn = []

    def watched(x):
        return record("watched", x.data, (x, lambda g: drawn.append(g.copy()) or g))

    for seed in (0, 0, 1):
        gradcheck(watched, [np.ones(4)], seed=seed, directions=2)
    assert len(drawn) == 6
    assert len({tuple(g) for g in drawn}) == 4
    assert all(len(set(g)) == 4 for g in drawn)  # never all ones
