"""Loss scaling, beside PyTorch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn, optim


def one_weight(lr=1.0):
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data[...] = 1
    return layer.weight, optim.SGD(layer.parameters(), lr=lr)


def step(weight, optimizer, scaler, slope):
    """Go one step on ``slope · weight``."""
    optimizer.zero_grad()
    with np.errstate(over="ignore"):
        scaler.scale((weight * slope).sum()).backward()
        return scaler.step(optimizer), scaler.update()


def test_gradients_are_those_of_the_loss():
    weight, optimizer = one_weight()
    assert step(weight, optimizer, optim.GradScaler(1024), 0.25) == (True, None)
    assert weight.grad.item() == 0.25
    assert weight.item() == 0.75


def test_what_float16_would_lose_arrives():
    """2⁻²⁶ is no float16, and 2¹⁰ times as much is: the gradient that goes back is of 16 bits."""
    for factor, wanted in ((1.0, 0.0), (2.0**10, 2.0**-26)):
        weight = minigrad.tensor(np.ones((1, 1, 1, 1), np.float32), requires_grad=True)
        scaler = optim.GradScaler(factor)
        x = minigrad.tensor(np.ones((1, 1, 1, 1), np.float16))
        y = minigrad.functional.conv2d(x, weight).astype(np.float32)
        scaler.scale((y * 2**-26).sum()).backward()
        assert weight.grad.item() / factor == wanted


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 3e38])
def test_a_step_with_an_overflow_is_left_out(bad):
    weight, optimizer = one_weight()
    scaler = optim.GradScaler(16)
    with np.errstate(all="ignore"):
        assert step(weight, optimizer, scaler, bad)[0] is False
    assert weight.item() == 1
    assert scaler.get_scale() == 8
    assert step(weight, optimizer, scaler, 0.5)[0] is True
    assert weight.item() == 0.5


def test_an_overflow_in_one_optimiser_is_seen_whatever_comes_after():
    (a, first), (b, second) = one_weight(), one_weight()
    scaler = optim.GradScaler(2)
    a.grad, b.grad = minigrad.tensor([[np.nan]]), minigrad.tensor([[2.0]])
    assert not scaler.step(first)
    assert not scaler.step(second)
    scaler.update()
    assert scaler.get_scale() == 1


def test_gradients_are_divided_once():
    weight, optimizer = one_weight()
    scaler = optim.GradScaler(4)
    weight.grad = minigrad.tensor([[2.0]])
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)
    assert weight.grad.item() == 0.5
    scaler.step(optimizer)
    assert weight.item() == 0.5
    scaler.update()
    weight.grad = minigrad.tensor([[2.0]])
    scaler.step(optimizer)
    assert weight.item() == 0


def test_without():
    weight, optimizer = one_weight()
    scaler = optim.GradScaler(enabled=False)
    assert step(weight, optimizer, scaler, 0.25)[0]
    assert (weight.item(), scaler.get_scale()) == (0.75, 1.0)
    assert step(weight, optimizer, scaler, np.inf)[0]  # nobody looks


def test_a_parameter_without_gradient_or_numbers():
    layer, empty = nn.Linear(1, 1), nn.Parameter(np.zeros((1, 0), np.float32))
    optimizer = optim.SGD([*layer.parameters(), empty], lr=1.0)
    layer.weight.grad = minigrad.tensor([[4.0]])
    empty.grad = minigrad.tensor(np.zeros((1, 0), np.float32))
    layer.weight.data[...] = 3
    assert optim.GradScaler(4).step(optimizer)
    assert layer.weight.item() == 2


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([2.0, 4.0]),
    st.sampled_from([0.5, 0.25]),
)
def test_the_factor_goes_as_pytorchs(overflows, interval, growth, backoff):
    torch = pytest.importorskip("torch")
    settings = {"growth_factor": growth, "backoff_factor": backoff, "growth_interval": interval}
    ours, theirs = optim.GradScaler(64.0, **settings), torch.amp.GradScaler("cpu", 64.0, **settings)
    weight, optimizer = one_weight(lr=0.125)
    parameter = torch.nn.Parameter(torch.ones(1, 1))
    judge = torch.optim.SGD([parameter], lr=0.125)
    for overflow in overflows:
        slope = np.inf if overflow else 0.5
        step(weight, optimizer, ours, slope)
        judge.zero_grad()
        theirs.scale((parameter * slope).sum()).backward()
        theirs.step(judge)
        theirs.update()
        assert ours.get_scale() == theirs.get_scale()
        assert weight.item() == parameter.item()


def test_a_state_goes_on():
    weight, optimizer = one_weight()
    scaler = optim.GradScaler(8, growth_interval=3)
    step(weight, optimizer, scaler, 0.5)
    step(weight, optimizer, scaler, 0.5)
    again = optim.GradScaler(growth_interval=3)
    again.load_state_dict(scaler.state_dict())
    step(weight, optimizer, again, 0.5)
    assert again.state_dict() == {"scale": 16.0, "steps": 0}


@pytest.mark.parametrize(
    "state",
    [{}, {"scale": 1.0}, {"scale": -1.0, "steps": 0}, {"scale": np.nan, "steps": 0},
     {"scale": 1.0, "steps": -1}, {"scale": 1.0, "steps": 0, "more": 1},
     {"scale": "1", "steps": 0}],
)  # fmt: skip
def test_a_state_that_is_none(state):
    scaler = optim.GradScaler(8)
    with pytest.raises(ValueError, match="must hold a scale above 0 and steps"):
        scaler.load_state_dict(state)
    assert scaler.state_dict() == {"scale": 8.0, "steps": 0}


@pytest.mark.parametrize(
    "options",
    [{"init_scale": 0}, {"init_scale": np.inf}, {"growth_factor": 1.0}, {"backoff_factor": 1.0},
     {"backoff_factor": 0.0}, {"growth_interval": 0}],
)  # fmt: skip
def test_settings_out_of_range(options):
    with pytest.raises(ValueError, match=f"GradScaler: {next(iter(options))} must be a number"):
        optim.GradScaler(**options)
