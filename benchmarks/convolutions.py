"""The three kernels of a convolution, ours and PyTorch's, on the same numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers import OURS, agree, layouts, torch
from benchmarks.shapes import ConvShape
from minigrad import nn
from minigrad.ops.conv import cpu

PASSES = ("forward", "input gradient", "weight gradient")


def steps(shape: ConvShape, kind: str) -> dict[str, Callable[[], Any]]:
    """Make the step of each side for one pass, after holding their results against each other."""
    rng = np.random.default_rng(0)
    x = _image(rng, shape.batch, shape.channels, shape.size)
    gradient = _image(rng, shape.batch, shape.outputs, shape.out_size)
    # The layer itself, since it decides how the weights lie in memory.
    layer = nn.Conv2d(
        shape.channels, shape.outputs, shape.kernel, stride=shape.stride, padding=shape.padding
    )
    weight, bias = layer.weight.data, layer.bias.data
    bias[...] = rng.standard_normal(shape.outputs)
    made = {OURS: _ours(shape, kind, x, weight, bias, gradient)}
    for name, layout in layouts().items():
        made[name] = _theirs(shape, kind, x, weight, bias, gradient, layout)
        agree(f"{kind} of {shape}, {name}", made[OURS](), made[name]().numpy())
    return made


def _image(rng: np.random.Generator, batch: int, channels: int, size: int) -> np.ndarray:
    """Make images as they lie in memory within our network: channels last."""
    image = rng.standard_normal((batch, size, size, channels), np.float32)
    return image.transpose(0, 3, 1, 2)


def _ours(
    shape: ConvShape, kind: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray,
    gradient: np.ndarray,
) -> Callable[[], np.ndarray]:  # fmt: skip
    s, p = shape.stride, shape.padding
    geometry = (s, s), ((p, p), (p, p)), (1, 1), 1
    if kind == "forward":
        return lambda: cpu.conv2d_forward(x, weight, bias, *geometry)
    if kind == "input gradient":
        return lambda: cpu.conv2d_input_gradient(gradient, weight, x.shape, *geometry)
    return lambda: cpu.conv2d_weight_gradient(gradient, x, weight.shape, *geometry)


def _theirs(
    shape: ConvShape, kind: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray,
    gradient: np.ndarray, layout: Any,
) -> Callable[[], Any]:  # fmt: skip
    def laid_out(array: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array)).contiguous(memory_format=layout)

    tensors = laid_out(x), laid_out(weight), torch.from_numpy(bias.copy()), laid_out(gradient)
    return peer_step(shape, kind, *tensors)


def peer_step(
    shape: ConvShape, kind: str, x: Any, weight: Any, bias: Any, gradient: Any
) -> Callable[[], Any]:
    """Make PyTorch's step of one pass, on tensors of its own."""
    s, p = (shape.stride,) * 2, (shape.padding,) * 2
    if kind == "forward":

        def forward() -> Any:
            with torch.inference_mode():
                return torch.nn.functional.conv2d(x, weight, bias, s, p)

        return forward
    which = PASSES.index(kind) - 1  # what is asked for: gradient of image, weight, bias
    mask = [which == i for i in range(3)]
    rest = [shape.outputs], s, p, (1, 1), False, (0, 0), 1, mask
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(gradient, x, weight, *rest)[which]
