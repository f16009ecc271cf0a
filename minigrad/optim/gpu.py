"""The arithmetic of optimisers on a GPU: one kernel for each parameter, one pass over memory.

The formulas are those of `minigrad.optim.updates`, in the same order.
"""

from typing import Any

from minigrad.gpu import Source, contiguous, empty

source = Source(__file__)


def zeros_like(data: Any) -> Any:
    """Make zeros for a parameter's state, where it lies."""
    zeros = empty(data.shape, data.dtype)
    zeros.fill(0)
    return zeros


def sgd(
    data: Any, gradient: Any, velocity: Any,
    lr: float, momentum: float, weight_decay: float, nesterov: bool,
) -> None:  # fmt: skip
    """Change `data` and `velocity` in place; see `minigrad.optim.SGD`."""
    _launch("sgd", data, gradient, [velocity], lr, momentum, weight_decay, bool(nesterov))


def adam(
    data: Any, gradient: Any, mean: Any, square: Any,
    step: int, lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """Change `data`, `mean` and `square` in place; see `minigrad.optim.Adam`."""
    beta1, beta2 = betas
    # m̂ and v̂ differ from m and v by factors that are the same for all weights.
    step_size, root = lr / (1 - beta1**step), 1 / (1 - beta2**step) ** 0.5
    rates = beta1, 1 - beta1, beta2, 1 - beta2
    _launch("adam", data, gradient, [mean, square], step_size, root, *rates, eps, weight_decay)


def _launch(name: str, data: Any, gradient: Any, state: list[Any], *numbers: Any) -> None:
    """Run a kernel that changes `data` and `state`: these arrays, or copies that are put back."""
    changed = [data, *state]
    in_order = [contiguous(array) for array in changed]
    weights, *rest = in_order
    source.launch(name, data.size, weights, contiguous(gradient), *rest, *numbers)
    for array, copy in zip(changed, in_order, strict=True):
        if copy is not array:
            array[...] = copy
