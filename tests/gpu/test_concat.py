"""Concatenation on a GPU: every number in its place, no part copied before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import tensor
from minigrad.gpu import Source
from minigrad.ops import concat
from tests.gpu.rungs import assert_agree, on_cpu, on_gpu

pytestmark = pytest.mark.usefixtures("gpu")

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])


@pytest.fixture
def launches(monkeypatch):
    """List the kernels of ours that run."""
    names, launch = [], Source.launch

    def spy(self, name, *arguments, **options):
        names.append(name)
        launch(self, name, *arguments, **options)

    monkeypatch.setattr(Source, "launch", spy)
    return names


def numbered(shapes, dtype=np.float32):
    """Make parts in which no number stands twice."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes)
    return [
        np.arange(end - size, end).reshape(shape).astype(dtype)
        for shape, size, end in zip(shapes, sizes, ends, strict=True)
    ]


def with_axis(shape, axis, lengths):
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]


@dtypes
@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("lengths", [[3], [2, 5], [4, 1, 0, 7], [0, 0], [0, 2]])
def test_agrees_with_the_definition(axis, lengths, dtype):
    parts = numbered(with_axis((2, 3, 4, 5), axis, lengths), dtype)
    out = assert_agree(concat, "concat_forward", parts, axis)
    np.testing.assert_array_equal(out, np.concatenate(parts, axis))
    start = 0
    for length in lengths:
        assert_agree(concat, "concat_input_gradient", out, start, length, axis)
        start += length


@st.composite
def joins(draw):
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    return with_axis(shape, axis, lengths), axis


@given(joins(), st.sampled_from([np.float32, np.float64]))
def test_agrees_whatever_is_drawn(join, dtype):
    shapes, axis = join
    out = assert_agree(concat, "concat_forward", numbered(shapes, dtype), axis)
    middle = out.shape[axis] // 2
    assert_agree(concat, "concat_input_gradient", out, middle, out.shape[axis] - middle, axis)


def test_more_numbers_than_a_block_has_threads():
    parts = numbered(with_axis((5, 1, 7, 9), 1, [64, 13, 32]))
    assert_agree(concat, "concat_forward", parts, 1)


def test_one_kernel_for_each_part(launches):
    parts = on_gpu(numbered([(2, 3), (2, 4), (2, 1)]))
    concat.gpu.concat_forward(parts, 1)
    assert launches == ["concat_forward"] * 3


def test_the_gradient_of_a_part_is_a_view():
    gradient = on_gpu(np.arange(24.0).reshape(2, 4, 3))
    part = concat.gpu.concat_input_gradient(gradient, 1, 2, 1)
    assert part.data.mem is gradient.data.mem
    np.testing.assert_array_equal(on_cpu(part), np.arange(24.0).reshape(2, 4, 3)[:, 1:3])


@pytest.mark.parametrize("axis", range(2))
def test_parts_that_do_not_lie_in_order(axis):
    whole = np.arange(42.0).reshape(6, 7)
    a, b, c = on_gpu(whole), on_gpu(np.ascontiguousarray(whole.T)).T, on_gpu(whole)[::-1]
    got = concat.gpu.concat_forward([a, b, c], axis)
    wanted = np.concatenate([whole, whole, whole[::-1]], axis)
    np.testing.assert_array_equal(on_cpu(got), wanted)
    assert got.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32, np.int64, np.float16])
def test_numbers_that_are_no_floats_for_kernels(dtype):
    parts = [part % 2 for part in numbered([(2, 3), (2, 4)])]
    assert_agree(concat, "concat_forward", [part.astype(dtype) for part in parts], 1)


def test_the_operation_as_on_the_cpu():
    arrays = numbered([(2, 3, 4, 4), (2, 1, 4, 4)])
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((2, 4, 4, 4)).astype(np.float32)
    seen = []
    for place in ("cpu", "cuda"):
        parts = [tensor(a, device=place, requires_grad=True) for a in arrays]
        out = minigrad.concat(parts, axis=1)
        out.backward(weights)
        assert out.device == parts[0].grad.device == parts[1].grad.device == parts[0].device
        seen.append([t.cpu().numpy() for t in (out, parts[0].grad, parts[1].grad)])
    for ours, theirs in zip(*seen, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_parts_on_two_devices_are_refused():
    parts = [tensor(np.ones(2, np.float32), device=place) for place in ("cpu", "cuda")]
    with pytest.raises(ValueError, match="concat: .* lies on cuda:0 but"):
        minigrad.concat(parts)
