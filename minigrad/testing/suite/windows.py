"""Convolution, im2col, col2im and the poolings: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad.autograd import Array
from minigrad.testing import laws
from minigrad.testing import strategies as our
from minigrad.testing.gradients import gradcheck
from minigrad.testing.place import fetch, tensor
from minigrad.testing.strategies import Conv2dCase, Pool2dCase, random_array
from minigrad.testing.suite import oracles
from minigrad.testing.suite.comparing import OTHER, near, near_on_all_rungs, same
from minigrad.testing.suite.property import CPU_THREADS, holds

# -- convolution ---------------------------------------------------------------------------------

# Most mistakes in geometry hide where both axes are alike.
LOPSIDED = Conv2dCase(
    x=(3, 4, 8, 7), weight=(4, 2, 3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2
)
SQUARE = Conv2dCase(x=(2, 3, 5, 6), weight=(3, 3, 3, 3), padding=(1, 1))


def _conv2d(case: Conv2dCase) -> Any:
    return lambda *tensors: F.conv2d(*tensors, **case.options)


def _check_conv2d(case: Conv2dCase) -> None:
    arrays = case.arrays(np.float32, "integers")
    out = _conv2d(case)(*(tensor(a) for a in arrays))
    same(out.data, oracles.conv2d(arrays, *case.geometry))


@holds("conv2d")
def two_known_convolutions() -> None:
    """All options at once, and a square kernel, against windows times weights."""
    _check_conv2d(LOPSIDED)
    _check_conv2d(SQUARE)


@holds("conv2d", case=our.conv2d_cases())
def convolution_as_defined(case: Conv2dCase) -> None:
    """Output = windows times weights plus bias, exactly, on integers."""
    _check_conv2d(case)


@holds("conv2d")
def same_padding_as_defined() -> None:
    """An even kernel gets its odd pixel of padding behind the image."""
    for shape, padding in (((1, 1, 1, 2), ((0, 0), (0, 1))), ((1, 1, 4, 1), ((1, 2), (0, 0)))):
        x, weight = random_array((1, 1, 5, 6), "integers"), random_array(shape, "integers", seed=1)
        out = F.conv2d(tensor(x), tensor(weight), padding="same")
        same(out.data, oracles.conv2d((x, weight, np.zeros(1)), (1, 1), padding))


@holds("conv2d", case=our.conv2d_cases())
def convolution_gradients(case: Conv2dCase) -> None:
    """The gradients are what differences say."""
    gradcheck(_conv2d(case), case.arrays(), seed=case.seed + OTHER)


@holds("conv2d", case=our.conv2d_cases())
def convolution_transposed(case: Conv2dCase) -> None:
    """⟨conv(x), c⟩ = ⟨x, gradient⟩ = ⟨weight, gradient⟩, exactly, on integers."""
    x, weight, _ = case.arrays(values="integers")
    laws.adjoint(_conv2d(case), [x, weight], seed=case.seed + OTHER)


@holds("conv2d", case=our.conv2d_cases())
def convolution_on_all_rungs(case: Conv2dCase) -> None:
    """All rungs agree to the bit on integers."""
    laws.rungs_agree(_conv2d(case), case.arrays(np.float32, "integers"), seed=case.seed + OTHER)


@holds("conv2d", cpu_only=CPU_THREADS)
def convolution_on_any_number_of_threads() -> None:
    """On real numbers too, no bit depends on the number of threads."""
    shapes = (5, 3, 16, 15), (4, 3, 3, 3), (4,)
    arrays = [random_array(s, dtype=np.float32, seed=i) for i, s in enumerate(shapes)]
    laws.threads_agree(lambda x, w, b: F.conv2d(x, w, b, padding=1), arrays)


# -- im2col and col2im ---------------------------------------------------------------------------


@holds("im2col")
def im2col_by_hand() -> None:
    """The four windows of a picture of nine numbers."""
    x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    columns = [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    same(F.im2col(tensor(x), 2).data[0].T, columns)


@holds("im2col", case=our.conv2d_cases())
def im2col_as_defined(case: Conv2dCase) -> None:
    """Each column holds what one window sees: channels, then rows, then columns."""
    (x, _, _), (stride, padding, dilation, _) = case.arrays(values="integers"), case.geometry
    seen = oracles.windows(x, case.window["kernel_size"], stride, padding, dilation)
    N, C, oh, ow, kh, kw = seen.shape
    columns = seen.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * kh * kw, oh * ow)
    same(F.im2col(tensor(x), **case.window).data, columns)


@holds("im2col", case=our.conv2d_cases())
def im2col_transposed(case: Conv2dCase) -> None:
    """⟨im2col(x), c⟩ = ⟨x, gradient⟩, exactly; all rungs agree."""
    x, _, _ = case.arrays(values="integers")
    laws.adjoint(lambda t: F.im2col(t, **case.window), x, seed=case.seed + OTHER)
    laws.rungs_agree(lambda t: F.im2col(t, **case.window), x, seed=case.seed + OTHER)


def _size(case: Conv2dCase) -> tuple[int, int]:
    return case.x[2], case.x[3]


@holds("col2im")
def col2im_by_hand() -> None:
    """Ones come back as the number of windows that see each pixel."""
    out = F.col2im(tensor(np.ones((1, 4, 4))), 3, 2)
    same(out.data[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@holds("col2im", case=our.conv2d_cases())
def col2im_transposed(case: Conv2dCase) -> None:
    """⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩, exactly; all rungs agree."""
    x, _, _ = case.arrays(values="integers")
    cols = F.im2col(tensor(x), **case.window)
    c = random_array(cols.shape, "integers", seed=case.seed + OTHER)
    back = F.col2im(tensor(c), _size(case), **case.window)
    same((fetch(cols) * c).sum(), (x * fetch(back)).sum(), "⟨im2col(x), c⟩")
    laws.rungs_agree(lambda t: F.col2im(t, _size(case), **case.window), c, seed=case.seed + OTHER)


# -- max pooling ---------------------------------------------------------------------------------


def _max_pool2d(case: Pool2dCase) -> Any:
    return lambda x: F.max_pool2d(x, **case.max_options)


def _check_max_pool2d(case: Pool2dCase, values: str) -> None:
    """Hold output and gradient against all windows, written down, and their first maxima."""
    (x,) = case.arrays(values=values)
    t = tensor(x, requires_grad=True)
    out = F.max_pool2d(t, **case.max_options)
    options: Any = {"ceil_mode": case.ceil_mode, "fill": -np.inf}
    seen = oracles.windows(x, *case.geometry, **options)
    flat = seen.reshape(*seen.shape[:4], seen.shape[4] * seen.shape[5])
    same(out.data, flat.max(-1))
    places = np.arange(1.0, x.size + 1).reshape(x.shape)  # so that windows tell which pixel it is
    numbers = oracles.windows(places, *case.geometry, **options).reshape(flat.shape)
    first = np.take_along_axis(numbers, flat.argmax(-1)[..., np.newaxis], -1)[..., 0]
    c = random_array(out.shape, "integers", seed=case.seed + OTHER)
    if out.size:
        out.backward(c)
        want = np.zeros(x.size)
        np.add.at(want, first.astype(int).ravel() - 1, c.ravel())
        assert t.grad is not None
        same(t.grad.data, want.reshape(x.shape), "the gradient")


@holds("max_pool2d")
def known_max_poolings() -> None:
    """Equal numbers, ragged tilings, ceil mode, dilation: against all windows, written down."""
    for case in (
        Pool2dCase(x=(2, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 1)),
        Pool2dCase(x=(1, 2, 6, 6), kernel_size=(3, 3), stride=(2, 2), ceil_mode=True),
        Pool2dCase(x=(1, 1, 6, 7), kernel_size=(2, 3), dilation=(2, 2), padding=(1, 0)),
        # The last window would begin behind the image, so it is left out even in ceil mode.
        Pool2dCase(
            x=(1, 1, 5, 5), kernel_size=(2, 2), stride=(3, 3), padding=(1, 1), ceil_mode=True
        ),
    ):
        _check_max_pool2d(case, "ties")


@holds("max_pool2d")
def negative_numbers_beat_padding() -> None:
    """All −1 with padding gives all −1."""
    out = F.max_pool2d(tensor(-np.ones((1, 1, 4, 4))), 3, 2, 1)
    same(out.data, -np.ones((1, 1, 2, 2)))


@holds("max_pool2d")
def nan_is_not_hidden() -> None:
    """A window that holds a NaN gives NaN."""
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 1, 1] = np.nan
    same(F.max_pool2d(tensor(x), 2).data, [[[[np.nan, 7], [13, 15]]]])


@holds("max_pool2d")
def a_window_of_more_than_256() -> None:
    """The winner of a large window is found again."""
    x = -np.ones((1, 1, 17, 17))
    x[0, 0, 16, 3] = 1
    t = tensor(x, requires_grad=True)
    F.max_pool2d(t, 17).backward(np.full((1, 1, 1, 1), 5.0))
    assert t.grad is not None
    same(t.grad.data, 5 * (x > 0), "the gradient")


@holds("max_pool2d", case=our.pool2d_cases(), values=st.sampled_from(["ties", "distinct"]))
def max_pooling_as_defined(case: Pool2dCase, values: str) -> None:
    """The largest number of each window; the first in scan order gets the gradient."""
    _check_max_pool2d(case, values)


@holds("max_pool2d", case=our.pool2d_cases())
def max_pooling_gradients(case: Pool2dCase) -> None:
    """The gradient is what differences say."""
    gradcheck(_max_pool2d(case), case.arrays(), seed=case.seed + OTHER)


@holds("max_pool2d", case=our.pool2d_cases(blind_windows=True))
def max_pooling_on_all_rungs(case: Pool2dCase) -> None:
    """All rungs agree to the bit, also about equal numbers."""
    laws.rungs_agree(_max_pool2d(case), case.arrays(np.float32, "ties"), seed=case.seed + OTHER)


# -- average pooling -----------------------------------------------------------------------------


def _avg_pool2d(case: Pool2dCase) -> Any:
    return lambda x: F.avg_pool2d(x, **case.avg_options)


def _check_avg_pool2d(case: Pool2dCase) -> None:
    (x,), (kernel_size, stride, padding, _) = case.arrays(values="integers"), case.geometry
    options: Any = {"ceil_mode": case.ceil_mode}
    seen = oracles.windows(x, kernel_size, stride, padding, **options)
    pads = 1.0 if case.count_include_pad else 0.0
    ones = np.ones_like(x)
    counted = oracles.windows(ones, kernel_size, stride, padding, fill=pads, beyond=0.0, **options)
    out = F.avg_pool2d(tensor(x), **case.avg_options)
    near(out.data, oracles.average(seen, counted))


@holds("avg_pool2d")
def known_average_poolings() -> None:
    """Padding counted or not, and windows that hang over it."""
    for include in (True, False):
        for ceil_mode in (True, False):
            options: Any = {"ceil_mode": ceil_mode, "count_include_pad": include}
            _check_avg_pool2d(
                Pool2dCase(
                    x=(2, 2, 6, 8), kernel_size=(3, 2), stride=(2, 3), padding=(1, 1), **options
                )
            )


@holds("avg_pool2d", case=our.pool2d_cases(max_dilation=1))
def average_pooling_as_defined(case: Pool2dCase) -> None:
    """The sum of each window, divided by what is counted in it."""
    _check_avg_pool2d(case)


@holds("avg_pool2d", case=our.pool2d_cases(max_dilation=1))
def average_pooling_gradients(case: Pool2dCase) -> None:
    """Backward is the transpose of forward, and what differences say."""
    laws.adjoint(
        _avg_pool2d(case), case.arrays(values="integers"), seed=case.seed + OTHER, roundings=4
    )
    gradcheck(_avg_pool2d(case), case.arrays(values="normal"), seed=case.seed + OTHER)


@holds("avg_pool2d", case=our.pool2d_cases(max_dilation=1))
def average_pooling_on_all_rungs(case: Pool2dCase) -> None:
    """All rungs agree up to the rounding of a division."""
    arrays = case.arrays(values="integers")
    near_on_all_rungs(_avg_pool2d(case), arrays, case.seed + OTHER)


# -- adaptive average pooling --------------------------------------------------------------------


def _check_adaptive(x: Array, size: tuple[int, int]) -> None:
    out = F.adaptive_avg_pool2d(tensor(x), size)
    rows, columns = (oracles.adaptive_bounds(n, o) for n, o in zip(x.shape[2:], size, strict=True))
    want = [[x[:, :, r, c].mean((2, 3)) for c in columns] for r in rows]
    near(out.data, np.moveaxis(np.array(want), (0, 1), (2, 3)))


@holds("adaptive_avg_pool2d")
def known_adaptive_poolings() -> None:
    """Windows that overlap, since 3 and 4 do not divide 5 and 7; more windows than pixels."""
    x = random_array((2, 3, 5, 7))
    for size in ((3, 4), (1, 1), (7, 2)):
        _check_adaptive(x, size)


SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5))
IMAGES = our.arrays(st.tuples(*(st.integers(1, n) for n in (2, 2, 5, 5))))


@holds("adaptive_avg_pool2d", x=IMAGES, size=SIZES, seed=our.seeds())
def adaptive_pooling_as_defined(x: Array, size: tuple[int, int], seed: int) -> None:
    """The mean from ⌊i·H/oh⌋ to ⌈(i + 1)·H/oh⌉; backward is the transpose; all rungs agree."""
    _check_adaptive(x, size)
    f = lambda t: F.adaptive_avg_pool2d(t, size)  # noqa: E731
    laws.adjoint(f, x, seed=seed + OTHER, roundings=16)
    near_on_all_rungs(f, [x], seed + OTHER)


@holds("adaptive_avg_pool2d", x=IMAGES, size=SIZES, seed=our.seeds())
def adaptive_pooling_gradients(x: Array, size: tuple[int, int], seed: int) -> None:
    """The gradient is what differences say."""
    gradcheck(lambda t: F.adaptive_avg_pool2d(t, size), [x], seed=seed + OTHER)
