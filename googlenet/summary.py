"""Counting: what each stage of a network gives, holds and costs."""

from typing import NamedTuple

from rich.table import Table

from googlenet import architecture
from googlenet.architecture import Conv, Inception, Step
from googlenet.model import GoogLeNet
from minigrad import nn

FLOAT = 4  # bytes in a float32


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


def rows(net: GoogLeNet) -> tuple[list[Row], list[Row]]:
    """Count a network: (the stages of the main path, the auxiliary heads)."""
    stages, heads = [], []
    steps = list(architecture.walk(net.in_channels, net.image_size, net.batch_norm))
    for step in steps:
        stages.append(_stage(net, step))
        if net.aux_heads and step.stage.name in architecture.AUX_AFTER:
            heads.append(_head(net, step))
    channels = steps[-1].out_channels
    stages.append(Row("average pool", (channels, 1, 1), 0, 0, FLOAT * channels))
    stages.append(Row("dropout", (channels,), 0, 0, FLOAT * channels))
    weights = net.classifier.weight.size
    stages.append(
        Row(
            "classifier", (net.num_classes,), _parameters(net.classifier), weights,
            FLOAT * net.num_classes,
        )
    )  # fmt: skip
    return stages, heads


def _stage(net: GoogLeNet, step: Step) -> Row:
    module, pixels = getattr(net, step.stage.name), step.out_size**2
    convolutions = [m for _, m in module.named_modules() if isinstance(m, nn.Conv2d)]
    # Every convolution gives its sums and their ReLU, and in between what batch norm makes of them.
    per_pixel = sum(conv.out_channels for conv in convolutions) * (3 if net.batch_norm else 2)
    if isinstance(step.stage, Inception):
        per_pixel += step.in_channels + step.out_channels  # the pool, the concatenation
    elif not isinstance(step.stage, Conv):
        per_pixel += step.out_channels
    return Row(
        step.stage.name,
        (step.out_channels, step.out_size, step.out_size),
        _parameters(module),
        pixels * sum(conv.weight.size for conv in convolutions),
        FLOAT * pixels * per_pixel,
    )


def _head(net: GoogLeNet, step: Step) -> Row:
    name = step.stage.name.replace("inception", "aux")
    head = getattr(net, name)
    pixels = architecture.aux_side(step.out_size) ** 2
    linear = head.fc.weight.size + head.classifier.weight.size
    numbers = pixels * (step.out_channels + 2 * head.conv.out_channels)
    numbers += 3 * head.fc.out_features + net.num_classes
    return Row(
        name,
        (net.num_classes,),
        _parameters(head),
        pixels * head.conv.weight.size + linear,
        FLOAT * numbers,
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.size for parameter in module.parameters())


def table(net: GoogLeNet) -> Table:
    """Lay the counts out as a table."""
    stages, heads = rows(net)
    size = f"{net.in_channels}×{net.image_size}×{net.image_size}"
    made = Table(
        title=f"GoogLeNet, input {size}, {net.num_classes} classes",
        caption="for one image; activations are what operations return, in float32",
    )
    made.add_column("stage")
    for name in ("output", "parameters", "multiply-adds", "activations"):
        made.add_column(name, justify="right")
    for row in stages:
        made.add_row(*_cells(row))
    made.add_section()
    made.add_row(*_cells(_total("total", stages)), style="bold")
    if heads:
        made.add_section()
        for row in heads:
            made.add_row(*_cells(row))
        made.add_section()
        made.add_row(*_cells(_total("total with auxiliary heads", stages + heads)), style="bold")
    return made


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
