"""Forcing a rung: for everything inside, forward and backward, and no longer."""

import numpy as np
import pytest

import minigrad
from minigrad import device
from minigrad import functional as F
from minigrad.ops.relu import RUNGS


@pytest.mark.parametrize("rung", device.RUNGS)
def test_a_forced_rung_runs_and_its_backward_too(rung, monkeypatch):
    used = []

    def spy(rung, function):
        def called(*arrays):
            used.append((rung, function.__name__))
            return function(*arrays)

        return called

    for name, module in RUNGS.items():
        for function in (module.relu_forward, module.relu_input_gradient):
            monkeypatch.setattr(module, function.__name__, spy(name, function))
    x = minigrad.tensor([-1.0, 2.0], requires_grad=True)
    with minigrad.kernels(rung):
        y = F.relu(x)
    y.backward(np.ones(2))  # outside: the rung of forward goes on
    assert used == [(rung, "relu_forward"), (rung, "relu_input_gradient")]
    F.relu(x)
    assert used[-1] == ("cpu", "relu_forward")


def test_rungs_nest_and_end_with_an_error():
    def fail():
        with minigrad.kernels("vectorized"):
            assert device.choose(RUNGS) is RUNGS["vectorized"]
            raise ZeroDivisionError

    with minigrad.kernels("naive"):
        with pytest.raises(ZeroDivisionError):
            fail()
        assert device.choose(RUNGS) is RUNGS["naive"]
    assert device.choose(RUNGS) is RUNGS["cpu"]


def test_unknown_rung():
    with (
        pytest.raises(ValueError, match="must be one of naive, vectorized, cpu, got 'fast'"),
        minigrad.kernels("fast"),
    ):
        pass
