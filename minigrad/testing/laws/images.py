"""Laws of what happens to batches and images: order, shifts, channels, windows."""
# ruff: noqa: D401
# (the first line of a law states it)

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import (
    Inputs,
    Operation,
    Run,
    as_list,
    compare,
    compare_runs,
    draw_cotangents,
    run,
)

# -- batches -------------------------------------------------------------------------------------


def batch_permutation(
    f: Operation,
    inputs: Inputs,
    permutation: Sequence[int],
    cotangent: Any = None,
    *,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """Examples in another order give outputs and gradients in that order; a mean stays the same.

    Parameters
    ----------
    f : callable
        Takes a Tensor for each floating input; returns one with an axis for the batch, or one
        number.
    inputs : array, or sequence of arrays
        All of them start with the axis of the batch. Arrays of integers (targets) are permuted
        too, and handed over as they are.
    permutation : sequence of int
    cotangent : array, optional
        Of the output's shape. Left out, integers drawn with `seed`.
    roundings : float
        How far numbers may differ, in eps of the largest: for sums over the batch.

    Raises
    ------
    AssertionError
        Says in the output or which gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.batch_permutation(F.relu, np.array([[1.0], [-2.0], [3.0]]), [2, 0, 1])
    """
    arrays, order = as_list(inputs), np.array(permutation, np.intp)
    plain = run(f, arrays, cotangent, seed)
    (c,) = draw_cotangents(plain.outputs, cotangent, seed)
    moved = run(f, [a[order] for a in arrays], c[order] if c.ndim else c, seed)
    wanted = Run(
        [out[order] if out.ndim else out for out in plain.outputs],
        {i: gradient[order] for i, gradient in plain.gradients.items()},
    )
    names = "of the permuted batch", "of the batch, permuted,"
    compare_runs("batch_permutation", moved, wanted, *names, roundings)


def examples_are_independent(
    f: Operation, x: Array, cotangent: Any = None, *, seed: int = 0, roundings: float = 0.0
) -> None:
    """What comes out for an example, and its gradient, does not depend on the others in its batch.

    Parameters
    ----------
    f : callable
        Takes a Tensor (N, ...) and returns one of (N, ...).
    x : array (N, ...)
    cotangent, seed, roundings
        As for `batch_permutation`.

    Raises
    ------
    AssertionError
        Says which example, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.examples_are_independent(F.relu, np.array([[1.0], [-2.0], [3.0]]))
    """
    together = run(f, [x], cotangent, seed)
    (c,) = draw_cotangents(together.outputs, cotangent, seed)
    for i in range(len(x)):
        alone = run(f, [x[i : i + 1]], c[i : i + 1], seed)
        part = Run([together.outputs[0][i : i + 1]], {0: together.gradients[0][i : i + 1]})
        names = f"of example {i} alone", "in its batch"
        compare_runs("examples_are_independent", alone, part, *names, roundings)


def shift_equivariant(
    f: Operation,
    x: Array,
    stride: int | tuple[int, int] = 1,
    *,
    margin: int = 12,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """An image that is shifted by one stride gives outputs, and gradients, shifted by one place.

    The image is set into zeros, `margin` on every side, so that nothing is lost at the border.

    Parameters
    ----------
    f : callable
        Takes a Tensor (N, C, H, W), returns one of (N, O, oh, ow): a convolution, a pooling.
    x : array (N, C, H, W)
    stride : int or (int, int)
        Of f.
    margin : int
        At least what a window covers, and the stride on top.
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest.

    Raises
    ------
    AssertionError
        Says in the output or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.shift_equivariant(lambda x: F.avg_pool2d(x, 2, stride=1), np.ones((1, 1, 3, 3)))
    """
    law, (down, right) = (
        "shift_equivariant",
        ((stride, stride) if isinstance(stride, int) else tuple(stride)),
    )

    def canvas(top: int, left: int) -> Array:
        sides = (margin + top, margin - top), (margin + left, margin - left)
        return np.pad(x, ((0, 0), (0, 0), *sides))

    plain = run(f, [canvas(0, 0)], seed=seed)
    (out,), (c,) = plain.outputs, draw_cotangents(plain.outputs, None, seed)
    moved_c = np.zeros_like(c)
    moved_c[..., 1:, 1:] = c[..., :-1, :-1]
    moved = run(f, [canvas(down, right)], moved_c, seed)
    names = "the output of the shifted image", "the output, shifted,"
    compare(law, moved.outputs[0][..., 1:, 1:], out[..., :-1, :-1], *names, roundings)
    H, W = x.shape[2:]
    shifted, still = (
        run_.gradients[0][..., top : top + H, left : left + W]
        for run_, top, left in ((moved, margin + down, margin + right), (plain, margin, margin))
    )
    names = "the gradient of the shifted image", "the gradient, shifted,"
    compare(law, shifted, still, *names, roundings)


# -- convolution ---------------------------------------------------------------------------------


def pointwise_convolution_is_matmul(
    conv2d: Operation,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """A 1×1 convolution multiplies the channels of every pixel by one matrix. So do its gradients.

    Parameters
    ----------
    conv2d : callable
        Takes x, weight (O, C, 1, 1) and perhaps bias; stride 1, no padding.
    x : array (N, C, H, W)
    weight : array (O, C)
    bias : array (O,), optional
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest. On integers: not at all.

    Raises
    ------
    AssertionError
        Says in the output or which gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.pointwise_convolution_is_matmul(F.conv2d, np.ones((1, 2, 3, 3)), np.ones((4, 2)))
    """
    biases = [] if bias is None else [bias]
    got = run(conv2d, [x, weight[:, :, None, None], *biases], seed=seed)
    out = np.einsum("nchw,oc->nohw", x, weight)
    if bias is not None:
        out = out + bias[:, None, None]
    law, (c,) = "pointwise_convolution_is_matmul", draw_cotangents(got.outputs, None, seed)
    compare(law, got.outputs[0], out, "the output", "the matrix product", roundings)
    gradients = {
        0: np.einsum("nohw,oc->nchw", c, weight),
        1: np.einsum("nohw,nchw->oc", c, x)[:, :, None, None],
    }
    if bias is not None:
        gradients[2] = c.sum((0, 2, 3))
    names = "of the convolution", "of the matrix product"
    compare_runs(law, got, Run(got.outputs, gradients), *names, roundings)


def groups_are_concatenated_convolutions(
    conv2d: Operation,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    groups: int,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """A convolution in groups is as many convolutions side by side, each on its own channels.

    Parameters
    ----------
    conv2d : callable
        Takes x, weight, perhaps bias, and the keyword `groups`.
    x : array (N, C, H, W)
    weight : array (O, C / groups, kh, kw)
    bias : array (O,), optional
    groups : int
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest. On integers: not at all.

    Raises
    ------
    AssertionError
        Says which group, in the output or which gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> x, weight = np.ones((1, 4, 3, 3)), np.ones((2, 2, 3, 3))
    >>> laws.groups_are_concatenated_convolutions(F.conv2d, x, weight, groups=2)
    """
    law, biases = "groups_are_concatenated_convolutions", [] if bias is None else [bias]
    whole = run(lambda *t: conv2d(*t, groups=groups), [x, weight, *biases], seed=seed)
    (c,) = draw_cotangents(whole.outputs, None, seed)
    axes = (1, 0, 0)  # along which x, weight and bias are cut
    cut = [np.split(a, groups, axis) for a, axis in zip((x, weight, *biases), axes, strict=False)]
    outs, cotangents = (np.split(a, groups, 1) for a in (whole.outputs[0], c))
    shares = {i: np.split(g, groups, axes[i]) for i, g in whole.gradients.items()}
    for k in range(groups):
        alone = run(lambda *t: conv2d(*t, groups=1), [part[k] for part in cut], cotangents[k], seed)
        within = Run([outs[k]], {i: parts[k] for i, parts in shares.items()})
        names = f"of group {k}", f"of convolution {k} alone"
        compare_runs(law, within, alone, *names, roundings)
