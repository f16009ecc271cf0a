"""Convolutions and poolings, drawn from the output's end.

An axis of an image follows from what slides along it: how many windows, which kernel, stride,
padding and dilation, and how much is left over behind the last window, or lacks at its end.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from minigrad.autograd import Array
from minigrad.ops.window import Padding, Pair, fitting_windows
from minigrad.testing.strategies.arrays import numbers, seeds

Shape = tuple[int, ...]


class Axis(NamedTuple):
    """One axis of an image and the window that slides along it."""

    length: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int


def _both_sides(padding: Any) -> Padding:
    """Read (1, 0) as ((1, 1), (0, 0)), what the kernels take."""
    h, w = (p if isinstance(p, tuple) else (p, p) for p in padding)
    return h, w


def _one_side(case: str, padding: Any) -> Pair:
    """Insist on padding that an operation can be asked for: as much before as after."""
    (top, bottom), (left, right) = _both_sides(padding)
    if top != bottom or left != right:
        raise ValueError(
            f"{case}: options are an operation's, whose padding is the same on both sides, but "
            f"padding is {padding}: ask for geometry, or draw without asymmetric_padding"
        )
    return top, left


def _padding(h: Axis, w: Axis, asymmetric: bool) -> Any:
    if asymmetric:
        return (h.before, h.after), (w.before, w.after)
    return h.before, w.before


@st.composite
def _axes(
    draw: st.DrawFn,
    *,
    max_windows: int = 4,
    max_kernel: int = 3,
    max_stride: int = 3,
    max_dilation: int = 2,
    half_padding: bool = False,
    asymmetric: bool = False,
    hanging: bool = False,
    blind: bool = True,
) -> Axis:
    """Draw an axis.

    `half_padding`: at most half the kernel, else up to 2. `hanging`: the image may lack pixels that
    the last window would cover. `blind`: a window may miss every pixel.
    """
    kernel = draw(st.integers(1, max_kernel), label="kernel")
    stride = draw(st.integers(1, max_stride), label="stride")
    dilation = draw(st.integers(1, max_dilation), label="dilation")
    paddings = st.integers(0, kernel // 2 if half_padding else 2)
    before = draw(paddings, label="padding")
    after = draw(paddings, label="padding after") if asymmetric else before
    slack = draw(st.integers(0, stride - 1), label="hanging over" if hanging else "left over")
    slack = -slack if hanging else slack
    # A window whose elements lie `dilation` apart sees one of as many pixels.
    least = 1 if blind or kernel == 1 else dilation
    one_window = dilation * (kernel - 1) + 1 + slack - before - after
    fewest = max(1, 1 - (one_window - least) // stride)  # windows that `least` pixels need
    windows = fewest + draw(st.integers(0, max_windows - 1), label="more windows")
    length = one_window + (windows - 1) * stride
    return Axis(length, kernel, stride, before, after, dilation)


def _batch_sizes(empty_batches: bool) -> st.SearchStrategy[int]:
    return st.sampled_from([1, 2, 3, 0] if empty_batches else [1, 2, 3])


# -- convolution ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conv2dCase:
    """A convolution: the shapes of its arguments, its options, and the seed of its numbers.

    Attributes
    ----------
    x : (N, C, H, W)
    weight : (O, C / groups, kh, kw)
    stride, dilation : (int, int)
    padding : (int, int), or ((top, bottom), (left, right))
    groups : int
    seed : int

    Examples
    --------
    >>> import minigrad
    >>> from minigrad.testing.strategies import Conv2dCase
    >>> case = Conv2dCase(x=(1, 2, 5, 5), weight=(3, 2, 3, 3), stride=(2, 2))
    >>> tensors = [minigrad.tensor(a) for a in case.arrays()]
    >>> minigrad.functional.conv2d(*tensors, **case.options).shape == case.output
    True
    """

    x: Shape
    weight: Shape
    stride: Pair = (1, 1)
    padding: Any = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    seed: int = 0

    def arrays(
        self, dtype: DTypeLike = np.float64, values: str = "normal"
    ) -> tuple[Array, Array, Array]:
        """Make x, weight and bias; `values` as in `random_array`."""
        rng = np.random.default_rng(self.seed)
        x, weight, bias = (
            numbers(rng, shape, values, dtype) for shape in (self.x, self.weight, self.weight[:1])
        )
        return x, weight, bias

    @property
    def options(self) -> dict[str, Any]:
        """What `conv2d` takes beside its tensors."""
        return {
            "stride": self.stride,
            "padding": _one_side("Conv2dCase", self.padding),
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def window(self) -> dict[str, Any]:
        """What `im2col` and `col2im` take beside their tensors."""
        options = {"kernel_size": self.weight[2:], **self.options}
        del options["groups"]
        return options

    @property
    def geometry(self) -> tuple[Pair, Padding, Pair, int]:
        """What the kernels take beside their arrays: stride, padding, dilation, groups."""
        return self.stride, _both_sides(self.padding), self.dilation, self.groups

    @property
    def output(self) -> Shape:
        """The shape of the output: (N, O, oh, ow)."""
        h, w = fitting_windows(
            self.x, (self.weight[2], self.weight[3]), *self.geometry[:3], ceil_mode=False
        )
        return self.x[0], self.weight[0], h, w


@st.composite
def conv2d_cases(
    draw: st.DrawFn,
    *,
    max_kernel: int = 3,
    max_stride: int = 3,
    max_dilation: int = 2,
    max_groups: int = 2,
    max_windows: int = 4,
    asymmetric_padding: bool = False,
    empty_batches: bool = True,
) -> Conv2dCase:
    """Draw a convolution that fits, as a `Conv2dCase`.

    Each axis for itself: kernel 1 … `max_kernel`, stride 1 … `max_stride`, dilation
    1 … `max_dilation`, padding 0 … 2, 0 … stride − 1 pixels that no window reaches, and up to
    `max_windows` − 1 windows more than are needed to have a pixel. N is 1, 2, 3 or 0, there are
    1 … `max_groups` groups, each of 1 … 3 channels and 1 … 3 outputs.

    Shrinks towards one image of one pixel, a 1×1 kernel, stride 1 and no padding; what a failure
    needs beyond that stays.

    Parameters
    ----------
    max_kernel, max_stride, max_dilation, max_groups, max_windows : int
    asymmetric_padding : bool
        Draw the padding before and after an axis each for itself, as the kernels take it and the
        operation does not.
    empty_batches : bool
        Whether N may be 0.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.conv2d_cases(), lambda case: case.stride == (1, 2))
    Conv2dCase(x=(1, 1, 1, 1), weight=(1, 1, 1, 1), stride=(1, 2), padding=(0, 0),
               dilation=(1, 1), groups=1, seed=0)
    """
    axis = _axes(
        max_windows=max_windows,
        max_kernel=max_kernel,
        max_stride=max_stride,
        max_dilation=max_dilation,
        asymmetric=asymmetric_padding,
    )
    h, w = draw(axis, label="height"), draw(axis, label="width")
    n = draw(_batch_sizes(empty_batches), label="N")
    groups = draw(st.integers(1, max_groups), label="groups")
    channels, outputs = (
        draw(st.integers(1, 3), label=f"{what} of a group") for what in ("channels", "outputs")
    )
    return Conv2dCase(
        x=(n, groups * channels, h.length, w.length),
        weight=(groups * outputs, channels, h.kernel, w.kernel),
        stride=(h.stride, w.stride),
        padding=_padding(h, w, asymmetric_padding),
        dilation=(h.dilation, w.dilation),
        groups=groups,
        seed=draw(seeds(), label="seed"),
    )


# -- pooling -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pool2dCase:
    """A pooling: the shape of its argument, its options, and the seed of its numbers.

    Attributes
    ----------
    x : (N, C, H, W)
    kernel_size, stride, dilation : (int, int)
    padding : (int, int), or ((top, bottom), (left, right))
    ceil_mode : bool
    count_include_pad : bool
        For average pooling.
    seed : int

    Examples
    --------
    >>> import minigrad
    >>> from minigrad.testing.strategies import Pool2dCase
    >>> case = Pool2dCase(x=(1, 1, 4, 4), kernel_size=(3, 3), stride=(2, 2), ceil_mode=True)
    >>> (x,) = case.arrays()
    >>> minigrad.functional.max_pool2d(minigrad.tensor(x), **case.max_options).shape == case.output
    True
    """

    x: Shape
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Any = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True
    seed: int = 0

    def arrays(self, dtype: DTypeLike = np.float64, values: str = "distinct") -> tuple[Array]:
        """Make x; `values` as in `random_array`."""
        return (numbers(np.random.default_rng(self.seed), self.x, values, dtype),)

    @property
    def max_options(self) -> dict[str, Any]:
        """What `max_pool2d` takes beside its tensor."""
        return {
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": _one_side("Pool2dCase", self.padding),
            "dilation": self.dilation,
            "ceil_mode": self.ceil_mode,
        }

    @property
    def avg_options(self) -> dict[str, Any]:
        """What `avg_pool2d` takes beside its tensor. It knows no dilation."""
        if self.dilation != (1, 1):
            raise ValueError(
                f"Pool2dCase: avg_pool2d knows no dilation, but this case has {self.dilation}: "
                "draw with max_dilation=1"
            )
        options = {**self.max_options, "count_include_pad": self.count_include_pad}
        del options["dilation"]
        return options

    @property
    def geometry(self) -> tuple[Pair, Pair, Padding, Pair]:
        """What the kernels of both take first: kernel_size, stride, padding, dilation."""
        return self.kernel_size, self.stride, _both_sides(self.padding), self.dilation

    @property
    def output(self) -> Shape:
        """The shape of the output: (N, C, oh, ow)."""
        return *self.x[:2], *fitting_windows(self.x, *self.geometry, self.ceil_mode)

    @property
    def leftover(self) -> Pair:
        """Count, along height and width, the pixels and padding behind the last window.

        Negative where it hangs over the end, as it may in ceil mode.
        """
        size, stride, padding, dilation = self.geometry
        h, w = (
            self.x[2 + i]
            + sum(padding[i])
            - (self.output[2 + i] - 1) * stride[i]
            - (dilation[i] * (size[i] - 1) + 1)
            for i in (0, 1)
        )
        return h, w


@st.composite
def pool2d_cases(
    draw: st.DrawFn,
    *,
    max_kernel: int = 3,
    max_stride: int = 4,
    max_dilation: int = 2,
    max_windows: int = 3,
    asymmetric_padding: bool = False,
    blind_windows: bool = False,
    empty_batches: bool = True,
) -> Pool2dCase:
    """Draw a pooling that fits, as a `Pool2dCase`.

    Each axis for itself: kernel 1 … `max_kernel`, stride 1 … `max_stride` (smaller, equal and
    larger than the kernel), dilation 1 … `max_dilation`, padding 0 … half the kernel,
    0 … stride − 1 pixels that no window reaches, and up to `max_windows` − 1 windows more than are
    needed to have a pixel. In ceil mode, instead of what is left over, up to stride − 1 pixels are
    lacking that the last window would cover, even if it is the first. N is 1, 2, 3 or 0, C is
    1, 2 or 3.

    Shrinks towards one image of one pixel, a 1×1 kernel, stride 1, no padding and no ceil mode;
    what a failure needs beyond that stays.

    Parameters
    ----------
    max_kernel, max_stride, max_dilation, max_windows : int
        Average pooling knows no dilation: for it, draw with ``max_dilation=1``.
    asymmetric_padding : bool
        Draw the padding before and after an axis each for itself, as the kernels take it and the
        operations do not.
    blind_windows : bool
        Allow images so small that a dilated window may miss every pixel.
    empty_batches : bool
        Whether N may be 0.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.pool2d_cases(), lambda case: case.padding == (0, 1))
    Pool2dCase(x=(1, 1, 1, 1), kernel_size=(1, 2), stride=(1, 1), padding=(0, 1),
               dilation=(1, 1), ceil_mode=False, count_include_pad=True, seed=0)
    """
    ceil_mode = draw(st.booleans(), label="ceil_mode")
    axis = _axes(
        max_windows=max_windows,
        max_kernel=max_kernel,
        max_stride=max_stride,
        max_dilation=max_dilation,
        half_padding=True,
        asymmetric=asymmetric_padding,
        hanging=ceil_mode,
        blind=blind_windows,
    )
    h, w = draw(axis, label="height"), draw(axis, label="width")
    n = draw(_batch_sizes(empty_batches), label="N")
    return Pool2dCase(
        x=(n, draw(st.integers(1, 3), label="C"), h.length, w.length),
        kernel_size=(h.kernel, w.kernel),
        stride=(h.stride, w.stride),
        padding=_padding(h, w, asymmetric_padding),
        dilation=(h.dilation, w.dilation),
        ceil_mode=ceil_mode,
        count_include_pad=not draw(st.booleans(), label="without padding"),
        seed=draw(seeds(), label="seed"),
    )
