"""Comparing what came out with what was due, in one sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import run
from minigrad.testing.place import at, compared, fetch

OTHER = 1000  # between the seed of the numbers and that of a cotangent: equal ones hide mistakes


def same(got: Any, want: Any, what: str = "the output", rtol: float = 0.0) -> None:
    """Raise an AssertionError unless two arrays are equal, NaN where NaN is due.

    Parameters
    ----------
    got, want : Tensors, arrays on any device, or what NumPy makes arrays of
    what : str
        For the sentence.
    rtol : float
        How far a number may differ, relative to the one due or to 1, whichever is larger.
    """
    got, want = fetch(got), fetch(want)
    if got.shape != want.shape:
        raise AssertionError(f"{what} has shape {got.shape}, {want.shape} was due")
    right = _near(got, want, rtol) if got.dtype.kind in "fiub" else got == want
    if not right.all():
        first = tuple(int(i) for i in np.argwhere(~right)[0])
        place = f" at {list(first)}" if first else ""
        many = f" ({int((~right).sum())} of {right.size} numbers)" if right.size > 1 else ""
        raise AssertionError(f"{what}{place} is {got[first]!s}, {want[first]!s} was due{many}")


def near(got: Any, want: Any, what: str = "the output", rtol: float = 1e-12) -> None:
    """Compare as `same` does, but for roundings."""
    same(got, want, what, rtol)


def _near(got: Array, want: Array, rtol: float) -> Array:
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        close = np.abs(got - want) <= rtol * np.maximum(np.abs(want), 1) if rtol else False
    return (got == want) | close | ((got != got) & (want != want))


def near_on_all_rungs(
    f: Callable[..., Any], inputs: Sequence[Array], seed: int, rtol: float = 1e-12
) -> None:
    """Compare outputs and gradients of all rungs, but for roundings of numbers of about 1.

    `laws.rungs_agree` takes roundings relative to the largest number that came out; where numbers
    cancel, as they do in a normalised batch of two, all of them may be small.
    """
    runs = {}
    for rung in compared():
        with at(rung):
            runs[rung] = run(f, inputs, seed=seed)
    for rung, (outputs, gradients) in runs.items():
        want = runs["naive"]
        for i, out in enumerate(outputs):
            near(out, want.outputs[i], f"the output of rung {rung}", rtol)
        for i, gradient in gradients.items():
            what = f"the gradient of input {i} on rung {rung}"
            near(gradient, want.gradients[i], what, rtol)
