"""float16 and bfloat16 on the CPU: kept in 16 bits, computed in 32, rounded once."""

import numpy as np
import pytest

import minigrad
from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.dtypes import as_dtype, is_floating, is_small

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
small = pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)


def drawn(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def run(operation, arrays, dtype=None):
    """Compute and go back; return what came out, and all gradients."""
    inputs = [tensor(a, requires_grad=True) for a in arrays]
    out = operation(*inputs)
    gradient = drawn(*out.shape, seed=9).astype(dtype or out.dtype)
    out.backward(gradient.astype(out.dtype))
    return out, [t.grad.numpy() for t in inputs]


LAYERS = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), (2, 3, 5, 4), (4, 3, 3, 3), (4,)),
    "conv2d, relu": (
        lambda x, w, b: F.conv2d(x, w, b, stride=2, activation="relu"), (2, 3, 5, 4), (4, 3, 3, 3),
        (4,),
    ),
    "linear": (F.linear, (5, 7), (3, 7), (3,)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), (2, 3, 5, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 1, 1), (2, 3, 5, 4)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 2), (2, 3, 5, 4)),
    "relu": (F.relu, (3, 4)),
    "dropout": (lambda x: F.dropout(x, 0.5, key=3), (30, 4)),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3, 1.0), (2, 5, 2, 3)),
    "softmax": (lambda x: F.softmax(x, 1), (3, 4)),
    "log_softmax": (lambda x: F.log_softmax(x, 1), (3, 4)),
    "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True), (6, 3)),
}  # fmt: skip


@small
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rung", ["naive", "vectorized", "cpu"])
def test_as_float32_with_results_rounded(name, rung, dtype):
    operation, image, *parameters = LAYERS[name]
    x = drawn(*image).astype(dtype)
    others = [drawn(*shape, seed=i + 1) for i, shape in enumerate(parameters)]
    # What float32 makes of the rounded numbers. The bias is not rounded, nor are its gradient and
    # that of the weight.
    rounded = [a.astype(dtype).astype(np.float32) if a.ndim > 1 else a for a in others]
    with minigrad.kernels(rung):
        want, wanted = run(operation, [x.astype(np.float32), *rounded], dtype)
        got, gradients = run(operation, [x, *others])
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.numpy(), want.numpy().astype(dtype))
    assert gradients[0].dtype == dtype
    for a in gradients[1:]:
        assert a.dtype == np.float32
    if name == "conv2d, relu":  # its ReLU looks at the rounded output
        return
    for a, b in zip(gradients, wanted, strict=True):
        np.testing.assert_array_equal(a, b.astype(a.dtype))


@small
def test_losses_are_float32(dtype):
    logits = drawn(4, 3).astype(dtype)
    for loss in (F.cross_entropy, F.nll_loss):
        x = tensor(logits, requires_grad=True)
        made = loss(x, np.array([0, 2, 1, 1]))
        assert made.dtype == np.float32
        assert made.item() == loss(tensor(logits.astype(np.float32)), np.array([0, 2, 1, 1])).item()
        made.backward()
        assert x.grad.dtype == dtype


@small
def test_several_gradients_meet(dtype):
    """A convolution adds its gradient to that of another, which has 16 bits too."""
    x = tensor(np.ones((1, 1, 2, 2), dtype), requires_grad=True)
    weight = tensor(np.full((1, 1, 1, 1), 2.0, np.float32))
    (F.conv2d(x, weight) + F.conv2d(x, weight)).sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.tolist() == [[[[4.0, 4.0], [4.0, 4.0]]]]


@small
def test_arithmetic_and_moving(dtype):
    x = tensor([1.0, 2.0], dtype=dtype)
    assert (x * 2 + 1).dtype == dtype
    assert (x + tensor([1.0, 1.0])).dtype == np.float32
    assert minigrad.concat([x, x]).dtype == dtype
    assert x.reshape(2, 1).astype(np.float32).tolist() == [[1.0], [2.0]]
    assert nn.Linear(2, 1).astype(dtype)(x.reshape(1, 2)).dtype == dtype


def test_bfloat16_by_name():
    assert as_dtype("bfloat16") == BFLOAT16
    assert is_small(BFLOAT16)
    assert is_floating(BFLOAT16)
    assert not is_small(np.dtype(np.int16))
    assert not is_floating(np.dtype("V2"))
    x = tensor([1.0], dtype="bfloat16").astype("float16")
    assert repr(x) == "tensor([1.], dtype=float16, device=cpu)"


def test_bfloat16_without_the_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(TypeError, match="bfloat16 needs a package: pip install ml_dtypes"):
        tensor([1.0]).astype("bfloat16")


def test_dtypes_that_do_not_go_together():
    x, weight = tensor(np.ones((1, 2), np.float16)), tensor(np.ones((3, 2), np.float64))
    with pytest.raises(TypeError, match="linear: weight has dtype float64 but x has float16"):
        F.linear(x, weight)
    with pytest.raises(TypeError, match="linear: weight has dtype float16 but x has float32"):
        F.linear(tensor(np.ones((1, 2), np.float32)), weight.astype(np.float16))
    with pytest.raises(TypeError, match="batch_norm: weight has dtype float16 but x has float32"):
        F.batch_norm(tensor(np.ones((3, 2), np.float16)), None, None,
                     tensor(np.ones(2, np.float16)), training=True)  # fmt: skip
