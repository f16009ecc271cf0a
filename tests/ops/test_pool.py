"""Pooling: the rungs agree, the gradients are right, every corner of the geometry occurs."""

import gc
import inspect
import weakref

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minigrad
from minigrad.cpu import get_num_threads, set_num_threads
from minigrad.ops.pool import RUNGS, adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minigrad.testing import gradcheck
from minigrad.testing.strategies import Pool2dCase, pool2d_cases, scrambled
from tests.ops.rungs import assert_rungs_agree, integers

DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)

# Kernels below are at most 3×3, so that an average divides by 1, 2, 3, 4, 6 or 9. Multiples of 36
# make every quotient an integer, and every sum of quotients exact.
EXACT = 36

# Ceil mode allows an image that is smaller than the window.
SMALL = Pool2dCase(x=(1, 1, 2, 2), kernel_size=(3, 3), stride=(2, 2), ceil_mode=True)

# One window, whose two elements lie to the left and to the right of the only pixel.
BLIND = Pool2dCase(
    x=(1, 1, 1, 1), kernel_size=(1, 2), stride=(1, 2), padding=(0, 1), dilation=(1, 2)
)

# What the kernels take, and what the operations and PyTorch do.
FOR_KERNELS = {"asymmetric_padding": True, "blind_windows": True}


@st.composite
def adaptive_sizes(draw):
    """Draw (shape, output_size), the output larger than the input now and then."""
    size = st.tuples(st.integers(1, 6), st.integers(1, 6))
    return (draw(st.integers(0, 2)), draw(st.integers(1, 3)), *draw(size)), draw(size)


@pytest.fixture
def threads():
    """Put the number of threads back."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def leaf(array):
    return minigrad.tensor(array, requires_grad=True)


# -- the rungs -----------------------------------------------------------------------------------


@given(pool2d_cases(**FOR_KERNELS), DTYPES)
@example(SMALL, np.float32)
@example(BLIND, np.float32)
def test_max_rungs_agree(case, dtype):
    """Small integers, so that most windows have ties."""
    rng = np.random.default_rng(case.seed)
    x = scrambled(rng, integers(rng, *case.x, low=-2, high=2, dtype=dtype))
    out, winners = assert_rungs_agree(
        RUNGS, "max_pool2d_forward", x, *case.geometry, case.ceil_mode
    )
    assert out.dtype == dtype
    assert winners.dtype == np.uint8
    gradient = scrambled(rng, integers(rng, *out.shape, dtype=dtype))
    arguments = gradient, scrambled(rng, winners), case.x, *case.geometry
    assert assert_rungs_agree(RUNGS, "max_pool2d_input_gradient", *arguments).dtype == dtype


@given(pool2d_cases(**FOR_KERNELS, max_dilation=1), DTYPES)
@example(SMALL, np.float32)
def test_avg_rungs_agree(case, dtype):
    rng = np.random.default_rng(case.seed)
    settings = *case.geometry[:3], case.ceil_mode, case.count_include_pad
    x = scrambled(rng, integers(rng, *case.x, dtype=dtype))
    out = assert_rungs_agree(RUNGS, "avg_pool2d_forward", x, *settings)
    gradient = scrambled(rng, EXACT * integers(rng, *out.shape, dtype=dtype))
    back = assert_rungs_agree(RUNGS, "avg_pool2d_input_gradient", gradient, case.x, *settings)
    assert out.dtype == back.dtype == dtype


@given(adaptive_sizes(), DTYPES, SEEDS)
def test_adaptive_rungs_agree(sizes, dtype, seed):
    rng = np.random.default_rng(seed)
    shape, size = sizes
    x = scrambled(rng, integers(rng, *shape, dtype=dtype))
    out = assert_rungs_agree(RUNGS, "adaptive_avg_pool2d_forward", x, size)
    # Windows have 1 to 6 rows and columns, and 60·60 is a multiple of each product of the two.
    gradient = scrambled(rng, 3600 * integers(rng, *out.shape, dtype=dtype))
    back = assert_rungs_agree(RUNGS, "adaptive_avg_pool2d_input_gradient", gradient, shape)
    assert out.dtype == back.dtype == dtype


@pytest.mark.parametrize(("kernel", "dtype"), [((16, 16), np.uint8), ((257, 1), np.int32)])
def test_winners_have_room_for_every_element(kernel, dtype):
    x = np.arange(kernel[0] * kernel[1], dtype=np.float32).reshape(1, 1, *kernel)
    window = kernel, (1, 1), ((0, 0), (0, 0)), (1, 1)
    _, winners = assert_rungs_agree(RUNGS, "max_pool2d_forward", x, *window, False)
    assert winners.dtype == dtype
    assert winners.item() == x.size - 1
    gradient = np.ones((1, 1, 1, 1), np.float32)
    back = assert_rungs_agree(
        RUNGS, "max_pool2d_input_gradient", gradient, winners, x.shape, *window
    )
    assert back.ravel()[-1] == back.sum() == 1


def test_threads_do_not_change_a_bit(threads, monkeypatch):
    """Nor does the order of the tasks, which it would if two of them wrote to the same place."""
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal((2, 2, 5, 9, 10)).astype(np.float32)
    cpu, window = RUNGS["cpu"], ((3, 2), (1, 1), ((1, 1), (1, 0)))

    def everything():
        out, winners = cpu.max_pool2d_forward(x, *window, (1, 1), False)
        yield from (out, winners)
        yield cpu.max_pool2d_input_gradient(gradient, winners, x.shape, *window, (1, 1))
        yield cpu.avg_pool2d_forward(x, *window, False, False)
        yield cpu.avg_pool2d_input_gradient(gradient, x.shape, *window, False, False)
        yield cpu.adaptive_avg_pool2d_forward(x, (4, 3))
        yield cpu.adaptive_avg_pool2d_input_gradient(gradient, (2, 5, 4, 5))

    def last_task_first(kernel, tasks, *arguments):
        for task in reversed(range(tasks)):
            kernel(task, task + 1, *arguments)

    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(list(everything()))
    monkeypatch.setattr(cpu, "run", last_task_first)
    results.append(list(everything()))
    for result in results[1:]:
        for got, want in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, want)


# -- what the maximum is -------------------------------------------------------------------------


@pytest.mark.parametrize("rung", RUNGS)
def test_padding_never_wins(rung):
    with minigrad.kernels(rung):
        out = max_pool2d(minigrad.tensor(np.full((1, 2, 4, 4), -1.0)), 3, 2, padding=1)
    np.testing.assert_array_equal(out.data, np.full((1, 2, 2, 2), -1.0))


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("value", [0.0, -np.inf])
def test_first_of_equals_wins(rung, value):
    """Also −∞, which equals the padding: a pixel wins all the same."""
    x = leaf(np.full((1, 1, 3, 3), value))
    with minigrad.kernels(rung):
        max_pool2d(x, 2, 1, padding=1).backward(np.arange(1.0, 17).reshape(1, 1, 4, 4))
    # Windows 1 2 5 6 see pixel (0, 0) first, windows 3 and 7 see (0, 1), window 4 and 8 (0, 2), …
    want = [[1 + 2 + 5 + 6, 3 + 7, 4 + 8], [9 + 10, 11, 12], [13 + 14, 15, 16]]
    np.testing.assert_array_equal(x.grad.data[0, 0], want)


def test_nan_is_not_hidden():
    """The first NaN wins, wherever it stands."""
    x = np.array([[[[1.0, np.nan, 3.0, np.nan, 5.0, 6.0]]]])
    window = (1, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)
    out, winners = assert_rungs_agree(RUNGS, "max_pool2d_forward", x, *window, False)
    np.testing.assert_array_equal(out[0, 0, 0], [np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(winners[0, 0, 0], [1, 0, 1, 0])


def test_maximum_does_not_keep_its_input():
    """One byte for each output is all that backward needs."""
    x = leaf(np.zeros((1, 2, 4, 4))) + 1.0
    kept = weakref.ref(x.data)
    out = max_pool2d(x, 2)
    del x
    gc.collect()
    assert out.requires_grad
    assert kept() is None


# -- gradients -----------------------------------------------------------------------------------


@given(pool2d_cases())
def test_max_gradient(case):
    """All numbers differ by 0.6 at least, so that no small step changes a winner."""
    x = case.arrays(values="distinct")
    gradcheck(lambda x: max_pool2d(x, **case.max_options), x, seed=case.seed, directions=1)


@given(pool2d_cases(max_dilation=1))
def test_avg_gradient(case):
    x = case.arrays(values="normal")
    gradcheck(lambda x: avg_pool2d(x, **case.avg_options), x, seed=case.seed, directions=1)


@given(adaptive_sizes(), SEEDS)
def test_adaptive_gradient(sizes, seed):
    shape, size = sizes
    x = np.random.default_rng(seed).standard_normal(shape)
    gradcheck(lambda x: adaptive_avg_pool2d(x, size), [x], seed=seed, directions=1)


@given(pool2d_cases(**FOR_KERNELS, max_dilation=1))
def test_average_and_its_gradient_are_adjoint(case):
    """⟨A x, g⟩ = ⟨x, Aᵀ g⟩, exactly: all numbers are integers."""
    rng = np.random.default_rng(case.seed)
    settings = *case.geometry[:3], case.ceil_mode, case.count_include_pad
    x = EXACT * integers(rng, *case.x, dtype=np.float64)
    out = RUNGS["cpu"].avg_pool2d_forward(x, *settings)
    g = EXACT * integers(rng, *out.shape, dtype=np.float64)
    back = RUNGS["cpu"].avg_pool2d_input_gradient(g, case.x, *settings)
    assert (out * g).sum() == (x * back).sum()


@given(adaptive_sizes(), SEEDS)
def test_adaptive_average_and_its_gradient_are_adjoint(sizes, seed):
    rng = np.random.default_rng(seed)
    shape, size = sizes
    x = 3600 * integers(rng, *shape, dtype=np.float64)
    g = 3600 * integers(rng, *shape[:2], *size, dtype=np.float64)
    out = RUNGS["cpu"].adaptive_avg_pool2d_forward(x, size)
    back = RUNGS["cpu"].adaptive_avg_pool2d_input_gradient(g, shape)
    assert (out * g).sum() == (x * back).sum()


# -- the operations ------------------------------------------------------------------------------


def test_defaults():
    """The stride is the kernel's size, and None keeps a length."""
    x = minigrad.tensor(np.arange(24.0).reshape(1, 1, 4, 6))
    np.testing.assert_array_equal(max_pool2d(x, (2, 3)).data[0, 0], [[8, 11], [20, 23]])
    np.testing.assert_array_equal(avg_pool2d(x, (2, 3)).data[0, 0], [[4, 7], [16, 19]])
    np.testing.assert_array_equal(adaptive_avg_pool2d(x, None).data, x.data)
    assert adaptive_avg_pool2d(x, (None, 2)).shape == (1, 1, 4, 2)
    assert adaptive_avg_pool2d(x, [2, None]).shape == (1, 1, 2, 6)


def test_googlenet_sizes():
    """3×3 windows with stride 2 never tile GoogLeNet's images, and ceil mode rounds up."""
    for length, want in ((112, 56), (56, 28), (28, 14), (14, 7)):
        x = minigrad.tensor(np.zeros((1, 1, length, length)))
        assert max_pool2d(x, 3, 2, ceil_mode=True).shape[2:] == (want, want)
        assert max_pool2d(x, 3, 2).shape[2:] == (want - 1, want - 1)
    x = minigrad.tensor(np.zeros((1, 1, 14, 14)))
    assert avg_pool2d(x, 5, 3).shape[2:] == (4, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: max_pool2d(x[0], 2), r"max_pool2d: x must have 4 axes \(N, C, H, W\), got"),
        (lambda x: max_pool2d(x, 0), "max_pool2d: kernel_size must be an integer of at least 1"),
        (lambda x: max_pool2d(x, 2, 0), "max_pool2d: stride must be an integer of at least 1"),
        (lambda x: max_pool2d(x, 2, dilation=(1, 0)), "max_pool2d: dilation must be an integer"),
        (lambda x: avg_pool2d(x, 2, padding=-1), "avg_pool2d: padding must be an integer of at"),
        (
            lambda x: avg_pool2d(x, 3, padding=(1, 2)),
            r"avg_pool2d: padding must be at most half of kernel_size \(3, 3\), rounded down, "
            r"got \(1, 2\)",
        ),
        # Dilation does not count: nor does it in PyTorch.
        (lambda x: max_pool2d(x, 3, padding=2, dilation=2), "max_pool2d: padding must be at most"),
        (
            lambda x: max_pool2d(x, (2, 4), dilation=(1, 2)),
            r"max_pool2d: the window covers 2×7 but the padded input is only 4×6 "
            r"\(x has shape \(2, 3, 4, 6\)\)",
        ),
        (
            lambda x: max_pool2d(x[:, :, :0], 2),
            r"max_pool2d: x must have at least one pixel to an image, got shape \(2, 3, 0, 6\)",
        ),
        (lambda x: adaptive_avg_pool2d(x[..., :0], 2), "adaptive_avg_pool2d: x must have at least"),
        (
            lambda x: adaptive_avg_pool2d(x, (2, 0)),
            r"adaptive_avg_pool2d: output_size must be an integer of at least 1, None, or a pair "
            r"of them, got \(2, 0\)",
        ),
        (lambda x: adaptive_avg_pool2d(x, (1, 2, 3)), r"output_size .* got \(1, 2, 3\)"),
        (lambda x: adaptive_avg_pool2d(x, 1.0), r"output_size .* got 1\.0"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(minigrad.tensor(np.zeros((2, 3, 4, 6))))


@pytest.mark.parametrize("operation", [max_pool2d, avg_pool2d, adaptive_avg_pool2d])
def test_only_floating_tensors(operation):
    name = operation.__name__
    with pytest.raises(TypeError, match=f"{name}: x must be a Tensor, got ndarray"):
        operation(np.zeros((1, 1, 2, 2)), 2)
    with pytest.raises(TypeError, match=f"{name}: x must be float32 or float64, got int64"):
        operation(minigrad.tensor(np.zeros((1, 1, 2, 2), np.int64)), 2)


# -- PyTorch -------------------------------------------------------------------------------------


def assert_same_as_torch(ours, theirs, x, gradient_seed, exact):
    """Compare forward and backward in float64."""
    torch = pytest.importorskip("torch")
    a, b = leaf(x), torch.tensor(x, requires_grad=True)
    out, want = ours(a), theirs(torch.nn.functional, b)
    close = np.testing.assert_array_equal if exact else np.testing.assert_allclose
    tolerance = {} if exact else {"rtol": 1e-14, "atol": 1e-14}
    assert out.shape == tuple(want.shape)
    close(out.data, want.detach().numpy(), **tolerance)
    cotangent = np.random.default_rng(gradient_seed).standard_normal(out.shape)
    out.backward(cotangent)
    want.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=1e-14, atol=1e-14)


@given(pool2d_cases())
@example(SMALL)
def test_max_as_in_torch(case):
    (x,), options = case.arrays(values="ties"), case.max_options
    assert_same_as_torch(
        lambda x: max_pool2d(x, **options), lambda f, x: f.max_pool2d(x, **options), x, case.seed,
        exact=True,
    )  # fmt: skip


@given(pool2d_cases(max_dilation=1))
@example(SMALL)
def test_avg_as_in_torch(case):
    (x,), options = case.arrays(values="normal"), case.avg_options
    assert_same_as_torch(
        lambda x: avg_pool2d(x, **options), lambda f, x: f.avg_pool2d(x, **options), x, case.seed,
        exact=False,
    )  # fmt: skip


@given(adaptive_sizes(), SEEDS)
def test_adaptive_as_in_torch(sizes, seed):
    shape, size = sizes
    x = np.random.default_rng(seed).standard_normal(shape)
    assert_same_as_torch(
        lambda x: adaptive_avg_pool2d(x, size),
        lambda f, x: f.adaptive_avg_pool2d(x, size),
        x, seed, False,
    )  # fmt: skip


def test_same_defaults_as_torch():
    torch = pytest.importorskip("torch")
    for ours, theirs in ((max_pool2d, torch.nn.MaxPool2d), (avg_pool2d, torch.nn.AvgPool2d)):
        wanted = inspect.signature(theirs).parameters
        for name, parameter in inspect.signature(ours).parameters.items():
            assert name == "x" or parameter.default == wanted[name].default, name
