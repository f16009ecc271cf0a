"""Pooling on a GPU: to the bit as the definition, wherever sums are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.gpu import cupy
from minigrad.ops import pool
from minigrad.testing.strategies import pool2d_cases
from tests.gpu.rungs import assert_agree, both, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
DTYPES = st.sampled_from([np.float32, np.float64])
NONE = ((0, 0), (0, 0))  # no padding

# Averages below are over at most 6 rows and columns: multiples of 60² make every share an integer.
EXACT = 3600

# x, kernel_size, stride, padding, dilation, ceil_mode
CASES = {
    "pixel": ((1, 1, 1, 1), (1, 1), (1, 1), NONE, (1, 1), False),
    "tiles": ((2, 3, 4, 6), (2, 2), (2, 2), NONE, (1, 1), False),
    "overlap": ((2, 3, 7, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), False),
    "step 1": ((1, 2, 5, 4), (3, 2), (1, 1), ((1, 1), (1, 0)), (1, 1), False),
    "gaps": ((2, 2, 9, 8), (2, 1), (3, 4), NONE, (1, 1), False),
    "axes differ": ((3, 2, 6, 11), (2, 5), (1, 3), ((0, 1), (2, 1)), (1, 1), False),
    "asymmetric": ((1, 3, 5, 6), (3, 4), (2, 1), ((1, 0), (0, 2)), (1, 1), False),
    "ceil": ((2, 2, 6, 8), (3, 3), (2, 2), NONE, (1, 1), True),
    "ceil, padded": ((1, 2, 6, 6), (3, 3), (2, 3), ((1, 0), (0, 1)), (1, 1), True),
    "ceil, smaller than the window": ((1, 1, 2, 2), (3, 3), (2, 2), NONE, (1, 1), True),
    "one window": ((2, 2, 4, 5), (4, 5), (1, 1), NONE, (1, 1), False),
    "a row": ((1, 4, 1, 9), (1, 3), (1, 2), ((0, 0), (1, 1)), (1, 1), False),
    "empty": ((0, 3, 5, 5), (3, 3), (2, 2), NONE, (1, 1), False),
    "no channels": ((2, 0, 5, 5), (3, 3), (2, 2), NONE, (1, 1), False),
    "more than a block": ((2, 5, 12, 11), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), False),
}
DILATED = {
    "dilated": ((2, 2, 7, 8), (3, 2), (1, 2), ((1, 1), (0, 1)), (2, 3), False),
    "dilated, a common factor": ((1, 2, 11, 9), (3, 3), (2, 2), ((1, 1), (1, 1)), (2, 4), False),
    "dilated, ceil": ((1, 2, 8, 9), (2, 3), (3, 2), ((1, 0), (0, 1)), (3, 2), True),
    # Its two elements lie to the left and to the right of the only pixel.
    "blind": ((1, 1, 1, 1), (1, 2), (1, 2), ((0, 0), (1, 1)), (1, 2), False),
}
LARGE = {  # kernels of 256, 257, 272 and 300 elements
    "256": ((1, 2, 18, 17), (16, 16), (1, 1), NONE, (1, 1), False),
    "257": ((1, 1, 257, 2), (257, 1), (1, 1), NONE, (1, 1), False),
    "272": ((1, 2, 18, 17), (17, 16), (1, 1), NONE, (1, 1), False),
    "300": ((1, 1, 20, 15), (20, 15), (4, 3), ((8, 3), (2, 7)), (1, 1), False),
}
MAX_CASES = pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in {**CASES, **DILATED, **LARGE}.items()]
)
AVG_CASES = pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items()]
)

# (N, C, H, W), output_size
ADAPTIVE = pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2, 3, 6, 4), (1, 1)),
        ((2, 3, 6, 4), (3, 2)),
        ((2, 2, 6, 5), (6, 5)),
        ((1, 2, 5, 7), (3, 4)),  # the windows overlap
        ((1, 2, 5, 6), (4, 5)),
        ((2, 1, 2, 3), (5, 4)),  # more windows than pixels
        ((1, 2, 1, 6), (4, 4)),
        ((0, 2, 4, 4), (2, 2)),
        ((3, 7, 6, 6), (5, 4)),
    ],
)


def exact_shares(rng, shape, dtype):
    """Draw gradients that any number of rows and columns up to 6 divides."""
    return EXACT * integers(rng, *shape, dtype=dtype)


def turned(array):
    """Move an array to the GPU, where it then lies with its axes in another order."""
    return on_gpu(np.ascontiguousarray(array.transpose(1, 3, 0, 2))).transpose(2, 0, 3, 1)


# -- the maximum ---------------------------------------------------------------------------------


def assert_max_agrees(x, *window, seed=0):
    """Compare forward and backward with the definition; return the output and the winners."""
    out, winners = assert_agree(pool, "max_pool2d_forward", x, *window)
    gradient = integers(np.random.default_rng(seed), *out.shape, dtype=x.dtype)
    arguments = gradient, winners, x.shape, *window[:-1]
    assert_agree(pool, "max_pool2d_input_gradient", *arguments)
    return out, winners


@FLOATS
@MAX_CASES
def test_max(case, dtype):
    """Few different numbers, so that most windows have ties."""
    shape, *window = case
    assert_max_agrees(
        integers(np.random.default_rng(1), *shape, low=-2, high=2, dtype=dtype), *window
    )


@MAX_CASES
def test_max_of_different_numbers(case):
    shape, *window = case
    x = np.random.default_rng(2).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    assert_max_agrees(x - 20, *window)


@given(pool2d_cases(asymmetric_padding=True, blind_windows=True), DTYPES)
def test_max_of_any_window(case, dtype):
    x = integers(np.random.default_rng(case.seed), *case.x, low=-2, high=2, dtype=dtype)
    assert_max_agrees(x, *case.geometry, case.ceil_mode, seed=case.seed)


@pytest.mark.parametrize(
    ("kernel", "dtype"), [((16, 16), np.uint8), ((257, 1), np.int32), ((1, 300), np.int32)]
)
def test_winners_have_room_for_every_element(kernel, dtype):
    x = np.arange(kernel[0] * kernel[1], dtype=np.float32).reshape(1, 1, *kernel)
    _, winners = assert_max_agrees(x, kernel, (1, 1), NONE, (1, 1), False)
    assert winners.dtype == dtype
    assert winners.item() == x.size - 1


@pytest.mark.parametrize("value", [0.0, -5.0, -np.inf, np.inf, np.nan])
def test_first_of_equals_wins(value):
    """Also −∞, which equals what padding is thought to be: the first pixel wins all the same."""
    x = np.full((1, 2, 3, 4), value)
    _, winners = assert_max_agrees(x, (2, 2), (1, 1), ((1, 1), (1, 1)), (1, 1), False)
    np.testing.assert_array_equal(winners[0, 1], [[3, 2, 2, 2, 2], *[[1, 0, 0, 0, 0]] * 3])


@FLOATS
def test_nan_is_not_hidden(dtype):
    """The first NaN wins, wherever it stands, over infinity too."""
    x = np.array([[[[1, np.nan, 3, np.nan, np.inf, 6, -np.inf]]]], dtype)
    out, winners = assert_max_agrees(x, (1, 3), (1, 1), NONE, (1, 1), False)
    np.testing.assert_array_equal(out[0, 0, 0], [np.nan] * 4 + [np.inf])
    np.testing.assert_array_equal(winners[0, 0, 0], [1, 0, 1, 0, 0])


@FLOATS
@pytest.mark.parametrize("seed", range(4))
def test_max_of_nan_and_infinities(seed, dtype):
    rng = np.random.default_rng(seed)
    x = rng.choice([np.nan, np.inf, -np.inf, -np.inf, 0, -1, 2], (2, 2, 6, 7)).astype(dtype)
    assert_max_agrees(x, (3, 2), (2, 1), ((1, 1), (1, 0)), (1, 2), True)


def test_a_window_that_sees_nothing():
    out, winners = assert_max_agrees(np.ones((1, 1, 1, 1)), *DILATED["blind"][1:])
    assert out.item() == -np.inf
    assert winners.item() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_reaches_the_winner_alone(value):
    """Whatever it is: infinity times zero would be NaN elsewhere."""
    winners = np.array([[[[1, 0], [2, 3]]]], np.uint8)
    gradient = np.array([[[[value, 1], [1, 2]]]])
    window = (2, 2), (1, 1), NONE, (1, 1)
    back = assert_agree(pool, "max_pool2d_input_gradient", gradient, winners, (1, 1, 3, 3), *window)
    np.testing.assert_array_equal(back[0, 0], [[0, value + 1, 0], [0, 0, 0], [1, 0, 2]])


# -- averages ------------------------------------------------------------------------------------


@FLOATS
@pytest.mark.parametrize("count_include_pad", [False, True])
@AVG_CASES
def test_avg(case, count_include_pad, dtype):
    """The sum of integers is exact, and rounding a quotient is: the same to the bit."""
    shape, kernel, stride, padding, _, ceil_mode = case
    settings = kernel, stride, padding, ceil_mode, count_include_pad
    rng = np.random.default_rng(3)
    out = assert_agree(pool, "avg_pool2d_forward", integers(rng, *shape, dtype=dtype), *settings)
    gradient = exact_shares(rng, out.shape, dtype)
    assert_agree(pool, "avg_pool2d_input_gradient", gradient, shape, *settings)


@given(pool2d_cases(asymmetric_padding=True, max_dilation=1), DTYPES)
def test_avg_of_any_window(case, dtype):
    settings = *case.geometry[:3], case.ceil_mode, case.count_include_pad
    rng = np.random.default_rng(case.seed)
    x = integers(rng, *case.x, dtype=dtype)
    out = assert_agree(pool, "avg_pool2d_forward", x, *settings)
    gradient = exact_shares(rng, out.shape, dtype)
    assert_agree(pool, "avg_pool2d_input_gradient", gradient, case.x, *settings)


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_over_a_large_window(count_include_pad):
    """300 elements; shares that are no integers are summed in the order of the windows."""
    settings = (20, 15), (4, 3), ((8, 3), (2, 7)), False, count_include_pad
    rng = np.random.default_rng(4)
    out = assert_agree(pool, "avg_pool2d_forward", integers(rng, 1, 1, 20, 15), *settings)
    gradient = rng.standard_normal(out.shape).astype(np.float32)
    want, got = both(pool, "avg_pool2d_input_gradient", gradient, (1, 1, 20, 15), *settings)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@FLOATS
def test_averages_of_nan_and_infinities(dtype):
    """They stay in the windows that see them."""
    x = np.zeros((1, 1, 5, 6), dtype)
    x[0, 0, 0, 0], x[0, 0, 2, 3], x[0, 0, 4, 5] = np.nan, np.inf, -np.inf
    out = assert_agree(pool, "avg_pool2d_forward", x, (2, 2), (2, 2), ((1, 0), (0, 0)), True, True)
    assert_agree(pool, "adaptive_avg_pool2d_forward", x, (3, 4))
    assert np.isnan(out[0, 0, 0, 0])
    assert np.isfinite(out).any()


@FLOATS
@ADAPTIVE
def test_adaptive(shape, size, dtype):
    rng = np.random.default_rng(5)
    x = integers(rng, *shape, dtype=dtype)
    out = assert_agree(pool, "adaptive_avg_pool2d_forward", x, size)
    gradient = exact_shares(rng, out.shape, dtype)
    assert_agree(pool, "adaptive_avg_pool2d_input_gradient", gradient, shape)


SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(SIZES, SIZES, DTYPES)
def test_adaptive_of_any_size(image, size, dtype):
    rng = np.random.default_rng([*image, *size])
    x = integers(rng, 2, 3, *image, dtype=dtype)
    assert_agree(pool, "adaptive_avg_pool2d_forward", x, size)
    gradient = exact_shares(rng, (2, 3, *size), dtype)
    assert_agree(pool, "adaptive_avg_pool2d_input_gradient", gradient, x.shape)


# -- both ----------------------------------------------------------------------------------------


def test_rounded_sums():
    """Numbers that are no integers, in float64."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((2, 3, 7, 8))
    settings = (3, 2), (2, 1), ((1, 0), (1, 1)), True, False
    want, got = both(pool, "avg_pool2d_forward", x, *settings)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
    gradient = rng.standard_normal(want.shape)
    want, got = both(pool, "avg_pool2d_input_gradient", gradient, x.shape, *settings)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
    want, got = both(pool, "adaptive_avg_pool2d_forward", x, (4, 3))
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
    gradient = rng.standard_normal(want.shape)
    want, got = both(pool, "adaptive_avg_pool2d_input_gradient", gradient, x.shape)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


def test_axes_in_another_order():
    """Arrays need not lie in the order of their axes."""
    rng = np.random.default_rng(7)
    x, gradient = (integers(rng, 2, 3, 5, 4) for _ in range(2))
    window = (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)
    average = *window[:3], False, True
    assert not turned(x).flags.c_contiguous
    _, winners = pool.naive.max_pool2d_forward(x, *window, False)
    for name, arrays, settings in [
        ("max_pool2d_forward", [x], (*window, False)),
        ("max_pool2d_input_gradient", [gradient, winners], (x.shape, *window)),
        ("avg_pool2d_forward", [x], average),
        ("avg_pool2d_input_gradient", [EXACT * gradient], (x.shape, *average)),
        ("adaptive_avg_pool2d_forward", [x], ((3, 2),)),
        ("adaptive_avg_pool2d_input_gradient", [EXACT * gradient], (x.shape,)),
    ]:
        want = getattr(pool.naive, name)(*arrays, *settings)
        got = on_cpu(getattr(pool.gpu, name)(*map(turned, arrays), *settings))
        for a, b in zip(want, got, strict=True):
            np.testing.assert_array_equal(b, a, name)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: pool.max_pool2d(x, 3, 2, padding=1, ceil_mode=True),
        lambda x: pool.max_pool2d(x, (17, 16), 1),
        lambda x: pool.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False),
        lambda x: pool.adaptive_avg_pool2d(x, (5, 3)),
    ],
)
def test_the_operations(operation):
    """Forward and backward through a tensor on the GPU, as on the CPU."""
    array = np.random.default_rng(8).permutation(2 * 18 * 17).reshape(1, 2, 18, 17) * 1.0
    results = []
    for device in ("cpu", "cuda"):
        x = minigrad.tensor(array, device=device, requires_grad=True)
        out = operation(x)
        slope = np.arange(out.data.size, dtype=np.float64).reshape(out.shape)
        out.backward(on_gpu(slope) if device == "cuda" else slope)
        results.append((out.data, x.grad.data))
    for want, got in zip(*results, strict=True):
        assert isinstance(got, cupy().ndarray)
        np.testing.assert_allclose(on_cpu(got), want, rtol=1e-14)
