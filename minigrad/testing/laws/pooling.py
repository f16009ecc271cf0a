"""Laws of pooling."""
# ruff: noqa: D401
# (the first line of a law states it)

from typing import Any

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import (
    Operation,
    compare,
    draw_cotangents,
    forward,
    refuse,
    run,
)


def padding_never_wins(pool: Operation, x: Array) -> None:
    """An image that is −1 everywhere stays −1: padding is not a zero that beats it.

    Holds for max pooling, and for averages that do not count the padding.

    Parameters
    ----------
    pool : callable
        Takes a Tensor (N, C, H, W); with padding, or there is nothing to see.
    x : array (N, C, H, W)
        Only its shape and dtype count.

    Raises
    ------
    AssertionError
        Says where, and what came.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.padding_never_wins(lambda x: F.max_pool2d(x, 3, 2, padding=1), np.ones((1, 2, 4, 4)))
    """
    out = forward(pool, np.full_like(x, -1))
    compare("padding_never_wins", out, np.full_like(out, -1), "the output", "every pixel")


def maximum_is_at_least_average(
    max_pool: Operation, avg_pool: Operation, x: Array, *, roundings: float = 4.0
) -> None:
    """No average of a window is above its maximum.

    Parameters
    ----------
    max_pool, avg_pool : callable
        Take a Tensor (N, C, H, W), with the same windows. The average does not count padding.
    x : array (N, C, H, W)
    roundings : float
        How far above it may be, in eps of the largest number: averages are rounded.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> pools = lambda x: F.max_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2)
    >>> laws.maximum_is_at_least_average(*pools, -np.arange(16.0).reshape(1, 1, 4, 4))
    """
    law, largest, average = (
        "maximum_is_at_least_average",
        forward(max_pool, x),
        forward(avg_pool, x),
    )
    if largest.shape != average.shape:
        raise AssertionError(
            f"{law}: the maxima have shape {largest.shape}, the averages {average.shape}"
        )
    slack = roundings * np.finfo(x.dtype).eps * np.abs(x).max(initial=0)
    refuse(
        law, ~(largest >= average - slack), largest, average, "the maximum", "the average",
        "are smaller",
    )  # fmt: skip


def chosen_from_the_image(pool: Operation, x: Array) -> None:
    """Every number that comes out is one of its channel: max pooling chooses, it does not compute.

    Parameters
    ----------
    pool : callable
        Takes a Tensor (N, C, H, W).
    x : array (N, C, H, W)

    Raises
    ------
    AssertionError
        Says where, and what came.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.chosen_from_the_image(lambda x: F.max_pool2d(x, 2), -np.ones((1, 2, 4, 4)))
    """
    out, (N, C) = forward(pool, x), x.shape[:2]
    if not out.size:
        return
    windows, pixels = out.reshape(N, C, -1, 1), x.reshape(N, C, 1, -1)
    stands = (windows == pixels).any(-1).reshape(out.shape)
    nearest = np.abs(windows - pixels).argmin(-1)
    close = np.take_along_axis(pixels[:, :, 0], nearest, 2).reshape(out.shape)
    names = "the output", "the nearest number of its channel"
    refuse("chosen_from_the_image", ~stands, out, close, *names, "stand nowhere")


def winner_takes_all(
    pool: Operation, x: Array, cotangent: Any = None, *, seed: int = 0, roundings: float = 0.0
) -> None:
    """In every channel the gradients of the pixels add up to those of the windows.

    Each window hands all of its gradient to pixels of its own: max pooling to one of them,
    averages that do not count padding to all.

    Parameters
    ----------
    pool : callable
        Takes a Tensor (N, C, H, W).
    x : array (N, C, H, W)
    cotangent, seed, roundings
        As for `batch_permutation`.

    Raises
    ------
    AssertionError
        Says in which image and channel, and what both sums are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.winner_takes_all(lambda x: F.max_pool2d(x, 2, 1), np.zeros((1, 2, 4, 4)))
    """
    ran = run(pool, [x], cotangent, seed)
    (c,) = draw_cotangents(ran.outputs, cotangent, seed)
    size = float(np.abs(c).sum((2, 3)).max(initial=0))
    names = "the sum of the gradients of an image's channel", "that of its windows"
    sums = ran.gradients[0].sum((2, 3)), c.sum((2, 3))
    compare("winner_takes_all", *sums, *names, roundings, size)


def first_of_equals_wins(pool: Operation, x: Array, *, seed: int = 0) -> None:
    """Where numbers tie, the gradient goes to the first in scan order.

    Break the ties by hand, so that of equal numbers the one that stands first is a little larger:
    the gradient must not change.

    Parameters
    ----------
    pool : callable
        Takes a Tensor (N, C, H, W): a max pooling.
    x : array (N, C, H, W)
        Integers, few different ones, so that there are ties.
    seed : int
        Of the cotangent.

    Raises
    ------
    AssertionError
        Says which pixel's gradient, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.first_of_equals_wins(lambda x: F.max_pool2d(x, 2), np.zeros((1, 1, 4, 4)))
    """
    H, W = x.shape[2:]
    places = np.arange(H * W, dtype=x.dtype).reshape(H, W)
    broken = run(pool, [x * (2 * H * W) - places], seed=seed)
    tied = run(pool, [x], seed=seed)
    names = "the gradient", "with ties broken in favour of the first it"
    compare("first_of_equals_wins", tied.gradients[0], broken.gradients[0], *names)
