"""The face of the engine: making tensors, what they say, gradients at their door, `no_grad`."""

import asyncio
import copy
import pickle
import re
import threading

import numpy as np
import pytest
from hypothesis import given

import minigrad
from minigrad import Tensor, nn
from minigrad.testing.strategies import broadcastable_shapes
from tests.ops.test_elementwise import SEEDS, between_kinks

F32, F64, INT, BOOL = np.float32, np.float64, np.int64, np.bool_


# -- making one ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (1.5, None, F32),
        ([1.0, 2], None, F32),
        ([[1], [2]], None, INT),
        ([True, False], None, BOOL),
        ([], None, F32),
        (range(3), None, INT),
        (np.float64(1.5), None, F64),
        (np.zeros(2), None, F64),
        (np.zeros(2, np.float16), None, np.float16),
        (np.zeros(2, np.uint8), None, np.uint8),
        (np.zeros(2), F32, F32),
        ([1, 2], "float64", F64),
        ([0.1], F64, F64),
        ([1.7], int, INT),
        (minigrad.tensor(np.zeros(2)), None, F64),
        ([minigrad.tensor(1.0), minigrad.tensor(2.0)], None, F32),
    ],
)
def test_dtype_of_a_new_tensor(values, dtype, expected):
    x = minigrad.tensor(values, dtype)
    assert type(x) is Tensor
    assert type(x.data) is np.ndarray
    assert x.dtype == expected
    plain = values.data if isinstance(values, Tensor) else values
    np.testing.assert_array_equal(x.data, np.array(plain, dtype=expected))
    assert not x.requires_grad
    assert x.grad is None


def test_python_floats_keep_their_digits_in_float64():
    assert minigrad.tensor([0.1], dtype=F64).item() == 0.1


def test_a_new_tensor_is_a_copy():
    array = np.ones((2, 3))
    x = minigrad.tensor(array)
    again = minigrad.tensor(x, requires_grad=True)
    array[0, 0] = 5
    x.data[0, 1] = 6
    assert x.tolist()[0] == [1, 6, 1]
    assert again.tolist()[0] == [1, 1, 1]
    assert minigrad.tensor(np.asfortranarray(array)).data.flags.f_contiguous


def test_the_class_takes_the_array_as_it_is():
    array = np.ones(3, F32)
    assert Tensor(array).data is array
    assert Tensor(array).numpy() is array
    assert Tensor(array).detach().data is array


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ("text", None, "values must be real numbers or booleans, got dtype <U4"),
        ("1.5", F32, "values must be real numbers or booleans, got dtype <U3"),
        (None, None, "values must be real numbers or booleans, got dtype object"),
        (None, F32, "values must be real numbers or booleans, got dtype object"),
        (1j, None, "values must be real numbers or booleans, got dtype complex128"),
        ([1j], F32, "values must be real numbers or booleans, got dtype complex128"),
        ([1], complex, "values must be real numbers or booleans, got dtype complex128"),
    ],
)
def test_values_that_are_no_numbers(values, dtype, message):
    with pytest.raises(TypeError, match=f"^tensor: {re.escape(message)}$"):
        minigrad.tensor(values, dtype)


def test_ragged_values():
    message = r"^tensor: cannot make an array of these values \(.*inhomogeneous.*\)$"
    with pytest.raises(TypeError, match=message):
        minigrad.tensor([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("dtype", [INT, BOOL, np.uint8])
def test_only_floats_have_gradients(dtype):
    message = f"^requires_grad: only floating tensors can have one, not {np.dtype(dtype)}$"
    with pytest.raises(TypeError, match=message):
        minigrad.tensor([1, 0], dtype=dtype, requires_grad=True)
    x = minigrad.tensor([1, 0], dtype=dtype)
    with pytest.raises(TypeError, match=message):
        x.requires_grad = True
    assert not x.requires_grad


# -- what it is and says -------------------------------------------------------------------------


def test_attributes():
    x = minigrad.tensor(np.arange(6.0).reshape(2, 3))
    assert (x.shape, x.dtype, x.ndim, x.size, len(x)) == ((2, 3), F64, 2, 6, 2)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x.T.tolist() == x.data.T.tolist()
    assert [row.tolist() for row in x] == x.tolist()
    assert [x.argmax().item(), x.argmax(0).tolist()] == [5, [1, 1, 1]]
    assert not x.argmax(0).requires_grad
    assert len({x, x.detach(), x}) == 2  # hashed by identity


def test_repr_shows_value_dtype_and_operation():
    x = minigrad.tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == "tensor([1. , 2.5], dtype=float32, device=cpu, requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 5.], dtype=float32, device=cpu, op=multiply)"
    assert repr((x * 2).detach()) == "tensor([2., 5.], dtype=float32, device=cpu)"
    assert repr(minigrad.tensor(3)) == "tensor(3, dtype=int64, device=cpu)"
    assert repr(x[None] > 2) == "tensor([[False,  True]], dtype=bool, device=cpu)"
    two = minigrad.tensor(np.eye(2), requires_grad=True)
    assert repr(two.exp().sum(0)).endswith(", dtype=float64, device=cpu, op=sum)")
    notes = "dtype=float64, device=cpu, requires_grad=True"
    assert repr(two) == f"tensor([[1., 0.],\n        [0., 1.]], {notes})"
    assert len(repr(minigrad.tensor(np.zeros((100, 100))))) < 1000


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number(shape):
    x = minigrad.tensor(np.full(shape, 2.5))
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert type(x.item()) is float
    assert type(minigrad.tensor(np.full(shape, 3)).item()) is int
    assert not bool(minigrad.tensor(np.zeros(shape)))


def test_more_or_less_than_one_number():
    for shape in ((2,), (1, 3), (0,)):
        message = re.escape(f"item: needs a tensor of one number, this has shape {shape}")
        for call in (Tensor.item, float, int):
            with pytest.raises(ValueError, match=f"^{message}$"):
                call(minigrad.tensor(np.ones(shape)))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(minigrad.tensor([1.0, 2.0]))
    for call in (len, list):
        with pytest.raises(TypeError, match="^len: a tensor without axes has no length$"):
            call(minigrad.tensor(1.0))
    with pytest.raises(TypeError, match="integer"):
        [1, 2][minigrad.tensor(1.0)]


def test_numpy_reads_it():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    assert np.asarray(x) is x.data
    assert np.array(x) is not x.data
    assert np.asarray(x, dtype=F64).dtype == F64
    np.testing.assert_array_equal(x, [1, 2])
    with pytest.raises(TypeError, match="ufunc"):
        np.exp(x)  # rather than a result that has lost its history


# -- arithmetic and comparison -------------------------------------------------------------------

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: abs(a) ** b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@pytest.mark.parametrize("symbol", OPERATORS)
@given(shapes=broadcastable_shapes(), seed=SEEDS)
def test_operators_take_arrays_and_numbers_on_either_side(symbol, shapes, seed):
    apply, rng = OPERATORS[symbol], np.random.default_rng(seed)
    a, b = between_kinks(rng, shapes[0]), between_kinks(rng, shapes[1])
    if a.size and b.size and symbol in ("==", "!=", "<=", ">="):
        a.flat[0] = b.flat[0]
    x, y = minigrad.tensor(a), minigrad.tensor(b)
    number, scalar = float(between_kinks(rng, ())), between_kinks(rng, (1,))[0]
    for left, right in ((a, b), (a, number), (number, a), (scalar, a), (a, scalar)):
        wanted = apply(left, right)
        tensors = [x if side is a else y if side is b else side for side in (left, right)]
        sides = [tensors]
        if right is b:
            sides += [[tensors[0], b], [a, tensors[1]]]
        for mine in sides:
            out = apply(*mine)
            assert type(out) is Tensor
            np.testing.assert_allclose(out.data, np.asarray(wanted), rtol=1e-14, strict=True)


def test_comparison_carries_no_gradient():
    x = minigrad.tensor([1.0, 3.0], requires_grad=True)
    for out in (x == 1, x != 1, x < 2, x <= 2, x > 2, x >= x):
        assert out.dtype == BOOL
        assert not out.requires_grad
    assert (x == None).tolist() == [False, False]  # noqa: E711


# -- gradients -----------------------------------------------------------------------------------


def test_requires_grad_can_be_switched_for_leaves():
    x = minigrad.tensor([1.0, 2.0])
    x.requires_grad = True
    leaf = x.node
    x.requires_grad = True
    assert x.node is leaf
    out = x * 2
    message = (
        "requires_grad: this tensor was made by 'multiply' and passes gradients on; use detach() "
        "to get one that does not"
    )
    for wanted in (True, False):
        with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
            out.requires_grad = wanted
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_detach_cuts():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (x * (x * 10).detach()).sum().backward()
    assert x.grad.tolist() == [10, 20]


def test_astype():
    x = minigrad.tensor([1.0, 2.5], requires_grad=True)
    wide = x.astype(F64)
    assert (wide.dtype, wide.node.name) == (F64, "cast")
    wide.backward(np.array([1.0, 0.1]))
    assert x.grad.dtype == F32
    assert x.grad.tolist() == [1, F32(0.1)]
    whole = x.astype(int)
    assert (whole.dtype, whole.tolist(), whole.requires_grad) == (INT, [1, 2], False)


def test_backward_refuses():
    message = "^backward: this tensor does not depend on one that requires_grad$"
    with pytest.raises(RuntimeError, match=message):
        minigrad.tensor([1.0, 2.0]).sum().backward()
    x = minigrad.tensor([[1.0, 2.0]], requires_grad=True)
    message = (
        "backward: a result of shape (1, 2) is not one number; give the gradient, an array of "
        "that shape, or reduce the result first"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        (x * 2).backward()
    message = "backward: gradient must have the tensor's shape (1, 2), got (2,)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        (x * 2).backward([1.0, 2.0])
    assert x.grad is None


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float16, F32, F64])
def test_grad_is_a_tensor_of_the_same_shape_and_dtype(shape, dtype):
    x = minigrad.tensor(np.ones(shape), dtype=dtype, requires_grad=True)
    for times in (1, 2, 3):
        (x * 2).backward(None if x.size == 1 else minigrad.tensor(np.ones(shape)))
        assert type(x.grad) is Tensor
        assert type(x.grad.data) is np.ndarray
        assert (x.grad.shape, x.grad.dtype) == (shape, dtype)
        assert not x.grad.requires_grad
        np.testing.assert_array_equal(x.grad.data, 2 * times)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_gathers_its_own_gradient(duplicate):
    for kind in (Tensor, nn.Parameter):
        x = kind(np.ones(2, F32), requires_grad=True)
        twin = duplicate(x)
        assert type(twin) is kind
        assert twin.requires_grad
        (twin * 3).backward([1.0, 2.0])
        assert x.grad is None
        assert twin.grad.tolist() == [3, 6]
    assert not duplicate(x * 2).requires_grad
    assert not duplicate(minigrad.tensor([1])).requires_grad


# -- no_grad -------------------------------------------------------------------------------------


def records():
    """Tell whether an operation is recorded here and now."""
    recorded = minigrad.tensor([1.0], requires_grad=True).exp().requires_grad
    assert recorded is minigrad.is_recording()
    return recorded


def test_no_grad_nests_and_restores():
    assert records()
    with minigrad.no_grad():
        with minigrad.no_grad():
            assert not records()
        assert not records()
        with pytest.raises(KeyError), minigrad.no_grad():
            raise KeyError
        assert not records()
    assert records()
    with pytest.raises(KeyError), minigrad.no_grad():
        raise KeyError
    assert records()


def test_no_grad_as_a_decorator():
    @minigrad.no_grad()
    def inside(fail=False):
        if fail:
            raise KeyError
        return records()

    for _ in range(2):
        assert inside() is False
        assert records()
    with pytest.raises(KeyError):
        inside(fail=True)
    assert records()
    assert inside.__name__ == "inside"


def test_no_grad_keeps_leaves_and_what_was_recorded():
    x = minigrad.tensor([2.0], requires_grad=True)
    out = x * x
    with minigrad.no_grad():
        assert minigrad.tensor([1.0], requires_grad=True).requires_grad
        out.backward()  # going back needs no recording
        hidden = x * x
    assert x.grad.item() == 4
    with pytest.raises(RuntimeError, match="does not depend"):
        hidden.backward()


def test_no_grad_is_per_thread():
    seen, entered, done = [], threading.Event(), threading.Event()

    def other():
        with minigrad.no_grad():
            entered.set()
            assert done.wait(5)
            seen.append(records())

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(5)
    seen.append(records())
    done.set()
    thread.join()
    assert seen == [True, False]


def test_no_grad_is_per_task():
    async def task(silent):
        with minigrad.no_grad() if silent else minigrad.detect_anomaly():
            await asyncio.sleep(0)
            return records()

    async def both():
        return await asyncio.gather(*(task(silent) for silent in (True, False, True, False)))

    assert asyncio.run(both()) == [False, True, False, True]
