"""The one-cycle schedule: up to a high rate and down again, momentum the other way round."""

import math
from typing import Any, NamedTuple

from minigrad.optim.optimizers import Optimizer
from minigrad.optim.options import check_options
from minigrad.optim.schedules import Schedule


class _Phase(NamedTuple):
    """A part of the cycle: up to which t, and from where to where rate and momentum go."""

    stop: float
    rates: tuple[float, float]
    momenta: tuple[float, float]


class OneCycleLR(Schedule):
    """One cycle: the rate climbs from low to its highest and falls far below where it began::

        low = 1 / div_factor          high = 1          end = low / final_div_factor

        from t = 0 to P:              low → high        max_momentum → base_momentum
        from P to T − 1:              high → end        base_momentum → max_momentum

    where T is the number of steps after the warm-up and P = pct_start · T − 1. With `three_phase`
    the rate falls as it climbed, from P to 2P, and then on to the end while momentum rests::

        from P to 2P:                 high → low        base_momentum → max_momentum
        from 2P to T − 1:             low → end         max_momentum

    From a to b, with x the part of the way that is done: b + (a − b) · (1 + cos(π · x)) / 2, or
    a + (b − a) · x if `anneal_strategy` is "linear".

    Parameters
    ----------
    optimizer : Optimizer
        The highest rate is each group's own (PyTorch's max_lr). Momentum is the option "momentum",
        or the first of "betas".
    total_steps : int
        Steps in all, warm-up included.
    pct_start : float
        The share of the steps in which the rate climbs.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
    base_momentum, max_momentum : float
    div_factor, final_div_factor : float
    three_phase : bool
    warmup : int
        Steps in which the rate climbs to low. The cycle has a climb of its own, and rarely needs
        them.

    References
    ----------
    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2018. Where phases begin and end is PyTorch's.

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1, momentum=0.9)
    >>> schedule = optim.OneCycleLR(optimizer, total_steps=20)
    >>> round(max(schedule.at(step) for step in range(20)), 4)
    1.0
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        warmup: int = 0,
    ) -> None:
        check_options(
            "OneCycleLR", pct_start=pct_start, anneal_strategy=anneal_strategy,
            cycle_momentum=cycle_momentum, base_momentum=base_momentum, max_momentum=max_momentum,
            div_factor=div_factor, final_div_factor=final_div_factor, three_phase=three_phase,
        )  # fmt: skip
        if cycle_momentum:
            _check_momentum(optimizer)
        self.total_steps = self._length(total_steps, warmup)
        self.pct_start, self.anneal_strategy = float(pct_start), anneal_strategy
        self.cycle_momentum, self.three_phase = bool(cycle_momentum), bool(three_phase)
        self.base_momentum, self.max_momentum = float(base_momentum), float(max_momentum)
        self.div_factor, self.final_div_factor = float(div_factor), float(final_div_factor)
        self.phases = self._phases(self.total_steps - int(warmup))
        super().__init__(optimizer, warmup)

    def _phases(self, length: int) -> list[_Phase]:
        low, high = 1 / self.div_factor, 1.0
        end, peak = low / self.final_div_factor, self.pct_start * length - 1
        base, most = self.base_momentum, self.max_momentum
        climb = _Phase(peak, (low, high), (most, base))
        if not self.three_phase:
            return [climb, _Phase(length - 1, (high, end), (base, most))]
        fall = _Phase(2 * peak, (high, low), (base, most))
        return [climb, fall, _Phase(length - 1, (low, end), (most, most))]

    def factor(self, t: int) -> float:
        """Return the rate, as a share of the highest."""
        phase, done = self._place(t)
        return self._between(*phase.rates, done)

    def momentum(self, t: int) -> float:
        """Return the momentum, `t` steps after the warm-up."""
        phase, done = self._place(t)
        return self._between(*phase.momenta, done)

    def _place(self, t: int) -> tuple[_Phase, float]:
        """Find the phase that t lies in, and the part of it that is done."""
        t, start = min(t, self.total_steps - self.warmup - 1), 0.0
        for phase in self.phases[:-1]:
            if t <= phase.stop:
                break
            start = phase.stop
        else:
            phase = self.phases[-1]
        return phase, (t - start) / (phase.stop - start) if phase.stop > start else 1.0

    def _between(self, a: float, b: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return a + (b - a) * done
        return b + (a - b) * (1 + math.cos(math.pi * done)) / 2

    def _set(self) -> None:
        super()._set()
        if not self.cycle_momentum:
            return
        momentum = self.momentum(self._since_warmup(self.steps_done))
        for group in self.optimizer.groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


def _check_momentum(optimizer: Optimizer) -> None:
    options: Any = optimizer.groups[0]
    if "momentum" not in options and "betas" not in options:
        raise ValueError(
            f"OneCycleLR: {type(optimizer).__name__} has neither momentum nor betas to cycle; "
            "give cycle_momentum=False"
        )
