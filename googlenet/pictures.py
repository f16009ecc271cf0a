"""From a dataset to what the network takes: which pictures, and what becomes of them on the way.

Small pictures that are all of one size go as they are, resized; with zeros around them they may be
shifted at random for training. Photographs of any size are cropped: at random for training, from
the middle for the test.
"""

import hashlib
import json
import os
from typing import Any

import numpy as np

from googlenet.recipes import Recipe
from minigrad.data import (
    ArrayDataset,
    CenterCrop,
    ColorJitter,
    Compose,
    Dataset,
    ImageFolder,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomLighting,
    RandomPhotometricDistort,
    RandomResizedCrop,
    Resize,
    ToFloat,
    Transform,
    channel_statistics,
)

SAMPLE = 500  # photographs that mean and standard deviation are taken from, at most
MARGIN = 256 / 224  # how much longer than the crop the shorter side is for the test

# By the name of the photometric change: the paper's own ("of Andrew Howard"), torchvision's of its
# classification recipes, and that of SSD and torchvision's detection recipes.
LIGHT: dict[str, tuple[Transform, ...]] = {
    "none": (),
    "paper": (ColorJitter(0.5, 0.5, 0.5), RandomLighting()),
    "jitter": (ColorJitter(0.4, 0.4, 0.4, 0.1),),
    "distort": (RandomPhotometricDistort(),),
}


def reading(image_size: int, channels: int) -> dict[str, Any]:
    """Return how pictures in a folder are read: options of `read_image`.

    A large JPEG is decoded at a fraction of its size, which is several times faster, as long as a
    crop of a quarter of its area has no fewer pixels than the network takes.
    """
    return {"channels": channels, "min_side": 2 * image_size}


def transforms(
    recipe: Recipe, training: Dataset, on_error: str = "raise"
) -> tuple[Compose, Compose]:
    """Return how pictures are prepared, for training and for use, normalised as `training` needs.

    Parameters
    ----------
    recipe : Recipe
    training : Dataset
        Its mean and standard deviation are taken.
    on_error : {"raise", "skip"}
        What to do meanwhile about pictures that cannot be read.
    """
    size, of_one_size = recipe.image_size, isinstance(training, ArrayDataset)
    if of_one_size:
        place: list = [Resize((size, size))]
        changed = [*place, RandomCrop(size, recipe.pad)] if recipe.pad else place
    else:
        place = [Resize(round(size * MARGIN)), CenterCrop(size)]
        changed = [_crop(recipe)] if recipe.crop < 1 else place
    values = [_normalization(recipe, training, Compose(place), on_error)]
    flip = [RandomHorizontalFlip()] if recipe.flip else []
    return Compose([*flip, *changed, *LIGHT[recipe.photometric], *values]), Compose(
        [*place, *values]
    )


def _crop(recipe: Recipe) -> Transform:
    """Make the random crop of photographs."""
    ratio = (recipe.aspect[0], recipe.aspect[1])
    how: Any = recipe.interpolation
    return RandomResizedCrop(recipe.image_size, (recipe.crop, 1.0), ratio, how)


def _normalization(recipe: Recipe, training: Dataset, place: Compose, on_error: str) -> Transform:
    """Make what turns bytes into the numbers that the network takes."""
    match recipe.normalization:
        case "scale":
            return ToFloat()
        case "half":
            return Normalize(0.5, 0.5)
        case "fixed":
            return Normalize(list(recipe.mean), list(recipe.std))
    if isinstance(training, ArrayDataset):
        pixels = training.images
        mean = (pixels.mean((0, 2, 3)) / 255).tolist()
        std = (pixels.std((0, 2, 3)) / 255).tolist()
    else:
        found = channel_statistics(training, place, SAMPLE, recipe.seed, on_error)
        mean, std = map(list, found)
    if recipe.normalization == "mean":  # a byte stays as large as it was
        return Normalize(mean, [1 / 255] * len(mean))
    return Normalize(mean, [value or 1.0 for value in std])  # 0 is that of a constant channel


def some(dataset: Dataset, count: int) -> Dataset:
    """Return so many pictures: the first of an array, or of files, which lie by classes, each n-th.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    if not 0 < count <= len(dataset):
        raise ValueError(f"pictures must lie between 1 and {len(dataset)}, got {count}")
    if isinstance(dataset, ArrayDataset):
        kept = slice(count)
        return ArrayDataset(dataset.images[kept], dataset.labels[kept], dataset.classes)
    assert isinstance(dataset, ImageFolder)
    return dataset.subset(len(dataset) * i // count for i in range(count))


def fingerprint(dataset: Dataset) -> str:
    """Sum up a dataset, to know it again: classes, labels, pictures or names and sizes of files.

    Not where it lies: a folder may have been moved.
    """
    checksum = hashlib.sha256(json.dumps([len(dataset), list(dataset.classes)]).encode())
    if isinstance(dataset, ArrayDataset):
        checksum.update(np.ascontiguousarray(dataset.images).data)
        checksum.update(dataset.labels.tobytes())
    elif isinstance(dataset, ImageFolder):
        for file, label in zip(dataset.files, dataset.labels, strict=True):
            try:
                size = os.stat(dataset.root / file).st_size
            except OSError:  # a link that leads nowhere: not readable, but that is said elsewhere
                size = -1
            checksum.update(json.dumps([file, size, int(label)]).encode())
    return checksum.hexdigest()
