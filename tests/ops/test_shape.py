"""Moving numbers: NumPy going forward, and the exact transpose of the same map going back."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

import minigrad
from minigrad.ops import shape as shape_ops
from minigrad.ops.shape import pad
from minigrad.testing import gradcheck
from minigrad.testing.strategies import broadcastable_shapes, scrambled
from tests.ops.rungs import integers
from tests.ops.test_elementwise import (
    SEEDS,
    assert_keeps_contract,
    assert_keeps_no_array,
)

LENGTHS = st.sampled_from([3, 2, 1, 4, 0])
SHAPES = st.lists(LENGTHS, max_size=4).map(tuple)


def assert_moves(ours, theirs, *inputs):
    """Hold a map that only moves numbers, of any memory order, against the same map by NumPy.

    Applied to the numbers 1, 2, 3, … NumPy's tells where every element came from, and there its
    gradient belongs.
    """
    rng = np.random.default_rng(inputs[0].size)
    tensors = [minigrad.Tensor(scrambled(rng, x) if x.ndim else x, True) for x in inputs]
    out = ours(*tensors)
    np.testing.assert_array_equal(out.data, np.asarray(theirs(*inputs)), strict=True)
    cotangent = integers(rng, *out.shape, low=-9, high=10)
    out.backward(cotangent)
    ends = np.cumsum([0] + [x.size for x in inputs])
    places = [
        np.arange(start + 1, start + 1 + x.size).reshape(x.shape)
        for start, x in zip(ends[:-1], inputs, strict=True)
    ]
    source = np.asarray(theirs(*places)).ravel()  # 0 where it came from none: padding
    gathered = np.bincount(source, cotangent.ravel(), minlength=ends[-1] + 1)
    for t, place in zip(tensors, places, strict=True):
        expected = gathered[place].astype(np.float32)
        np.testing.assert_array_equal(t.grad.data, expected, strict=True)


def draw_integers(seed, shape):
    return integers(np.random.default_rng(seed), *shape, low=-99, high=100)


@given(shape=SHAPES, data=st.data(), seed=SEEDS)
def test_reshape(shape, data, seed):
    wanted = data.draw(st.permutations(shape)) + [1] * data.draw(st.integers(0, 2))
    unknown = data.draw(st.integers(0, len(wanted) - 1)) if wanted else None
    if unknown is not None and 0 not in wanted:
        wanted[unknown] = -1
    x = draw_integers(seed, shape)
    assert_moves(lambda x: x.reshape(*wanted), lambda x: x.reshape(wanted), x)
    assert_moves(lambda x: x.reshape(tuple(wanted)), lambda x: x.reshape(wanted), x)
    assert_moves(lambda x: x.reshape(wanted), lambda x: x.reshape(wanted), x)


@given(shape=SHAPES, data=st.data(), seed=SEEDS)
def test_flatten(shape, data, seed):
    x = draw_integers(seed, shape)
    first = data.draw(st.integers(0, max(len(shape) - 1, 0)))
    last = data.draw(st.integers(first, max(len(shape) - 1, 0)))
    wanted = (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :])
    assert_moves(lambda x: x.flatten(first, last), lambda x: x.reshape(wanted), x)
    if shape:
        ends = first - len(shape), last - len(shape)
        assert_moves(lambda x: x.flatten(*ends), lambda x: x.reshape(wanted), x)
    assert_moves(lambda x: x.flatten(), lambda x: x.reshape(-1), x)


@given(shape=SHAPES, data=st.data(), seed=SEEDS)
def test_permute_and_transpose(shape, data, seed):
    x, ndim = draw_integers(seed, shape), len(shape)
    order = data.draw(st.permutations(range(ndim)))
    signed = [axis - data.draw(st.sampled_from([0, ndim])) for axis in order]
    assert_moves(lambda x: x.permute(*signed), lambda x: x.transpose(order), x)
    assert_moves(lambda x: x.permute(tuple(signed)), lambda x: x.transpose(order), x)
    assert_moves(lambda x: x.transpose(), lambda x: x.T, x)
    assert_moves(lambda x: x.T, lambda x: x.T, x)
    if ndim:
        a, b = (data.draw(st.integers(-ndim, ndim - 1)) for _ in range(2))
        assert_moves(lambda x: x.transpose(a, b), lambda x: x.swapaxes(a, b), x)


@given(shape=SHAPES, data=st.data(), seed=SEEDS)
def test_squeeze_and_unsqueeze(shape, data, seed):
    x, ndim = draw_integers(seed, shape), len(shape)
    where = data.draw(st.integers(-ndim - 1, ndim))
    assert_moves(lambda x: x.unsqueeze(where), lambda x: np.expand_dims(x, where), x)
    stretched = np.expand_dims(x, where)
    assert_moves(lambda x: x.squeeze(where), lambda x: x.squeeze(where), stretched)
    assert_moves(lambda x: x.squeeze((where,)), lambda x: x.squeeze(where), stretched)
    assert_moves(lambda x: x.squeeze(), np.squeeze, stretched)


@given(shapes=broadcastable_shapes(), seed=SEEDS)
def test_broadcast_to(shapes, seed):
    wanted = np.broadcast_shapes(*shapes)
    x = draw_integers(seed, shapes[0])
    tensors = [minigrad.tensor(x, requires_grad=True) for _ in range(2)]
    out = tensors[0].broadcast_to(wanted)
    np.testing.assert_array_equal(out.data, np.broadcast_to(x, wanted), strict=True)
    cotangent = draw_integers(seed + 1, wanted)
    out.backward(cotangent)
    (tensors[1] * np.ones(wanted, np.float32)).backward(cotangent)
    np.testing.assert_array_equal(tensors[0].grad.data, tensors[1].grad.data, strict=True)
    assert (out.data * cotangent).sum() == (x * tensors[0].grad.data).sum()
    assert minigrad.tensor(x).broadcast_to(*wanted).shape == wanted or not wanted


# -- indexing ------------------------------------------------------------------------------------


@given(shape=SHAPES, data=st.data(), seed=SEEDS)
def test_basic_indices(shape, data, seed):
    index = data.draw(hypothesis_numpy.basic_indices(shape, allow_newaxis=True))
    assert_moves(lambda x: x[index], lambda x: x[index], draw_integers(seed, shape))


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), data=st.data(), seed=SEEDS)
def test_integer_arrays(shape, data, seed):
    index = data.draw(hypothesis_numpy.integer_array_indices(tuple(shape)))
    x = draw_integers(seed, shape)
    assert_moves(lambda x: x[index], lambda x: x[index], x)
    tensors = tuple(minigrad.tensor(i) for i in index)
    assert_moves(lambda x: x[tensors], lambda x: x[index], x)
    first = index[0]
    assert_moves(lambda x: x[..., first % shape[-1]], lambda x: x[..., first % shape[-1]], x)
    assert_moves(lambda x: x[None, first, ::-1], lambda x: x[None, first, ::-1], x[..., None])


@given(shape=st.lists(LENGTHS, min_size=1, max_size=3), data=st.data(), seed=SEEDS)
def test_boolean_arrays(shape, data, seed):
    x = draw_integers(seed, shape)
    mask = np.random.default_rng(seed).random(shape[: data.draw(st.integers(1, len(shape)))]) < 0.5
    assert_moves(lambda x: x[mask], lambda x: x[mask], x)
    assert_moves(lambda x: x[minigrad.tensor(mask)], lambda x: x[mask], x)
    above = x > 0
    assert_moves(lambda x: x[x > 0], lambda x: x[above], x)


@pytest.mark.parametrize(
    "index",
    [
        [2, 0, 2],
        [],
        [True, False, True],
        ([0, 1], [1, 1]),
        np.int64(1),
        np.array(1),
        (np.int8(1), np.int64(-1)),
        True,
        np.True_,
        np.array(False),
        (slice(None), [3, 3, 0]),
        np.array([[0, 2], [2, 2]], np.uint8),
    ],
)
def test_other_ways_to_write_an_index(index):
    assert_moves(lambda x: x[index], lambda x: x[index], draw_integers(0, (3, 4)))


def test_repeated_indices_accumulate():
    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[[0, 2, 0, 0]].backward([1.0, 10.0, 100.0, 1000.0])
    assert x.grad.tolist() == [1101, 0, 10]


def test_a_tensor_of_one_integer_is_an_index():
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x[minigrad.tensor(1)].tolist() == [3, 4]
    assert [1, 2, 3][minigrad.tensor(2)] == 3


# -- joining and padding -------------------------------------------------------------------------


@given(shape=SHAPES, count=st.integers(1, 4), data=st.data(), seed=SEEDS)
def test_stack(shape, count, data, seed):
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    parts = [draw_integers(seed + i, shape) for i in range(count)]
    assert_moves(lambda *t: minigrad.stack(t, axis), lambda *a: np.stack(a, axis), *parts)


def test_stack_of_one_tensor_twice():
    x, y = (minigrad.tensor(n, requires_grad=True) for n in (1.0, 2.0))
    minigrad.stack([x, y, x]).backward([1.0, 10.0, 100.0])
    assert (x.grad.item(), y.grad.item()) == (101, 10)
    assert minigrad.stack([x, minigrad.tensor(np.ones(()))]).dtype == np.float64


@given(data=st.data(), seed=SEEDS)
def test_pad(data, seed):
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    padded = data.draw(st.integers(0, len(shape)))
    widths = []  # (before, after) of the last axes; together they cut off no more than there is
    for length in shape[len(shape) - padded :]:
        before = data.draw(st.integers(-length, 3))
        widths.append((before, data.draw(st.integers(-length - min(before, 0), 3))))
    x = draw_integers(seed, shape)

    def by_numpy(x, value):
        pairs = [(0, 0)] * (len(shape) - padded) + widths
        x = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=value)
        kept = zip(x.shape, pairs, strict=True)
        return x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in kept)]

    flat = [width for pair in reversed(widths) for width in pair]
    assert_moves(lambda x: pad(x, flat), lambda x: by_numpy(x, 0), x)
    bordered = pad(minigrad.tensor(x), tuple(flat), -2.5)
    np.testing.assert_array_equal(bordered.data, by_numpy(x, -2.5), strict=True)


MOVES = [
    lambda x: x.reshape(6, 4),
    lambda x: x.reshape(2, 3, 4),
    lambda x: x.flatten(1),
    lambda x: x.permute(2, 0, 1),
    lambda x: x.transpose(0, 1),
    lambda x: x.unsqueeze(1),
    lambda x: x.broadcast_to(5, 2, 3, 4),
    lambda x: x.broadcast_to(2, 3, 4),
    lambda x: x[:],
    lambda x: x[1, ..., ::-1],
    lambda x: x[1, 2, 3],
    lambda x: x[[1, 0, 1]],
    lambda x: x[:, [True, False, True]],
    lambda x: pad(x, (1, 2, -1, 0)),
    lambda x: pad(x, ()),
    lambda x: minigrad.stack([x], axis=1),
    lambda x: minigrad.stack([x, x]),
]


@pytest.mark.parametrize("f", MOVES)
def test_contract(f):
    assert_keeps_contract(f, (2, 3, 4))
    assert_keeps_no_array(f, (2, 3, 4))


def test_contract_of_stack():
    assert_keeps_contract(lambda x, y: minigrad.stack([x, y], -1), (2, 3), (2, 3))


def test_differences_agree():
    """The same by gradcheck, for a chain of them."""

    def chain(x, y):
        rows = minigrad.stack([x.permute(1, 0, 2), y.broadcast_to(3, 2, 4)], axis=-1)
        return pad(rows.flatten(1, 2)[:, [0, 0, 3]].transpose(0, 2).squeeze(), (1, -1), 5.0)

    rng = np.random.default_rng(0)
    gradcheck(chain, [rng.standard_normal((2, 3, 4)), rng.standard_normal((1, 4))])


# -- errors --------------------------------------------------------------------------------------

X = minigrad.tensor(np.ones((2, 3)))

ERRORS = [
    (
        lambda: X.reshape(4, -1),
        ValueError,
        "reshape: cannot give shape (4, -1) to 6 numbers of shape (2, 3)",
    ),
    (lambda: X.flatten(1, 0), ValueError, "flatten: start_axis 1 comes after end_axis 0"),
    (lambda: X.flatten(2), IndexError, "flatten: axis 2 does not exist in a tensor of 2 axes"),
    (
        lambda: X.permute(0, -2),
        ValueError,
        "permute: axes must name each of the 2 axes once, got (0, -2)",
    ),
    (
        lambda: X.permute(0),
        ValueError,
        "permute: axes must name each of the 2 axes once, got (0,)",
    ),
    (lambda: X.permute(0, 2), IndexError, "permute: axis 2 does not exist in a tensor of 2 axes"),
    (
        lambda: X.transpose(0),
        ValueError,
        "transpose: name two axes to exchange, or none to reverse them all",
    ),
    (
        lambda: X.transpose(0, -3),
        IndexError,
        "transpose: axis -3 does not exist in a tensor of 2 axes",
    ),
    (
        lambda: X.squeeze(1),
        ValueError,
        "squeeze: axis 1 of shape (2, 3) has length 3, not 1",
    ),
    (lambda: X.squeeze(2), IndexError, "squeeze: axis 2 does not exist in a tensor of 2 axes"),
    (lambda: X.unsqueeze(3), IndexError, "unsqueeze: axis 3 does not exist in a tensor of 3 axes"),
    (
        lambda: X.broadcast_to(4, 2, 2),
        ValueError,
        "broadcast_to: shape (2, 3) does not broadcast to (4, 2, 2)",
    ),
    (
        lambda: X[np.array([0.0, 1.0])],
        TypeError,
        "indexing: an index array must hold integers or booleans, not float64",
    ),
    (
        lambda: X[0, minigrad.tensor([1.0])],
        TypeError,
        "indexing: an index array must hold integers or booleans, not float32",
    ),
    (lambda: minigrad.stack([]), ValueError, "stack: needs at least one tensor"),
    (
        lambda: minigrad.stack([X, X[0]]),
        ValueError,
        "stack: all tensors must have one shape, got [(2, 3), (3,)]",
    ),
    (
        lambda: minigrad.stack([X, X], axis=3),
        IndexError,
        "stack: axis 3 does not exist in a tensor of 3 axes",
    ),
    (
        lambda: minigrad.stack([np.ones(2)]),
        TypeError,
        "stack: at least one operand must be a Tensor, got ndarray",
    ),
    (
        lambda: pad(X, (1, 2, 3)),
        ValueError,
        "pad: padding must hold a pair (before, after) for some of the last axes of a tensor "
        "of 2 axes, got (1, 2, 3)",
    ),
    (
        lambda: pad(X, [1] * 6),
        ValueError,
        "pad: padding must hold a pair (before, after) for some of the last axes of a tensor "
        "of 2 axes, got (1, 1, 1, 1, 1, 1)",
    ),
    (
        lambda: pad(X, (-2, -2)),
        ValueError,
        "pad: padding (-2, -2) cuts more off shape (2, 3) than there is",
    ),
    (
        lambda: pad(X, (-4, 9)),
        ValueError,
        "pad: padding (-4, 9) cuts more off shape (2, 3) than there is",
    ),
    (
        lambda: pad(X, (0, 0, 5, -3)),
        ValueError,
        "pad: padding (0, 0, 5, -3) cuts more off shape (2, 3) than there is",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        call()


def test_index_out_of_range():
    with pytest.raises(IndexError, match="out of bounds"):
        X[5]


def test_functions_and_methods_agree():
    assert shape_ops.reshape(X, 6).tolist() == X.reshape(6).tolist()
    assert shape_ops.getitem(X, 0).tolist() == X[0].tolist()
