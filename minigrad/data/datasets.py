"""Datasets: labelled images that can be counted and fetched one by one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from minigrad.data.idx import read_idx

__all__ = ["ArrayDataset", "Dataset", "FashionMNIST"]

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class Dataset(Protocol):
    """What a `DataLoader` needs of a dataset. Any class with these three members is one.

    A dataset may also have a method ``describe(index)`` that returns a string, such as the path of
    a file. Where a `DataLoader` speaks of a sample, it then says this as well.

    A `DataLoader` with several workers fetches images in several threads at once.

    Attributes
    ----------
    classes
        The names of the classes; a label is an index into them.

    Examples
    --------
    >>> class Stripes:
    ...     classes = ("horizontal", "vertical")
    ...
    ...     def __len__(self):
    ...         return 100
    ...
    ...     def __getitem__(self, index):
    ...         image = np.zeros((1, 8, 8), np.float32)
    ...         image[0, ::2] = 1
    ...         return (image, 0) if index % 2 == 0 else (image.transpose(0, 2, 1), 1)
    >>> stripes: Dataset = Stripes()
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def __getitem__(self, index: int, /) -> tuple[np.ndarray, int]:
        """Image `index`, (C, H, W) in uint8 (0 to 255) or in floating point, and its label."""
        ...


class ArrayDataset:
    """Images and labels that are already in memory.

    Parameters
    ----------
    images
        (N, C, H, W), uint8 (0 to 255) or floating point. The images handed out are views of this
        array that cannot be written to, so that no transform changes the data for later epochs.
    labels
        (N,), integers from 0 to ``len(classes) - 1``.
    classes
        The names of the classes.

    Raises
    ------
    ValueError
        When the arrays do not fit the description or each other.

    Examples
    --------
    >>> images = np.zeros((6, 3, 32, 32), np.uint8)
    >>> dataset = ArrayDataset(images, np.array([0, 1, 1, 0, 1, 0]), classes=("cat", "dog"))
    >>> dataset
    ArrayDataset(6 images of shape (3, 32, 32), 2 classes)
    >>> image, label = dataset[2]
    >>> image.shape, dataset.classes[label]
    ((3, 32, 32), 'dog')
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
        name = type(self).__name__
        if images.ndim != 4 or not (images.dtype == np.uint8 or images.dtype.kind == "f"):
            raise ValueError(
                f"{name}: images must be (N, C, H, W) in uint8 or floating point, but have shape "
                f"{images.shape} and type {images.dtype}"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{name}: labels must be {len(images)} integers, one for each image, but have "
                f"shape {labels.shape} and type {labels.dtype}"
            )
        if labels.size and not (labels.min() >= 0 and labels.max() < len(classes)):
            raise ValueError(
                f"{name}: labels must lie from 0 to {len(classes) - 1}, the last of the "
                f"{len(classes)} classes, but go from {labels.min()} to {labels.max()}"
            )
        self.images = images.view()
        self.images.flags.writeable = False
        self.labels = labels.astype(np.int64)
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])

    def __repr__(self) -> str:
        count, *shape = self.images.shape
        return (
            f"{type(self).__name__}({count} images of shape {tuple(shape)}, "
            f"{len(self.classes)} classes)"
        )


class FashionMNIST(ArrayDataset):
    """Grey 28×28 photographs of clothes in ten classes (Xiao, Rasul and Vollgraf, 2017).

    A balanced subset of 5,000 training and 1,000 test images ships with minigrad; its folder tells
    how it was drawn.

    Parameters
    ----------
    train
        Whether to take the training images or the test images.
    root
        A folder with the four gzip files of the full dataset, 60,000 and 10,000 images, under
        their original names; ``None`` stands for the subset.

    Raises
    ------
    FileNotFoundError
        When a file is not in `root`.
    ValueError
        When a file is damaged, or is not one of Fashion-MNIST.

    Source
    ------
    https://github.com/zalandoresearch/fashion-mnist, MIT licence.

    Examples
    --------
    >>> dataset = FashionMNIST(train=False)
    >>> dataset
    FashionMNIST(1000 images of shape (1, 28, 28), 10 classes)
    >>> image, label = dataset[9]
    >>> image.dtype, dataset.classes[label]
    (dtype('uint8'), 'Ankle boot')
    """

    def __init__(self, train: bool = True, root: str | os.PathLike[str] | None = None) -> None:
        folder = Path(__file__).with_name("fashion_mnist") if root is None else Path(root)
        split = "train" if train else "t10k"
        images_file = folder / f"{split}-images-idx3-ubyte.gz"
        labels_file = folder / f"{split}-labels-idx1-ubyte.gz"
        for file in (images_file, labels_file):
            if not file.is_file():
                raise FileNotFoundError(
                    f"FashionMNIST: root must be a folder with the four gzip files of the dataset, "
                    f"but there is no file {file}"
                )
        images = read_idx(images_file)
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8:
            raise ValueError(
                f"FashionMNIST: {images_file} holds an array of shape {images.shape} and type "
                f"{images.dtype}, but images of 28×28 in uint8 were needed"
            )
        super().__init__(images[:, np.newaxis], read_idx(labels_file), FASHION_CLASSES)
