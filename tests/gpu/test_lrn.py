"""Local response normalisation on a GPU: checked with alpha = 1, where every term matters."""

import numpy as np
import pytest

import minigrad
from minigrad.gpu import cupy, sum_dtype
from minigrad.ops import lrn
from tests.gpu.rungs import assert_agree, both, definition, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
BETAS = pytest.mark.parametrize("beta", [0.5, 0.75, 1.0, 0.6, 2.0])
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 11, 12])  # of 6 channels
# float16: computed alike and rounded, which can go to the one or the other neighbour.
RTOL = {np.float32: 1e-6, np.float64: 1e-14, np.float16: 2**-10}
SMALLEST = 2**-24  # of float16's numbers


def assert_within(got, want, bound):
    """Hold every number to its own bound."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    excess = np.abs(got.astype(np.float64) - want) - bound.astype(np.float64)
    if want.dtype == np.float16:
        excess -= SMALLEST
    assert (excess <= 0).all(), f"off by {excess.max()} more than allowed"


def assert_forward_agrees(x, *settings):
    """Compare with the definition; return its scale."""
    (want, want_scale), (out, scale) = both(lrn, "lrn_forward", x, *settings)
    rtol = RTOL[x.dtype.type]
    assert_within(out, want, rtol * np.abs(want))
    assert_within(scale, want_scale, RTOL[scale.dtype.type] * np.abs(want_scale))
    return want_scale


def assert_backward_agrees(gradient, x, scale, size, alpha, beta):
    """Compare with the definition. A difference may cancel: the bound is on what is summed.

    That is what the formula gives for |G|, |x| and −alpha: then all terms are positive.
    """
    arrays = gradient, x, scale
    want, got = both(lrn, "lrn_input_gradient", *arrays, size, alpha, beta)
    arrays = [np.abs(a).astype(sum_dtype(a.dtype)) for a in arrays]
    terms = lrn.naive.lrn_input_gradient(*arrays, size, -alpha, beta)
    assert_within(got, want, RTOL[x.dtype.type] * terms)


@FLOATS
@BETAS
@SIZES
def test_agrees_with_the_definition(size, beta, dtype):
    rng = np.random.default_rng(size)
    x, gradient = rng.standard_normal((2, 2, 6, 3, 2)).astype(dtype)
    scale = assert_forward_agrees(x, size, 1.0, beta, 1.5)
    assert_backward_agrees(gradient, x, scale, size, 1.0, beta)


@FLOATS
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (0, 3, 2, 2), (2, 0, 2, 2), (3, 5, 1, 1), (1, 2, 1, 7), (2, 9, 11, 3)]
)
def test_shapes(shape, dtype):
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal((2, *shape)).astype(dtype)
    for size in (2, 5):
        scale = assert_forward_agrees(x, size, 1.0, 0.75, 2.0)
        assert_backward_agrees(gradient, x, scale, size, 1.0, 0.75)


@FLOATS
def test_as_in_googlenet(dtype):
    """64 channels, size 5, alpha 1e-4, k 1; against NumPy's rung, as loops would take long."""
    rng = np.random.default_rng(1)
    x, gradient = rng.standard_normal((2, 2, 64, 7, 7)).astype(dtype)
    x *= 30  # loud enough for alpha to matter
    settings = 5, 1e-4, 0.75
    vectorized = definition(lrn, [x], "vectorized")
    want, scale = vectorized.lrn_forward(x, *settings, 1.0)
    got, got_scale = map(on_cpu, lrn.gpu.lrn_forward(on_gpu(x), *settings, 1.0))
    np.testing.assert_allclose(got_scale, scale, RTOL[scale.dtype.type])
    np.testing.assert_allclose(got, want, RTOL[dtype])
    want = vectorized.lrn_input_gradient(gradient, x, scale, *settings)
    back = on_cpu(lrn.gpu.lrn_input_gradient(*map(on_gpu, (gradient, x, scale)), *settings))
    np.testing.assert_allclose(back, want, RTOL[dtype], atol=RTOL[dtype])


@FLOATS
@pytest.mark.parametrize(("C", "size"), [(4, 8), (4, 7), (2, 4), (5, 2), (3, 1)])
def test_powers_of_two_agree_to_the_bit(C, size, dtype):
    """With x = ±1, k = 0, alpha = size and beta = 1, the scale counts the channels in the window.

    It is 4, 2 or 1 in all these: dividing by it is exact, and so is everything else then.
    """
    rng = np.random.default_rng(2)
    x = rng.choice([-1, 1], (2, C, 2, 3)).astype(dtype)
    _, scale = assert_agree(lrn, "lrn_forward", x, size, float(size), 1.0, 0.0)
    assert set(scale.ravel()) <= {1, 2, 4}
    gradient = integers(rng, *x.shape, dtype=dtype)
    assert_agree(lrn, "lrn_input_gradient", gradient, x, scale, size, float(size), 1.0)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        (1, [1, 4, 16, 64]),
        (2, [1, 5, 20, 80]),  # an even window reaches one further down
        (3, [5, 21, 84, 80]),
        (4, [5, 21, 85, 84]),
        (9, [85, 85, 85, 85]),
    ],
)
def test_window(size, scale):
    x = np.array([1.0, 2.0, 4.0, 8.0]).reshape(1, 4, 1, 1)
    out, got = map(on_cpu, lrn.gpu.lrn_forward(on_gpu(x), size, float(size), 1.0, 0.0))
    np.testing.assert_array_equal(got.ravel(), scale)
    np.testing.assert_allclose(out.ravel(), x.ravel() / scale, rtol=1e-15)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (1, [0, -2, 0, 0]),
        (2, [-2, -2, 0, 0]),  # channel 1 listens to 0 and 1
        (3, [-2, -2, -2, 0]),
        (4, [-2, -2, -2, 0]),
        (5, [-2, -2, -2, -2]),
    ],
)
def test_the_window_turned_around(size, wanted):
    """Only channel 1 has a gradient: it comes to those that damped it, and to no others."""
    x = np.ones((1, 4, 1, 1))
    gradient = np.array([0.0, 1.0, 0.0, 0.0]).reshape(x.shape)
    arrays = map(on_gpu, (gradient, x, np.ones_like(x)))
    got = on_cpu(lrn.gpu.lrn_input_gradient(*arrays, size, float(size), 1.0))
    np.testing.assert_array_equal(got.ravel(), wanted + gradient.ravel())


def test_nan_and_infinity_stay_in_their_windows():
    x = np.ones((1, 6, 1, 2))
    x[0, 0, 0, 0], x[0, 5, 0, 1] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        (want, want_scale), (out, scale) = both(lrn, "lrn_forward", x, 3, 3.0, 1.0, 1.0)
        arrays = np.ones_like(x), x, scale
        want_back, back = both(lrn, "lrn_input_gradient", *arrays, 3, 3.0, 1.0)
    np.testing.assert_array_equal(scale, want_scale)
    np.testing.assert_allclose(out, want, rtol=1e-14)
    np.testing.assert_allclose(back, want_back, rtol=1e-14, atol=1e-15)
    assert np.isnan(scale).sum() == np.isinf(scale).sum() == 2
    assert np.isfinite(out[0, 2:4]).all()


def test_float64_is_summed_in_float64():
    """Beside 10⁴, a square of 10⁻⁴ would be lost in float32."""
    x = np.array([100.0, 0.01]).reshape(1, 2, 1, 1)
    _, scale = lrn.gpu.lrn_forward(on_gpu(x), 3, 3.0, 0.75, 0.0)
    np.testing.assert_allclose(on_cpu(scale).ravel(), [100.0**2 + 0.01**2] * 2, rtol=1e-15)


def test_numbers_may_be_integers():
    """As in Python: 1 is 1.0."""
    x = np.ones((1, 3, 2, 2), np.float32)
    scale = assert_forward_agrees(x, 3, 3, 1, 1)
    assert_backward_agrees(x, x, scale, 3, 3, 1)


def test_axes_in_another_order():
    """Arrays need not lie in the order of their axes."""
    rng = np.random.default_rng(3)
    x, gradient = rng.standard_normal((2, 2, 5, 3, 4))
    out, scale = lrn.naive.lrn_forward(x, 4, 1.0, 0.75, 1.0)
    back = lrn.naive.lrn_input_gradient(gradient, x, scale, 4, 1.0, 0.75)

    def turned(array):
        return on_gpu(np.ascontiguousarray(array.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)

    assert not turned(x).flags.c_contiguous
    got, got_scale = map(on_cpu, lrn.gpu.lrn_forward(turned(x), 4, 1.0, 0.75, 1.0))
    np.testing.assert_allclose(got, out, rtol=1e-14)
    np.testing.assert_allclose(got_scale, scale, rtol=1e-14)
    got = on_cpu(lrn.gpu.lrn_input_gradient(*map(turned, (gradient, x, scale)), 4, 1.0, 0.75))
    np.testing.assert_allclose(got, back, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3), (2, 5, 3, 2)])
def test_the_operation(shape):
    """Forward and backward through a tensor on the GPU, as on the CPU."""
    array, slope = np.random.default_rng(4).standard_normal((2, *shape))
    results = []
    for device in ("cpu", "cuda"):
        x = minigrad.tensor(array, device=device, requires_grad=True)
        out = lrn.local_response_norm(x, 4, alpha=1.0)
        out.backward(on_gpu(slope) if device == "cuda" else slope)
        results.append((out.data, x.grad.data))
    for want, got in zip(*results, strict=True):
        assert isinstance(got, cupy().ndarray)
        np.testing.assert_allclose(on_cpu(got), want, rtol=1e-13, atol=1e-14)
