"""Arithmetic, reductions, shapes, concatenation and products of matrices: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad.autograd import Array
from minigrad.tensor import Tensor
from minigrad.testing import laws
from minigrad.testing import strategies as our
from minigrad.testing.gradients import gradcheck
from minigrad.testing.place import fetch, tensor
from minigrad.testing.strategies import random_array
from minigrad.testing.suite.comparing import OTHER, near, same
from minigrad.testing.suite.property import Property, holds


def _gradients(f: Callable[..., Tensor], c: Any, *arrays: Any) -> list[Array]:
    """Give the gradients of ⟨c, f(arrays)⟩."""
    leaves = [tensor(a, float, requires_grad=True) for a in arrays]
    f(*leaves).backward(np.asarray(c, float))
    return [np.zeros(leaf.shape) if leaf.grad is None else fetch(leaf.grad) for leaf in leaves]


# -- broadcasting --------------------------------------------------------------------------------

PAIRS = our.broadcastable_shapes(lengths=(1, 2, 3))


@holds("broadcasting", shapes=PAIRS, seed=our.seeds())
def broadcasting_sums_what_it_repeated(shapes: tuple[tuple[int, ...], ...], seed: int) -> None:
    """The gradient of a repeated number is the sum over its copies, exactly, on integers."""
    a, b = (random_array(s, "integers", seed=seed + i) for i, s in enumerate(shapes))
    laws.adjoint(lambda x, y: x * y, [a, b], seed=seed + OTHER)
    laws.adjoint(lambda x, y: x + y, [a, b], jointly=True, seed=seed + OTHER)


@holds("broadcasting", shapes=PAIRS, seed=our.seeds())
def broadcasting_gradients(shapes: tuple[tuple[int, ...], ...], seed: int) -> None:
    """The gradients are what differences say."""
    a, b = (random_array(s, "distinct", seed=seed + i) for i, s in enumerate(shapes))
    gradcheck(lambda x, y: x * y - x / y, [a, b], seed=seed + OTHER)


@holds("broadcasting")
def numbers_take_the_dtype_of_tensors() -> None:
    """A Python number or a NumPy scalar does not make float64 of float32."""
    x = tensor([1.0, 2.0])
    for out in (x * np.sqrt(2.0), np.float64(3) + x, x - 1, x / 3.0, x ** np.int64(2)):
        assert out.dtype == np.float32, f"{out.dtype} came of float32"


# -- numbers, one by one -------------------------------------------------------------------------

# name: (the operation, what NumPy calls it, which numbers it takes, how many operands)
POINTWISE: dict[str, tuple[Callable[..., Tensor], Callable[..., Any], str, int]] = {
    "add": (lambda a, b: a + b, np.add, "normal", 2),
    "subtract": (lambda a, b: a - b, np.subtract, "normal", 2),
    "multiply": (lambda a, b: a * b, np.multiply, "normal", 2),
    "divide": (lambda a, b: a / b, np.divide, "distinct", 2),
    "power": (lambda a, b: a**b, np.power, "positive", 2),
    "maximum": (minigrad.maximum, np.maximum, "normal", 2),
    "minimum": (minigrad.minimum, np.minimum, "normal", 2),
    "negative": (lambda x: -x, np.negative, "normal", 1),
    "exp": (Tensor.exp, np.exp, "normal", 1),
    "log": (Tensor.log, np.log, "positive", 1),
    "sqrt": (Tensor.sqrt, np.sqrt, "positive", 1),
    "tanh": (Tensor.tanh, np.tanh, "normal", 1),
    "sigmoid": (Tensor.sigmoid, lambda x: 1 / (1 + np.exp(-x)), "normal", 1),
    "abs": (Tensor.abs, np.abs, "distinct", 1),
    "clip": (lambda x: x.clip(-1.0, 0.5), lambda x: np.clip(x, -1.0, 0.5), "distinct", 1),
}


def _pointwise(name: str) -> list[Property]:
    """Make the properties of one row of the table."""
    f, oracle, values, operands = POINTWISE[name]
    shapes = our.broadcastable_shapes(operands, lengths=(1, 2, 3))

    def draw(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[Array]:
        # Seeds next to each other: two equal operands would make every difference zero.
        return [random_array(s, values, seed=seed + i) for i, s in enumerate(shapes)]

    def as_numpy_does(shapes: tuple[tuple[int, ...], ...], seed: int) -> None:
        """The numbers are NumPy's."""
        arrays = draw(shapes, seed)
        out = f(*(tensor(a) for a in arrays)).data
        near(out, oracle(*arrays))

    def gradients(shapes: tuple[tuple[int, ...], ...], seed: int) -> None:
        """The gradients are what differences say."""
        gradcheck(f, draw(shapes, seed), seed=seed + OTHER)

    drawn = {"shapes": shapes, "seed": our.seeds()}
    return [Property(name, check.__name__, check, drawn) for check in (as_numpy_does, gradients)]


TABLE = [prop for name in POINTWISE for prop in _pointwise(name)]


@holds("subtract")
def numbers_to_the_left_of_minus() -> None:
    """1 − x is not x − 1, neither forward nor backward."""
    same((10 - tensor([1.0, 2.0])).data, [9, 8])
    same(_gradients(lambda x: 10 - x, [3, 4], [1, 2])[0], [-3, -4], "the gradient")


@holds("divide")
def numbers_to_the_left_of_a_fraction() -> None:
    """1 / x is not x / 1."""
    same((8 / tensor([1.0, 2.0])).data, [8, 4])
    same(_gradients(lambda x: 8 / x, [1, 1], [1, 2])[0], [-8, -2], "the gradient")


@holds("power")
def numbers_to_the_left_of_a_power() -> None:
    """2ˣ is not x²."""
    same((2 ** tensor([1.0, 3.0])).data, [2, 8])


@holds("power")
def powers_of_zero() -> None:
    """x⁰ is constant and 0ʸ is zero, so their gradients at 0 are zero and not NaN."""
    base, exponent = _gradients(lambda a, b: a**b, [1.0, 1.0], [0.0, 0.0], [0.0, 2.0])
    same(base, [0, 0])
    same(exponent[1], 0)


@holds("maximum")
def equal_numbers_share_in_maximum() -> None:
    """Where both are equal each gets half."""
    first, second = _gradients(minigrad.maximum, [2, 2, 2], [1, 5, 3], [1, 3, 5])
    same(first, [1, 2, 0])
    same(second, [1, 0, 2])


@holds("minimum")
def equal_numbers_share_in_minimum() -> None:
    """Where both are equal each gets half."""
    first, second = _gradients(minigrad.minimum, [2, 2, 2], [1, 5, 3], [1, 3, 5])
    same(first, [1, 0, 2])
    same(second, [1, 2, 0])


@holds("where")
def where_chooses() -> None:
    """Each number comes from one operand, and its gradient goes there alone."""
    mask = np.array([[True, False], [False, False]])
    f = lambda a, b: minigrad.where(mask, a, b)  # noqa: E731
    same(f(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([5.0, 6.0])).data, [[1, 6], [5, 6]])
    first, second = _gradients(f, [[1, 2], [3, 4]], np.zeros((2, 2)), np.zeros(2))
    same(first, [[1, 0], [0, 0]])
    same(second, [3, 6])


@holds("sigmoid")
def sigmoid_of_extremes() -> None:
    """A thousand gives 1, minus a thousand 0."""
    same(tensor([-1000.0, 0.0, 1000.0]).sigmoid().data, [0, 0.5, 1])


@holds("clip")
def clip_on_its_bounds() -> None:
    """A number that lies on a bound was not moved, and passes its gradient."""
    (gradient,) = _gradients(lambda x: x.clip(-1.0, 1.0), [1, 2, 3, 4, 5], [-2, -1, 0, 1, 2])
    same(gradient, [0, 2, 3, 4, 0])


@holds("abs")
def abs_at_zero() -> None:
    """The sign of zero is zero."""
    same(_gradients(abs, [3, 3, 3], [-2, 0, 2])[0], [-3, 0, 3])


# -- matrix products -----------------------------------------------------------------------------


@holds("matmul", n=st.integers(1, 4), seed=our.seeds())
def matmul_as_numpy_does(n: int, seed: int) -> None:
    """Vectors, matrices and stacks of them, square too; backward is the transpose, exactly."""
    shapes = [(n, n), (n, n)], [(3, n), (n, 2)], [(n,), (n, 2)], [(2, n), (n,)], [(n,), (n,)]
    stacks = [(4, 2, n), (n, 3)], [(2, 1, 2, n), (3, n, 2)], [(1, 2, n), (3, n, 2)]
    for pair in (*shapes, *stacks):
        a, b = (random_array(s, "integers", seed=seed + i) for i, s in enumerate(pair))
        same((tensor(a) @ tensor(b)).data, a @ b)
        laws.adjoint(lambda x, y: x @ y, [a, b], seed=seed + OTHER)
    a, b = (random_array((n, n), seed=seed + i) for i in (0, 1))
    gradcheck(lambda x, y: x @ y, [a, b], seed=seed + OTHER)


# -- reductions ----------------------------------------------------------------------------------

AXES = [None, 0, 1, -1, (0, 2), (0, 1, 2)]
BLOCKS = st.tuples(*[st.integers(1, 3)] * 3)


def _folding(name: str, values: str, oracle: Callable[..., Any], **options: Any) -> Property:
    def as_numpy_does(shape: tuple[int, ...], seed: int, axis: Any, keepdims: bool) -> None:
        """The numbers are NumPy's, the gradients what differences say."""
        x, fold = random_array(shape, values, seed=seed), {"axis": axis, "keepdims": keepdims}
        out = getattr(tensor(x), name)(**fold, **options)
        near(out.data, oracle(x, **fold))
        gradcheck(lambda t: getattr(t, name)(**fold, **options), [x], seed=seed + OTHER)

    axes, either = st.sampled_from(AXES), st.booleans()
    drawn = {"shape": BLOCKS, "seed": our.seeds(), "axis": axes, "keepdims": either}
    return Property(name, "_".join(["as_numpy_does", *options]), as_numpy_does, drawn)


FOLDING = [
    _folding("sum", "normal", np.sum),
    _folding("mean", "normal", np.mean),
    _folding("var", "normal", np.var),
    _folding("max", "distinct", np.max),
    _folding("min", "distinct", np.min),
]


@holds("sum")
def sum_of_a_square() -> None:
    """The gradient of row sums is constant along the rows."""
    same(_gradients(lambda x: x.sum(1), [1, 2], np.ones((2, 2)))[0], [[1, 1], [2, 2]])


@holds("var", shape=BLOCKS, seed=our.seeds())
def unbiased_variance(shape: tuple[int, ...], seed: int) -> None:
    """With a correction of 1 the divisor is n − 1, forward and backward."""
    x = random_array((4, *shape[1:]), seed=seed)
    near(tensor(x).var(0, correction=1).data, x.var(0, ddof=1))
    gradcheck(lambda t: t.var(0, correction=1), [x], seed=seed + OTHER)


@holds("max")
def equal_maxima_share() -> None:
    """Equal largest numbers share the gradient evenly."""
    (gradient,) = _gradients(lambda x: x.max(1), [6, 6], [[1, 3, 3], [2, 2, 2]])
    same(gradient, [[0, 3, 3], [2, 2, 2]])


@holds("min")
def equal_minima_share() -> None:
    """Equal smallest numbers share the gradient evenly."""
    (gradient,) = _gradients(lambda x: x.min(1), [6, 6], [[1, 1, 3], [2, 2, 2]])
    same(gradient, [[3, 3, 0], [2, 2, 2]])


# -- moving numbers ------------------------------------------------------------------------------

MASK = np.array([True, False, True])

# name: pairs of what is done to a tensor of shape (2, 3, 4), and what NumPy does
MOVES: dict[str, list[tuple[Callable[[Tensor], Tensor], Callable[[Array], Array]]]] = {
    "reshape": [
        (lambda x: x.reshape(4, -1), lambda x: x.reshape(4, 6)),
        (lambda x: x.reshape((2, 12)), lambda x: x.reshape(2, 12)),
    ],
    "flatten": [
        (lambda x: x.flatten(1), lambda x: x.reshape(2, 12)),
        (lambda x: x.flatten(0, 1), lambda x: x.reshape(6, 4)),
        (lambda x: x.flatten(), np.ravel),
    ],
    "permute": [
        (lambda x: x.permute(1, 2, 0), lambda x: x.transpose(1, 2, 0)),
        (lambda x: x.permute([2, 0, 1]), lambda x: x.transpose(2, 0, 1)),
    ],
    "transpose": [
        (lambda x: x.transpose(0, 1), lambda x: x.swapaxes(0, 1)),
        (lambda x: x.transpose(-1, 1), lambda x: x.swapaxes(2, 1)),
        (lambda x: x.T, lambda x: x.T),
    ],
    "squeeze": [
        (lambda x: x[:1, :, :1].squeeze(2), lambda x: x[:1, :, 0]),
        (lambda x: x[:1, :, :1].squeeze(), lambda x: x[0, :, 0]),
    ],
    "unsqueeze": [
        (lambda x: x.unsqueeze(-1), lambda x: x[..., np.newaxis]),
        (lambda x: x.unsqueeze(1), lambda x: x[:, np.newaxis]),
        (lambda x: x.unsqueeze(-4), lambda x: x[np.newaxis]),
    ],
    "broadcast_to": [
        (
            lambda x: x[:, :1].broadcast_to(3, 2, 5, 4),
            lambda x: np.broadcast_to(x[:, :1], (3, 2, 5, 4)),
        ),
    ],
    "getitem": [
        (lambda x: x[1, ..., ::-2], lambda x: x[1, ..., ::-2]),
        (lambda x: x[:, [2, 0, 2]], lambda x: x[:, [2, 0, 2]]),
        (lambda x: x[[0, 0, 0], 1], lambda x: x[[0, 0, 0], 1]),
        (lambda x: x[:, None, MASK], lambda x: x[:, None, MASK]),
    ],
    "stack": [
        (
            lambda x: minigrad.stack([x[0], x[1], x[0] * 2], 1),
            lambda x: np.stack([x[0], x[1], x[0] * 2], 1),
        ),
    ],
    "pad": [
        (
            lambda x: F.pad(x, (1, 0, 0, 2)),
            lambda x: np.pad(x, ((0, 0), (0, 2), (1, 0))),
        ),
        (
            lambda x: F.pad(x, (-1, 3, 2, -1)),
            lambda x: np.pad(x[:, :-1, 1:], ((0, 0), (2, 0), (0, 3))),
        ),
    ],
}  # fmt: skip


def _moving(name: str) -> Property:
    def as_numpy_does(seed: int) -> None:
        """Every number lands where NumPy puts it, and its gradient finds the way back."""
        for ours, numpys in MOVES[name]:
            x = random_array((2, 3, 4), "integers", seed=seed)
            same(ours(tensor(x)).data, numpys(x))
            laws.adjoint(ours, x, seed=seed + OTHER)
            # What came from where: the gradient of number k is the sum of the places it went to.
            out = numpys(x)
            c = random_array(out.shape, "integers", seed=seed + OTHER)
            want = [(numpys(unit.reshape(x.shape)) * c).sum() for unit in np.eye(x.size)]
            same(_gradients(ours, c, x)[0].ravel(), want, "the gradient")

    return Property(name, "as_numpy_does", as_numpy_does, {"seed": our.seeds()})


MOVING = [_moving(name) for name in MOVES]


@holds("getitem")
def repeated_rows_add_up() -> None:
    """A row that was read three times gets three gradients."""
    (gradient,) = _gradients(lambda x: x[[0, 2, 0, 0]], [1, 2, 4, 8], [0, 0, 0])
    same(gradient, [13, 0, 2])


@holds("pad")
def the_border_has_its_value() -> None:
    """The border holds the value that was asked for."""
    same(F.pad(tensor([1.0]), (1, 2), 0.5).data, [0.5, 1, 0.5, 0.5])


# -- concatenation -------------------------------------------------------------------------------


@holds("concat")
def concat_by_hand() -> None:
    """Three parts of one shape, in their order; each gets its own piece of the gradient."""
    parts = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    same(F.concat([tensor(p) for p in parts]).data, [1, 2, 3, 4, 5, 6])
    pieces = _gradients(lambda *t: F.concat(t), [1, 2, 3, 4, 5, 6], *parts)
    same(pieces, [[1, 2], [3, 4], [5, 6]])


@holds(
    "concat", lengths=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    axis=st.integers(0, 3), seed=our.seeds(),
)  # fmt: skip
def concat_as_numpy_does(lengths: list[int], axis: int, seed: int) -> None:
    """What was joined can be taken apart again, on all rungs."""
    parts = []
    for i, n in enumerate(lengths):
        shape = [2, 1, 2, 3]
        shape[axis] = n
        parts.append(random_array(shape, "integers", seed=seed + i))
    same(F.concat([tensor(p) for p in parts], axis).data, np.concatenate(parts, axis))
    laws.concat_then_split(F.concat, parts, axis, seed=seed + OTHER)
    laws.rungs_agree(lambda *t: F.concat(t, axis), parts, seed=seed + OTHER)
