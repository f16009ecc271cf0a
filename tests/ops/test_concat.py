"""Concatenation: its rungs against each other, its transpose, its memory layout, its errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import concat, tensor
from minigrad.ops.concat import RUNGS, cpu
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled
from tests.ops.rungs import assert_rungs_agree

seeds = st.integers(0, 2**32)


@st.composite
def joins(draw):
    """Draw an axis and the shapes of one to four parts that may be joined along it."""
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths], axis


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def starts(parts, axis):
    return np.cumsum([0, *(part.shape[axis] for part in parts)]).tolist()


@given(joins(), st.sampled_from([np.float32, np.float64]), seeds)
def test_rungs_agree_to_the_bit(join, dtype, seed):
    (shapes, axis), rng = join, np.random.default_rng(seed)
    parts = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    wanted = np.concatenate(parts, axis)
    layouts = [parts, [scrambled(rng, part) for part in parts]]
    if len(shapes[0]) == 4:
        layouts += [
            [channels_last(part) for part in parts],
            [channels_last(part) if i else part for i, part in enumerate(parts)],
        ]
    for arrays in layouts:
        before = [array.copy() for array in arrays]
        out = assert_rungs_agree(RUNGS, "concat_forward", arrays, axis)
        np.testing.assert_array_equal(out, wanted)
        for array, old in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, old)
        for gradient in (out, scrambled(rng, out), np.asfortranarray(out)):
            for part, start in zip(parts, starts(parts, axis), strict=False):
                place = start, part.shape[axis], axis
                got = assert_rungs_agree(RUNGS, "concat_input_gradient", gradient, *place)
                np.testing.assert_array_equal(got, part)


@given(joins(), seeds)
def test_backward_is_the_transpose_of_forward(join, seed):
    """⟨concat(parts), g⟩ = Σ ⟨part, its gradient⟩, exactly, on integers."""
    (shapes, axis), rng = join, np.random.default_rng(seed)
    parts = [
        tensor(rng.integers(-9, 9, shape).astype(np.float32), requires_grad=True)
        for shape in shapes
    ]
    out = concat(parts, axis - len(shapes[0]))
    gradient = rng.integers(-9, 9, out.shape).astype(np.float32)
    out.backward(gradient)
    products = sum((part.data * part.grad.data).sum() for part in parts)
    assert (out.data * gradient).sum() == products


@given(joins(), seeds)
def test_gradient_by_finite_differences(join, seed):
    (shapes, axis), rng = join, np.random.default_rng(seed)
    gradcheck(lambda *t: concat(t, axis), [rng.standard_normal(s) for s in shapes], seed=seed)


def test_branches_of_an_inception_module():
    """Several tasks, the last one ragged: channels last all the way, whatever the threads."""
    rng = np.random.default_rng(1)
    parts = [
        channels_last(rng.standard_normal((3, channels, 14, 17), dtype=np.float32))
        for channels in (64, 128, 32, 1)
    ]
    wanted = np.concatenate(parts, 1)
    before = minigrad.get_num_threads()
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            out = cpu.concat_forward(parts, 1)
            np.testing.assert_array_equal(out, wanted)
            assert out.transpose(0, 2, 3, 1).flags.c_contiguous
            for part, start in zip(parts, starts(parts, 1), strict=False):
                got = cpu.concat_input_gradient(out, start, part.shape[1], 1)
                np.testing.assert_array_equal(got, part)
                assert np.shares_memory(got, out)  # a view, which ReLU's kernel takes as it is
    finally:
        minigrad.set_num_threads(before)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_layout_is_kept_along_every_axis(axis):
    rng = np.random.default_rng(2)
    shape = (3, 4, 5, 6)
    rows = [rng.standard_normal(shape) for _ in range(2)]
    assert cpu.concat_forward(rows, axis).flags.c_contiguous
    images = [channels_last(part) for part in rows]
    out = cpu.concat_forward(images, axis)
    assert out.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(out, np.concatenate(rows, axis))
    assert cpu.concat_forward([rows[0], images[1]], axis).flags.c_contiguous


def test_a_tensor_twice_gets_both_gradients():
    x = tensor([1.0, 2.0], requires_grad=True)
    concat([x, x]).backward([1.0, 2.0, 30.0, 40.0])
    np.testing.assert_array_equal(x.grad.data, [31, 42])


def test_a_part_that_needs_no_gradient_costs_nothing(monkeypatch):
    x, y = tensor([1.0], requires_grad=True), tensor([2.0])
    out, calls = concat([x, y]), []
    kept = cpu.concat_input_gradient
    monkeypatch.setattr(
        cpu, "concat_input_gradient", lambda *place: calls.append(place[1:]) or kept(*place)
    )
    out.backward([1.0, 1.0])
    assert calls == [(0, 1, 0)]


def test_dtypes_combine_as_in_arithmetic():
    single, double = tensor([1.0], requires_grad=True), tensor(np.ones(1), requires_grad=True)
    out = concat([single, double, tensor([3])])
    assert out.dtype == np.float64
    out.backward([1.0, 2.0, 3.0])
    assert single.grad.dtype == np.float32
    assert concat([tensor([1]), tensor([2])]).dtype == np.int64
    np.testing.assert_array_equal(concat((single, np.ones(1, np.float32))).data, [1, 1])


A, B = tensor(np.zeros((2, 3, 4))), tensor(np.zeros((2, 5, 4)))


@pytest.mark.parametrize(
    ("tensors", "axis", "error", "sentence"),
    [
        ([], 0, ValueError, "needs at least one tensor, got none"),
        (A, 0, TypeError, "tensors must be a list or a tuple of Tensors, got Tensor"),
        ({A}, 0, TypeError, "tensors must be a list or a tuple of Tensors, got set"),
        ([A.data], 0, TypeError, "at least one operand must be a Tensor, got ndarray"),
        (
            [A, A, B], 0, ValueError,
            "tensors[2] has shape (2, 5, 4) but tensors[0] has (2, 3, 4); they must be equal "
            "except for axis 0",
        ),
        ([A, B], 2, ValueError, "tensors[1] has shape (2, 5, 4)"),
        ([A, tensor(np.zeros((2, 3)))], 1, ValueError, "tensors[1] has shape (2, 3)"),
        ([A, B], 3, IndexError, "axis 3 does not exist in a tensor of 3 axes"),
        ([A, B], -4, IndexError, "axis -4 does not exist in a tensor of 3 axes"),
        ([tensor(1.0)], 0, IndexError, "axis 0 does not exist in a tensor of 0 axes"),
        ([A, B], "1", TypeError, "axis must be an integer, got '1'"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(tensors, axis, error, sentence):
    with pytest.raises(error, match="^concat: ") as raised:
        concat(tensors, axis)
    assert sentence in str(raised.value)
