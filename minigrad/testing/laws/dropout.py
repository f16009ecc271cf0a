"""Laws of dropout. The operation they take draws the same mask each time: it has a key."""
# ruff: noqa: D401
# (the first line of a law states it)

import math

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import Operation, compare, draw_cotangents, forward, run


def dropout_keeps_the_mean(
    f: Operation, p: float, *, count: int = 1 << 16, sigmas: float = 8.0
) -> None:
    """The mean over many ones is 1: what is kept is scaled by 1 / (1 − p).

    Of a sum of `count` independent choices: beyond 8 standard deviations once in 10¹⁵ keys.

    Parameters
    ----------
    f : callable
        Takes a Tensor: dropout with share p and some key.
    p : float
        0 ≤ p < 1.
    count : int
        How many ones.
    sigmas : float
        How many standard deviations are allowed.

    Raises
    ------
    AssertionError
        With the mean, and how far it may be from 1.

    Examples
    --------
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.dropout_keeps_the_mean(lambda x: F.dropout(x, 0.3, key=7), p=0.3)
    """
    mean = float(forward(f, np.ones(count)).mean())
    allowed = sigmas * math.sqrt(p / (1 - p) / count)
    if not abs(mean - 1) <= allowed + 1e-12:
        raise AssertionError(
            f"dropout_keeps_the_mean: the mean of {count} ones is {mean!r} but must be 1 to "
            f"within {allowed:.3g}, which is {sigmas:g} standard deviations"
        )


def dropout_keeps_or_drops(f: Operation, x: Array, p: float, *, roundings: float = 2.0) -> None:
    """Every number becomes 0 or x / (1 − p), nothing else.

    Parameters
    ----------
    f : callable
        Takes a Tensor: dropout with share p.
    x : array
    p : float
        0 ≤ p < 1.
    roundings : float
        How far a kept number may be from x / (1 − p), in its own eps: a quotient and a product.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.dropout_keeps_or_drops(F.dropout, np.array([1.0, -2.0, 3.0]), p=0.5)
    """
    out, scaled = forward(f, x), x / (1 - p)
    near = np.abs(out - scaled) <= roundings * np.finfo(x.dtype).eps * np.abs(scaled)
    want = np.where((out == 0) | near, out, scaled)
    compare("dropout_keeps_or_drops", out, want, "the output", "0, or x / (1 − p),")


def dropout_gradient_goes_through_the_gate(
    f: Operation, x: Array, p: float, *, seed: int = 0, roundings: float = 2.0
) -> None:
    """Where a number was dropped its gradient is 0; elsewhere the output's, over 1 − p.

    Parameters
    ----------
    f : callable
        Takes a Tensor: dropout with share p.
    x : array
        Without zeros, which look dropped.
    p : float
        0 ≤ p < 1.
    seed : int
        Of the cotangent.
    roundings : float
        In eps of the largest number.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.dropout_gradient_goes_through_the_gate(F.dropout, np.array([1.0, -2.0, 3.0]), p=0.5)
    """
    (out,), gradients = run(f, [x], seed=seed)
    (c,) = draw_cotangents([out], None, seed)
    want = np.where(out == 0, 0, c / (1 - p)).astype(x.dtype)
    names = "the gradient", "what the gate of forward lets through"
    compare("dropout_gradient_goes_through_the_gate", gradients[0], want, *names, roundings)
