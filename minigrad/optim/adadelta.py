"""Adadelta."""

import numpy as np

from minigrad.optim import updates
from minigrad.optim.optimizers import Group, Optimizer, Parameters, State, remembered


class Adadelta(Optimizer):
    """Adadelta: steps of about the size of recent steps, whatever the size of the gradient::

        g ← gradient + weight_decay · p
        s ← rho · s + (1 − rho) · g²
        d = √(u + eps) / √(s + eps) · g
        u ← rho · u + (1 − rho) · d²
        p ← p − lr · d

    Both roots have the same unit but for g's, so that d has the unit of p: in the paper there is
    no learning rate. With lr = 1 it is the paper's.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups (see `Optimizer`)
    lr : float
        Learning rate.
    rho : float
        How much of s and u is kept at each step, in [0, 1).
    eps : float
        Where steps begin: the first are about √eps long.
    weight_decay : float

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012 (algorithm 1).

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(2, 1)
    >>> optimizer = optim.Adadelta(layer.parameters())
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """One step of the formulas above."""
        updates.adadelta(
            data, gradient, remembered(state, "square", data), remembered(state, "moved", data),
            group["lr"], group["rho"], group["eps"], group["weight_decay"],
        )  # fmt: skip
