"""Softmax and cross entropy against PyTorch: its meaning of every option and edge case."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops.softmax_cross_entropy import RUNGS

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([np.float32, np.float64])
IGNORED = -7


SHAPES = [(5,), (4, 5), (3, 5, 2), (2, 5, 3, 2), (0, 5)]
LOSSES = list(
    itertools.product(
        SHAPES, ["mean", "sum", "none"], [False, True], [0.0, 0.2, 1.0], [-100, 2, -1]
    )
)


def both(torch, name, arrays, call):
    """Run one loss here and in PyTorch, backward too; compare values and gradients in float64."""
    found = []
    for make, module in (
        (lambda a: tensor(a, requires_grad=True), F),
        (lambda a: torch.tensor(a, requires_grad=True), torch.nn.functional),
    ):
        inputs = [make(a) for a in arrays]
        out = call(getattr(module, name), *inputs)
        cotangent = np.random.default_rng(9).standard_normal(tuple(out.shape))
        out.backward(cotangent if module is F else torch.from_numpy(np.asarray(cotangent)))
        found.append([out.detach(), *(t.grad for t in inputs)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours.data, theirs.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("shape", "reduction", "weighted", "smoothing", "ignored"), LOSSES)
def test_class_indices_like_pytorch(shape, reduction, weighted, smoothing, ignored):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    scores = rng.standard_normal(shape) * 3
    target = rng.integers(0, 5, shape[:1] + shape[2:] if len(shape) > 1 else ())
    if target.size > 1:
        target.reshape(-1)[1] = ignored
    weight = rng.uniform(0.5, 2, 5) if weighted else None

    def call(function, *inputs, **options):
        ours = function in (F.cross_entropy, F.nll_loss)
        make = tensor if ours else torch.from_numpy
        if weighted:
            options["weight"] = make(weight)
        labels = target if ours else torch.from_numpy(np.asarray(target))
        return function(*inputs, labels, ignore_index=ignored, reduction=reduction, **options)

    def smoothed(function, *inputs):
        return call(function, *inputs, label_smoothing=smoothing)

    both(torch, "cross_entropy", [scores], smoothed)
    both(torch, "nll_loss", [scores], call)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_class_probabilities_like_pytorch(shape, reduction, weighted, smoothing):
    """The probabilities get a gradient as well, and need not add up to 1."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(shape) * 3, rng.uniform(0, 1, shape)]
    weight = rng.uniform(0.5, 2, 5)

    def call(function, *inputs):
        make = tensor if function is F.cross_entropy else torch.from_numpy
        options = {"weight": make(weight)} if weighted else {}
        return function(*inputs, reduction=reduction, label_smoothing=smoothing, **options)

    both(torch, "cross_entropy", arrays, call)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((5,), 0), ((4, 5), 1), ((4, 5), -2), ((2, 3, 4), 1), ((0, 3), 1), ((0, 3), 0), ((2, 0), 1)],
)
def test_softmax_like_pytorch(name, shape, axis):
    torch = pytest.importorskip("torch")
    scores = np.random.default_rng(3).standard_normal(shape) * 5
    both(torch, name, [scores], lambda function, x: function(x, axis))


INF = math.inf
EXTREMES = [
    [1e4, -1e4, 0.0, 9999.0],
    [-1e4, -1e4, -1e4, -9998.0],
    [-INF, 0.0, 1.0, -INF],
    [-INF, -INF, 5.0, -INF],
    [-INF, -INF, -INF, -INF],
    [INF, 0.0, 1.0, 2.0],
    [math.nan, 0.0, 1.0, 2.0],
]


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_like_pytorch(rung, dtype):
    """Huge scores, forbidden classes (−∞), and nonsense: the same numbers, ∞ and NaN."""
    torch = pytest.importorskip("torch")
    rows, target = np.array(EXTREMES, dtype), np.array([3, 0, 1, 2, 0, 1, 1])
    cases = [
        ("softmax", (1,), {}),
        ("log_softmax", (1,), {}),
        ("cross_entropy", (target,), {"reduction": "none"}),
        ("cross_entropy", (0 * target,), {"reduction": "none"}),
        ("cross_entropy", (0 * target,), {"reduction": "none", "label_smoothing": 0.25}),
    ]
    tiny = 8 * np.finfo(dtype).eps
    with minigrad.kernels(rung):
        for name, arguments, options in cases:
            ours = tensor(rows, requires_grad=True)
            theirs = torch.tensor(rows, requires_grad=True)
            out = getattr(F, name)(ours, *arguments, **options)
            other = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments]
            wanted = getattr(torch.nn.functional, name)(theirs, *other, **options)
            np.testing.assert_allclose(out.data, wanted.detach().numpy(), rtol=tiny, err_msg=name)
            cotangent = np.random.default_rng(4).standard_normal(out.shape).astype(dtype)
            out.backward(cotangent)
            wanted.backward(torch.from_numpy(cotangent))
            # In float32 PyTorch's own exponential is good to about 1e-6.
            np.testing.assert_allclose(
                ours.grad.data, theirs.grad.numpy(), rtol=10 * tiny, atol=tiny, err_msg=name
            )


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_where_all_are_ignored(rung, function):
    """The mean over nothing is NaN, the sum is 0, and no row gets a gradient either way."""
    with minigrad.kernels(rung):
        for reduction, wanted in (("mean", math.nan), ("sum", 0.0), ("none", [0.0, 0.0])):
            x = tensor([[1.0, 2.0], [math.nan, 1.0]], requires_grad=True)
            out = function(x, [-100, -100], reduction=reduction)
            np.testing.assert_array_equal(out.data, np.float32(wanted))
            out.backward(np.ones(out.shape))
            np.testing.assert_array_equal(x.grad.data, 0)


@pytest.mark.parametrize("rung", RUNGS)
def test_the_fused_gradient_survives_where_the_parts_do_not(rung):
    """A true class 200 below the best: softmax, log and picking lose it, in one piece it is −1."""
    with minigrad.kernels(rung):
        scores = np.array([[200.0, 0.0]], np.float32)
        fused = tensor(scores, requires_grad=True)
        loss = F.cross_entropy(fused, [1])
        loss.backward()
        assert loss.item() == 200
        np.testing.assert_array_equal(fused.grad.data, [[1, -1]])
        parts = tensor(scores, requires_grad=True)
        with np.errstate(all="ignore"):
            loss = -F.softmax(parts, 1).log()[0, 1]
            loss.backward()
        assert loss.item() == math.inf
        assert np.isnan(parts.grad.data).any()
