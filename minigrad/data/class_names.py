"""Readable names for folders that are called by numbers, and labels for pictures that lie in none.

The folders of ImageNet are called by the numbers of WordNet (n01440764), and the validation
pictures often lie all in one folder, with a list of what they show beside them. Files that say what
is what are around in several forms; here are the readers of all of them.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["GROUND_TRUTH", "listed", "read_class_names", "read_ground_truth"]

MOST_BYTES = 2**26
WORDNET = re.compile(r"n\d{8}")
GROUND_TRUTH = ("LOC_val_solution.csv", "val.txt")  # what it is called beside a folder val


def read_class_names(path: str | os.PathLike[str], folders: Sequence[str]) -> dict[str, str]:
    r"""Return the readable name of each folder.

    Parameters
    ----------
    path
        Lines of a folder and its name, ``n01440764 tench, Tinca tinca``, as in
        ``LOC_synset_mapping.txt`` and ``synset_words.txt``; of a line with WordNet's number the
        first word counts. Or JSON: ``{"0": ["n01440764", "tench"], …}`` as in
        ``imagenet_class_index.json``, ``[["n01440764", "tench"], …]``, ``{"n01440764": "tench"}``;
        or only names, ``["tench", …]`` or ``{"0": "tench", …}``, one for each of the folders in
        their order.
    folders
        The folders to be named; the file may name others too.

    Returns
    -------
    dict
        Folder → name. A name that the file gives to several folders is told apart by the folder:
        ImageNet knows two kinds of crane.

    Raises
    ------
    ValueError
        When the file cannot be read, is in no such form, names a folder twice or with nothing, or
        does not name one of `folders`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "synset_words.txt")
    ...     _ = file.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")
    ...     read_class_names(file, ["n01440764"])
    {'n01440764': 'tench'}
    """
    text = _text("read_class_names", path)
    pairs = (
        _pairs_of_json(path, text, folders)
        if text.lstrip()[:1] in ("{", "[")
        else _pairs_of_lines(path, text)
    )
    again = [
        folder for folder, count in Counter(folder for folder, _ in pairs).items() if count > 1
    ]
    if again:
        raise ValueError(f"read_class_names: {str(path)!r} names {listed(again)} more than once")
    unnamed = [folder for folder, name in pairs if not name]
    if unnamed:
        raise ValueError(f"read_class_names: {str(path)!r} gives {listed(unnamed)} an empty name")
    names = dict(pairs)
    missing = [folder for folder in folders if folder not in names]
    if missing:
        raise ValueError(
            f"read_class_names: {str(path)!r} has no name for {listed(missing)}; it names "
            f"{listed(list(names)) or 'nothing'}"
        )
    times = Counter(names.values())
    return {
        folder: names[folder] if times[names[folder]] == 1 else f"{names[folder]} ({folder})"
        for folder in folders
    }


def read_ground_truth(path: str | os.PathLike[str], folders: Sequence[str]) -> dict[str, int]:
    """Return the labels of pictures by their names.

    Parameters
    ----------
    path
        Lines of a picture, and the folder or the number of its class:
        ``ILSVRC2012_val_00000001.JPEG 65`` as in Caffe's ``val.txt``, where classes are counted
        from 0 in the order of their folders; or
        ``ILSVRC2012_val_00000001,n01751748 111 108 441 193``, as in ``LOC_val_solution.csv``.
    folders
        The folders of the classes, in the order of their labels.

    Returns
    -------
    dict
        Name, with or without an ending as the file has it, → label.

    Raises
    ------
    ValueError
        When the file cannot be read, is in no such form, tells of a picture twice, or of a class
        that is not among `folders`.
    """
    label_of = {folder: label for label, folder in enumerate(folders)}
    labels: dict[str, int] = {}
    for number, line in enumerate(_text("read_ground_truth", path).splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0] == "ImageId":
            continue
        if len(words) == 1:
            raise ValueError(
                f"read_ground_truth: line {number} of {str(path)!r} is {line[:40]!r}, but a "
                "picture and its class were needed. Numbers alone, as in ImageNet's development "
                "kit, are those of its meta.mat and not in the order of the folders: take "
                f"{' or '.join(GROUND_TRUTH)}"
            )
        name, truth = words[:2]
        label = label_of.get(truth)
        if label is None and truth.isascii() and truth.isdigit() and len(truth) < 10:
            label = int(truth)
        if label is None or label >= len(folders):
            raise ValueError(
                f"read_ground_truth: line {number} of {str(path)!r} says that {name!r} is of the "
                f"class {truth!r}, but the {len(folders)} classes are {listed(folders)}"
            )
        if name in labels:
            raise ValueError(f"read_ground_truth: {str(path)!r} tells of {name!r} more than once")
        labels[name] = label
    return labels


def _text(function: str, path: str | os.PathLike[str]) -> str:
    try:
        if not Path(path).is_file():
            raise ValueError(f"{function}: there is no file {str(path)!r}")
        if os.stat(path).st_size > MOST_BYTES:
            raise ValueError(f"{function}: {str(path)!r} is too large for a list of names")
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{function}: {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{function}: {str(path)!r} is not text in UTF-8") from None


def _pairs_of_lines(path: str | os.PathLike[str], text: str) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        folder, *rest = line.split(maxsplit=1)[:2] if line.strip() else ("",)
        if not folder:
            continue
        if not rest:
            raise ValueError(
                f"read_class_names: line {number} of {str(path)!r} is {line[:40]!r}, but a folder "
                "and its name were needed"
            )
        name = rest[0].split(",")[0] if WORDNET.fullmatch(folder) else rest[0]
        pairs.append((folder, name.strip()))
    return pairs


def _pairs_of_json(
    path: str | os.PathLike[str], text: str, folders: Sequence[str]
) -> list[tuple[str, str]]:
    try:
        content: Any = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"read_class_names: {str(path)!r} is not sound JSON: {error}") from None
    if isinstance(content, _Pairs):
        counted = [key for key, _ in content] == [str(n) for n in range(len(content))]
        values = [value for _, value in content]
        if all(isinstance(value, str) for value in values) and not (
            counted and any(folder not in dict(content) for folder in folders)
        ):
            return [(key, value.strip()) for key, value in content]
        content = values if counted else None
    if isinstance(content, list) and all(isinstance(item, str) for item in content):
        if len(content) != len(folders):
            raise ValueError(
                f"read_class_names: {str(path)!r} lists {len(content)} names without folders, but "
                f"there are {len(folders)} folders: one for each was needed"
            )
        return [(folder, name.strip()) for folder, name in zip(folders, content, strict=True)]
    pairs = content if type(content) is list else []
    if not pairs or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(item, str) for item in pair)
        for pair in pairs
    ):
        raise ValueError(
            f"read_class_names: {str(path)!r} is in none of the forms that are known: "
            '{"0": ["folder", "name"], …}, [["folder", "name"], …], {"folder": "name", …} or '
            '["name", …]'
        )
    return [(folder, name.strip()) for folder, name in pairs]


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON, with keys that are there twice."""


def listed(names: Sequence[str] | Mapping[str, Any], most: int = 5) -> str:
    """Return a few names in quotes."""
    more = ", …" if len(names) > most else ""
    return ", ".join(repr(name) for name in list(names)[:most]) + more
