"""Layers, modules and first values: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np

import minigrad
from minigrad import functional as F
from minigrad import nn
from minigrad.autograd import Array
from minigrad.nn import init
from minigrad.testing.place import fetch, here, tensor
from minigrad.testing.strategies import random_array
from minigrad.testing.suite import oracles
from minigrad.testing.suite.comparing import near, same
from minigrad.testing.suite.property import holds


def _near(got: Any, want: Any, what: str = "the output", rtol: float = 1e-5) -> None:
    near(got, want, what, rtol)


def _images(*shape: int) -> Array:
    return random_array(shape, dtype=np.float32)


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


# -- layers --------------------------------------------------------------------------------------


@holds("layers")
def dropout_drops_in_training_only() -> None:
    """Zeros in training, another mask each time; nothing in use."""
    layer, x = nn.Dropout(0.5), tensor(np.ones((20, 20), np.float32))
    first, second = fetch(layer(x)), fetch(layer(x))
    assert (first == 0).any(), "nothing was dropped in training"
    assert (first != second).any(), "two steps dropped the same numbers"
    _near(layer.eval()(x).data, x.data)


def _statistics(layer: nn.BatchNorm2d) -> tuple[Array, Array]:
    return fetch(layer.running_mean).copy(), fetch(layer.running_var).copy()


@holds("layers")
def batch_norm_in_training() -> None:
    """The batch is normalised by its own statistics, and the running ones move towards them."""
    layer = nn.BatchNorm2d(3, eps=0.5, momentum=0.25).to(here())
    x = 2 * _images(4, 3, 2, 2) + 1
    out = layer(tensor(x))
    _near(out.data, oracles.batch_norm(x, np.ones(3), np.zeros(3), 0.5))
    values = x.swapaxes(0, 1).reshape(3, -1)
    mean, var = _statistics(layer)
    _near(mean, 0.25 * values.mean(1), "the running mean")
    _near(var, 0.75 + 0.25 * values.var(1, ddof=1), "the running variance")


@holds("layers")
def batch_norm_in_use() -> None:
    """The running statistics normalise and stay: an image's result does not depend on others."""
    layer, x = nn.BatchNorm2d(3).to(here()), 2 * _images(4, 3, 2, 2) + 1
    layer(tensor(x))
    layer.eval()
    before = _statistics(layer)
    together, alone = layer(tensor(x)).data, layer(tensor(x[:1])).data
    _near(together[:1], alone, "an image among others")
    for now, then in zip(_statistics(layer), before, strict=True):
        same(now, then, "a running statistic")
    want = (x.swapaxes(1, 3) - before[0]) / np.sqrt(before[1] + 1e-5)
    _near(together, want.swapaxes(1, 3))


@holds("layers")
def options_arrive() -> None:
    """Every layer gives what its operation gives with the options it was made with."""
    x = tensor(_images(2, 4, 7, 6))
    lopsided: dict[str, Any] = {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)}
    max_pool = {**lopsided, "kernel_size": (4, 3), "padding": (2, 1), "ceil_mode": True}
    avg_pool = {
        "kernel_size": (3, 2), "stride": (3, 2), "padding": (1, 1), "ceil_mode": True,
        "count_include_pad": False,
    }  # fmt: skip
    responses = {"size": 3, "alpha": 1.0, "beta": 0.5, "k": 2.0}
    for layer, f, options in (
        (nn.MaxPool2d, F.max_pool2d, max_pool),
        (nn.AvgPool2d, F.avg_pool2d, avg_pool),
        (nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d, {"output_size": (3, 2)}),
        (nn.LocalResponseNorm, F.local_response_norm, responses),
    ):
        made: Any = layer(**options)
        same(made(x).data, f(x, **options).data, f"the output of {layer.__name__}")
    for groups in (1, 2):
        conv = nn.Conv2d(4, 6, (2, 3), **lopsided, groups=groups, generator=_generator())
        conv.to(here())
        want = F.conv2d(x, conv.weight, conv.bias, **lopsided, groups=groups)
        same(conv(x).data, want.data, "the output of Conv2d")
    same(nn.Flatten()(x).shape, (2, 168), "the shape after Flatten")
    same(nn.Flatten(2)(x).shape, (2, 4, 42), "the shape after Flatten(2)")


@holds("layers")
def the_loss_gets_its_options() -> None:
    """Weights, the index to ignore, the reduction and label smoothing reach the loss."""
    logits, target = tensor(_images(4, 3)), np.array([2, 0, 1, 1])
    weight = tensor(np.array([0.5, 2.0, 3.0], np.float32))
    options: Any = {"ignore_index": 0, "reduction": "none", "label_smoothing": 0.2}
    layer = nn.CrossEntropyLoss(weight, **options)
    _near(layer(logits, target).data, F.cross_entropy(logits, target, weight, **options).data)


@holds("layers")
def layers_run_in_order() -> None:
    """Sequential runs all of its layers, the first one first."""
    shapes = (3, 2), (2, 3)
    first, second = (nn.Linear(*s, generator=_generator()).to(here()) for s in shapes)
    x = tensor(_images(2, 3))
    _near(nn.Sequential(first, second)(x).data, second(first(x)).data)


# -- modules -------------------------------------------------------------------------------------


class _Net(nn.Module):
    """Layers as an attribute and in a list, one of them twice, with buffers."""

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.first = nn.Conv2d(1, 2, 1, generator=generator)
        self.rest = [nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1, generator=generator)]
        self.again = self.rest[1]
        self.to(here())


@holds("module")
def parameters_are_found() -> None:
    """All parameters, those in lists too, and each once; buffers apart."""
    net = _Net()
    names = [name for name, _ in net.named_parameters()]
    modules = "first", "rest.0", "rest.1"
    same(names, [f"{m}.{p}" for m in modules for p in ("weight", "bias")], "the list of parameters")
    buffers = [name for name, _ in net.named_buffers()]
    same(buffers, ["rest.0.running_mean", "rest.0.running_var"], "the list of buffers")


@holds("module")
def state_is_copied() -> None:
    """Loading changes all numbers of a module, buffers too, and keeps no array of the state."""
    net, other = _Net(0), _Net(1)
    other.rest[0](tensor(_images(2, 2, 2, 2)))
    saved = {name: array.copy() for name, array in other.state_dict().items()}
    assert "rest.0.running_mean" in saved, "the running statistics are not saved"
    net.load_state_dict(saved)
    for name, array in net.state_dict().items():
        same(array, other.state_dict()[name], name)
        assert not np.shares_memory(array, saved[name]), f"{name} shares the state's memory"


@holds("module")
def modes_reach_everything() -> None:
    """Train and eval set the modules inside too."""
    net = _Net()
    for mode in (False, True):
        net.train(mode)
        for name, module in net.named_modules():
            assert module.training is mode, f"{name or 'the net'} is not set to {mode}"


@holds("module")
def gradients_are_forgotten() -> None:
    """zero_grad leaves no gradient."""
    net = _Net()
    net.first(tensor(_images(1, 1, 2, 2))).sum().backward()
    assert net.first.weight.grad is not None
    net.zero_grad()
    for name, parameter in net.named_parameters():
        assert parameter.grad is None, f"{name} still has a gradient"


@holds("module")
def astype_reaches_everything() -> None:
    """Parameters and buffers take the dtype, and the module computes in it."""
    net = _Net().astype(np.float64)
    for name, array in net.state_dict().items():
        assert array.dtype == np.float64, f"{name} is {array.dtype}"
    out: Any = net.rest[0](tensor(random_array((2, 2, 2, 2))))
    assert out.dtype == np.float64


# -- first values --------------------------------------------------------------------------------


@holds("init")
def first_values_have_their_spread() -> None:
    """By fan_in = I·kh·kw and fan_out = O·kh·kw; two sides that differ, so that they show."""
    weight = tensor(np.empty((40, 5, 3, 3)))
    fan_in, fan_out = 45, 360
    same(init.fans(weight), (fan_in, fan_out), "(fan_in, fan_out)")
    for fill, deviation in (
        (init.xavier_uniform_, np.sqrt(2 / (fan_in + fan_out))),
        (init.xavier_normal_, np.sqrt(2 / (fan_in + fan_out))),
        (init.he_uniform_, np.sqrt(2 / fan_in)),
        (init.he_normal_, np.sqrt(2 / fan_in)),
    ):
        values: Any = fill(weight, _generator())
        _near(fetch(values).std() / deviation, 1, f"the spread of {fill.__name__}", rtol=0.1)
    conv = nn.Conv2d(5, 40, 3, generator=_generator())
    largest = np.abs(conv.weight.data).max()
    _near(largest * np.sqrt(fan_in), 1, "the largest weight times √fan_in", rtol=0.02)


@holds("init")
def the_same_seed_gives_the_same_weights() -> None:
    """Layers made after manual_seed start alike."""
    made = []
    for _ in range(2):
        minigrad.manual_seed(3)
        made.append(nn.Linear(3, 2).weight.data)
    same(made[1], made[0], "the second weight")
