"""Stochastic gradient descent."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.optim import updates
from minigrad.optim.optimizers import Group, Optimizer, Parameters, State, remembered


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as PyTorch and Caffe count it::

        g ← gradient + weight_decay · p
        v ← momentum · v + g                 (v = g at the first step)
        p ← p − lr · v                       (nesterov: p − lr · (g + momentum · v))

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups (see `Optimizer`)
    lr : float
        Learning rate.
    momentum : float
    weight_decay : float
        Pulls every weight towards zero.
    nesterov : bool
        Look ahead along the momentum.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", 2013.

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Insist on momentum where Nesterov is to look along it."""
        super().check_options(options)
        if options["nesterov"] and not options["momentum"]:
            raise ValueError(
                f"SGD: nesterov needs momentum above 0, got momentum {options['momentum']!r}"
            )

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """One step of the formula above."""
        updates.sgd(
            data, gradient, remembered(state, "velocity", data),
            group["lr"], group["momentum"], group["weight_decay"], group["nesterov"],
        )  # fmt: skip
