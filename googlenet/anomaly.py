"""A step whose numbers are not finite: noticed before the optimiser uses them, and explained.

To look costs next to nothing where numbers lie on the CPU. Whatever goes wrong on the way forward
reaches the loss. What goes wrong on the way back reaches the biases, whose gradients are sums over
all that comes by, and are small: only they are looked at, and not the millions of weights.

The explanation is the same step once more, with the same dropout, under `minigrad.detect_anomaly`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, nn

SMALL = 4096  # numbers in a parameter whose gradient is looked at, at most


class NotFiniteError(RuntimeError):
    """Training cannot go on: there are numbers that are infinite or NaN."""


class Lookout:
    """Looks at a step's numbers, before the optimiser does.

    Parameters
    ----------
    net : Module
    gradients : bool
        Whether to look at gradients as well. Not where a loss is scaled: there they may overflow.
    """

    def __init__(self, net: nn.Module, gradients: bool = True) -> None:
        self.net = net
        self.small = [p for p in net.parameters() if gradients and p.size <= SMALL]

    def sees(self, loss: Tensor) -> str:
        """Say what is not finite, or nothing ("") if all is well. Waits for a GPU."""
        if not math.isfinite(loss.item()):
            return f"the loss is not finite ({loss.item()})"
        with np.errstate(over="ignore", invalid="ignore"):
            # A sum is one call, and finite unless a number is not, or it overflows itself.
            sums = [p.grad.data.sum() for p in self.small if p.grad is not None]
        if not all(map(math.isfinite, map(float, sums))):
            wrong = [n for n, p in self.net.named_parameters() if not _is_finite(p.grad)]
            if wrong:
                return f"the gradient of {_listed(wrong[::-1])} is not finite"
        return ""

    def cause(self, again: Callable[[], Any], drawn: int) -> str:
        """Do the step again, and name the operation that gave the first number that is not finite.

        Parameters
        ----------
        again : callable
            Forward and backward of the step, with the same batch; the parameters are as they were.
        drawn : int
            How many keys had been drawn before the step, so that dropout drops the same.
        """
        wrong = [n for n, p in self.net.named_parameters() if not _is_finite(p)]
        if wrong:
            return (
                f"before the step already, {_listed(wrong)} held numbers that are not finite: "
                "the update before it was too large"
            )
        minigrad.random.default.drawn = drawn
        try:
            with minigrad.detect_anomaly():
                again()
        except minigrad.AnomalyError as error:
            where = _layer(self.net, error)
            return f"{error}" + (f" (in {where})" if where else "")
        return "done again, operation by operation, the step gave none"


def check_arrays(arrays: Mapping[str, Any], what: str) -> None:
    """Refuse arrays that must not be kept.

    Raises
    ------
    NotFiniteError
        If any number of them is not finite.
    """
    wrong = [name for name, array in arrays.items() if not _is_finite(array)]
    if wrong:
        raise NotFiniteError(
            f"{what} was not written: {_listed(wrong)} {'has' if len(wrong) == 1 else 'have'} "
            "numbers that are not finite"
        )


def _is_finite(array: Any) -> bool:
    if array is None:
        return True
    array = array.data if isinstance(array, Tensor) else array
    return array.dtype.kind in "iub" or bool(np.isfinite(array).all())


def _layer(net: nn.Module, error: BaseException) -> str:
    """Name the layer whose `forward` an error came out of; "" if it was none's."""
    names = {id(module): name for name, module in net.named_modules()}
    found, trace = "", error.__traceback__
    while trace is not None:
        found = names.get(id(trace.tb_frame.f_locals.get("self")), "") or found
        trace = trace.tb_next
    return found


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
