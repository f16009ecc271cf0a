"""Schedules: what must hold, against their formulas and by hand."""
# ruff: noqa: D401
# (the docstring of a property states it)

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import optim
from minigrad.nn import Parameter
from minigrad.testing.suite.comparing import near
from minigrad.testing.suite.property import holds


def _optimizer(**options: Any) -> optim.SGD:
    """Make an optimiser of two groups, with rates of 0.1 and 0.5."""
    groups: list[Any] = [{"params": [Parameter(np.ones(1))]} for _ in range(2)]
    return optim.SGD([groups[0], {**groups[1], "lr": 0.5}], lr=0.1, **options)


def _follows(make: Callable[[Any, int], optim.Schedule], warmup: int, factors: list[float]) -> None:
    """Climb to the first of the factors and follow them, step by step, in all groups."""
    optimizer = _optimizer()
    schedule = make(optimizer, warmup)
    climb = [factors[0] * (step + 1) / (warmup + 1) for step in range(warmup)]
    for step, factor in enumerate([*climb, *factors]):
        rates = [group["lr"] for group in optimizer.groups]
        near(rates, [0.1 * factor, 0.5 * factor], f"rate at step {step}")
        schedule.step()


@holds("schedules")
def step_by_hand() -> None:
    """Halved every three steps, with and without a warm-up."""
    for warmup in (0, 2):
        _follows(lambda o, w: optim.StepLR(o, 3, 0.5, w), warmup, [1, 1, 1, 0.5, 0.5, 0.5, 0.25])


@holds("schedules")
def milestones_by_hand() -> None:
    """Halved at steps 3 and 4, of which the warm-up is a part."""
    _follows(lambda o, w: optim.MultiStepLR(o, [3, 4], 0.5, w), 0, [1, 1, 1, 0.5, 0.25, 0.25])
    _follows(lambda o, w: optim.MultiStepLR(o, [3, 4], 0.5, w), 2, [1, 0.5, 0.25, 0.25])


@holds("schedules")
def exponential_by_hand() -> None:
    """Halved at every step."""
    for warmup in (0, 2):
        _follows(lambda o, w: optim.ExponentialLR(o, 0.5, w), warmup, [1, 0.5, 0.25, 0.125])


@holds("schedules")
def lambda_by_hand() -> None:
    """What the function says of the steps since the warm-up."""

    def curve(t: int) -> float:
        return 1 / (1 + t)

    for warmup in (0, 2):
        _follows(lambda o, w: optim.LambdaLR(o, curve, w), warmup, [1, 1 / 2, 1 / 3, 1 / 4])


@holds("schedules")
def poly_by_hand() -> None:
    """The square of what is left of four steps, and nothing after them."""
    for warmup in (0, 2):
        squares = [1, 9 / 16, 4 / 16, 1 / 16, 0, 0, 0]
        _follows(lambda o, w: optim.PolyLR(o, 4 + w, 2.0, w), warmup, squares)


@holds("schedules")
def one_cycle_by_hand() -> None:
    """Up in two steps to the groups' own rates and down in four, momentum the other way round."""
    optimizer = _optimizer(momentum=0.5)
    schedule = optim.OneCycleLR(
        optimizer, 7, 3 / 7, "linear", True, 0.5, 0.75, div_factor=5, final_div_factor=2
    )
    want = [
        (0.2, 0.75),
        (0.6, 0.625),
        (1, 0.5),
        *((1 - 0.225 * i, 0.5 + i / 16) for i in range(1, 5)),
    ]
    for step, (factor, momentum) in enumerate([*want, want[-1]]):
        for group, rate in zip(optimizer.groups, (0.1, 0.5), strict=True):
            near([group["lr"], group["momentum"]], [rate * factor, momentum], f"at step {step}")
        schedule.step()


@holds("schedules")
def a_stopped_schedule_goes_on() -> None:
    """From the step it was at, and from the rates that were the groups' own at first."""
    first = optim.ExponentialLR(_optimizer(), 0.5)
    for _ in range(3):
        first.step()
    optimizer = _optimizer()
    optimizer.groups[0]["lr"] = 0.3
    second = optim.ExponentialLR(optimizer, 0.5)
    second.load_state_dict(first.state_dict())
    for factor in (1 / 8, 1 / 16):
        near([group["lr"] for group in optimizer.groups], [0.1 * factor, 0.5 * factor], "the rate")
        second.step()


@holds("schedules", warmup=st.integers(0, 3), after=st.integers(1, 6),
       floor=st.sampled_from([0.0, 0.1]))  # fmt: skip
def cosine_as_defined(warmup: int, after: int, floor: float) -> None:
    """Up in warmup + 1 equal steps, down half a cosine to the floor; groups keep their ratio."""
    groups: list[Any] = [
        {"params": [Parameter(np.ones(1))]},
        {"params": [Parameter(np.ones(1))], "lr": 0.5},
    ]
    optimizer = optim.SGD(groups, lr=0.1)
    schedule = optim.CosineLR(optimizer, warmup + after, warmup=warmup, floor=floor)
    for step in range(warmup + after + 2):
        turn = math.pi * min(max(step - warmup, 0) / after, 1)
        want = floor + (1 - floor) * (1 + math.cos(turn)) / 2 * min((step + 1) / (warmup + 1), 1)
        if step < warmup:
            want = (step + 1) / (warmup + 1)
        near(
            [group["lr"] for group in optimizer.groups],
            [0.1 * want, 0.5 * want],
            f"rate at step {step}",
        )
        schedule.step()


@holds("schedules")
def cosine_by_hand() -> None:
    """Two steps of warm-up, then from 1 over one half to the floor."""
    optimizer = optim.SGD([Parameter(np.ones(1))], lr=1.0)
    schedule = optim.CosineLR(optimizer, 4, warmup=2)
    rates = []
    for _ in range(5):
        rates.append(optimizer.groups[0]["lr"])
        schedule.step()
    near(rates, [1 / 3, 2 / 3, 1, 0.5, 0], "the rate")
