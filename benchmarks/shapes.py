"""The layers of the paper's network as shapes, and how much each has to compute and to move.

Walks `googlenet.architecture`; equal shapes are listed once and counted. A multiply-add counts as
two operations, at every place of the window, also where it hangs over the border into zeros: the
usual way to count, whatever algorithm computes it (Winograd's needs fewer).
"""

from collections.abc import Iterator
from typing import NamedTuple

from googlenet import architecture
from googlenet.architecture import LRN, Conv, Inception, MaxPool

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
    for step in architecture.walk(channels, size):
        stage, images = step.stage, (batch, step.in_channels, step.in_size)
        match stage:
            case Conv(name, outputs, kernel, stride, padding):
                yield name, ConvShape(*images, outputs, kernel, stride, padding)
            case MaxPool(name, kernel, stride):
                yield name, PoolShape(*images, "max", kernel, stride, 0, True)
            case LRN(name):
                yield name, LRNShape(*images)
            case Inception(name):
                yield from _inception(stage, *images)
                if name in architecture.AUX_AFTER:
                    head = name.replace("inception", "aux")
                    yield from _head(head, batch, step.out_channels, step.out_size, classes)
    yield "pool", PoolShape(batch, step.out_channels, step.out_size, "global", step.out_size, 1)
    yield "classifier", LinearShape(batch, step.out_channels, classes)


def counted(batch: int, kind: type) -> dict[Shape, list[str]]:
    """Return the distinct shapes of one kind, each with the names of the layers that have it."""
    found: dict[Shape, list[str]] = {}
    for name, shape in layers(batch):
        if isinstance(shape, kind):
            found.setdefault(shape, []).append(name.replace("inception_", ""))
    return found


def _inception(row: Inception, batch: int, channels: int, size: int) -> Iterator[tuple[str, Shape]]:
    images = batch, channels, size
    yield f"{row.name}.conv_1x1", ConvShape(*images, row.conv_1x1, 1)
    yield f"{row.name}.conv_3x3_reduce", ConvShape(*images, row.conv_3x3_reduce, 1)
    reduced = batch, row.conv_3x3_reduce, size
    yield f"{row.name}.conv_3x3", ConvShape(*reduced, row.conv_3x3, 3, 1, 1)
    yield f"{row.name}.conv_5x5_reduce", ConvShape(*images, row.conv_5x5_reduce, 1)
    reduced = batch, row.conv_5x5_reduce, size
    yield f"{row.name}.conv_5x5", ConvShape(*reduced, row.conv_5x5, 5, 1, 2)
    yield f"{row.name}.pool", PoolShape(*images, "max", 3, 1, 1)
    yield f"{row.name}.pool_proj", ConvShape(*images, row.pool_proj, 1)
    parts = row.conv_1x1, row.conv_3x3, row.conv_5x5, row.pool_proj
    yield f"{row.name}.concat", ConcatShape(batch, parts, size)


def _head(
    name: str, batch: int, channels: int, size: int, classes: int
) -> Iterator[tuple[str, Shape]]:
    kernel, stride = architecture.AUX_POOL
    side = architecture.aux_side(size)
    yield f"{name}.pool", PoolShape(batch, channels, size, "average", kernel, stride)
    yield f"{name}.conv", ConvShape(batch, channels, side, architecture.AUX_CHANNELS, 1)
    features = architecture.AUX_CHANNELS * side * side
    yield f"{name}.fc", LinearShape(batch, features, architecture.AUX_FEATURES)
    yield f"{name}.classifier", LinearShape(batch, architecture.AUX_FEATURES, classes)
