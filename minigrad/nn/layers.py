"""Layers: an operation of `minigrad.functional` together with its parameters."""

import math
from typing import Any

import numpy as np

from minigrad import functional, random
from minigrad.nn import init
from minigrad.nn.module import Buffer, Module, Parameter
from minigrad.ops.arguments import pair
from minigrad.ops.window import Pair
from minigrad.tensor import Tensor


class Sequential(Module):
    """Layers one after the other, named 0, 1, 2, ….

    Parameters
    ----------
    *layers : Module
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} must be a Module, got {type(layer)}")
            setattr(self, str(i), layer)

    def forward(self, x: Any) -> Any:
        """Pass x through all layers."""
        for _, layer in self.named_children():
            x = layer(x)
        return x

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __getitem__(self, i: int) -> Module:
        return [layer for _, layer in self.named_children()][i]


class Conv2d(Module):
    """`functional.conv2d` with a weight (out_channels, in_channels / groups, kh, kw) and a bias.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int, int)
    padding : int, (int, int), "same" or "valid"
    groups : int
    bias : bool
    generator : numpy.random.Generator, optional
        Draws the first weights, as PyTorch does: evenly from ±1/√fan_in, the bias too. Without
        one, the default stream of `minigrad.manual_seed` does.

    Examples
    --------
    >>> from minigrad import nn
    >>> nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3)
    Conv2d(3, 64, (7, 7), stride=(2, 2), padding=3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        _check_counts("Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups = {groups} must divide in_channels = {in_channels} and "
                f"out_channels = {out_channels}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.padding = padding
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        self.groups = groups
        # (O, I, kh, kw) to look at; in memory the order in which the compiled kernels use it.
        memory = np.empty((*self.kernel_size, in_channels // groups, out_channels), np.float32)
        self.weight = Parameter(memory.transpose(3, 2, 0, 1))
        self.bias = Parameter(np.empty(out_channels, np.float32)) if bias else None
        _fill(self.weight, self.bias, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, oh, ow)."""
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class Linear(Module):
    """`functional.linear` with a weight (out_features, in_features) and a bias.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    generator : numpy.random.Generator, optional
        Draws the first weights: evenly from ±1/√in_features, the bias too.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        _check_counts("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        # (O, I) to look at; in memory the order in which the compiled kernels use it.
        self.weight = Parameter(np.empty((in_features, out_features), np.float32).T)
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        _fill(self.weight, self.bias, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) → (..., out_features)."""
        return functional.linear(x, self.weight, self.bias)


class MaxPool2d(Module):
    """`functional.max_pool2d` with its options set."""

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, oh, ow)."""
        return functional.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class AvgPool2d(Module):
    """`functional.avg_pool2d` with its options set."""

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, oh, ow)."""
        return functional.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AdaptiveAvgPool2d(Module):
    """`functional.adaptive_avg_pool2d` to a set size."""

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, *output_size)."""
        return functional.adaptive_avg_pool2d(x, self.output_size)


class ReLU(Module):
    """`functional.relu`."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape → the same."""
        return functional.relu(x)


class Dropout(Module):
    """`functional.dropout` in training, nothing in use.

    Parameters
    ----------
    p : float
        The share of numbers that is set to zero.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie between 0 and 1, got {p!r}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape → the same."""
        return functional.dropout(x, self.p, self.training)


class BatchNorm2d(Module):
    """`functional.batch_norm` over the channels of images, with running statistics.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance before its root is taken.
    momentum : float
        How much of each batch's statistics goes into the running ones.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        _check_counts("BatchNorm2d", num_features=num_features)
        if not 0 < eps < 1:
            raise ValueError(f"BatchNorm2d: eps must be a small positive number, got {eps!r}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training, self.momentum, self.eps,
        )  # fmt: skip


class LocalResponseNorm(Module):
    """`functional.local_response_norm` with its options set."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)


class Flatten(Module):
    """All axes from `start_axis` to `end_axis` made into one."""

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C·H·W) with the default axes."""
        return x.flatten(self.start_axis, self.end_axis)


class CrossEntropyLoss(Module):
    """`functional.cross_entropy` with its options set."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.weight = None if weight is None else Buffer(weight.data)
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Any) -> Tensor:
        """Logits (N, C), target (N,) → one number (or as `reduction` says)."""
        return functional.cross_entropy(
            logits, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


def _fill(weight: Parameter, bias: Parameter | None, generator: np.random.Generator | None) -> None:
    """Give a layer its first values: evenly from ±1/√fan_in."""
    generator = generator or random.default_generator()
    bound = 1 / math.sqrt(init.fans(weight)[0])
    for values in (weight, bias):
        if values is not None:
            init.uniform_(values, -bound, bound, generator)


def _check_counts(layer: str, **counts: Any) -> None:
    for argument, count in counts.items():
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{layer}: {argument} must be a positive integer, got {count!r}")
