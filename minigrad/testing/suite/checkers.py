"""Gradient checkers side by side: a suite made of any, and a bad example."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Array, no_grad
from minigrad.testing.place import fetch, tensor
from minigrad.testing.suite.cases import CASES, Case

Checker = Callable[[Callable[..., Any], list[Array]], Any]


def checker_suite(
    check: Callable[[Callable[..., Any], list[Array]], Any],
) -> dict[str, list[Callable[[], None]]]:
    """Make a suite of a gradient checker: run on the same cases of every operation.

    Parameters
    ----------
    check : callable
        ``check(f, inputs)`` raises if the gradients of f at `inputs` are wrong. f takes a Tensor
        for each input.

    Returns
    -------
    dict of operation to list of callables
        For `hunt`.

    Examples
    --------
    >>> from minigrad.testing import gradcheck, hunt, mutants
    >>> from minigrad.testing.hunting import checker_suite, sum_of_outputs
    >>> corpus = mutants.of_operation("softmax")
    >>> hunt(checker_suite(gradcheck), corpus).summary
    '3 of 6 mutants killed'
    >>> hunt(checker_suite(sum_of_outputs), corpus).summary
    '2 of 6 mutants killed'
    """

    def on(case: Case) -> Callable[[], None]:
        def checked() -> None:
            check(case.f, list(case.inputs))

        checked.__name__ = f"{getattr(check, '__name__', 'check')}: {case.name}"
        return checked

    return {operation: [on(case) for case in cases] for operation, cases in CASES.items()}


def sum_of_outputs(
    f: Callable[..., Any], inputs: Sequence[Array], *, eps: float = 1e-6, rtol: float = 1e-5
) -> None:
    """Check gradients as one should not: those of the sum of all outputs, by central differences.

    The bad example. It looks at every number of every input, in float64, and yet it is blind:
    a cotangent of all ones asks only how the *sum* of the outputs changes. Softmax's outputs add up
    to 1 and batch norm's to a constant, so that a gradient of zeros passes. `gradcheck` draws its
    cotangents at random.

    Parameters
    ----------
    f : callable
        Takes a Tensor for each input, returns a Tensor.
    inputs : sequence of arrays
    eps : float
        Half the distance of the two points of a difference.
    rtol : float
        How far the two may differ, relative to the larger one or to 1.

    Raises
    ------
    AssertionError
        Says which entry of which input, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.ops.softmax_cross_entropy import softmax
    >>> from minigrad.testing import mutants
    >>> from minigrad.testing.hunting import sum_of_outputs
    >>> with mutants.find("softmax-gradient-zero").planted():
    ...     sum_of_outputs(lambda x: softmax(x, 1), [np.array([[1.0, 2.0, 3.0]])])
    """
    leaves = [tensor(a, requires_grad=True) for a in inputs]
    out = f(*leaves)
    out.backward(np.ones(out.shape))

    def total(i: int, index: tuple[int, ...], step: float) -> float:
        moved = [a.copy() for a in inputs]
        moved[i][index] += step
        with no_grad():
            return float(f(*(tensor(a) for a in moved)).data.sum())

    for i, (leaf, array) in enumerate(zip(leaves, inputs, strict=True)):
        gradient = np.zeros_like(array) if leaf.grad is None else fetch(leaf.grad)
        for index in np.ndindex(array.shape):
            numeric = (total(i, index, eps) - total(i, index, -eps)) / (2 * eps)
            analytic = float(gradient[index])
            if not abs(numeric - analytic) <= rtol * max(1.0, abs(numeric), abs(analytic)):
                raise AssertionError(
                    f"sum_of_outputs: the gradient of input {i} is {analytic} at {list(index)}, "
                    f"differences give {numeric}"
                )
