"""Schedules: how the learning rate changes from step to step.

A schedule is a function of the step number alone, times the rate that each group began with. So it
can be drawn, asked for any step, and taken up again in the middle.

**Steps and epochs.** A schedule counts steps of the optimiser: `Schedule.step` is called after each
of them. Whoever thinks in epochs multiplies by the steps in one, ``len(batches)``::

    optim.StepLR(optimizer, step_size=8 * len(batches), gamma=0.96)
    optim.CosineLR(optimizer, total_steps=epochs * len(batches), warmup=len(batches))

(Or calls `Schedule.step` once an epoch, as is the habit with PyTorch: then everything is counted in
epochs.)

**Warm-up.** Every schedule takes ``warmup=``, so many steps over which the rate first climbs in a
straight line. The schedule itself begins when they are over: its formula is written for t, the
steps done since then. But `total_steps` and `milestones` are places in the whole training, and
count from its first step, warm-up included.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from minigrad.optim import state as states
from minigrad.optim.optimizers import Optimizer
from minigrad.optim.options import AT_LEAST_0, check, check_options, is_whole


class Schedule:
    """Sets the learning rate of every group before each step::

        rate = (the group's own rate) · factor(0) · (step + 1) / (warmup + 1)    step < warmup
        rate = (the group's own rate) · factor(step − warmup)                    after that

    The warm-up is PyTorch's ``LinearLR(start_factor=1 / (warmup + 1), total_iters=warmup)``: no
    step is wasted on a rate of 0, and the first after it has the full rate.

    Parameters
    ----------
    optimizer : Optimizer
    warmup : int
        Steps over which the rate first climbs, in front of the schedule itself.

    Attributes
    ----------
    steps_done : int
        How often `step` was called. The rate is already set for the next step.
    base_rates : list of float
        The groups' own rates, those that they had when the schedule was made.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017 (gradual
    warm-up).
    """

    def __init__(self, optimizer: Optimizer, warmup: int = 0) -> None:
        check_options(type(self).__name__, warmup=warmup)
        self.optimizer, self.warmup = optimizer, int(warmup)
        self.base_rates = [float(group["lr"]) for group in optimizer.groups]
        self.steps_done = 0
        self._set()

    def factor(self, t: int) -> float:
        """Return what the rate is multiplied by, `t` steps after the warm-up. Each says how."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor")

    def at(self, step: int) -> float:
        """Return what the rate is multiplied by at `step` (0 for the first), warm-up included."""
        climbing = min(1.0, (step + 1) / (self.warmup + 1))
        return climbing * self.factor(self._since_warmup(step))

    def step(self) -> None:
        """Go on to the next step: call it after the optimiser's."""
        self.steps_done += 1
        self._set()

    def _since_warmup(self, step: int) -> int:
        return max(step - self.warmup, 0)

    def _set(self) -> None:
        factor = self.at(self.steps_done)
        for group, rate in zip(self.optimizer.groups, self.base_rates, strict=True):
            group["lr"] = rate * factor

    def _length(self, total_steps: Any, warmup: Any) -> int:
        """Insist on more steps in all than those of the warm-up, and return them."""
        name = type(self).__name__
        check_options(name, warmup=warmup)
        if not is_whole(total_steps) or total_steps <= warmup:
            raise ValueError(
                f"{name}: total_steps must be more than the {warmup} of the warm-up, "
                f"got {total_steps!r}"
            )
        return int(total_steps)

    # -- to be kept --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return where the schedule is, in the form of `Optimizer.state_dict`.

        Returns
        -------
        dict
            "arrays", of which there are none, and "values": the schedule's name and options, the
            steps done and the groups' own rates. Functions are not kept, see `LambdaLR`.
        """
        values = {
            "schedule": type(self).__name__, "options": self._options(),
            "steps_done": self.steps_done, "base_rates": list(self.base_rates),
        }  # fmt: skip
        return {"arrays": {}, "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where another schedule was, and set the rates of that step.

        Its options must be those of this one: they are the curve itself. In which order optimiser
        and schedule are loaded does not matter.

        Raises
        ------
        ValueError
            Lists all that does not fit; then nothing has changed.
        """
        name, (_, values) = type(self).__name__, states.parts(state)
        groups = len(self.optimizer.groups)
        problems = states.schedule_misfits(name, self._options(), groups, values)
        if problems or values is None:
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ValueError(f"load_state_dict: the state does not fit this {name}:{listed}")
        self.at(int(values["steps_done"]))  # if a function objects, nothing has changed yet
        self.steps_done = int(values["steps_done"])
        self.base_rates = [float(rate) for rate in values["base_rates"]]
        self._set()

    def _options(self) -> dict[str, Any]:
        """Look up the arguments this was made with, among its attributes of the same names."""
        names = [name for name in signature(type(self)).parameters if name != "optimizer"]
        found = {name: getattr(self, name, None) for name in names}
        return {name: value for name, value in found.items() if not callable(value)}


class StepLR(Schedule):
    """A fall by a factor every so many steps::

        factor = gamma ^ ⌊t / step_size⌋

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Steps between two falls.
    gamma : float
    warmup : int

    Examples
    --------
    The GoogLeNet paper's, which falls by 4 % every 8 epochs:

    >>> from minigrad import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.01, momentum=0.9)
    >>> steps_per_epoch = 100
    >>> schedule = optim.StepLR(optimizer, step_size=8 * steps_per_epoch, gamma=0.96)
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, warmup: int = 0
    ) -> None:
        check_options("StepLR", step_size=step_size, gamma=gamma)
        self.step_size, self.gamma = int(step_size), float(gamma)
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return the power of gamma."""
        return self.gamma ** (t // self.step_size)


class MultiStepLR(Schedule):
    """A fall by a factor at each milestone::

        factor = gamma ^ (how many milestones have been reached)

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
        Steps of the training, warm-up included, from which on the rate is lower; ascending, and
        none within the warm-up.
    gamma : float
    warmup : int
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, warmup: int = 0
    ) -> None:
        check_options("MultiStepLR", milestones=milestones, gamma=gamma, warmup=warmup)
        if milestones and milestones[0] < warmup:
            raise ValueError(
                f"MultiStepLR: milestones must not lie within the {warmup} steps of the warm-up, "
                f"got {milestones!r}"
            )
        self.milestones, self.gamma = [int(m) for m in milestones], float(gamma)
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return the power of gamma."""
        return self.gamma ** bisect_right(self.milestones, t + self.warmup)


class ExponentialLR(Schedule):
    """A fall by the same factor at every step::

        factor = gamma ^ t

    To fall by a factor once an epoch, evenly over its steps, give its root:
    ``gamma=0.95 ** (1 / len(batches))``.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
    warmup : int
    """

    def __init__(self, optimizer: Optimizer, gamma: float, warmup: int = 0) -> None:
        check_options("ExponentialLR", gamma=gamma)
        self.gamma = float(gamma)
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return the power of gamma."""
        return self.gamma**t


class LambdaLR(Schedule):
    """Whatever a function says::

        factor = lr_lambda(t)

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable
        Gets t, the steps done since the warm-up; returns a number of at least 0. It is no part of
        `state_dict` (nor is it in PyTorch): who takes a state up again gives it again.
    warmup : int

    Raises
    ------
    ValueError
        Also later, when the function returns anything else.

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.01)
    >>> schedule = optim.LambdaLR(optimizer, lambda t: 0.96 ** ((1 + t) // 8))
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float], warmup: int = 0
    ) -> None:
        if not callable(lr_lambda):
            raise TypeError(f"LambdaLR: lr_lambda must be a function, got {lr_lambda!r}")
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return what the function says."""
        factor = self.lr_lambda(t)
        check("LambdaLR", f"lr_lambda({t})", factor, AT_LEAST_0)
        return float(factor)


class PolyLR(Schedule):
    """A power of the part of the steps that is left, from 1 down to 0 after the last::

        factor = (1 − t / T) ^ power

    where T is the number of steps after the warm-up. Caffe's "poly"; its quick GoogLeNet is trained
    with power 0.5.

    Parameters
    ----------
    optimizer : Optimizer
    total_steps : int
        Steps in all, warm-up included.
    power : float
    warmup : int
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int, power: float = 1.0, warmup: int = 0
    ) -> None:
        check_options("PolyLR", power=power)
        self.total_steps, self.power = self._length(total_steps, warmup), float(power)
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return the power of what is left."""
        length = self.total_steps - self.warmup
        return (1 - min(t, length) / length) ** self.power


class CosineLR(Schedule):
    """Half a cosine, from 1 down to `floor` after the last step::

        factor = floor + (1 − floor) · (1 + cos(π · t / T)) / 2

    where T is the number of steps after the warm-up. PyTorch's CosineAnnealingLR, whose eta_min is
    a rate, the same for all groups; `floor` is a share of each group's own.

    Parameters
    ----------
    optimizer : Optimizer
    total_steps : int
        Steps in all, warm-up included.
    warmup : int
    floor : float

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (one period
    without restart).
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int, warmup: int = 0, floor: float = 0.0
    ) -> None:
        check_options("CosineLR", floor=floor)
        self.total_steps, self.floor = self._length(total_steps, warmup), float(floor)
        super().__init__(optimizer, warmup)

    def factor(self, t: int) -> float:
        """Return the point of the cosine."""
        length = self.total_steps - self.warmup
        turn = math.pi * min(t, length) / length
        return self.floor + (1 - self.floor) * (1 + math.cos(turn)) / 2
