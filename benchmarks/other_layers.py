"""Layers that are no convolutions: forward and backward through the public face of either side."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
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
from minigrad import Tensor, autograd, nn
from minigrad import functional as F
from minigrad.data.batches import Labels

Operation = Callable[..., Any]
CLASSES = 1000
LARGE = 112  # height and width of the largest map
EXAMPLES = 8  # that differ


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
    parameters : int
        How many of the inputs, the last ones, are parameters of the layer.
    """

    name: str
    count: int
    inputs: list[np.ndarray]
    ours: Operation
    theirs: Operation
    bytes: dict[str, int]
    flop: dict[str, int] = field(default_factory=dict)
    random: bool = False
    parameters: int = 0

    def passes(
        self, place: "Place | None" = None
    ) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
        """Yield the name of a pass and each side's step."""
        place = place or Place()
        sides = {OURS: self._ours(place)}
        images = self.inputs[0].ndim == 4
        found = list(layouts(place.dtype).items())
        for name, layout in found if images else found[:1]:
            sides[name] = self._theirs(layout if images else torch.contiguous_format, place)
            if not self.random:
                for kind, mine, other in zip(("forward", "backward"), sides[OURS], sides[name],
                                             strict=True):  # fmt: skip
                    what = f"{self.name}, {kind}, {name}"
                    agree(what, _array(mine()), _array(other()), place.tolerance)
        for i, kind in enumerate(("forward", "backward")):
            if kind in self.bytes:
                yield kind, {name: steps[i] for name, steps in sides.items()}

    def _ours(self, place: "Place") -> tuple[Callable[[], Any], Callable[[], Any]]:
        images = len(self.inputs) - self.parameters
        tensors = [place.ours(array, i < images, True) for i, array in enumerate(self.inputs)]
        out = self.ours(*tensors)
        seed = place.ours(_gradient(out.data)).data.astype(out.dtype)

        def backward() -> Any:
            for tensor in tensors:
                tensor.grad = None
            autograd.backward(out.node, seed, True)
            return tensors[0].grad

        return lambda: self.ours(*tensors), backward

    def _theirs(self, layout: Any, place: "Place") -> tuple[Callable[[], Any], Callable[[], Any]]:
        tensors = [
            place.theirs(array, layout, i < len(self.inputs) - self.parameters).requires_grad_()
            for i, array in enumerate(self.inputs)
        ]

        def forward() -> Any:
            with place.autocast():
                return self.theirs(*tensors)

        out = forward()
        seed = place.theirs(_gradient(np.empty(out.shape, np.float32)), layout).to(out.dtype)

        def backward() -> Any:
            for tensor in tensors:
                tensor.grad = None
            out.backward(seed, retain_graph=True)
            return tensors[0].grad

        return forward, backward


@dataclass(frozen=True)
class Place:
    """Where both sides compute, in which numbers, and how far these let them differ.

    Attributes
    ----------
    device, peer : str
        What we, and PyTorch, call it.
    dtype : str
        Of everything on PyTorch's side. Of ours, a layer's parameters stay float32.
    tolerance : float
    """

    device: str = "cpu"
    peer: str = "cpu"
    dtype: str = "float32"
    tolerance: float = 1e-3

    def autocast(self) -> AbstractContextManager:
        """Let PyTorch choose, where numbers have 16 bits, what to compute in 32."""
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.peer, getattr(torch, self.dtype))

    def ours(self, array: np.ndarray, is_image: bool = True, requires_grad: bool = False) -> Tensor:
        """Make a tensor of ours; on the CPU, of the array itself as it lies."""
        if self.device == "cpu":
            return Tensor(array, requires_grad)
        few = Tensor(array[:EXAMPLES] if is_image and array.ndim else array).to(self.device)
        if is_image:
            few = few.astype(self.dtype)
        return Tensor(repeated(few.data, array.shape, np.tile), requires_grad)

    def theirs(self, array: np.ndarray, layout: Any, is_image: bool = True) -> Any:
        """Make a tensor of PyTorch's, images in a memory layout."""
        few = array[:EXAMPLES] if is_image and array.ndim else array
        tensor = torch.from_numpy(np.ascontiguousarray(few).reshape(few.shape))
        tensor = tensor.to(self.peer, getattr(torch, self.dtype))
        tensor = repeated(tensor, array.shape, torch.Tensor.repeat)
        return tensor.contiguous(
            memory_format=layout if array.ndim == 4 else torch.contiguous_format
        )


def layers(batch: int, quick: bool = False) -> Iterator[Layer]:
    """Yield the layers of the network, and of what its loss does with the logits."""
    makers = {PoolShape: _pool, LRNShape: _lrn, ConcatShape: _concat, LinearShape: _linear}
    for kind, make in makers.items():
        shapes = counted(batch, kind)
        for shape, names in list(shapes.items())[: 1 if quick else None]:
            yield make(shape, len(names))
    yield _dropout(batch, 1024, 0.4, 1, "before the main classifier")
    yield _dropout(batch, 1024, 0.7, 2, "in the heads")
    yield _dropout(batch, 64 * LARGE**2, 0.5, 0, "of a large map, not in the network")
    yield _relu((batch, 1024), 2, "in the heads")
    yield _relu((batch, 64, LARGE, LARGE), 0, f"64×{LARGE}², in the network part of conv1")
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
        parameters=2,
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

    @cache
    def known(device: str) -> Any:  # as a DataLoader brings them to a GPU
        on_gpu = minigrad.tensor(labels, device=device)
        return labels if device == "cpu" else Labels(on_gpu.data, labels)

    @cache
    def target(device: Any) -> Any:
        return torch.from_numpy(labels).to(device)

    return Layer(
        f"cross-entropy of {CLASSES} classes", 3, [logits],
        lambda x: F.cross_entropy(x, known(x.device)),
        lambda x: torch.nn.functional.cross_entropy(x, target(x.device)),
        both(logits.nbytes, 2 * logits.nbytes),
    )  # fmt: skip


def images(batch: int, channels: int, size: int) -> np.ndarray:
    """Make images as they lie in memory within our network: channels last."""
    return drawn(channels, (batch, size, size, channels)).transpose(0, 3, 1, 2)


def numbers(*shape: int) -> np.ndarray:
    return drawn(0, shape)


def drawn(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a few examples, and repeat them: to draw hundreds takes longer than to time them."""
    few = (min(EXAMPLES, *shape[:1]), *shape[1:]) if shape else ()
    values = np.random.default_rng(seed).standard_normal(few, np.float32)
    return values[np.arange(shape[0]) % EXAMPLES] if shape else np.asarray(values)


def repeated(few: Any, shape: tuple[int, ...], tile: Callable[..., Any]) -> Any:
    """Repeat examples until there are as many as `shape` says: on a GPU, to upload less."""
    if not shape or len(few) == shape[0]:
        return few
    return tile(few, (-(-shape[0] // len(few)), *[1] * (len(shape) - 1)))[: shape[0]]


def both(forward: int, backward: int) -> dict[str, int]:
    return {"forward": forward, "backward": backward}


def _gradient(like: Any) -> np.ndarray:
    """Make a gradient for a result, the same numbers whatever its layout; NumPy's in its layout."""
    is_here = isinstance(like, np.ndarray)
    out = np.empty_like(like) if is_here else np.empty(like.shape, np.float32)
    out[...] = drawn(2, like.shape)
    return out


def _array(tensor: Any) -> np.ndarray:
    """Return the examples of a result that differ, on the CPU."""
    part = tensor.data if isinstance(tensor, Tensor) else tensor.detach()
    part = part[:EXAMPLES] if part.ndim else part
    if isinstance(tensor, Tensor):
        return Tensor(part).cpu().data.astype(np.float32)
    return part.float().cpu().numpy()
