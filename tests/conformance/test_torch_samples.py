"""Our operations against PyTorch's, on the inputs on which PyTorch tests itself.

Outputs and gradients in float64, and the calls that PyTorch refuses.
"""

import numpy as np
import pytest

from minigrad import Tensor, kernels
from minigrad import functional as F
from tests.conformance import torch_samples
from tests.conformance.torch_operations import OPERATIONS, TAKE_NUMBERS, WITH_RUNGS
from tests.conformance.torch_samples import draws_a_mask, samples, verdict
from tests.conformance.verdicts import assert_as_pinned

torch = pytest.importorskip("torch", reason="the judge PyTorch is not installed")
pytest.importorskip("expecttest", reason="expecttest, which PyTorch's samples need, is missing")

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # the logarithm of negative numbers
    pytest.mark.filterwarnings("ignore:Using padding='same'"),  # PyTorch's, of its own speed
]


@pytest.mark.parametrize("name", samples())
def test_sample(name):
    verdict(name).show()


@pytest.mark.parametrize("rung", ["naive", "vectorized", "cpu"])
@pytest.mark.parametrize("name", [s.name for s in samples().values() if draws_a_mask(s)])
def test_dropout_but_for_the_mask(name, rung):
    """Which numbers are dropped each draws for itself; what becomes of the others is the same."""
    sample = samples()[name]
    x = Tensor(sample.arguments[0].detach().numpy().copy(), requires_grad=True)
    with kernels(rung):
        out = F.dropout(x, **sample.options, key=3)  # keeps the only number of the smallest sample
        out.backward(np.ones(x.shape))
    for seed in range(99):  # until PyTorch keeps a number that we keep
        torch.manual_seed(seed)
        wanted = sample.theirs(*sample.arguments, **sample.options)
        both = (out.data != 0) & (wanted.detach().numpy() != 0)
        if both.any():
            break
    (gradient,) = torch.autograd.grad(wanted.sum(), sample.arguments[0])
    np.testing.assert_array_equal(out.data[both], wanted.detach().numpy()[both])
    np.testing.assert_array_equal(x.grad.data[both], gradient.numpy()[both])
    np.testing.assert_array_equal(x.grad.data != 0, out.data != 0)


def test_what_has_rungs_or_takes_numbers_are_operations():
    assert set(OPERATIONS) > WITH_RUNGS | TAKE_NUMBERS


VERSION = "2.13"  # of PyTorch, whose samples these are

# fmt: off
CASES = {
    "__getitem__": 16, "__radd__": 11, "__rdiv__": 11, "__rmatmul__": 15, "__rmul__": 11,
    "__rpow__": 10, "__rsub__": 10, "abs": 1, "add": 11, "addmm": 12, "amax": 27, "amin": 27,
    "argmax": 13, "bmm": 19, "broadcast_to": 7, "cat": 23, "clamp": 7, "div": 27, "dot": 4,
    "eq": 12, "exp": 3, "expand": 9, "flatten": 6, "fold": 163, "ge": 11, "gt": 11, "le": 11,
    "log": 3, "log_softmax": 14, "lt": 11, "masked_fill": 11, "matmul": 15, "max.binary": 12,
    "max.reduction_no_dim": 2, "max.reduction_with_dim": 4, "maximum": 12, "mean": 22,
    "min.binary": 12, "min.reduction_no_dim": 2, "min.reduction_with_dim": 4, "minimum": 12,
    "mm": 3, "mul": 9, "mv": 1, "ne": 11, "neg": 2, "nn.functional.adaptive_avg_pool2d": 13,
    "nn.functional.avg_pool2d": 12, "nn.functional.batch_norm": 12, "nn.functional.conv2d": 40,
    "nn.functional.cross_entropy": 21, "nn.functional.dropout": 19, "nn.functional.hardtanh": 6,
    "nn.functional.linear": 18, "nn.functional.local_response_norm": 11,
    "nn.functional.max_pool2d": 1447, "nn.functional.nll_loss": 61, "nn.functional.pad": 89,
    "nn.functional.relu": 4, "nn.functional.relu6": 3, "nn.functional.unfold": 163, "permute": 4,
    "pow": 10, "reciprocal": 3, "reshape": 15, "rsub": 13, "sigmoid": 3, "softmax": 14, "sqrt": 1,
    "square": 3, "squeeze": 14, "stack": 9, "sub": 11, "sum": 20, "t": 4, "tanh": 1, "transpose": 8,
    "true_divide": 9, "unbind": 8, "unsqueeze": 9, "var": 16, "var_mean": 16, "view": 15,
    "where": 6,
}

NO_AXES = "an axis of a number without axes: an IndexError here"
NUMBERS = "numbers as operands: not refused here"
NUMPY = "more than 64 axes: NumPy has no such arrays"
OUT = "out=: our operations return new tensors"
LEFT_OUT = {
    "__radd__": {NUMBERS: 2},
    "__rdiv__": {NUMBERS: 2},
    "__rmul__": {NUMBERS: 2},
    "__rpow__": {NUMBERS: 1},
    "__rsub__": {NUMBERS: 1},
    "amax": {NO_AXES: 2, NUMPY: 2, OUT: 1},
    "amin": {NO_AXES: 2, NUMPY: 2, OUT: 1},
    "argmax": {NO_AXES: 2},
    "cat": {"an empty vector among others: a ValueError here": 1, OUT: 5},
    "div": {"division with rounding": 18},
    "eq": {NUMBERS: 2},
    "ge": {NUMBERS: 2},
    "gt": {NUMBERS: 2},
    "le": {NUMBERS: 2},
    "log_softmax": {NO_AXES: 2},
    "lt": {NUMBERS: 2},
    "masked_fill": {"masked_fill: written with where, whose operands broadcast": 1},
    "max.binary": {NUMBERS: 3},
    "max.reduction_with_dim": {NO_AXES: 2},
    "maximum": {NUMBERS: 3},
    "mean": {NO_AXES: 2, "mean of, or in, another dtype: ours makes floats of integers": 2},
    "min.binary": {NUMBERS: 3},
    "min.reduction_with_dim": {NO_AXES: 2},
    "minimum": {NUMBERS: 3},
    "ne": {NUMBERS: 2},
    "nn.functional.avg_pool2d": {"divisor_override: ours divides by the size of the window": 1},
    "nn.functional.batch_norm": {
        "momentum below 0: ours is a share": 1,
        "one axis: ours wants (N, C)": 2,
    },
    "nn.functional.dropout": {
        "the mask that PyTorch's generator draws: ours is a hash of a key": 4,
    },
    "nn.functional.pad": {"borders that are not constant": 38},
    "pow": {NUMBERS: 1},
    "rsub": {NUMBERS: 2},
    "softmax": {NO_AXES: 2},
    "squeeze": {NO_AXES: 2, "squeezing an axis longer than 1: a ValueError here": 3},
    "sum": {NO_AXES: 2},
    "t": {"t of more than two axes: our T reverses them all": 1},
    "transpose": {NO_AXES: 1},
    "var": {"correction by a fraction: ours is an integer": 2},
    "var_mean": {"correction by a fraction: ours is an integer": 2},
}

PARTS_LEFT_OUT = {
    "nn.functional.max_pool2d": {"indices: our max pooling gives none": 720},
}
# fmt: on


@pytest.mark.skipif(not torch.__version__.startswith(VERSION), reason=f"counted in {VERSION}")
def test_what_is_judged_and_what_is_left_out():
    """A sample that is no longer judged, or no longer there, is noticed."""
    assert_as_pinned(map(verdict, samples()), CASES, LEFT_OUT, PARTS_LEFT_OUT)


def test_samples_are_the_same_each_time():
    again = {s.name: s for s in torch_samples.load()}
    assert list(again) == list(samples())
    for name in ("matmul-3", "nn.functional.conv2d-0", "nn.functional.cross_entropy-0"):
        first, second = samples()[name].arguments, again[name].arguments
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True) if a is not None)
