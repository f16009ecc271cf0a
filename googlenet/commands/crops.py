"""``googlenet crops``: where a picture is cropped for the test, as a list or drawn."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from googlenet.commands.errors import Usage, usage
from googlenet.commands.options import cropping
from googlenet.evaluation.crops import Crop, crops_of, distinct
from googlenet.pictures import reading
from googlenet.sentences import printable
from minigrad.checkpoint import write_whole
from minigrad.data import read_image

EXAMPLE = """\b
Examples:
  googlenet crops bag.png --crops 10
  googlenet crops bag.png --crops 144 --output crops.png
  googlenet crops bag.png --crops 144 --image-size 32 --json
"""


@click.command(epilog=EXAMPLE)
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--image-size", "size", type=click.IntRange(1, 4096), default=224, show_default=True,
    help="Pixels that the network takes.",
)  # fmt: skip
@cropping
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Draw them, as a PNG."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def crops(picture: Path, size: int, crops: int, output: Path | None, as_json: bool) -> None:
    """Show where PICTURE is cropped by evaluate and predict with --crops.

    144 are the paper's: the shorter side 256, 288, 320 and 352, of each the left, centre and right
    square (of a portrait top, centre, bottom), of each square the corners, the centre, and the
    whole square resized; and all of that mirrored. For another --image-size than 224 all of it in
    proportion.
    """
    if not picture.exists():
        raise Usage(f"there is no picture {str(picture)!r}")
    image = read_image(picture, **reading(size, 3))
    _, height, width = image.shape
    with usage():
        found = crops_of(crops, height, width, size)
    if output is not None:
        from googlenet.evaluation.sheet import draw_crops  # Matplotlib takes time

        write_whole(output, draw_crops(image, found, size, printable(picture.name)))
    if as_json:
        said = {
            "picture": str(picture), "height": height, "width": width, "image_size": size,
            "distinct": len(distinct(found)), "crops": [_row(crop) for crop in found],
        }  # fmt: skip
        click.echo(json.dumps(said))
        return
    Console().print(_table(found))
    differ = f", of which {len(distinct(found))} differ" if len(distinct(found)) < crops else ""
    click.echo(f"{crops} crop{'s' * (crops > 1)} of {size}×{size} from {width}×{height}{differ}")
    if output is not None:
        click.echo(f"drawn into {printable(str(output))}")


def _row(crop: Crop) -> dict[str, int | str | bool]:
    """Return a crop as JSON has it: what to resize the picture to, and what to cut out of that."""
    return {
        "height": crop.square.height, "width": crop.square.width, "square": crop.square.name,
        "view": crop.view, "top": crop.top, "left": crop.left, "side": crop.side,
        "mirrored": crop.mirrored,
    }  # fmt: skip


def _table(found: Sequence[Crop]) -> Table:
    """Return a table of the squares, with how many crops are cut out of each."""
    made = Table()
    made.add_column("resized to")
    made.add_column("square")
    for name in ("from column", "from row", "side", "crops"):
        made.add_column(name, justify="right")
    for square, count in Counter(crop.square for crop in found).items():
        sides = (square.left, square.top, square.side, count)
        made.add_row(f"{square.width}×{square.height}", square.name, *map(str, sides))
    return made
