"""The rectifier on a GPU."""

import numpy as np
import pytest

from minigrad.ops import relu
from tests.gpu.rungs import assert_agree
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4, 5), (1000,)])
def test_agrees_with_the_definition(shape, dtype):
    rng = np.random.default_rng(0)
    x = integers(rng, *shape, dtype=dtype) if shape else np.array(-2, dtype)
    out = assert_agree(relu, "relu_forward", x)
    assert_agree(relu, "relu_input_gradient", np.asarray(x + 1), out)


def test_nan_stays():
    x = np.array([np.nan, -np.inf, np.inf, -0.0], np.float32)
    assert_agree(relu, "relu_forward", x)
