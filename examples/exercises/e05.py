"""The properties of lesson 05: columns, the product with them, and how often they copy."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits, written
from examples.exercises.engine import SIZES, conv2d, im2col

__all__ = ["columns", "copies", "product"]


def columns(answer: Callable) -> None:
    """Hold them against the engine's, for images whose pixels are all different."""

    @cases(count=60, stride=st.integers(1, 2), **SIZES)
    def holds(C: int, h: int, w: int, kh: int, kw: int, stride: int) -> None:
        H, W = kh + h, kw + w
        x = np.arange(1.0, C * H * W + 1).reshape(C, H, W)  # who comes from where is plain to see
        case = f"for x = {written(x)}, kernel ({kh}, {kw}), stride {stride},"
        needed = im2col(x, (kh, kw), stride)
        oh, ow = h // stride + 1, w // stride + 1
        parts = needed.reshape(C, kh * kw, oh, ow)
        dense = im2col(x, (kh, kw)).reshape(C * kh * kw, h + 1, w + 1)
        agree(case, "the matrix", ask(answer, case, x, (kh, kw), stride), needed, [
            (dense.reshape(C * kh * kw, -1), "The stride is missing."),
            (dense[:, :oh, :ow].reshape(needed.shape),
             "The windows stand side by side: window (i, j) starts at (i·stride, j·stride)."),
            (parts.swapaxes(0, 1).reshape(needed.shape),
             "Rows run over the channels first, then over the kernel, as weight.reshape does."),
            (parts.swapaxes(2, 3).reshape(needed.shape),
             "Windows are counted along the rows of the image: column i·ow + j is window (i, j)."),
            (needed.reshape(C, kh, kw, -1).swapaxes(1, 2).reshape(needed.shape),
             "Inside a column the kernel's rows come first, then its columns."),
            (needed.T, "Windows stand in the rows of yours; here they are columns. Transpose it."),
            (needed.T.reshape(needed.shape),
             "Yours has a window in each row, reshaped: reshape keeps the order of the numbers, "
             "so transpose."),
        ])  # fmt: skip

    holds()


def product(answer: Callable) -> None:
    """Hold it against the convolution of the engine."""

    @cases(count=60, O=st.integers(1, 3), **SIZES)
    def holds(O: int, C: int, h: int, w: int, kh: int, kw: int) -> None:
        x, weight = digits(C, kh + h, kw + w), digits(O, C, kh, kw, seed=1)
        cols, size = im2col(x, (kh, kw)), (h + 1, w + 1)
        case = f"for cols = {written(cols)}, weight = {written(weight)}, size {size},"
        came = ask(answer, case, cols, weight, size)
        needed = conv2d(x, weight)
        flat, rows = weight.reshape(O, -1), needed.reshape(O, -1)
        agree(case, "the output", came, needed, [
            ((weight.reshape(-1, O).T @ cols).reshape(O, *size),
             "reshape(−1, O) cuts kernels into pieces: each kernel is one row, reshape(O, −1)."),
            ((flat[:, ::-1] @ cols).reshape(O, *size), "The kernel is flipped."),
            ((weight.swapaxes(2, 3).reshape(O, -1) @ cols).reshape(O, *size),
             "The kernel is transposed: its rows come first, as in the columns."),
            ((weight.transpose(0, 2, 3, 1).reshape(O, -1) @ cols).reshape(O, *size),
             "The weights are in the order (row, column, channel), the columns in (channel, row, "
             "column): numbers meet strangers."),
            (rows.reshape(O, *size[::-1]), "The height comes first: size is (oh, ow)."),
            (rows.reshape(O, *size[::-1]).swapaxes(1, 2), "Rows and columns are mixed up."),
            (rows.T.reshape(needed.shape), "Kernels and pixels are mixed up: transpose, or "
                                           "multiply the other way round."),
            (rows, "Lay each kernel's row out as an image: reshape(O, oh, ow)."),
            (rows.T, "Kernels come first, and each row is to be laid out as an image."),
        ])  # fmt: skip

    holds()


def copies(answer: Callable) -> None:
    """Hold the counts against the windows themselves."""
    for strides in ((1,), (2, 3)):

        @cases(
            more=st.integers(0, 6), kernel=st.integers(1, 4), stride=st.sampled_from(strides)
        )  # fmt: skip
        def holds(more: int, kernel: int, stride: int) -> None:
            length = kernel + more
            counts, dense = np.zeros(length), np.zeros(length)
            for start in range(more + 1):
                dense[start : start + kernel] += 1
                if start % stride == 0:
                    counts[start : start + kernel] += 1
            case = f"for {length} pixels, kernel {kernel}, stride {stride},"
            came = np.asarray(ask(answer, case, length, kernel, stride))
            pixel = np.arange(length)
            agree(case, "the number of windows at each pixel", came, counts, [
                (dense, "The stride is missing: windows start at 0, stride, 2·stride, …"),
                (np.full(length, kernel), "At the ends fewer windows fit over a pixel."),
                (counts.sum(), "One number for each pixel is asked for."),
                (np.minimum(np.minimum(pixel + 1, length - pixel), kernel),
                 "Where windows are few, no pixel is seen by more windows than there are."),
            ])  # fmt: skip

        holds()
