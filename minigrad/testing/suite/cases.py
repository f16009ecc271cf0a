"""A few cases of every operation, such that every term of its gradient matters.

Strides, paddings and dilations differ between the axes; batch norm's weights are not 1 and its ε is
large; local response normalisation has alpha = 1, not 1e-4; classes have weights, some examples are
ignored. Numbers are away from kinks, negative ones among them, and there are more than one image,
channel and group. Any checker of gradients can be run on them: `minigrad.testing.hunting` compares
two.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad import functional as F
from minigrad import maximum, minimum, nn, stack, where
from minigrad.autograd import Array
from minigrad.tensor import Tensor
from minigrad.testing.place import here, tensor
from minigrad.testing.strategies import random_array


class Case(NamedTuple):
    """A function of floating arrays, and some to try it on."""

    name: str
    f: Callable[..., Any]
    inputs: tuple[Array, ...]


def _draw(*shapes: tuple[int, ...], values: str = "normal") -> tuple[Array, ...]:
    return tuple(random_array(shape, values, seed=i) for i, shape in enumerate(shapes))


def _conv2d(*shapes: tuple[int, ...], name: str, **options: Any) -> Case:
    return Case(name, lambda *t: F.conv2d(*t, **options), _draw(*shapes))


def _of(f: Callable[..., Any], name: str, *shapes: tuple[int, ...], values: str = "normal") -> Case:
    return Case(name, f, _draw(*shapes, values=values))


WINDOW: dict[str, Any] = {
    "kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2),
}  # fmt: skip
CEIL: dict[str, Any] = {
    "kernel_size": (3, 2),
    "stride": (2, 3),
    "padding": (1, 0),
    "ceil_mode": True,
}

WINDOWS: dict[str, list[Case]] = {
    "conv2d": [
        _conv2d(
            (2, 4, 7, 6), (6, 2, 3, 2), (6,), name="all options",
            stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2,
        ),
        _conv2d((2, 3, 5, 6), (3, 3, 3, 3), (3,), name="a square kernel", padding=1),
        _conv2d((3, 4, 4, 3), (5, 4, 1, 1), (5,), name="pointwise"),
        _conv2d((1, 2, 4, 5), (2, 2, 2, 4), name="the same size", padding="same"),
    ],
    "im2col": [_of(lambda x: F.im2col(x, **WINDOW), "overlaps", (2, 2, 5, 7))],
    "col2im": [_of(lambda c: F.col2im(c, (5, 7), **WINDOW), "overlaps", (2, 12, 9))],
    "max_pool2d": [
        _of(lambda x: F.max_pool2d(x, 3, 2, 1), "overlaps", (2, 3, 7, 6), values="distinct"),
        _of(lambda x: F.max_pool2d(x, **CEIL), "ceil mode", (2, 2, 6, 7), values="distinct"),
        _of(
            lambda x: F.max_pool2d(x, (2, 3), (1, 2), (0, 1), (3, 2)), "dilation", (1, 2, 6, 8),
            values="distinct",
        ),
    ],
    "avg_pool2d": [
        _of(lambda x: F.avg_pool2d(x, 3, 2, 1), "overlaps", (2, 3, 7, 6)),
        _of(lambda x: F.avg_pool2d(x, **CEIL), "ceil mode", (2, 2, 6, 7)),
        _of(
            lambda x: F.avg_pool2d(x, **CEIL, count_include_pad=False), "without padding",
            (2, 2, 6, 7),
        ),
    ],
    "adaptive_avg_pool2d": [
        _of(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), "ragged", (2, 2, 5, 7)),
        _of(lambda x: F.adaptive_avg_pool2d(x, 1), "the whole image", (2, 3, 4, 3)),
    ],
}  # fmt: skip


def _batch_norm_trains(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=0.1)


def _batch_norm_in_use(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean, var = (tensor(np.array(a, x.dtype)) for a in ([0.5, -1.0, 2.0], [2.0, 0.5, 1.0]))
    return F.batch_norm(x, mean, var, weight, bias, training=False, eps=0.1)


def _lrn(size: int, **options: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: F.local_response_norm(x, size, **{"alpha": 1.0, "k": 2.0, **options})


NORMS: dict[str, list[Case]] = {
    "batch_norm": [
        _of(_batch_norm_trains, "training", (3, 3, 2, 4), (3,), (3,)),
        _of(_batch_norm_trains, "training on vectors", (5, 3), (3,), (3,)),
        _of(_batch_norm_in_use, "in use", (2, 3, 2, 2), (3,), (3,)),
    ],
    "local_response_norm": [
        _of(_lrn(3), "an odd window", (2, 6, 2, 3)),
        _of(_lrn(4, beta=0.5), "an even window", (2, 7, 3)),
    ],
}

TARGET = np.array([2, 0, -1, 1, 2])
WEIGHT = np.array([0.5, 2.0, 3.0])


def _cross_entropy(**options: Any) -> Callable[[Tensor], Tensor]:
    def f(logits: Tensor) -> Tensor:
        weight = tensor(WEIGHT.astype(logits.dtype))
        return F.cross_entropy(logits, TARGET, weight, ignore_index=-1, **options)

    return f


def _nll(**options: Any) -> Callable[[Tensor], Tensor]:
    def f(x: Tensor) -> Tensor:
        return F.nll_loss(x, TARGET, tensor(WEIGHT.astype(x.dtype)), ignore_index=-1, **options)

    return f


LOSSES: dict[str, list[Case]] = {
    "softmax": [
        _of(lambda x: F.softmax(x, 1), "rows", (3, 4)),
        _of(lambda x: F.softmax(x, 0), "columns of images", (4, 2, 3)),
    ],
    "log_softmax": [
        _of(lambda x: F.log_softmax(x, 1), "rows", (3, 4)),
        _of(lambda x: F.log_softmax(x, 0), "columns of images", (4, 2, 3)),
    ],
    "cross_entropy": [
        _of(_cross_entropy(), "the mean", (5, 3)),
        _of(_cross_entropy(label_smoothing=0.2), "label smoothing", (5, 3)),
        _of(_cross_entropy(reduction="none"), "row by row", (5, 3)),
        _of(_cross_entropy(reduction="sum"), "then scaled", (5, 3))._replace(
            f=lambda x: _cross_entropy(reduction="sum")(x) * 0.5
        ),
        Case("probabilities", F.cross_entropy, _draw((4, 3), (4, 3))),
    ],
    "nll_loss": [
        _of(_nll(), "the mean", (5, 3)),
        _of(_nll(reduction="none"), "row by row", (5, 3)),
    ],
}

DENSE: dict[str, list[Case]] = {
    "linear": [
        _of(F.linear, "square", (3, 4), (4, 4), (4,)),
        _of(F.linear, "of images", (2, 3, 4), (2, 4), (2,)),
    ],
    "relu": [_of(F.relu, "both signs", (3, 4), values="distinct")],
    "dropout": [_of(lambda x: F.dropout(x, 0.3, key=5), "a fixed key", (4, 6))],
    "matmul": [
        _of(lambda a, b: a @ b, "square", (3, 3), (3, 3)),
        _of(lambda a, b: a @ b, "a stack and a matrix", (4, 2, 3), (3, 5)),
        _of(lambda a, b: a @ b, "a vector", (3,), (2, 3, 4)),
    ],
    "concat": [
        Case(
            "equal parts",
            lambda *t: F.concat(t, 1),
            _draw((2, 3, 2, 2), (2, 3, 2, 2), (2, 3, 2, 2)),
        ),
        Case("unequal parts", lambda *t: F.concat(t, 0), _draw((1, 3), (2, 3), (4, 3))),
    ],
}

ARITHMETIC: dict[str, list[Case]] = {
    "broadcasting": [
        _of(lambda a, b: a * b, "both ways", (3, 1, 4), (2, 1)),
        _of(lambda a, b: a + b, "a number", (2, 3), ()),
    ],
    "add": [_of(lambda a, b: a + b, "sum", (2, 3), (2, 3))],
    "subtract": [_of(lambda a, b: a - b, "difference", (2, 3), (2, 3))],
    "multiply": [_of(lambda a, b: a * b, "product", (2, 3), (2, 3))],
    "divide": [_of(lambda a, b: a / b, "quotient", (2, 3), (2, 3), values="distinct")],
    "power": [_of(lambda a, b: a**b, "power", (2, 3), (2, 3), values="positive")],
    "maximum": [_of(maximum, "of two", (3, 4), (3, 4), values="distinct")],
    "minimum": [_of(minimum, "of two", (3, 4), (3, 4), values="distinct")],
    "where": [
        _of(lambda a, b: where(np.eye(3, 4) > 0, a, b), "the diagonal", (3, 4), (4,)),
    ],
    "negative": [_of(lambda x: -x, "minus", (2, 3))],
    "exp": [_of(Tensor.exp, "both signs", (2, 3))],
    "log": [_of(Tensor.log, "positive", (2, 3), values="positive")],
    "sqrt": [_of(Tensor.sqrt, "positive", (2, 3), values="positive")],
    "tanh": [_of(Tensor.tanh, "both signs", (2, 3))],
    "sigmoid": [_of(Tensor.sigmoid, "both signs", (2, 3))],
    "abs": [_of(abs, "both signs", (2, 3), values="distinct")],
    "clip": [_of(lambda x: x.clip(-1.0, 1.0), "both bounds", (3, 4), values="distinct")],
}

AXES: dict[str, list[Case]] = {
    "sum": [
        _of(lambda x: x.sum(1), "rows of a square", (3, 3)),
        _of(lambda x: x.sum((0, 2), keepdims=True), "two axes", (2, 3, 4)),
    ],
    "mean": [_of(lambda x: x.mean(1), "rows", (3, 4)), _of(Tensor.mean, "all", (3, 4))],
    "var": [
        _of(lambda x: x.var(1), "rows", (3, 4)),
        _of(lambda x: x.var(0, correction=1), "unbiased", (3, 4)),
    ],
    "max": [_of(lambda x: x.max(1), "rows", (3, 4), values="distinct")],
    "min": [_of(lambda x: x.min(0), "columns", (3, 4), values="distinct")],
    "reshape": [_of(lambda x: x.reshape(4, -1), "another shape", (2, 2, 3))],
    "flatten": [_of(lambda x: x.flatten(1), "all but the batch", (2, 2, 3))],
    "permute": [_of(lambda x: x.permute(1, 2, 0), "in a circle", (2, 2, 2))],
    "transpose": [_of(lambda x: x.transpose(1, 2), "two of three", (2, 3, 4))],
    "squeeze": [_of(lambda x: x.squeeze(1), "one of two", (1, 1, 3))],
    "unsqueeze": [_of(lambda x: x.unsqueeze(-1), "at the end", (2, 3))],
    "broadcast_to": [_of(lambda x: x.broadcast_to(2, 3, 4), "repeated", (3, 1))],
    "getitem": [
        _of(lambda x: x[[0, 2, 0]], "repeated rows", (3, 4)),
        _of(lambda x: x[1:, ::2], "slices", (3, 4)),
    ],
    "stack": [Case("three", lambda *t: stack(t, 1), _draw((2, 3), (2, 3), (2, 3)))],
    "pad": [_of(lambda x: F.pad(x, (1, 0, 0, 2), 0.5), "uneven", (2, 3, 4))],
}


def _layer(make: Callable[[], nn.Module], train: bool = True) -> Callable[[Tensor], Tensor]:
    """Make a layer anew for each call: what it remembers does not count."""
    return lambda x: make().astype(x.dtype).to(here()).train(train)(x)


def _seeded(layer: type, *arguments: Any, **options: Any) -> Callable[[], nn.Module]:
    return lambda: layer(*arguments, **options, generator=np.random.default_rng(0))


def _used_twice(x: Tensor, y: Tensor) -> Tensor:
    product = x * y
    return product * product + x.tanh()


def _short_and_long(x: Tensor) -> Tensor:
    """Let a short path and a long one meet at a node that is not the leaf."""
    shared = x.exp()
    return shared + ((shared * 2.0).tanh() * 3.0).tanh()


def _borrowed(a: Tensor, b: Tensor) -> Tensor:
    """Send one gradient to two nodes, as a sum does, one of which gets more."""
    scaled = a * 3.0
    return (a + b) + scaled


GRAPHS: dict[str, list[Case]] = {
    "autograd": [
        _of(_used_twice, "used twice", (2, 3), (2, 3)),
        _of(_short_and_long, "a short path and a long one", (2, 3)),
        _of(_borrowed, "one array for two", (2, 3), (2, 3)),
    ],
    "layers": [
        _of(
            _layer(_seeded(nn.Conv2d, 4, 2, 3, stride=2, padding=1, dilation=2, groups=2)),
            "Conv2d", (2, 4, 7, 7),
        ),
        _of(_layer(_seeded(nn.Linear, 4, 3)), "Linear", (2, 4)),
        _of(_layer(lambda: nn.BatchNorm2d(3, eps=0.1)), "BatchNorm2d in training", (2, 3, 2, 2)),
        _of(_layer(lambda: nn.BatchNorm2d(3), False), "BatchNorm2d in use", (2, 3, 2, 2)),
        _of(_layer(lambda: nn.LocalResponseNorm(3, 1.0)), "LocalResponseNorm", (2, 4, 2, 2)),
        _of(_layer(lambda: nn.Dropout(0.5), False), "Dropout in use", (3, 4)),
        _of(_layer(nn.Flatten), "Flatten", (2, 3, 2)),
    ],
}  # fmt: skip

CASES: dict[str, list[Case]] = {
    **WINDOWS, **NORMS, **LOSSES, **DENSE, **ARITHMETIC, **AXES, **GRAPHS,
}  # fmt: skip
