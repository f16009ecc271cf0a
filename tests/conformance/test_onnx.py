"""Our operations against the cases of the ONNX standard."""

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import kernels, tensor
from tests.conformance import onnx_cases
from tests.conformance.onnx_operators import OPERATORS, WITH_RUNGS
from tests.conformance.verdicts import assert_as_pinned

onnx = pytest.importorskip("onnx", reason="the judge onnx is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # log 0, as some cases want it


@pytest.mark.parametrize("name", onnx_cases.cases())
def test_case(name):
    onnx_cases.verdict(name).show()


@pytest.mark.parametrize("rung", ["naive", "vectorized", "cpu"])
@pytest.mark.parametrize("name", [n for n in onnx_cases.cases() if "training_dropout" in n])
def test_dropout_in_training_but_for_the_mask(name, rung):
    """Which numbers are dropped each draws for itself; what becomes of the others is the same."""
    case = onnx_cases.cases()[name]
    x, ratio, _ = case.inputs
    with kernels(rung):
        got = F.dropout(tensor(x), float(ratio), key=1).data
    assert got.dtype == case.wanted[0].dtype
    both = (got != 0) & (case.wanted[0] != 0)
    assert both.any()
    np.testing.assert_allclose(got[both], case.wanted[0][both], case.rtol, case.atol)


def test_what_has_rungs_are_operators():
    assert set(OPERATORS) > WITH_RUNGS


VERSION = "1.23"  # of onnx, whose cases these are

# fmt: off
CASES = {
    "Abs": 1, "Adam": 2, "Add": 8, "ArgMax": 16, "ArgMin": 16, "AveragePool": 20,
    "BatchNormalization": 4, "Clip": 24, "Col2Im": 5, "Concat": 12, "Conv": 6, "Div": 10,
    "Dropout": 12, "Equal": 10, "Exp": 2, "Expand": 2, "Flatten": 9, "Gather": 4, "Gemm": 11,
    "GlobalAveragePool": 2, "GlobalMaxPool": 2, "Greater": 8, "GreaterOrEqual": 16,
    "GroupNormalization": 4, "InstanceNormalization": 2, "LRN": 2, "LayerNormalization": 57,
    "Less": 8, "LessOrEqual": 16, "Log": 2, "LogSoftmax": 21, "MatMul": 7, "Max": 14, "MaxPool": 19,
    "Mean": 3, "Min": 14, "Momentum": 3, "Mul": 9, "Neg": 2, "NegativeLogLikelihoodLoss": 36,
    "Pad": 6, "Pow": 12, "Reciprocal": 2, "ReduceL1": 18, "ReduceL2": 18, "ReduceLogSum": 10,
    "ReduceLogSumExp": 18, "ReduceMax": 11, "ReduceMean": 8, "ReduceMin": 10, "ReduceSum": 12,
    "ReduceSumSquare": 18, "Relu": 2, "Reshape": 10, "Sigmoid": 2, "Slice": 8, "Softmax": 21,
    "SoftmaxCrossEntropyLoss": 68, "Sqrt": 2, "Squeeze": 2, "Sub": 9, "Sum": 3, "Tanh": 2,
    "Transpose": 7, "Unsqueeze": 7, "Where": 2,
}

DEFINITION = "the operator's definition by others, which are judged by their own cases"
LEFT_OUT = {
    "AveragePool": {"dilation: our averages are over neighbours": 6},
    "Clip": {
        "bounds in the wrong order: our clip refuses them": 1,
        "no bound: our clip wants one": 2,
        DEFINITION: 12,
    },
    "Col2Im": {"columns of a volume: ours are of images": 1},
    "Div": {"integers: the result is floating here": 7},
    "Dropout": {"the mask that NumPy's generator draws: ours is a hash of a key": 4},
    "Equal": {"strings": 2},
    "GreaterOrEqual": {DEFINITION: 8},
    "GroupNormalization": {DEFINITION: 2},
    "LayerNormalization": {DEFINITION: 38},
    "LessOrEqual": {DEFINITION: 8},
    "LogSoftmax": {DEFINITION: 14},
    "MaxPool": {"integers: our windows take float32 and float64": 1},
    "NegativeLogLikelihoodLoss": {DEFINITION: 18},
    "Pad": {"borders that are not constant": 3},
    "Pow": {"integers: the result is floating here": 4},
    "ReduceL1": {DEFINITION: 9},
    "ReduceL2": {DEFINITION: 9},
    "ReduceLogSum": {DEFINITION: 5},
    "ReduceLogSumExp": {DEFINITION: 9},
    "ReduceMax": {"the largest or smallest of nothing: an error here": 2},
    "ReduceMin": {"the largest or smallest of nothing: an error here": 1},
    "ReduceSumSquare": {DEFINITION: 9},
    "Relu": {DEFINITION: 1},
    "Softmax": {DEFINITION: 14},
    "SoftmaxCrossEntropyLoss": {DEFINITION: 34},
}

PARTS_LEFT_OUT = {
    "MaxPool": {"indices: our max pooling gives none": 2},
}
# fmt: on


@pytest.mark.skipif(not onnx.__version__.startswith(VERSION), reason=f"counted in onnx {VERSION}")
def test_what_is_judged_and_what_is_left_out():
    """A case that is no longer judged, or no longer there, is noticed."""
    verdicts = [onnx_cases.verdict(name) for name in onnx_cases.cases()]
    assert_as_pinned(verdicts, CASES, LEFT_OUT, PARTS_LEFT_OUT)
