"""Convolution on a GPU."""

import numpy as np
import pytest
from hypothesis import given

from minigrad.gpu import cupy, sum_dtype
from minigrad.ops import conv
from minigrad.testing.strategies import Conv2dCase, conv2d_cases
from tests.gpu.rungs import assert_agree, definition, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

CASES = {
    "one pixel": Conv2dCase((1, 1, 1, 1), (1, 1, 1, 1)),
    "square": Conv2dCase((2, 3, 5, 5), (4, 3, 3, 3), padding=(1, 1)),
    "no axis like another": Conv2dCase((2, 3, 7, 8), (5, 3, 2, 4), (2, 3), ((0, 1), (3, 2))),
    "stride": Conv2dCase((2, 2, 7, 6), (3, 2, 3, 2), (3, 2)),
    "stride larger than the kernel": Conv2dCase((2, 2, 8, 7), (3, 2, 1, 2), (4, 3)),
    "asymmetric padding": Conv2dCase((1, 2, 4, 5), (3, 2, 3, 3), padding=((0, 2), (2, 1))),
    "dilation": Conv2dCase((2, 2, 7, 8), (3, 2, 3, 2), dilation=(2, 3)),
    "all of it": Conv2dCase((2, 4, 6, 9), (6, 2, 2, 3), (2, 3), ((1, 0), (2, 1)), (3, 2), 2),
    "groups": Conv2dCase((3, 6, 4, 3), (9, 2, 2, 3), padding=(1, 1), groups=3),
    "depthwise": Conv2dCase((2, 4, 5, 4), (4, 1, 3, 3), padding=(1, 1), groups=4),
    "1×1": Conv2dCase((3, 5, 3, 4), (2, 5, 1, 1)),
    "1×1, groups": Conv2dCase((3, 4, 3, 2), (6, 2, 1, 1), groups=2),
    "1×1, stride": Conv2dCase((2, 3, 5, 4), (2, 3, 1, 1), (2, 1)),
    "1×1, padding": Conv2dCase((2, 3, 2, 4), (2, 3, 1, 1), padding=((0, 0), (0, 1))),
    "kernel larger than the image": Conv2dCase((2, 2, 2, 1), (3, 2, 5, 4), padding=(2, 2)),
    "windows that see nothing": Conv2dCase((1, 1, 2, 1), (2, 1, 1, 2), (2, 3), padding=(3, 2)),
    "no images": Conv2dCase((0, 2, 4, 4), (3, 2, 3, 3), padding=(1, 1)),
    "no images, 1×1": Conv2dCase((0, 2, 4, 4), (3, 2, 1, 1)),
    "no windows": Conv2dCase((2, 2, 2, 4), (3, 2, 3, 3)),
    "no channels": Conv2dCase((2, 0, 3, 3), (2, 0, 2, 2)),
    "no outputs": Conv2dCase((2, 2, 3, 3), (0, 2, 2, 2)),
    "more than a block of threads": Conv2dCase((3, 4, 9, 8), (5, 4, 3, 3), padding=(1, 1)),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.fixture(params=[np.float32, np.float64, np.float16])
def dtype(request):
    return request.param


def assert_agrees(case, dtype=np.float32):
    """All functions against the definition, on integers."""
    rng = np.random.default_rng(case.seed)
    x, weight, bias = (
        integers(rng, *s, dtype=dtype) for s in (case.x, case.weight, case.weight[:1])
    )
    window, geometry = (case.weight[2:], *case.geometry[:3]), case.geometry
    gradient = integers(rng, *case.output, dtype=dtype)
    bias = bias.astype(sum_dtype(x.dtype))
    for start in (bias, None):
        for relu in (False, True):
            assert_agree(conv, "conv2d_forward", x, weight, start, *geometry, relu=relu)
    assert_agree(conv, "conv2d_input_gradient", gradient, weight, case.x, *geometry)
    assert_agree(conv, "conv2d_weight_gradient", gradient, x, case.weight, *geometry)
    assert_agree(conv, "conv2d_bias_gradient", gradient)
    assert_agree(conv, "conv2d_relu_gradient", gradient, integers(rng, *case.output, dtype=dtype))
    cols = assert_agree(conv, "im2col", x, *window)
    assert_agree(conv, "col2im", integers(rng, *cols.shape, dtype=dtype), case.x, *window)


@each_case
def test_agrees_with_the_definition(case, dtype):
    assert_agrees(case, dtype)


def test_agrees_on_drawn_cases():
    @given(conv2d_cases(asymmetric_padding=True))
    def agrees(case):
        assert_agrees(case)

    agrees()


@each_case
@pytest.mark.parametrize(("numbers", "pixels"), [(1, 1), (600, 1), (600, 25), (1 << 28, 1)])
def test_a_batch_in_chunks(case, numbers, pixels, monkeypatch):
    """Little memory for the columns: an image at a time, or a few; side by side, or not."""
    monkeypatch.setattr(conv.gpu, "COLUMNS", numbers)
    monkeypatch.setattr(conv.gpu, "PIXELS", pixels)
    assert_agrees(case)


@pytest.mark.parametrize("pixels", [1, 6, 12, 13, 25, 50, 1000])
@pytest.mark.parametrize("numbers", [1, 100, 500, 1 << 28])
@pytest.mark.parametrize(
    "case",
    [
        Conv2dCase((7, 2, 4, 3), (4, 2, 2, 2)),
        Conv2dCase((7, 4, 4, 3), (2, 2, 3, 2), padding=((1, 0), (0, 0)), groups=2),
        Conv2dCase((7, 4, 2, 3), (6, 2, 1, 1), groups=2),
    ],
    ids=["plain", "groups", "1×1"],
)
def test_images_side_by_side(case, pixels, numbers, monkeypatch):
    """1, 2, 4, 8 … of 6 pixels in one product; 7 images leave some over."""
    assert case.output[2] * case.output[3] == 6
    monkeypatch.setattr(conv.gpu, "PIXELS", pixels)
    monkeypatch.setattr(conv.gpu, "COLUMNS", numbers)
    assert_agrees(case)


@pytest.mark.parametrize("pixels", [0, 1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("count", range(10))
@pytest.mark.parametrize("memory", [1, 10, 25, 1000])
def test_chunks_make_up_the_batch(count, pixels, memory, monkeypatch):
    monkeypatch.setattr(conv.gpu, "COLUMNS", memory)
    monkeypatch.setattr(conv.gpu, "PIXELS", 8)
    wanted = {0: 8, 1: 8, 2: 4, 3: 2, 4: 2}.get(pixels, 1)
    chunks = list(conv.gpu._chunks(count, 5, pixels))
    assert [n for part, _, _ in chunks for n in range(count)[part]] == list(range(count))
    for part, slabs, side in chunks:
        assert slabs * side == part.stop - part.start > 0
        assert 5 * slabs * side <= max(memory, 5 * wanted)
    assert all(side == wanted for _, _, side in chunks[:-1])
    assert all(side == wanted or (slabs == 1 and side < wanted) for _, slabs, side in chunks)


@pytest.mark.parametrize(("pixels", "batch"), [(1, (4, 1)), (8, (2, 1)), (16, (1, 1))])
def test_one_product_for_a_batch(pixels, batch, monkeypatch):
    """Where memory suffices; of as many matrices as the images are cut into."""
    monkeypatch.setattr(conv.gpu, "PIXELS", pixels)
    batches, matmul = [], conv.gpu.matmul

    def counting(a, b, out):
        batches.append(out.shape[:2])
        return matmul(a, b, out)

    monkeypatch.setattr(conv.gpu, "matmul", counting)
    shapes = (4, 2, 4, 4), (3, 2, 3, 3), (4, 3, 2, 2)
    x, weight, gradient = (on_gpu(np.zeros(shape, np.float32)) for shape in shapes)
    geometry = (1, 1), ((0, 0), (0, 0)), (1, 1), 1
    conv.gpu.conv2d_forward(x, weight, None, *geometry)
    conv.gpu.conv2d_input_gradient(gradient, weight, x.shape, *geometry)
    conv.gpu.conv2d_weight_gradient(gradient, x, weight.shape, *geometry)
    assert batches == [batch] * 3


def test_one_by_one_windows_gather_no_columns(monkeypatch):
    monkeypatch.setattr(conv.gpu, "PIXELS", 1)
    launches = []
    monkeypatch.setattr(conv.gpu.source, "launch", lambda name, *_, **__: launches.append(name))
    x, weight = (on_gpu(np.zeros(shape, np.float32)) for shape in ((4, 2, 4, 4), (2, 2, 1, 1)))
    geometry = (1, 1), ((0, 0), (0, 0)), (1, 1), 1
    conv.gpu.conv2d_forward(x, weight, None, *geometry)
    conv.gpu.conv2d_input_gradient(x, weight, x.shape, *geometry)
    conv.gpu.conv2d_weight_gradient(x, x, weight.shape, *geometry)
    assert launches == []


@each_case
@pytest.mark.parametrize(("numbers", "pixels"), [(300, 1), (300, 25), (1 << 28, 1024)])
def test_a_gradient_is_added_to_another(case, numbers, pixels, dtype, monkeypatch):
    monkeypatch.setattr(conv.gpu, "COLUMNS", numbers)
    monkeypatch.setattr(conv.gpu, "PIXELS", pixels)
    rng = np.random.default_rng(2)
    gradient, weight = (integers(rng, *s, dtype=dtype) for s in (case.output, case.weight))
    before = integers(rng, *case.x, dtype=dtype)
    arguments = gradient, weight, case.x, *case.geometry
    wanted = before + definition(conv, arguments).conv2d_input_gradient(*arguments)
    into = on_gpu(before)
    got = conv.gpu.conv2d_input_gradient(*map(on_gpu, arguments), into=into)
    assert got is into
    assert got.dtype == dtype
    np.testing.assert_array_equal(on_cpu(into), wanted)
    # The same where the numbers do not lie in the order of the axes.
    into = on_gpu(np.ascontiguousarray(before.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    assert conv.gpu.conv2d_input_gradient(*map(on_gpu, arguments), into=into) is into
    np.testing.assert_array_equal(on_cpu(into), wanted)


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def strided(array):
    """Put an array on the GPU so that its last axis lies first in memory."""
    array = np.moveaxis(array, -1, 0).copy()
    return cupy().moveaxis(on_gpu(array), 0, -1)


@pytest.mark.parametrize("name", ["square", "no axis like another", "1×1", "groups"])
def test_arguments_may_lie_in_any_order(name):
    case, rng = CASES[name], np.random.default_rng(3)
    x, weight, bias = (integers(rng, *s) for s in (case.x, case.weight, case.weight[:1]))
    gradient, out = integers(rng, *case.output), integers(rng, *case.output)
    window = case.weight[2:], *case.geometry[:3]
    cols = integers(rng, *conv.vectorized.im2col(x, *window).shape)
    for function, arrays, rest in (
        ("conv2d_forward", (x, weight, bias), case.geometry),
        ("conv2d_input_gradient", (gradient, weight), (case.x, *case.geometry)),
        ("conv2d_weight_gradient", (gradient, x), (case.weight, *case.geometry)),
        ("conv2d_bias_gradient", (gradient,), ()),
        ("conv2d_relu_gradient", (gradient, out), ()),
        ("im2col", (x,), window),
        ("col2im", (cols,), (case.x, *window)),
    ):
        wanted = getattr(conv.naive, function)(*arrays, *rest)
        got = on_cpu(getattr(conv.gpu, function)(*map(strided, arrays), *rest))
        for want, made in zip(as_tuple(wanted), as_tuple(got), strict=True):
            np.testing.assert_array_equal(made, want, function)


@pytest.mark.parametrize("bias", [None, np.zeros(3, np.float32)])
def test_nan_stays_through_relu(bias):
    x = np.array([np.nan, -1, 0, 2, np.inf, -np.inf], np.float32).reshape(1, 1, 2, 3)
    weight = np.array([1, -1, np.nan], np.float32).reshape(3, 1, 1, 1)
    geometry = (1, 1), ((0, 0), (0, 0)), (1, 1), 1
    assert_agree(conv, "conv2d_forward", x, weight, bias, *geometry, relu=True)


def test_nan_in_the_output_lets_no_gradient_through():
    out = np.array([np.nan, -1, 0, 2, np.inf, -0.0], np.float32).reshape(1, 2, 1, 3)
    gradient = np.arange(1, 7, dtype=np.float32).reshape(out.shape)
    assert_agree(conv, "conv2d_relu_gradient", gradient, out)


def test_nan_outside_a_window_does_no_harm():
    """What no window sees adds nothing, and padding is no product of zero with NaN."""
    x = np.full((1, 1, 3, 3), np.nan, np.float32)
    x[..., 0, 0] = 2
    weight = np.full((1, 1, 1, 1), 3, np.float32)
    geometry = (3, 3), ((0, 0), (0, 0)), (1, 1), 1
    assert_agree(conv, "conv2d_forward", x, weight, None, *geometry)


@pytest.mark.parametrize("pixels", [1, 31, 32, 33, 1023, 1024, 1025, 2500])
def test_sums_of_many_pixels(pixels):
    """One thread for 32 pixels, and at most 32 threads for a channel of an image."""
    rng = np.random.default_rng(4)
    gradient = integers(rng, 2, 3, pixels, 1)
    wanted = gradient.sum(axis=(0, 2, 3))
    np.testing.assert_array_equal(on_cpu(conv.gpu.conv2d_bias_gradient(on_gpu(gradient))), wanted)
    out = integers(rng, *gradient.shape)
    slope, to_bias = on_cpu(conv.gpu.conv2d_relu_gradient(on_gpu(gradient), on_gpu(out)))
    np.testing.assert_array_equal(slope, np.where(out > 0, gradient, 0))
    np.testing.assert_array_equal(to_bias, slope.sum(axis=(0, 2, 3)))


LARGE = {
    "3×3": Conv2dCase((4, 16, 14, 13), (24, 16, 3, 3), padding=(1, 1)),
    "7×7": Conv2dCase((2, 3, 31, 29), (16, 3, 7, 7), (2, 2), padding=(3, 3)),
    "1×1": Conv2dCase((9, 32, 7, 7), (48, 32, 1, 1)),
    "groups": Conv2dCase((3, 16, 9, 8), (32, 4, 3, 3), (1, 2), padding=(1, 1), groups=4),
}


# float16: the product is rounded, and once more with the bias; 2⁻¹⁰ is one in the last place.
CLOSE = {np.float32: 1e-4, np.float64: 1e-12, np.float16: 2**-9}


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE.keys())
def test_close_on_real_numbers(case, dtype):
    x, weight, bias = case.arrays(dtype)
    bias = bias.astype(sum_dtype(x.dtype))
    rng, near = np.random.default_rng(5), CLOSE[dtype]
    gradient = rng.standard_normal(case.output).astype(dtype)
    for name, arguments in (
        ("conv2d_forward", (x, weight, bias, *case.geometry)),
        ("conv2d_input_gradient", (gradient, weight, case.x, *case.geometry)),
        ("conv2d_weight_gradient", (gradient, x, case.weight, *case.geometry)),
        ("conv2d_bias_gradient", (gradient,)),
        ("conv2d_relu_gradient", (gradient, gradient - x.dtype.type(0.5))),
    ):
        wanted = getattr(definition(conv, arguments, "vectorized"), name)(*arguments)
        got = on_cpu(getattr(conv.gpu, name)(*map(on_gpu, arguments)))
        again = on_cpu(getattr(conv.gpu, name)(*map(on_gpu, arguments)))
        for want, made, same in zip(*map(as_tuple, (wanted, got, again)), strict=True):
            np.testing.assert_allclose(made, want, rtol=near, atol=near * 10, err_msg=name)
            np.testing.assert_array_equal(same, made, f"{name}: other bits the second time")
