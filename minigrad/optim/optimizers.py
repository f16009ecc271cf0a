"""What all optimisers share: parameters in groups, a step, and state that can be kept.

Each optimiser is one formula, one pass over memory (`minigrad.optim.updates`): parameters,
gradients and state are read once and written once. Its own file says which.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigrad import device
from minigrad.nn import Parameter
from minigrad.optim import state as states
from minigrad.optim import updates
from minigrad.optim.options import check_options, plain

Group = dict[str, Any]
State = dict[str, np.ndarray]
Parameters = Iterable[Parameter | Mapping[str, Any]]


class Optimizer:
    """Parameters in groups, each with its own options.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups
        A group is a dictionary: "params" holds its parameters, and any option that is to differ
        from the default stands beside it, ``{"params": biases, "lr": 0.02, "weight_decay": 0}``.
        `groups_by_name` makes groups of names.
    **defaults
        Options for the groups that do not set them.

    Attributes
    ----------
    groups : list of dict
        Schedules change their "lr".
    state : dict
        What the optimiser remembers of each parameter, by parameter: arrays of its shape and
        dtype, and "step", a count in an array () of int64.

    Raises
    ------
    ValueError, TypeError
        If there are no parameters, one occurs twice, or an option is unknown or out of range.
    """

    def __init__(self, parameters: Parameters, **defaults: Any) -> None:
        name = type(self).__name__
        given = list(parameters)
        if not given:
            raise ValueError(f"{name}: no parameters to optimise")
        groups: list[Any] = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.groups: list[Group] = []
        self.state: dict[Parameter, State] = {}
        seen: set[int] = set()
        for group in groups:
            if not isinstance(group, Mapping) or "params" not in group:
                raise TypeError(f'{name}: a group is a dictionary with "params", got {group!r}')
            unknown = set(group) - set(defaults) - {"params"}
            if unknown:
                raise ValueError(
                    f"{name}: a group has unknown options {sorted(unknown)}; it may have "
                    f"{sorted(defaults)}"
                )
            options = {option: group.get(option, value) for option, value in defaults.items()}
            self.check_options(options)
            members = list(group["params"])
            self._check_members(name, members, seen)
            self.groups.append({**plain(options), "params": members})

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Insist that the options of a group mean something. Some optimisers add rules."""
        check_options(type(self).__name__, **options)

    @staticmethod
    def _check_members(name: str, members: list[Any], seen: set[int]) -> None:
        for parameter in members:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"{name}: parameters must be nn.Parameter, got {type(parameter)}")
            if id(parameter) in seen:
                raise ValueError(f"{name}: a parameter stands in two groups, or twice in one")
            seen.add(id(parameter))

    def zero_grad(self) -> None:
        """Forget the gradients gathered so far."""
        for group in self.groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises
        ------
        ValueError, TypeError
            If a gradient is not of its parameter's shape or dtype, or lies on another device, or
            they are neither float32 nor float64. Nothing has changed then.
        """
        self._check_gradients()
        with updates.together():
            for group in self.groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        state = self.state.setdefault(parameter, {})
                        self.update(parameter.data, parameter.grad.data, state, group)

    def _check_gradients(self) -> None:
        number = 0
        for group in self.groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    data, gradient = parameter.data, parameter.grad.data
                    usual = type(data) is type(gradient) and data.dtype == gradient.dtype
                    if not usual or data.shape != gradient.shape or data.dtype.char not in "fd":
                        self._refuse(number, data, gradient)
                number += 1

    def _refuse(self, number: int, data: np.ndarray, gradient: np.ndarray) -> None:
        if data.dtype.char not in "fd":
            raise TypeError(
                f"{type(self).__name__}: parameter {number} is {data.dtype}; parameters are "
                "trained in float32 or float64 (in 16 bits a small step changes nothing)"
            )
        here, there = (
            f"shape {a.shape}, dtype {a.dtype}, device {device.of(a)}" for a in (data, gradient)
        )
        error = TypeError if data.shape == gradient.shape else ValueError
        raise error(
            f"{type(self).__name__}: the gradient of parameter {number} has {there}; the "
            f"parameter has {here}"
        )

    def update(self, data: np.ndarray, gradient: np.ndarray, state: State, group: Group) -> None:
        """Change one parameter's `data` and `state` in place. Every optimiser says how."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    # -- to be kept --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return all that is needed to continue as if never stopped, to the bit.

        Returns
        -------
        dict
            "arrays": what is remembered of each parameter, ``{"0.mean": array, …}``. Parameters
            are known by their number, counted through all groups in order. These are the arrays
            themselves, where they are: the next step changes them.
            "values": the rest, which JSON can hold: the optimiser's name, and of each group its
            options and the shapes and dtypes of its parameters.

        Examples
        --------
        Both fit into one safetensors file:

        >>> import json
        >>> import numpy as np
        >>> from minigrad import checkpoint, nn, optim
        >>> layer = nn.Linear(2, 1)
        >>> optimizer = optim.Adam(layer.parameters(), lr=0.01)
        >>> def save(path):
        ...     state = optimizer.state_dict()
        ...     checkpoint.save(path, state["arrays"], {"values": json.dumps(state["values"])})
        >>> def load(path):
        ...     arrays, metadata = checkpoint.load(path)
        ...     values = json.loads(metadata["values"])
        ...     optimizer.load_state_dict({"arrays": arrays, "values": values})
        """
        return states.of_optimizer(type(self).__name__, self.groups, self.state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave, options included. Nothing changes unless all of it fits.

        Parameters
        ----------
        state : mapping
            "arrays", on any device and in any order in memory, and "values". They are copied.

        Raises
        ------
        ValueError
            Lists all that does not fit: another optimiser, other groups or parameters, options
            that are unknown, missing or out of range, arrays that are missing, unexpected, or of
            another shape or dtype.
        """
        problems = states.misfits(type(self).__name__, self.groups, self.check_options, state)
        if problems:
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ValueError(
                f"load_state_dict: the state does not fit this {type(self).__name__}:{listed}"
            )
        remembered = states.copied(self.groups, state)
        for group, given in zip(self.groups, state["values"]["groups"], strict=True):
            group.update(plain(given["options"]))
        self.state.clear()
        self.state.update(remembered)


def remembered(state: State, name: str, data: np.ndarray) -> np.ndarray:
    """Look up an array of the state: zeros at first, and always as the parameter is.

    On its device, of its dtype, and on the CPU in its order in memory: parameters may move, and
    states may come from elsewhere.
    """
    array = state.get(name)
    here = updates.zeros_like(data) if array is None else updates.as_like(array, data)
    state[name] = here
    return here
