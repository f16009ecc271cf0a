"""Make a folder of pictures such as somebody may have, to try ``googlenet train --data`` with.

``python -m benchmarks.own_pictures FOLDER`` cuts photographs into patches. Each class is one
photograph, its pictures are patches of many sizes, a few without their colours, as JPEG and PNG,
some lying on their side as a camera held upright leaves them, with a note that says so. The
photographs ship with scikit-image: given to the public domain (CC0), or of no known copyright.

A patch for the test shows nothing that a patch for the training shows: it comes from a band across
the middle of the photograph, the others from above and below it.
"""

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import click
import numpy as np
from PIL import ExifTags, Image

PHOTOGRAPHS = {  # class: file
    "brick": "brick.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "retina": "retina.jpg",
    "tissue": "ihc.png",
}
BAND = 0.35, 0.65  # of the height: the middle, which is for the test
SIDES = 40, 90  # of a patch, in pixels
GREY, TURNED, PNG = 1 / 8, 1 / 8, 1 / 3  # shares of the patches; those turned are JPEGs


def photographs() -> dict[str, Image.Image]:
    """Open the photographs of scikit-image; it must be installed."""
    folder = resources.files("skimage") / "data"
    opened = {}
    for name, file in PHOTOGRAPHS.items():
        with (folder / file).open("rb") as content, Image.open(content) as image:
            opened[name] = image.copy()
    return opened


def write(
    folder: Path, opened: Mapping[str, Image.Image], training: int, test: int, seed: int = 0
) -> None:
    """Cut photographs into patches: ``folder/train/<class>/<number>.jpg``, and ``folder/test``.

    Parameters
    ----------
    folder : Path
        Is made; pictures of the same names in it are replaced.
    opened : dict of class to image
    training, test : int
        How many patches of each class.
    seed : int
    """
    rng = np.random.default_rng(seed)
    for name, photograph in opened.items():
        top, bottom = (round(photograph.height * edge) for edge in BAND)
        outer = [(0, top), (bottom, photograph.height)]
        for part, bands, count in (("train", outer, training), ("test", [(top, bottom)], test)):
            place = folder / part / name
            place.mkdir(parents=True, exist_ok=True)
            for number, patch in enumerate(patches(photograph, bands, count, rng)):
                _save(patch, place / f"{number:04}", rng)


def patches(
    photograph: Image.Image, bands: list[tuple[int, int]], count: int, rng: np.random.Generator
) -> Iterator[Image.Image]:
    """Cut so many patches, in turns out of bands of a photograph: each from one row to another."""
    for number in range(count):
        first, last = bands[number % len(bands)]
        width, height = rng.integers(*SIDES, 2, endpoint=True).tolist()
        height = min(height, last - first)
        left = int(rng.integers(photograph.width - width, endpoint=True))
        top = first + int(rng.integers(last - first - height, endpoint=True))
        yield photograph.crop((left, top, left + width, top + height))


def _save(patch: Image.Image, path: Path, rng: np.random.Generator) -> None:
    """Write a patch in a format that chance decides."""
    if rng.random() < GREY:
        patch = patch.convert("L")
    if rng.random() < TURNED:
        notes = Image.Exif()
        notes[ExifTags.Base.Orientation] = 6  # stood up by a quarter turn with the clock
        turned = patch.transpose(Image.Transpose.ROTATE_90)
        turned.save(path.with_suffix(".jpg"), quality=90, exif=notes)
    elif rng.random() < PNG:
        patch.save(path.with_suffix(".png"))
    else:
        patch.save(path.with_suffix(".jpg"), quality=int(rng.integers(75, 95)))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--training", default=250, show_default=True, help="Patches of each class.")
@click.option("--test", default=50, show_default=True, help="Patches of each class.")
@click.option("--seed", default=0, show_default=True)
def main(folder: Path, training: int, test: int, seed: int) -> None:
    """Write a folder of pictures: patches of photographs that ship with scikit-image."""
    try:
        opened = photographs()
    except ModuleNotFoundError:
        raise click.ClickException(
            'the photographs are those of scikit-image: pip install -e ".[bench]"'
        ) from None
    write(folder, opened, training, test, seed)
    click.echo(f"{len(opened)} classes, {training} and {test} pictures each: {folder}")


if __name__ == "__main__":
    main()
