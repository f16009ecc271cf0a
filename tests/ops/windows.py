"""Geometries of sliding windows, drawn constructively: every draw is a case, none is thrown away.

An axis is drawn from its end: how many windows, which kernel, step and padding, and how much is
left over behind the last window. The length of the image follows.
"""

from typing import NamedTuple

from hypothesis import strategies as st


class Axis(NamedTuple):
    """One axis of an image and the window that slides along it."""

    length: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int


@st.composite
def axes(draw, max_windows=4, max_kernel=3, same_padding=False):
    """Draw an axis. `same_padding`: as much before as after."""
    windows = draw(st.integers(1, max_windows), label="windows")
    kernel = draw(st.integers(1, max_kernel), label="kernel")
    stride = draw(st.integers(1, 3), label="stride")
    dilation = draw(st.integers(1, 2), label="dilation")
    leftover = draw(st.integers(0, stride - 1), label="leftover")
    covered = dilation * (kernel - 1) + 1 + (windows - 1) * stride + leftover
    # Padding may be no more than leaves a pixel of image.
    if same_padding:
        before = after = draw(st.integers(0, min(2, (covered - 1) // 2)), label="padding")
    else:
        before = draw(st.integers(0, min(2, covered - 1)), label="before")
        after = draw(st.integers(0, min(2, covered - 1 - before)), label="after")
    return Axis(covered - before - after, kernel, stride, before, after, dilation)


class ConvCase(NamedTuple):
    """Shapes and geometry of one convolution, as the kernels take them."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]
    groups: int
    seed: int

    @property
    def geometry(self):
        return self.stride, self.padding, self.dilation, self.groups


@st.composite
def conv_cases(draw, same_padding=False):
    """Draw a convolution: N from 0, C from 1, ragged tilings, groups, dilation, padding."""
    h, w = draw(axes(same_padding=same_padding)), draw(axes(same_padding=same_padding))
    n = draw(st.integers(0, 3), label="N")
    groups = draw(st.integers(1, 2), label="groups")
    channels, outputs = (draw(st.integers(1, 3)) for _ in range(2))
    return ConvCase(
        x=(n, groups * channels, h.length, w.length),
        weight=(groups * outputs, channels, h.kernel, w.kernel),
        stride=(h.stride, w.stride),
        padding=((h.before, h.after), (w.before, w.after)),
        dilation=(h.dilation, w.dilation),
        groups=groups,
        seed=draw(st.integers(0, 2**32 - 1), label="seed"),
    )
