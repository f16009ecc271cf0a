"""Datasets by name, for command lines: what to train on, what to test on, and what it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minigrad.data.datasets import Dataset
from minigrad.data.fashion_mnist import FashionMNIST
from minigrad.data.image_folder import ImageFolder

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["DATASETS", "OpenedDataset", "open_dataset"]

# What has a name, and what a command line may say of it.
DATASETS = {
    "embedded": "5,000 and 1,000 pictures of clothes, 28×28, grey, which ship with minigrad",
    "fashion-mnist": "all 60,000 and 10,000 of them, from Debian's package, a folder or a download",
}
TEST_FOLDERS = ("test", "val", "valid", "validation")  # beside one called train


class OpenedDataset(NamedTuple):
    """Two datasets of the same classes, and a line that says what they are."""

    training: Dataset
    test: Dataset
    description: str


def open_dataset(
    name: str | os.PathLike[str] = "embedded",
    *,
    root: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    held_out: float = 0.2,
    seed: int = 0,
    progress: "Progress | None" = None,
    **reading: Any,
) -> OpenedDataset:
    """Open a dataset by its name, or any folder of images.

    Parameters
    ----------
    name
        "embedded" or "fashion-mnist", see `FashionMNIST`; or the path of a folder as `ImageFolder`
        takes it. One that holds such folders called train and test (or val, valid, validation)
        is opened as these two.
    root
        The folder with the files of "fashion-mnist", where they are not to be looked for.
    test
        A second folder of images, of the same classes, to test on. Without one, pictures of each
        class are held out.
    held_out, seed
        The share held out of a folder and the seed of its choice, see `ImageFolder.split`.
    progress
        Called as ``progress(file name, bytes so far, bytes in all)`` while something is downloaded.
    **reading
        How pictures in folders are read: `channels`, `background`, `min_side`, `max_pixels`; one
        that is ``None`` is as if not given.

    Returns
    -------
    opened : OpenedDataset
        ``(training, test, description)``.

    Raises
    ------
    ValueError
        When there is no such dataset, or an option does not go with it. Further, what the datasets
        raise.

    Examples
    --------
    >>> training, test, description = open_dataset("embedded")
    >>> description
    'embedded Fashion-MNIST, 5000 training and 1000 test pictures'
    """
    reading = {option: value for option, value in reading.items() if value is not None}
    if name not in DATASETS:
        if root is not None:
            raise ValueError("open_dataset: root goes with 'fashion-mnist', not with a folder")
        return _open_folder(Path(name), test, held_out, seed, reading)
    given = {"test": test, **reading} | ({"root": root} if name == "embedded" else {})
    for option, value in given.items():
        if value is not None:
            raise ValueError(f"open_dataset: {option} does not go with {name!r}")
    full = name == "fashion-mnist"
    training = FashionMNIST(True, root, full, progress)
    held = FashionMNIST(False, root, full, progress)
    called = f"Fashion-MNIST in {str(training.root)!r}" if full else "embedded Fashion-MNIST"
    return OpenedDataset(training, held, f"{called}, {_counted(training, held)}")


def _open_folder(
    path: Path,
    test: str | os.PathLike[str] | None,
    held_out: float,
    seed: int,
    reading: dict[str, Any],
) -> OpenedDataset:
    if not path.exists():
        raise ValueError(
            f"open_dataset: there is no dataset and no folder {str(path)!r}; the datasets are "
            f"{', '.join(DATASETS)}"
        )
    beside = [path / name for name in TEST_FOLDERS if (path / name).is_dir()]
    if test is None and beside and (path / "train").is_dir():
        if len(beside) > 1:
            raise ValueError(
                f"open_dataset: {str(path)!r} holds more than one folder to test on, "
                f"{' and '.join(folder.name for folder in beside)}: give two folders, one as test"
            )
        path, test = path / "train", beside[0]
    whole = ImageFolder(path, **reading)
    if test is None:
        training, held = whole.split(held_out, seed)
        how = f"{held_out:g} of each class held out with seed {seed}"
    else:
        training, held = whole, ImageFolder(test, **reading, classes=whole.classes)
        how = f"test pictures in {str(test)!r}"
    text = f"{str(path)!r}, {len(whole.classes)} classes, {_counted(training, held)}, {how}"
    return OpenedDataset(training, held, text)


def _counted(training: Dataset, test: Dataset) -> str:
    return f"{len(training)} training and {len(test)} test pictures"
