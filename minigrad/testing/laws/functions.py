"""Laws of functions of any kind: order, signs, sums of gradients, two ways to compute the same."""
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
    forward,
    refuse,
    run,
)


def monotone(f: Operation, x: Array, y: Array, *, roundings: float = 0.0) -> None:
    """Where no number gets smaller, no output does: f(max(x, y)) ≥ f(x).

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns a Tensor.
    x, y : arrays of one shape
    roundings : float
        How much smaller an output may be, in eps of the largest.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.monotone(lambda x: x.exp(), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    """
    low, high = forward(f, x), forward(f, np.maximum(x, y))
    least = low - roundings * np.finfo(low.dtype).eps * np.abs(low).max(initial=0)
    refuse("monotone", ~(high >= least), high, low, "f(max(x, y))", "f(x)", "are smaller")


def idempotent(f: Operation, x: Array, *, roundings: float = 0.0) -> None:
    """Twice is the same as once: f(f(x)) = f(x).

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns one of the same shape.
    x : array
    roundings : float
        How far the two may differ, in eps of the largest number.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.idempotent(F.relu, np.array([-1.0, 2.0]))
    """
    once = forward(f, x)
    compare("idempotent", forward(f, once), once, "f(f(x))", "f(x)", roundings)


def positive_and_negative_parts(f: Operation, x: Array) -> None:
    """f(x) − f(−x) = x, and the smaller of the two is 0: the rectifier, and nothing else.

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns one of the same shape.
    x : array

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.positive_and_negative_parts(F.relu, np.array([-1.0, 2.0]))
    """
    law, positive, negative = "positive_and_negative_parts", forward(f, x), forward(f, -x)
    smaller = np.minimum(positive, negative)
    compare(law, smaller, np.zeros_like(x), "the smaller of f(x) and f(−x)", "what it must be")
    compare(law, positive - negative, x, "f(x) − f(−x)", "x")


def sign_symmetric(
    f: Operation, x: Array, signs: Array, *, seed: int = 0, roundings: float = 0.0
) -> None:
    """Where x changes its sign, so does f(x), there and nowhere else; and so does its gradient.

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns one of the same shape: local response normalisation, an odd
        function.
    x : array
    signs : array of x's shape
        −1 and 1. All −1 makes this the law of odd functions.
    seed, roundings
        As for `linear`.

    Raises
    ------
    AssertionError
        Says in the output or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.sign_symmetric(lambda x: x.tanh(), np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    """
    plain = run(f, [x], seed=seed)
    (c,) = draw_cotangents(plain.outputs, None, seed)
    moved = run(f, [signs * x], signs * c, seed)
    wanted = Run([signs * plain.outputs[0]], {0: signs * plain.gradients[0]})
    names = "with signs changed before", "with signs changed after"
    compare_runs("sign_symmetric", moved, wanted, *names, roundings)


def gradient_sums_to_zero(
    f: Operation,
    x: Array,
    axis: int | tuple[int, ...],
    cotangent: Any = None,
    *,
    seed: int = 0,
    roundings: float = 64.0,
) -> None:
    """The gradient adds up to 0 along an axis: f does not see a constant that is added there.

    Parameters
    ----------
    f : callable
        Takes a Tensor: softmax, log-softmax or cross entropy along `axis`, or batch normalisation
        over several.
    x : array
    axis : int, or tuple of int
    cotangent, seed
        As for `adjoint`.
    roundings : float
        How far from 0 a sum may be, in eps of the sizes of all that is added, or of the cotangent.

    Raises
    ------
    AssertionError
        Says where, and what the sum is.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.gradient_sums_to_zero(lambda x: F.softmax(x, 1), np.eye(3), axis=1)
    """
    ran = run(f, [x], cotangent, seed)
    (c,), gradient = draw_cotangents(ran.outputs, cotangent, seed), ran.gradients[0]
    sizes = np.abs(gradient).sum(axis), np.abs(c)
    size = max(float(a.max(initial=0)) for a in sizes)
    sums = gradient.sum(axis)
    names = "the sum of the gradient", "what it must be"
    compare("gradient_sums_to_zero", sums, np.zeros_like(sums), *names, roundings, size)


def equivalent(
    f: Operation,
    g: Operation,
    inputs: Inputs,
    cotangent: Any = None,
    *,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """Two ways to compute the same: f(x) = g(x), and their gradients are equal as well.

    Parameters
    ----------
    f, g : callable
        Take a Tensor for each input; return a Tensor, or a tuple of them.
    inputs : array, or sequence of arrays
        Arrays of integers are handed over as they are.
    cotangent, seed, roundings
        As for `adjoint` and `linear`.

    Raises
    ------
    AssertionError
        Says in which output or gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> x, w = np.ones((2, 3)), np.ones((4, 3))
    >>> laws.equivalent(F.linear, lambda x, w: x @ w.T, [x, w])
    """
    arrays = as_list(inputs)
    ours, theirs = (run(h, arrays, cotangent, seed) for h in (f, g))
    compare_runs("equivalent", ours, theirs, "of f", "of g", roundings)


def concat_then_split(
    concat: Operation, parts: Sequence[Array], axis: int, *, seed: int = 0
) -> None:
    """What was joined can be taken apart again; each part gets its own share of the gradient.

    Parameters
    ----------
    concat : callable
        Takes a list of Tensors and an axis.
    parts : sequence of arrays
    axis : int
    seed : int
        Of the cotangent.

    Raises
    ------
    AssertionError
        Says in which part, where, and what both numbers are.

    Examples
    --------
    >>> import minigrad
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.concat_then_split(minigrad.concat, [np.ones((1, 2)), np.zeros((3, 2))], axis=0)
    """
    law, arrays = "concat_then_split", as_list(parts)
    (out,), gradients = run(lambda *t: concat(list(t), axis), arrays, seed=seed)
    length = sum(a.shape[axis] for a in arrays)
    if out.shape[axis] != length:
        raise AssertionError(
            f"{law}: the parts have {length} along axis {axis}, joined {out.shape[axis]}"
        )
    ends = np.cumsum([a.shape[axis] for a in arrays])[:-1]
    (c,) = draw_cotangents([out], None, seed)
    for i, (a, part, share) in enumerate(
        zip(arrays, np.split(out, ends, axis), np.split(c, ends, axis), strict=True)
    ):
        compare(law, part, a, f"part {i} of what was joined", f"part {i}")
        names = f"the gradient of part {i}", "its share of the output's"
        compare(law, gradients[i], share, *names)
