"""The layers of the paper's network as shapes, and how much each has to compute and to move.

Walks `googlenet.architecture`; equal shapes are listed once and counted. A multiply-add counts as
two operations, at every place of the window, also where it hangs over the border into zeros: the
usual way to count, whatever algorithm computes it (Winograd's needs fewer).
"""

from collections.abc import Iterator
from typing import NamedTuple

from googlenet.architecture import (
    LRN,
    Branches,
    Conv,
    Head,
    Placed,
    Step,
    design,
    head_pool,
    placed,
    walk,
)

FLOAT = 4  # bytes


class ConvShape(NamedTuple):
    batch: int
    channels: int
    size: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def out_size(self) -> int:
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def flop(self) -> int:
        """Operations of one pass; forward and both gradients need the same."""
        pixels = self.batch * self.out_size**2
        return 2 * pixels * self.outputs * self.channels * self.kernel**2

    @property
    def bytes(self) -> int:
        """Bytes that one pass moves if image, weights and result are touched once each."""
        image = self.batch * self.channels * self.size**2
        result = self.batch * self.outputs * self.out_size**2
        return FLOAT * (image + result + self.outputs * self.channels * self.kernel**2)

    def __str__(self) -> str:
        kernel = f"{self.kernel}×{self.kernel}" + (f"/{self.stride}" if self.stride > 1 else "")
        return f"{self.channels:>4}→{self.outputs:<4}{kernel:<5} {self.size}²"


class PoolShape(NamedTuple):
    batch: int
    channels: int
    size: int
    kind: str  # max, average, or global
    kernel: int
    stride: int
    padding: int = 0
    ceil_mode: bool = False

    @property
    def out_size(self) -> int:
        span = self.size + 2 * self.padding - self.kernel
        return (-(-span // self.stride) if self.ceil_mode else span // self.stride) + 1

    def __str__(self) -> str:
        if self.kind == "global":
            return f"global average pool {self.channels}×{self.size}²"
        kernel = f"{self.kernel}×{self.kernel}/{self.stride}"
        return f"{self.kind} pool {kernel} {self.channels}×{self.size}²"


class ConcatShape(NamedTuple):
    batch: int
    parts: tuple[int, ...]  # channels of each
    size: int

    def __str__(self) -> str:
        return f"concat {'+'.join(map(str, self.parts))} {self.size}²"


class LRNShape(NamedTuple):
    batch: int
    channels: int
    size: int

    def __str__(self) -> str:
        return f"LRN over 5 {self.channels}×{self.size}²"


class LinearShape(NamedTuple):
    batch: int
    inputs: int
    outputs: int

    @property
    def flop(self) -> int:
        return 2 * self.batch * self.inputs * self.outputs

    def __str__(self) -> str:
        return f"{self.inputs}→{self.outputs}"


Shape = ConvShape | PoolShape | ConcatShape | LRNShape | LinearShape


def layers(
    batch: int, classes: int = 1000, channels: int = 3, size: int = 224
) -> Iterator[tuple[str, Shape]]:
    """Yield the name and the shape of every layer, auxiliary heads included."""
    network = design("paper")
    heads = {head.after: head for head in network.heads}
    for step in walk(network.stages, channels, size):
        name = step.stage.name
        for layer in placed(step.stage, step.in_channels, step.in_size):
            yield layer.name, _shape(batch, layer)
        if isinstance(step.stage, LRN):
            yield name, LRNShape(batch, step.in_channels, step.in_size)
        if isinstance(step.stage, Branches):
            parts = tuple(branch[-1].out_channels for branch in step.stage.branches)
            yield f"{name}.concat", ConcatShape(batch, parts, step.out_size)
        if name in heads:
            yield from _head(heads[name], batch, step, classes)
    yield "pool", PoolShape(batch, step.out_channels, step.out_size, "global", step.out_size, 1)
    yield "classifier", LinearShape(batch, step.out_channels, classes)


def counted(batch: int, kind: type) -> dict[Shape, list[str]]:
    """Return the distinct shapes of one kind, each with the names of the layers that have it."""
    found: dict[Shape, list[str]] = {}
    for name, shape in layers(batch):
        if isinstance(shape, kind):
            found.setdefault(shape, []).append(name.replace("inception_", ""))
    return found


def _shape(batch: int, placed: Placed) -> ConvShape | PoolShape:
    images, layer = (batch, placed.in_channels, placed.in_size), placed.layer
    if isinstance(layer, Conv):
        return ConvShape(
            *images, layer.out_channels, layer.kernel_size, layer.stride, layer.padding
        )
    return PoolShape(
        *images, layer.kind, layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode
    )


def _head(head: Head, batch: int, step: Step, classes: int) -> Iterator[tuple[str, Shape]]:
    pool, side = head_pool(head, step.out_size)
    (conv,) = head.convs
    yield (
        f"{head.name}.pool",
        PoolShape(
            batch, step.out_channels, step.out_size, "average", pool.kernel_size, pool.stride
        ),
    )
    yield (
        f"{head.name}.conv",
        ConvShape(batch, step.out_channels, side, conv.out_channels, conv.kernel_size),
    )
    features = conv.out_channels * side * side
    yield f"{head.name}.fc", LinearShape(batch, features, head.features)
    yield f"{head.name}.classifier", LinearShape(batch, head.features, classes)
