"""float16 and bfloat16 on a GPU: the conversions, the kernels, the whole network."""

import numpy as np
import pytest

import minigrad
from googlenet.model import GoogLeNet, loss
from minigrad import functional as F
from minigrad import tensor
from minigrad.gpu import Source, empty
from minigrad.ops import concat, conv, dropout, linear, lrn, pool, relu
from tests.gpu.rungs import assert_agree, on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")
ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
small = pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)

CONVERT = """
extern "C" __global__ void widen(Index count, const Real* x, Sum* out) {
    Index i = THREAD;
    if (i < count) out[i] = x[i];
}

extern "C" __global__ void narrow(Index count, const Sum* x, Real* out) {
    Index i = THREAD;
    if (i < count) out[i] = x[i];
}
"""


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert")
    (folder / "kernels.cu").write_text(CONVERT)
    return Source(str(folder / "gpu.py"), small=True)


def same(a, b):
    """Compare bits; a NaN is a NaN."""
    assert a.dtype == b.dtype
    wanted, got = np.where(np.isnan(a), 0, a), np.where(np.isnan(b), 0, b)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    np.testing.assert_array_equal(wanted, got)
    np.testing.assert_array_equal(np.signbit(wanted), np.signbit(got))


@small
def test_every_number_of_16_bits_becomes_the_float_it_is(convert, dtype):
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    out = empty(every.shape, np.float32)
    convert.launch("widen", every.size, on_gpu(every), out)
    same(on_cpu(out), every.astype(np.float32))


@small
def test_floats_are_rounded_to_the_nearest(convert, dtype):
    rng = np.random.default_rng(0)
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float32)
    every = np.sort(every[np.isfinite(every)])
    middle = (every[:-1].astype(np.float64) + every[1:]) / 2  # where ties are, and just beside
    middle = middle.astype(np.float32)
    drawn = rng.integers(0, 1 << 32, 1 << 16, dtype=np.uint32).view(np.float32)
    near = np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(-np.inf))
    special = [
        0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        65504,
        65519.996,
        65520,
        3.4e38,
        1e-8,
        2.9802322e-8,
    ]
    x = np.concatenate([every, middle, *near, drawn, np.float32(special)])
    out = empty(x.shape, dtype)
    convert.launch("narrow", x.size, on_gpu(x), out, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        same(on_cpu(out), x.astype(dtype))


@small
def test_rooms_agree_with_the_definition(dtype):
    """On integers so small that bfloat16's 8 bits hold every result."""
    rng = np.random.default_rng(1)
    x, weight = (
        integers(rng, *s, low=-1, high=2, dtype=dtype) for s in ((3, 4, 6, 5), (4, 2, 3, 2))
    )
    geometry = (2, 1), ((1, 0), (0, 1)), (1, 1), 2
    bias = integers(rng, 4)
    out = assert_agree(conv, "conv2d_forward", x, weight, bias, *geometry)
    assert out.dtype == dtype
    gradient = integers(rng, *out.shape, low=-1, high=2, dtype=dtype)
    back = assert_agree(conv, "conv2d_input_gradient", gradient, weight, x.shape, *geometry)
    assert back.dtype == dtype
    to_weight = assert_agree(conv, "conv2d_weight_gradient", gradient, x, weight.shape, *geometry)
    assert (
        to_weight.dtype == assert_agree(conv, "conv2d_bias_gradient", gradient).dtype == np.float32
    )
    slope, to_bias = assert_agree(conv, "conv2d_relu_gradient", gradient, out)
    assert (slope.dtype, to_bias.dtype) == (dtype, np.float32)
    rows, matrix = (integers(rng, *s, low=-1, high=2, dtype=dtype) for s in ((5, 7), (3, 7)))
    assert assert_agree(linear, "linear_forward", rows, matrix, integers(rng, 3)).dtype == dtype
    made = assert_agree(linear, "linear_weight_gradient", rows[:, :3].copy(), rows)
    assert made.dtype == np.float32


@small
def test_pooling_agrees_with_the_definition(dtype):
    rng = np.random.default_rng(2)
    x = integers(rng, 2, 3, 6, 4, dtype=dtype)
    place = (2, 2), (2, 2), ((0, 0), (0, 0))
    out, winners = assert_agree(pool, "max_pool2d_forward", x, *place, (1, 1), False)
    gradient = integers(rng, *out.shape, dtype=dtype)
    assert_agree(pool, "max_pool2d_input_gradient", gradient, winners, x.shape, *place, (1, 1))
    assert_agree(pool, "avg_pool2d_forward", x, *place, False, True)
    assert_agree(pool, "avg_pool2d_input_gradient", gradient, x.shape, *place, False, True)
    assert_agree(pool, "adaptive_avg_pool2d_forward", x, (3, 2))
    assert_agree(pool, "adaptive_avg_pool2d_input_gradient", gradient, x.shape)


@small
def test_the_other_rooms_agree_with_the_definition(dtype):
    rng = np.random.default_rng(3)
    x, gradient = (integers(rng, 2, 4, 3, 2, dtype=dtype) for _ in range(2))
    assert_agree(relu, "relu_input_gradient", gradient, assert_agree(relu, "relu_forward", x))
    for p in (0.5, 0.75):
        assert_agree(dropout, "dropout_forward", x, p, 12345)
        assert_agree(dropout, "dropout_input_gradient", gradient, p, 12345)
    assert_agree(concat, "concat_forward", [x, gradient, x], 1)
    signs = rng.choice([-1, 1], x.shape).astype(dtype)
    _, scale = assert_agree(lrn, "lrn_forward", signs, 7, 7.0, 1.0, 0.0)
    assert scale.dtype == np.float32
    assert_agree(lrn, "lrn_input_gradient", gradient, signs, scale, 7, 7.0, 1.0)
    window = (2, 2), (1, 1), ((1, 0), (0, 1)), (1, 1)
    cols = assert_agree(conv, "im2col", x, *window)
    small_cols = integers(rng, *cols.shape, dtype=dtype)
    assert_agree(conv, "col2im", small_cols, x.shape, *window)


def test_a_weight_gradient_keeps_what_16_bits_would_lose():
    """2048 + 1 is no float16. Sums are float32, and the weight's gradient stays one."""
    x = tensor(np.ones((1, 1, 1, 2049), np.float16), device="cuda")
    weight = tensor(np.ones((1, 1, 1, 1), np.float32), device="cuda", requires_grad=True)
    F.conv2d(x, weight).sum().backward()
    assert weight.grad.dtype == np.float32
    assert weight.grad.item() == 2049


def test_a_small_gradient_is_not_lost_in_the_weight():
    """2⁻²⁵ is below float16's smallest number; as a sum of products of 2⁻¹³ · 2⁻¹² it stays."""
    x = tensor(np.full((1, 1, 1, 1), 2**-13, np.float16), device="cuda")
    weight = tensor(np.ones((1, 1, 1, 1), np.float32), device="cuda", requires_grad=True)
    F.conv2d(x, weight).backward(np.full((1, 1, 1, 1), 2**-12, np.float16))
    assert weight.grad.item() == 2**-25


@small
def test_googlenet_as_on_the_cpu(dtype):
    """One step of the whole network: what differs are roundings of 16 bits."""
    images = np.random.default_rng(0).standard_normal((2, 1, 32, 32)).astype(np.float32)
    results = []
    for place in ("cpu", "cuda"):
        minigrad.manual_seed(0)
        net = GoogLeNet(10, in_channels=1, image_size=32, init="he").to(place)
        outputs = net(tensor(images, device=place).astype(dtype))
        assert outputs.logits.dtype == dtype
        total, _ = loss(outputs, np.array([3, 5]), 0.1)
        assert total.dtype == np.float32
        total.backward()
        results.append((total.item(), [on_cpu(p.grad.data) for p in net.parameters()]))
    (wanted, gradients), (got, ours) = results
    assert all(g.dtype == np.float32 for g in ours)
    assert got == pytest.approx(wanted, rel=4 * float(ml_dtypes.finfo(dtype).eps))
    for a, b in zip(gradients, ours, strict=True):
        cosine = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
        assert cosine > 0.99


def test_bfloat16_moves_and_prints():
    x = tensor([1.5, -2.0], dtype="bfloat16", device="cuda")
    assert x.dtype == BFLOAT16
    assert repr(x) == "tensor([1.5, -2], dtype=bfloat16, device=cuda:0)"
    assert x.cpu().numpy().dtype == BFLOAT16
