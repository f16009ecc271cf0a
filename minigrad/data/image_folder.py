"""Any folder of images as a dataset: one folder for each class, the pictures inside."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.data.class_names import listed, read_class_names
from minigrad.data.images import (
    MOST_PIXELS,
    SUFFIXES,
    WHITE,
    ImageError,
    check_reading,
    read_image,
)

__all__ = ["ImageFolder"]


class ImageFolder:
    """The pictures of a folder, each in the folder of its class: ``root/class/picture.jpg``.

    Files are known by their endings (.jpg, .jpeg, .png, .bmp, .gif, .webp, .tif, .tiff, .ppm, .pgm,
    in any case); others are passed over, and so is whatever is hidden, and folders inside those of
    the classes. Pictures are read when they are asked for, as `read_image` does. They may differ in
    size: `Resize` and the crops bring them to one.

    Parameters
    ----------
    root
        The folder.
    channels, background, min_side, max_pixels
        How pictures are read, as in `read_image`. With random crops of 224 pixels, ``min_side=448``
        is a good trade of sharpness for speed.
    classes
        The names of the classes, in the order of their labels. Without them they are those of the
        folders, sorted. The test pictures of a network take those of the training pictures.
    names
        Readable names for the folders: a dict, or a file as `read_class_names` takes it, such as
        ImageNet's ``LOC_synset_mapping.txt``. Then these are the names of the classes, still in the
        order of the folders.

    Attributes
    ----------
    files : tuple of str
        The paths within `root`, sorted by class and name.
    labels : array
        (N,), int64.
    folders : tuple of str
        The folders that there are, sorted.
    reading : dict
        How pictures are read; ``read_image(path, **reading)`` reads another in the same way.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError
        When `root` or a folder in it cannot be read.
    ValueError
        When there are no folders of classes, or one without pictures, or pictures beside them, or a
        class that `classes` does not name, or a folder that `names` does not.
    ImageError
        When a picture is asked for that cannot be read. `check` finds all of them before.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("dog/1.png", "cat/1.jpg", "cat/2.gif"):
    ...         file = Path(root, name)
    ...         file.parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (40, 30)).save(file)
    ...     dataset = ImageFolder(root)
    ...     image, label = dataset[2]
    >>> dataset.classes, dataset.files
    (('cat', 'dog'), ('cat/1.jpg', 'cat/2.gif', 'dog/1.png'))
    >>> image.shape, image.dtype, label
    ((3, 30, 40), dtype('uint8'), 1)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        channels: int = 3,
        background: Sequence[int] = WHITE,
        min_side: int | None = None,
        max_pixels: int = MOST_PIXELS,
        classes: Sequence[str] | None = None,
        names: Mapping[str, str] | str | os.PathLike[str] | None = None,
    ) -> None:
        check_reading("ImageFolder", channels, background, min_side, max_pixels)
        self.root = Path(root)
        self.reading: dict[str, Any] = {
            "channels": channels,
            "background": list(background),
            "min_side": min_side,
            "max_pixels": max_pixels,
        }
        inside = _class_folders(self.root)
        self.folders = tuple(map(_shown, inside))
        called = self._called(names)
        self.classes = tuple(map(called.__getitem__, self.folders) if classes is None else classes)
        label_of = {name: label for label, name in enumerate(self.classes)}
        files, labels = [], []
        for folder, shown in zip(inside, self.folders, strict=True):
            if called[shown] not in label_of:
                raise ValueError(
                    f"ImageFolder: {str(self.root)!r} has a folder {folder!r}"
                    + (f", called {called[shown]!r}" if called[shown] != shown else "")
                    + f", but the classes are {listed(self.classes)}"
                )
            pictures = _pictures(self.root / folder)
            files += [f"{folder}/{picture}" for picture in pictures]
            labels += [label_of[called[shown]]] * len(pictures)
        self.files = tuple(files)
        self.labels = np.array(labels, np.int64)

    @classmethod
    def of_files(
        cls,
        root: str | os.PathLike[str],
        labels: Mapping[str, int],
        classes: Sequence[str],
        **reading: Any,
    ) -> "ImageFolder":
        """Return the pictures that lie directly in `root`, with labels that a list gives them.

        Parameters
        ----------
        root
            The folder.
        labels
            By the names of the pictures, with or without their endings; indices into `classes`.
        classes
            The names of the classes.
        **reading
            How pictures are read, as in `ImageFolder`.

        Raises
        ------
        ValueError
            When there are no pictures, or one that `labels` does not know, or gives a label that no
            class has.
        """
        options: dict[str, Any] = {
            "channels": 3,
            "background": WHITE,
            "min_side": None,
            "max_pixels": MOST_PIXELS,
            **reading,
        }
        check_reading("ImageFolder", **options)
        made = object.__new__(cls)
        made.root, made.folders, made.classes = Path(root), (), tuple(classes)
        made.reading = {**options, "background": list(options["background"])}
        made.files = tuple(_pictures(made.root))
        found = [labels.get(n, labels.get(os.path.splitext(n)[0])) for n in made.files]
        unknown = [n for n, label in zip(made.files, found, strict=True) if label is None]
        if unknown:
            raise ValueError(
                f"ImageFolder: {len(unknown)} pictures in {str(root)!r} have no label "
                f"({listed(unknown)})"
            )
        for name, label in zip(made.files, found, strict=True):
            if label not in range(len(made.classes)):
                raise ValueError(
                    f"ImageFolder: labels gives {name!r} the label {label!r}, but the "
                    f"{len(made.classes)} classes have those from 0 to {len(made.classes) - 1}"
                )
        made.labels = np.array(found, np.int64)
        return made

    def _called(self, names: Mapping[str, str] | str | os.PathLike[str] | None) -> dict[str, str]:
        """Return the name of each folder."""
        if names is None:
            return {folder: folder for folder in self.folders}
        if not isinstance(names, Mapping):
            return read_class_names(names, self.folders)
        missing = [folder for folder in self.folders if folder not in names]
        if missing:
            raise ValueError(f"ImageFolder: names has no name for the folder {listed(missing)}")
        called = {folder: names[folder] for folder in self.folders}
        if len(set(called.values())) < len(called):
            raise ValueError(f"ImageFolder: names calls two folders the same: {called}"[:500])
        return called

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return read_image(self.root / self.files[index], **self.reading), int(self.labels[index])

    def __repr__(self) -> str:
        return f"ImageFolder({str(self.root)!r}, {len(self)} images, {len(self.classes)} classes)"

    def describe(self, index: int) -> str:
        """Return the path of picture `index`, in quotes, to be named in errors."""
        return repr(str(self.root / self.files[index]))

    def check(self, seen: Callable[[int], object] | None = None) -> dict[int, ImageError]:
        """Read every picture once, and return what was found wrong, by index.

        Parameters
        ----------
        seen
            Called with the index of each picture after it was read, to show how far it is.
        """
        wrong = {}
        for index in range(len(self)):
            try:
                self[index]
            except ImageError as error:
                wrong[index] = error
            if seen is not None:
                seen(index)
        return wrong

    def subset(self, indices: Iterable[int]) -> "ImageFolder":
        """Return the pictures with these indices, in this order, as a dataset of the same classes.

        This leaves out what cannot be read::

            wrong = dataset.check()
            sound = dataset.subset(i for i in range(len(dataset)) if i not in wrong)
        """
        chosen = [range(len(self))[index] for index in indices]
        part = object.__new__(type(self))
        part.root, part.reading, part.classes = self.root, self.reading, self.classes
        part.folders = self.folders
        part.files = tuple(self.files[index] for index in chosen)
        part.labels = self.labels[chosen]
        return part

    def split(self, held_out: float = 0.2, seed: int = 0) -> tuple["ImageFolder", "ImageFolder"]:
        """Return the pictures to train on, and those held out: of each class the same share.

        A picture's ticket is a hash of the seed and its path within `root`; of each class, the
        lowest tickets are held out. So neither the order in which the system lists files nor the
        place of the folder matters, and a picture added later moves few others to the other side.

        Parameters
        ----------
        held_out
            The share to hold out, above 0 and below 1, rounded in each class; at least one picture
            of it and never all. Of a class with one picture none is held out.
        seed
            Another seed, another split.
        """
        if not isinstance(held_out, float) or not 0 < held_out < 1:
            raise ValueError(
                f"ImageFolder.split: held_out must lie between 0 and 1, but is {held_out!r}"
            )
        if type(seed) is not int:
            raise ValueError(f"ImageFolder.split: seed must be an integer, but is {seed!r}")
        out: set[int] = set()
        for label in range(len(self.classes)):
            members = np.flatnonzero(self.labels == label).tolist()
            members.sort(key=lambda index: _ticket(seed, self.files[index]))
            count = min(max(round(held_out * len(members)), 1), len(members) - 1)
            out.update(members[: max(count, 0)])
        return (
            self.subset(index for index in range(len(self)) if index not in out),
            self.subset(sorted(out)),
        )


def _class_folders(root: Path) -> list[str]:
    """Return the names of the folders in `root`, sorted; raise if pictures lie beside them."""
    entries = _entries(root)
    stray = [entry.name for entry in entries if _is_picture(entry)]
    if stray:
        raise ValueError(
            f"ImageFolder: {len(stray)} pictures lie directly in {str(root)!r} ({listed(stray)}), "
            f"but each must lie in the folder of its class"
        )
    folders = [entry.name for entry in entries if _is_folder(entry)]
    if not folders:
        raise ValueError(
            f"ImageFolder: {str(root)!r} holds no folders; one for each class was needed, with the "
            f"pictures inside"
        )
    return folders


def _pictures(folder: Path) -> list[str]:
    """Return the names of the pictures in the folder of a class, sorted; raise if it has none."""
    entries = _entries(folder)
    pictures = [entry.name for entry in entries if _is_picture(entry)]
    if not pictures:
        inner = [entry.name for entry in entries if _is_folder(entry)]
        raise ValueError(
            f"ImageFolder: the class folder {str(folder)!r} holds no pictures "
            f"({', '.join(SUFFIXES)})"
            + (f", but folders ({listed(inner)}): is the root one too high?" if inner else "")
        )
    return pictures


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        said = {
            FileNotFoundError: "there is no folder",
            NotADirectoryError: "a folder was needed, but this is a file:",
            PermissionError: "no permission to list the folder",
        }.get(type(error), f"{error.strerror}:")
        raise type(error)(f"ImageFolder: {said} {str(folder)!r}") from None
    return sorted(shown, key=lambda entry: entry.name)


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Tell files named as pictures, and links that lead nowhere, but no pipes."""
    if not entry.name.lower().endswith(SUFFIXES):
        return False
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:  # a link to itself
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _shown(name: str) -> str:
    """Return a file's name as text that can be printed, also where it is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _ticket(seed: int, file: str) -> bytes:
    """Return a random number, in bytes, that only these two decide."""
    return hashlib.blake2b(f"{seed}/".encode() + os.fsencode(file), digest_size=16).digest()
