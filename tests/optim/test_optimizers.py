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


MAKERS = [
    lambda p: optim.SGD(p, 0.1, 0.9),
    lambda p: optim.Adam(p, 0.1),
    lambda p: optim.AdamW(p, 0.1),
    lambda p: optim.RMSprop(p, 0.1),
    lambda p: optim.RMSprop(p, 0.1, momentum=0.9, centered=True),
    optim.Adadelta,
]


def by_formula(step_of, options):
    """Go twenty steps with a formula: ``p, state = step_of(p, gradient, state, t, **options)``."""
    arrays, gradients = begin()
    for i, p in enumerate(arrays):
        p, state = p.copy(), (0.0, 0.0, 0.0)
        for t, step in enumerate(gradients, 1):
            p, state = step_of(p, step[i], state, t, **options)
        yield p


def adamw(p, g, state, t, betas, eps, weight_decay):
    (m, v, _), (beta1, beta2) = state, betas
    p = p - 0.01 * weight_decay * p
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - 0.01 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), (m, v, 0)


def rmsprop(p, g, state, t, alpha, eps, weight_decay, momentum, centered):
    s, m, v = state
    g = g + weight_decay * p
    s, m = alpha * s + (1 - alpha) * g**2, alpha * m + (1 - alpha) * g
    v = momentum * v + g / (np.sqrt(s - m**2 if centered else s) + eps)
    return p - 0.01 * v, (s, m, v)


def adadelta(p, g, state, t, rho, eps, weight_decay):
    s, u, _ = state
    g = g + weight_decay * p
    s = rho * s + (1 - rho) * g**2
    d = np.sqrt(u + eps) / np.sqrt(s + eps) * g
    return p - 0.01 * d, (s, rho * u + (1 - rho) * d**2, 0)


shares, eps = st.sampled_from([0.2, 0.5, 0.99]), st.sampled_from([1e-8, 0.1])


@given(betas=st.tuples(shares, shares), eps=eps, weight_decay=numbers)
def test_adamw_is_its_formula(**options):
    arrays, gradients = begin()
    got = run(lambda p: optim.AdamW(p, 0.01, **options), arrays, gradients)
    for mine, due in zip(got, by_formula(adamw, options), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-11)


@given(alpha=shares, eps=eps, weight_decay=numbers, momentum=numbers, centered=st.booleans())
def test_rmsprop_is_its_formula(**options):
    arrays, gradients = begin()
    got = run(lambda p: optim.RMSprop(p, 0.01, **options), arrays, gradients)
    for mine, due in zip(got, by_formula(rmsprop, options), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-9)


@given(rho=shares, eps=eps, weight_decay=numbers)
def test_adadelta_is_its_formula(**options):
    arrays, gradients = begin()
    got = run(lambda p: optim.Adadelta(p, 0.01, **options), arrays, gradients)
    for mine, due in zip(got, by_formula(adadelta, options), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_variance_that_rounding_makes_negative_is_zero(dtype):
    """A gradient that never changes has none: after a while s − m² is as often below 0 as above."""
    gradients = np.random.default_rng(0).uniform(0.5, 2, 1000).astype(dtype)
    (got,) = run(
        lambda p: optim.RMSprop(p, 1e-9, 0.5, centered=True), [gradients], [[gradients]] * 99
    )
    assert np.isfinite(got).all()


@pytest.mark.parametrize("make", MAKERS)
def test_a_gradient_that_is_no_number_is_not_hidden(make):
    (got,) = run(make, [np.ones(2)], [[np.array([np.nan, 1])]])
    assert np.isnan(got[0])
    assert np.isfinite(got[1])


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
            for make in MAKERS:
                seen.append(run(make, [data], [[gradient]] * 3)[0])
    finally:
        minigrad.set_num_threads(before)
    assert all(a.dtype == np.float32 for a in seen)
    for one, three in zip(seen[: len(MAKERS)], seen[len(MAKERS) :], strict=True):
        np.testing.assert_array_equal(one, three)


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
        (lambda p: optim.SGD([p], True), ValueError, "SGD: lr must be a number"),
        (
            lambda p: optim.SGD([p], 1, nesterov=1),
            ValueError,
            "nesterov must be True or False, got 1",
        ),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ValueError, "betas must be two numbers"),
        (lambda p: optim.Adam([p], betas=0.9), ValueError, r"two numbers in \[0, 1\), got 0.9"),
        (lambda p: optim.AdamW([p], betas=(0.9,)), ValueError, "AdamW: betas must be two numbers"),
        (lambda p: optim.AdamW([p], weight_decay=-1), ValueError, "AdamW: weight_decay must be a"),
        (lambda p: optim.AdamW([p], eps=float("inf")), ValueError, "AdamW: eps must be a number"),
        (
            lambda p: optim.RMSprop([p], alpha=1),
            ValueError,
            r"^RMSprop: alpha must be a number in \[0, 1\), got 1$",
        ),
        (lambda p: optim.RMSprop([p], momentum=-0.1), ValueError, "RMSprop: momentum must be a"),
        (lambda p: optim.RMSprop([p], centered=None), ValueError, "centered must be True or Fal"),
        (
            lambda p: optim.Adadelta([p], rho=-0.1),
            ValueError,
            r"Adadelta: rho .* \[0, 1\), got -0.1",
        ),
        (
            lambda p: optim.Adadelta([{"params": [p], "rho": "much"}]),
            ValueError,
            r"Adadelta: rho must be a number in \[0, 1\), got 'much'",
        ),
        (lambda p: optim.SGD([{"lr": 1}], 0.1), TypeError, 'a group is a dictionary with "params"'),
        (lambda p: optim.SGD([{"params": [p]}, p], 0.1), TypeError, "a group is a dictionary with"),
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
