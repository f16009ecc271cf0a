"""The properties of lesson 12: what a 1×1 convolution is, and what it saves."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits
from googlenet.architecture import Inception

__all__ = ["inception_cost", "pointwise", "widest_that_pays"]


def pointwise(answer: Callable) -> None:
    """Every pixel's channels meet the same matrix: out[n, :, i, j] = W @ x[n, :, i, j]."""
    small = st.integers(1, 3)

    @cases(N=small, C=small, O=small, H=small, W=small)
    def holds(N: int, C: int, O: int, H: int, W: int) -> None:
        x, weight = digits(N, C, H, W), digits(O, C, 1, 1, seed=1)
        matrix = weight[:, :, 0, 0]
        case = f"for x of shape {x.shape} and weight of shape {weight.shape}"
        needed = np.einsum("oc,nchw->nohw", matrix, x)
        mixed = matrix @ x.reshape(C, -1)
        agree(case, "the output", ask(answer, case, x, weight), needed, [
            (mixed.reshape(N, O, H, W),
             "reshape(C, …) does not move axes: with several pictures, numbers of one land in the "
             "channels of another. Flatten only the pixels, (N, C, H·W)."),
            (mixed.reshape(O, N, H, W).swapaxes(0, 1),
             "reshape(C, …) does not move axes: with several pictures, numbers of one land in the "
             "channels of another. Flatten only the pixels, (N, C, H·W)."),
            ((matrix @ x.reshape(N, C, -1)),
             "The numbers are right: give the pixels their two axes back."),
            (np.einsum("oc,nchw->nhwo", matrix, x),
             "The channels came out last: they belong on axis 1."),
            (np.einsum("oc,nchw->nohw", np.ones_like(matrix), x),
             "That is the sum of the channels: where is the weight?"),
            *([(np.einsum("co,nchw->nohw", matrix, x),
                "The matrix is transposed: weight[o, c] says what channel c gives to output o.")]
              if O == C else []),
            *([(matrix @ x, "`@` summed over the rows of the picture: the axis before the last "
                            "must be the channels, so flatten the pixels into one axis.")]
              if C == H else []),
        ])  # fmt: skip

    holds()


def inception_cost(answer: Callable) -> None:
    """Six convolutions: each (channels in) · (channels out) · k² products at every pixel."""
    width = st.integers(1, 3)

    @cases(channels=st.integers(1, 4), pixels=st.integers(1, 4), a=width, b=width, c=width)
    def holds(channels: int, pixels: int, a: int, b: int, c: int) -> None:
        branches = {
            "the 1×1 branch": ((a, 0, 0, 0, 0, 0), channels * a),
            "the 3×3 branch": ((0, b, c, 0, 0, 0), channels * b + 9 * b * c),
            "the 5×5 branch": ((0, 0, 0, b, c, 0), channels * b + 25 * b * c),
            "the pool's branch": ((0, 0, 0, 0, 0, a), channels * a),
        }
        for name, (widths, needed) in branches.items():
            case = f"{channels} channels, {pixels} pixels, widths {widths}:"
            k = {"the 3×3 branch": 3, "the 5×5 branch": 5}.get(name)
            told = [
                (needed, "That is for one pixel: the sums are taken at each of them."),
                (needed * pixels**2, "`pixels` is how many there are, not the side of a square."),
                (0, "It has a convolution, and that costs."),
            ]
            if k:
                told += [
                    (k * k * b * c * pixels, "The 1×1 in front is missing: it is cheap, not free."),
                    ((channels * b + k * k * channels * c) * pixels,
                     f"The {k}×{k} looks at what the reduction leaves, not at all channels."),
                    ((channels * b + k * b * c) * pixels,
                     f"A {k}×{k} window has {k * k} pixels, not {k}."),
                ]  # fmt: skip
            came = ask(answer, case, channels, pixels, Inception("x", *widths))
            agree(case, f"the cost of {name}", came, needed * pixels, told)
        total = sum(needed for _, needed in branches.values()) * pixels
        case = f"{channels} channels, {pixels} pixels, all four branches:"
        together = Inception("x", a, b, c, b, c, a)
        agree(case, "the cost", ask(answer, case, channels, pixels, together), total)

    holds()


def widest_that_pays(answer: Callable) -> None:
    """Hold it against the largest r with r·(C + k²·O) < k²·C·O."""

    @cases(channels=st.integers(2, 40), out=st.integers(2, 40), kernel_size=st.sampled_from([3, 5]))
    def holds(channels: int, out: int, kernel_size: int) -> None:
        window = kernel_size**2

        def through(r: int) -> int:
            return r * (channels + window * out)

        direct = window * channels * out
        needed = (direct - 1) // (channels + window * out)
        case = f"for {channels} → {out} channels, {kernel_size}×{kernel_size},"
        came = ask(answer, case, channels, out, kernel_size)
        wide = kernel_size * channels * out // (channels + kernel_size * out)
        agree(case, "the widest that pays", came, needed, [
            (direct / (channels + window * out), "A width is a whole number."),
            (channels - 1, "That counts only the convolution; the 1×1 costs channels · r as well."),
            (wide, f"A window has {window} pixels, not {kernel_size}."),
            (needed + 1, f"Through {needed + 1} channels it takes {through(needed + 1)} multiply-"
                         f"adds per pixel, direct {direct}: that does not save any."),
            (needed - 1, f"Through {needed} channels it takes {through(needed)} multiply-adds per "
                         f"pixel, direct {direct}: that still saves."),
        ])  # fmt: skip

    holds()
