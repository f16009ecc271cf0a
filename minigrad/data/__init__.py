"""Data: datasets, transforms and the loader that turns them into batches.

The way of an image is `Dataset` → transform → `collate` → batch, and `DataLoader` walks it::

    train = DataLoader(
        FashionMNIST(train=True),
        batch_size=64,
        shuffle=True,
        transform=Compose([RandomCrop(28, padding=2), Normalize(0.286, 0.353)]),
    )
    for images, labels in train:  # (64, 1, 28, 28) and (64,)
        ...
"""

from minigrad.data.datasets import ArrayDataset, Dataset, Subset
from minigrad.data.fashion_mnist import FashionMNIST
from minigrad.data.idx import read_idx, write_idx
from minigrad.data.loader import DataLoader, collate
from minigrad.data.transforms import (
    CenterCrop,
    Compose,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToFloat,
    Transform,
    to_float,
    transform_from_dict,
)

__all__ = [
    "ArrayDataset",
    "CenterCrop",
    "Compose",
    "DataLoader",
    "Dataset",
    "FashionMNIST",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "Subset",
    "ToFloat",
    "Transform",
    "collate",
    "read_idx",
    "to_float",
    "transform_from_dict",
    "write_idx",
]
