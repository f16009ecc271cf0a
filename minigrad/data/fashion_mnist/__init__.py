"""Fashion-MNIST: the small one, which ships with minigrad, and the full one.

`draw` tells how the small one was made, `published` what the full one is and where it is found.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minigrad.data.datasets import ArrayDataset
from minigrad.data.fashion_mnist import published
from minigrad.data.idx import read_idx

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["FashionMNIST"]

CLASSES = (
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


class FashionMNIST(ArrayDataset):
    """Grey 28×28 photographs of clothes in ten classes (Xiao, Rasul and Vollgraf, 2017).

    A balanced subset of 5,000 training and 1,000 test images ships with minigrad; its folder tells
    how it was drawn. The full dataset has 60,000 and 10,000.

    Parameters
    ----------
    train
        Whether to take the training images or the test images.
    root
        A folder with the four gzip files of the full dataset, or of one like it, under their
        original names; ``None`` stands for the subset, or with `full` for wherever they are found.
    full
        Whether it must be the full dataset, byte for byte as its authors published it. Without
        `root` it is looked for in Debian's package dataset-fashion-mnist, then in the folder that
        the environment variable ``MINIGRAD_FASHION_MNIST`` names, then in the cache
        (``~/.cache/minigrad``), into which it is downloaded if need be, 30 megabytes.
    progress
        Called as ``progress(file name, bytes so far, bytes in all)`` during a download.

    Raises
    ------
    FileNotFoundError
        When a file is not in `root`, or the full dataset is nowhere and cannot be downloaded.
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

    def __init__(
        self,
        train: bool = True,
        root: str | os.PathLike[str] | None = None,
        full: bool = False,
        progress: "Progress | None" = None,
    ) -> None:
        if root is not None:
            self.root = Path(root)
        else:
            self.root = published.find(train, progress) if full else Path(__file__).parent
        images_file, labels_file = (self.root / name for name in published.file_names(train))
        for file in (images_file, labels_file):
            if not file.is_file():
                raise FileNotFoundError(
                    f"FashionMNIST: root must be a folder with the four gzip files of the dataset, "
                    f"but there is no file {file}"
                )
        images, labels = read_idx(images_file), read_idx(labels_file)
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8:
            raise ValueError(
                f"FashionMNIST: {images_file} holds an array of shape {images.shape} and type "
                f"{images.dtype}, but images of 28×28 in uint8 were needed"
            )
        if full:
            published.check_array(images_file, images)
            published.check_array(labels_file, labels)
        self._images_file = images_file
        super().__init__(images[:, np.newaxis], labels, CLASSES)

    def describe(self, index: int) -> str:
        """Say where image `index` comes from, to be named in errors."""
        return f"image {index} of {str(self._images_file)!r}"
