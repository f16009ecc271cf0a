"""Optimisers and schedules: what must hold, against their formulas step by step."""
# ruff: noqa: D401
# (the docstring of a property states it)

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import nn, optim
from minigrad.autograd import Array
from minigrad.nn import Parameter
from minigrad.testing import strategies as our
from minigrad.testing.place import fetch, here, put, tensor
from minigrad.testing.suite.comparing import near
from minigrad.testing.suite.property import holds

STEPS = 4


def _run(make: Any, slopes: Array, rates: list[float]) -> Array:
    """Take a step for each row of slopes, with a rate of its own. Starts from ones."""
    parameter = Parameter(put(np.ones(slopes.shape[1:])))
    optimizer = make([parameter])
    for slope, rate in zip(slopes, rates, strict=True):
        optimizer.groups[0]["lr"] = rate
        parameter.grad = tensor(slope)
        optimizer.step()
    return fetch(parameter)


def _sgd(p: Array, slopes: Array, rates: list[float], momentum: float, decay: float,
         nesterov: bool) -> Array:  # fmt: skip
    v = np.zeros_like(p)
    for slope, rate in zip(slopes, rates, strict=True):
        g = slope + decay * p
        v = momentum * v + g
        p = p - rate * (g + momentum * v if nesterov else v)
    return p


def _check_sgd(seed: int, **options: Any) -> None:
    slopes, rates = (
        np.random.default_rng(seed).standard_normal((STEPS, 2, 3)),
        [0.1, 0.1, 0.02, 0.3],
    )
    got = _run(lambda p: optim.SGD(p, lr=0.1, **options), slopes, rates)
    settings = {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False, **options}
    near(got, _sgd(np.ones((2, 3)), slopes, rates, *settings.values()))


@holds("sgd")
def sgd_with_everything() -> None:
    """Momentum, weight decay, with and without Nesterov's look ahead, while the rate changes."""
    for nesterov in (False, True):
        _check_sgd(0, momentum=0.9, weight_decay=0.2, nesterov=nesterov)


@holds("sgd", seed=our.seeds(), momentum=st.sampled_from([0.0, 0.3, 0.9]),
       decay=st.sampled_from([0.0, 0.1]))  # fmt: skip
def sgd_as_defined(seed: int, momentum: float, decay: float) -> None:
    """The formula, step by step."""
    _check_sgd(seed, momentum=momentum, weight_decay=decay)


def _adam(p: Array, slopes: Array, rates: list[float], betas: tuple[float, float], eps: float,
          decay: float) -> Array:  # fmt: skip
    m = v = np.zeros_like(p)
    for t, (slope, rate) in enumerate(zip(slopes, rates, strict=True), 1):
        g = slope + decay * p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        p = p - rate * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


@holds("adam", seed=our.seeds(), eps=st.sampled_from([0.1, 1e-8]),
       decay=st.sampled_from([0.0, 0.3]))  # fmt: skip
def adam_as_defined(seed: int, eps: float, decay: float) -> None:
    """The formula, step by step; ε = 0.1, so that it shows where it stands."""
    slopes, rates = np.random.default_rng(seed).standard_normal((STEPS, 5)), [0.1, 0.1, 0.02, 0.3]
    options: Any = {"betas": (0.8, 0.95), "eps": eps, "weight_decay": decay}
    got = _run(lambda p: optim.Adam(p, lr=0.1, **options), slopes, rates)
    near(got, _adam(np.ones(5), slopes, rates, *options.values()))


@holds("adam")
def adam_with_everything() -> None:
    """Weight decay and a large ε together."""
    adam_as_defined.check(seed=1, eps=0.1, decay=0.3)


# -- all optimisers ------------------------------------------------------------------------------


def _parameter(value: float, slope: float | None) -> Parameter:
    parameter = Parameter(put(np.full(3, value, float)))
    parameter.grad = None if slope is None else tensor(np.full(3, slope, float))
    return parameter


@holds("optimizer")
def groups_keep_their_options() -> None:
    """Each group moves with its own rate; what has no gradient does not move at all."""
    slow, fast, frozen = _parameter(1, 1), _parameter(1, 1), _parameter(1, None)
    groups: list[Any] = [{"params": [slow]}, {"params": [fast, frozen], "lr": 0.5}]
    optimizer = optim.SGD(groups, lr=0.1, weight_decay=0.2)
    optimizer.step()
    near(slow.data, np.full(3, 1 - 0.1 * 1.2), "the first group")
    near(fast.data, np.full(3, 1 - 0.5 * 1.2), "the second group")
    near(frozen.data, np.ones(3), "what has no gradient")
    optimizer.zero_grad()
    assert slow.grad is None, "the first group's gradient is still there"
    assert fast.grad is None, "the second group's gradient is still there"


@holds("optimizer")
def parameters_keep_their_state() -> None:
    """Two parameters of one shape do not share a velocity."""
    first, second = _parameter(0, 1), _parameter(0, -1)
    optimizer = optim.SGD([first, second], lr=1.0, momentum=0.5)
    for _ in range(2):
        optimizer.step()
    near(first.data, np.full(3, -(1 + 1.5)), "the first parameter")
    near(second.data, np.full(3, 1 + 1.5), "the second parameter")


@holds("optimizer")
def all_numbers_move() -> None:
    """In parameters that lie transposed in memory too, as those of layers do."""
    layer = nn.Linear(3, 2, generator=np.random.default_rng(0)).to(here())
    before, slope = fetch(layer.weight).copy(), np.arange(6, dtype=np.float32).reshape(2, 3)
    layer.weight.grad = tensor(slope)
    optim.SGD(layer.parameters(), lr=0.5).step()
    near(layer.weight.data, before - 0.5 * slope, "the weight", rtol=1e-6)


# -- schedules -----------------------------------------------------------------------------------


@holds("schedules", warmup=st.integers(0, 3), after=st.integers(1, 6),
       floor=st.sampled_from([0.0, 0.1]))  # fmt: skip
def cosine_as_defined(warmup: int, after: int, floor: float) -> None:
    """Up in warmup + 1 equal steps, down half a cosine to the floor; groups keep their ratio."""
    groups: list[Any] = [{"params": [_parameter(1, 1)]}, {"params": [_parameter(1, 1)], "lr": 0.5}]
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
    optimizer = optim.SGD([_parameter(1, 1)], lr=1.0)
    schedule = optim.CosineLR(optimizer, 4, warmup=2)
    rates = []
    for _ in range(5):
        rates.append(optimizer.groups[0]["lr"])
        schedule.step()
    near(rates, [1 / 3, 2 / 3, 1, 0.5, 0], "the rate")
