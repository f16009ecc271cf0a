"""Optimisers: how gradients change parameters. SGD with momentum, and Adam.

Each update is one pass over memory (`minigrad.optim.updates`): parameters, gradients and state are
read once and written once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigrad import device
from minigrad.nn import Parameter
from minigrad.optim import updates

Group = dict[str, Any]


class Optimizer:
    """Parameters in groups, each with its own options.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups
        A group is a dictionary: "params" holds its parameters, and any option that is to differ
        from the default stands beside it, ``{"params": biases, "lr": 0.02, "weight_decay": 0}``.
    **defaults
        Options for the groups that do not set them.

    Attributes
    ----------
    groups : list of dict
        Schedules change their "lr".
    state : dict
        What the optimiser remembers of each parameter, by parameter.
    """

    def __init__(
        self, parameters: Iterable[Parameter | Mapping[str, Any]], **defaults: Any
    ) -> None:
        name = type(self).__name__
        given = list(parameters)
        if not given:
            raise ValueError(f"{name}: no parameters to optimise")
        groups: list[Any] = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.groups: list[Group] = []
        self.state: dict[Parameter, dict[str, np.ndarray]] = {}
        seen: set[int] = set()
        for group in groups:
            unknown = set(group) - set(defaults) - {"params"}
            if unknown:
                raise ValueError(
                    f"{name}: a group has unknown options {sorted(unknown)}; it may have "
                    f"{sorted(defaults)}"
                )
            self.groups.append({**defaults, **group, "params": list(group["params"])})
            self._check_group(name, self.groups[-1], seen)

    @staticmethod
    def _check_group(name: str, group: Group, seen: set[int]) -> None:
        for parameter in group["params"]:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"{name}: parameters must be nn.Parameter, got {type(parameter)}")
            if id(parameter) in seen:
                raise ValueError(f"{name}: a parameter stands in two groups, or twice in one")
            seen.add(id(parameter))
        for option in ("lr", "momentum", "weight_decay", "eps"):
            value = group.get(option, 0)
            if not (isinstance(value, int | float | np.floating) and 0 <= value < float("inf")):
                raise ValueError(f"{name}: {option} must be a number of at least 0, got {value!r}")

    def zero_grad(self) -> None:
        """Forget the gradients gathered so far."""
        for group in self.groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state.setdefault(parameter, {})
                    self.update(parameter.data, parameter.grad.data, state, group)

    def update(
        self, data: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], group: Group
    ) -> None:
        """Change one parameter's `data` and `state` in place. Every optimiser says how."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")


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
        parameters: Iterable[Parameter | Mapping[str, Any]],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov
        )
        for group in self.groups:
            if group["nesterov"] and not group["momentum"]:
                raise ValueError("SGD: nesterov needs momentum above 0")

    def update(
        self, data: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], group: Group
    ) -> None:
        """One step of the formula above."""
        updates.sgd(
            data, gradient, _array(state, "velocity", data),
            group["lr"], group["momentum"], group["weight_decay"], group["nesterov"],
        )  # fmt: skip


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
        How much of m and v is kept at each step.
    eps : float
    weight_decay : float

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter | Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        for group in self.groups:
            if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
                raise ValueError(f"Adam: betas must be two numbers in [0, 1), got {group['betas']}")

    def update(
        self, data: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], group: Group
    ) -> None:
        """One step of the formulas above."""
        if "step" not in state:
            state["step"] = np.zeros((), np.int64)  # on the CPU: a step never waits for a GPU
        state["step"] += 1
        mean, square = _array(state, "mean", data), _array(state, "square", data)
        updates.adam(
            data, gradient, mean, square, int(state["step"]),
            group["lr"], group["betas"], group["eps"], group["weight_decay"],
        )  # fmt: skip


def _array(state: dict[str, np.ndarray], name: str, data: np.ndarray) -> np.ndarray:
    """Look up an array of the state: zeros at first, and always where the parameter lies."""
    array = state.get(name)
    here = updates.zeros_like(data) if array is None else device.put_like(array, data)
    state[name] = here
    return here
