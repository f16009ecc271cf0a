"""Schedules: how the learning rate changes from step to step.

A schedule is a function of the step number alone, times the rate that each group began with. So it
can be drawn, asked for any step, and taken up again in the middle.
"""

import math

from minigrad.optim.optimizers import Optimizer


class Schedule:
    """Sets the learning rate of every group before each step.

    Parameters
    ----------
    optimizer : Optimizer
    warmup : int
        Steps over which the rate first climbs from near 0, in front of the schedule itself.

    Attributes
    ----------
    steps_done : int
        How often `step` was called. The rate is already set for the next step.
    """

    def __init__(self, optimizer: Optimizer, warmup: int = 0) -> None:
        if not isinstance(warmup, int) or warmup < 0:
            raise ValueError(f"{type(self).__name__}: warmup must be 0 or more steps, got {warmup}")
        self.optimizer, self.warmup = optimizer, warmup
        self.base_rates = [group["lr"] for group in optimizer.groups]
        self.steps_done = 0
        self._set()

    def factor(self, step: int) -> float:
        """Return what the rate is multiplied by at `step` (0 for the first). Each says how."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor")

    def step(self) -> None:
        """Go on to the next step: call it after the optimiser's."""
        self.steps_done += 1
        self._set()

    def _set(self) -> None:
        climbing = min(1.0, (self.steps_done + 1) / (self.warmup + 1))
        factor = climbing * self.factor(self.steps_done)
        for group, rate in zip(self.optimizer.groups, self.base_rates, strict=True):
            group["lr"] = rate * factor


class CosineLR(Schedule):
    """Half a cosine, from 1 down to `floor` at the last step::

        factor = floor + (1 − floor) · (1 + cos(π · t / T)) / 2

    where T is the number of steps after the warm-up and t how many of them are done.

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
        if not isinstance(total_steps, int) or total_steps <= warmup:
            raise ValueError(
                f"CosineLR: total_steps must be more than the {warmup} of the warm-up, "
                f"got {total_steps}"
            )
        self.total_steps, self.floor = total_steps, floor
        super().__init__(optimizer, warmup)

    def factor(self, step: int) -> float:
        """Return the point of the cosine."""
        done = min(max(step - self.warmup, 0), self.total_steps - self.warmup)
        turn = math.pi * done / (self.total_steps - self.warmup)
        return self.floor + (1 - self.floor) * (1 + math.cos(turn)) / 2
