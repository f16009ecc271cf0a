"""`check_layer` itself: each broken layer is seen by the property that is there for it."""

import os
import random as python_random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import nn, random, tensor
from minigrad.nn import Module, parameter
from minigrad.testing import strategies
from minigrad.testing.layers import PROPERTIES, LayerError, check_layer
from tests.testing.broken_layers import (
    BROKEN,
    IMAGES,
    ROWS,
    Affine,
    ComputesInFloat32,
    Counts,
    ForgetsEval,
    GivesAnArray,
    GivesNothing,
    LrnWithDetachedScale,
    NoWayBack,
    OnlyTrains,
    OtherWidth,
    RunningMean,
    Unused,
    WritesIntoInput,
)

FEW = 4


def report_of(layer, inputs, **options):
    return check_layer(layer, inputs, raise_error=False, **{"max_examples": FEW, **options})


def failing(report):
    return [failure.key for failure in report.failures]


def unchecked(report):
    return {result.key for result in report.results if result.holds is None}


# -- sound layers hold, broken ones do not -------------------------------------------------------


class Embedding(Module):
    """Integers in."""

    def __init__(self):
        self.weight = parameter(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32))

    def forward(self, indices):
        return self.weight[indices]


class TwoHeads(Module):
    """A tuple out: rows, a sum over all, and in training only a third."""

    def __init__(self):
        self.layers = [nn.Linear(4, 2), nn.Linear(4, 3)]

    def forward(self, x):
        first, second = (layer(x) for layer in self.layers)
        return first, second.sum(), (first * 2 if self.training else None)


SOUND = [
    (Affine(), ROWS),
    (RunningMean(), ROWS),
    (Embedding(), np.array([[0, 4], [2, 2]])),
    (TwoHeads(), ROWS),
    (Affine().astype(np.float64), ROWS),
    (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(3, 2)), ROWS),
    (lambda x, w: F.linear(x, w).tanh(), (ROWS, (4, 4))),
]


@pytest.mark.parametrize(("layer", "inputs"), SOUND)
def test_sound_layers_hold(layer, inputs):
    report = report_of(layer, inputs)
    assert report.ok, str(report)
    assert bool(report)
    assert not report.failures


@pytest.mark.parametrize(
    ("layer", "inputs", "key", "left_out"), BROKEN, ids=lambda case: type(case).__name__
)
def test_a_broken_layer_fails_the_property_it_breaks_and_no_other(layer, inputs, key, left_out):
    report = report_of(layer, inputs)
    assert failing(report) == [key], str(report)
    assert unchecked(report) == left_out, str(report)
    assert not report
    assert len(report.results) == len(PROPERTIES)


def test_every_property_is_broken_by_some_layer():
    assert {key for _, _, key, _ in BROKEN} | {"runs"} == {p.key for p in PROPERTIES}


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (OtherWidth(), "ValueError: multiply: shapes (3, 4) and (5,) do not broadcast"),
        (GivesAnArray(), "it returned ndarray, not a Tensor or a tuple of them"),
        (GivesNothing(), "it returned no Tensor"),
        (OnlyTrains(), "KeyError: 'there is no way to use this'"),
        (NoWayBack(), "RuntimeError: backward: the vjp of 'double' gave a gradient of shape"),
        (lambda x, y: x, "TypeError: "),
    ],
)
def test_what_does_not_run_is_not_checked_further(layer, sentence):
    report = report_of(layer, ROWS)
    assert failing(report) == ["runs"], str(report)
    assert sentence in str(report)
    assert (
        report.headline()
        .split(": ")[-1]
        .startswith(
            "1 property holds, 1 does not"
            if report["repr"].holds
            else "0 properties hold, 1 does not"
        )
    )
    assert unchecked(report) >= {p.key for p in PROPERTIES} - {"runs", "repr"}


def test_the_line_that_raised_is_shown():
    message = report_of(OtherWidth(), ROWS).failures[0].message
    assert message.splitlines()[1].startswith("raised in broken_layers.py, line ")
    assert message.endswith(", forward: return x * self.weight + self.bias")
    assert report_of(OnlyTrains(), ROWS).failures[0].mode == "eval"


def test_first_values_do_not_hide_mistakes():
    """A weight of 1 left out of a gradient: the layer itself keeps its 1."""

    class Scale(Affine):
        def forward(self, x):
            return minigrad.autograd.record(
                "scale", x.data * self.weight.data,
                (x, lambda gradient: gradient),
                (self.weight, lambda gradient: (gradient * x.data).sum(0)),
            )  # fmt: skip

    layer = Scale()
    assert failing(report_of(layer, ROWS)) == ["input_gradients", "connected"]
    assert (layer.weight.data == 1).all()


def test_a_layer_that_never_gives_the_same_is_only_said_to_be_that():
    class Entropy(Module):
        def forward(self, x):
            return x * np.random.default_rng(int.from_bytes(os.urandom(4))).random()

    report = report_of(Entropy(), ROWS)
    assert failing(report) == ["deterministic"]
    assert "memory" in unchecked(report)
    assert report["memory"].note == "not checked, since deterministic fails"


def test_a_parameter_that_is_detached_is_not_connected():
    class Detached(Affine):
        def forward(self, x):
            return x * self.weight.detach() + self.bias

    report = report_of(Detached(), ROWS)
    assert failing(report) == ["parameter_gradients", "connected"]
    assert report["connected"].failure.message.startswith("weight never gets a gradient")


def test_a_parameter_may_be_frozen():
    layer = Unused()
    layer.bias.requires_grad = False
    assert report_of(layer, ROWS).ok


def test_a_parameter_may_be_used_in_one_mode_only():
    class Auxiliary(Affine):
        def forward(self, x):
            return x * self.weight + self.bias if self.training else x * self.weight

    assert report_of(Auxiliary(), ROWS).ok


def test_an_empty_batch_may_be_refused_in_a_sentence():
    class Refuses(Module):
        def forward(self, x):
            if self.training and not len(x):
                raise ValueError("Refuses: x must hold an example, got shape (0, 4)")
            return x * 2

    result = report_of(Refuses(), ROWS)["empty_batch"]
    assert result.holds
    assert result.note == "refused in training: Refuses: x must hold an example, got shape (0, 4)"


def test_kinks_and_integers_are_no_wrong_gradients():
    assert report_of(nn.ReLU(), np.array([[0.0, 0.0]]))["input_gradients"].note == (
        "not applicable: every output lies at a kink, where there is no gradient"
    )
    assert report_of(lambda x: x.argmax(1), ROWS)["input_gradients"].holds is None
    ties = np.ones((2, 1, 3, 3))
    assert report_of(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), ties).ok


def test_float32_layers_are_compared_in_float32():
    """Where float64 fails, the other properties are checked in what there is."""

    class OnlyFloat32(Module):
        def forward(self, x):
            assert x.dtype == np.float32, "this layer wants float32"
            return x - x.mean(0) if len(x) else x

    report = report_of(OnlyFloat32(), ROWS)
    assert failing(report) == ["batch", "dtypes"]
    assert report["dtypes"].failure.message.startswith(
        "in float64, AssertionError: this layer wants float32"
    )


# -- what it may be given ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs",
    [
        (2, 6, 3, 3),
        np.random.default_rng(0).standard_normal((2, 6, 3, 3)),
        tensor(np.ones((2, 6, 3, 3), np.float32)),
        (np.ones((2, 6, 3, 3)),),
        [(2, 6, 3, 3)],
        strategies.arrays((2, 6, 3, 3)),
        st.integers(0, 99).map(lambda s: np.random.default_rng(s).standard_normal((2, 6, 3, 3))),
        st.tuples(strategies.arrays(st.tuples(st.integers(1, 2), st.just(6)))),
    ],
)
def test_inputs_may_be_given_in_many_ways(inputs):
    assert report_of(nn.LocalResponseNorm(3, alpha=1.0), inputs).ok


def test_what_is_drawn_reaches_the_layer():
    seen = []

    def f(x, labels):
        seen.append((x.shape, x.dtype, labels))
        return x * labels[:, None]

    assert report_of(f, ((2, 3), np.array([7, 8]))).ok
    assert {(shape, str(dtype)) for shape, dtype, _ in seen} >= {
        ((2, 3), "float32"),
        ((2, 3), "float64"),
    }
    assert all(labels.dtype == np.int64 and labels.tolist() == [7, 8] for *_, labels in seen)


def test_a_scalar_input_has_no_batch():
    report = report_of(lambda x: x * 2, np.array(3.0))
    assert report.ok
    assert report["batch"].note == "not applicable: the input has no axes"
    assert report_of(lambda x: x * 2, ()).ok


def test_losses_and_functions_of_several_inputs_have_no_batch():
    report = report_of(nn.CrossEntropyLoss(), (ROWS, np.array([0, 1, 3])))
    assert report["batch"].note == "not applicable: its output has no axis of examples (a loss?)"
    report = report_of(lambda x, y: x @ y, ((3, 3), (3, 3)))
    assert report.ok
    assert "which inputs of a function" in report["batch"].note
    assert report_of(lambda x: x.sum(0), (3, 3))["batch"].holds is None  # its axis is another


def test_the_number_of_examples_and_the_seed():
    def shapes(**options):
        seen = set()
        drawn = st.integers(1, 10**6).map(lambda n: np.full((1, 2), float(n)))

        def f(x):
            seen.add(float(x.data.ravel()[0]) if x.size else 0.0)
            return x * 2

        check_layer(f, drawn, skip=("input_gradients", "dtypes"), **options)
        return seen

    assert len(shapes(max_examples=2)) < len(shapes()) < len(shapes(max_examples=40))
    assert shapes(seed=3) == shapes(seed=3)
    assert shapes(seed=3) != shapes(seed=4)


def test_properties_can_be_skipped():
    report = check_layer(lambda x: F.softmax(x, 0), ROWS, skip=("batch",), max_examples=FEW)
    assert report["batch"].holds is None
    assert report["batch"].note == "skipped"
    # What needs it is examined all the same.
    report = report_of(ForgetsEval(), ROWS, skip=("eval",))
    assert failing(report) == ["batch"]


def test_rungs_and_threads_can_be_chosen():
    assert report_of(Affine(), ROWS, rungs=("vectorized", "cpu"), threads=(1, 4)).ok
    seen = set()

    def f(x):
        seen.add(minigrad.get_num_threads())
        return x * 2

    report_of(f, ROWS, threads=(5, 7))
    assert seen >= {5, 7}


@pytest.mark.parametrize(
    ("error", "layer", "inputs", "options", "sentence"),
    [
        (TypeError, 3, ROWS, {}, "layer must be a Module or a function of Tensors, got int"),
        (TypeError, nn.ReLU, ROWS, {}, "layer must be made first: ReLU(...)"),
        (TypeError, nn.ReLU(), "rows", {}, "inputs must be a hypothesis strategy of arrays"),
        (TypeError, nn.ReLU(), [1.0, 2.0], {}, "inputs must be a hypothesis strategy of arrays"),
        (TypeError, nn.ReLU(), None, {}, "got None"),
        (ValueError, nn.ReLU(), (2, -1), {}, "inputs is the shape (2, -1), with a negative length"),
        (TypeError, nn.ReLU(), st.just("x"), {}, "inputs must draw arrays of real numbers"),
        (TypeError, nn.ReLU(), st.just([1.0]), {}, "got 1.0"),
        (TypeError, nn.ReLU(), np.array("x"), {}, "got an array of <U1"),
        (TypeError, nn.ReLU(), st.just(()), {}, "inputs drew an empty tuple"),
        (ValueError, nn.ReLU(), ROWS, {"skip": ("speed",)}, "skip must be of runs, "),
        (TypeError, nn.ReLU(), ROWS, {"skip": "batch"}, "skip must be a tuple of names"),
        (ValueError, nn.ReLU(), ROWS, {"rungs": ("gpu",)}, "rungs must be of naive, "),
        (ValueError, nn.ReLU(), ROWS, {"rungs": ()}, "rungs must not be empty"),
        (ValueError, nn.ReLU(), ROWS, {"threads": (0,)}, "threads must be a tuple of positive"),
        (ValueError, nn.ReLU(), ROWS, {"threads": 2}, "threads must be a tuple of positive"),
        (ValueError, nn.ReLU(), ROWS, {"max_examples": 0}, "max_examples must be a positive"),
        (TypeError, nn.ReLU(), ROWS, {"seed": None}, "seed must be an integer, got None"),
    ],
)
def test_errors_name_the_argument(error, layer, inputs, options, sentence):
    with pytest.raises(error, match="^check_layer: ") as raised:
        check_layer(layer, inputs, **options)
    assert sentence in str(raised.value)


def test_a_layer_that_cannot_be_copied_is_refused():
    class Locked(Module):
        def __deepcopy__(self, memo):
            raise RuntimeError("there is only one")

    sentence = "layer must allow a copy, .* raised RuntimeError: there is only one"
    with pytest.raises(TypeError, match=sentence):
        check_layer(Locked(), ROWS)


def test_what_the_strategy_raises_is_not_the_layers():
    def wrong(_):
        raise ZeroDivisionError("in the strategy")

    with pytest.raises(ZeroDivisionError, match="in the strategy"):
        check_layer(nn.ReLU(), st.integers().map(wrong))


# -- what it says --------------------------------------------------------------------------------


def test_the_report_as_text():
    report = report_of(ForgetsEval(), ROWS)
    lines = str(report).splitlines()
    assert lines[0] == "check_layer: ForgetsEval(): 12 properties hold, 1 does not, 4 not checked"
    assert lines[1] == "  ✓ runs                  forward and backward run, in training and in eval"
    assert "  – connected             not applicable: it has no parameters" in lines
    assert "  – batch                 not checked, since eval fails" in lines
    (failure,) = report.failures
    assert "✗ eval, in eval" in lines
    assert repr(report) == str(report)
    assert max(map(len, report.checklist().splitlines())) <= 92
    assert failure.falsifying() in str(report)


def test_the_error_holds_the_checklist_and_the_first_failure_in_full():
    class Wrong(LrnWithDetachedScale):
        def forward(self, x):
            return super().forward(x - x.data.mean(0)) if len(x) else x

    with pytest.raises(LayerError, match="^check_layer: Wrong") as raised:
        check_layer(Wrong(), IMAGES, max_examples=FEW)
    report, message = raised.value.report, str(raised.value)
    assert failing(report) == ["input_gradients", "batch"]
    assert report.checklist() in message
    assert str(report.failures[0]) in message
    assert str(report.failures[1]) not in message
    assert "… and batch: print(error.report) shows them in full" in message
    assert str(report.failures[1]) in str(report)


def test_a_wrong_gradient_comes_with_the_report_of_gradcheck():
    (failure,) = report_of(LrnWithDetachedScale(), IMAGES).failures
    assert "the gradient of x (shape (2, 4, 2, 3)) is wrong" in str(failure)
    assert "small in the middle if the gradient is right" in str(failure)
    assert failure.gradcheck.failures[0].name == "x"


def test_parameters_are_named():
    class Wrong(Affine):
        def forward(self, x):
            return minigrad.autograd.record(
                "scale", x.data * self.weight.data,
                (x, lambda gradient: gradient * self.weight.data),
                (self.weight, lambda gradient: 2 * (gradient * x.data).sum(0)),
            ) + self.bias  # fmt: skip

    report = report_of(nn.Sequential(nn.ReLU(), Wrong()), ROWS)
    assert failing(report) == ["parameter_gradients"]
    assert "the gradient of parameter 1.weight (shape (4,)) is wrong" in str(report)


def test_the_falsifying_input_is_the_smallest_and_can_be_pasted():
    def f(x):
        if x.ndim == 3 and x.shape[1] > 1:
            raise ValueError("rows!")
        return x * 2

    shapes = strategies.shapes(min_axes=1, max_axes=4, lengths=(1, 2, 3))
    report = report_of(f, strategies.arrays(shapes), max_examples=50)
    (failure,) = report.failures
    assert [a.shape for a in failure.inputs] == [(1, 2, 1)]
    text = failure.falsifying().removeprefix("Falsifying input: ").removeprefix("x = ")
    pasted = eval(text, {"strategies": strategies, "array": np.array})
    np.testing.assert_array_equal(pasted, failure.inputs[0])


@pytest.mark.parametrize("shape", [(30, 40), (3, 4)])
def test_inputs_from_a_shape_are_shown_as_a_call(shape):
    (failure,) = report_of(WritesIntoInput(), shape).failures
    assert failure.shown == f"strategies.random_array(shape={shape}, seed=0)"
    np.testing.assert_array_equal(strategies.random_array(shape, seed=0), failure.inputs[0])


def test_given_arrays_are_shown_with_all_digits_or_in_part():
    small = np.array([[-1 / 3, 2 / 3]])
    (failure,) = report_of(WritesIntoInput(), small).failures
    assert failure.shown == "x = array([[-0.3333333333333333,  0.6666666666666666]])"
    (failure,) = report_of(WritesIntoInput(), np.full((30, 40), -1.0)).failures
    assert "..., -1." in failure.shown
    assert failure.shown.endswith("whole in report.failures")
    assert failure.inputs[0].shape == (30, 40)


def test_the_report_as_html():
    report = report_of(LrnWithDetachedScale(), IMAGES)
    page = report._repr_html_()
    assert page.count("<tr>") >= len(PROPERTIES)
    assert "✗ input_gradients, in training" in page
    assert "<svg" in page
    page = report_of(ComputesInFloat32(), ROWS)._repr_html_()
    assert "the operation &#x27;cast&#x27;" in page
    assert "<4" not in page


def test_the_same_report_each_time():
    assert str(report_of(Counts(), ROWS)) == str(report_of(Counts(), ROWS))


def test_results_by_name():
    report = report_of(nn.ReLU(), ROWS)
    assert report["memory"].holds
    with pytest.raises(KeyError):
        report["speed"]


# -- no trace ------------------------------------------------------------------------------------


@pytest.mark.parametrize("breaks", [False, True])
def test_leaves_no_trace(breaks, capfd):
    class Nosy(nn.Sequential):
        calls = 0

        def forward(self, x):
            self.calls += 1
            minigrad.manual_seed(5)
            np.random.seed(7)  # noqa: NPY002
            if breaks:
                x.data[...] = 0
            return super().forward(x)

    layer = Nosy(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Conv2d(3, 2, 1))
    layer.train()
    layer[1].eval()
    layer[2].weight.grad = tensor(np.ones((2, 3, 1, 1), np.float32))
    tensors = [t for _, t in (*layer.named_parameters(), *layer.named_buffers())]

    def state():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return {
            "ids": [id(t) for t in tensors] + [id(t.data) for t in tensors],
            "numbers": [t.data.tobytes() for t in tensors],
            "strides": [t.data.strides for t in tensors],
            "grads": [None if t.grad is None else t.grad.tolist() for t in tensors],
            "nodes": [id(t.node) for t in tensors],
            "modes": [module.training for _, module in layer.named_modules()],
            "attributes": [sorted(vars(module)) for _, module in layer.named_modules()],
            "calls": layer.calls,
            "threads": minigrad.get_num_threads(),
            "stream": repr(random.default),
            "numpy": (numpy_state[1].tobytes(), *numpy_state[2:]),
            "python": python_random.getstate(),
            "recording": minigrad.is_recording(),
        }

    minigrad.manual_seed(3)
    random.default.next_key()
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2))
    given = x.copy()
    before = state()
    assert report_of(layer, x).ok is not breaks
    assert state() == before
    np.testing.assert_array_equal(x, given)
    assert capfd.readouterr() == ("", "")


def test_inside_of_another_property_test():
    @settings(max_examples=3, suppress_health_check=[HealthCheck.nested_given])
    @given(st.integers(1, 3))
    def outer(n):
        check_layer(nn.Linear(n, 2), (2, n), max_examples=1)

    outer()
