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

from minigrad.data.batches import collate
from minigrad.data.cifar import CIFAR10, CIFAR100
from minigrad.data.class_names import read_class_names, read_ground_truth
from minigrad.data.datasets import ArrayDataset, Dataset, Subset
from minigrad.data.fashion_mnist import FashionMNIST
from minigrad.data.idx import read_idx, write_idx
from minigrad.data.image_folder import ImageFolder
from minigrad.data.images import ImageError, picture_format, read_image
from minigrad.data.loader import DataLoader
from minigrad.data.opening import DATASETS, OpenedDataset, open_dataset
from minigrad.data.statistics import ChannelStatistics, channel_statistics
from minigrad.data.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    Normalize,
    Pad,
    RandomCrop,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomLighting,
    RandomPhotometricDistort,
    RandomResizedCrop,
    Resize,
    ToFloat,
    Transform,
    paper_augmentation,
    to_float,
    transform_from_dict,
)

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DATASETS",
    "ArrayDataset",
    "CenterCrop",
    "ChannelStatistics",
    "ColorJitter",
    "Compose",
    "DataLoader",
    "Dataset",
    "FashionMNIST",
    "ImageError",
    "ImageFolder",
    "Normalize",
    "OpenedDataset",
    "Pad",
    "RandomCrop",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomLighting",
    "RandomPhotometricDistort",
    "RandomResizedCrop",
    "Resize",
    "Subset",
    "ToFloat",
    "Transform",
    "channel_statistics",
    "collate",
    "open_dataset",
    "paper_augmentation",
    "picture_format",
    "read_class_names",
    "read_ground_truth",
    "read_idx",
    "read_image",
    "to_float",
    "transform_from_dict",
    "write_idx",
]
