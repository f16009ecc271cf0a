"""Elementwise operations: NumPy going forward, differences going back, PyTorch at the kinks."""

import re
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.ops import elementwise
from minigrad.testing import gradcheck
from minigrad.testing.strategies import broadcastable_shapes

SEEDS = st.integers(0, 2**32 - 1)


def between_kinks(rng, shape, offset=0.0):
    """Draw numbers in (−3, 3), each a little above a multiple of ½, plus `offset`.

    So they are 0.05 or more away from every multiple of ½, and those drawn with offset ¼ are as
    far away from those drawn without.
    """
    return rng.integers(-6, 6, shape) / 2 + rng.uniform(0.05, 0.2, shape) + offset


def assert_keeps_contract(f, *shapes):
    """Hold an operation to what the engine asks of it: float32 stays float32, there and back.

    A vjp leaves its argument and all other arrays alone, says the same when asked twice, and gives
    an array of the parent's shape that is new or a view of its argument.
    """
    rng = np.random.default_rng(0)
    leaves = [
        minigrad.Tensor(between_kinks(rng, shape, i / 4).astype(np.float32), True)
        for i, shape in enumerate(shapes)
    ]
    out = f(*leaves)
    assert out.dtype == np.float32
    cotangent = np.asarray(rng.standard_normal(out.shape), np.float32)
    arrays = [out.data, *(leaf.data for leaf in leaves)]
    before = [array.copy() for array in (*arrays, cotangent)]
    for parent, vjp in zip(out.node.parents, out.node.vjps, strict=True):
        part = np.asarray(vjp(cotangent))
        assert (part.shape, part.dtype) == (parent.shape, np.float32)
        assert not any(np.shares_memory(part, array) for array in arrays)
        np.testing.assert_array_equal(part, vjp(cotangent))
    out.backward(cotangent)
    for old, array in zip(before, (*arrays, cotangent), strict=True):
        np.testing.assert_array_equal(array, old)
    gradients = [leaf.grad.data for leaf in leaves]
    for i, gradient in enumerate(gradients):
        assert gradient.flags.writeable
        for other in (*arrays, cotangent, *gradients[:i]):
            assert not np.shares_memory(gradient, other)


def assert_keeps_no_array(f, *shapes):
    """Hold an operation whose gradient does not depend on its inputs to not keeping them."""
    middle = [minigrad.tensor(np.ones(s), requires_grad=True) * 1.0 for s in shapes]
    node = f(*middle).node
    kept = [weakref.ref(t.data) for t in middle]
    assert all(ref() is not None for ref in kept)
    del middle
    assert all(ref() is None for ref in kept)
    assert node.vjps is not None


BINARY = {
    "add": (lambda a, b: a + b, np.add),
    "subtract": (lambda a, b: a - b, np.subtract),
    "multiply": (lambda a, b: a * b, np.multiply),
    "divide": (lambda a, b: a / b, np.divide),
    "power": (lambda a, b: abs(a) ** b, lambda a, b: np.abs(a) ** b),
    "maximum": (minigrad.maximum, np.maximum),
    "minimum": (minigrad.minimum, np.minimum),
}

UNARY = {
    "negative": (lambda x: -x, np.negative),
    "exp": (lambda x: x.exp(), np.exp),
    "log": (lambda x: abs(x).log(), lambda x: np.log(np.abs(x))),
    "sqrt": (lambda x: abs(x).sqrt(), lambda x: np.sqrt(np.abs(x))),
    "tanh": (lambda x: x.tanh(), np.tanh),
    "sigmoid": (lambda x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "abs": (lambda x: x.abs(), np.abs),
    "square": (lambda x: x**2, np.square),
    "inverse cube": (lambda x: x**-3, lambda x: x**-3.0),
    "two to the power": (lambda x: 2**x, np.exp2),
    "clip": (lambda x: x.clip(-1, 1.5), lambda x: np.clip(x, -1, 1.5)),
    "clip below": (lambda x: x.clip(min=0.5), lambda x: np.maximum(x, 0.5)),
    "clip above": (lambda x: x.clip(max=0.5), lambda x: np.minimum(x, 0.5)),
}


@pytest.mark.parametrize("name", BINARY)
@given(shapes=broadcastable_shapes(), seed=SEEDS)
def test_two_operands(name, shapes, seed):
    ours, theirs = BINARY[name]
    rng = np.random.default_rng(seed)
    a, b = between_kinks(rng, shapes[0]), between_kinks(rng, shapes[1], offset=0.25)
    out = ours(minigrad.tensor(a), minigrad.tensor(b))
    np.testing.assert_allclose(out.data, np.asarray(theirs(a, b)), rtol=1e-14, strict=True)
    gradcheck(ours, [a, b], seed=seed, directions=1)


@pytest.mark.parametrize("name", UNARY)
@given(shapes=broadcastable_shapes(count=1), seed=SEEDS)
def test_one_operand(name, shapes, seed):
    ours, theirs = UNARY[name]
    x = between_kinks(np.random.default_rng(seed), shapes[0])
    out = ours(minigrad.tensor(x))
    np.testing.assert_allclose(out.data, np.asarray(theirs(x)), rtol=1e-14, strict=True)
    gradcheck(ours, [x], seed=seed, directions=1)


@pytest.mark.parametrize("shape", [(2, 3), (1,), ()])
def test_contract(shape):
    for f, _ in BINARY.values():
        assert_keeps_contract(f, shape, shape)
        assert_keeps_contract(f, shape, (4, *shape[:-1], 3))
        assert_keeps_contract(f, (3,), shape)
    for f, _ in UNARY.values():
        assert_keeps_contract(f, shape)
    mask = np.arange(6).reshape(2, 3) % 2 == 0
    assert_keeps_contract(lambda a, b: minigrad.where(mask, a, b), shape, (2, 3))


def test_what_is_not_needed_is_not_kept():
    for f in (BINARY["add"][0], BINARY["subtract"][0], lambda a, b: minigrad.where(True, a, b)):
        assert_keeps_no_array(f, (3, 3), (3,))
    for name in ("negative", "exp", "tanh", "sigmoid", "clip"):
        assert_keeps_no_array(UNARY[name][0], (3, 3))
    assert_keeps_no_array(lambda x: x.sqrt(), (3, 3))
    assert_keeps_no_array(lambda x: x.astype(np.float32), (3, 3))
    assert_keeps_no_array(lambda x: x * 2 + x / 2, (3, 3))


@given(shapes=broadcastable_shapes(count=3), seed=SEEDS)
def test_where(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(shape) for shape in shapes[:2])
    mask = rng.random(shapes[2]) < 0.5
    out = minigrad.where(mask, minigrad.tensor(a), minigrad.tensor(b))
    np.testing.assert_array_equal(out.data, np.where(mask, a, b), strict=True)
    gradcheck(lambda a, b: minigrad.where(mask, a, b), [a, b], seed=seed, directions=1)


def test_where_lets_nothing_through_from_the_other_branch():
    x = minigrad.tensor([4.0, -1.0], requires_grad=True)
    out = minigrad.where(x > 0, x.sqrt(), 7)
    assert out.tolist() == [2, 7]
    out.backward([np.inf, 8.0])  # the gradient where the number 7 stands goes nowhere
    assert x.grad.tolist()[0] == np.inf
    chosen = minigrad.tensor([1.0, 2.0], requires_grad=True)
    minigrad.where(np.array([True, False]), chosen, 0.0).backward([3.0, np.inf])
    assert chosen.grad.tolist() == [3, 0]


def test_what_broadcasting_repeats_is_summed():
    x = minigrad.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    y = minigrad.tensor([10.0, 20.0], requires_grad=True)
    (x * y).backward([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert x.grad.tolist() == [[50], [110], [170]]
    assert y.grad.tolist() == [1 + 2 * 3 + 3 * 5, 2 + 2 * 4 + 3 * 6]


@pytest.mark.parametrize(("shape", "other"), [((1,), (0,)), ((2, 1), (2, 0)), ((), (0, 3))])
def test_repeated_no_times_the_gradient_is_zero(shape, other):
    x = minigrad.tensor(np.ones(shape), requires_grad=True)
    (x * np.ones(other)).backward(np.ones(np.broadcast_shapes(shape, other)))
    np.testing.assert_array_equal(x.grad.data, np.zeros(shape), strict=True)


# -- conventions, where there is no derivative ---------------------------------------------------


def against_torch(ours, theirs, *inputs):
    """Compare outputs and gradients, infinities too, for a cotangent that is not all ones."""
    torch = pytest.importorskip("torch")
    mine = [minigrad.tensor(np.array(x, np.float64), requires_grad=True) for x in inputs]
    peers = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    expected = theirs(torch, *peers)
    cotangent = np.arange(3.0, 3 + expected.numel()).reshape(expected.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = ours(*mine)
        out.backward(cotangent)
    expected.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-15)
    for x, peer in zip(mine, peers, strict=True):
        np.testing.assert_allclose(x.grad.data, peer.grad.numpy(), rtol=1e-15)


def test_gradient_at_a_kink_is_pytorchs():
    around = [-2.0, -1.0, -0.0, 0.0, 1.0, 2.0]
    against_torch(lambda x: x.abs(), lambda _, x: x.abs(), around)
    against_torch(lambda x: x.clip(-1, 1), lambda _, x: x.clamp(-1, 1), around)
    against_torch(lambda x: x.clip(min=0), lambda _, x: x.clamp(min=0), around)
    against_torch(lambda x: x.clip(max=0), lambda _, x: x.clamp(max=0), around)
    against_torch(lambda x: x.sqrt(), lambda _, x: x.sqrt(), [0.0, 4.0])
    against_torch(lambda x: x.log(), lambda _, x: x.log(), [0.0, 4.0])
    ties = [0.0, 1.0, 2.0, -3.0], [0.0, 2.0, 1.0, -3.0]
    against_torch(minigrad.maximum, lambda torch, a, b: torch.maximum(a, b), *ties)
    against_torch(minigrad.minimum, lambda torch, a, b: torch.minimum(a, b), *ties)


def test_power_at_zero_is_pytorchs():
    bases, exponents = [0.0, 0.0, 0.0, 0.0, 2.0, 2.0], [0.0, 0.5, 1.0, 2.0, 0.0, -1.0]
    against_torch(lambda a, b: a**b, lambda _, a, b: a**b, bases, exponents)
    for exponent in (0, 1, 2, 3, -1):
        against_torch(lambda a, n=exponent: a**n, lambda _, a, n=exponent: a**n, [-2.0, 0.0, 3.0])


def test_conventions_in_words():
    x = minigrad.tensor([0.0, 1.0], requires_grad=True)
    (x.abs() + x.clip(0, 1)).backward([2.0, 4.0])
    assert x.grad.tolist() == [2, 8]  # |x| gives 0 at 0; clip passes on both of its bounds
    a, b = (minigrad.tensor([5.0], requires_grad=True) for _ in range(2))
    minigrad.maximum(a, b).backward([3.0])
    assert a.grad.tolist() == b.grad.tolist() == [1.5]


def test_sigmoid_and_tanh_far_out():
    far = np.array([-1e4, -90.0, -30.0, -10.0, 10.0, 30.0, 1e4], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = minigrad.tensor(far, requires_grad=True)
        out = x.sigmoid()
        out.backward(np.ones(7))
        assert minigrad.tensor(far).tanh().tolist()[::6] == [-1, 1]
    small = np.exp(-np.abs(far.astype(np.float64)))
    exact = np.where(far > 0, 1, small) / (1 + small)
    np.testing.assert_allclose(out.data, exact, rtol=1e-6, atol=1e-38)
    np.testing.assert_allclose(x.grad.data[:4], (exact * (1 - exact))[:4], rtol=1e-6, atol=1e-38)


def test_log_and_sqrt_out_of_their_domain_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert minigrad.tensor([0.0]).log().item() == -np.inf
        assert np.isnan(minigrad.tensor([-1.0]).log().item())
        assert np.isnan(minigrad.tensor([-1.0]).sqrt().item())


# -- dtypes and operands -------------------------------------------------------------------------

F32, F64, INT = np.float32, np.float64, np.int64


@pytest.mark.parametrize(
    ("dtype", "other", "expected"),
    [
        (F32, 2, F32),
        (F32, 0.1, F32),
        (F32, True, F32),
        (F32, np.sqrt(2), F32),  # a NumPy float64 scalar
        (F32, np.int64(3), F32),
        (F32, np.array([1, 2]), F32),
        (F32, np.array([True, False]), F32),
        (F32, np.ones(2), F64),  # a float64 array was asked for
        (F64, np.ones(2, F32), F64),
        (F64, 0.1, F64),
        (INT, 2, INT),
        (INT, np.int32(2), INT),
        (INT, 0.5, F32),
        (INT, np.float64(0.5), F32),
        (INT, np.ones(2, F32), F32),
        (np.bool_, np.ones(2, INT), INT),
        (np.float16, 0.5, np.float16),
    ],
)
@pytest.mark.parametrize("tensors", [1, 2])
def test_dtype_of_mixed_operands(dtype, other, expected, tensors):
    x = minigrad.tensor(np.ones(2), dtype=dtype)
    if tensors == 2 and isinstance(other, np.ndarray):
        other = minigrad.tensor(other)
    for out in (x + other, other + x, x * other, minigrad.where(x > 0, x, other)):
        assert out.dtype == expected
        assert type(out) is minigrad.Tensor
    assert minigrad.maximum(x, other).dtype == expected


def test_python_numbers_are_not_rounded_to_float32_first():
    assert (minigrad.tensor(np.zeros(1)) + 0.1).item() == 0.1
    assert minigrad.tensor(np.zeros(1)).clip(min=0.1).item() == 0.1


def test_gradient_of_a_cast_operand_comes_back_in_its_own_dtype():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = minigrad.tensor(np.array([3.0, 4.0]), requires_grad=True)
    out = x * y
    assert out.dtype == F64
    out.backward([1.0, 10.0])
    assert (x.grad.dtype, x.grad.tolist()) == (F32, [3, 40])
    assert (y.grad.dtype, y.grad.tolist()) == (F64, [1, 20])


def test_integers_become_float32_where_the_result_is_not_whole():
    x = minigrad.tensor([1, 4])
    for out in (x / 2, 2 / x, x**2, x.exp(), x.log(), x.sqrt(), x.tanh(), x.sigmoid()):
        assert out.dtype == F32
    assert (x / 2).tolist() == [0.5, 2]
    assert (-x).dtype == abs(x).dtype == x.clip(2).dtype == INT
    assert x.clip(1.5).dtype == F32


@pytest.mark.parametrize("bound", [np.float64(0.25), np.sqrt(np.array(0.0625))[()], 0.25])
def test_clip_bounds_do_not_change_the_dtype(bound):
    out = minigrad.tensor([0.0, 1.0]).clip(bound, bound * 2)
    assert out.dtype == F32
    assert out.tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (None, "NoneType"),
        ("2", "str"),
        ([1.0, 2.0], "list"),
        (1j, "complex"),
        (np.complex64(1), "complex"),
        (np.array([1j, 2]), "ndarray of complex128"),
        (np.array([None, 1]), "ndarray of object"),
    ],
)
def test_operands_that_are_no_numbers_are_refused(other, kind):
    x = minigrad.tensor([1.0, 2.0])
    message = f"an operand must be a Tensor, an array of real numbers or a number, got {kind}"
    with pytest.raises(TypeError, match=f"^add: {message}$"):
        x + other
    with pytest.raises(TypeError, match=f"^subtract: {message}$"):
        elementwise.subtract(other, x)
    with pytest.raises(TypeError, match=f"^maximum: {message}$"):
        minigrad.maximum(x, other)


def test_errors():
    x = minigrad.tensor([1.0, 2.0])
    with pytest.raises(
        TypeError, match=r"^add: at least one operand must be .*, got int, ndarray$"
    ):
        elementwise.add(1, np.ones(2))
    with pytest.raises(TypeError, match="^where: at least one operand must be a Tensor, got float"):
        minigrad.where(x > 0, 1.0, 0.0)
    message = re.escape("where: condition must hold booleans, got dtype float32")
    with pytest.raises(TypeError, match=f"^{message}$"):
        minigrad.where(x, x, x)
    with pytest.raises(ValueError, match="^clip: give min, max or both$"):
        x.clip()
    with pytest.raises(ValueError, match="broadcast"):
        x + np.ones(3)
