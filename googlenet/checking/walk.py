"""Which pictures lie in a folder, of which class and for what, and what else lies there."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from minigrad.data.images import SUFFIXES
from minigrad.data.opening import TEST_FOLDERS

__all__ = ["Layout", "Picture", "walk"]

WHOLE = "all"  # the part that a folder without train and test is


class Picture(NamedTuple):
    """A picture that is there.

    Attributes
    ----------
    name : str
        Its path from where was looked, or its number.
    part : str
        What it is for: "train", "test", …; "all" where that is not decided yet.
    label : str
        Its class; "" if it lies in none.
    root : str
        Where was looked.
    """

    name: str
    part: str
    label: str
    root: str = ""

    @property
    def path(self) -> str:
        """Its file."""
        return os.path.join(self.root, self.name)


@dataclass
class Layout:
    """What lies in a folder.

    Attributes
    ----------
    pictures : list of Picture
        Files that are named as pictures.
    links : list of str
        Links that lead nowhere.
    stray : list of str
        Pictures beside the folders of the classes.
    empty : list of str
        Folders of classes without a picture.
    others : list of str
        Files that are not named as pictures, and folders inside those of classes: passed over.
    classes : dict
        The classes of each part.
    """

    pictures: list[Picture] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    classes: dict[str, set[str]] = field(default_factory=dict)


def walk(root: Path, test: Path | None = None) -> Layout:
    """List a folder as `open_dataset` would open it, with all that it would refuse or pass over.

    Raises
    ------
    ValueError
        If there is no such folder, or nothing at all in it.
    """
    for folder in (root, *([] if test is None else [test])):
        if not folder.is_dir():
            raise ValueError(f"there is no dataset and no folder {str(folder)!r}")
    if test is not None:
        parts = {"train": root, "test": test}
    else:
        parts = {name: root / name for name in ("train", *TEST_FOLDERS) if (root / name).is_dir()}
        if "train" not in parts or len(parts) == 1:
            parts = {WHOLE: root}
    found = Layout()
    for part, folder in parts.items():
        _walk_part(found, part, folder, root if test is None else None)
    if not found.pictures and not found.links:
        raise ValueError(f"there are no pictures in {str(root)!r}")
    return found


def _walk_part(found: Layout, part: str, folder: Path, root: Path | None) -> None:
    """List the folders of the classes in one folder."""
    above = "" if root is None else str(root)

    def named(path: str) -> str:
        return os.path.relpath(path, root) if root is not None else path

    found.classes[part] = set()
    entries = _entries(folder)
    folders = [entry for entry in entries if _is_folder(entry)]
    for entry in entries:
        if _is_folder(entry):
            continue
        if _is_broken(entry):
            found.links.append(named(entry.path))
        elif not entry.name.lower().endswith(SUFFIXES):
            found.others.append(named(entry.path))
        else:
            found.pictures.append(Picture(named(entry.path), part, "", above))
            if folders:
                found.stray.append(named(entry.path))
    for inner in folders:
        found.classes[part].add(inner.name)
        before = len(found.pictures) + len(found.links)
        for entry in _entries(Path(inner.path)):
            if _is_broken(entry):
                found.links.append(named(entry.path))
            elif _is_folder(entry) or not entry.name.lower().endswith(SUFFIXES):
                found.others.append(named(entry.path) + ("/" if _is_folder(entry) else ""))
            else:
                picture = Picture(named(entry.path), part, inner.name, above)
                found.pictures.append(picture)
        if len(found.pictures) + len(found.links) == before:
            found.empty.append(named(inner.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_broken(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)
