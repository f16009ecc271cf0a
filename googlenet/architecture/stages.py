"""The words that networks are described in, and what each of them does to the size of maps.

Nothing here computes. `googlenet.model` builds modules from a description, `googlenet.summary`
counts it.
"""

from collections.abc import Iterator
from typing import NamedTuple

Pair = tuple[int, int]


class Conv(NamedTuple):
    """A convolution followed by ReLU, with what the network normalises by between them."""

    name: str
    out_channels: int
    kernel_size: int | Pair
    stride: int = 1
    padding: int | Pair = 0


class Pool(NamedTuple):
    """A pool over windows of maps: the largest number of each, or the mean, padding counted."""

    name: str
    kernel_size: int = 3
    stride: int = 2
    padding: int = 0
    ceil_mode: bool = False
    kind: str = "max"


class LRN(NamedTuple):
    """Local response normalisation over 5 channels, α = 1e-4 (divided by 5), β = 0.75, k = 1."""

    name: str
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


class Branches(NamedTuple):
    """Several ways for the same maps; what comes out of them is concatenated.

    A branch is a row of layers, of which one may branch again; an empty one hands its input on.
    """

    name: str
    branches: tuple[tuple["Layer", ...], ...]


Layer = Conv | Pool | Branches
Stage = Conv | Pool | LRN | Branches


class Head(NamedTuple):
    """A small classifier on an inner stage: its loss brings gradients to the stages before it.

    It averages the maps, convolves, and has a hidden layer before its classifier.

    Attributes
    ----------
    name, after : str
        Its own, and that of the stage.
    convs : tuple of Conv
    pool : Pool, optional
        How maps are averaged, if with `side` that gives maps of this side.
    side : int, optional
        Maps are averaged adaptively to this side; smaller ones stay as they are. None: `pool`
        in any case, and all that the convolutions leave is averaged at the end.
    features : int, optional
        Of the hidden layer; None: there is none.
    """

    name: str
    after: str
    convs: tuple[Conv, ...]
    pool: Pool | None = None
    side: int | None = None
    features: int | None = None


class Placed(NamedTuple):
    """A layer and the square maps that go through it."""

    name: str  # with those of the branches around it, joined by dots
    layer: Conv | Pool
    in_channels: int
    in_size: int
    out_size: int


class Step(NamedTuple):
    """One stage and the square maps that go through it."""

    stage: Stage
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int


def walk(stages: tuple[Stage, ...], in_channels: int, image_size: int) -> Iterator[Step]:
    """Follow square images of `image_size` pixels through the stages.

    Raises
    ------
    ValueError
        Naming the stage whose windows are larger than the maps that come to it.
    """
    channels, size = in_channels, image_size
    for stage in stages:
        step = Step(stage, channels, out_channels(stage, channels), size, out_size(stage, size))
        yield step
        channels, size = step.out_channels, step.out_size


def out_channels(stage: Stage, in_channels: int) -> int:
    """Return how many channels a stage gives."""
    match stage:
        case Conv():
            return stage.out_channels
        case Branches():
            return sum(_last(branch, in_channels) for branch in stage.branches)
        case _:
            return in_channels


def out_size(stage: Stage, size: int) -> int:
    """Return the side of what a stage makes of square maps.

    Raises
    ------
    ValueError
        If its windows do not fit, or its branches give maps of different sizes.
    """
    match stage:
        case LRN():
            return size
        case Branches(name, branches):
            sizes = []
            for branch in branches:
                side = size
                for layer in branch:
                    side = out_size(layer, side)
                sizes.append(side)
            if len(set(sizes)) != 1:
                raise ValueError(
                    f"stage {name}: its branches give maps of different sides, {sizes}, from "
                    f"maps of {size}×{size}: use images of another size (224, or a multiple of 32)"
                )
            return sizes[0]
        case _:
            return _windows(stage, size)


def placed(stage: Stage, in_channels: int, size: int, prefix: str = "") -> Iterator[Placed]:
    """Yield the convolutions and pools of a stage, those in its branches included."""
    if isinstance(stage, Conv | Pool):
        yield Placed(prefix + stage.name, stage, in_channels, size, out_size(stage, size))
    elif isinstance(stage, Branches):
        for branch in stage.branches:
            channels, side = in_channels, size
            for layer in branch:
                yield from placed(layer, channels, side, f"{prefix}{stage.name}.")
                channels, side = out_channels(layer, channels), out_size(layer, side)


def head_pool(head: Head, map_size: int) -> tuple[Pool | None, int]:
    """Return how a head pools maps of this size, None for adaptively, and what side that gives.

    The paper's pool, 5×5 with stride 3, gives 4×4 on its own maps of 14×14, and up to 16×16.
    """
    fits = head.pool is not None and map_size >= pair(head.pool.kernel_size)[0]
    given = _windows(head.pool, map_size) if head.pool is not None and fits else None
    if head.side is None:
        try:
            if head.pool is None or given is None:
                raise ValueError(f"head {head.name}: its pool does not fit")
            side = given
            for conv in head.convs:
                side = _windows(conv, side)
        except ValueError:
            raise ValueError(
                f"head {head.name}: its layers do not fit into maps of {map_size}×{map_size}: use "
                "larger images, or aux_heads=False"
            ) from None
        return head.pool, given
    if given == head.side:
        return head.pool, given
    return None, min(head.side, map_size)


def pair(value: int | Pair) -> Pair:
    """Return (for the height, for the width)."""
    return value if isinstance(value, tuple) else (value, value)


def _last(branch: tuple[Layer, ...], channels: int) -> int:
    for layer in branch:
        channels = out_channels(layer, channels)
    return channels


def _windows(stage: Conv | Pool, size: int) -> int:
    """Return how many windows fit along a side; in ceil mode the last may hang over its end.

    But it must begin on the map or the padding before it: that is Caffe's rule and PyTorch's.
    """
    sides = set()
    for kernel, padding in zip(pair(stage.kernel_size), pair(stage.padding), strict=True):
        room = size + 2 * padding - kernel
        if room < 0 and not (isinstance(stage, Pool) and stage.ceil_mode and size >= 1):
            raise ValueError(
                f"stage {stage.name}: a window of {kernel} does not fit into maps of "
                f"{size}×{size} with padding {padding}: use larger images, or fewer pools"
            )
        ceil = isinstance(stage, Pool) and stage.ceil_mode
        count = (-(-room // stage.stride) if ceil else room // stage.stride) + 1
        if ceil and (count - 1) * stage.stride >= size + padding:
            count -= 1
        if count < 1:
            raise ValueError(
                f"stage {stage.name}: a window of {kernel} does not fit into maps of "
                f"{size}×{size} with padding {padding}: use larger images, or fewer pools"
            )
        sides.add(count)
    if len(sides) != 1:
        raise ValueError(
            f"stage {stage.name}: square maps must stay square, but it gives {sorted(sides)}"
        )
    return sides.pop()
