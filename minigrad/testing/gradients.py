"""Comparing a gradient with finite differences.

Backward computes ⟨c, J⟩ for a cotangent c, where J is the Jacobian. Its inner product with a
direction d must be what differences of the function itself say::

    ⟨c, (f(x + ε·d) − f(x − ε·d)) / 2ε⟩  =  ⟨gradient, d⟩

for *random* c and d. A cotangent of all ones is not enough: softmax passes that with a gradient
of zeros.
"""

from collections.abc import Callable, Sequence

import numpy as np

from minigrad.tensor import Tensor, tensor


def gradcheck(
    f: Callable[..., Tensor],
    inputs: Sequence[np.ndarray],
    *,
    seed: int = 0,
    directions: int = 3,
    eps: float = 1e-6,
    rtol: float = 1e-6,
) -> None:
    """Check the gradients of `f` by central differences in float64, along random directions.

    Parameters
    ----------
    f : callable
        Takes one Tensor for each input and returns a Tensor.
    inputs : sequence of arrays
        Where to check. They are used in float64, and should be away from kinks of f.
    seed : int
        Of the cotangents and directions.
    directions : int
        How many of each to try.
    eps : float
        Half the distance between the two points compared, times the size of the input.
    rtol : float
        How far the two may differ, relative to the size of the products that were summed.

    Raises
    ------
    AssertionError
        Names the input, both numbers, and the error for smaller and larger steps: a correct
        gradient has its smallest error in the middle, a wrong one the same error everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import gradcheck
    >>> gradcheck(lambda x, y: x * y.exp(), [np.ones((2, 3)), np.zeros(3)])
    """
    rng = np.random.default_rng(seed)
    arrays = [np.array(a, dtype=np.float64) for a in inputs]
    for _ in range(directions):
        tensors = [tensor(a, requires_grad=True) for a in arrays]
        out = f(*tensors)
        cotangent = rng.standard_normal(out.shape)
        if out.size:
            out.backward(cotangent)
        # What is rounded is as large as f, or somewhat less small than f where f cancels.
        rounded = float((np.abs(cotangent) * (np.abs(out.data) + 0.01)).sum())
        for i, (a, t) in enumerate(zip(arrays, tensors, strict=True)):
            direction = rng.standard_normal(a.shape)
            gradient = np.zeros_like(a) if t.grad is None else t.grad.data
            _compare(f, arrays, i, direction, cotangent, gradient, rounded, eps, rtol)


def _compare(  # type: ignore[no-untyped-def]
    f, arrays, i, direction, cotangent, gradient, rounded, eps, rtol
):
    """Hold ⟨gradient, direction⟩ of input i against the difference of two values of f."""

    def numeric(step: float) -> float:
        ends = []
        for sign in (1, -1):
            moved = [
                tensor(a + sign * step * direction if k == i else a) for k, a in enumerate(arrays)
            ]
            ends.append(f(*moved).data)
        return float((cotangent * (ends[0] - ends[1])).sum() / (2 * step))

    step = eps * max(1.0, float(np.abs(arrays[i]).max(initial=0)))
    analytic = float((gradient * direction).sum())
    scale = float(np.abs(gradient * direction).sum()) + rounded + 1e-12
    difference = abs(numeric(step) - analytic)
    if not difference <= rtol * scale < np.inf:
        steps = [step * 10.0**k for k in (-2, -1, 0, 1, 2)]
        table = "\n".join(
            f"    step {s:8.0e}: difference {abs(numeric(s) - analytic):.3e}" for s in steps
        )
        raise AssertionError(
            f"gradcheck: the gradient of input {i} (shape {arrays[i].shape}) is wrong: along a "
            f"random direction it gives {analytic:.12g}, differences give {numeric(step):.12g}\n"
            f"{table}"
        )
