"""The linear layer: rungs, gradients, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.cpu.matmul import matmul, transposed
from minigrad.ops.linear import RUNGS
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled
from tests.ops.rungs import assert_rungs_agree, integers

sizes = st.integers(1, 5)


@given(st.integers(0, 4), sizes, sizes, st.integers(0, 2**32 - 1))
def test_rungs_agree_to_the_bit(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, weight = (scrambled(rng, integers(rng, *s)) for s in ((n, inputs), (outputs, inputs)))
    bias, gradient = integers(rng, outputs), scrambled(rng, integers(rng, n, outputs))
    assert_rungs_agree(RUNGS, "linear_forward", x, weight, bias)
    assert_rungs_agree(RUNGS, "linear_forward", x, weight, None)
    assert_rungs_agree(RUNGS, "linear_input_gradient", gradient, weight)
    assert_rungs_agree(RUNGS, "linear_weight_gradient", gradient, x)
    assert_rungs_agree(RUNGS, "linear_bias_gradient", gradient)


@given(st.lists(sizes, max_size=2), sizes, sizes, st.integers(0, 2**32 - 1))
def test_gradients_by_finite_differences(leading, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    shapes = ((*leading, inputs), (outputs, inputs), (outputs,))
    gradcheck(F.linear, [rng.standard_normal(s) for s in shapes], seed=seed)


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [(1, 1, 1), (700, 300, 5), (3, 2000, 70), (16, 32, 20000), (0, 3, 2), (3, 2, 0)],
)
@pytest.mark.parametrize("transpose_a", [False, True])
def test_tiled_product(m, n, k, transpose_a):
    """All ways of cutting a product into tiles give it whole, for any number of threads."""
    rng = np.random.default_rng(0)
    a = integers(rng, *((k, m) if transpose_a else (m, k)))
    b = integers(rng, k, n)
    bias = integers(rng, n)
    wanted = (a.T if transpose_a else a) @ b
    before = minigrad.get_num_threads()
    try:
        for threads in (1, 3):
            minigrad.set_num_threads(threads)
            np.testing.assert_array_equal(matmul(a, b, transpose_a), wanted)
            got = matmul(a, b, transpose_a, bias)
            np.testing.assert_array_equal(got, wanted + bias)
    finally:
        minigrad.set_num_threads(before)


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (16, 5), (0, 3), (100, 1)])
def test_transposed(shape):
    a = integers(np.random.default_rng(0), *shape)
    for given_ in (a, np.asfortranarray(a), a[::2]):
        turned = transposed(given_)
        np.testing.assert_array_equal(turned, given_.T)
        assert turned.flags.c_contiguous


def test_errors_say_what_is_wrong():
    x, weight = tensor(np.zeros((2, 3), np.float32)), tensor(np.zeros((4, 5), np.float32))
    with pytest.raises(
        ValueError, match=r"linear: the last axis of x \(shape \(2, 3\)\) must have"
    ):
        F.linear(x, weight)
    with pytest.raises(ValueError, match=r"linear: bias must have shape \(4,\), got \(3,\)"):
        F.linear(tensor(np.zeros((2, 5), np.float32)), weight, tensor([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="linear: weight must have 2 axes"):
        F.linear(x, x[0])
