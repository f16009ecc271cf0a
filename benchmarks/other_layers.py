"""Layers that are no convolutions: forward and backward through the public face of either side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigrad
from benchmarks.peers import OURS, agree, layouts, torch
from benchmarks.shapes import (
    FLOAT,
    ConcatShape,
    LinearShape,
    LRNShape,
    PoolShape,
    counted,
)  # fmt: skip
from googlenet import architecture
from minigrad import Tensor, autograd, nn
from minigrad import functional as F

Operation = Callable[..., Any]
CLASSES = 1000


@dataclass
class Layer:
    """One operation on both sides.

    Attributes
    ----------
    name : str
    count : int
        How often the network has it.
    inputs : arrays
        Gradients are wanted for all of them.
    ours, theirs : callable
        The operation on tensors of its side.
    bytes, flop : dict
        For "forward" and "backward": what must be moved, what is computed (where it matters).
    random : bool
        Whether the two sides draw, so that their results differ.
    """

    name: str
    count: int
    inputs: list[np.ndarray]
    ours: Operation
    theirs: Operation
    bytes: dict[str, int]
    flop: dict[str, int] = field(default_factory=dict)
    random: bool = False

    def passes(self) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
        """Yield the name of a pass and each side's step."""
        sides = {OURS: self._ours()}
        images = self.inputs[0].ndim == 4
        for name, layout in list(layouts().items())[: None if images else 1]:
            sides[name] = self._theirs(layout if images else torch.contiguous_format)
            if not self.random:
                for kind, mine, other in zip(("forward", "backward"), sides[OURS], sides[name],
                                             strict=True):  # fmt: skip
                    agree(f"{self.name}, {kind}, {name}", _array(mine()), _array(other()))
        for i, kind in enumerate(("forward", "backward")):
            if kind in self.bytes:
                yield kind, {name: steps[i] for name, steps in sides.items()}

    def _ours(self) -> tuple[Callable[[], Any], Callable[[], Any]]:
        tensors = [Tensor(array, requires_grad=True) for array in self.inputs]
        out = self.ours(*tensors)
        seed = _gradient(out.data)

        def backward() -> Any:
            for tensor in tensors:
                tensor.grad = None
            autograd.backward(out.node, seed, True)
            return tensors[0].grad

        return lambda: self.ours(*tensors), backward

    def _theirs(self, layout: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        tensors = [
            torch.from_numpy(np.ascontiguousarray(array))
            .contiguous(memory_format=layout if array.ndim == 4 else torch.contiguous_format)
            .requires_grad_()
            for array in self.inputs
        ]
        out = self.theirs(*tensors)
        seed = torch.from_numpy(_gradient(out.detach().numpy())).contiguous(
            memory_format=layout if out.ndim == 4 else torch.contiguous_format
        )

        def backward() -> Any:
            for tensor in tensors:
                tensor.grad = None
            out.backward(seed, retain_graph=True)
            return tensors[0].grad

        return lambda: self.theirs(*tensors), backward


def layers(batch: int, quick: bool = False) -> Iterator[Layer]:
    """Yield the layers of the network, and of what its loss does with the logits."""
    makers = {PoolShape: _pool, LRNShape: _lrn, ConcatShape: _concat, LinearShape: _linear}
    for kind, make in makers.items():
        shapes = counted(batch, kind)
        for shape, names in list(shapes.items())[: 1 if quick else None]:
            yield make(shape, len(names))
    yield _dropout(batch, 1024, 0.4, 1, "before the main classifier")
    yield _dropout(batch, architecture.AUX_FEATURES, 0.7, 2, "in the heads")
    yield _dropout(batch, 64 * 112 * 112, 0.5, 0, "of a large map, not in the network")
    yield _relu((batch, architecture.AUX_FEATURES), 2, "in the heads")
    yield _relu((batch, 64, 112, 112), 0, "64×112², in the network part of conv1")
    yield _loss(batch)


def _pool(shape: PoolShape, count: int) -> Layer:
    x = images(shape.batch, shape.channels, shape.size)
    kernel, stride, padding = shape.kernel, shape.stride, shape.padding
    moved = x.nbytes + FLOAT * shape.batch * shape.channels * shape.out_size**2
    f = torch.nn.functional if torch else None
    if shape.kind == "max":
        rest = kernel, stride, padding
        ours = lambda x: F.max_pool2d(x, *rest, ceil_mode=shape.ceil_mode)  # noqa: E731
        theirs = lambda x: f.max_pool2d(x, *rest, ceil_mode=shape.ceil_mode)  # noqa: E731
    elif shape.kind == "average":
        ours = lambda x: F.avg_pool2d(x, kernel, stride)  # noqa: E731
        theirs = lambda x: f.avg_pool2d(x, kernel, stride)  # noqa: E731
    else:
        ours = lambda x: F.adaptive_avg_pool2d(x, 1)  # noqa: E731
        theirs = lambda x: f.adaptive_avg_pool2d(x, 1)  # noqa: E731
    return Layer(str(shape), count, [x], ours, theirs, both(moved, moved))


def _lrn(shape: LRNShape, count: int) -> Layer:
    x = images(shape.batch, shape.channels, shape.size)
    options = 5, 1e-4, 0.75, 1.0

    def theirs(x: Any) -> Any:
        return torch.nn.functional.local_response_norm(x, *options)

    ours = lambda x: F.local_response_norm(x, *options)  # noqa: E731
    return Layer(str(shape), count, [x], ours, theirs, both(2 * x.nbytes, 3 * x.nbytes))


def _concat(shape: ConcatShape, count: int) -> Layer:
    parts = [images(shape.batch, channels, shape.size) for channels in shape.parts]
    moved = {"forward": 2 * sum(part.nbytes for part in parts)}
    return Layer(
        str(shape), count, parts,
        lambda *parts: minigrad.concat(parts, axis=1), lambda *parts: torch.cat(parts, 1), moved,
    )  # fmt: skip


def _linear(shape: LinearShape, count: int) -> Layer:
    x, layer = numbers(shape.batch, shape.inputs), nn.Linear(shape.inputs, shape.outputs)
    weight, bias = layer.weight.data, layer.bias.data
    small = x.nbytes + FLOAT * shape.batch * shape.outputs
    theirs = torch.nn.functional.linear if torch else None
    return Layer(
        f"linear {shape}", count, [x, weight, bias], F.linear, theirs,
        both(small + weight.nbytes, 2 * (small + weight.nbytes)), both(shape.flop, 2 * shape.flop),
    )  # fmt: skip


def _dropout(batch: int, features: int, p: float, count: int, where: str) -> Layer:
    x = numbers(batch, features)
    return Layer(
        f"dropout {p} {where}", count, [x], lambda x: F.dropout(x, p),
        lambda x: torch.nn.functional.dropout(x, p), both(2 * x.nbytes, 2 * x.nbytes), random=True,
    )  # fmt: skip


def _relu(shape: tuple[int, ...], count: int, where: str) -> Layer:
    x = images(*shape[:3]) if len(shape) == 4 else numbers(*shape)
    theirs = torch.relu if torch else None
    return Layer(
        f"ReLU {where}", count, [x], F.relu, theirs, both(2 * x.nbytes, 3 * x.nbytes)
    )  # fmt: skip


def _loss(batch: int) -> Layer:
    logits = numbers(batch, CLASSES)
    labels = np.random.default_rng(1).integers(0, CLASSES, batch)
    target = torch.from_numpy(labels) if torch else None
    return Layer(
        f"cross-entropy of {CLASSES} classes", 3, [logits], lambda x: F.cross_entropy(x, labels),
        lambda x: torch.nn.functional.cross_entropy(x, target),
        both(logits.nbytes, 2 * logits.nbytes),
    )  # fmt: skip


def images(batch: int, channels: int, size: int) -> np.ndarray:
    """Make images as they lie in memory within our network: channels last."""
    rng = np.random.default_rng(channels)
    return rng.standard_normal((batch, size, size, channels), np.float32).transpose(0, 3, 1, 2)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def both(forward: int, backward: int) -> dict[str, int]:
    return {"forward": forward, "backward": backward}


def _gradient(like: np.ndarray) -> np.ndarray:
    """Make a gradient for a result, the same numbers whatever its layout, in its layout."""
    values = np.random.default_rng(2).standard_normal(like.shape, np.float32)
    out = np.empty_like(like)
    out[...] = values
    return out


def _array(tensor: Any) -> np.ndarray:
    return tensor.data if isinstance(tensor, Tensor) else tensor.detach().numpy()
