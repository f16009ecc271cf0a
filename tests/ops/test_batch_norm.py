"""Batch normalisation: rungs, gradients, running statistics, numerical safety, errors."""

import itertools
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops.batch_norm import RUNGS, cpu, naive, vectorized
from minigrad.testing import gradcheck
from minigrad.testing.strategies import scrambled

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([np.float32, np.float64])
# (N, C, ...) with at least two values for each channel.
shapes = st.builds(
    lambda n, c, others: (n + (n * int(np.prod(others)) == 1), c, *others),
    st.integers(1, 5), st.integers(1, 5), st.lists(st.integers(1, 4), max_size=3),
)  # fmt: skip


def per_channel(rng, shape, dtype=np.float64):
    """Draw weight, bias, mean and variance; weight ≠ 1 and bias ≠ 0, or they might be forgotten."""
    weight, bias, mean = (rng.standard_normal(shape[1]) + shift for shift in (1.5, -2, 0.5))
    return [a.astype(dtype) for a in (weight, bias, mean, rng.uniform(0.5, 2, shape[1]))]


def channels_last(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def assert_close(got, want, size, dtype, units):
    """Hold numbers to `units` roundings of the dtype, of sums whose terms add up to `size`."""
    assert got.dtype == dtype
    assert got.shape == want.shape
    assert (np.abs(got - want) <= units * np.finfo(dtype).eps * (size + np.abs(want))).all()


@given(shapes, dtypes, seeds)
def test_rungs_agree(shape, dtype, seed):
    """Each rung against the loops in float64.

    A block of the compiled rung has 16 rows here, so Σd² is Σ(x − mean)². All sums have up to
    5·4³ terms, mostly few, each rounded once: 64 roundings are above that, as they go up and down,
    and far below any mistake.
    """
    rng = np.random.default_rng(seed)
    x, gradient = (rng.standard_normal(shape).astype(dtype) * 3 for _ in range(2))
    weight, bias, mean, var = per_channel(rng, shape, dtype)
    exact = [a.astype(np.float64) for a in (gradient, x, mean, var, weight)]
    moments = naive.batch_norm_statistics(exact[1])
    out = naive.batch_norm_forward(*exact[1:], bias, 0.1)
    size = np.abs(x).max() + np.abs(mean).max() + np.abs(bias).max()
    for module, array in itertools.product(RUNGS.values(), (x, scrambled(rng, x))):
        kept = array.copy(), gradient.copy()
        for got, want in zip(module.batch_norm_statistics(array), moments, strict=True):
            assert_close(got, want, np.abs(x).max(), dtype, 64)
        got = module.batch_norm_forward(array, mean, var, weight, bias, 0.1)
        assert_close(got, out, 5 * size, dtype, 16)
        for training in (True, False):
            parts = naive.batch_norm_gradients(*exact, 0.1, training)
            found = module.batch_norm_gradients(
                scrambled(rng, gradient), array, mean, var, weight, 0.1, training
            )
            total = 5 * size * np.abs(gradient).sum()
            for got, want in zip(found, parts, strict=True):
                assert_close(got, want, total, dtype, 64)
        np.testing.assert_array_equal(array, kept[0])
        np.testing.assert_array_equal(gradient, kept[1])


@given(shapes, seeds)
def test_gradients_by_finite_differences(shape, seed):
    """In float64, where 1e-6 of tolerance is far above rounding. Few values a channel: every one
    acts on all others, so that no term of the input gradient is small.
    """
    rng = np.random.default_rng(seed)
    # Values that are not nearly equal: with a variance near 0 differences see the curvature.
    x = rng.permuted(np.arange(np.prod(shape)) % 7 + rng.uniform(0, 0.5, np.prod(shape)))
    x = x.reshape(shape)
    weight, bias, mean, var = per_channel(rng, shape)
    gradcheck(
        lambda *t: F.batch_norm(t[0], None, None, *t[1:], training=True, eps=0.1),
        [x, weight, bias], seed=seed,
    )  # fmt: skip
    gradcheck(
        lambda *t: F.batch_norm(t[0], tensor(mean), tensor(var), *t[1:], eps=0.1),
        [x, weight, bias], seed=seed,
    )  # fmt: skip


OPTIONS = itertools.product(
    [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)],  # shape
    [True, False],  # training
    [True, False],  # weight
    [True, False],  # bias
    [True, False],  # running statistics
    [(0.1, 1e-5), (0.37, 0.2)],  # momentum, eps
)


@pytest.mark.parametrize(
    ("shape", "training", "weighted", "biased", "running", "numbers"),
    [option for option in OPTIONS if option[1] or option[4]],
)
def test_like_pytorch(shape, training, weighted, biased, running, numbers):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal((2, *shape))
    weight, bias, mean, var = per_channel(rng, shape)
    momentum, eps = numbers
    found = []
    for make, function in (
        (lambda a, grad=False: tensor(a, requires_grad=grad), F.batch_norm),
        (lambda a, grad=False: torch.tensor(a, requires_grad=grad), torch.nn.functional.batch_norm),
    ):
        inputs = [make(x, True)]
        inputs += [make(weight, True) if weighted else None, make(bias, True) if biased else None]
        statistics = [make(mean), make(var)] if running else [None, None]
        out = function(
            inputs[0], *statistics, *inputs[1:], training=training, momentum=momentum, eps=eps
        )
        out.backward(make(gradient))
        arrays = [out.detach(), *(t.grad for t in inputs if t is not None)]
        arrays += [t for t in statistics if t is not None]
        found.append([np.asarray(a) for a in arrays])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_running_statistics_by_hand():
    """Values 1, 2, 6: mean 3, Σ(x − 3)² = 14, population variance 14/2 = 7, the batch's 14/3."""
    x = tensor(np.array([[1.0], [2.0], [6.0]]))
    mean, var = tensor(np.array([10.0])), tensor(np.array([20.0]))
    kept = mean.data, var.data
    out = F.batch_norm(x, mean, var, training=True, momentum=0.25, eps=0.0)
    assert mean.item() == 0.75 * 10 + 0.25 * 3
    assert var.item() == 0.75 * 20 + 0.25 * 7
    assert mean.data is kept[0]  # in place: other names for the same array see it
    assert var.data is kept[1]
    np.testing.assert_allclose(out.data[:, 0], np.array([-2, -1, 3]) / np.sqrt(14 / 3))
    F.batch_norm(x, mean, var)
    assert mean.item() == 8.25  # in use they stay


def test_each_running_statistic_may_be_left_out_in_training():
    x = tensor(np.array([[1.0], [3.0]]))
    mean, var = tensor(np.zeros(1)), tensor(np.ones(1))
    F.batch_norm(x, mean, None, training=True)
    F.batch_norm(x, None, var, training=True)
    assert (mean.item(), var.item()) == (0.2, 1.1)


def test_backward_does_not_see_later_statistics():
    x = tensor(np.array([[1.0], [3.0]]), requires_grad=True)
    mean, var = tensor(np.zeros(1)), tensor(np.ones(1))
    out = F.batch_norm(x, mean, var, eps=0.0)
    var.data[...] = 100
    out.backward([[1.0], [1.0]])
    np.testing.assert_array_equal(x.grad.data, [[1], [1]])


@given(shapes, seeds)
def test_what_it_is_for(shape, seed):
    """Mean 0, variance 1, whatever the input's scale and shift."""
    rng = np.random.default_rng(seed)
    x = rng.permuted(np.arange(np.prod(shape), dtype=float)).reshape(shape)
    axes = (0, *range(2, x.ndim))
    out = F.batch_norm(tensor(x), None, None, training=True, eps=0.0).data
    np.testing.assert_allclose(out.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axes), 1, rtol=1e-12)
    moved = F.batch_norm(tensor(x * 5 - 1000), None, None, training=True, eps=0.0).data
    np.testing.assert_allclose(moved, out, atol=1e-9)


@pytest.mark.parametrize("module", RUNGS.values(), ids=RUNGS)
def test_a_large_mean_does_not_eat_the_variance(module):
    """σ/μ = 1e-4: Σx² − M·μ² would leave no digit of the variance in float32."""
    rng = np.random.default_rng(3)
    x = (1e4 + rng.standard_normal((40, 3, 5, 5))).astype(np.float32)
    exact = x.astype(np.float64)
    mean, var = module.batch_norm_statistics(x)
    np.testing.assert_allclose(mean, exact.mean((0, 2, 3)), rtol=2e-7)
    np.testing.assert_allclose(var, exact.var((0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("outliers", [1, 16])
def test_outliers_where_a_block_begins(outliers):
    """The worst case for an origin made from the first rows.

    Σd² is up to 32 times the result and a sum of 512 terms, each of which rounds it by 6e-8,
    upwards or downwards: about 32·√512·6e-8.
    """
    rng = np.random.default_rng(4)
    x = rng.standard_normal((8192, 2), dtype=np.float32)
    x.reshape(16, 512, 2)[:, :outliers] = 1e5
    mean, var = cpu.batch_norm_statistics(x)
    np.testing.assert_allclose(mean, x.mean(0, dtype=np.float64), rtol=4e-5)
    np.testing.assert_allclose(var, x.astype(np.float64).var(0), rtol=4e-5)


def test_a_constant_channel_becomes_its_bias():
    for module in RUNGS.values():
        x = np.full((5, 2, 3), 0.1, np.float32)
        mean, var = module.batch_norm_statistics(x)
        np.testing.assert_array_equal(mean, x[0, :, 0])
        np.testing.assert_allclose(var, 0, atol=1e-16)
    with minigrad.detect_anomaly():
        t = tensor(x, requires_grad=True)
        out = F.batch_norm(t, None, None, None, tensor([1.0, 2.0]), training=True)
        # 0.1 is divided by √1e-5 and taken away again: 32 roundings of 1.
        wanted = np.broadcast_to(np.array([1.0, 2.0])[:, None], x.shape)
        np.testing.assert_allclose(out.data, wanted, rtol=32 * np.finfo(np.float32).eps)
        out.backward(x)


def test_an_empty_batch():
    for rung in RUNGS:
        with minigrad.kernels(rung):
            x = tensor(np.zeros((0, 3, 4, 4), np.float32), requires_grad=True)
            weight = tensor(np.ones(3, np.float32), requires_grad=True)
            mean, var = tensor(np.ones(3, np.float32)), tensor(np.ones(3, np.float32))
            for training in (True, False):
                out = F.batch_norm(x, mean, var, weight, training=training)
                assert out.shape == x.shape
                out.backward(np.zeros(x.shape))
            np.testing.assert_array_equal(mean.data, 1)
            np.testing.assert_array_equal(weight.grad.data, 0)


def test_no_channels():
    x = tensor(np.zeros((2, 0, 3), np.float32))
    assert F.batch_norm(x, None, None, training=True).shape == (2, 0, 3)


def test_many_blocks_and_threads():
    """Several blocks, the last one ragged. Against NumPy, and the same bits for all threads."""
    rng = np.random.default_rng(5)
    shape = (5, 19, 33, 31)
    x, gradient = (channels_last(rng.standard_normal(shape, dtype=np.float32)) for _ in range(2))
    weight, bias, _, _ = per_channel(rng, shape, np.float32)
    before, seen = minigrad.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            mean, var = cpu.batch_norm_statistics(x)
            out = cpu.batch_norm_forward(x, mean, var, weight, bias, 1e-5)
            parts = [
                part
                for training in (True, False)
                for part in cpu.batch_norm_gradients(gradient, x, mean, var, weight, 1e-5, training)
            ]
            assert all(
                a.transpose(0, 2, 3, 1).flags.c_contiguous for a in (out, parts[0], parts[3])
            )
            seen.append([mean, var, out, *parts])
    finally:
        minigrad.set_num_threads(before)
    for others in seen[1:]:
        for mine, first in zip(others, seen[0], strict=True):
            np.testing.assert_array_equal(mine, first)
    mean, var, out, *parts = seen[0]
    x, gradient, weight, bias = (a.astype(np.float64) for a in (x, gradient, weight, bias))
    wanted = [*vectorized.batch_norm_statistics(x)]
    # From here on with the float32 statistics, so that only roundings of this pass differ.
    wanted.append(vectorized.batch_norm_forward(x, mean, var, weight, bias, 1e-5))
    for training in (True, False):
        wanted += vectorized.batch_norm_gradients(gradient, x, mean, var, weight, 1e-5, training)
    for got, want in zip(seen[0], wanted, strict=True):
        # Some 5000 products of either sign, which add up to about √5000, each rounded to 6e-8.
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5 if got.ndim == 1 else 5e-6)


def count_calls(monkeypatch):
    calls, kernel = [], cpu.batch_norm_gradients
    monkeypatch.setattr(
        cpu, "batch_norm_gradients", lambda *a: calls.append(a[0].shape) or kernel(*a)
    )
    return calls


def test_three_rules_share_one_call(monkeypatch):
    calls = count_calls(monkeypatch)
    rng = np.random.default_rng(6)
    arrays = rng.standard_normal((4, 3)), *per_channel(rng, (4, 3))[:2]
    gradients = []
    for needed in itertools.product([True, False], repeat=3):
        if not any(needed):
            continue
        inputs = [tensor(a, requires_grad=n) for a, n in zip(arrays, needed, strict=True)]
        out = F.batch_norm(inputs[0], None, None, *inputs[1:], training=True)
        for _ in range(2):
            calls.clear()
            out.backward(np.eye(4, 3), retain_graph=True)
            assert len(calls) == 1
        gradients.append([None if t.grad is None else t.grad.data / 2 for t in inputs])
        # A backward with another gradient must not be given the old results.
        for t in inputs:
            t.grad = None
        out.backward(2 * np.eye(4, 3), retain_graph=True)
        for t, old in zip(inputs, gradients[-1], strict=True):
            if old is not None:
                np.testing.assert_allclose(t.grad.data, 2 * old)
    for some in gradients[1:]:
        for mine, first in zip(some, gradients[0], strict=True):
            if mine is not None:
                np.testing.assert_array_equal(mine, first)


def test_rules_asked_out_of_turn_do_not_mix_gradients_up():
    rng = np.random.default_rng(8)
    inputs = [tensor(a, requires_grad=True) for a in (rng.standard_normal((4, 3)), np.ones(3))]
    to_x, to_weight = F.batch_norm(inputs[0], None, None, inputs[1], training=True).node.vjps
    one, other = rng.standard_normal((2, 4, 3))
    to_x(one)
    np.testing.assert_array_equal(to_weight(other), 2 * to_weight(other / 2))
    assert (to_x(one) != to_x(other)).any()


def test_the_shared_results_are_let_go_of():
    rng = np.random.default_rng(7)
    inputs = [tensor(a, requires_grad=True) for a in (rng.standard_normal((4, 3)), np.ones(3))]
    node = F.batch_norm(inputs[0], None, None, inputs[1], training=True).node
    gradient = rng.standard_normal((4, 3))
    held = [weakref.ref(gradient)]
    results = [vjp(gradient) for vjp in node.vjps]
    held += [weakref.ref(result) for result in results]
    del gradient, results
    assert [reference() for reference in held] == [None] * 3


X, C = np.zeros((4, 3, 2, 2), np.float32), np.ones(3, np.float32)
M, V = tensor(C), tensor(C)


@pytest.mark.parametrize(
    ("x", "options", "sentence"),
    [
        (X[0, 0, 0], {}, "x must have the axes (N, C) or (N, C, ...), got shape (2,)"),
        (X, {"running_mean": None}, "running_mean must be given where training is False"),
        (X, {"running_var": None}, "running_var must be given where training is False"),
        (
            X, {"weight": tensor(C[:2])},
            "weight must have shape (3,), one number for each channel of x (shape (4, 3, 2, 2)), "
            "got (2,)",
        ),
        (X, {"bias": tensor(X)}, "bias must have 1 axes, got shape (4, 3, 2, 2)"),
        (X, {"running_mean": tensor(C[:1])}, "running_mean must have shape (3,)"),
        (X, {"running_var": tensor(C[:1])}, "running_var must have shape (3,)"),
        (
            X[:1, :, :1, :1], {"training": True},
            "training needs more than one value for each channel, but x has shape (1, 3, 1, 1)",
        ),
        (X[:1, :, 0, 0], {"training": True}, "but x has shape (1, 3)"),
        (X, {"momentum": 1.5}, "momentum must be a number from 0 to 1, got 1.5"),
        (X, {"momentum": None}, "momentum must be a number from 0 to 1, got None"),
        (X, {"eps": -1.0}, "eps must be a number of at least 0, got -1.0"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(x, options, sentence):
    options = {"running_mean": M, "running_var": V, **options}
    with pytest.raises(ValueError, match="^batch_norm: ") as error:
        F.batch_norm(tensor(x), **options)
    assert sentence in str(error.value)


def test_errors_of_type():
    with pytest.raises(TypeError, match="batch_norm: x must be a Tensor, got ndarray"):
        F.batch_norm(X, M, V)
    with pytest.raises(TypeError, match="batch_norm: weight must be a Tensor, got ndarray"):
        F.batch_norm(tensor(X), M, V, C)
    sentence = "batch_norm: running_mean has dtype float32 but x has float64"
    with pytest.raises(TypeError, match=sentence):
        F.batch_norm(tensor(X.astype(np.float64)), M, V)
