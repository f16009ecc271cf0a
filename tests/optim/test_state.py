"""State of optimisers and schedules: kept, taken up again to the bit, and refused where it is not
that of this one.
"""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import checkpoint, nn, optim, tensor
from tests.optim.test_layouts import MAKERS, makers
from tests.optim.test_schedules import SCHEDULES, schedules

SHAPES = [(5,), (3, 4), (2, 3, 2, 2), ()]


def begin(make, seed=0, dtype=np.float32):
    """Make parameters in two groups, one of them channels-last in memory, and an optimiser."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES]
    arrays[2] = arrays[2].transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    parameters = [nn.Parameter(array) for array in arrays]
    groups = [{"params": parameters[:2], "lr": 0.03}, {"params": parameters[2:]}]
    return parameters, make(groups)


def train(parameters, optimizer, first, last, schedule=None):
    """Take the steps first … last − 1, each with gradients of its own; the scalar gets few."""
    for step in range(first, last):
        rng = np.random.default_rng(step)
        for parameter in parameters:
            slope = np.asarray(rng.standard_normal(parameter.shape)).astype(parameter.dtype)
            parameter.grad = tensor(slope) if parameter.ndim or step % 4 == 3 else None
        optimizer.step()
        if schedule is not None:
            schedule.step()


def on_paper(state, path=None):
    """Send a state through JSON and a file of arrays, and back."""
    text = json.dumps(state["values"])
    assert json.loads(text) == state["values"]
    if path is None:
        return {"arrays": state["arrays"], "values": json.loads(text)}
    checkpoint.save(path, state["arrays"], {"values": text})
    arrays, metadata = checkpoint.load(path)
    return {"arrays": arrays, "values": json.loads(metadata["values"])}


def assert_equal(got, wanted):
    """Compare states to the bit."""
    assert got["values"] == wanted["values"]
    assert got["arrays"].keys() == wanted["arrays"].keys()
    for name, array in wanted["arrays"].items():
        assert got["arrays"][name].dtype == array.dtype
        np.testing.assert_array_equal(got["arrays"][name], array, name)


def frozen(state):
    """Copy a state: an optimiser's holds its own arrays, which the next step changes."""
    return copy.deepcopy(state)


# -- taken up again ------------------------------------------------------------------------------


@makers
@given(stop=st.integers(0, 7), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_run_that_was_stopped_goes_on_to_the_bit(make, tmp_path_factory, stop, dtype):
    whole, optimizer = begin(make, dtype=dtype)
    train(whole, optimizer, 0, 8)

    half, first = begin(make, dtype=dtype)
    train(half, first, 0, stop)
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    kept = on_paper(first.state_dict(), path)
    assert_equal(kept, first.state_dict())

    again, second = begin(make, seed=1, dtype=dtype)
    for parameter, other in zip(again, half, strict=True):
        parameter.data[...] = other.data
    second.load_state_dict(kept)
    assert_equal(second.state_dict(), first.state_dict())
    train(again, second, stop, 8)
    for parameter, other in zip(again, whole, strict=True):
        np.testing.assert_array_equal(parameter.data, other.data)
    assert_equal(second.state_dict(), optimizer.state_dict())


@schedules
@given(stop=st.integers(0, 9), warmup=st.integers(0, 4), optimizer_first=st.booleans())
def test_so_does_one_under_a_schedule(make, stop, warmup, optimizer_first):
    def start():
        parameters, optimizer = begin(lambda p: optim.SGD(p, np.float32(0.1), 0.9))
        return parameters, optimizer, make(optimizer, warmup=warmup)

    whole, optimizer, schedule = start()
    train(whole, optimizer, 0, 10, schedule)

    half, first, schedule_1 = start()
    train(half, first, 0, stop, schedule_1)
    kept = on_paper(frozen(first.state_dict())), on_paper(schedule_1.state_dict())
    again, second, schedule_2 = start()
    for parameter, other in zip(again, half, strict=True):
        parameter.data[...] = other.data
    if optimizer_first:
        second.load_state_dict(kept[0])
    schedule_2.load_state_dict(kept[1])
    if not optimizer_first:
        second.load_state_dict(kept[0])
    assert schedule_2.state_dict() == schedule_1.state_dict()
    train(again, second, stop, 10, schedule_2)
    for parameter, other in zip(again, whole, strict=True):
        np.testing.assert_array_equal(parameter.data, other.data)
    assert schedule_2.state_dict() == schedule.state_dict()
    assert_equal(second.state_dict(), optimizer.state_dict())


@schedules
def test_a_schedule_made_after_the_optimiser_was_loaded_finds_the_first_rates(make):
    """The rate of the moment is no beginning: the groups' own rates come with the state."""
    _, optimizer = begin(optim.Adam)
    schedule = make(optimizer)
    for _ in range(5):
        schedule.step()
    kept = on_paper(optimizer.state_dict()), on_paper(schedule.state_dict())
    _, other = begin(lambda p: optim.Adam(p, lr=0.5))
    other.load_state_dict(kept[0])
    late = make(other)
    late.load_state_dict(kept[1])
    for _ in range(5):
        assert [g["lr"] for g in other.groups] == [g["lr"] for g in optimizer.groups]
        schedule.step()
        late.step()


def test_what_a_state_looks_like():
    layer = nn.Linear(3, 2)
    groups = optim.groups_by_name(layer, {"bias": {"lr": 2}})
    optimizer = optim.Adam(groups, lr=np.float32(0.5), betas=(0.9, 0.99))
    layer.bias.grad = tensor(np.ones(2, np.float32))
    optimizer.step()
    optimizer.groups[0]["lr"] = np.float32(0.25)
    state = optimizer.state_dict()
    assert {type(group["lr"]) for group in optimizer.groups} == {np.float32, float}
    json.dumps(state["values"])
    assert set(state["arrays"]) == {"0.step", "0.mean", "0.square"}
    assert state["arrays"]["0.mean"] is optimizer.state[layer.bias]["mean"]
    shared = {"betas": [0.9, 0.99], "eps": 1e-8, "weight_decay": 0.0}
    bias = {"shape": [2], "dtype": "float32", "state": ["mean", "square", "step"]}
    weight = {"shape": [2, 3], "dtype": "float32", "state": []}
    assert state["values"] == {
        "optimizer": "Adam",
        "groups": [
            {"options": {"lr": 0.25, **shared}, "parameters": [bias]},
            {"options": {"lr": 0.5, **shared}, "parameters": [weight]},
        ],
    }
    schedule = optim.MultiStepLR(optimizer, (3, 5), warmup=1)
    assert schedule.state_dict() == {
        "arrays": {},
        "values": {
            "schedule": "MultiStepLR",
            "options": {"milestones": [3, 5], "gamma": 0.1, "warmup": 1},
            "steps_done": 0,
            "base_rates": [0.25, 0.5],
        },
    }


def test_options_are_taken_up_too():
    _, optimizer = begin(lambda p: optim.RMSprop(p, 0.1, 0.8, 1e-3, 0.2, 0.7, True))
    _, other = begin(optim.RMSprop)
    other.load_state_dict(on_paper(optimizer.state_dict()))
    for group, wanted in zip(other.groups, optimizer.groups, strict=True):
        options = {name: value for name, value in wanted.items() if name != "params"}
        assert {name: group[name] for name in options} == options
    _, adam = begin(lambda p: optim.Adam(p, betas=(0.1, 0.2)))
    _, other = begin(optim.Adam)
    other.load_state_dict(on_paper(adam.state_dict()))
    assert other.groups[0]["betas"] == (0.1, 0.2)  # a pair again, not a list


def test_what_was_loaded_is_a_copy_that_lies_as_its_parameter():
    parameters, optimizer = begin(lambda p: optim.SGD(p, 0.1, 0.9))
    train(parameters, optimizer, 0, 4)
    state = frozen(optimizer.state_dict())
    state["arrays"] = {name: np.ascontiguousarray(a) for name, a in state["arrays"].items()}
    kept = frozen(state)
    _, other = begin(lambda p: optim.SGD(p, 0.1, 0.9))
    # A single number became one axis by np.ascontiguousarray: that is no state of this one.
    with pytest.raises(ValueError, match=r"3\.velocity: shape \(1,\)"):
        other.load_state_dict(state)
    state["arrays"]["3.velocity"] = kept["arrays"]["3.velocity"] = np.ones((), np.float32)
    other.load_state_dict(state)
    for group in other.groups:
        for parameter in group["params"]:
            assert other.state[parameter]["velocity"].strides == parameter.data.strides
    train([p for g in other.groups for p in g["params"]], other, 0, 2)
    assert_equal(state, kept)


def test_a_fresh_state_clears_what_was_remembered():
    parameters, optimizer = begin(optim.Adam)
    fresh = on_paper(optimizer.state_dict())
    train(parameters, optimizer, 0, 4)
    optimizer.load_state_dict(fresh)
    assert not optimizer.state


def test_an_option_that_was_changed_on_the_way_is_no_obstacle():
    """RMSprop remembers a velocity only while it has momentum."""
    parameters, optimizer = begin(optim.RMSprop)
    train(parameters, optimizer, 0, 4)
    for group in optimizer.groups:
        group["momentum"] = 0.9
    _, other = begin(optim.RMSprop)
    other.load_state_dict(on_paper(optimizer.state_dict()))
    assert_equal(other.state_dict(), optimizer.state_dict())


# -- refused -------------------------------------------------------------------------------------


def refused(optimizer, state, *sentences):
    """Insist that a state is refused in these words, and that nothing changed."""
    before = frozen(optimizer.state_dict())
    with pytest.raises(ValueError, match="^load_state_dict: the state does not fit this ") as error:
        optimizer.load_state_dict(state)
    lines = str(error.value).split("\n  ")[1:]
    assert len(lines) == len(sentences), lines
    for line, sentence in zip(lines, sentences, strict=True):
        assert sentence in line
    assert_equal(optimizer.state_dict(), before)


@pytest.fixture
def trained():
    """An optimiser that remembers things, and its state, to be spoilt."""
    parameters, optimizer = begin(optim.Adam)
    train(parameters, optimizer, 0, 4)
    return optimizer, frozen(optimizer.state_dict())


def test_a_state_of_another_optimiser(trained):
    optimizer, _ = trained
    _, other = begin(optim.AdamW)
    refused(optimizer, other.state_dict(), "it is the state of 'AdamW'")


def test_other_groups_and_parameters(trained):
    optimizer, _ = trained
    (p, *_), _ = begin(optim.Adam)
    refused(optimizer, optim.Adam([p]).state_dict(), "groups: there are 1, needs 2")
    two = [{"params": [p]}, {"params": []}]
    refused(
        optimizer, optim.Adam(two).state_dict(),
        "group 0: parameters: there are 1, needs 2", "group 1: parameters: there are 0, needs 2",
    )  # fmt: skip


def test_other_shapes_and_dtypes_even_of_what_has_no_state_yet(trained):
    optimizer, state = trained
    _, other = begin(optim.Adam, dtype=np.float64)
    every = [f"parameter {i}: dtype float64, needs float32" for i in range(4)]
    refused(optimizer, other.state_dict(), *every)
    state["values"]["groups"][1]["parameters"][0]["shape"] = [2, 3, 4]
    refused(optimizer, state, "parameter 2: shape [2, 3, 4], needs [2, 3, 2, 2]")


def test_arrays_that_lack_or_do_not_fit_are_all_listed(trained):
    optimizer, state = trained
    arrays = state["arrays"]
    del arrays["0.mean"]
    arrays["9.mean"] = np.ones(3)
    arrays["1.mean"] = arrays["1.mean"].T
    arrays["1.square"] = arrays["1.square"].astype(float)
    arrays["2.step"] = np.array(-1)
    arrays["3.step"] = np.array(3.0)
    refused(
        optimizer, state,
        "missing: 0.mean",
        "unexpected: 9.mean",
        "1.mean: shape (4, 3) and dtype float32, needs (3, 4) and float32",
        "1.square: shape (3, 4) and dtype float64, needs (3, 4) and float32",
        "2.step: it is -1, needs at least 0",
        "3.step: shape () and dtype float64, needs () and int64",
    )  # fmt: skip


def test_options_out_of_range_missing_and_unknown(trained):
    optimizer, state = trained
    first, second = (group["options"] for group in state["values"]["groups"])
    first["lr"], second["rate"] = -1, 1
    del second["eps"]
    refused(
        optimizer, state,
        "group 0: Adam: lr must be a number of at least 0, got -1",
        "group 1: missing option eps",
        "group 1: unexpected option rate",
    )  # fmt: skip
    _, sgd = begin(lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True))
    state = frozen(sgd.state_dict())
    state["values"]["groups"][1]["options"]["momentum"] = 0
    refused(sgd, state, "group 1: SGD: nesterov needs momentum above 0, got momentum 0")


WRONG = [None, 3, "x", [], {}, [1], {"a": 1}, [None], [{}]]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    "path",
    [
        (), ("arrays",), ("values",), ("values", "optimizer"), ("values", "groups"),
        ("values", "groups", 0), ("values", "groups", 0, "options"),
        ("values", "groups", 0, "parameters"), ("values", "groups", 0, "parameters", 0),
        ("values", "groups", 0, "parameters", 0, "shape"),
        ("values", "groups", 0, "parameters", 0, "dtype"),
        ("values", "groups", 0, "parameters", 0, "state"),
        ("values", "groups", 0, "options", "lr"), ("values", "groups", 0, "options", "betas"),
        ("arrays", "0.mean"), ("arrays", "0.step"),  # nothing is made an array of
    ],
    ids=lambda path: ".".join(map(str, path)) or "all",
)  # fmt: skip
def test_anything_may_stand_anywhere(trained, path, wrong):
    """A state may come from a file that anybody wrote: it is refused in a sentence, never taken."""
    optimizer, state = trained
    before = frozen(state)
    if path:
        inside = state
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = wrong
    else:
        state = wrong
    if path[-1:] == ("lr",) and wrong == 3:
        optimizer.load_state_dict(state)  # a rate like any other
        return
    with pytest.raises(ValueError, match="^load_state_dict: the state does not fit this Adam:\n"):
        optimizer.load_state_dict(state)
    assert_equal(optimizer.state_dict(), before)


# -- schedules -----------------------------------------------------------------------------------


def test_a_schedule_refuses_what_is_not_its_own():
    _, optimizer = begin(optim.Adam)
    schedule = optim.StepLR(optimizer, 3, gamma=0.5)
    schedule.step()
    rates = [group["lr"] for group in optimizer.groups]
    state = schedule.state_dict()
    other = optim.StepLR(begin(optim.Adam)[1], 4, gamma=0.1).state_dict()
    wrong = [
        (None, "a state is"),
        ({"arrays": {}, "values": 3}, "a state is"),
        (optim.PolyLR(begin(optim.Adam)[1], 9).state_dict(), "it is the state of 'PolyLR'"),
        (other, "step_size: 4 there, 3 here\n  gamma: 0.1 there, 0.5 here"),
    ]
    for key, value, sentence in [
        ("steps_done", -1, "steps_done: -1, needs a whole number of at least 0"),
        ("steps_done", 1.0, "steps_done: 1.0, needs"),
        ("steps_done", True, "steps_done: True, needs"),
        ("base_rates", [0.1], r"base_rates: \[0.1\], needs 2 numbers"),
        ("base_rates", [0.1, "x"], "needs numbers of at least 0"),
        ("base_rates", [0.1, float("nan")], "needs numbers of at least 0"),
        ("base_rates", None, "base_rates: None, needs 2"),
        ("options", None, "it has no options"),
        ("options", {"step_size": 3, "gamma": 0.5}, "warmup: missing there, 0 here"),
        ("options", {**state["values"]["options"], "x": 1}, "x: 1 there, unknown here"),
    ]:
        wrong.append(({"arrays": {}, "values": {**state["values"], key: value}}, sentence))
    for given_state, sentence in wrong:
        with pytest.raises(ValueError, match=f"does not fit this StepLR:\n  .*{sentence}"):
            schedule.load_state_dict(given_state)
        assert schedule.state_dict() == state
        assert [group["lr"] for group in optimizer.groups] == rates


def test_a_function_is_not_kept():
    _, optimizer = begin(optim.Adam)
    state = optim.LambdaLR(optimizer, lambda t: 1.0, warmup=2).state_dict()
    assert state["values"]["options"] == {"warmup": 2}
    other = optim.LambdaLR(begin(optim.Adam)[1], lambda t: 1 - t, warmup=2)
    other.load_state_dict(state)  # whatever its function is
    state["values"]["steps_done"] = 4
    before = other.state_dict()
    with pytest.raises(ValueError, match=r"lr_lambda\(2\) must be a number of at least 0"):
        other.load_state_dict(state)
    assert other.state_dict() == before


def test_all_of_them_are_tested():
    made = {name for name in optim.__all__ if name.endswith("LR")}
    assert made == set(SCHEDULES)
    types = {name: getattr(optim, name) for name in optim.__all__}
    optimizers = {
        name for name, t in types.items() if isinstance(t, type) and issubclass(t, optim.Optimizer)
    }
    assert optimizers - {"Optimizer"} == {name.split("-")[0] for name in MAKERS}
