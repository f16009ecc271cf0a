"""Data looked through before training: what is there, what is wrong with it, and what to do.

`walk` lists the pictures of a folder, and what else lies there; `look` opens them, several at once,
and makes of each a few numbers and a hash; `findings` draws the conclusions.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from googlenet.checking.findings import Finding, conclude, of_layout
from googlenet.checking.look import look_at_arrays, look_at_files
from googlenet.checking.walk import walk
from minigrad.data import DATASETS, ArrayDataset, open_dataset

__all__ = ["Finding", "Report", "check_data"]

SMALLEST = 1  # pixel: pictures in arrays are meant to be of their size


@dataclass
class Report:
    """What was looked at, and what was found.

    Attributes
    ----------
    data : str
        What was looked at.
    pictures : dict
        How many pictures there are, by part ("train", "test", …) and by class.
    findings : list of Finding
        The worst first; none if all is well.
    """

    data: str
    pictures: dict[str, dict[str, int]]
    findings: list[Finding]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong. Notes are no faults."""
        return all(finding.note for finding in self.findings)

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return sum(sum(counts.values()) for counts in self.pictures.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "data": self.data,
            "clean": self.clean,
            "pictures": self.pictures,
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check_data(
    name: str,
    test: str | os.PathLike[str] | None = None,
    image_size: int = SMALLEST,
    workers: int = 1,
    begin: Callable[[int], Callable[[int], object]] | None = None,
) -> Report:
    """Look through a dataset.

    Parameters
    ----------
    name : str
        As in `open_dataset`: "embedded", …, or a folder.
    test : path
        A second folder, of pictures to test on.
    image_size : int
        What the network takes: files whose shorter side is below that are found.
    workers : int
        How many pictures are looked at at once.
    begin : callable
        Called with the number of pictures once that is known; what it returns is called with how
        many more have been looked at.

    Raises
    ------
    ValueError, OSError
        If there is no such dataset, or a folder cannot be listed.
    """
    if name in DATASETS:
        if test is not None:
            raise ValueError(f"test goes with a folder, not with {name!r}")
        opened = open_dataset(name)
        parts = {"training": opened.training, "test": opened.test}
        arrays = {part: data for part, data in parts.items() if isinstance(data, ArrayDataset)}
        seen = begin(sum(map(len, arrays.values()))) if begin else None
        looked, layout = look_at_arrays(arrays, seen), None
        description = opened.description
    else:
        layout = walk(Path(name), None if test is None else Path(test))
        seen = begin(len(layout.pictures)) if begin else None
        looked = look_at_files(layout.pictures, workers, seen)
        description = repr(name) if test is None else f"{name!r} and {str(test)!r}"
    found = conclude(looked, image_size)
    if layout is not None:
        found += of_layout(layout)
    counts: dict[str, dict[str, int]] = {}
    for picture in looked.pictures:
        of_part = counts.setdefault(picture.part, {})
        of_part[picture.label] = of_part.get(picture.label, 0) + 1
    return Report(description, counts, sorted(found, key=lambda finding: finding.rank))
