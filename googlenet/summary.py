"""Counting: what each stage of a network gives, holds and costs."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.table import Table

from googlenet import architecture
from googlenet.architecture import LRN, PRINTED, Branches, Conv, Placed, Printed, Stage, Step
from googlenet.model import AuxiliaryHead, Network
from minigrad import nn

FLOAT = 4  # bytes in a float32
APART = 0.02  # from here on, and from half a unit, a printed figure is marked as not ours


class Row(NamedTuple):
    """One line of the summary, for one image.

    Attributes
    ----------
    name : str
    output : tuple of int
        (channels, height, width), or (features,).
    parameters : int
    multiply_adds : int
        Of convolutions and linear layers, forward.
    activations : int
        Bytes of all arrays that the stage's operations return, in float32.
    """

    name: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activations: int


class Reduction(NamedTuple):
    """What a 1×1 convolution in front of a larger one saves.

    Attributes
    ----------
    name : str
        Of the larger convolution.
    channels, reduced : int
        That come to the module, and that are left of them.
    direct : int
        Multiply-adds of the convolution if it looked at all of them.
    reduction, convolution : int
        Multiply-adds of the 1×1, and of what follows it.
    """

    name: str
    channels: int
    reduced: int
    direct: int
    reduction: int
    convolution: int

    @property
    def through(self) -> int:
        """Multiply-adds through the reduction."""
        return self.reduction + self.convolution


def rows(net: Network) -> tuple[list[Row], list[Row]]:
    """Count a network: (the stages of the main path, the auxiliary heads)."""
    stages, heads = [], []
    steps = list(architecture.walk(net.design.stages, net.in_channels, net.image_size))
    for step in steps:
        stages.append(_stage(net, step))
        if step.stage.name in net.heads:
            heads.append(_head(net, step))
    channels = steps[-1].out_channels
    stages.append(Row("average pool", (channels, 1, 1), 0, 0, FLOAT * channels))
    stages.append(Row("dropout", (channels,), 0, 0, FLOAT * channels if net.dropout.p else 0))
    weights = net.classifier.weight.size
    stages.append(
        Row(
            "classifier", (net.num_classes,), _parameters(net.classifier), weights,
            FLOAT * net.num_classes,
        )
    )  # fmt: skip
    return stages, heads


def reductions(net: Network) -> Iterator[Reduction]:
    """Yield what the 1×1 reductions of a network save, in the order of its layers."""
    for step in architecture.walk(net.design.stages, net.in_channels, net.image_size):
        if not isinstance(step.stage, Branches):
            continue
        for branch in step.stage.branches:
            kernels = [architecture.pair(c.kernel_size) for c in branch if isinstance(c, Conv)]
            if len(branch) < 2 or len(kernels) < len(branch) or kernels[0] != (1, 1):
                continue
            row = Branches(step.stage.name, (branch,))
            reduce, *others = architecture.placed(row, step.in_channels, step.in_size)
            second = multiply_adds(others[0])
            direct = second // others[0].in_channels * step.in_channels
            rest = sum(map(multiply_adds, others))
            yield Reduction(
                others[0].name, step.in_channels, others[0].in_channels,
                direct + rest - second, multiply_adds(reduce), rest,
            )  # fmt: skip


def multiply_adds(placed: Placed) -> int:
    """Return how many multiply-adds a layer takes for one image, forward."""
    if not isinstance(placed.layer, Conv):
        return 0
    height, width = architecture.pair(placed.layer.kernel_size)
    weights = placed.in_channels * placed.layer.out_channels * height * width
    return weights * placed.out_size**2


def printed(net: Network) -> dict[str, Printed]:
    """Return what the paper prints of each stage, if this is the paper's network."""
    same = net.design.stages == architecture.design("paper").stages
    published = (net.in_channels, net.image_size, net.num_classes) == (3, 224, 1000)
    return PRINTED if same and published else {}


def _stage(net: Network, step: Step) -> Row:
    layers = list(architecture.placed(step.stage, step.in_channels, step.in_size))
    arrays, numbers = _arrays_of_convolution(net), 0
    for layer in layers:
        conv = isinstance(layer.layer, Conv)
        channels = layer.layer.out_channels if isinstance(layer.layer, Conv) else layer.in_channels
        numbers += channels * layer.out_size**2 * (arrays if conv else 1)
    if isinstance(step.stage, LRN):
        numbers += step.out_channels * step.out_size**2
    numbers += _concatenated(step.stage, step.in_channels, step.in_size)
    return Row(
        step.stage.name,
        (step.out_channels, step.out_size, step.out_size),
        _parameters(getattr(net, step.stage.name)),
        sum(map(multiply_adds, layers)),
        FLOAT * numbers,
    )


def _arrays_of_convolution(net: Network) -> int:
    """Return how many arrays a convolution gives: with batch norm its sums, these, and their ReLU.

    Without, ReLU is applied to the sums in place: there is one.
    """
    return 3 if net.batch_norm else 1


def _concatenated(stage: Stage, channels: int, size: int) -> int:
    """Count the numbers that a stage's concatenations return, those within branches included."""
    if not isinstance(stage, Branches):
        return 0
    numbers = architecture.out_channels(stage, channels) * architecture.out_size(stage, size) ** 2
    for branch in stage.branches:
        width, side = channels, size
        for layer in branch:
            numbers += _concatenated(layer, width, side)
            width, side = (
                architecture.out_channels(layer, width),
                architecture.out_size(layer, side),
            )
    return numbers


def _head(net: Network, step: Step) -> Row:
    head: AuxiliaryHead = getattr(net, net.heads[step.stage.name])
    _, side = architecture.head_pool(head.row, step.out_size)
    numbers = side**2 * step.out_channels + net.num_classes
    adds, channels = head.classifier.weight.size, step.out_channels
    for conv in head.row.convs:
        placed = next(architecture.placed(conv, channels, side))
        adds += multiply_adds(placed)
        channels, side = conv.out_channels, placed.out_size
        numbers += _arrays_of_convolution(net) * channels * side**2
    if head.fc is None:
        numbers += channels  # averaged
    else:
        adds += head.fc.weight.size
        numbers += channels * side**2  # flattened: in memory channels come last, so it is a copy
        numbers += (3 if head.dropout.p else 2) * head.fc.out_features
    return Row(head.row.name, (net.num_classes,), _parameters(head), adds, FLOAT * numbers)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.size for parameter in module.parameters())


def table(net: Network) -> Table:
    """Lay the counts out as a table; beside them what the paper prints, where it is its network."""
    stages, heads = rows(net)
    size = f"{net.in_channels}×{net.image_size}×{net.image_size}"
    said = printed(net)
    made = Table(
        title=f"{net.design.name}; input {size}, {net.num_classes} classes",
        caption="for one image; activations are what operations return, in float32"
        + ("; K is 1024, and (!) marks what is not as counted" if said else ""),
    )
    made.add_column("stage")
    for name in ("output", "parameters", "multiply-adds", "activations"):
        made.add_column(name, justify="right")
    if said:
        made.add_column("the paper prints", justify="right")
    for row in stages:
        made.add_row(*_cells(row), *([_beside(row, stages, said)] if said else []))
    made.add_section()
    made.add_row(*_cells(_total("total", stages)), style="bold")
    if heads:
        made.add_section()
        for row in heads:
            made.add_row(*_cells(row))
        made.add_section()
        made.add_row(*_cells(_total("total with auxiliary heads", stages + heads)), style="bold")
    return made


def reduction_table(net: Network) -> Table | None:
    """Lay out what the 1×1 reductions save; None if there are none."""
    found = list(reductions(net))
    if not found:
        return None
    made = Table(
        title="What the 1×1 reductions save, in multiply-adds for one image",
        caption="direct: the same convolution on all channels that come to its module",
    )
    made.add_column("convolution")
    for name in ("channels", "direct", "1×1 + convolution", "together", "saved"):
        made.add_column(name, justify="right")
    for row in found:
        made.add_row(
            row.name.removeprefix("inception_"), f"{row.channels} → {row.reduced}",
            f"{row.direct:,}", f"{row.reduction:,} + {row.convolution:,}", f"{row.through:,}",
            f"{row.direct / row.through:.1f}×",
        )  # fmt: skip
    direct, through = sum(r.direct for r in found), sum(r.through for r in found)
    made.add_section()
    made.add_row(
        "all", "", f"{direct:,}", "", f"{through:,}", f"{direct / through:.1f}×", style="bold"
    )
    return made


def _beside(row: Row, stages: list[Row], said: dict[str, Printed]) -> str:
    """Give the printed figures of a row, marked where they are not what is counted."""
    if row.name not in said:
        return ""
    ours = row.parameters, row.multiply_adds
    if row.name == "conv2":  # the paper prints it together with its reduction
        other = next(r for r in stages if r.name == "conv2_reduce")
        ours = ours[0] + other.parameters, ours[1] + other.multiply_adds
    marked = []
    for text, count, unit in zip(said[row.name], ours, (1024, 10**6), strict=True):
        wanted = count / unit
        apart = abs(float(text[:-1]) - wanted) > max(APART * wanted, 0.5)
        marked.append(f"{text} (!)" if apart else text)
    return ", ".join(marked)


def _total(name: str, counted: list[Row]) -> Row:
    return Row(
        name,
        (),
        sum(row.parameters for row in counted),
        sum(row.multiply_adds for row in counted),
        sum(row.activations for row in counted),
    )


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        "×".join(str(n) for n in row.output),
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        f"{row.activations / 2**20:.2f} MiB",
    ]
