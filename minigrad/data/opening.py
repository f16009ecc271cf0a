"""Datasets by name, for command lines: what to train on, what to test on, and what it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minigrad.data.cifar import CIFAR10, CIFAR100
from minigrad.data.class_names import GROUND_TRUTH, read_class_names, read_ground_truth
from minigrad.data.datasets import Dataset
from minigrad.data.fashion_mnist import FashionMNIST
from minigrad.data.image_folder import ImageFolder
from minigrad.data.images import SUFFIXES

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["DATASETS", "OpenedDataset", "open_dataset"]

# What has a name, and what a command line may say of it.
DATASETS = {
    "embedded": "5,000 and 1,000 pictures of clothes, 28×28, grey, which ship with minigrad",
    "fashion-mnist": "all 60,000 and 10,000 of them, from Debian's package, a folder or a download",
    "cifar10": "50,000 and 10,000 colour pictures of 10 classes, 32×32, an archive or a download",
    "cifar100": "as many of 100 classes",
}
PUBLISHED: dict[str, tuple[str, type[FashionMNIST | CIFAR10 | CIFAR100]]] = {
    "fashion-mnist": ("Fashion-MNIST", FashionMNIST),
    "cifar10": ("CIFAR-10", CIFAR10),
    "cifar100": ("CIFAR-100", CIFAR100),
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
    names: str | os.PathLike[str] | None = None,
    ground_truth: str | os.PathLike[str] | None = None,
    **reading: Any,
) -> OpenedDataset:
    """Open a dataset by its name, or any folder of images.

    Parameters
    ----------
    name
        "embedded" or "fashion-mnist", see `FashionMNIST`; "cifar10" or "cifar100", see `CIFAR10`;
        or the path of a folder as `ImageFolder` takes it. One that holds such folders called train
        and test (or val, valid, validation) is opened as these two.
    root
        The folder with the files of a dataset, or CIFAR's archive, where they are not to be looked
        for.
    test
        A second folder of images, of the same classes, to test on. Without one, pictures of each
        class are held out.
    held_out, seed
        The share held out of a folder and the seed of its choice, see `ImageFolder.split`.
    names
        A file with readable names for the folders of the classes, see `read_class_names`.
    ground_truth
        Of test pictures that lie all in one folder, as those of ImageNet do: a file that tells
        their classes, see `read_ground_truth`. In a folder with train and val,
        ``LOC_val_solution.csv`` or ``val.txt`` is found by itself.
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
    about = {"names": names, "ground_truth": ground_truth}
    if name not in DATASETS:
        if root is not None:
            raise ValueError(
                f"open_dataset: root goes with {', '.join(map(repr, PUBLISHED))}, not with a folder"
            )
        return _open_folder(_Folder(Path(name), test, **about), held_out, seed, reading)
    given = {"test": test, **about, **reading} | ({"root": root} if name == "embedded" else {})
    for option, value in given.items():
        if value is not None:
            raise ValueError(f"open_dataset: {option} does not go with {name!r}")
    training: Any
    held: Any
    if name not in PUBLISHED:
        training, held = FashionMNIST(True), FashionMNIST(False)
        called = "embedded Fashion-MNIST"
    else:
        shown, kind = PUBLISHED[str(name)]
        training, held = (kind(train, root, True, progress) for train in (True, False))
        called = f"{shown} in {str(training.root)!r}"
    return OpenedDataset(training, held, f"{called}, {_counted(training, held)}")


class _Folder(NamedTuple):
    """A folder to be opened, and what was said about it."""

    path: Path
    test: str | os.PathLike[str] | None
    names: str | os.PathLike[str] | None
    ground_truth: str | os.PathLike[str] | None


def _open_folder(
    given: _Folder, held_out: float, seed: int, reading: dict[str, Any]
) -> OpenedDataset:
    if not given.path.exists():
        raise ValueError(
            f"open_dataset: there is no dataset and no folder {str(given.path)!r}; the datasets "
            f"are {', '.join(DATASETS)}"
        )
    path, test, truth = given.path, given.test, given.ground_truth
    if test is None and (path / "train").is_dir():
        beside = _beside_training(path)
        if beside is not None:
            if truth is None and _is_flat(beside):
                truth = _truth_beside(path, beside)
            path, test = path / "train", beside
    whole = ImageFolder(path, **reading, names=given.names)
    if test is None:
        if truth is not None:
            raise ValueError(
                "open_dataset: ground_truth tells of test pictures that lie all in one folder, but "
                f"there is none: {str(path)!r} has no val beside train, and test was not given"
            )
        training, held = whole.split(held_out, seed)
        how = f"{held_out:g} of each class held out with seed {seed}"
    else:
        training, held = whole, _test_folder(Path(test), truth, whole, given.names, reading)
        how = f"test pictures in {str(test)!r}"
    text = f"{str(path)!r}, {len(whole.classes)} classes, {_counted(training, held)}, {how}"
    return OpenedDataset(training, held, text)


def _beside_training(path: Path) -> Path | None:
    """Return the one folder to test on that lies beside train, if there is one.

    Where one of several holds pictures without classes, as ImageNet's test does, it is another.
    """
    beside = [path / name for name in TEST_FOLDERS if (path / name).is_dir()]
    if len(beside) > 1:
        in_classes = [folder for folder in beside if not _is_flat(folder)]
        beside = in_classes or [folder for folder in beside if folder.name != "test"]
    if len(beside) > 1:
        raise ValueError(
            f"open_dataset: {str(path)!r} holds more than one folder to test on, "
            f"{' and '.join(folder.name for folder in beside)}: give two folders, one as test"
        )
    return beside[0] if beside else None


def _is_flat(folder: Path) -> bool:
    """Tell whether pictures lie in a folder, and no folders."""
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    pictures = any(entry.name.lower().endswith(SUFFIXES) for entry in shown)
    return pictures and not any(entry.is_dir() for entry in shown)


def _truth_beside(path: Path, folder: Path) -> Path:
    for name in GROUND_TRUTH:
        if (path / name).is_file():
            return path / name
    raise ValueError(
        f"open_dataset: the pictures in {str(folder)!r} lie in no folders of classes: give a "
        "file that tells what they show, as ground_truth, or put it beside that folder as "
        f"{' or '.join(GROUND_TRUTH)}"
    )


def _test_folder(
    folder: Path,
    truth: str | os.PathLike[str] | None,
    training: ImageFolder,
    names: str | os.PathLike[str] | None,
    reading: dict[str, Any],
) -> ImageFolder:
    """Open the test pictures, with the classes of the training pictures."""
    if truth is not None:
        labels = read_ground_truth(truth, training.folders)
        return ImageFolder.of_files(folder, labels, training.classes, **reading)
    called = None if names is None else read_class_names(names, training.folders)
    return ImageFolder(folder, **reading, classes=training.classes, names=called)


def _counted(training: Dataset, test: Dataset) -> str:
    return f"{len(training)} training and {len(test)} test pictures"
