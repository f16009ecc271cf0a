"""`check_layer`, `gradcheck` and the laws of `minigrad.testing`, where a layer lies on a GPU."""

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.autograd import record
from minigrad.gpu import is_gpu_array
from minigrad.testing import GradcheckError, check_layer, gradcheck, laws, on_device, place
from tests.nn.test_layer_contracts import ALWAYS, LAYERS
from tests.testing.broken_layers import BROKEN

pytestmark = pytest.mark.usefixtures("gpu")
FEW = 2  # examples: each is run for every layout, rung and mode


def named(cases):
    return [getattr(layer, "__name__", type(layer).__name__) for layer, *_ in cases]


def held(report):
    return {result.key for result in report.results if result.holds}


# -- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "inputs", "silent"), LAYERS, ids=named(LAYERS))
def test_layers_keep_their_contracts(layer, inputs, silent):
    with on_device("cuda"):
        report = check_layer(layer, inputs, max_examples=FEW)
    assert held(report) == ALWAYS - silent - {"threads"}
    assert report["rungs"].note == "compared: naive, cuda:0"
    assert all(p.device == "cpu" for p in layer.parameters())  # a copy was moved


# Layers whose state `to` does not find stay behind in part: they do not run.
STAY_BEHIND = "Float32Constant", "MeanIsNoBuffer", "ParametersInList"


@pytest.mark.parametrize(("layer", "inputs", "key"), [b[:3] for b in BROKEN], ids=named(BROKEN))
def test_broken_layers_are_seen(layer, inputs, key):
    with on_device("cuda"):
        report = check_layer(layer, inputs, max_examples=FEW, raise_error=False)
    found = [failure.key for failure in report.failures]
    if type(layer).__name__ in STAY_BEHIND:
        assert found == ["runs"]
    else:
        assert found == [key] * (key != "threads")


def test_a_layer_is_checked_where_its_parameters_are():
    seen = set()

    class Looks(nn.Linear):
        def forward(self, x):
            seen.add((x.device, self.weight.device))
            return super().forward(x)

    layer = Looks(5, 3).to("cuda")
    before = [place.fetch(p).copy() for p in layer.parameters()]
    report = check_layer(layer, (2, 5), max_examples=FEW)
    assert str(report).startswith("check_layer: Looks(5, 3) on cuda:0: 16 properties hold")
    assert seen == {("cuda:0", "cuda:0"), ("cpu", "cpu")}  # the definition too
    for parameter, values in zip(layer.parameters(), before, strict=True):
        assert parameter.device == "cuda:0"
        np.testing.assert_array_equal(place.fetch(parameter), values)
    assert place.here() == "cpu"


class TwiceOnAGPU(nn.Module):
    """Right on the CPU, and right to its own gradient everywhere."""

    def __init__(self):
        self.weight = nn.parameter([1.0])

    def forward(self, x):
        return x * self.weight * (2 if is_gpu_array(x.data) else 1)


def test_a_layer_that_differs_on_the_gpu():
    report = check_layer(TwiceOnAGPU().to("cuda"), (2, 3), max_examples=FEW, raise_error=False)
    assert [failure.key for failure in report.failures] == ["rungs"]
    assert "the output on rung cuda:0 is" in str(report)
    assert check_layer(TwiceOnAGPU(), (2, 3), max_examples=FEW).ok


def test_a_function_is_not_moved():
    weight = tensor([2.0, 3.0], device="cuda")
    with on_device("cuda"):
        report = check_layer(lambda x: x * weight.astype(x.dtype), (4, 2), max_examples=FEW)
    assert report["rungs"].note == "not applicable: there is only cuda:0 to run it on"
    with on_device("cuda"):
        report = check_layer(F.relu, (4, 2), rungs=("vectorized", "cuda"), max_examples=FEW)
    assert report["rungs"].note == "compared: vectorized, cuda"


# -- gradients -----------------------------------------------------------------------------------


def half(x):
    """Compute x², with half of its gradient."""
    return record("half", x.data * x.data, (x, lambda gradient: gradient * x.data))


@pytest.mark.parametrize("where", ["inputs", "context"])
def test_gradients_are_checked_on_the_gpu(where):
    seen = []

    def looks(f):
        return lambda *tensors: (seen.extend(tensors), f(*tensors))[1]

    x, weight = np.arange(6.0).reshape(2, 3) - 2.5, np.ones((4, 3))
    inputs = [x, tensor(weight, device="cuda")] if where == "inputs" else [x, weight]
    with on_device("cpu" if where == "inputs" else "cuda"):
        report = gradcheck(looks(lambda x, w: F.linear(x, w).tanh()), inputs)
        with pytest.raises(GradcheckError, match="2 times too small"):
            gradcheck(looks(half), inputs[1:])
    assert report.ok
    assert [part.jacobian for part in report.inputs] == [True, True]
    assert {t.device for t in seen} == {"cuda:0"}


def test_constants_of_integers_are_handed_over_as_they_are():
    target = np.array([1, 0])
    with on_device("cuda"):
        assert gradcheck(lambda x, y: F.cross_entropy(x, y), [np.eye(2), target]).ok


# -- laws ----------------------------------------------------------------------------------------


def test_laws_run_on_the_device():
    x = np.array([[-1.0, 2.0]])

    def looks(t):
        assert t.device == place.here()
        devices.append(t.device)
        return F.relu(t)

    devices = []
    laws.rungs_agree(looks, x)
    assert devices == ["cpu"] * 3
    devices.clear()
    with on_device("cuda:0"):
        laws.rungs_agree(looks, x)
        laws.positively_homogeneous(looks, x)
    assert devices == ["cpu", "cuda:0", "cuda:0", "cuda:0"]


def test_a_law_is_broken_on_the_gpu_alone():
    def f(x):
        return x * (2 if is_gpu_array(x.data) else 1)

    laws.rungs_agree(f, np.ones(3))
    with on_device("cuda"), pytest.raises(AssertionError, match="on rung cuda:0 is 2.0 but"):
        laws.rungs_agree(f, np.ones(3))
    with pytest.raises(AssertionError, match="on rung cuda is 2.0 but the output on cpu is 1.0"):
        laws.rungs_agree(f, np.ones(3), rungs=("cpu", "cuda"))


def test_what_is_written_on_the_gpu_is_seen():
    def writes(x):
        x.data[...] += 1
        return x * 1

    with on_device("cuda"), pytest.raises(AssertionError, match="input 0 after forward"):
        laws.inputs_unchanged(writes, np.ones((2, 3)))


def test_layouts_are_those_of_the_gpu():
    seen = set()

    def looks(x):
        assert is_gpu_array(x.data)
        seen.add(x.data.strides)
        return x * (1 if x.data.flags.c_contiguous else 2)

    with on_device("cuda"), pytest.raises(AssertionError, match="memory column by column"):
        laws.same_for_any_memory_layout(looks, np.ones((2, 3)))
    assert seen == {(24, 8), (8, 16)}
