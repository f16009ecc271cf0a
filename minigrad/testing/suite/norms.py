"""Batch normalisation, local response normalisation, ReLU, dropout, linear: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad.autograd import Array
from minigrad.testing import laws
from minigrad.testing import strategies as our
from minigrad.testing.gradients import gradcheck
from minigrad.testing.place import fetch, tensor
from minigrad.testing.strategies import random_array
from minigrad.testing.suite import oracles
from minigrad.testing.suite.comparing import OTHER, near, near_on_all_rungs, same
from minigrad.testing.suite.property import CPU_THREADS, holds

# -- batch normalisation -------------------------------------------------------------------------

WEIGHT, BIAS = np.array([2.0, -0.5, 3.0]), np.array([0.5, 1.0, -2.0])


def _train(x: Array, eps: float) -> Array:
    options: Any = {"training": True, "eps": eps}
    return F.batch_norm(tensor(x), None, None, tensor(WEIGHT), tensor(BIAS), **options).data


@holds("batch_norm")
def batch_norm_as_defined() -> None:
    """(x − μ)/√(v + ε), scaled and shifted; ε = 0.5, so that it shows where it stands."""
    for shape in ((4, 3), (2, 3, 2, 3)):
        x = random_array(shape) * 2 + 1
        near(_train(x, 0.5), oracles.batch_norm(x, WEIGHT, BIAS, 0.5))


@holds("batch_norm")
def batch_norm_in_use_as_defined() -> None:
    """In use the running statistics normalise, and stay as they are."""
    x, mean, var = random_array((2, 3, 2, 2)), np.array([1.0, 0.0, -1.0]), np.array([4.0, 1.0, 2.0])
    running = tensor(mean), tensor(var)
    out = F.batch_norm(tensor(x), *running, tensor(WEIGHT), tensor(BIAS), eps=0.5)
    spread = np.sqrt(var + 0.5)
    want = (x.swapaxes(1, 3) - mean) / spread * WEIGHT + BIAS
    near(out.data, want.swapaxes(1, 3))
    near(running[0].data, mean, "the running mean")
    near(running[1].data, var, "the running variance")


@holds("batch_norm", seed=our.seeds(), momentum=st.sampled_from([0.1, 0.25, 1.0]))
def running_statistics_as_defined(seed: int, momentum: float) -> None:
    """They move by the share `momentum` towards mean and unbiased variance of the batch."""
    x, mean, var = (
        random_array((3, 2, 2, 2), seed=seed),
        np.array([3.0, -1.0]),
        np.array([2.0, 5.0]),
    )
    running = tensor(mean), tensor(var)
    F.batch_norm(tensor(x), *running, training=True, momentum=momentum)
    values = x.swapaxes(0, 1).reshape(2, -1)
    kept = 1 - momentum
    near(running[0].data, kept * mean + momentum * values.mean(1), "the running mean")
    spread = values.var(1, ddof=1)
    near(running[1].data, kept * var + momentum * spread, "the running variance")


@holds("batch_norm")
def a_large_mean_loses_no_digits() -> None:
    """In float32, data far from zero are normalised as float64 does it."""
    x = (random_array((8, 3, 4, 4)) + 1000).astype(np.float32)
    arrays = [a.astype(np.float32) for a in (x, WEIGHT, BIAS)]
    data, weight, bias = (tensor(a) for a in arrays)
    out = F.batch_norm(data, None, None, weight, bias, training=True)
    near(out.data, oracles.batch_norm(x, WEIGHT, BIAS, 1e-5), rtol=2e-3)


# Few numbers, and so many that they fill no block of the fast rung evenly.
# Heights of 5 and 6: more than a block of four, and something left over.
BATCHES = st.sampled_from([(2, 3), (3, 3, 2, 2), (1, 3, 6, 2), (2, 3, 5, 4)])


def _batch_norm(training: bool) -> Any:
    def f(x: Any, weight: Any, bias: Any) -> Any:
        held = None if training else tensor(np.array([0.5, 2.0, 1.0]))
        return F.batch_norm(x, held, held, weight, bias, training=training, eps=0.1)

    return f


@holds("batch_norm", shape=BATCHES, seed=our.seeds(), training=st.booleans())
def batch_norm_gradients(shape: tuple[int, ...], seed: int, training: bool) -> None:
    """All three gradients are what differences say, in training and in use."""
    shapes = shape, (3,), (3,)
    inputs = [random_array(s, seed=seed + i) for i, s in enumerate(shapes)]
    gradcheck(_batch_norm(training), inputs, seed=seed + OTHER)


@holds("batch_norm", shape=BATCHES, seed=our.seeds(), training=st.booleans())
def batch_norm_on_all_rungs(shape: tuple[int, ...], seed: int, training: bool) -> None:
    """All rungs agree but for roundings."""
    inputs = [random_array(shape, seed=seed), WEIGHT, BIAS]
    near_on_all_rungs(_batch_norm(training), inputs, seed + OTHER)


# -- local response normalisation ----------------------------------------------------------------

SETTINGS: dict[str, Any] = {"alpha": 1.0, "beta": 0.75, "k": 2.0}  # so that every term matters


@holds("local_response_norm")
def lrn_by_hand() -> None:
    """Even windows reach down, not up; with k = 0 and beta = 1 all can be done in the head."""
    x = tensor(np.array([[2.0, 1.0, 0.0, 1.0]]))
    out = F.local_response_norm(x, 2, alpha=2.0, beta=1.0, k=0.0)
    near(out.data[0, :2], [2 / 4, 1 / 5])
    near(out.data[0, 3], 1.0)


@holds("local_response_norm", size=st.integers(1, 6), channels=st.integers(1, 7), seed=our.seeds())
def lrn_as_defined(size: int, channels: int, seed: int) -> None:
    """Each channel is divided by (k + α·mean square of its window)^β."""
    x = random_array((2, channels, 2, 3), seed=seed)
    out = F.local_response_norm(tensor(x), size, **SETTINGS)
    near(out.data, oracles.local_response_norm(x, size, **SETTINGS))


@holds("local_response_norm", size=st.integers(1, 6), channels=st.integers(1, 7), seed=our.seeds())
def lrn_gradients(size: int, channels: int, seed: int) -> None:
    """The gradient is what differences say, at α = 1."""
    x = random_array((1, channels, 2), seed=seed)
    gradcheck(lambda x: F.local_response_norm(x, size, **SETTINGS), [x], seed=seed + OTHER)


@holds("local_response_norm", size=st.integers(1, 6), channels=st.integers(1, 7), seed=our.seeds())
def lrn_on_all_rungs(size: int, channels: int, seed: int) -> None:
    """All rungs agree but for roundings."""
    x = random_array((2, channels, 2, 3), seed=seed)
    f = lambda x: F.local_response_norm(x, size, **SETTINGS)  # noqa: E731
    near_on_all_rungs(f, [x], seed + OTHER)


# -- ReLU ----------------------------------------------------------------------------------------


@holds("relu")
def relu_by_hand() -> None:
    """Zero has no gradient; NaN passes."""
    x = tensor(np.array([-2.0, -0.0, 0.0, 3.0, np.nan]), requires_grad=True)
    out = F.relu(x)
    near(out.data, [0, 0, 0, 3, np.nan])
    out.backward(np.array([5.0, 6.0, 7.0, 8.0, 9.0]))
    assert x.grad is not None
    near(x.grad.data[:4], [0, 0, 0, 8], "the gradient")


@holds("relu", x=our.arrays(values="integers"))
def positive_and_negative_parts(x: Array) -> None:
    """f(x) ≥ 0 and f(x) − f(−x) = x; all rungs agree."""
    laws.positive_and_negative_parts(F.relu, x)
    laws.rungs_agree(F.relu, x)


@holds("relu", x=our.arrays(values="distinct"), seed=our.seeds())
def relu_gradients(x: Array, seed: int) -> None:
    """The gradient is what differences say."""
    gradcheck(F.relu, [x], seed=seed + OTHER)


# -- dropout -------------------------------------------------------------------------------------


def _dropped(x: Array, p: float, key: int) -> tuple[Array, Array]:
    """Give the output for x, and the gradient for a gradient of ones."""
    t = tensor(x, requires_grad=True)
    out = F.dropout(t, p, key=key)
    out.backward(np.ones(x.shape, x.dtype))
    assert t.grad is not None
    return fetch(out), fetch(t.grad)


@holds("dropout", p=st.sampled_from([0.1, 0.3, 0.8]), key=st.integers(0, 2**64 - 1))
def dropout_as_defined(p: float, key: int) -> None:
    """The share p is dropped, the rest divided by 1 − p; the gradient passes the same gate."""
    x = np.full((60, 50), 2.0)
    out, gradient = _dropped(x, p, key)
    kept = out != 0
    near(out[kept], np.full(kept.sum(), 2 / (1 - p)))
    deviation = np.sqrt(p * (1 - p) / x.size)
    assert abs((~kept).mean() - p) < 6 * deviation, f"{(~kept).mean():.1%} are dropped, not {p:.0%}"
    near(gradient, out / 2, "the gradient")


@holds("dropout", key=st.integers(0, 2**64 - 2))
def dropout_decides_about_each_number(key: int) -> None:
    """Neighbours share no fate along any axis, and another key gives another mask."""
    kept = _dropped(np.ones((12, 12)), 0.5, key)[0] != 0
    for axis in (0, 1):
        mixed = kept.any(axis) & ~kept.all(axis)
        assert mixed.mean() > 0.5, f"whole lines along axis {axis} are kept or dropped"
    other = _dropped(np.ones((12, 12)), 0.5, key + 1)[0] != 0
    assert (kept != other).any(), "two keys drop the same numbers"


@holds("dropout")
def dropout_known_masks() -> None:
    """The mask of a key is what it was: the top bits of SplitMix64."""
    out, _ = _dropped(np.array([1.0, 2.0, 3.0, 4.0]), 0.5, 1)
    near(out, [2, 4, 6, 0])


@holds("dropout")
def a_dropped_infinity_is_zero() -> None:
    """What is dropped is zero whatever it was."""
    x = np.full(50, np.inf)
    out, _ = _dropped(x, 0.5, 3)
    assert not np.isnan(out).any(), "a dropped infinity became NaN"
    assert (out == 0).any(), "nothing was dropped"


@holds("dropout", x=our.arrays(values="integers"), key=st.integers(0, 2**64 - 1))
def dropout_on_all_rungs(x: Array, key: int) -> None:
    """All rungs draw the same mask."""
    laws.rungs_agree(lambda t: F.dropout(t, 0.5, key=key), x)


@holds("dropout", cpu_only=CPU_THREADS)
def dropout_on_any_number_of_threads() -> None:
    """The mask does not depend on the number of threads."""
    laws.threads_agree(lambda t: F.dropout(t, 0.5, key=9), np.ones((3, 5000), np.float32))


# -- linear --------------------------------------------------------------------------------------

DENSE = st.tuples(*[st.integers(1, 4)] * 3)


@holds("linear")
def linear_by_hand() -> None:
    """Weight rows are the weights of one output, also where there are as many as inputs."""
    x, weight = tensor(np.array([[1.0, 2.0]])), tensor(np.array([[3.0, 4.0], [5.0, 6.0]]))
    near(F.linear(x, weight, tensor(np.array([10.0, 20.0]))).data, [[21, 37]])


@holds("linear", lengths=DENSE, seed=our.seeds())
def linear_as_defined(lengths: tuple[int, int, int], seed: int) -> None:
    """The output is x @ weightᵀ + bias, its gradients, on all rungs, exactly, on integers."""
    N, inputs, outputs = lengths
    shapes = (N, inputs), (outputs, inputs), (outputs,)
    arrays = [random_array(s, "integers", seed=seed + i) for i, s in enumerate(shapes)]
    c = random_array((N, outputs), "integers", seed=seed + OTHER)
    x, weight, bias = leaves = [tensor(a, requires_grad=True) for a in arrays]
    out = F.linear(x, weight, bias)
    same(out.data, arrays[0] @ arrays[1].T + arrays[2])
    out.backward(c)
    due = {"x": c @ arrays[1], "weight": c.T @ arrays[0], "bias": c.sum(0)}
    for leaf, (name, gradient) in zip(leaves, due.items(), strict=True):
        assert leaf.grad is not None
        same(leaf.grad.data, gradient, f"the gradient of {name}")
    laws.rungs_agree(F.linear, arrays, seed=seed + OTHER)
