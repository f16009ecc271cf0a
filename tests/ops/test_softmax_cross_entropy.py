"""Softmax and cross entropy: rungs, gradients, laws, errors."""

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops.softmax_cross_entropy import RUNGS, cpu, naive
from minigrad.testing import gradcheck
from minigrad.testing.strategies import classification_batches, random_array, scrambled

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([np.float32, np.float64])
IGNORED = -7


@st.composite
def row_cases(draw):
    """Draw rows of scores, from tiny to huge, and all that the kernels take beside them."""
    rng = np.random.default_rng(draw(seeds))
    dtype, rows = draw(dtypes), draw(st.integers(0, 6))
    classes = draw(st.integers(1, 7))
    scale = draw(st.sampled_from([1e-3, 1, 30, 1e4]))
    scores = (rng.standard_normal((rows, classes)) * scale).astype(dtype)
    weight = rng.uniform(0.5, 2, classes).astype(dtype)
    target = rng.integers(-1, classes, rows)
    target[target < 0] = IGNORED
    smoothing = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return rng, scores, target, weight, smoothing


def assert_rungs_close(name, dtype, *arguments):
    """Every rung within 32 roundings of the loops in float64, relative or of the largest number.

    Sums have at most seven terms; an exponential is good to two or three roundings, of a number
    that has been rounded once itself.
    """
    wide = [
        a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a
        for a in arguments
    ]
    wanted = getattr(naive, name)(*wide)
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    for rung, module in RUNGS.items():
        found = getattr(module, name)(*arguments)
        pairs = zip(found, wanted, strict=True) if isinstance(wanted, tuple) else [(found, wanted)]
        for got, want in pairs:
            assert got.dtype == dtype, rung
            tiny = 32 * np.finfo(dtype).eps
            size = np.abs(want).max(initial=1)
            np.testing.assert_allclose(got, want, rtol=tiny, atol=tiny * size, err_msg=rung)
    for old, now in zip(before, arguments, strict=True):
        np.testing.assert_array_equal(now, old, f"{name} changed its input")
    return wanted


@given(row_cases())
def test_rungs_agree(case):
    rng, scores, target, weight, smoothing = case
    dtype = scores.dtype
    gradient, slope = (rng.standard_normal(s).astype(dtype) for s in (scores.shape, target.shape))
    p = assert_rungs_close("softmax_forward", dtype, scores).astype(dtype)
    logs = assert_rungs_close("log_softmax_forward", dtype, scores).astype(dtype)
    messy = scrambled(rng, gradient)
    assert_rungs_close("softmax_input_gradient", dtype, messy, p)
    assert_rungs_close("log_softmax_input_gradient", dtype, messy, logs)
    assert_rungs_close("softmax_forward", dtype, scrambled(rng, scores))
    options = target, weight, IGNORED
    assert_rungs_close("cross_entropy_forward", dtype, scrambled(rng, scores), *options, smoothing)
    assert_rungs_close("cross_entropy_input_gradient", dtype, slope, p, *options, smoothing)
    assert_rungs_close("nll_forward", dtype, scrambled(rng, logs), *options)
    assert_rungs_close("nll_input_gradient", dtype, slope, *options)


@given(row_cases(), st.integers(0, 1), seeds)
def test_softmax_gradients_by_finite_differences(case, axis, seed):
    scores = np.tanh(case[1].astype(np.float64)) * 2  # of moderate size: differences need curvature
    for function in (F.softmax, F.log_softmax):
        gradcheck(lambda t, f=function: f(t, axis), [scores], seed=seed)
        gradcheck(lambda t, f=function: f(t, -1), [scores.reshape(*scores.shape, 1).T], seed=seed)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@given(classification_batches())
def test_loss_gradients_by_finite_differences(reduction, batch):
    logits, target, weight = batch.arrays()
    weight = None if weight is None else tensor(weight)
    options = {**batch.options, "weight": weight, "reduction": reduction}
    gradcheck(lambda t: F.cross_entropy(t, target, **options), [logits], seed=batch.seed)
    smoothing = {"label_smoothing": options.pop("label_smoothing")}
    gradcheck(lambda t: F.nll_loss(t, target, **options), [logits], seed=batch.seed)
    del options["ignore_index"]
    truth = random_array(batch.logits, "probabilities", seed=batch.seed)
    gradcheck(
        lambda t, q: F.cross_entropy(t, q, **options, **smoothing), [logits, truth],
        seed=batch.seed,
    )  # fmt: skip


# -- laws ----------------------------------------------------------------------------------------


@given(row_cases(), st.integers(-1000, 1000))
def test_a_constant_added_to_all_scores_changes_nothing(case, constant):
    """Exactly: integers, so that adding does not round."""
    scores = np.rint(np.clip(case[1], -1000, 1000)).astype(case[1].dtype)
    moved = scores + scores.dtype.type(constant)
    for module in RUNGS.values():
        for name in ("softmax_forward", "log_softmax_forward"):
            function = getattr(module, name)
            np.testing.assert_array_equal(function(scores), function(moved))


@given(row_cases())
def test_probabilities_add_up_to_one_and_gradients_to_zero(case):
    _, scores, target, weight, smoothing = case
    tiny = 16 * np.finfo(scores.dtype).eps
    for module in RUNGS.values():
        p = module.softmax_forward(scores)
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=tiny)
        slope = np.ones(len(target), scores.dtype)
        part = module.cross_entropy_input_gradient(slope, p, target, weight, IGNORED, smoothing)
        np.testing.assert_allclose(part.sum(axis=1), 0, atol=4 * tiny)


@given(array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4), seeds)
def test_the_loss_is_nll_of_log_softmax(shape, seed):
    rng = np.random.default_rng(seed)
    scores, weight = rng.standard_normal(shape), tensor(rng.uniform(0.5, 2, shape[1]))
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    fused, parts = (tensor(scores, requires_grad=True) for _ in range(2))
    loss = F.cross_entropy(fused, target, weight)
    loss.backward()
    other = F.nll_loss(F.log_softmax(parts, 1), tensor(target), weight)
    other.backward()
    np.testing.assert_allclose(loss.data, other.data, rtol=1e-13)
    np.testing.assert_allclose(fused.grad.data, parts.grad.data, rtol=1e-12, atol=1e-15)
    # A distribution with all its weight on one class says the same as the class.
    truth = np.moveaxis(np.eye(shape[1])[target], -1, 1)
    soft = F.cross_entropy(tensor(scores), truth, weight, reduction="none")
    hard = F.cross_entropy(tensor(scores), target, weight, reduction="none")
    np.testing.assert_allclose(soft.data, hard.data, rtol=1e-12, atol=1e-15)


@given(st.integers(1, 40), st.integers(1, 6), seeds)
def test_loss_of_a_permuted_batch(rows, classes, seed):
    rng = np.random.default_rng(seed)
    scores, target = rng.standard_normal((rows, classes)), rng.integers(0, classes, rows)
    order, weight = rng.permutation(rows), tensor(rng.uniform(0.5, 2, classes))
    loss = F.cross_entropy(tensor(scores), target, weight).data
    moved = F.cross_entropy(tensor(scores[order]), target[order], weight).data
    np.testing.assert_allclose(moved, loss, rtol=1e-12)
    names = rng.permutation(classes)  # class c is now called names[c]
    renamed = np.empty_like(scores)
    renamed[:, names] = scores
    moved_weight = np.empty(classes)
    moved_weight[names] = weight.data
    same = F.cross_entropy(tensor(renamed), names[target], tensor(moved_weight))
    np.testing.assert_allclose(same.data, loss, rtol=1e-12)


def test_many_blocks_and_threads():
    """Several blocks of rows, the last one ragged: the same bits for all threads."""
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((301, 1000), dtype=np.float32) * 4
    gradient = rng.standard_normal(scores.shape, dtype=np.float32)
    target, slope = rng.integers(0, 1000, 301), rng.standard_normal(301, dtype=np.float32)
    weight = rng.uniform(0.5, 2, 1000).astype(np.float32)
    target[::7] = IGNORED
    options = target, weight, IGNORED, 0.1
    before, seen = minigrad.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            p, logs = cpu.softmax_forward(scores), cpu.log_softmax_forward(scores)
            seen.append(
                [
                    p, logs,
                    cpu.softmax_input_gradient(gradient, p),
                    cpu.log_softmax_input_gradient(gradient, logs),
                    *cpu.cross_entropy_forward(scores, *options),
                    cpu.cross_entropy_input_gradient(slope, p, *options),
                    cpu.nll_forward(logs, *options[:3]),
                    cpu.nll_input_gradient(slope, *options[:3]),
                ]
            )  # fmt: skip
    finally:
        minigrad.set_num_threads(before)
    for others in seen[1:]:
        for mine, first in zip(others, seen[0], strict=True):
            np.testing.assert_array_equal(mine, first)
    exact = naive.cross_entropy_forward(scores[295:].astype(np.float64), target[295:], *options[1:])
    np.testing.assert_allclose(seen[0][4][295:], exact[0], rtol=1e-5)
    np.testing.assert_allclose(seen[0][5][295:], exact[1], rtol=1e-5)


def test_channels_last_scores_are_rows_already():
    """(N, C, H, W) with the classes last in memory: no copy in, none out."""
    rng = np.random.default_rng(6)
    memory = rng.standard_normal((2, 3, 4, 5))
    x = tensor(np.zeros(0), requires_grad=True)
    x.data = memory.transpose(0, 3, 1, 2)
    out = F.softmax(x, 1)
    assert out.data.strides == x.data.strides
    np.testing.assert_allclose(out.data, F.softmax(tensor(x.data.copy()), 1).data, rtol=1e-15)


def test_the_graph_does_not_hold_the_tensor():
    """Rules keep arrays, not tensors: a scores tensor nobody needs is gone at once."""
    x = tensor([[1.0, 2.0]], requires_grad=True)
    for make in (
        lambda t: F.cross_entropy(t, [0]),
        lambda t: F.nll_loss(t, [0]),
        lambda t: F.softmax(t, 1),
    ):
        scores = x * 1
        gone, loss = weakref.ref(scores), make(scores)
        del scores
        assert gone() is None
        assert loss.requires_grad


def test_targets_may_come_as_tensors_arrays_lists_and_small_integers():
    scores = tensor([[1.0, 2.0], [0.5, 0.0]])
    wanted = F.cross_entropy(scores, np.array([0, 1])).item()
    for target in ([0, 1], tensor([0, 1]), np.array([0, 1], np.uint8), np.array([0, 1], np.int32)):
        assert F.cross_entropy(scores, target).item() == wanted
    assert F.cross_entropy(scores[1], 1).item() == F.cross_entropy(scores, [-100, 1]).item()


# -- errors --------------------------------------------------------------------------------------


X, XS = tensor(np.zeros((4, 3))), tensor(np.zeros((2, 3, 2)))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "sentence"),
    [
        (
            (X, [0, 1, 3, 5]), {}, IndexError,
            "target at (2,) is 3, but {scores} has 3 classes: a target must be 0 … 2, or -100 to "
            "be ignored",
        ),
        ((XS, [[0, 0], [0, -1]]), {}, IndexError, "target at (1, 1) is -1, but {scores} has 3"),
        ((X[0], 7), {}, IndexError, "target is 7, but {scores} has 3 classes"),
        ((X, [0, 0, 0, -100]), {"ignore_index": 0}, IndexError, "target at (3,) is -100"),
        ((X, [0, 1]), {}, ValueError, "target must have shape (4,), one class for each example"),
        ((X, X.data[:, :1].astype(int)), {}, ValueError, "(shape (4, 3)), got (4, 1)"),
        ((X, [True] * 4), {}, TypeError, "target must hold integer class indices, got bool"),
        ((X, [0] * 4), {"reduction": "average"}, ValueError, "mean, sum, none, got 'average'"),
        (
            (X, [0] * 4), {"weight": tensor(np.ones(2))}, ValueError,
            "weight must have shape (3,), one number for each class, got (2,)",
        ),
        (
            (X, [0] * 4), {"weight": tensor(np.ones(3, np.float32))}, TypeError,
            "weight has dtype float32 but {scores} has float64",
        ),
        ((X, [0] * 4), {"weight": np.ones(3)}, TypeError, "weight must be a Tensor, got ndarray"),
        ((tensor(1.0), 0), {}, ValueError, "and at least one class, got shape ()"),
        ((X[:, :0], [0] * 4), {}, ValueError, "and at least one class, got shape (4, 0)"),
        ((X.data, [0] * 4), {}, TypeError, "{scores} must be a Tensor, got ndarray"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(arguments, options, error, sentence):
    for name, scores in (("cross_entropy", "logits"), ("nll_loss", "log_probabilities")):
        with pytest.raises(error, match=f"^{name}: ") as raised:
            getattr(F, name)(*arguments, **options)
        assert sentence.format(scores=scores) in str(raised.value)


@pytest.mark.parametrize(
    ("target", "options", "error", "sentence"),
    [
        (np.zeros(4), {}, ValueError, "target is floating, so it must hold the probabilities"),
        (np.zeros((4, 3)), {"ignore_index": 1}, ValueError, "ignore_index = 1 names a class index"),
        (tensor(np.zeros((4, 3), np.float32)), {}, TypeError, "target has dtype float32 but"),
        ([0] * 4, {"label_smoothing": 1.1}, ValueError, "label_smoothing must be a number"),
        ([0] * 4, {"label_smoothing": "0"}, ValueError, "from 0 to 1, got '0'"),
    ],
)  # fmt: skip
def test_errors_of_cross_entropy_alone(target, options, error, sentence):
    with pytest.raises(error, match="^cross_entropy: ") as raised:
        F.cross_entropy(X, target, **options)
    assert sentence in str(raised.value)


def test_errors_of_nll_loss_and_softmax_alone():
    with pytest.raises(TypeError, match="nll_loss: target must hold integer class indices, got fl"):
        F.nll_loss(X, np.zeros((4, 3)))
    for name in ("softmax", "log_softmax"):
        with pytest.raises(
            IndexError, match=f"{name}: axis 2 does not exist in a tensor of 2 axes"
        ):
            getattr(F, name)(X, 2)
        with pytest.raises(TypeError, match=f"{name}: x must be float32 or float64, got int64"):
            getattr(F, name)(tensor([1]), 0)
