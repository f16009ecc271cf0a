"""Optimisers on a GPU: twenty steps that end where the CPU's do."""

import numpy as np
import pytest

from minigrad import nn, optim, tensor
from minigrad.gpu import is_gpu_array
from minigrad.optim import gpu as gpu_updates
from minigrad.optim import updates
from tests.gpu.rungs import on_cpu, on_gpu

pytestmark = pytest.mark.usefixtures("gpu")

STEPS = 20
SHAPES = [(), (5,), (3, 4), (2, 3, 4, 5), (0, 3), (1000,)]
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
MAKERS = [
    lambda p: optim.SGD(p, 0.05),
    lambda p: optim.SGD(p, 1),  # a whole number is a rate as well
    lambda p: optim.SGD(p, 0.05, momentum=0.9),
    lambda p: optim.SGD(p, np.float32(0.05), momentum=0.9, weight_decay=0.1),
    lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.1, nesterov=True),
    lambda p: optim.Adam(p, 0.01),
    lambda p: optim.Adam(p, 0.01, (0.8, 0.99), 1e-3, 0.1),
    lambda p: optim.Adam(p, 1, (0, 0), 1),
]


def run(make, place, dtype, shapes=SHAPES, turn=False):
    """Take twenty steps; return the parameters, the optimiser's state and the optimiser."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    arrays = [on_gpu(np.asarray(a)) if place == "cuda" else np.asarray(a) for a in arrays]
    parameters = [nn.Parameter(a.T if turn else a) for a in arrays]
    optimizer = make(parameters)
    for _ in range(STEPS):
        for parameter in parameters:
            gradient = rng.standard_normal(parameter.shape).astype(dtype)
            parameter.grad = tensor(gradient, device=place)
        optimizer.step()
    return parameters, optimizer


def assert_close(got, wanted, dtype):
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    got = on_cpu(got)
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=4 * tolerance, atol=tolerance)


@dtypes
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("turn", [False, True])
def test_twenty_steps_as_on_the_cpu(make, dtype, turn):
    """Whatever the order in memory: a parameter that is turned has its copy put back."""
    wanted, on_the_cpu = run(make, "cpu", dtype, turn=turn)
    got, on_the_gpu = run(make, "cuda", dtype, turn=turn)
    for mine, other in zip(got, wanted, strict=True):
        assert mine.device == "cuda:0"
        assert_close(mine.data, other.data, dtype)
        state = on_the_gpu.state[mine]
        assert state.keys() == on_the_cpu.state[other].keys()
        for name, array in on_the_cpu.state[other].items():
            assert_close(state[name], array, dtype)


def test_state_lies_where_the_parameter_does_but_the_counter_on_the_cpu():
    parameters, optimizer = run(lambda p: optim.Adam(p), "cuda", np.float32)
    for parameter in parameters:
        state = optimizer.state[parameter]
        assert is_gpu_array(state["mean"])
        assert is_gpu_array(state["square"])
        assert type(state["step"]) is np.ndarray
        assert state["step"] == STEPS


def test_parameters_are_changed_in_place():
    data, gradient = on_gpu(np.arange(6.0).reshape(2, 3)), on_gpu(np.ones((2, 3)))
    parameter = nn.Parameter(data)
    parameter.grad = tensor(gradient)
    optim.SGD([parameter], lr=2.0).step()
    assert parameter.data is data
    np.testing.assert_array_equal(on_cpu(data), np.arange(6.0).reshape(2, 3) - 2)
    np.testing.assert_array_equal(on_cpu(gradient), np.ones((2, 3)))


def test_a_part_of_an_array_leaves_the_rest_alone():
    whole, gradient = on_gpu(np.zeros((4, 6))), np.arange(6.0).reshape(2, 3)
    velocity = gpu_updates.zeros_like(whole)
    updates.sgd(
        whole[::2, 1::2], on_gpu(gradient.T.copy()).T, velocity[::2, 1::2], 1.0, 0.5, 0.0, False
    )
    wanted = np.zeros((4, 6))
    wanted[::2, 1::2] = gradient
    np.testing.assert_array_equal(on_cpu(whole), -wanted)
    np.testing.assert_array_equal(on_cpu(velocity), wanted)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.05, 0.9), lambda p: optim.Adam(p)])
def test_state_follows_a_parameter_that_moves(make):
    results = []
    for places in (["cpu"] * 4, ["cpu", "cuda", "cuda", "cpu"]):
        layer = nn.Linear(3, 2, generator=np.random.default_rng(0)).astype(np.float64)
        optimizer = make(layer.parameters())
        rng = np.random.default_rng(1)
        for place in places:
            layer.to(place)
            for parameter in layer.parameters():
                parameter.grad = tensor(rng.standard_normal(parameter.shape), device=place)
            optimizer.step()
        results.append(layer.weight.numpy())
    assert_close(results[1], results[0], np.float64)


def test_a_gradient_on_the_cpu_is_refused():
    parameter = nn.Parameter(on_gpu(np.ones(3)))
    parameter.grad = tensor(np.ones(3))
    with pytest.raises(
        TypeError, match="the gradient of parameter 0 has .*, device cpu; the param"
    ):
        optim.SGD([parameter], lr=1.0).step()
    np.testing.assert_array_equal(on_cpu(parameter.data), np.ones(3))
