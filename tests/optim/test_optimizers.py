"""Optimisers against their published formulas, written out in NumPy, and against PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn, optim, tensor

STEPS = 20
LAYOUTS = [(5,), (3, 4), (2, 3, 4, 5)]


def begin(seed=0):
    """Make parameters (one laid out channels-last) and the gradients of each step."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in LAYOUTS]
    arrays[-1] = np.ascontiguousarray(arrays[-1].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    gradients = [[rng.standard_normal(shape) for shape in LAYOUTS] for _ in range(STEPS)]
    return arrays, gradients


def run(make, arrays, gradients, schedule=None):
    parameters = [nn.Parameter(a.copy(order="K")) for a in arrays]
    optimizer = make(parameters)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = tensor(gradient)
        optimizer.step()
    return [p.data for p in parameters]


numbers = st.sampled_from([0.0, 0.1, 0.9])


@given(momentum=numbers, weight_decay=numbers, nesterov=st.booleans())
def test_sgd_is_its_formula(momentum, weight_decay, nesterov):
    nesterov = nesterov and momentum > 0
    arrays, gradients = begin()
    got = run(lambda p: optim.SGD(p, 0.05, momentum, weight_decay, nesterov), arrays, gradients)
    for i, p in enumerate(arrays):
        p, v = p.copy(), 0.0
        for step in gradients:
            g = step[i] + weight_decay * p
            v = momentum * v + g
            p = p - 0.05 * (g + momentum * v if nesterov else v)
        np.testing.assert_allclose(got[i], p, rtol=1e-12)


@given(betas=st.sampled_from([(0.9, 0.999), (0.0, 0.9), (0.5, 0.0)]), weight_decay=numbers)
def test_adam_is_its_formula(betas, weight_decay):
    arrays, gradients = begin()
    got = run(lambda p: optim.Adam(p, 0.01, betas, 1e-3, weight_decay), arrays, gradients)
    beta1, beta2 = betas
    for i, p in enumerate(arrays):
        p, m, v = p.copy(), 0.0, 0.0
        for t, step in enumerate(gradients, 1):
            g = step[i] + weight_decay * p
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            p = p - 0.01 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-3)
        np.testing.assert_allclose(got[i], p, rtol=1e-11)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (optim.SGD, "SGD", {"lr": 0.1}),
        (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
        (optim.Adam, "Adam", {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1}),
    ],
)
def test_like_pytorch(ours, theirs, options):
    torch = pytest.importorskip("torch")
    arrays, gradients = begin()
    got = run(lambda p: ours(p, **options), arrays, gradients)
    parameters = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    optimizer = getattr(torch.optim, theirs)(parameters, **options)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
    for mine, other in zip(got, parameters, strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-11)


def test_float32_stays_float32_and_threads_change_nothing():
    rng = np.random.default_rng(0)
    data, gradient = (rng.standard_normal((300, 200)).astype(np.float32) for _ in range(2))
    before, seen = minigrad.get_num_threads(), []
    try:
        for threads in (1, 3):
            minigrad.set_num_threads(threads)
            for make in (lambda p: optim.SGD(p, 0.1, 0.9), optim.Adam):
                seen.append(run(make, [data], [[gradient]] * 3)[0])
    finally:
        minigrad.set_num_threads(before)
    assert all(a.dtype == np.float32 for a in seen)
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_array_equal(seen[1], seen[3])


def test_gradient_in_another_layout_than_its_parameter():
    """A gradient may come in any order in memory; what belongs together must still meet."""
    parameter = nn.Parameter(np.zeros((2, 3)))
    gradient = np.arange(6.0).reshape(2, 3)
    parameter.grad = tensor(np.asfortranarray(gradient))
    optim.SGD([parameter], lr=1.0).step()
    np.testing.assert_array_equal(parameter.data, -gradient)


def test_groups_have_their_own_options():
    weight, bias, left = (nn.Parameter(np.ones(1)) for _ in range(3))
    groups = [{"params": [weight, left]}, {"params": [bias], "lr": 0.2, "weight_decay": 0.0}]
    optimizer = optim.SGD(groups, lr=0.1, weight_decay=1.0)
    weight.grad = bias.grad = tensor(np.zeros(1))
    optimizer.step()
    assert weight.item() == 0.9
    assert bias.item() == 1.0
    assert left.item() == 1.0  # no gradient, no step
    optimizer.zero_grad()
    assert weight.grad is None


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda p: optim.SGD([], 0.1), ValueError, "SGD: no parameters"),
        (lambda p: optim.SGD([tensor([1.0])], 0.1), TypeError, "must be nn.Parameter"),
        (lambda p: optim.SGD([p, p], 0.1), ValueError, "stands in two groups"),
        (lambda p: optim.SGD([p], -0.1), ValueError, "lr must be a number of at least 0"),
        (lambda p: optim.SGD([p], float("nan")), ValueError, "lr must be a number"),
        (lambda p: optim.SGD([p], 0.1, nesterov=True), ValueError, "nesterov needs momentum"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ValueError, "betas must be two numbers"),
        (
            lambda p: optim.SGD([{"params": [p], "rate": 1}], 0.1),
            ValueError,
            r"unknown options \['rate'\]",
        ),
    ],
)
def test_errors(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make(nn.Parameter(np.ones(2)))


def test_what_every_optimiser_and_schedule_must_define():
    parameter = nn.Parameter(np.ones(2))
    parameter.grad = tensor(np.ones(2))
    optimizer = optim.Optimizer([parameter], lr=0.1)
    with pytest.raises(NotImplementedError, match="^Optimizer does not define update$"):
        optimizer.step()
    with pytest.raises(NotImplementedError, match="^Schedule does not define factor$"):
        optim.Schedule(optimizer)


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


def test_schedule_errors():
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    with pytest.raises(ValueError, match="total_steps must be more than the 5"):
        optim.CosineLR(optimizer, 5, warmup=5)
    with pytest.raises(ValueError, match="warmup must be 0 or more"):
        optim.CosineLR(optimizer, 5, warmup=-1)
