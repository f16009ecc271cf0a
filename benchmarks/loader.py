"""Pictures a second through the data loader, with the default job's transforms.

PyTorch's side does the same work on each picture: mirror half of them, resize with Pillow, scale to
0 … 1, normalise. Nobody uses the batches, so that loading is all there is.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, agree, torch
from benchmarks.report import TIMED, Column, Table, decimals
from benchmarks.timing import Spread, alternate, ratio
from googlenet.recipes import Recipe
from minigrad.data import (
    ArrayDataset,
    Compose,
    DataLoader,
    FashionMNIST,
    Normalize,
    RandomHorizontalFlip,
    Resize,
    ToFloat,
)

COLUMNS = (*TIMED[:1], Column("rate", "pictures/s", decimals(0)), *TIMED[1:])
MEAN, STD = 0.286, 0.353


class TorchPictures:
    """The same pictures as a dataset for PyTorch, transforms included."""

    def __init__(self, pictures: ArrayDataset, size: int, flip: bool) -> None:
        self.pictures, self.size, self.flip = pictures, size, flip

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self.pictures[index]
        if self.flip and torch.rand(()) < 0.5:
            image = image[:, :, ::-1]
        resized = Image.fromarray(image[0]).resize((self.size,) * 2, Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(resized))[None].to(torch.float32).div_(255)
        return x.sub_(MEAN).div_(STD), label


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: whole epochs."""
    recipe, pictures = Recipe(), FashionMNIST(train=True)
    if options.quick:
        pictures = ArrayDataset(pictures.images[:512], pictures.labels[:512], pictures.classes)
    title = f"The data loader: an epoch of {len(pictures)} pictures, batches of {recipe.batch_size}"
    table = Table("loader", title, COLUMNS)
    table.notes = [
        f"28 → {recipe.image_size} pixels, half of them mirrored; nobody uses the batches. Ours "
        "prepares on one thread in the background, or as asked for; PyTorch's in so many processes."
    ]
    if torch:
        check(recipe, pictures)
    else:
        table.notes.append(MISSING)
    steps = {name: epoch(loader) for name, loader in loaders(recipe, pictures).items()}
    spreads = alternate(steps, options.turns(5))
    ours = {True: spreads[f"{OURS}, ahead"], False: spreads[f"{OURS}, as asked for"]}
    table.rows = [
        {
            "side": name, "rate": len(pictures) / spread.median, "times": spread,
            "ratio": None if name.startswith(OURS) else ratio(_equal(name, ours), spread),
        }
        for name, spread in spreads.items()
    ]  # fmt: skip
    yield table


def _equal(name: str, ours: dict[bool, Spread]) -> Spread:
    """Return ours to compare with: in the background beside processes, alone beside none."""
    return ours[not name.endswith("0 workers")]


def loaders(recipe: Recipe, pictures: ArrayDataset) -> dict[str, Any]:
    """Make the loader of each side, each in its two ways to work."""
    fixed = [Resize(recipe.image_size), ToFloat(), Normalize(MEAN, STD)]
    transform = Compose([RandomHorizontalFlip(), *fixed])
    made: dict[str, Any] = {
        f"{OURS}, ahead": DataLoader(pictures, recipe.batch_size, True, transform=transform),
        f"{OURS}, as asked for": DataLoader(
            pictures, recipe.batch_size, True, transform=transform, prefetch=0
        ),
    }
    if torch:
        theirs = TorchPictures(pictures, recipe.image_size, flip=True)
        for workers in (0, 2):
            made[f"PyTorch, {workers} workers"] = torch.utils.data.DataLoader(
                theirs, recipe.batch_size, shuffle=True, num_workers=workers,
                persistent_workers=workers > 0,
            )  # fmt: skip
    return made


def check(recipe: Recipe, pictures: ArrayDataset) -> None:
    """Hold the first batch of both sides against each other, nothing shuffled or mirrored."""
    fixed = Compose([Resize(recipe.image_size), ToFloat(), Normalize(MEAN, STD)])
    ours, labels = next(iter(DataLoader(pictures, recipe.batch_size, transform=fixed)))
    dataset = TorchPictures(pictures, recipe.image_size, flip=False)
    theirs, target = next(iter(torch.utils.data.DataLoader(dataset, recipe.batch_size)))
    agree("loader, pictures", ours.data, theirs.numpy())
    agree("loader, labels", labels.data, target.numpy())


def epoch(loader: Any) -> Callable[[], object]:
    return lambda: deque(loader, maxlen=0)
