"""Datasets: labelled images that can be counted and fetched one by one."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

__all__ = ["ArrayDataset", "Dataset", "Subset"]


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

    def describe(self, index: int) -> str:
        """Say which image `index` is, to be named in errors."""
        return f"image {index} of {self!r}"

    def __repr__(self) -> str:
        count, *shape = self.images.shape
        return (
            f"{type(self).__name__}({count} images of shape {tuple(shape)}, "
            f"{len(self.classes)} classes)"
        )


class Subset:
    """Some of the images of a dataset, in the order of `indices`, with the same classes.

    Parameters
    ----------
    dataset
        Any dataset.
    indices
        Which of its images.

    Raises
    ------
    IndexError
        When there is no such image.

    Examples
    --------
    >>> images = np.zeros((6, 3, 32, 32), np.uint8)
    >>> dataset = ArrayDataset(images, np.array([0, 1, 1, 0, 1, 0]), classes=("cat", "dog"))
    >>> dogs = Subset(dataset, np.flatnonzero(dataset.labels == 1))
    >>> len(dogs), dogs[0][1]
    (3, 1)
    """

    def __init__(self, dataset: Dataset, indices: Iterable[int]) -> None:
        self.dataset = dataset
        self.indices = [range(len(dataset))[index] for index in indices]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.dataset[self.indices[index]]

    def describe(self, index: int) -> str:
        """Say which image of the dataset `index` is, to be named in errors."""
        whole, place = self.dataset, self.indices[index]
        describe = getattr(whole, "describe", None)
        return describe(place) if describe else f"image {place} of {whole!r}"

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"
