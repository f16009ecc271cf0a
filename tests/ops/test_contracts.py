"""What every operation owes the engine and its user, whatever it computes.

dtypes and shapes kept, nobody's arrays changed, the same numbers whether or not anyone records,
whoever else wants a gradient, and however memory is laid out. A test sees to it that no operation
of `minigrad.functional`, nor any plain one, is missing from the table.
"""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, no_grad
from minigrad import functional as F
from minigrad.ops import elementwise, matmul, reduce, shape
from minigrad.testing.strategies import scrambled


class Case(NamedTuple):
    """A function of some tensors, and their shapes; those named in `batched` begin with N."""

    f: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    batched: tuple[int, ...] = (0,)


IMAGES = (2, 4, 5, 6)
ROWS = (4, 3)
MEAN = np.array([0.5, 1.0, 1.5, 2.0])  # of the channels of IMAGES


def one(f, *shapes, batched=(0,)):
    return [Case(f, shapes or (ROWS,), batched)]


def two(f):
    """An operation of two operands: of equal shapes, and broadcast both ways."""
    return [Case(f, (ROWS, ROWS), (0, 1)), Case(f, ((4, 1), (3,))), Case(f, ((3,), (4, 1)), (1,))]


def classes(scores):
    return np.arange(len(scores)) % 3


def statistics(x):
    """Running mean and variance, which are constants where they are used."""
    return (Tensor((MEAN + i).astype(x.dtype)) for i in range(2))


CASES = {
    # minigrad.functional
    "adaptive_avg_pool2d": one(lambda x: F.adaptive_avg_pool2d(x, (2, 4)), IMAGES),
    "avg_pool2d": one(lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), IMAGES),
    "batch_norm": [
        *one(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), IMAGES, (4,), (4,)),
        *one(lambda x, w, b: F.batch_norm(x, *statistics(x), w, b), IMAGES, (4,), (4,)),
        *one(lambda x: F.batch_norm(x, *statistics(x)), IMAGES),
    ],
    "col2im": one(lambda cols: F.col2im(cols, (5, 6), 3, 2, 1), (2, 36, 9)),
    "concat": one(lambda a, b: F.concat([a, b, a], axis=1), IMAGES, (2, 1, 5, 6), batched=(0, 1)),
    "conv2d": [
        *one(lambda x, w, b: F.conv2d(x, w, b, 2, 1), IMAGES, (3, 4, 3, 3), (3,)),
        *one(lambda x, w: F.conv2d(x, w, padding="same", groups=2), IMAGES, (6, 2, 2, 3)),
    ],
    "cross_entropy": [
        *one(lambda x: F.cross_entropy(x, classes(x), reduction="sum", label_smoothing=0.1)),
        *one(lambda x, q: F.cross_entropy(x, q, reduction="none"), ROWS, ROWS, batched=(0, 1)),
    ],
    "dropout": one(lambda x: F.dropout(x, 0.4, key=7), IMAGES),
    "im2col": one(lambda x: F.im2col(x, (3, 2), 2, 1), IMAGES),
    "linear": one(F.linear, ROWS, (5, 3), (5,)),
    "local_response_norm": one(lambda x: F.local_response_norm(x, 3, 1.0, 0.75, 2.0), IMAGES),
    "log_softmax": one(lambda x: F.log_softmax(x, 1), IMAGES),
    "max_pool2d": one(lambda x: F.max_pool2d(x, 3, 2, 1), IMAGES),
    "nll_loss": one(lambda x: F.nll_loss(x, classes(x), reduction="none")),
    "pad": one(lambda x: F.pad(x, (1, 2, -1, 0), 3.0), IMAGES),
    "relu": one(lambda x: F.relu(x - 1), IMAGES),
    "softmax": one(lambda x: F.softmax(x, -1)),
    # elementwise
    "absolute": one(lambda x: (x - 1).abs()),
    "add": two(lambda a, b: a + b),
    "cast": one(lambda x: x.astype(np.float64).astype(x.dtype)),
    "clip": one(lambda x: x.clip(0.8, 1.5)),
    "divide": two(lambda a, b: a / b),
    "exp": one(lambda x: x.exp()),
    "log": one(lambda x: x.log()),
    "maximum": two(minigrad.maximum),
    "minimum": two(minigrad.minimum),
    "multiply": two(lambda a, b: a * b),
    "negative": one(lambda x: -x),
    "power": [*two(lambda a, b: a**b), *one(lambda x: x**3 + 2**x)],
    "sigmoid": one(lambda x: x.sigmoid()),
    "sqrt": one(lambda x: x.sqrt()),
    "subtract": two(lambda a, b: a - b),
    "tanh": one(lambda x: x.tanh()),
    "where": two(lambda a, b: minigrad.where(a > 1, a, b)),
    # matmul
    "matmul": [
        *one(lambda a, b: a @ b, ROWS, (3, 2)),
        *one(lambda a, b: a @ b, ROWS, (3,)),
        *one(lambda a, b: a @ b, (2, 4, 3), (2, 3, 5), batched=(0, 1)),
    ],
    # reduce
    "max": one(lambda x: x.max(1, keepdims=True), IMAGES),
    "mean": one(lambda x: x.mean((1, -1)), IMAGES),
    "min": one(lambda x: x.min((1, 2)), IMAGES),
    "sum": [*one(lambda x: x.sum(1), IMAGES), *one(lambda x: x.sum())],
    "var": one(lambda x: x.var((1, 3), correction=1), IMAGES),
    # shape
    "broadcast_to": one(lambda x: x.broadcast_to(2, *x.shape)),
    "flatten": one(lambda x: x.flatten(1), IMAGES),
    "getitem": [
        *one(lambda x: x[:, ::-2, None], IMAGES),
        *one(lambda x: x[:, [0, 2, 0]], IMAGES),
    ],
    "permute": one(lambda x: x.permute(2, 0, 3, 1), IMAGES),
    "reshape": one(lambda x: x.reshape(-1, 10), IMAGES),
    "squeeze": one(lambda x: x.squeeze(1), (4, 1, 3)),
    "stack": one(lambda a, b: minigrad.stack([a, b, b], 1), ROWS, ROWS, batched=(0, 1)),
    "transpose": one(lambda x: x.transpose(1, 2), IMAGES),
    "unsqueeze": one(lambda x: x.unsqueeze(1)),
}
# These give a tensor that no gradient flows through, or nothing new.
CONSTANT = {"argmax", "floating", "widened"}

ALL = [pytest.param(case, id=f"{name}-{i}") for name in CASES for i, case in enumerate(CASES[name])]
every_case = pytest.mark.parametrize("case", ALL)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_no_operation_is_forgotten():
    plain = {
        name
        for module in (elementwise, matmul, reduce, shape)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if function.__annotations__.get("return") == "Tensor"
    }
    assert {"add", "where", "matmul", "var", "stack"} < plain
    assert set(CASES) == plain - CONSTANT | set(F.__all__)


def draw(case, dtype=np.float64, batch=None):
    """Draw positive numbers, all different, for the inputs of a case."""
    rng = np.random.default_rng(0)
    arrays = []
    for i, wanted in enumerate(case.shapes):
        if batch is not None and i in case.batched:
            wanted = (batch, *wanted[1:])
        arrays.append(rng.uniform(0.3, 2.3, wanted).astype(dtype))
    return arrays


def forward_and_backward(case, arrays, wanted=None, times=1, turn=np.asarray):
    """Compute; give the output, and the gradients (None for inputs not in `wanted`).

    `turn` lays the cotangent out in memory; the second time it is twice as large.
    """
    tensors = [
        Tensor(array, requires_grad=wanted is None or i in wanted) for i, array in enumerate(arrays)
    ]
    out = case.f(*tensors)
    for k in range(times):
        out.backward(turn(2**k * cotangent(out)), retain_graph=times > 1)
    return out.data, [None if t.grad is None else t.grad.data for t in tensors]


def cotangent(out):
    return np.asarray(np.random.default_rng(1).standard_normal(out.shape), out.dtype)


def assert_same(got, wanted):
    for mine, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)


@both_dtypes
@every_case
def test_dtypes_and_shapes_are_kept(case, dtype):
    arrays = draw(case, dtype)
    out, gradients = forward_and_backward(case, arrays)
    assert type(out) is np.ndarray
    assert out.dtype == dtype
    for array, gradient in zip(arrays, gradients, strict=True):
        assert type(gradient) is np.ndarray
        assert (gradient.dtype, gradient.shape) == (dtype, array.shape)
        assert np.isfinite(gradient).all()
        assert gradient.any()


@both_dtypes
@every_case
def test_nobodys_arrays_are_changed(case, dtype):
    arrays = draw(case, dtype)
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    before = [array.copy() for array in arrays]
    out = case.f(*tensors)
    assert_same(arrays, before)
    given, computed = cotangent(out), out.data.copy()
    kept = given.copy()
    # Straight to the engine: Tensor.backward would hand a copy to it.
    minigrad.autograd.backward(out.node, given)
    assert_same([*arrays, given, out.data], [*before, kept, computed])
    for tensor in tensors:
        for other in (*arrays, given, out.data):
            assert not np.shares_memory(tensor.grad.data, other)


@both_dtypes
@every_case
def test_unrecorded_the_numbers_are_the_same(case, dtype):
    arrays = draw(case, dtype)
    recorded = case.f(*(Tensor(array, requires_grad=True) for array in arrays))
    assert recorded.requires_grad
    with no_grad():
        silent = case.f(*(Tensor(array, requires_grad=True) for array in arrays))
    constant = case.f(*(Tensor(array) for array in arrays))
    assert silent.node is None
    assert constant.node is None
    assert_same([silent.data, constant.data], [recorded.data] * 2)


@both_dtypes
@every_case
def test_computed_again_the_bits_are_the_same(case, dtype):
    arrays = draw(case, dtype)
    out, gradients = forward_and_backward(case, arrays)
    again, gradients_again = forward_and_backward(case, arrays)
    assert_same([again, *gradients_again], [out, *gradients])


@every_case
def test_going_back_twice_adds_both_gradients(case):
    """Exactly, since the second is the first times two."""
    arrays = draw(case)
    _, once = forward_and_backward(case, arrays)
    _, twice = forward_and_backward(case, arrays, times=2)
    assert_same(twice, [3 * gradient for gradient in once])


@every_case
def test_a_gradient_does_not_depend_on_who_else_wants_one(case):
    arrays = draw(case)
    _, together = forward_and_backward(case, arrays)
    for i in range(len(arrays)):
        _, alone = forward_and_backward(case, arrays, wanted={i})
        assert_same([alone[i]], [together[i]])
        assert all(gradient is None for k, gradient in enumerate(alone) if k != i)


@both_dtypes
@every_case
def test_a_batch_of_none(case, dtype):
    """No images, no rows: the output is empty or a sum over nothing, and all gradients are zero."""
    arrays = draw(case, dtype, batch=0)
    out, gradients = forward_and_backward(case, arrays)
    assert out.dtype == dtype
    assert out.ndim == forward_and_backward(case, draw(case, dtype))[0].ndim
    assert out.size == 0 or (out == 0).all()
    for array, gradient in zip(arrays, gradients, strict=True):
        np.testing.assert_array_equal(gradient, np.zeros_like(array), strict=True)


@every_case
def test_memory_may_be_laid_out_in_any_way(case):
    """Axes in another order, gaps between the numbers, numbers back to front."""
    arrays = draw(case)
    out, gradients = forward_and_backward(case, arrays)
    rng = np.random.default_rng(2)

    layouts = (lambda a: scrambled(rng, a), np.asfortranarray, lambda a: a[::-1].copy()[::-1])
    for layout in layouts:

        def turn(array, layout=layout):
            return layout(array) if array.ndim else array

        others = [turn(array) for array in arrays]
        other_out, other_gradients = forward_and_backward(case, others, turn=turn)
        for mine, wanted in zip([other_out, *other_gradients], [out, *gradients], strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("rung", minigrad.device.RUNGS)
def test_linear_without_inputs_or_without_outputs(rung):
    """A sum over no inputs is the bias; and where the lengths are 0, −1 would not name a shape."""
    for x_shape, outputs in (((2, 0), 3), ((4, 0), 0), ((2, 3), 0), ((0, 0), 2), ((0,), 2)):
        shapes = x_shape, (outputs, x_shape[-1]), (outputs,)
        x, weight, bias = (Tensor(np.full(s, 7.0), requires_grad=True) for s in shapes)
        with minigrad.kernels(rung):
            out = F.linear(x, weight, bias)
        np.testing.assert_array_equal(out.data, np.full((*x_shape[:-1], outputs), 7.0), strict=True)
        out.backward(np.ones(out.shape))
        assert (x.grad.shape, weight.grad.shape, bias.grad.shape) == shapes
        rows = int(np.prod(x_shape[:-1]))
        np.testing.assert_array_equal(bias.grad.data, np.full(outputs, float(rows)))
