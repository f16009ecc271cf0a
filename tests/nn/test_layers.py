"""Layers: the right operation with the right options, and where their weights begin."""

import numpy as np
import pytest

import minigrad
from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.nn import init

X = np.random.default_rng(0).standard_normal((2, 4, 9, 9)).astype(np.float32)

# Each layer with options away from their defaults, beside the operation it must call.
LAYERS = [
    (nn.MaxPool2d(3, 2, 1, 1, ceil_mode=True), lambda x: F.max_pool2d(x, 3, 2, 1, 1, True)),
    (nn.MaxPool2d(2, dilation=2), lambda x: F.max_pool2d(x, 2, dilation=2)),
    (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    ),
    (nn.AdaptiveAvgPool2d((2, 3)), lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
    (nn.ReLU(), F.relu),
    (
        nn.LocalResponseNorm(3, alpha=1.0, beta=0.5, k=2.0),
        lambda x: F.local_response_norm(x, 3, 1.0, 0.5, 2.0),
    ),
    (nn.Flatten(), lambda x: x.reshape(2, -1)),
]


@pytest.mark.parametrize(("layer", "operation"), LAYERS, ids=[repr(layer) for layer, _ in LAYERS])
def test_layer_is_its_operation(layer, operation):
    np.testing.assert_array_equal(layer(tensor(X)).data, operation(tensor(X)).data)


def test_conv2d_passes_all_options_on():
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
    wanted = F.conv2d(tensor(X), layer.weight, layer.bias, (2, 1), (1, 0), (1, 2), 2)
    np.testing.assert_array_equal(layer(tensor(X)).data, wanted.data)
    assert nn.Conv2d(4, 6, 3, bias=False).bias is None


def test_padding_by_name():
    """ "valid" is none; "same" keeps the size, and where it is odd the end gets one more."""
    layer = nn.Conv2d(4, 6, (2, 3), padding="valid")
    np.testing.assert_array_equal(
        layer(tensor(X)).data, F.conv2d(tensor(X), layer.weight, layer.bias).data
    )
    layer.padding = "same"
    around = F.pad(tensor(X), (1, 1, 0, 1))
    out = layer(tensor(X))
    assert out.shape == (2, 6, 9, 9)
    np.testing.assert_allclose(
        out.data, F.conv2d(around, layer.weight, layer.bias).data, rtol=1e-5, atol=1e-6
    )


def test_dropout_only_in_training():
    layer = nn.Dropout(0.5)
    minigrad.manual_seed(0)
    dropped = layer(tensor(X)).data
    assert 0.3 < (dropped == 0).mean() < 0.7
    np.testing.assert_array_equal(layer.eval()(tensor(X)).data, X)
    minigrad.manual_seed(0)
    np.testing.assert_array_equal(layer.train()(tensor(X)).data, dropped)


def test_batch_norm_keeps_statistics_in_training_and_uses_them_after():
    layer = nn.BatchNorm2d(4, momentum=1.0)
    out = layer(tensor(X))
    np.testing.assert_allclose(layer.running_mean.data, X.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.data, X.var((0, 2, 3), ddof=1), rtol=1e-5)
    np.testing.assert_allclose(out.data.mean((0, 2, 3)), 0, atol=1e-6)
    used = layer.eval()(tensor(X)).data
    spread = np.sqrt(X.var((0, 2, 3), ddof=1) + 1e-5)[:, None, None]
    wanted = (X - X.mean((0, 2, 3))[:, None, None]) / spread
    np.testing.assert_allclose(used, wanted, rtol=1e-4, atol=1e-5)


def test_cross_entropy_loss_passes_its_options_on():
    logits, target = tensor(X[:, :, 0, 0]), np.array([1, 3])
    weight = tensor([1.0, 2.0, 3.0, 4.0])
    loss = nn.CrossEntropyLoss(weight, ignore_index=3, reduction="sum", label_smoothing=0.1)
    wanted = F.cross_entropy(logits, target, weight, 3, "sum", 0.1)
    assert loss(logits, target).item() == wanted.item()
    assert list(dict(loss.named_buffers())) == ["weight"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: nn.Conv2d(0, 1, 1), "Conv2d: in_channels must be a positive integer, got 0"),
        (lambda: nn.Conv2d(4, 6, 1, groups=4), "groups = 4 must divide in_channels = 4"),
        (lambda: nn.Linear(2, 1.5), "Linear: out_features must be a positive integer, got 1.5"),
        (lambda: nn.Dropout(1.5), "Dropout: p must lie between 0 and 1, got 1.5"),
        (lambda: nn.BatchNorm2d(3, 64), "BatchNorm2d: eps must be a small positive number"),
    ],
)
def test_errors(make, sentence):
    with pytest.raises(ValueError, match=".") as error:
        make()
    assert sentence in str(error.value)


# -- initialisation ------------------------------------------------------------------------------


def weights(function, *options):
    tensor_ = tensor(np.empty((64, 32, 3, 3), np.float32))
    assert function(tensor_, *options, np.random.default_rng(0)) is tensor_
    return tensor_.data


FAN_IN, FAN_OUT = 32 * 9, 64 * 9


@pytest.mark.parametrize(
    ("function", "variance", "bound"),
    [
        (init.xavier_uniform_, 2 / (FAN_IN + FAN_OUT), np.sqrt(6 / (FAN_IN + FAN_OUT))),
        (init.xavier_normal_, 2 / (FAN_IN + FAN_OUT), np.inf),
        (init.he_uniform_, 2 / FAN_IN, np.sqrt(6 / FAN_IN)),
        (init.he_normal_, 2 / FAN_IN, np.inf),
    ],
)
def test_variances_are_the_published_ones(function, variance, bound):
    drawn = weights(function)
    # 18,432 draws: the relative error of a variance is about √(2/n) ≈ 1 %.
    assert abs(drawn.var() / variance - 1) < 0.05
    assert abs(drawn.mean()) < 0.05 * np.sqrt(variance)
    assert np.abs(drawn).max() <= bound


def test_plain_fills():
    assert (init.constant_(tensor(np.empty(3, np.float32)), 0.2).data == np.float32(0.2)).all()
    drawn = weights(init.normal_, 1.0, 0.5)
    assert abs(drawn.mean() - 1) < 0.02
    assert abs(drawn.std() - 0.5) < 0.02
    drawn = weights(init.uniform_, -1.0, 3.0)
    assert -1 <= drawn.min() < -0.9
    assert 2.9 < drawn.max() < 3


def test_fans_need_a_weight():
    with pytest.raises(ValueError, match=r"a weight has at least 2 axes, got shape \(3,\)"):
        init.fans(tensor([1.0, 2.0, 3.0]))


def test_layers_begin_as_their_generator_says():
    make = lambda seed: nn.Conv2d(3, 4, 3, generator=np.random.default_rng(seed))  # noqa: E731
    np.testing.assert_array_equal(make(1).weight.data, make(1).weight.data)
    assert (make(1).weight.data != make(2).weight.data).any()
    minigrad.manual_seed(5)
    one = nn.Linear(3, 4)
    minigrad.manual_seed(5)
    np.testing.assert_array_equal(one.weight.data, nn.Linear(3, 4).weight.data)
    assert (one.weight.data != nn.Linear(3, 4).weight.data).any()
    assert np.abs(one.weight.data).max() <= 1 / np.sqrt(3)
