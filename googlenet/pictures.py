"""From a dataset to what the network takes: which pictures, and what becomes of them on the way.

Small pictures that are all of one size go as they are, resized. Photographs of any size are
cropped: at random for training, from the middle for the test.
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
    Compose,
    Dataset,
    ImageFolder,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    channel_statistics,
)

SAMPLE = 500  # photographs that mean and standard deviation are taken from, at most
MARGIN = 256 / 224  # how much longer than the crop the shorter side is for the test


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
    size = recipe.image_size
    if isinstance(training, ArrayDataset):
        place: list = [Resize((size, size))]
        changed: list = list(place)
        pixels = training.images
        mean = (pixels.mean((0, 2, 3)) / 255).tolist()
        std = (pixels.std((0, 2, 3)) / 255).tolist()
    else:
        place = [Resize(round(size * MARGIN)), CenterCrop(size)]
        changed = [RandomResizedCrop(size, scale=(recipe.crop, 1.0))] if recipe.crop < 1 else place
        found = channel_statistics(training, Compose(place), SAMPLE, recipe.seed, on_error)
        mean, std = map(list, found)
    std = [value or 1.0 for value in std]  # of a channel that is constant
    values = [Normalize(mean, std)]  # of bytes: that scales them first
    flip = [RandomHorizontalFlip()] if recipe.flip else []
    return Compose([*flip, *changed, *values]), Compose([*place, *values])


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
