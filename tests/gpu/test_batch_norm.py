"""Batch normalisation on a GPU: kernels against the definition, the operation against the CPU."""

import math

import numpy as np
import pytest

from minigrad import device, nn, tensor
from minigrad import functional as F
from minigrad.ops import batch_norm
from tests.gpu.rungs import assert_agree, both, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CLOSE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}
# Each channel has M values, a power of two: then even a mean of integers is exact.
EXACT = [(2, 3), (8, 5), (4, 3, 4, 4), (2, 1, 2, 2, 2), (1, 2, 32), (64, 300), (4, 3, 2, 1)]
SHAPES = [(2, 1), (7, 5), (300, 2), (3, 4, 5, 7), (5, 2, 3, 1, 2), (1, 6, 9), (2, 3, 40, 41)]


def close(got, want, size=None):
    """Hold numbers to the dtype's tolerance, of the largest number or of `size`."""
    tiny = CLOSE[got.dtype]
    assert got.shape == want.shape
    size = np.abs(want).max(initial=0) if size is None else size
    np.testing.assert_allclose(got, want, rtol=tiny, atol=tiny * size)


def per_channel(rng, C, dtype):
    """Draw weight, bias, mean and variance."""
    weight, bias, mean = (rng.standard_normal(C) + shift for shift in (1.5, -2, 0.5))
    return [a.astype(dtype) for a in (weight, bias, mean, rng.uniform(0.5, 2, C))]


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


# -- the kernels ---------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("shape", EXACT)
def test_integers_to_the_bit(shape, dtype):
    """1/√(var + eps) is a power of two as well."""
    rng, C = np.random.default_rng(0), shape[1]
    x, gradient = (integers(rng, *shape, dtype=dtype) for _ in range(2))
    mean, weight, bias = (integers(rng, C, dtype=dtype) for _ in range(3))
    var = np.resize([0.0, 3.75, 15.75], C).astype(dtype)
    assert_agree(batch_norm, "batch_norm_statistics", x)
    assert_agree(batch_norm, "batch_norm_forward", x, mean, var, weight, bias, 0.25)
    for training in (True, False):
        arguments = gradient, x, mean, var, weight, 0.25, training
        assert_agree(batch_norm, "batch_norm_gradients", *arguments)


@DTYPES
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_definition(shape, dtype):
    rng = np.random.default_rng(1)
    x, gradient = (rng.standard_normal(shape).astype(dtype) * 3 for _ in range(2))
    weight, bias, mean, var = per_channel(rng, shape[1], dtype)
    exact_x, exact_gradient, *exact = wide(x, gradient, mean, var, weight, bias)
    got = on_cpu(batch_norm.gpu.batch_norm_statistics(on_gpu(x)))
    for part, want in zip(got, batch_norm.naive.batch_norm_statistics(exact_x), strict=True):
        close(part, want, np.abs(x).max())
    forward = x, mean, var, weight, bias, 0.1
    _, out = both(batch_norm, "batch_norm_forward", *forward)
    close(out, batch_norm.naive.batch_norm_forward(exact_x, *exact, 0.1))
    for training in (True, False):
        arguments = gradient, x, mean, var, weight, 0.1, training
        _, parts = both(batch_norm, "batch_norm_gradients", *arguments)
        wanted = batch_norm.naive.batch_norm_gradients(
            exact_gradient, exact_x, *exact[:3], 0.1, training
        )
        sizes = None, np.abs(gradient * x).sum(), np.abs(gradient).sum()
        for part, want, size in zip(parts, wanted, sizes, strict=True):
            close(part, want, size)


@DTYPES
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 4), (2, 3, 0), (2, 0, 3), (0, 0)])
def test_nothing_to_normalise(shape, dtype):
    x, C = np.zeros(shape, dtype), shape[1]
    ones = np.ones(C, dtype)
    assert_agree(batch_norm, "batch_norm_statistics", x)
    assert_agree(batch_norm, "batch_norm_forward", x, ones, ones, ones, ones, 0.1)
    for training in (True, False):
        assert_agree(batch_norm, "batch_norm_gradients", x, x, ones, ones, ones, 0.1, training)


@pytest.mark.parametrize("shape", [(40, 3, 5, 5), (3, 3, 30, 30), (1000, 3)])
def test_a_large_mean_does_not_eat_the_variance(shape):
    """Within planes, and between them: in one shape planes are many, in the others large."""
    rng = np.random.default_rng(3)
    axes = (0, *range(2, len(shape)))
    for dtype, middle, error in ((np.float32, 1e4, 2e-7), (np.float64, 1e9, 1e-12)):
        x = (middle + rng.standard_normal(shape)).astype(dtype)
        mean, var = on_cpu(batch_norm.gpu.batch_norm_statistics(on_gpu(x)))
        exact = x.astype(np.float64) - middle
        np.testing.assert_allclose(mean, middle + exact.mean(axes), rtol=1e-7)
        np.testing.assert_allclose(var, exact.var(axes), rtol=error)


def test_an_outlier_where_a_channel_begins():
    """The worst case for the origin: Σd² is M = 12288 times what is left of it, and each of its
    sums rounds it by 1e-16, upwards or downwards: 12288·√12288·1e-16.
    """
    x = np.random.default_rng(4).standard_normal((3, 2, 64, 64))
    x[0, :, 0, 0] = 1e5
    mean, var = on_cpu(batch_norm.gpu.batch_norm_statistics(on_gpu(x)))
    np.testing.assert_allclose(mean, x.mean((0, 2, 3)), atol=1e-14 * 1e5)
    np.testing.assert_allclose(var, x.var((0, 2, 3)), rtol=1e-10)


@DTYPES
def test_a_constant_channel(dtype):
    x = np.full((5, 2, 3), 0.1, dtype)
    mean, var = on_cpu(batch_norm.gpu.batch_norm_statistics(on_gpu(x)))
    close(mean, x[0, :, 0])
    np.testing.assert_allclose(var, 0, atol=1e-32)


def test_arrays_in_another_order():
    """A GPU array that is not contiguous, each argument in turn."""
    rng = np.random.default_rng(5)
    shape = (3, 4, 5, 2)
    x, gradient = rng.standard_normal((2, *shape))
    weight, bias, mean, var = per_channel(rng, 4, np.float64)

    def turned(array):
        return on_gpu(array.T.copy()).T

    def doubled(array):
        return on_gpu(np.repeat(array, 2))[::2]

    room = batch_norm.gpu
    moved = [doubled(a) for a in (mean, var, weight, bias)]
    plain = [on_gpu(a) for a in (mean, var, weight, bias)]
    calls = [
        ("batch_norm_statistics", [turned(x)], [on_gpu(x)]),
        ("batch_norm_forward", [turned(x), *moved, 0.1], [on_gpu(x), *plain, 0.1]),
        (
            "batch_norm_gradients",
            [turned(gradient), turned(x), *moved[:3], 0.1, True],
            [on_gpu(gradient), on_gpu(x), *plain[:3], 0.1, True],
        ),
    ]
    for name, messy, tidy in calls:
        got, want = (on_cpu(getattr(room, name)(*arguments)) for arguments in (messy, tidy))
        for part, wanted in zip(got, want, strict=True):
            np.testing.assert_array_equal(part, wanted, name)


def test_the_same_bits_every_time():
    rng = np.random.default_rng(6)
    x = on_gpu(rng.standard_normal((9, 5, 13, 11), dtype=np.float32))
    ones = on_gpu(np.ones(5, np.float32))
    first, *others = (
        on_cpu(
            (
                *batch_norm.gpu.batch_norm_statistics(x),
                *batch_norm.gpu.batch_norm_gradients(x, x, ones, ones, ones, 0.1, True),
            )
        )
        for _ in range(3)
    )
    for other in others:
        for part, want in zip(other, first, strict=True):
            np.testing.assert_array_equal(part, want)


# -- the operation -------------------------------------------------------------------------------


def run(where, arrays, training, options=(), needed=(True, True, True)):
    """Run the operation forward and backward; return all there is to compare, on the CPU."""
    x, gradient, weight, bias, mean, var = arrays
    inputs = [
        None if a is None else tensor(a, requires_grad=n, device=where)
        for a, n in zip((x, weight, bias), needed, strict=True)
    ]
    running = [None if a is None else tensor(a, device=where) for a in (mean, var)]
    kept = [None if t is None else t.data for t in running]
    out = F.batch_norm(inputs[0], *running, *inputs[1:], training=training, **dict(options))
    out.backward(tensor(gradient, device=where))
    found = [out, *(t.grad for t in inputs if t is not None and t.requires_grad)]
    found += [t for t in running if t is not None]
    for t in found:
        assert t.device == {"cpu": "cpu", "cuda": "cuda:0"}[where]
    for t, before in zip(running, kept, strict=True):
        assert t is None or t.data is before  # moved in place
    return [t.cpu().data for t in found]


@DTYPES
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)])
def test_the_operation_as_on_the_cpu(shape, training, dtype):
    rng = np.random.default_rng(7)
    x, gradient = rng.standard_normal((2, *shape)).astype(dtype)
    weight, bias, mean, var = per_channel(rng, shape[1], dtype)
    options = {"momentum": 0.37, "eps": 0.2}
    choices = [(weight, bias, mean, var), (None, bias, mean, var), (weight, None, mean, var)]
    if training:
        choices += [(weight, bias, None, var), (None, None, mean, None)]
    for choice in choices:
        arrays = x, gradient, *choice
        got, want = (run(where, arrays, training, options) for where in ("cuda", "cpu"))
        for part, wanted in zip(got, want, strict=True):
            assert part.dtype == dtype
            close(part, wanted, 8)  # sums of up to 40 terms around 1


@pytest.mark.parametrize(
    "needed", [(True, False, False), (False, True, False), (False, True, True)]
)
def test_only_some_gradients_are_wanted(needed):
    rng = np.random.default_rng(8)
    arrays = *rng.standard_normal((2, 4, 3, 2, 2)), *per_channel(rng, 3, np.float64)
    got, want = (run(where, arrays, True, (), needed) for where in ("cuda", "cpu"))
    for part, wanted in zip(got, want, strict=True):
        close(part, wanted, 8)


def test_an_empty_batch_moves_nothing():
    for training in (True, False):
        x, ones = np.zeros((0, 3, 4, 4), np.float32), np.ones(3, np.float32)
        out, _, to_weight, to_bias, mean, var = run("cuda", (x, x, *[ones] * 4), training)
        assert out.shape == x.shape
        for part, want in ((to_weight, 0), (to_bias, 0), (mean, 1), (var, 1)):
            np.testing.assert_array_equal(part, want)


def test_backward_does_not_see_later_statistics():
    x = tensor(np.array([[1.0], [3.0]]), requires_grad=True, device="cuda")
    mean, var = tensor(np.zeros(1), device="cuda"), tensor(np.ones(1), device="cuda")
    out = F.batch_norm(x, mean, var, eps=0.0)
    var.data[...] = 100
    out.backward([[1.0], [1.0]])
    np.testing.assert_array_equal(x.grad.cpu().data, [[1], [1]])


def test_the_layer_as_it_is_used():
    """A few training steps, then evaluation, with all that the layer holds on the device."""
    rng = np.random.default_rng(9)
    images = rng.standard_normal((3, 4, 3, 6, 6), dtype=np.float32) * 2 + 1
    found = []
    for where in ("cpu", "cuda"):
        layer = nn.BatchNorm2d(3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            held = getattr(layer, name)
            held.data = device.put(held.data, "cuda:0" if where == "cuda" else "cpu")
        outputs = []
        for image in images:
            out = layer(tensor(image, device=where))
            (out * out * out).sum().backward()
            outputs.append(out)
        layer.eval()
        outputs += [layer(tensor(images[0], device=where)), layer.running_mean, layer.running_var]
        outputs += [layer.weight.grad, layer.bias.grad]
        found.append([t.cpu().data for t in outputs])
    for got, want in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


def test_what_it_is_for():
    x = np.random.default_rng(10).standard_normal((5, 3, 4, 4)) * 5 - 1000
    out = F.batch_norm(tensor(x, device="cuda"), None, None, training=True, eps=0.0).cpu().data
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(out.var((0, 2, 3)), 1, rtol=1e-12)


@pytest.mark.parametrize("argument", ["running_mean", "running_var", "weight", "bias"])
def test_what_lies_elsewhere_is_named(argument):
    here = tensor(np.ones(3, np.float32), device="cuda")
    per_channel = dict.fromkeys(("running_mean", "running_var", "weight", "bias"), here)
    x = tensor(np.ones((2, 3), np.float32), device="cuda")
    with pytest.raises(ValueError, match="^batch_norm: ") as error:
        F.batch_norm(x, **per_channel | {argument: here.cpu()})
    sentence = f"{argument} (shape (3,)) lies on cpu but x (shape (2, 3)) on cuda:0"
    assert sentence in str(error.value)


def test_other_errors_are_as_on_the_cpu():
    ones = tensor(np.ones(3, np.float32), device="cuda")
    x = tensor(np.ones((1, 3), np.float32), device="cuda")
    with pytest.raises(ValueError, match="training needs more than one value for each channel"):
        F.batch_norm(x, ones, ones, training=True)
    with pytest.raises(TypeError, match="weight has dtype float32 but x has float64"):
        F.batch_norm(x.astype(np.float64), None, None, ones, training=True)
    with pytest.raises(ValueError, match="eps must be a number of at least 0, got nan"):
        F.batch_norm(x, ones, ones, eps=math.nan)
