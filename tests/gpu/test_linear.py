"""The linear layer on a GPU."""

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import tensor
from minigrad.ops import linear
from tests.gpu.rungs import assert_agree, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
SIZES = [(1, 1, 1), (4, 3, 5), (2, 1, 7), (0, 3, 2), (3, 0, 2), (3, 2, 0), (33, 17, 65)]


@dtypes
@pytest.mark.parametrize(("N", "I", "O"), SIZES)
def test_agrees_with_the_definition(N, I, O, dtype):
    rng = np.random.default_rng(0)
    x, weight = integers(rng, N, I, dtype=dtype), integers(rng, O, I, dtype=dtype)
    bias, gradient = integers(rng, O, dtype=dtype), integers(rng, N, O, dtype=dtype)
    assert_agree(linear, "linear_forward", x, weight, bias)
    assert_agree(linear, "linear_forward", x, weight, None)
    assert_agree(linear, "linear_input_gradient", gradient, weight)
    assert_agree(linear, "linear_weight_gradient", gradient, x)
    assert_agree(linear, "linear_bias_gradient", gradient)


def test_arrays_that_do_not_lie_in_order():
    rng = np.random.default_rng(0)
    x, weight, bias = integers(rng, 6, 3), integers(rng, 4, 3), integers(rng, 4)
    wanted = linear.naive.linear_forward(x[::2], weight, bias)
    turned = on_gpu(np.ascontiguousarray(weight.T)).T
    got = linear.gpu.linear_forward(on_gpu(x)[::2], turned, on_gpu(np.repeat(bias, 2))[::2])
    np.testing.assert_array_equal(on_cpu(got), wanted)


@dtypes
def test_the_operation_as_on_the_cpu(dtype):
    rng = np.random.default_rng(0)
    arrays = [integers(rng, *shape, dtype=dtype) for shape in ((2, 5, 3), (4, 3), (4,))]
    seen = []
    for place in ("cpu", "cuda"):
        inputs = [tensor(a, device=place, requires_grad=True) for a in arrays]
        out = F.linear(*inputs)
        out.backward(integers(np.random.default_rng(1), 2, 5, 4, dtype=dtype))
        assert {t.grad.device for t in inputs} == {out.device} == {inputs[0].device}
        seen.append([t.cpu().numpy() for t in (out, *(t.grad for t in inputs))])
    for ours, theirs in zip(*seen, strict=True):
        np.testing.assert_array_equal(ours, theirs)
