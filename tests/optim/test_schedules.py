"""Schedules: their formulas, their warm-up, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import nn, optim


def optimizer_with(*rates, make=optim.SGD, **options):
    groups = [{"params": [nn.Parameter(np.ones(1))], "lr": rate} for rate in rates]
    return make(groups, lr=1.0, **options)


def rates_under(make, steps, lr=1.0):
    """List the rates of so many steps."""
    optimizer = optimizer_with(lr)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.groups[0]["lr"])
        schedule.step()
    return rates


# -- by hand -------------------------------------------------------------------------------------


def test_step():
    rates = rates_under(lambda o: optim.StepLR(o, 3, gamma=0.5), 8, lr=2.0)
    np.testing.assert_allclose(rates, [2, 2, 2, 1, 1, 1, 0.5, 0.5])


def test_multi_step():
    rates = rates_under(lambda o: optim.MultiStepLR(o, (1, 2, 5), gamma=0.5), 7)
    np.testing.assert_allclose(rates, [1, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125])
    rates = rates_under(lambda o: optim.MultiStepLR(o, []), 3)
    np.testing.assert_allclose(rates, [1, 1, 1])


def test_exponential():
    rates = rates_under(lambda o: optim.ExponentialLR(o, 0.5), 4)
    np.testing.assert_allclose(rates, [1, 0.5, 0.25, 0.125])


def test_lambda():
    rates = rates_under(lambda o: optim.LambdaLR(o, lambda t: t * t), 4, lr=0.5)
    np.testing.assert_allclose(rates, [0, 0.5, 2, 4.5])


def test_poly():
    rates = rates_under(lambda o: optim.PolyLR(o, 4, power=2), 6)
    np.testing.assert_allclose(rates, [1, 9 / 16, 1 / 4, 1 / 16, 0, 0])


def test_one_cycle():
    """Eight steps: up over three, down over five."""

    def make(o):
        return optim.OneCycleLR(
            o, 8, 3 / 8, "linear", div_factor=4, final_div_factor=10, cycle_momentum=False
        )

    rates = rates_under(make, 10)
    fall = [1 - (1 - 0.025) * i / 5 for i in range(1, 6)]
    np.testing.assert_allclose(rates, [0.25, 0.625, 1, *fall, 0.025, 0.025])


def test_one_cycle_in_three_phases():
    """As steep down as up, then on to the end, while momentum rests."""
    optimizer = optimizer_with(1.0, momentum=0.5)
    schedule = optim.OneCycleLR(
        optimizer, 8, 3 / 8, "linear", True, 0.2, 0.8, 4, 10, three_phase=True
    )
    rates, momenta = [], []
    for _ in range(8):
        rates.append(optimizer.groups[0]["lr"])
        momenta.append(optimizer.groups[0]["momentum"])
        schedule.step()
    fall = [0.25 - (0.25 - 0.025) * i / 3 for i in range(1, 4)]
    np.testing.assert_allclose(rates, [0.25, 0.625, 1, 0.625, 0.25, *fall])
    np.testing.assert_allclose(momenta, [0.8, 0.5, 0.2, 0.5, 0.8, 0.8, 0.8, 0.8])


@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("pct_start", [0, 0.5, 1])
def test_one_cycle_of_few_steps_ends_somewhere(total, three_phase, pct_start):
    def make(o):
        return optim.OneCycleLR(o, total, pct_start, three_phase=three_phase)

    rates = rates_under(make, total + 2)
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[total - 1] == rates[total] == rates[total + 1]


def test_one_cycle_turns_betas():
    optimizer = optimizer_with(1.0, 0.5, make=optim.Adam, betas=(0.5, 0.75))
    schedule = optim.OneCycleLR(optimizer, 10)
    assert [group["betas"] for group in optimizer.groups] == [(0.95, 0.75)] * 2
    schedule.step()
    schedule.step()
    assert [group["betas"] for group in optimizer.groups] == [(0.85, 0.75)] * 2


def test_one_cycle_leaves_momentum_alone_if_told():
    optimizer = optimizer_with(1.0, momentum=0.5)
    optim.OneCycleLR(optimizer, 10, cycle_momentum=False)
    assert optimizer.groups[0]["momentum"] == 0.5
    optim.OneCycleLR(optimizer_with(1.0, make=optim.Adadelta), 10, cycle_momentum=False)
    with pytest.raises(ValueError, match="OneCycleLR: Adadelta has neither momentum nor betas"):
        optim.OneCycleLR(optimizer_with(1.0, make=optim.Adadelta), 10)


def test_cosine_with_warm_up():
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=2.0)
    schedule = optim.CosineLR(optimizer, total_steps=14, warmup=4, floor=0.1)
    rates = []
    for _ in range(14):
        rates.append(optimizer.groups[0]["lr"])
        schedule.step()
    np.testing.assert_allclose(rates[:5], [0.4, 0.8, 1.2, 1.6, 2.0])
    t = np.arange(10)
    np.testing.assert_allclose(rates[4:], 2 * (0.1 + 0.9 * (1 + np.cos(np.pi * t / 10)) / 2))
    assert optimizer.groups[0]["lr"] == pytest.approx(0.2)  # the end, and it stays
    schedule.step()
    assert optimizer.groups[0]["lr"] == pytest.approx(0.2)


def test_cosine_like_pytorch():
    torch = pytest.importorskip("torch")
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.3)
    schedule = optim.CosineLR(optimizer, total_steps=50)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.3)
    wanted = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 50)
    for _ in range(50):
        assert optimizer.groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-12)
        theirs.step()
        wanted.step()
        schedule.step()


# -- what holds for all --------------------------------------------------------------------------

LENGTH = 12
SCHEDULES = {
    "StepLR": lambda o, **w: optim.StepLR(o, 4, 0.5, **w),
    "MultiStepLR": lambda o, **w: optim.MultiStepLR(
        o, [int(w.get("warmup", 0)) + m for m in (3, 7)], 0.5, **w
    ),
    "ExponentialLR": lambda o, **w: optim.ExponentialLR(o, 0.9, **w),
    "LambdaLR": lambda o, **w: optim.LambdaLR(o, lambda t: 1 / (2 + t), **w),
    "PolyLR": lambda o, **w: optim.PolyLR(o, LENGTH + w.get("warmup", 0), 0.5, **w),
    "CosineLR": lambda o, **w: optim.CosineLR(o, LENGTH + w.get("warmup", 0), floor=0.1, **w),
    "OneCycleLR": lambda o, **w: optim.OneCycleLR(o, LENGTH + w.get("warmup", 0), **w),
}
schedules = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)


@schedules
@given(warmup=st.integers(0, 6), rates=st.tuples(*[st.floats(1e-3, 1)] * 2))
def test_after_the_warm_up_it_goes_as_without(make, warmup, rates):
    """In front of it the first rate is climbed to in equal steps, and each group keeps its own."""
    optimizer, plain = optimizer_with(*rates), optimizer_with(*rates)
    schedule, without = make(optimizer, warmup=warmup), make(plain)
    first = [group["lr"] for group in plain.groups]
    for step in range(warmup):
        climbed = [rate * (step + 1) / (warmup + 1) for rate in first]
        assert [group["lr"] for group in optimizer.groups] == pytest.approx(climbed, rel=1e-12)
        schedule.step()
    for _ in range(LENGTH + 3):
        for group, other in zip(optimizer.groups, plain.groups, strict=True):
            assert group["lr"] == other["lr"]
            assert group["momentum"] == other["momentum"]
        schedule.step()
        without.step()


@schedules
def test_it_can_be_asked_for_any_step(make):
    optimizer = optimizer_with(0.5)
    schedule = make(optimizer, warmup=3)
    drawn = [schedule.at(step) for step in range(LENGTH + 3)]
    seen = []
    for _ in drawn:
        seen.append(optimizer.groups[0]["lr"])
        schedule.step()
    assert seen == [0.5 * factor for factor in drawn]
    assert schedule.steps_done == LENGTH + 3


@schedules
def test_warm_up_may_not_be_negative_nor_a_part_of_a_step(make):
    for warmup in (-1, 0.5, True):
        with pytest.raises(ValueError, match="warmup must be 0 or more steps, got"):
            make(optimizer_with(1.0), warmup=warmup)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda o: optim.StepLR(o, 0), "StepLR: step_size must be a whole number of at least 1, g"),
        (lambda o: optim.StepLR(o, 2.0), "step_size must be a whole number of at least 1, got 2.0"),
        (lambda o: optim.StepLR(o, 2, -1), "StepLR: gamma must be a number of at least 0, got -1"),
        (lambda o: optim.MultiStepLR(o, [3, 3]), r"must be whole numbers, each larger .* \[3, 3\]"),
        (lambda o: optim.MultiStepLR(o, [-1]), "MultiStepLR: milestones must be whole numbers"),
        (lambda o: optim.MultiStepLR(o, 5), "MultiStepLR: milestones must be whole numbers"),
        (
            lambda o: optim.MultiStepLR(o, [2, 9], warmup=3),
            r"milestones must not lie within the 3 steps of the warm-up, got \[2, 9\]",
        ),
        (lambda o: optim.ExponentialLR(o, float("nan")), "gamma must be a number of at least 0, g"),
        (lambda o: optim.PolyLR(o, 5, power=-1), "PolyLR: power must be a number of at least 0"),
        (
            lambda o: optim.PolyLR(o, 0),
            "PolyLR: total_steps must be more than the 0 of the warm-up",
        ),
        (lambda o: optim.PolyLR(o, 5.0), "PolyLR: total_steps must be more than .* got 5.0"),
        (lambda o: optim.CosineLR(o, 5, floor=-0.1), "CosineLR: floor must be a number of at lea"),
        (lambda o: optim.OneCycleLR(o, 5, warmup=5), "OneCycleLR: total_steps must be more than"),
        (lambda o: optim.OneCycleLR(o, 5, 1.5), r"pct_start must be a number in \[0, 1\], got 1.5"),
        (lambda o: optim.OneCycleLR(o, 5, 0.3, "exp"), 'must be "cos" or "linear", got \'exp\''),
        (lambda o: optim.OneCycleLR(o, 5, cycle_momentum=1), "cycle_momentum must be True or Fal"),
        (lambda o: optim.OneCycleLR(o, 5, base_momentum=1), r"base_momentum .* in \[0, 1\), got 1"),
        (lambda o: optim.OneCycleLR(o, 5, div_factor=0), "div_factor must be a number above 0, go"),
        (
            lambda o: optim.LambdaLR(o, lambda t: -1),
            r"LambdaLR: lr_lambda\(0\) must be a number of at least 0, got -1",
        ),
    ],
)
def test_errors(make, sentence):
    optimizer = optimizer_with(0.7)
    with pytest.raises(ValueError, match=sentence):
        make(optimizer)
    assert optimizer.groups[0]["lr"] == 0.7


def test_a_function_that_is_none_or_fails_later():
    with pytest.raises(TypeError, match=r"LambdaLR: lr_lambda must be a function, got 0\.5"):
        optim.LambdaLR(optimizer_with(1.0), 0.5)
    schedule = optim.LambdaLR(optimizer_with(1.0), lambda t: 1 - t)
    schedule.step()
    with pytest.raises(ValueError, match=r"lr_lambda\(2\) must be a number of at least 0, got -1"):
        schedule.step()


def test_errors_of_the_cosine():
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    with pytest.raises(ValueError, match="total_steps must be more than the 5"):
        optim.CosineLR(optimizer, 5, warmup=5)
    with pytest.raises(ValueError, match="warmup must be 0 or more"):
        optim.CosineLR(optimizer, 5, warmup=-1)
