"""Local response normalisation: checked where every term matters, which is not alpha = 1e-4."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.cpu import get_num_threads, set_num_threads
from minigrad.ops.lrn import RUNGS, local_response_norm, naive
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled
from tests.ops.rungs import assert_rungs_agree, integers

DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 12)  # odd and even, and wider than all channels
BETAS = st.sampled_from([0.5, 0.75, 1.0, 0.6, 2.0])  # three with a form of their own, two without
SHAPES = st.tuples(*(st.integers(*ends) for ends in ((0, 2), (1, 9), (1, 3), (1, 3))))


@pytest.fixture
def threads():
    """Put the number of threads back."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def assert_within(got, want, bound):
    """Hold every number to its own bound."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    excess = np.abs(got.astype(np.float64) - want) - bound
    assert (excess <= 0).all(), f"off by {excess.max()} more than allowed"


# -- the rungs -----------------------------------------------------------------------------------


@given(SHAPES, SIZES, BETAS, DTYPES, SEEDS)
def test_forward_rungs_agree(shape, size, beta, dtype, seed):
    """With integers and alpha = size the scale is an integer: the same to the bit.

    The powers are not. √, √√, the product, the quotient and the library's power are each off by
    an eps or less, and the product with x by one half more: 8 eps is plenty.
    """
    rng = np.random.default_rng(seed)
    x = scrambled(rng, integers(rng, *shape, dtype=dtype))
    before = x.copy()
    want, want_scale = naive.lrn_forward(x, size, float(size), beta, 1.0)
    for rung in RUNGS.values():
        out, scale = rung.lrn_forward(x, size, float(size), beta, 1.0)
        np.testing.assert_array_equal(scale, want_scale)
        assert scale.dtype == want_scale.dtype == dtype
        assert_within(out, want, 8 * np.finfo(dtype).eps * np.abs(want))
    np.testing.assert_array_equal(x, before)


@given(SHAPES, SIZES, BETAS, DTYPES, SEEDS)
def test_input_gradient_rungs_agree(shape, size, beta, dtype, seed):
    """A difference of sums may cancel, so that the bound is on the sizes of what is summed.

    These are what the gradient formula gives for |G|, |x| and −alpha: then all terms are positive.
    A term is a product of a few numbers and a power: 16 eps, and one more for each that is added.
    """
    rng = np.random.default_rng(seed)
    x, gradient = (scrambled(rng, integers(rng, *shape, dtype=dtype)) for _ in range(2))
    _, scale = naive.lrn_forward(x, size, 1.0, beta, 1.0)
    arrays = gradient, x, scrambled(rng, scale)
    before = [a.copy() for a in arrays]
    want = naive.lrn_input_gradient(*arrays, size, 1.0, beta)
    terms = naive.lrn_input_gradient(np.abs(gradient), np.abs(x), scale, size, -1.0, beta)
    for rung in RUNGS.values():
        got = rung.lrn_input_gradient(*arrays, size, 1.0, beta)
        assert got.dtype == dtype
        assert_within(got, want, (16 + size) * np.finfo(dtype).eps * terms)
    for now, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(now, old)


@given(st.sampled_from([(4, 8), (2, 4), (5, 2), (3, 1)]), DTYPES, SEEDS)
def test_powers_of_two_agree_to_the_bit(channels_and_size, dtype, seed):
    """With x = ±1, k = 0, alpha = size and beta = 1, the scale counts the channels in the window.

    All 4 or 2 channels if the window is that wide; 2, or 1 at the border, if size is 2; 1 if it
    is 1. Dividing by a power of two is exact, and so is everything else then.
    """
    rng = np.random.default_rng(seed)
    C, size = channels_and_size
    x = rng.choice([-1, 1], (2, C, 2, 3)).astype(dtype)
    _, scale = assert_rungs_agree(RUNGS, "lrn_forward", x, size, float(size), 1.0, 0.0)
    gradient = integers(rng, *x.shape, dtype=dtype)
    arguments = gradient, x, scale, size, float(size), 1.0
    assert_rungs_agree(RUNGS, "lrn_input_gradient", *arguments)


def test_threads_do_not_change_a_bit(threads, monkeypatch):
    """50 pixels of 7 channels in tasks of 6 pixels, the last one of 2; in any order."""
    cpu = RUNGS["cpu"]
    monkeypatch.setattr(cpu, "TASK_NUMBERS", 42)
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal((2, 2, 7, 5, 5)).astype(np.float32)

    def both():
        out, scale = cpu.lrn_forward(x, 5, 1.0, 0.75, 1.0)
        return out, scale, cpu.lrn_input_gradient(gradient, x, scale, 5, 1.0, 0.75)

    def last_task_first(kernel, tasks, *arguments):
        for task in reversed(range(tasks)):
            kernel(task, task + 1, *arguments)

    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(both())
    monkeypatch.setattr(cpu, "run", last_task_first)
    results.append(both())
    for result in results[1:]:
        for got, want in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("C", [1, 7, 64, 1500])
def test_many_pixels(C):
    """More than one tile, and a row that is longer than a tile."""
    rng = np.random.default_rng(C)
    pixels = max(4, 3000 // C)
    x, gradient = rng.standard_normal((2, 1, C, 1, pixels))
    out, scale = RUNGS["cpu"].lrn_forward(x, 4, 1.0, 0.75, 1.0)
    want, want_scale = RUNGS["vectorized"].lrn_forward(x, 4, 1.0, 0.75, 1.0)
    np.testing.assert_allclose(scale, want_scale, rtol=1e-14)
    np.testing.assert_allclose(out, want, rtol=1e-14)
    back, want = (
        RUNGS[rung].lrn_input_gradient(gradient, x, scale, 4, 1.0, 0.75)
        for rung in ("cpu", "vectorized")
    )
    np.testing.assert_allclose(back, want, rtol=1e-13, atol=1e-14)


# -- what it computes ----------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
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
def test_window(rung, size, scale):
    x = np.array([1.0, 2.0, 4.0, 8.0]).reshape(1, 4, 1, 1)
    out, got = RUNGS[rung].lrn_forward(x, size, float(size), 1.0, 0.0)
    np.testing.assert_array_equal(got.ravel(), scale)
    np.testing.assert_allclose(out.ravel(), x.ravel() / scale, rtol=1e-15)


@given(SHAPES, SIZES, BETAS, SEEDS)
def test_gradient(shape, size, beta, seed):
    x = np.random.default_rng(seed).standard_normal(shape)
    settings = size, 1.0, beta, 1.0
    gradcheck(lambda x: local_response_norm(x, *settings), [x], seed=seed, directions=1)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3), (2, 5, 3, 2), (0, 5), (0, 5, 3, 3)])
def test_axes(shape):
    """Fewer axes are an image of one pixel or of one row."""
    rng = np.random.default_rng(0)
    array, cotangent = rng.standard_normal((2, *shape))
    x = minigrad.tensor(array, requires_grad=True)
    out = local_response_norm(x, 4, alpha=1.0)
    out.backward(cotangent)
    image = minigrad.tensor(
        array.reshape(*shape[:2], -1 if array.size else 0, 1), requires_grad=True
    )
    want = local_response_norm(image, 4, alpha=1.0)
    want.backward(cotangent.reshape(want.shape))
    np.testing.assert_array_equal(out.data, want.data.reshape(shape))
    np.testing.assert_array_equal(x.grad.data, image.grad.data.reshape(shape))


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (TypeError, lambda x: local_response_norm(x.data, 3), "x must be a Tensor, got ndarray"),
        (ValueError, lambda x: local_response_norm(x[0, 0, 0], 3), "x must have 2 or 3 or 4 axes"),
        (ValueError, lambda x: local_response_norm(x, 0), "size must be a positive integer, got 0"),
        (ValueError, lambda x: local_response_norm(x, 2.0), "size must be a positive integer"),
        (ValueError, lambda x: local_response_norm(x, True), "size must be .*, got True"),
        (TypeError, lambda x: local_response_norm(x, 3, "1"), "alpha must be a number, got '1'"),
        (TypeError, lambda x: local_response_norm(x, 3, beta=None), "beta must be a number"),
        (TypeError, lambda x: local_response_norm(x, 3, k=[1]), r"k must be a number, got \[1\]"),
    ],
)
def test_errors(error, call, message):
    with pytest.raises(error, match=f"local_response_norm: {message}"):
        call(minigrad.tensor(np.zeros((2, 3, 4, 4))))


# -- PyTorch -------------------------------------------------------------------------------------


@given(SHAPES, st.sampled_from([3, 4]), SIZES, BETAS, SEEDS)
def test_as_in_torch(shape, axes, size, beta, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    array, cotangent = rng.standard_normal((2, *shape[:axes]))
    a, b = minigrad.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    settings = {"size": size, "alpha": 1.0, "beta": beta, "k": 1.5}
    out = local_response_norm(a, **settings)
    want = torch.nn.functional.local_response_norm(b, **settings)
    np.testing.assert_allclose(out.data, want.detach().numpy(), rtol=1e-13)
    out.backward(cotangent)
    want.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_float64_is_summed_in_float64():
    """Beside 10⁴, a square of 10⁻⁴ would be lost in float32."""
    x = np.array([100.0, 0.01]).reshape(1, 2, 1, 1)
    for rung in RUNGS.values():
        _, scale = rung.lrn_forward(x, 3, 3.0, 0.75, 0.0)
        np.testing.assert_array_equal(scale.ravel(), [100.0**2 + 0.01**2] * 2)
