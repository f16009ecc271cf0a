"""Optimisers on a GPU: twenty steps that end where the CPU's do."""

import math

import numpy as np
import pytest

from minigrad import device, nn, optim, tensor
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
    lambda p: optim.AdamW(p, 0.01),
    lambda p: optim.AdamW(p, 0.01, (0.8, 0.99), 1e-3, 0.1),
    lambda p: optim.RMSprop(p),
    lambda p: optim.RMSprop(p, 0.01, 0.9, 1e-3, 0.1),
    lambda p: optim.RMSprop(p, 0.01, 0.9, 0.1, centered=True),
    lambda p: optim.RMSprop(p, 0.01, 0.9, 1e-3, momentum=0.5),
    lambda p: optim.RMSprop(p, 0.01, 0.9, 0.1, 0.1, 0.5, True),
    lambda p: optim.Adadelta(p),
    lambda p: optim.Adadelta(p, 0.5, 0.5, 0.1, 0.1),
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


OF_EACH = [
    lambda p: optim.SGD(p, 0.05, 0.9),
    lambda p: optim.Adam(p),
    lambda p: optim.AdamW(p),
    lambda p: optim.RMSprop(p, 0.01, 0.9, 0.1, momentum=0.5, centered=True),
    lambda p: optim.Adadelta(p),
]


@pytest.mark.parametrize("make", OF_EACH)
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


def test_a_state_of_another_shape_is_refused():
    """A kernel would write past its end."""
    data, gradient, velocity = (on_gpu(np.ones(n)) for n in (3, 3, 2))
    with pytest.raises(
        ValueError, match=r"^sgd: gradient and state of a parameter of shape \(3,\)"
    ):
        updates.sgd(data, gradient, velocity, 1.0, 0.0, 0.0, False)


@dtypes
def test_a_variance_that_rounding_makes_negative_is_zero(dtype):
    slopes = np.random.default_rng(0).uniform(0.5, 2, 1000).astype(dtype)
    parameter = nn.Parameter(on_gpu(slopes))
    parameter.grad = tensor(slopes, device="cuda")
    optimizer = optim.RMSprop([parameter], 1e-9, 0.5, centered=True)
    for _ in range(99):
        optimizer.step()
    assert np.isfinite(on_cpu(parameter.data)).all()


# -- state that is kept --------------------------------------------------------------------------


@pytest.mark.parametrize("make", OF_EACH)
@pytest.mark.parametrize(("here", "there"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_a_state_goes_from_device_to_device(make, here, there):
    """Two steps here and two there end where four on the CPU do."""
    rng = np.random.default_rng(1)
    slopes = [[rng.standard_normal((2, 3)), rng.standard_normal(2)] for _ in range(4)]

    def go(layer, optimizer, place, steps):
        for step in steps:
            for parameter, slope in zip(layer.parameters(), step, strict=True):
                parameter.grad = tensor(slope, device=place)
            optimizer.step()

    def begin():
        return nn.Linear(3, 2, generator=np.random.default_rng(0)).astype(np.float64)

    whole = begin()
    go(whole, make(whole.parameters()), "cpu", slopes)
    first = begin().to(here)
    optimizer = make(first.parameters())
    go(first, optimizer, here, slopes[:2])
    second = begin().to(there)
    second.load_state_dict(first.state_dict())
    other = make(second.parameters())
    other.load_state_dict(optimizer.state_dict())
    for parameter in second.parameters():
        for name, array in other.state[parameter].items():
            assert device.of(array) == ("cpu" if name == "step" else device.check_name(there))
    go(second, other, there, slopes[2:])
    assert_close(second.weight.data, whole.weight.data, np.float64)
    assert_close(second.bias.data, whole.bias.data, np.float64)


def test_what_is_loaded_is_a_copy_on_a_gpu_too():
    parameters, optimizer = run(lambda p: optim.SGD(p, 0.1, 0.9), "cuda", np.float32)
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    for number, parameter in enumerate(parameters):
        array = optimizer.state[parameter]["velocity"]
        assert array is not state["arrays"][f"{number}.velocity"]
        np.testing.assert_array_equal(on_cpu(array), on_cpu(state["arrays"][f"{number}.velocity"]))


# -- clipping ------------------------------------------------------------------------------------


def with_gradients(place, dtype, factor):
    rng = np.random.default_rng(0)
    parameters = []
    for shape in [*SHAPES, (20_000,)]:  # more numbers than threads
        slope = np.asarray(factor * rng.standard_normal(shape)).astype(dtype)
        parameter = nn.Parameter(np.zeros_like(slope))
        parameter.grad = tensor(slope, device=place)
        parameters.append(parameter)
    return parameters


@dtypes
@pytest.mark.parametrize("p", [2, 1, math.inf, 3])
@pytest.mark.parametrize("factor", [1e-4, 1])
def test_clipping_by_norm_as_on_the_cpu(p, factor, dtype, monkeypatch):
    """Also where nothing has to be shortened; and nobody asks for the norm on the way."""
    wanted, got = with_gradients("cpu", dtype, factor), with_gradients("cuda", dtype, factor)
    if p == 2 and factor == 1:  # transposed in memory
        got[3].grad.data = got[3].grad.data.T.copy().T
    due = optim.clip_grad_norm_(wanted, 3.0, p)
    array = type(got[0].grad.data)
    with monkeypatch.context() as patch:
        if array.__module__ != "cupy":  # CuPy's own cannot be patched
            for name in ("item", "get", "__float__", "__bool__", "tolist"):
                patch.setattr(array, name, None)
        norm = optim.clip_grad_norm_(got, 3.0, p)
    assert norm.device == "cuda:0"
    assert_close(norm.data, due.data, dtype)
    for mine, other in zip(got, wanted, strict=True):
        assert_close(mine.grad.data, other.grad.data, dtype)


def test_clipping_by_norm_may_insist_on_a_number():
    parameters = with_gradients("cuda", np.float32, 1)
    optim.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    parameters[1].grad.data[0] = np.nan
    with pytest.raises(FloatingPointError, match="the norm of all gradients is nan"):
        optim.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)


@dtypes
def test_clipping_by_value_as_on_the_cpu(dtype):
    wanted, got = with_gradients("cpu", dtype, 1), with_gradients("cuda", dtype, 1)
    for parameters in (wanted, got):
        held = [parameter.grad.data for parameter in parameters]
        optim.clip_grad_value_(parameters, 0.5)
        assert all(p.grad.data is array for p, array in zip(parameters, held, strict=True))
    for mine, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(on_cpu(mine.grad.data), other.grad.data)


def test_gradients_on_several_devices_are_refused():
    parameters = [with_gradients(place, np.float32, 1)[1] for place in ("cpu", "cuda")]
    with pytest.raises(ValueError, match="clip_grad_norm_: the gradients lie on cpu and cuda:0"):
        optim.clip_grad_norm_(parameters, 1.0)


# -- averages ------------------------------------------------------------------------------------


@dtypes
def test_averages_as_on_the_cpu_and_they_follow_the_network(dtype):
    layer, rng = nn.Linear(5, 4).astype(dtype), np.random.default_rng(0)
    average = optim.WeightAverage(layer, decay=0.9)
    seen = []
    for step in range(6):
        if step == 2:
            layer.to("cuda")  # where the averages so far have to come along
        value = rng.standard_normal((4, 5)).astype(dtype)
        layer.weight.data[...] = on_gpu(value) if step >= 2 else value
        average.update()
        seen.append(value)
    got = average.weights()["weight"]
    assert is_gpu_array(got)
    counts = 0.9 ** np.arange(6)[::-1]
    wanted = np.tensordot(counts, np.stack(seen), 1) / counts.sum()
    assert_close(got, wanted.astype(dtype), dtype)
    with average.swapped():
        assert layer.weight.device == "cuda:0"
        assert_close(layer.weight.data, wanted.astype(dtype), dtype)
        layer.to("cpu")
    assert layer.weight.device == "cpu"
    np.testing.assert_array_equal(layer.weight.data, seen[-1])
