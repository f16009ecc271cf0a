"""Photographs from files to what a network takes: decoded, cut, resized, mirrored, normalised.

On one core, by the time that the processor spent (other programs change it less than the time on
the clock). There is no peer: the others decode with the same library. The photographs are made
here: noise that falls with the frequency, as that of photographs does, so that a JPEG of one has
the size that a JPEG of a photograph has.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.options import Options
from benchmarks.report import Column, Table, decimals
from benchmarks.timing import Spread, alternate
from minigrad.data import (
    CenterCrop,
    Compose,
    ImageFolder,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToFloat,
)

COLUMNS = (
    Column("file", "file"),
    Column("what", "what is done"),
    Column("rate", "pictures/s", decimals(0)),
    Column("times", "ms each, median", lambda spread: f"{1e3 * spread.median:.2f}"),
)
LAST = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TRAINING = [RandomResizedCrop(224), RandomHorizontalFlip()]
WAYS = {
    "decoded": Compose([]),
    "training: random crop, 224, mirrored": Compose([*TRAINING, LAST]),
    "the same, ToFloat and Normalize apart": Compose([*TRAINING, ToFloat(), LAST]),
    "in use: 256, centre 224": Compose([Resize(256), CenterCrop(224), LAST]),
}
FILES = {  # name: height, width, suffix, min_side
    "JPEG 500×375": (375, 500, "jpg", None),
    "PNG 500×375": (375, 500, "png", None),
    "JPEG 4000×3000": (3000, 4000, "jpg", None),
    "JPEG 4000×3000, min_side=448": (3000, 4000, "jpg", 448),
}


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: each kind of file, each way to use it."""
    table = Table("pictures", "Photographs from files, on one core", COLUMNS)
    table.notes = ["By the time of the processor, not of the clock; nothing is prepared ahead."]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as root:
        steps, counts = {}, {}
        for name, (height, width, suffix, min_side) in FILES.items():
            if options.quick and height > 1000:
                continue
            count = 2 if height > 1000 else 8
            folder = Path(root) / name / "class"
            folder.mkdir(parents=True)
            for i in range(count):
                photograph(height, width, rng).save(folder / f"{i}.{suffix}", quality=90)
            dataset = ImageFolder(folder.parent, min_side=min_side)
            for what, way in WAYS.items():
                steps[f"{name}\n{what}"] = lambda dataset=dataset, way=way: walk(dataset, way, rng)
                counts[f"{name}\n{what}"] = count
        for key, spread in alternate(steps, options.turns(5), clock=time.process_time).items():
            name, what = key.split("\n")
            each = Spread(*(seconds / counts[key] for seconds in _times(spread)), spread.count)
            table.rows.append({"file": name, "what": what, "rate": 1 / each.median, "times": each})
    yield table


def photograph(height: int, width: int, rng: np.random.Generator) -> Image.Image:
    """Return something whose spectrum falls as 1 / frequency, as that of photographs does."""
    spectrum = np.fft.rfft2(rng.standard_normal((3, height, width)), axes=(1, 2))
    spectrum /= np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)) + 1e-3
    noise = np.fft.irfft2(spectrum, s=(height, width), axes=(1, 2))
    levels = 120 + 50 * noise / noise.std()
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def walk(dataset: ImageFolder, way: Compose, rng: np.random.Generator) -> None:
    """Go through the pictures once."""
    for image, _ in dataset:
        way(image, rng)


def _times(spread: Spread) -> tuple[float, ...]:
    return spread.least, spread.lower, spread.median, spread.upper, spread.most
