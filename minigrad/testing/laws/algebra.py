"""Laws of linear and other simple maps: what f does to sums, multiples and inner products."""
# (the first line of a law states it)

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import (
    Inputs,
    Operation,
    as_list,
    compare,
    draw_cotangents,
    forward,
    inner,
    run,
)
from minigrad.testing.place import tensor


def adjoint(
    f: Operation,
    inputs: Inputs,
    cotangent: Any = None,
    *,
    jointly: bool = False,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """Backward is the transpose of forward: ⟨f(x), c⟩ = ⟨x, backward(c)⟩.

    Holds wherever f is linear in x, and also where f(a·x) = a·f(x) for a > 0 (ReLU, max pooling).
    With several inputs it is asked for each: ⟨f(x, w), c⟩ is ⟨x, gradient of x⟩ and
    ⟨w, gradient of w⟩. On integers it is exact, without any ε.

    Parameters
    ----------
    f : callable
        Takes a Tensor for each input and returns a Tensor.
    inputs : array, or sequence of arrays
        Floating, best with integers in them. Arrays of integers are handed over as they are.
    cotangent : array, optional
        Of the output's shape. Left out, integers drawn with `seed`.
    jointly : bool
        f is linear in all inputs together (concat): their inner products add up.
    roundings : float
        How far the two may differ, in eps of all products that are summed. 0: not at all.

    Raises
    ------
    AssertionError
        With both numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> x, w = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> laws.adjoint(lambda x, w: x @ w, [x, w])
    >>> laws.adjoint(lambda x: x * x, x, cotangent=np.ones((1, 2)))
    Traceback (most recent call last):
        ...
    AssertionError: adjoint: ⟨f(x), c⟩ is 5.0 but ⟨input 0, its gradient⟩ is 10.0
    """
    arrays = as_list(inputs)
    (out,), gradients = run(f, arrays, cotangent, seed)
    (c,) = draw_cotangents([out], cotangent, seed)
    wanted, size = inner(out, c)
    found = [(i, *inner(arrays[i], gradient)) for i, gradient in gradients.items()]
    if jointly:
        sums = sum(value for _, value, _ in found), sum(terms for *_, terms in found)
        _same_inner("adjoint", "Σ ⟨input, its gradient⟩", wanted, size, *sums, out, roundings)
        return
    for i, value, terms in found:
        name = f"⟨input {i}, its gradient⟩"
        _same_inner("adjoint", name, wanted, size, value, terms, out, roundings)


def _same_inner(
    law: str, name: str, wanted: float, size: float, value: float, terms: float, out: Array,
    roundings: float,
) -> None:  # fmt: skip
    allowed = roundings * float(np.finfo(out.dtype).eps) * max(size, terms)
    if not abs(value - wanted) <= allowed:
        raise AssertionError(f"{law}: ⟨f(x), c⟩ is {wanted!r} but {name} is {value!r}")


def linear(f: Operation, x: Array, y: Array, *, seed: int = 0, roundings: float = 0.0) -> None:
    """f(2·x − 3·y) = 2·f(x) − 3·f(y), and the gradient is the same at x and at y.

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns a Tensor.
    x, y : arrays of one shape
        With integers in them, all is exact.
    seed : int
        Of the cotangent.
    roundings : float
        How far the two may differ, in eps of the largest number. 0: not at all.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.linear(lambda x: x.sum(0), np.ones((2, 3)), np.zeros((2, 3)))
    >>> laws.linear(lambda x: x + 1, np.ones(1), np.zeros(1))
    Traceback (most recent call last):
        ...
    AssertionError: linear: at [0] f(2·x − 3·y) is 3.0 but 2·f(x) − 3·f(y) is 1.0
    """
    _combination("linear", f, x, y, 2, -3, seed, roundings)


def affine(f: Operation, x: Array, y: Array, *, seed: int = 0, roundings: float = 0.0) -> None:
    """f(3·x − 2·y) = 3·f(x) − 2·f(y), and the gradient is the same at x and at y.

    What a linear map with a bias obeys: 3 − 2 = 1, so that the bias comes through once.
    Arguments and errors as for `linear`.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.affine(lambda x: 2 * x + 1, np.ones((2, 3)), np.zeros((2, 3)))
    """
    _combination("affine", f, x, y, 3, -2, seed, roundings)


def _combination(
    law: str, f: Operation, x: Array, y: Array, a: int, b: int, seed: int, roundings: float
) -> None:
    of_x, of_y = run(f, [x], seed=seed), run(f, [y], seed=seed)
    want = a * of_x.outputs[0] + b * of_y.outputs[0]
    of_both = forward(f, a * x + b * y, seed=seed)
    size = max(abs(a), abs(b)) * float(np.abs([*of_x.outputs, *of_y.outputs]).max(initial=0))
    names = f"f({a}·x − {-b}·y)", f"{a}·f(x) − {-b}·f(y)"
    compare(law, of_both, want, *names, roundings, size)
    names = "the gradient at x", "the gradient at y"
    compare(law, of_x.gradients[0], of_y.gradients[0], *names, roundings)


def bilinear(
    f: Operation,
    inputs: Sequence[Array],
    others: Sequence[Array],
    *,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """`f` is linear in each of its inputs while the others stay.

    Parameters
    ----------
    f : callable
        Takes a Tensor for each input, returns a Tensor.
    inputs, others : sequences of arrays
        Two points: others[i] has the shape of inputs[i].
    seed, roundings
        As for `linear`.

    Raises
    ------
    AssertionError
        Says in which input, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> laws.bilinear(lambda x, y: x * y, [np.ones(2), np.ones(2)], [np.zeros(2), np.ones(2)])
    """
    for i, (x, y) in enumerate(zip(inputs, others, strict=True)):

        def of_one(t: Any, i: int = i) -> Any:
            return f(*(t if k == i else tensor(a) for k, a in enumerate(inputs)))

        _combination(f"bilinear, in input {i}", of_one, x, y, 2, -3, seed, roundings)


def positively_homogeneous(
    f: Operation, x: Array, *, factor: float = 4.0, seed: int = 0, roundings: float = 0.0
) -> None:
    """f(a·x) = a·f(x) for a > 0, and the gradient is the same at a·x and at x.

    Parameters
    ----------
    f : callable
        Takes a Tensor, returns a Tensor.
    x : array
    factor : float
        a. Powers of two do not round.
    seed, roundings
        As for `linear`.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.positively_homogeneous(F.relu, np.array([-1.0, 2.0]))
    """
    small, large = run(f, [x], seed=seed), run(f, [factor * x], seed=seed)
    law, names = "positively_homogeneous", (f"f({factor:g}·x)", f"{factor:g}·f(x)")
    compare(law, large.outputs[0], factor * small.outputs[0], *names, roundings)
    names = f"the gradient at {factor:g}·x", "the gradient at x"
    compare(law, large.gradients[0], small.gradients[0], *names, roundings)
