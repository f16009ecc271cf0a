"""CIFAR-10 and CIFAR-100, out of the binary and out of the Python archives.

`published` tells which files there are and where they are looked for, `archive` takes them out of a
folder or a ``.tar.gz``, and `pickled` reads those of the Python archives without running anything.

In the binary files one picture is a record of bytes: its label, in CIFAR-100 the coarse one and the
fine one, then 1,024 bytes of red, of green and of blue, row by row.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from minigrad.data.cifar import classes as names
from minigrad.data.cifar import published
from minigrad.data.cifar.archive import read_files
from minigrad.data.cifar.pickled import read_pickled
from minigrad.data.datasets import ArrayDataset

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["CIFAR10", "CIFAR100"]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


class _CIFAR(ArrayDataset):
    """What the two have in common."""

    keys: ClassVar[tuple[str, ...]]  # of the labels in the pickles, in the order of the records

    def _read(
        self,
        train: bool,
        root: str | os.PathLike[str] | None,
        full: bool,
        progress: "Progress | None",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find and read the files; return images and labels, (N, 1) or (N, 2)."""
        name = type(self).__name__
        self.root = published.find(name, progress) if root is None else Path(root)
        try:
            found = published.locate(name, self.root)
            if found is None:
                known = published.LAYOUTS[name]
                raise FileNotFoundError(
                    f"root must be {' or '.join(layout.archive for layout in known)}, or the "
                    f"folder it unpacks to, or a folder with one of these, but {str(self.root)!r} "
                    + ("is another" if self.root.exists() else "does not exist")
                )
            layout, self._place = found
            wanted = layout.training if train else layout.test
            files = read_files(self._place, layout.folder, wanted)
            if full or root is None:
                for file in wanted:
                    published.check_file(layout, self._place, file, files[file])
            read = self._records if layout.binary else self._batch
            parts = [read(files.pop(file), file) for file in wanted]
        except (FileNotFoundError, ValueError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f"{name}: {error}") from error
        images = np.empty((sum(len(part) for part, _ in parts), *SHAPE), np.uint8)
        labels = np.concatenate([some for _, some in parts])
        end = len(images)
        while parts:  # the last first: each is let go when it is copied
            part = parts.pop()[0]
            images[end - len(part) : end] = part.reshape(-1, *SHAPE)
            end -= len(part)
        return images, labels

    def _records(self, content: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels and labels of a binary file."""
        length = len(self.keys) + PIXELS
        if not content or len(content) % length:
            raise ValueError(
                f"{file} in {str(self._place)!r} has {len(content):,} bytes, which is no number of "
                f"records of {length:,}"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, length)
        return records[:, len(self.keys) :], records[:, : len(self.keys)].astype(np.int64)

    def _batch(self, content: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels and labels of a file of the Python archive."""
        name = str(self._place / file)
        batch = read_pickled(content, name)
        pixels = batch.get("data")
        if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
            raise ValueError(f"{name!r} has no array (N, {PIXELS:,}) of bytes under 'data'")
        columns = []
        for key in self.keys:
            labels = batch.get(key)
            if (
                not isinstance(labels, list)
                or len(labels) != len(pixels)
                or not all(type(label) is int and 0 <= label < 256 for label in labels)
            ):
                raise ValueError(
                    f"{name!r} has no list of {len(pixels):,} labels under {key!r}, one for each "
                    "picture"
                )
            columns.append(labels)
        return pixels, np.array(columns, np.int64).T

    def describe(self, index: int) -> str:
        """Say where image `index` comes from, to be named in errors."""
        return f"image {index} of {str(self._place)!r}"


class CIFAR10(_CIFAR):
    """Colour pictures of 32×32 pixels in ten classes, 50,000 and 10,000 (Krizhevsky, 2009).

    Parameters
    ----------
    train
        Whether to take the training images or the test images.
    root
        ``cifar-10-binary.tar.gz`` or ``cifar-10-python.tar.gz``, which need not be unpacked; or the
        folder it unpacks to; or a folder with any of these. ``None`` stands for the place that the
        environment variable ``MINIGRAD_CIFAR`` names, or else the cache
        (``~/.cache/minigrad/cifar``), into which the binary archive is downloaded if need be, 170
        megabytes.
    full
        Whether it must be the dataset byte for byte as it was published; without `root` it always
        must.
    progress
        Called as ``progress(file name, bytes so far, bytes in all)`` during a download.

    Raises
    ------
    FileNotFoundError
        When a file is not there, and cannot be downloaded.
    ValueError
        When a file is damaged, or is not one of this dataset. A pickle that holds anything but
        numbers, text and arrays of bytes is refused, and nothing in it is run.

    Source
    ------
    https://www.cs.toronto.edu/~kriz/cifar.html; Krizhevsky, "Learning Multiple Layers of Features
    from Tiny Images" (2009). The parameters are torchvision's.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in range(1, 6):
    ...         record = bytes([number]) + bytes(3072)
    ...         _ = Path(folder, f"data_batch_{number}.bin").write_bytes(record)
    ...     dataset = CIFAR10(train=True, root=folder)
    >>> dataset
    CIFAR10(5 images of shape (3, 32, 32), 10 classes)
    >>> dataset.classes[dataset[4][1]]
    'dog'
    """

    keys = ("labels",)

    def __init__(
        self,
        train: bool = True,
        root: str | os.PathLike[str] | None = None,
        full: bool = False,
        progress: "Progress | None" = None,
    ) -> None:
        images, labels = self._read(train, root, full, progress)
        super().__init__(images, labels[:, 0], names.CIFAR10)


class CIFAR100(_CIFAR):
    """Colour pictures of 32×32 pixels in 100 classes, 50,000 and 10,000 (Krizhevsky, 2009).

    Parameters
    ----------
    train, root, full, progress
        As in `CIFAR10`; the archives are ``cifar-100-binary.tar.gz`` and
        ``cifar-100-python.tar.gz``.
    label_mode
        "fine" for the 100 classes, or "coarse" for the 20 that they are five by five put under.

    Attributes
    ----------
    fine_labels, coarse_labels : array
        (N,), int64; `labels` is one of them.

    Raises
    ------
    FileNotFoundError, ValueError
        As `CIFAR10`.
    """

    keys = ("coarse_labels", "fine_labels")

    def __init__(
        self,
        train: bool = True,
        root: str | os.PathLike[str] | None = None,
        full: bool = False,
        progress: "Progress | None" = None,
        label_mode: Literal["fine", "coarse"] = "fine",
    ) -> None:
        if label_mode not in ("fine", "coarse"):
            raise ValueError(
                f'CIFAR100: label_mode must be "fine" or "coarse", but is {label_mode!r}'
            )
        images, labels = self._read(train, root, full, progress)
        self.coarse_labels, self.fine_labels = labels[:, 0], labels[:, 1]
        for kept, count in (("coarse_labels", 20), ("fine_labels", 100)):  # one is not `labels`
            greatest = getattr(self, kept).max()
            if greatest >= count:
                raise ValueError(
                    f"CIFAR100: {kept} must lie from 0 to {count - 1}, but go up to {greatest}"
                )
        if label_mode == "fine":
            super().__init__(images, self.fine_labels, names.CIFAR100)
        else:
            super().__init__(images, self.coarse_labels, names.CIFAR100_COARSE)
