"""Our schedules and gradient clipping against PyTorch's: fifty steps side by side."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minigrad import nn, optim, tensor
from tests.conformance.test_torch_optimizers import (
    STEPS,
    assert_close,
    groups_of,
    rates,
    rates_of,
    seeds,
    sgd_options,
    side_by_side,
    two_groups,
)

torch = pytest.importorskip("torch", reason="the judge PyTorch is not installed")
theirs = torch.optim.lr_scheduler

gammas = st.just(0.1) | st.floats(0.5, 1)
lrs = st.tuples(rates, rates)
warmups = st.integers(0, 20)


def pair_of_optimizers(lrs, name="SGD", **options):
    a = getattr(optim, name)(two_groups(nn.Parameter, lrs), lr=1.0, **options)
    b = getattr(torch.optim, name)(
        two_groups(lambda array: torch.tensor(array, requires_grad=True), lrs), lr=1.0, **options
    )
    return a, b


def after_warmup(b, warmup, make):
    """Let PyTorch's LinearLR climb in front of another schedule."""
    if not warmup:
        return make(b)
    ramp = theirs.LinearLR(b, start_factor=1 / (warmup + 1), total_iters=warmup)
    return theirs.SequentialLR(b, [ramp, make(b)], [warmup])


def momenta_of(optimizer):
    groups = optimizer.groups if isinstance(optimizer, optim.Optimizer) else optimizer.param_groups
    return [group["betas"][0] if "betas" in group else group["momentum"] for group in groups]


def assert_alike(a, b, ours, others, steps=STEPS):
    for _ in range(steps):
        # Theirs multiply on from step to step: roundings add up.
        assert rates_of(a) == pytest.approx(rates_of(b), rel=1e-11, abs=1e-14)
        assert momenta_of(a) == pytest.approx(momenta_of(b), rel=1e-12)
        b.step()
        ours.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SequentialLR, about itself
            others.step()


@given(lrs=lrs, size=st.integers(1, 30), gamma=gammas, warmup=warmups)
def test_step(lrs, size, gamma, warmup):
    a, b = pair_of_optimizers(lrs)
    ours = optim.StepLR(a, size, gamma, warmup)
    assert_alike(a, b, ours, after_warmup(b, warmup, lambda b: theirs.StepLR(b, size, gamma)))


@given(lrs=lrs, places=st.sets(st.integers(1, 60)), gamma=gammas, warmup=warmups)
def test_multi_step(lrs, places, gamma, warmup):
    a, b = pair_of_optimizers(lrs)
    milestones = sorted(places)
    ours = optim.MultiStepLR(a, [warmup + m for m in milestones], gamma, warmup)
    make = lambda b: theirs.MultiStepLR(b, milestones, gamma)  # noqa: E731
    assert_alike(a, b, ours, after_warmup(b, warmup, make))


@given(lrs=lrs, gamma=st.floats(0.5, 1.02), warmup=warmups)
def test_exponential(lrs, gamma, warmup):
    a, b = pair_of_optimizers(lrs)
    ours = optim.ExponentialLR(a, gamma, warmup)
    assert_alike(a, b, ours, after_warmup(b, warmup, lambda b: theirs.ExponentialLR(b, gamma)))


@given(lrs=lrs, speed=st.floats(0, 1), warmup=warmups)
def test_lambda(lrs, speed, warmup):
    def curve(t):
        return 1 / (1 + speed * t)

    a, b = pair_of_optimizers(lrs)
    ours = optim.LambdaLR(a, curve, warmup)
    assert_alike(a, b, ours, after_warmup(b, warmup, lambda b: theirs.LambdaLR(b, curve)))


@given(
    lrs=lrs,
    length=st.integers(1, 60),
    power=st.sampled_from([0.5, 1.0]) | st.floats(0.1, 3),
    warmup=warmups,
)
def test_poly(lrs, length, power, warmup):
    a, b = pair_of_optimizers(lrs)
    ours = optim.PolyLR(a, warmup + length, power, warmup)
    make = lambda b: theirs.PolynomialLR(b, length, power)  # noqa: E731
    assert_alike(a, b, ours, after_warmup(b, warmup, make))


@st.composite
def cycles(draw):
    """Draw a cycle; where a phase would have no length PyTorch divides by zero."""
    length, share = draw(st.integers(2, 60)), draw(st.just(0.3) | st.floats(0, 1))
    assume(abs(share * length - 1) > 1e-6)
    assume(abs(share * length - length) > 1e-6)
    least = draw(st.floats(0.1, 0.9))
    return length, {
        "pct_start": share,
        "anneal_strategy": draw(st.sampled_from(["cos", "linear"])),
        "cycle_momentum": draw(st.booleans()),
        "base_momentum": least,
        "max_momentum": draw(st.floats(least, 0.95)),
        "div_factor": draw(st.just(25.0) | st.floats(0.5, 100)),
        "final_div_factor": draw(st.just(1e4) | st.floats(0.5, 1e5)),
        "three_phase": draw(st.booleans()),
    }


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
@given(lrs=lrs, cycle=cycles())
def test_one_cycle(name, lrs, cycle):
    """The highest rates are the groups' own."""
    length, options = cycle
    a, b = pair_of_optimizers(lrs, name)
    ours = optim.OneCycleLR(a, length, **options)
    assert_alike(a, b, ours, theirs.OneCycleLR(b, list(lrs), length, **options), length)


def test_one_cycle_has_pytorchs_defaults():
    a, b = pair_of_optimizers((0.1, 0.3), momentum=0.5)
    assert_alike(a, b, optim.OneCycleLR(a, STEPS), theirs.OneCycleLR(b, [0.1, 0.3], STEPS))


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
@given(groups=groups_of(sgd_options()), seed=seeds)
def test_training_under_one_cycle(name, groups, seed):
    """Rate and momentum change together, as do the numbers they move."""
    options = {"lr": 0.05, "momentum": 0.9, "nesterov": True} if name == "SGD" else {"lr": 0.05}

    def schedules(a, b):
        ours, other = optim.OneCycleLR(a, STEPS + 1), theirs.OneCycleLR(b, rates_of(b), STEPS + 1)
        return ours.step, other.step

    groups = groups if name == "SGD" else None
    call = getattr(optim, name), getattr(torch.optim, name), options, groups
    assert_close(*side_by_side(*call, np.float64, seed, schedules), np.float64)


# -- clipping ------------------------------------------------------------------------------------

clip_norm, clip_value = torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_


def gradients(dtype, seed):
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.standard_normal(s)).astype(dtype) for s in [(), (5,), (3, 4, 2, 2)]]
    mine = [nn.Parameter(np.zeros_like(array)) for array in arrays]
    others = [torch.nn.Parameter(torch.zeros(array.shape)).to(torch.from_numpy(array).dtype)
              for array in arrays]  # fmt: skip
    others = [other.detach().requires_grad_() for other in others]
    for p, q, array in zip(mine, others, arrays, strict=True):
        p.grad, q.grad = tensor(array), torch.from_numpy(array.copy())
    return mine, others


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(
    most=st.sampled_from([0.0, 1.0]) | st.floats(0, 20),
    p=st.sampled_from([2.0, 1.0, math.inf, 3.0]),
    seed=seeds,
)
def test_clipping_by_norm(dtype, most, p, seed):
    mine, others = gradients(dtype, seed)
    got, wanted = optim.clip_grad_norm_(mine, most, p), clip_norm(others, most, p)
    tolerance = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=tolerance)
    assert got.dtype == wanted.numpy().dtype
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(most=st.sampled_from([0.0, 1.0]) | st.floats(0, 3), seed=seeds)
def test_clipping_by_value(dtype, most, seed):
    mine, others = gradients(dtype, seed)
    optim.clip_grad_value_(mine, most)
    clip_value(others, most)
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
