"""Optimisers and gradient clipping: what must hold, against their formulas step by step."""
# ruff: noqa: D401
# (the docstring of a property states it)

import copy
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


def _rates_and_slopes(seed: int) -> tuple[Array, list[float]]:
    return np.random.default_rng(seed).standard_normal((STEPS, 5)), [0.1, 0.1, 0.02, 0.3]


@holds("adamw", seed=our.seeds(), eps=st.sampled_from([0.1, 1e-8]),
       decay=st.sampled_from([0.0, 0.3]))  # fmt: skip
def adamw_as_defined(seed: int, eps: float, decay: float) -> None:
    """The formula, step by step: first the weight decays, then it goes Adam's way without decay."""
    slopes, rates = _rates_and_slopes(seed)
    options: Any = {"betas": (0.8, 0.95), "eps": eps, "weight_decay": decay}
    got = _run(lambda p: optim.AdamW(p, lr=0.1, **options), slopes, rates)
    p, m, v = np.ones(5), 0.0, 0.0
    for t, (g, rate) in enumerate(zip(slopes, rates, strict=True), 1):
        p = p - rate * decay * p
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        p = p - rate * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + eps)
    near(got, p)


@holds("adamw")
def adamw_with_everything() -> None:
    """Weight decay and a large ε together."""
    adamw_as_defined.check(seed=1, eps=0.1, decay=0.3)


@holds("rmsprop", seed=our.seeds(), eps=st.sampled_from([0.1, 1e-3]),
       decay=st.sampled_from([0.0, 0.3]), momentum=st.sampled_from([0.0, 0.7]),
       centered=st.booleans())  # fmt: skip
def rmsprop_as_defined(
    seed: int, eps: float, decay: float, momentum: float, centered: bool
) -> None:
    """The formula, step by step, while the rate changes."""
    slopes, rates = _rates_and_slopes(seed)
    options: Any = {"eps": eps, "weight_decay": decay, "momentum": momentum, "centered": centered}
    got = _run(lambda p: optim.RMSprop(p, lr=0.1, alpha=0.8, **options), slopes, rates)
    p, s, m, v = np.ones(5), np.zeros(5), np.zeros(5), np.zeros(5)
    for slope, rate in zip(slopes, rates, strict=True):
        g = slope + decay * p
        s, m = 0.8 * s + 0.2 * g**2, 0.8 * m + 0.2 * g
        v = momentum * v + g / (np.sqrt(s - m**2 if centered else s) + eps)
        p = p - rate * v
    near(got, p, rtol=1e-11)


@holds("rmsprop")
def rmsprop_with_everything() -> None:
    """Weight decay, momentum and a large ε together, centred and not."""
    for centered in (False, True):
        rmsprop_as_defined.check(seed=1, eps=0.1, decay=0.3, momentum=0.7, centered=centered)


@holds("adadelta", seed=our.seeds(), eps=st.sampled_from([0.1, 1e-6]),
       decay=st.sampled_from([0.0, 0.3]))  # fmt: skip
def adadelta_as_defined(seed: int, eps: float, decay: float) -> None:
    """The formula, step by step, while the rate changes."""
    slopes, rates = _rates_and_slopes(seed)
    got = _run(lambda p: optim.Adadelta(p, 0.1, 0.8, eps, decay), slopes, rates)
    p, s, u = np.ones(5), np.zeros(5), np.zeros(5)
    for slope, rate in zip(slopes, rates, strict=True):
        g = slope + decay * p
        s = 0.8 * s + 0.2 * g**2
        d = np.sqrt(u + eps) / np.sqrt(s + eps) * g
        u = 0.8 * u + 0.2 * d**2
        p = p - rate * d
    near(got, p)


@holds("adadelta")
def adadelta_with_everything() -> None:
    """Weight decay and a large ε together."""
    adadelta_as_defined.check(seed=1, eps=0.1, decay=0.3)


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


@holds("optimizer", seed=our.seeds(), turned=st.tuples(st.booleans(), st.booleans()))
def any_order_in_memory(seed: int, turned: tuple[bool, bool]) -> None:
    """Gradient and parameter may lie in memory in orders of their own, even with gaps."""
    slopes = np.random.default_rng(seed).standard_normal((STEPS, 3, 4))
    start = put(np.ones((4, 3))).T if turned[0] else put(np.ones((6, 8)))[::2, ::2]
    parameter = Parameter(start)
    optimizer = optim.SGD([parameter], lr=0.1, momentum=0.9)
    for slope in slopes:
        parameter.grad = parameter.new(put(slope.T.copy()).T if turned[1] else put(slope))
        optimizer.step()
    near(parameter.data, _sgd(np.ones((3, 4)), slopes, [0.1] * STEPS, 0.9, 0.0, False))


@holds("optimizer")
def a_stopped_run_goes_on() -> None:
    """State and options go over to another optimiser, for good: the first then goes its own way."""
    slopes = np.random.default_rng(0).standard_normal((2 * STEPS, 2, 3))

    def begin(rate: float) -> tuple[list[Parameter], Any]:
        parameters = [Parameter(put(np.ones(3))) for _ in range(2)]
        groups: list[Any] = [{"params": [p]} for p in parameters]
        return parameters, optim.Adam(groups, lr=rate, weight_decay=0.1)

    def go(parameters: list[Parameter], optimizer: Any, part: Array) -> None:
        for pair in part:
            for parameter, slope in zip(parameters, pair, strict=True):
                parameter.grad = tensor(slope)
            optimizer.step()

    whole, optimizer = begin(0.1)
    go(whole, optimizer, slopes)
    first, optimizer = begin(0.1)
    go(first, optimizer, slopes[:STEPS])
    second, other = begin(0.7)
    for mine, theirs in zip(second, first, strict=True):
        mine.data[...] = theirs.data
    state = optimizer.state_dict()
    other.load_state_dict(copy.copy(state))
    go(first, optimizer, -slopes[STEPS:])
    go(second, other, slopes[STEPS:])
    for mine, wanted in zip(second, whole, strict=True):
        near(mine.data, wanted.data, rtol=0.0)


# -- gradient clipping ---------------------------------------------------------------------------


def _with_gradients(*slopes: Array) -> list[Parameter]:
    parameters = [Parameter(put(np.zeros(slope.shape))) for slope in slopes]
    for parameter, slope in zip(parameters, slopes, strict=True):
        parameter.grad = tensor(slope)
    return parameters


@holds("clip_grad_norm", seed=our.seeds(), share=st.sampled_from([0.1, 0.9, 2.0]),
       p=st.sampled_from([1.0, 2.0, 3.0, float("inf")]))  # fmt: skip
def norm_as_defined(seed: int, share: float, p: float) -> None:
    """All gradients become shorter by one factor, none becomes longer; the norm is the old one."""
    rng = np.random.default_rng(seed)
    slopes = [rng.standard_normal((2, 3)), -9 * rng.random(4)]
    norm = float(np.linalg.norm(np.concatenate([slope.ravel() for slope in slopes]), p))
    parameters = _with_gradients(*slopes)
    near(optim.clip_grad_norm_(parameters, share * norm, p).item(), norm, "the norm")
    factor = min(1.0, share * norm / (norm + 1e-6))
    for parameter, slope in zip(parameters, slopes, strict=True):
        near(fetch(parameter.grad), factor * slope, "a gradient")


@holds("clip_grad_norm")
def norm_of_many_numbers() -> None:
    """More than one task has."""
    (parameter,) = _with_gradients(np.ones(250_000))
    near(optim.clip_grad_norm_([parameter], 1.0).item(), 500.0, "the norm")


@holds("clip_grad_value", bound=st.sampled_from([0.0, 0.5, 3.0]))
def value_by_hand(bound: float) -> None:
    """Every number into [−bound, bound]."""
    slope = np.array([-2.0, -0.25, 0.0, 1.0, 4.0])
    (parameter,) = _with_gradients(slope)
    optim.clip_grad_value_([parameter], bound)
    near(fetch(parameter.grad), np.clip(slope, -bound, bound))
