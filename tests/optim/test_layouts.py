"""Whatever order arrays lie in in memory, the numbers that belong together meet."""

from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import nn, optim, tensor
from minigrad.optim import updates

SHAPE = (3, 4, 2, 5)
STEPS = 3
MAKERS = {
    "SGD": lambda p: optim.SGD(p, 0.1, 0.9, 0.1, True),
    "Adam": lambda p: optim.Adam(p, 0.1, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, 0.1, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, 0.1),
    "RMSprop-centered": lambda p: optim.RMSprop(p, 0.1, centered=True),
    "RMSprop-momentum": lambda p: optim.RMSprop(p, 0.1, momentum=0.9),
    "Adadelta": lambda p: optim.Adadelta(p, eps=0.1),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def with_gaps(array):
    """Lay an array out as every second number of a larger one."""
    whole = np.full([2 * n for n in array.shape], 7, array.dtype)
    part = whole[tuple(slice(0, None, 2) for _ in array.shape)]
    part[...] = array
    return part


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "channels-last": lambda a: a.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
    "outputs-last": lambda a: a.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2),
    "gaps": with_gaps,
    "backwards": lambda a: a[::-1, :, ::-1].copy()[::-1, :, ::-1],
}
layouts = st.sampled_from(list(LAYOUTS))


def numbers(dtype):
    """Draw where a parameter begins, and the gradient of each step."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((1 + STEPS, *SHAPE)).astype(dtype)


def steps(make, dtype, of_data, of_gradients, of_state):
    """Take steps, and lay everything out anew before each."""
    start, *slopes = numbers(dtype)
    parameter = nn.Parameter(LAYOUTS[of_data](start))
    optimizer = make([parameter])
    for slope in slopes:
        parameter.grad = parameter.new(LAYOUTS[of_gradients](slope))
        before = parameter.grad.data.copy()
        state = optimizer.state.get(parameter, {})
        for name, array in state.items():
            if array.ndim:
                state[name] = LAYOUTS[of_state](array)
        held = parameter.data
        optimizer.step()
        assert parameter.data is held  # in place
        np.testing.assert_array_equal(parameter.grad.data, before)  # and nothing else
    return parameter.data, optimizer.state[parameter]


@makers
@given(data=layouts, gradient=layouts, state=layouts, dtype=st.sampled_from([np.float32, float]))
def test_the_order_in_memory_changes_no_bit(make, data, gradient, state, dtype):
    wanted, wanted_state = steps(make, dtype, "rows", "rows", "rows")
    got, got_state = steps(make, dtype, data, gradient, state)
    np.testing.assert_array_equal(got, wanted)
    for name, array in wanted_state.items():
        np.testing.assert_array_equal(got_state[name], array)


def test_numbers_between_those_of_a_parameter_stay():
    start, slope, *_ = numbers(float)
    parameter = nn.Parameter(with_gaps(start))
    parameter.grad = tensor(slope)
    optim.SGD([parameter], lr=1.0).step()
    np.testing.assert_array_equal(parameter.data, start - slope)
    whole = parameter.data.base
    assert (whole == 7).sum() == whole.size - start.size


@makers
def test_a_parameter_may_be_given_another_array(make):
    """In another order in memory, say: what is remembered of it goes on to belong to it."""
    start, *slopes = numbers(float)
    results = []
    for layout in ("rows", "columns"):
        parameter = nn.Parameter(start.copy())
        optimizer = make([parameter])
        for slope in slopes:
            parameter.grad = tensor(slope)
            optimizer.step()
            parameter.data = LAYOUTS[layout](parameter.data)
        results.append(parameter.data.copy())
        optimizer.step()  # copies what is remembered for the last time
        for array in optimizer.state[parameter].values():
            assert array.ndim == 0 or array.strides == parameter.data.strides
    np.testing.assert_array_equal(*results)


@makers
def test_state_takes_the_dtype_of_a_parameter_that_changes_its_own(make):
    layer = nn.Linear(3, 2)
    optimizer = make(layer.parameters())
    for dtype in (np.float32, np.float64):
        layer.astype(dtype)
        for parameter in layer.parameters():
            parameter.grad = tensor(np.ones(parameter.shape, dtype))
        optimizer.step()
        for parameter in layer.parameters():
            state = {k: a for k, a in optimizer.state[parameter].items() if k != "step"}
            assert {a.dtype for a in (parameter.data, *state.values())} == {np.dtype(dtype)}


@makers
def test_usual_arrays_are_not_copied(make, monkeypatch):
    """The layers' own order, and that of their gradients, is walked through where it is."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    optimizer = make(net.parameters())
    net(tensor(np.ones((2, 3, 4, 4), np.float32))).sum().backward()
    for parameter in net.parameters():
        assert parameter.grad.data.strides == parameter.data.strides
    monkeypatch.setattr(updates, "like", None)  # what copies
    optimizer.step()
    optimizer.step()


# -- many parameters at once ---------------------------------------------------------------------


@makers
def test_many_parameters_go_as_each_alone(make, monkeypatch):
    """Small ones and one that is cut into pieces, of both dtypes; each alone, and in one piece."""
    rng = np.random.default_rng(0)
    sizes = [3, 0, updates.BLOCK * (updates.PIECE + 1) + 5, 1, 1000]
    dtypes = [np.float32, np.float64]
    starts = [rng.standard_normal(n).astype(dtypes[i % 2]) for i, n in enumerate(sizes)]
    slopes = [rng.standard_normal(n).astype(dtypes[i % 2]) for i, n in enumerate(sizes)]

    def go(optimizers, parameters):
        for _ in range(2):
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.grad = tensor(slope)
            for optimizer in optimizers:
                optimizer.step()
        return [parameter.data for parameter in parameters]

    all_at_once = [nn.Parameter(start.copy()) for start in starts]
    alone = [nn.Parameter(start.copy()) for start in starts]
    got = go([make(all_at_once)], all_at_once)
    monkeypatch.setattr(updates, "together", nullcontext)
    wanted = go([make([parameter]) for parameter in alone], alone)
    for mine, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_together_does_nothing_before_its_end_and_nothing_after_an_error():
    p, g, v = np.zeros(3), np.ones(3), np.zeros(3)
    with updates.together():
        updates.sgd(p, g, v, 1.0, 0.5, 0.0, False)
        np.testing.assert_array_equal(p, 0)
    np.testing.assert_array_equal(p, -1)

    def fail():
        with updates.together():
            updates.sgd(p, g, v, 1.0, 0.5, 0.0, False)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    np.testing.assert_array_equal(p, -1)
    updates.sgd(p, g, v, 1.0, 0.5, 0.0, False)
    np.testing.assert_array_equal(p, -2.5)


# -- what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "error", "sentence"),
    [
        (np.ones((2, 2)), ValueError, r"^SGD: the gradient of parameter 1 has shape \(2, 2\), dty"),
        (
            np.ones(3, np.float32),
            TypeError,
            "float32, device cpu; the parameter has shape .*loat64",
        ),
    ],
)
def test_a_gradient_that_does_not_fit_changes_nothing(gradient, error, sentence):
    first, second = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(3))
    optimizer = optim.SGD([{"params": [first]}, {"params": [second]}], lr=1.0)
    first.grad, second.grad = tensor(np.ones(3)), tensor(gradient)
    with pytest.raises(error, match=sentence):
        optimizer.step()
    np.testing.assert_array_equal(first.data, 1)
    assert not optimizer.state


def test_parameters_of_16_bits_are_refused():
    layer = nn.Linear(3, 2).astype(np.float16)
    for parameter in layer.parameters():
        parameter.grad = tensor(np.ones(parameter.shape, np.float16))
    before = layer.weight.data.copy()
    with pytest.raises(TypeError, match=r"^SGD: parameter 0 is float16; parameters are trained in"):
        optim.SGD(layer.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(layer.weight.data, before)
    with pytest.raises(TypeError, match=r"^clip_grad_norm_: gradients must be float32 or float6"):
        optim.clip_grad_norm_(layer.parameters(), 1.0)


def test_a_state_that_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"^sgd: gradient and state of a parameter of shape \(3,\)"
    ):
        updates.sgd(np.ones(3), np.ones(3), np.ones(2), 1.0, 0.0, 0.0, False)
