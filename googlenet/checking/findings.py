"""What is wrong with pictures, and what to do about it."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from googlenet.checking.look import BYTES, Looked, Seen
from googlenet.checking.walk import WHOLE, Layout, Picture
from googlenet.labels import FEW

__all__ = ["KINDS", "Finding", "Item", "conclude", "of_layout"]

PALE = 2.0  # levels of 255: the spread of a picture on which there is next to nothing


# The worst first.
KINDS = {
    "unreadable": (
        "cannot be read",
        "Get them again, or delete them. (googlenet train --on-error skip goes on without them.)",
    ),
    "broken-link": (
        "links that lead nowhere",
        "Delete them, or bring back what they led to.",
    ),
    "contradiction": (
        "the same picture in different classes",
        "Keep it in the one class that it shows: nobody can learn both.",
    ),
    "leakage": (
        "the same picture to train and to test on",
        "Take it out of one of them: the test would count what was learned by heart.",
    ),
    "stray": (
        "pictures beside the folders of the classes",
        "Move each into the folder of its class: train refuses such a folder.",
    ),
    "empty-class": (
        "folders of classes without a picture",
        "Fill or delete them: train refuses such a folder.",
    ),
    "unknown-class": (
        "classes to test on that nothing is trained for",
        "Call the folders the same in both places, or delete these.",
    ),
    "untested-class": (
        "classes that nothing is tested for",
        "Put some of their pictures among those to test on: the test says nothing of them.",
    ),
    "few": (
        f"classes with fewer than {FEW} pictures",
        "Add some, or leave the class out: too few to learn it from.",
    ),
    "duplicate": (
        "the same picture more than once",
        "Keep one of each. Where test pictures are held out, a copy may land on the other side.",
    ),
    "constant": (
        "pictures of one single colour",
        "Look at them, and delete what shows nothing.",
    ),
    "pale": (
        "pictures that are all but of one colour",
        "Look at them, and delete what shows nothing.",
    ),
    "small": (
        "pictures smaller than the network takes",
        "They would be enlarged. Get larger ones, leave them out, or train with a smaller "
        "--image-size.",
    ),
    "ending": (
        "content of another format than the name says",
        "Rename them. (googlenet goes by the content; other programs may not.)",
    ),
    "other": (
        "files and folders that are passed over",
        "Nothing, if they are no pictures: only files named as pictures in the folders of classes "
        "count.",
    ),
}
NOTES = ("other",)


@dataclass
class Item:
    """One thing that was found: a picture, several that are the same, or a class.

    Attributes
    ----------
    names : list of str
    said : str
        What more there is to say of it.
    """

    names: list[str]
    said: str = ""


@dataclass
class Finding:
    """Everything of one kind that was found."""

    kind: str
    items: list[Item] = field(default_factory=list)

    @property
    def what(self) -> str:
        """What was found."""
        return KINDS[self.kind][0]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return KINDS[self.kind][1]

    @property
    def note(self) -> bool:
        """Whether it is only worth saying, and nothing is wrong."""
        return self.kind in NOTES

    @property
    def rank(self) -> int:
        """How bad it is, the worst 0."""
        return list(KINDS).index(self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "kind": self.kind,
            "what": self.what,
            "advice": self.advice,
            "note": self.note,
            "count": len(self.items),
            "items": [{"names": item.names, "said": item.said} for item in self.items],
        }


def conclude(looked: Looked, image_size: int) -> list[Finding]:
    """Say what is wrong with pictures that were looked at."""
    found: dict[str, list[Item]] = {kind: [] for kind in KINDS}
    digests, kept = bytearray(), array("Q")
    for place, (picture, seen) in enumerate(zip(looked.pictures, looked.seen, strict=True)):
        for kind, said in _faults(seen, image_size if looked.files else 0):
            found[kind].append(Item([picture.name], said))
        if (
            not seen.trouble and seen.span > 0
        ):  # it is no wonder that one-coloured ones are the same
            digests += seen.digest
            kept.append(place)
    for places in _same(digests):
        group = [looked.pictures[kept[place]] for place in places]
        item = Item([picture.name for picture in group])
        labels = sorted({picture.label for picture in group})
        several = len(labels) > 1 and "" not in labels
        shared = len({picture.part for picture in group}) > 1
        if several:
            found["contradiction"].append(Item(item.names, f"as {' and as '.join(labels)}"))
        if shared:
            found["leakage"].append(item)
        if not several and not shared:
            found["duplicate"].append(item)
    found["few"] = _few(looked.pictures)
    return [Finding(kind, items) for kind, items in found.items() if items]


def _faults(seen: Seen, image_size: int) -> Iterator[tuple[str, str]]:
    """Say what is wrong with one picture by itself: the kind, and what more there is to say."""
    if seen.trouble:
        yield "unreadable", seen.trouble
        return
    if seen.ending:
        yield "ending", f"should end in {seen.ending}"
    if min(seen.height, seen.width) < image_size:
        yield "small", f"{seen.width}×{seen.height}, the network takes {image_size}×{image_size}"
    if seen.span == 0:
        yield "constant", ""
    elif seen.span < PALE:
        yield "pale", f"values spread by {seen.span:.1f} of 255 levels"


def of_layout(layout: Layout) -> list[Finding]:
    """Say what is wrong with how files lie in folders."""
    found = {
        "broken-link": layout.links,
        "stray": layout.stray,
        "empty-class": layout.empty,
        "other": layout.others,
        "unknown-class": [],
        "untested-class": [],
    }
    trained = layout.classes.get("train", set())
    for part, classes in layout.classes.items():
        if part not in ("train", WHOLE) and classes:  # a flat folder has a list of its classes
            found["unknown-class"] += [f"{part}: {name}" for name in sorted(classes - trained)]
            found["untested-class"] += [f"{part}: {name}" for name in sorted(trained - classes)]
    return [
        Finding(kind, [Item([name]) for name in names]) for kind, names in found.items() if names
    ]


def _same(digests: bytearray) -> Iterable[list[int]]:
    """Return the places of hashes that are there twice or more, those of each together."""
    _, inverse, counts = np.unique(
        np.frombuffer(digests, f"V{BYTES}"), return_inverse=True, return_counts=True
    )
    groups: dict[int, list[int]] = {}
    for place in np.flatnonzero(counts[inverse] > 1).tolist():
        groups.setdefault(int(inverse[place]), []).append(place)
    return groups.values()


def _few(pictures: Sequence[Picture]) -> list[Item]:
    """Return the classes with few pictures to train on."""
    counts: dict[str, int] = {}
    for picture in pictures:
        if picture.part in ("train", "training", WHOLE) and picture.label:
            counts[picture.label] = counts.get(picture.label, 0) + 1
    few = {label: count for label, count in counts.items() if count < FEW}
    return [Item([label], str(count)) for label, count in sorted(few.items())]
