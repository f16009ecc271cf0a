"""RMSprop."""

import numpy as np

from minigrad.optim import updates
from minigrad.optim.optimizers import Group, Optimizer, Parameters, State, remembered


class RMSprop(Optimizer):
    """RMSprop: the gradient divided by its running root mean square::

        g ← gradient + weight_decay · p
        s ← alpha · s + (1 − alpha) · g²
        centered:  m ← alpha · m + (1 − alpha) · g,  and s − m² stands for s below
        d = g / (√s + eps)
        p ← p − lr · d                       (momentum: v ← momentum · v + d,  p ← p − lr · v)

    s − m² is a variance. Where rounding makes it negative, it is taken to be 0.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups (see `Optimizer`)
    lr : float
        Learning rate.
    alpha : float
        How much of s and m is kept at each step, in [0, 1).
    eps : float
    weight_decay : float
    momentum : float
    centered : bool
        Divide by the gradient's deviation from its mean.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 – RMSprop: divide the gradient by a running average of its
    recent magnitude", 2012; centred and with momentum in Graves, "Generating sequences with
    recurrent neural networks", 2013 (equations 38 to 41). Where eps and lr stand is PyTorch's.

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(2, 1)
    >>> optimizer = optim.RMSprop(layer.parameters(), lr=0.01, momentum=0.9, centered=True)
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered,
        )  # fmt: skip

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """One step of the formulas above."""
        updates.rmsprop(
            data, gradient, remembered(state, "square", data),
            remembered(state, "mean", data) if group["centered"] else None,
            remembered(state, "velocity", data) if group["momentum"] else None,
            group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"],
        )  # fmt: skip
