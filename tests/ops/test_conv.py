"""Convolution: its rungs against each other, its gradients, its laws, its errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.cpu.layout import channels_first
from minigrad.ops.conv import RUNGS, cpu
from minigrad.testing import gradcheck
from minigrad.testing.strategies import conv2d_cases, scrambled
from tests.ops.rungs import (
    assert_rungs_agree,
    integers,
    without_winograd,
)


def channels_last(x):
    return channels_first(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))


@given(conv2d_cases(asymmetric_padding=True))
def test_rungs_agree_to_the_bit(case):
    rng = np.random.default_rng(case.seed)
    x = scrambled(rng, integers(rng, *case.x))
    weight = scrambled(rng, integers(rng, *case.weight))
    bias = integers(rng, case.weight[0])
    window = case.weight[2:], *case.geometry[:3]
    out = assert_rungs_agree(RUNGS, "conv2d_forward", x, weight, bias, *case.geometry)
    assert_rungs_agree(RUNGS, "conv2d_forward", x, weight, None, *case.geometry)
    gradient = scrambled(rng, integers(rng, *out.shape))
    args = case.geometry
    assert_rungs_agree(RUNGS, "conv2d_input_gradient", gradient, weight, case.x, *args)
    assert_rungs_agree(RUNGS, "conv2d_weight_gradient", gradient, x, case.weight, *args)
    assert_rungs_agree(RUNGS, "conv2d_bias_gradient", gradient)
    cols = assert_rungs_agree(RUNGS, "im2col", x, *window)
    cols = scrambled(rng, integers(rng, *cols.shape))
    assert_rungs_agree(RUNGS, "col2im", cols, case.x, *window)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3), (4, 2)])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 5), (7, 2)])
def test_kernels_larger_than_the_map(size, kernel):
    """Elements of the kernel that only ever meet padding: left out, with a gradient of zero."""
    rng = np.random.default_rng(5)
    padding = tuple((k // 2, k // 2 + extra) for k, extra in zip(kernel, (0, 1), strict=True))
    x, weight = integers(rng, 3, 4, *size), integers(rng, 6, 2, *kernel)
    geometry = (1, 1), padding, (1, 1), 2
    out = assert_rungs_agree(RUNGS, "conv2d_forward", x, weight, None, *geometry)
    gradient = integers(rng, *out.shape)
    assert_rungs_agree(RUNGS, "conv2d_input_gradient", gradient, weight, x.shape, *geometry)
    assert_rungs_agree(RUNGS, "conv2d_weight_gradient", gradient, x, weight.shape, *geometry)


@given(conv2d_cases(asymmetric_padding=True))
def test_rungs_agree_on_what_is_folded_in(case):
    """ReLU in the forward pass, its gradient with the bias's, and a gradient added to another."""
    rng = np.random.default_rng(case.seed)
    x, weight = integers(rng, *case.x), integers(rng, *case.weight)
    bias = integers(rng, case.weight[0])
    summed = cpu.conv2d_forward(x, weight, bias, *case.geometry)
    for rung in RUNGS.values():
        out = rung.conv2d_forward(x, weight, bias, *case.geometry, relu=True)
        np.testing.assert_array_equal(out, np.maximum(summed, 0))
    given = scrambled(rng, integers(rng, *out.shape))
    slope, to_bias = assert_rungs_agree(RUNGS, "conv2d_relu_gradient", given, scrambled(rng, out))
    np.testing.assert_array_equal(slope, np.where(out > 0, given, 0))
    np.testing.assert_array_equal(to_bias, slope.sum(axis=(0, 2, 3)))
    before = integers(rng, *case.x)
    alone = cpu.conv2d_input_gradient(slope, weight, case.x, *case.geometry)
    for rung in RUNGS.values():
        for layout in (np.ascontiguousarray, channels_last):
            total = layout(before.copy())
            same = rung.conv2d_input_gradient(slope, weight, case.x, *case.geometry, into=total)
            assert same is total
            np.testing.assert_array_equal(total, before + alone)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 300), st.integers(0, 99))
def test_some_channels_of_a_gradient_are_taken_as_they_lie(C, before, pixels, seed):
    """What concat's gradient hands to each branch: a view with gaps."""
    rng = np.random.default_rng(seed)
    whole = channels_last(integers(rng, 2, C + before + 3, pixels, 3))
    out = channels_last(integers(rng, 2, C, pixels, 3))
    part = whole[:, before : before + C]
    assert_rungs_agree(RUNGS, "conv2d_relu_gradient", part, out)


def test_one_by_one_convolutions_share_one_gradient():
    """Three on one input, as in an Inception module: their gradients meet in one array."""
    rng = np.random.default_rng(4)
    x = tensor(integers(rng, 2, 8, 5, 5), requires_grad=True)
    weights = [tensor(integers(rng, o, 8, 1, 1)) for o in (3, 16, 4)]
    outs = [F.conv2d(x, weight, activation="relu") for weight in weights]
    minigrad.concat([F.relu(x), *outs], axis=1).sum().backward()
    wanted = (x.data > 0).astype(np.float32)
    for weight, out in zip(weights, outs, strict=True):
        passed = (out.data > 0).astype(np.float32)
        wanted += np.einsum("nohw,oc->nchw", passed, weight.data[:, :, 0, 0])
    np.testing.assert_array_equal(x.grad.data, wanted)


@given(conv2d_cases())
def test_relu_folded_in_is_relu_after(case):
    x, weight, bias = (tensor(a, requires_grad=True) for a in case.arrays(np.float64))
    folded = F.conv2d(x, weight, bias, **case.options, activation="relu")
    rng = np.random.default_rng(case.seed)
    cotangent = rng.standard_normal(folded.shape)
    folded.backward(cotangent)
    mine = [t.grad.data.copy() for t in (x, weight, bias)]
    for t in (x, weight, bias):
        t.grad = None
    after = F.relu(F.conv2d(x, weight, bias, **case.options))
    after.backward(cotangent)
    np.testing.assert_array_equal(folded.data, after.data)
    for got, t in zip(mine, (x, weight, bias), strict=True):
        np.testing.assert_allclose(got, t.grad.data, rtol=1e-12, atol=1e-12)


@given(conv2d_cases(asymmetric_padding=True))
def test_backward_is_the_transpose_of_forward(case):
    """⟨conv(x), g⟩ = ⟨x, input gradient⟩ = ⟨w, weight gradient⟩, exactly, on integers."""
    rng = np.random.default_rng(case.seed)
    x, weight = integers(rng, *case.x), integers(rng, *case.weight)
    out = cpu.conv2d_forward(x, weight, None, *case.geometry)
    gradient = integers(rng, *out.shape)
    inner = (out * gradient).sum()
    to_x = cpu.conv2d_input_gradient(gradient, weight, case.x, *case.geometry)
    to_weight = cpu.conv2d_weight_gradient(gradient, x, case.weight, *case.geometry)
    assert (x * to_x).sum() == inner
    assert (weight * to_weight).sum() == inner
    window = case.weight[2:], *case.geometry[:3]
    cols = cpu.im2col(x, *window)
    other = integers(rng, *cols.shape)
    assert (cols * other).sum() == (x * cpu.col2im(other, case.x, *window)).sum()


@given(conv2d_cases())
def test_gradients_by_finite_differences(case):
    gradcheck(lambda *t: F.conv2d(*t, **case.options), case.arrays(), seed=case.seed)


@given(conv2d_cases(), st.sampled_from([np.float32, np.float64]))
def test_operation_like_pytorch(case, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(case.seed)
    arrays = [integers(rng, *s, dtype=dtype) for s in (case.x, case.weight, case.weight[:1])]
    ours = [tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    out = F.conv2d(*ours, **case.options)
    wanted = torch.nn.functional.conv2d(*theirs, **case.options)
    np.testing.assert_array_equal(out.data, wanted.detach().numpy())
    gradient = integers(rng, *out.shape, dtype=dtype)
    out.backward(gradient)
    wanted.backward(torch.from_numpy(gradient))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad.dtype == dtype
        np.testing.assert_array_equal(mine.grad.data, other.grad.numpy())


@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 3), (3, 2), (4, 4)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_same_keeps_the_size_as_pytorch_does(kernel_size, dilation):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight = integers(rng, 2, 3, 7, 6), integers(rng, 4, 3, *kernel_size)
    ours = F.conv2d(tensor(x), tensor(weight), padding="same", dilation=dilation)
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), padding="same", dilation=dilation
    )
    assert ours.shape == (2, 4, 7, 6)
    np.testing.assert_array_equal(ours.data, theirs.numpy())


@given(conv2d_cases())
def test_im2col_and_col2im_like_pytorch(case):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(case.seed)
    x = integers(rng, max(case.x[0], 1), *case.x[1:])
    theirs = torch.nn.functional.unfold(torch.from_numpy(x), **case.window)
    ours = F.im2col(tensor(x), **case.window)
    np.testing.assert_array_equal(ours.data, theirs.numpy())
    folded = torch.nn.functional.fold(theirs, x.shape[2:], **case.window)
    back = F.col2im(ours, x.shape[2:], **case.window)
    np.testing.assert_array_equal(back.data, folded.numpy())


@given(conv2d_cases())
def test_im2col_and_col2im_gradients(case):
    rng = np.random.default_rng(case.seed)
    x = rng.standard_normal(case.x)
    gradcheck(lambda t: F.im2col(t, **case.window), [x], seed=case.seed)
    cols = rng.standard_normal(F.im2col(tensor(x), **case.window).shape)
    gradcheck(lambda t: F.col2im(t, case.x[2:], **case.window), [cols], seed=case.seed)


# The tiles of the compiled rung are larger than the images above. These shapes fill several, with
# a ragged last one; 1×1 and 3×3, whole windows and borders, more channels than pixels.
LARGE = [
    ((3, 16, 33, 31), (24, 16, 3, 3), (1, 1), 1, 1),
    ((2, 3, 61, 59), (16, 3, 7, 7), (2, 2), 3, 1),
    ((5, 64, 17, 16), (48, 64, 1, 1), (1, 1), 0, 1),
    ((1, 300, 8, 8), (40, 300, 5, 5), (1, 1), 2, 1),
    ((40, 32, 3, 3), (64, 32, 3, 3), (1, 1), 1, 1),
    ((2, 32, 24, 24), (32, 8, 3, 3), (1, 2), 1, 4),
    ((700, 8, 1, 1), (520, 8, 1, 1), (1, 1), 0, 1),
]


@pytest.mark.parametrize(("x", "weight", "stride", "padding", "groups"), LARGE)
def test_many_tiles(x, weight, stride, padding, groups):
    """The compiled rung against NumPy's, to the bit, whatever the number of threads."""
    rng = np.random.default_rng(1)
    x_shape, weight_shape = x, weight
    x, weight = integers(rng, *x, low=-2, high=3), integers(rng, *weight, low=-2, high=3)
    bias = integers(rng, len(weight))
    geometry = stride, ((padding, padding), (padding, padding)), (1, 1), groups
    rungs = {name: RUNGS[name] for name in ("vectorized", "cpu")}
    gradient = None
    before = minigrad.get_num_threads()
    try:
        for threads in (1, 2, 3):
            minigrad.set_num_threads(threads)
            with without_winograd():
                out = cpu.conv2d_forward(x, weight, bias, *geometry)
                if gradient is None:
                    gradient = integers(rng, *out.shape, low=-2, high=3)
                for name, arguments in (
                    ("conv2d_forward", (x, weight, bias, *geometry)),
                    ("conv2d_input_gradient", (gradient, weight, x_shape, *geometry)),
                    ("conv2d_weight_gradient", (gradient, x, weight_shape, *geometry)),
                    ("conv2d_bias_gradient", (gradient,)),
                ):
                    got = {
                        rung: getattr(module, name)(*arguments) for rung, module in rungs.items()
                    }
                    np.testing.assert_array_equal(got["cpu"], got["vectorized"], name)
    finally:
        minigrad.set_num_threads(before)


def test_bits_do_not_depend_on_threads():
    """With real numbers sums depend on their order; the order must not depend on threads."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((6, 16, 40, 40), dtype=np.float32)
    weight = rng.standard_normal((32, 16, 3, 3), dtype=np.float32)
    gradient = rng.standard_normal((6, 32, 40, 40), dtype=np.float32)
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1), 1
    before, seen = minigrad.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            minigrad.set_num_threads(threads)
            seen.append(
                [
                    cpu.conv2d_forward(x, weight, None, *geometry),
                    cpu.conv2d_input_gradient(gradient, weight, x.shape, *geometry),
                    cpu.conv2d_weight_gradient(gradient, x, weight.shape, *geometry),
                    cpu.conv2d_bias_gradient(gradient),
                ]
            )
    finally:
        minigrad.set_num_threads(before)
    for others in seen[1:]:
        for mine, first in zip(others, seen[0], strict=True):
            np.testing.assert_array_equal(mine, first)


def test_what_comes_out_lies_channels_last():
    """So that the next layer need not copy."""
    x = np.zeros((2, 3, 8, 8), np.float32)
    out = cpu.conv2d_forward(
        x, np.zeros((4, 3, 3, 3), np.float32), None, (1, 1), ((1, 1),) * 2, (1, 1), 1
    )
    assert out.transpose(0, 2, 3, 1).flags.c_contiguous


def test_shift_equivariance():
    rng = np.random.default_rng(3)
    x, weight = integers(rng, 1, 2, 9, 9), tensor(integers(rng, 3, 2, 3, 3))
    moved = np.roll(x, (2, 1), axis=(2, 3))
    out, out_moved = F.conv2d(tensor(x), weight).data, F.conv2d(tensor(moved), weight).data
    np.testing.assert_array_equal(out[:, :, :-2, :-1], out_moved[:, :, 2:, 1:])


def test_groups_are_convolutions_side_by_side():
    rng = np.random.default_rng(4)
    x, weight = integers(rng, 2, 6, 5, 5), integers(rng, 4, 3, 3, 3)
    grouped = F.conv2d(tensor(x), tensor(weight), groups=2).data
    halves = [
        F.conv2d(tensor(x[:, c : c + 3]), tensor(weight[o : o + 2])).data
        for c, o in ((0, 0), (3, 2))
    ]
    np.testing.assert_array_equal(grouped, np.concatenate(halves, axis=1))


def test_a_gradient_that_is_not_needed_is_not_computed(monkeypatch):
    monkeypatch.setattr(cpu, "conv2d_input_gradient", None)  # calling it would raise
    weight = tensor(np.ones((1, 1, 1, 1), np.float32), requires_grad=True)
    F.conv2d(tensor(np.ones((1, 1, 2, 2), np.float32)), weight).sum().backward()
    assert weight.grad.item() == 4


X, W = np.zeros((2, 4, 5, 5), np.float32), np.zeros((6, 4, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((X[0], W), {}, "x must have 4 axes (N, C, H, W), got shape (4, 5, 5)"),
        ((X, W[0]), {}, "weight must have 4 axes (N, C, H, W), got shape (4, 3, 3)"),
        ((X[:, :2], W), {}, "weight has 4 input channels (shape (6, 4, 3, 3)) but x has 2"),
        ((X, W[:, :3]), {"groups": 2}, "weight has 3 input channels × 2 groups"),
        ((X, W), {"groups": 4}, "groups = 4 must divide both x's 4 channels and weight's 6"),
        ((X, W), {"groups": 0}, "groups must be a positive integer, got 0"),
        ((X, W, np.zeros(5, np.float32)), {}, "bias must have shape (6,)"),
        ((X, W), {"stride": 0}, "stride must be an integer of at least 1"),
        ((X, W), {"padding": (1, 2, 3)}, "padding must be an integer of at least 0 or a pair"),
        ((X, W), {"padding": "full"}, 'padding must be "same", "valid" or numbers'),
        ((X, W), {"padding": "same", "stride": 2}, 'padding "same" needs stride 1'),
        ((X, W), {"dilation": 3}, "the window covers 7×7 but the padded input is only 5×5"),
        ((X, W[:0]), {}, "weight must not be empty"),
    ],
)
def test_errors_say_what_is_wrong(arguments, options, sentence):
    with pytest.raises(ValueError, match="^conv2d: ") as error:
        F.conv2d(*(tensor(a) for a in arguments), **options)
    assert sentence in str(error.value)


def test_errors_of_type():
    with pytest.raises(TypeError, match="conv2d: x must be a Tensor, got ndarray"):
        F.conv2d(X, tensor(W))
    with pytest.raises(TypeError, match="conv2d: x must be float32 or float64, got int64"):
        F.conv2d(tensor(X.astype(int)), tensor(W))
    with pytest.raises(TypeError, match="conv2d: weight has dtype float64 but x has float32"):
        F.conv2d(tensor(X), tensor(W.astype(np.float64)))


def test_errors_of_col2im():
    with pytest.raises(ValueError, match="cols must have a multiple of 9 rows"):
        F.col2im(tensor(np.zeros((1, 10, 9), np.float32)), 5, 3)
    with pytest.raises(ValueError, match="9 columns"):
        F.col2im(tensor(np.zeros((1, 9, 8), np.float32)), 5, 3)
