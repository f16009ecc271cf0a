"""``googlenet import-weights`` and ``export-weights``: weights out of torchvision, and back."""

import json
from pathlib import Path
from typing import Any

import click

from googlenet.commands.errors import Usage, usage
from googlenet.commands.options import RunPath
from googlenet.model import Network
from googlenet.recipes import Recipe
from googlenet.run_folder import MODEL, Model, RunFolder, load_model, save_model
from googlenet.sentences import printable
from googlenet.torchvision_weights import (
    MEAN,
    STD,
    TORCHVISION,
    Theirs,
    read_torchvision,
    to_torchvision,
)
from minigrad import checkpoint
from minigrad.data import CenterCrop, Compose, Normalize, Resize

MOST_BYTES = 1 << 20  # of a file of names

EXAMPLE = """\b
Examples:
  googlenet import-weights g.safetensors --run runs/imagenet --class-names names.txt
  googlenet predict runs/imagenet cat.jpg
\b
The published weights become such a file in Python, with torch, torchvision and safetensors:
  from torchvision.models import googlenet; from safetensors.torch import save_file
  save_file(googlenet(weights="IMAGENET1K_V1", aux_logits=True).state_dict(), "g.safetensors")
\b
And so does a .pth file:
  import torch; from safetensors.torch import save_file
  save_file(torch.load("googlenet.pth", weights_only=True), "g.safetensors")
"""
EXPORT_EXAMPLE = """\b
Example:
  googlenet export-weights runs/imagenet back.safetensors
\b
In Python:
  from torchvision.models import googlenet; from safetensors.torch import load_file
  googlenet(num_classes=3, aux_logits=True).load_state_dict(load_file("back.safetensors"))
"""


@click.command("import-weights", epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--run", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option(
    "--class-names",
    type=click.Path(path_type=Path),
    help="A text file, one name a line, in the order of the logits.  [default: 0, 1, 2, …]",
)
@click.option(
    "--transform-input/--no-transform-input",
    default=True,
    show_default=True,
    help="How they were trained: torchvision's option of this name. On for the published weights.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def import_weights(
    file: Path, run: Path, class_names: Path | None, transform_input: bool, as_json: bool
) -> None:
    """Make a run of torchvision's weights, for predict and evaluate.

    FILE is the state_dict of torchvision.models.googlenet or inception_v3, as safetensors. What is
    missing, unexpected, of another shape or type, or not finite is listed, and nothing is made.
    Auxiliary heads may be left out, all of them; those of the published GoogLeNet were not trained.
    """
    if not file.is_file():
        raise Usage(f"there is no file {str(file)!r}")
    net, theirs = read_torchvision(file)
    with usage():
        classes = _classes(class_names, net.num_classes)
        folder = RunFolder.create(run)
    try:
        model = Model(net, _recipe(net, theirs, transform_input), classes, _transform(
            theirs, transform_input))  # fmt: skip
        save_model(folder.path / MODEL, model, imported=f"torchvision.models.{theirs.name}")
    finally:
        folder.discard()
        folder.close()
    said = {
        "run": str(run), "from": f"torchvision.models.{theirs.name}", "classes": len(classes),
        "aux_heads": net.aux_heads, "parameters": sum(p.size for p in net.parameters()),
        "transform_input": transform_input,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(said))
        return
    heads = "with" if net.aux_heads else "without"
    scale = "−1 … 1" if transform_input else "ImageNet's mean and deviation"
    click.echo(
        f"{said['from']}: {said['parameters']:,} parameters, {len(classes)} classes, {heads} "
        f"auxiliary heads; pictures are scaled to {scale}\n"
        f"written into {printable(str(run))}: googlenet predict {printable(str(run))} PICTURE"
    )


@click.command("export-weights", epilog=EXPORT_EXAMPLE)
@click.argument("run", type=RunPath())
@click.argument("file", type=click.Path(path_type=Path))
def export_weights(run: Path, file: Path) -> None:
    """Write the weights of a finished RUN as torchvision has them, into a safetensors FILE.

    RUN is one of a GoogLeNet in the dialect torchvision, or of Inception v3.
    """
    if not run.exists():
        raise Usage(f"there is no run {str(run)!r}")
    if file.exists():
        raise Usage(f"there is something already at {str(file)!r}")
    model = load_model(run)
    fitting = [each for each in TORCHVISION.values() if each.fits(model.net)]
    if not fitting:
        raise Usage(
            f"torchvision has no such network as that of {str(run)!r}, {model.net.design.name}; it "
            "has GoogLeNet in the dialect torchvision, and Inception v3, of colour pictures"
        )
    checkpoint.save(file, to_torchvision(model.net, fitting[0]))
    click.echo(f"{printable(str(file))}: weights for torchvision.models.{fitting[0].name}")


def _recipe(net: Network, theirs: Theirs, transform_input: bool) -> Recipe:
    """Say of the network what a recipe says; how it was trained is not known."""
    mean, std = _scale(transform_input)
    shape: dict[str, Any] = {} if theirs.dialect is None else {"dialect": theirs.dialect}
    return Recipe(
        name="imported", architecture=theirs.architecture, image_size=theirs.crop,
        aux_heads=net.aux_heads, aux_weight=net.design.aux_weight, dropout=net.design.dropout,
        aux_dropout=net.design.aux_dropout, init=net.design.init, normalization="fixed", mean=mean,
        std=std, **shape,
    )  # fmt: skip


def _scale(transform_input: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the deviation to normalise by.

    Pictures come to torchvision's networks as (x − mean) / std, by ImageNet's. ``transform_input``
    takes that back and normalises anew: ((x − mean) / std · std + mean − 0.5) / 0.5, which is
    (x − 0.5) / 0.5. It is of a time when these weights were brought over from TensorFlow.
    """
    return ((0.5,) * 3, (0.5,) * 3) if transform_input else (MEAN, STD)


def _transform(theirs: Theirs, transform_input: bool) -> Compose:
    """Return how pictures are prepared for use: torchvision's transforms of these weights."""
    mean, std = _scale(transform_input)
    return Compose([Resize(theirs.resize), CenterCrop(theirs.crop), Normalize(mean, std)])


def _classes(file: Path | None, count: int) -> tuple[str, ...]:
    """Read the names of classes. Two may have the same: there are two cranes in ImageNet.

    Raises
    ------
    ValueError, OSError
        If there are not as many as the network has, or one is empty.
    """
    if file is None:
        return tuple(map(str, range(count)))
    with open(file, "rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{str(file)!r} is too large for names of classes: over {MOST_BYTES:,} B")
    try:
        names = [line.strip() for line in content.decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(file)!r} is no text in UTF-8: {error}") from None
    while names and not names[-1]:
        names.pop()
    if len(names) != count:
        raise ValueError(f"{str(file)!r} has {len(names)} names, but the network {count} classes")
    if "" in names:
        raise ValueError(f"{str(file)!r}: line {names.index('') + 1} is empty")
    return tuple(names)
