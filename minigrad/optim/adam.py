"""Adam, and Adam with weights that decay by themselves."""

import numpy as np

from minigrad.optim import updates
from minigrad.optim.optimizers import Group, Optimizer, Parameters, State, remembered


class Adam(Optimizer):
    """Adam: steps scaled by the running size of each weight's gradient::

        g ← gradient + weight_decay · p
        m ← β₁ · m + (1 − β₁) · g            m̂ = m / (1 − β₁ᵗ)
        v ← β₂ · v + (1 − β₂) · g²           v̂ = v / (1 − β₂ᵗ)
        p ← p − lr · m̂ / (√v̂ + eps)

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups (see `Optimizer`)
    lr : float
        Learning rate.
    betas : (float, float)
        How much of m and v is kept at each step, in [0, 1).
    eps : float
    weight_decay : float

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """One step of the formulas above."""
        updates.adam(data, gradient, *_moments(state, data), *_numbers(group))


class AdamW(Optimizer):
    """Adam whose weights decay by themselves, and not through the gradient::

        p ← p − lr · weight_decay · p
        m ← β₁ · m + (1 − β₁) · gradient     m̂ = m / (1 − β₁ᵗ)
        v ← β₂ · v + (1 − β₂) · gradient²    v̂ = v / (1 − β₂ᵗ)
        p ← p − lr · m̂ / (√v̂ + eps)

    In Adam the decay becomes a part of g, and is divided by the size of g: weights with large
    gradients decay least. Here all decay at the same rate.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups (see `Optimizer`)
    lr : float
        Learning rate; the decay is multiplied by it too.
    betas : (float, float)
        How much of m and v is kept at each step, in [0, 1).
    eps : float
    weight_decay : float

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019 (algorithm 2, with lr · λ
    for its η · λ, as PyTorch has it).

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> net = nn.Linear(2, 1)
    >>> groups = optim.groups_by_name(net, {"*bias": {"weight_decay": 0.0}})
    >>> optimizer = optim.AdamW(groups, lr=1e-3, weight_decay=0.05)
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """One step of the formulas above."""
        updates.adamw(data, gradient, *_moments(state, data), *_numbers(group))


def _moments(state: State, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Look up m and v, and count the step."""
    if "step" not in state:
        state["step"] = np.zeros((), np.int64)  # on the CPU: a step never waits for a GPU
    mean, square = remembered(state, "mean", data), remembered(state, "square", data)
    state["step"] += 1
    return mean, square, int(state["step"])


def _numbers(group: Group) -> tuple[float, tuple[float, float], float, float]:
    return group["lr"], group["betas"], group["eps"], group["weight_decay"]
