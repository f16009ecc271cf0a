"""Our optimisers and schedules against PyTorch's: fifty steps side by side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import nn, optim, tensor

torch = pytest.importorskip("torch", reason="the judge PyTorch is not installed")

STEPS = 50
SHAPES = [(5,), (3, 4), (3, 4), (2, 3, 2, 2)]

rates = st.floats(1e-4, 0.3)
decays = st.sampled_from([0.0, 0.01]) | st.floats(0, 0.5)
momenta = st.sampled_from([0.0, 0.9]) | st.floats(0, 0.99)
betas = st.tuples(st.floats(0, 0.99), st.floats(0.5, 0.9999))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def sgd_options(draw):
    momentum = draw(momenta)
    return {
        "lr": draw(rates),
        "momentum": momentum,
        "weight_decay": draw(decays),
        "nesterov": draw(st.booleans()) and momentum > 0,
    }


adam_options = st.fixed_dictionaries(
    {
        "lr": rates,
        "betas": betas,
        "eps": st.sampled_from([1e-8, 1e-3]) | st.floats(1e-8, 1),
        "weight_decay": decays,
    }
)

rmsprop_options = st.fixed_dictionaries(
    {
        "lr": rates,
        "alpha": st.sampled_from([0.99]) | st.floats(0.1, 0.999),
        "eps": st.sampled_from([1e-8, 1e-3]) | st.floats(1e-8, 1),
        "momentum": momenta,
        "weight_decay": decays,
    }
)
centered_options = st.fixed_dictionaries(
    {
        # A variance is a difference: where it is small against the square, roundings are not.
        "lr": rates,
        "alpha": st.sampled_from([0.99]) | st.floats(0.5, 0.999),
        "eps": st.sampled_from([0.01]) | st.floats(0.01, 1),
        "momentum": momenta,
        "weight_decay": decays,
        "centered": st.just(True),
    }
)
adadelta_options = st.fixed_dictionaries(
    {
        "lr": st.just(1.0) | st.floats(1e-3, 2),
        "rho": st.just(0.9) | st.floats(0.1, 0.999),
        "eps": st.just(1e-6) | st.floats(1e-6, 1),
        "weight_decay": decays,
    }
)


def groups_of(options):
    """Draw a group of options for every parameter, or nothing: then all share the defaults."""
    return st.none() | st.tuples(*[options for _ in SHAPES])


def side_by_side(ours, theirs, options, groups, dtype, seed, schedules=None):
    """Take fifty steps with both, on a function whose gradient depends on where they are.

    Now and then a parameter gets no gradient at all, so that it stays behind in its steps.
    """
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    arrays[-1] = arrays[-1].transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)  # channels-last
    mine = [nn.Parameter(array.copy(order="K")) for array in arrays]
    others = [torch.nn.Parameter(torch.from_numpy(array.copy())) for array in arrays]

    def grouped(parameters):
        if groups is None:
            return parameters
        return [{"params": [p], **group} for p, group in zip(parameters, groups, strict=True)]

    a, b = ours(grouped(mine), **options), theirs(grouped(others), **options)
    steps = schedules(a, b) if schedules else ()
    for _ in range(STEPS):
        a.zero_grad()
        b.zero_grad()
        for p, q in zip(mine, others, strict=True):
            noise, left_alone = rng.standard_normal(p.shape), rng.random() < 0.1
            if not left_alone:
                p.grad = tensor((0.1 * p.data + noise).astype(dtype))
                q.grad = torch.from_numpy((0.1 * q.detach().numpy() + noise).astype(dtype))
        a.step()
        b.step()
        for step in steps:
            step()
    return [p.data for p in mine], [q.detach().numpy() for q in others]


def assert_close(mine, others, dtype):
    """Allow each of the fifty steps a few roundings, of numbers as large as the parameters."""
    eps = np.finfo(dtype).eps
    for p, q in zip(mine, others, strict=True):
        assert p.dtype == q.dtype == dtype
        np.testing.assert_allclose(p, q, 0, 4 * STEPS * eps * max(1, np.abs(q).max()))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(options=sgd_options(), groups=groups_of(sgd_options()), seed=seeds)
def test_sgd(dtype, options, groups, seed):
    assert_close(*side_by_side(optim.SGD, torch.optim.SGD, options, groups, dtype, seed), dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(options=adam_options, groups=groups_of(adam_options), seed=seeds)
def test_adam(dtype, options, groups, seed):
    assert_close(*side_by_side(optim.Adam, torch.optim.Adam, options, groups, dtype, seed), dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AdamW", adam_options),
        ("RMSprop", rmsprop_options),
        ("RMSprop", centered_options),
        ("Adadelta", adadelta_options),
    ],
    ids=["AdamW", "RMSprop", "RMSprop-centered", "Adadelta"],
)
@given(data=st.data(), seed=seeds)
def test_the_others(name, options, dtype, data, seed):
    drawn, groups = data.draw(options), data.draw(groups_of(options))
    ours, theirs = getattr(optim, name), getattr(torch.optim, name)
    assert_close(*side_by_side(ours, theirs, drawn, groups, dtype, seed), dtype)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adadelta"])
def test_the_defaults_are_pytorchs(name):
    needed = {"lr": 0.1} if name == "SGD" else {}
    (group,) = getattr(optim, name)([nn.Parameter(np.ones(1))], **needed).groups
    defaults = getattr(torch.optim, name)([torch.ones(1)], **needed).defaults
    assert {k: v for k, v in group.items() if k != "params"}.items() <= defaults.items()


def rates_of(optimizer):
    """Read the learning rates of all groups."""
    groups = optimizer.groups if isinstance(optimizer, optim.Optimizer) else optimizer.param_groups
    return [group["lr"] for group in groups]


def two_groups(parameter, lrs):
    return [{"params": [parameter(np.ones(2))], "lr": lr} for lr in lrs]


@given(lrs=st.tuples(rates, rates), total=st.integers(1, STEPS), floor=st.floats(0, 1))
def test_cosine(lrs, total, floor):
    """PyTorch's floor is a rate, the same for all groups; ours a share of each group's own."""
    for lr in lrs:
        a = optim.SGD([nn.Parameter(np.ones(2))], lr)
        b = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr)
        ours = optim.CosineLR(a, total, floor=floor)
        theirs = torch.optim.lr_scheduler.CosineAnnealingLR(b, total, eta_min=floor * lr)
        for _ in range(total):
            assert rates_of(a) == pytest.approx(rates_of(b), rel=1e-12, abs=1e-14)
            b.step()
            ours.step()
            theirs.step()
        assert rates_of(a) == pytest.approx(rates_of(b), rel=1e-12, abs=1e-14)


@given(lrs=st.tuples(rates, rates), warmup=st.integers(0, 20), rest=st.integers(1, 30))
def test_cosine_after_a_warm_up(lrs, warmup, rest):
    """The same as a ramp and a cosine one after the other, for groups with rates of their own."""
    parameters = nn.Parameter, lambda array: torch.tensor(array, requires_grad=True)
    a, b = (
        make(two_groups(parameter, lrs), lr=1.0)
        for make, parameter in zip((optim.SGD, torch.optim.SGD), parameters, strict=True)
    )
    schedulers = torch.optim.lr_scheduler
    ours = optim.CosineLR(a, warmup + rest, warmup)
    ramp = schedulers.LambdaLR(b, lambda step: (step + 1) / (warmup + 1))
    cosine = schedulers.CosineAnnealingLR(b, rest)
    theirs = schedulers.SequentialLR(b, [ramp, cosine], [warmup]) if warmup else cosine
    for _ in range(warmup + rest + 1):
        assert rates_of(a) == pytest.approx(rates_of(b), rel=1e-12, abs=1e-14)
        b.step()
        ours.step()
        theirs.step()


@given(options=sgd_options(), groups=groups_of(sgd_options()), seed=seeds)
def test_training_under_a_schedule(options, groups, seed):
    def schedules(a, b):
        ours = optim.CosineLR(a, STEPS)
        return ours.step, torch.optim.lr_scheduler.CosineAnnealingLR(b, STEPS).step

    call = optim.SGD, torch.optim.SGD, options, groups, np.float64, seed, schedules
    assert_close(*side_by_side(*call), np.float64)
