"""Softmax and losses on a GPU: kernels against the definition, operations against the CPU."""

import itertools

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import tensor
from minigrad.gpu import is_gpu_array
from minigrad.ops import softmax_cross_entropy as room
from tests.gpu.rungs import assert_agree, both, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHAPES = pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 2), (300, 7), (3, 1000)])
CLOSE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}
IGNORED = -7


def close(got, want, scale=1.0):
    """Hold numbers to the dtype's tolerance, of the largest number; NaN and ±∞ must be the same."""
    tiny = CLOSE[got.dtype] * scale
    assert got.shape == want.shape
    size = np.abs(want[np.isfinite(want)]).max(initial=0)
    np.testing.assert_allclose(got, want, rtol=tiny, atol=tiny * size)


def assert_close(name, *arguments, scale=1.0):
    """Compare with rung 1 in float64; return the GPU's result."""
    wide = [
        a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a
        for a in arguments
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        _, got = both(room, name, *arguments)
        wanted = getattr(room.naive, name)(*wide)
    for part, want in zip(
        *((r if isinstance(r, tuple) else (r,)) for r in (got, wanted)), strict=True
    ):
        close(part, want, scale)
    return got


def drawn(shape, dtype, seed=0):
    """Draw scores, targets of which some are ignored, weights, and a gradient for each row."""
    rng = np.random.default_rng(seed)
    rows, classes = shape
    scores = (rng.standard_normal(shape) * 3).astype(dtype)
    target = rng.integers(0, classes, rows)
    target[::5] = IGNORED
    weight, slope = rng.uniform(0.5, 2, classes), rng.standard_normal(rows)
    return scores, target, weight.astype(dtype), slope.astype(dtype)


# -- the kernels ---------------------------------------------------------------------------------


@DTYPES
@SHAPES
def test_integers_to_the_bit(shape, dtype):
    """Where no exponential and no division is met."""
    rng, (rows, classes) = np.random.default_rng(1), shape
    numbers, gradient = (integers(rng, *shape, dtype=dtype) for _ in range(2))
    weight, slope = integers(rng, classes, dtype=dtype), integers(rng, rows, dtype=dtype)
    target = rng.integers(0, classes, rows)
    target[::3] = IGNORED
    assert_agree(room, "softmax_input_gradient", gradient, numbers)
    assert_agree(room, "log_softmax_input_gradient", gradient, np.zeros(shape, dtype))
    for ignored in (IGNORED, -100, 0):  # the last one is a class
        y = np.where(target == IGNORED, ignored, target)
        assert_agree(room, "nll_forward", numbers, y, weight, ignored)
        assert_agree(room, "nll_input_gradient", slope, y, weight, ignored)
        options = y, weight, ignored, 0.0
        assert_agree(room, "cross_entropy_input_gradient", slope, numbers, *options)
        if classes & (classes - 1) == 0:  # a share of 1/C is exact
            assert_agree(room, "cross_entropy_input_gradient", slope, numbers, *options[:3], 0.5)


@DTYPES
@SHAPES
def test_softmax_agrees_with_the_definition(shape, dtype):
    scores, *_ = drawn(shape, dtype)
    gradient = np.random.default_rng(2).standard_normal(shape).astype(dtype)
    for name in ("softmax", "log_softmax"):
        out = assert_close(f"{name}_forward", scores)
        # Some thousand products of either sign, rounded one by one.
        assert_close(f"{name}_input_gradient", gradient, out, scale=3 if shape[1] > 99 else 1)


@DTYPES
@SHAPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_agrees_with_the_definition(shape, smoothing, dtype):
    scores, target, weight, slope = drawn(shape, dtype)
    scale = 5 if shape[1] > 99 and smoothing else 1  # a thousand terms of one sign, one by one
    for ignored in (IGNORED, 0):
        y = np.where(target == IGNORED, ignored, target)
        options = y, weight, ignored, smoothing
        _, p = assert_close("cross_entropy_forward", scores, *options, scale=scale)
        assert_close("cross_entropy_input_gradient", slope, p, *options, scale=scale)


@DTYPES
def test_a_shift_of_all_scores_changes_no_bit(dtype):
    scores = integers(np.random.default_rng(3), 6, 5, dtype=dtype)
    options = [on_gpu(a) for a in drawn((6, 5), dtype)[1:3]]
    for constant in (-1000, 1000):
        for name, others in (
            ("softmax_forward", ()), ("log_softmax_forward", ()),
            ("cross_entropy_forward", (*options, IGNORED, 0.1)),
        ):  # fmt: skip
            function = getattr(room.gpu, name)
            results = (function(on_gpu(scores + dtype(c)), *others) for c in (0, constant))
            for before, after in zip(*map(on_cpu, results), strict=True):
                np.testing.assert_array_equal(before, after, name)


@DTYPES
def test_scores_of_infinity(dtype):
    """−∞ among others has probability 0; a row of nothing else is NaN, as one with NaN or ∞ is."""
    inf, nan = np.inf, np.nan
    scores = np.array(
        [[-inf, 0, 1], [0, -inf, -inf], [-inf] * 3, [nan, 0, 1], [0, nan, 9], [inf, 0, 1],
         [1, 2, 500], [-500, 0, 500]], dtype,
    )  # fmt: skip
    for name in ("softmax", "log_softmax"):
        out = assert_close(f"{name}_forward", scores)
        assert np.isnan(out[2:6]).all()
        gradient = np.arange(24, dtype=dtype).reshape(8, 3)
        assert_close(f"{name}_input_gradient", gradient, out)
    weight, slope = np.array([1, 2, 0.5], dtype), np.full(8, 2, dtype)
    for target, smoothing in itertools.product(range(3), (0.0, 0.1, 1.0)):
        options = np.full(8, target), weight, IGNORED, smoothing
        losses, p = assert_close("cross_entropy_forward", scores, *options)
        assert_close("cross_entropy_input_gradient", slope, p, *options)
    options = np.full(8, IGNORED), weight, IGNORED, 0.1
    losses, p = assert_close("cross_entropy_forward", scores, *options)
    np.testing.assert_array_equal(losses, 0)
    part = assert_close("cross_entropy_input_gradient", slope, p, *options)
    np.testing.assert_array_equal(part, 0)  # even where p is NaN


@DTYPES
def test_no_classes(dtype):
    x = np.zeros((4, 0), dtype)
    for name in ("softmax", "log_softmax"):
        assert_agree(room, f"{name}_forward", x)
        assert_agree(room, f"{name}_input_gradient", x, x)


def test_arrays_in_another_order():
    """A GPU array that is not contiguous, in each place."""
    scores, target, weight, slope = drawn((6, 5), np.float64)

    def messy(a):
        return on_gpu(np.repeat(a, 2, axis=0))[::2]

    for name, arrays, numbers in (
        ("softmax_forward", [scores], ()),
        ("softmax_input_gradient", [scores, scores[::-1].copy()], ()),
        ("log_softmax_forward", [scores], ()),
        ("log_softmax_input_gradient", [scores, scores[::-1].copy()], ()),
        ("cross_entropy_forward", [scores, target, weight], (IGNORED, 0.1)),
        ("cross_entropy_input_gradient", [slope, scores, target, weight], (IGNORED, 0.1)),
        ("nll_forward", [scores, target, weight], (IGNORED,)),
        ("nll_input_gradient", [slope, target, weight], (IGNORED,)),
    ):
        function = getattr(room.gpu, name)
        got, want = (on_cpu(function(*map(f, arrays), *numbers)) for f in (messy, on_gpu))
        for part, wanted in zip(got, want, strict=True):
            np.testing.assert_array_equal(part, wanted, name)


# -- softmax -------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_as_on_the_cpu(name, dtype):
    rng = np.random.default_rng(4)
    for shape in ((3,), (4, 3), (2, 3, 4, 5), (2, 0, 3), (0, 3)):
        x, gradient = rng.standard_normal((2, *shape)).astype(dtype)
        for axis in range(-len(shape), len(shape)):
            found = []
            for where in ("cuda", "cpu"):
                t = tensor(x, requires_grad=True, device=where)
                out = getattr(F, name)(t, axis)
                out.backward(gradient)
                assert out.device == t.grad.device == t.device
                found.append([out.cpu().data, t.grad.cpu().data])
            for got, want in zip(*found, strict=True):
                close(got, want)


# -- losses --------------------------------------------------------------------------------------

KINDS = {
    "NumPy": lambda target: target,
    "list": lambda target: target.tolist(),
    "int32": lambda target: target.astype(np.int32),
    "CPU tensor": tensor,
    "GPU tensor": lambda target: tensor(target, device="cuda"),
    "GPU tensor of int16": lambda target: tensor(target.astype(np.int16), device="cuda"),
    "GPU array": on_gpu,
}


def run(function, where, scores, target, weight, gradient, **options):
    """Run a loss forward and backward; return both results, on the CPU."""
    t = tensor(scores, requires_grad=True, device=where)
    weight = None if weight is None else tensor(weight, device=where)
    loss = function(t, target, weight, **options)
    if gradient is None:
        loss.backward()
    else:
        loss.backward(gradient.reshape(loss.shape))
    assert loss.device == t.grad.device == t.device
    return loss.cpu().data, t.grad.cpu().data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_losses_as_on_the_cpu(name, reduction, kind):
    rng = np.random.default_rng(5)
    shapes = (3,), (6, 3), (0, 3), (2, 3, 4), (2, 3, 2, 3)
    for shape, dtype, weighted in itertools.product(
        shapes, (np.float32, np.float64), (True, False)
    ):
        scores = rng.standard_normal(shape).astype(dtype)
        others = shape[:0] if len(shape) == 1 else shape[:1] + shape[2:]
        target = np.asarray(rng.integers(0, 3, others))
        target[rng.random(others) < 0.3] = IGNORED
        weight = rng.uniform(0.5, 2, 3).astype(dtype) if weighted else None
        gradient = rng.standard_normal(others).astype(dtype) if reduction == "none" else None
        options = {"reduction": reduction, "ignore_index": IGNORED}
        for smoothing in (0.0, 0.1) if name == "cross_entropy" else (None,):
            if smoothing is not None:
                options["label_smoothing"] = smoothing
            arguments = scores, KINDS[kind](target), weight, gradient
            if kind == "list" and 0 in shape:
                continue  # an empty list has no integers
            got = run(getattr(F, name), "cuda", *arguments, **options)
            arguments = scores, target, weight, gradient
            with np.errstate(invalid="ignore"):
                want = run(getattr(F, name), "cpu", *arguments, **options)
            for part, wanted in zip(got, want, strict=True):
                close(part, wanted)


def test_the_mean_divides_by_the_weights_that_count():
    scores, weight = np.log([[0.25, 0.75], [0.5, 0.5], [0.5, 0.5]]), np.array([1.0, 3.0])
    t = tensor(scores, device="cuda")
    weights = tensor(weight, device="cuda")
    loss = F.nll_loss(t, [1, 0, -100], weights).item()
    assert abs(loss - (3 * np.log(4 / 3) + np.log(2)) / 4) < 1e-15


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_where_no_row_counts_the_mean_is_nan(name):
    t = tensor(np.zeros((2, 3)), requires_grad=True, device="cuda")
    assert np.isnan(getattr(F, name)(t, [-100, -100]).item())
    loss = getattr(F, name)(t, [-100, -100], reduction="sum")
    loss.backward()
    assert loss.item() == 0
    np.testing.assert_array_equal(t.grad.cpu().data, 0)


@pytest.mark.parametrize("kind", ["NumPy", "list", "GPU tensor", "GPU array"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_probabilities_as_targets(reduction, kind):
    rng = np.random.default_rng(6)
    scores, truth = rng.standard_normal((2, 4, 3, 2))
    truth = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    weight = rng.uniform(0.5, 2, 3)
    gradient = rng.standard_normal((4, 2)) if reduction == "none" else None
    options = {"reduction": reduction, "label_smoothing": 0.1}
    got = run(F.cross_entropy, "cuda", scores, KINDS[kind](truth), weight, gradient, **options)
    want = run(F.cross_entropy, "cpu", scores, truth, weight, gradient, **options)
    for part, wanted in zip(got, want, strict=True):
        close(part, wanted)


def test_gradients_of_target_probabilities():
    rng = np.random.default_rng(7)
    scores, truth = rng.standard_normal((2, 4, 3))
    found = []
    for where in ("cuda", "cpu"):
        x, q = (tensor(a, requires_grad=True, device=where) for a in (scores, truth))
        F.cross_entropy(x, q).backward()
        found.append([x.grad.cpu().data, q.grad.cpu().data])
    for got, want in zip(*found, strict=True):
        close(got, want)


def test_the_target_may_change_afterwards():
    """What came from outside is copied, wherever it was."""
    for here, where in itertools.product(("cpu", "cuda"), repeat=2):
        t = tensor(np.zeros((2, 3)), requires_grad=True, device=here)
        target = tensor([0, 1], device=where)
        loss = F.cross_entropy(t, target, reduction="sum")
        target.data[...] = 2
        loss.backward()
        np.testing.assert_array_equal(t.grad.cpu().data.argmin(axis=1), [0, 1])


def test_targets_on_a_gpu_for_scores_on_the_cpu():
    scores = tensor(np.eye(3, dtype=np.float32))
    loss = F.cross_entropy(scores, tensor([0, 1, 1], device="cuda"))
    assert loss.device == "cpu"
    assert loss.item() == F.cross_entropy(scores, [0, 1, 1]).item()


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "target", "options", "error"),
    [
        ((4, 3), [0, 1, 3, 5], {}, IndexError),
        ((2, 3, 2), [[0, 0], [0, -1]], {}, IndexError),
        ((3,), 7, {}, IndexError),
        ((4, 3), [0, 0, 0, -100], {"ignore_index": 0}, IndexError),
        ((4, 3), [0, 1], {}, ValueError),
        ((4, 3), [True] * 4, {}, TypeError),
    ],
)
def test_bad_targets_are_told_as_on_the_cpu(shape, target, options, error, kind):
    target = np.array(target)
    converted = KINDS[kind](target)
    if target.dtype == bool and kind in ("int32", "GPU tensor of int16"):
        return
    for name in ("cross_entropy", "nll_loss"):
        said = []
        for where, given in (("cpu", target), ("cuda", converted)):
            with pytest.raises(error, match=f"^{name}: target") as raised:
                getattr(F, name)(tensor(np.zeros(shape), device=where), given, **options)
            said.append(str(raised.value))
        assert said[0] == said[1]


def test_small_unsigned_targets_on_a_gpu():
    scores = tensor(np.zeros((2, 3)), device="cuda")
    good, bad = (tensor(np.array([0, y], np.uint8), device="cuda") for y in (2, 200))
    assert abs(F.cross_entropy(scores, good).item() - np.log(3)) < 1e-15
    with pytest.raises(IndexError, match=r"target at \(1,\) is 200, but logits has 3 classes"):
        F.cross_entropy(scores, bad)


@pytest.mark.parametrize(
    ("name", "scores"), [("cross_entropy", "logits"), ("nll_loss", "log_probabilities")]
)
def test_what_lies_elsewhere_is_named(name, scores):
    x, weight = tensor(np.zeros((2, 3)), device="cuda"), tensor(np.ones(3))
    for one, other, here, there in (
        (x, weight, "cuda:0", "cpu"), (x.cpu(), weight.cuda(), "cpu", "cuda:0"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: ") as error:
            getattr(F, name)(one, [0, 1], other)
        sentence = f"weight (shape (3,)) lies on {there} but {scores} (shape (2, 3)) on {here}"
        assert sentence in str(error.value)


def test_target_probabilities_that_lie_elsewhere_are_named():
    x, truth = tensor(np.zeros((2, 3)), device="cuda"), tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match="^cross_entropy: target ") as error:
        F.cross_entropy(x, truth)
    assert "lies on cpu but logits (shape (2, 3)) on cuda:0" in str(error.value)


def test_class_weights_left_out_are_made_on_the_device():
    x = tensor(np.zeros((2, 3), np.float32), device="cuda")
    weights = room.targets.class_weights("cross_entropy", "logits", x, None)
    assert is_gpu_array(weights)
    assert weights.dtype == np.float32
