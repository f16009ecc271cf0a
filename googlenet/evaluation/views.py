"""The crops of a picture, cut: what a network sees of it.

Of the transform of a run only the part that places pixels is replaced, the resizing and cropping at
its beginning. What it does with values, and how it interpolates, stays. One crop is no protocol but
the run's own transform: for photographs that is `crops.centre`; small pictures of one size are only
resized, and nothing of them is cut off. With ten or 144 crops these, too, are enlarged first: for a
network of 32 pixels to 37, 41, 46 and 50.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from googlenet.evaluation.crops import WHOLE, Crop, Square, crops_of, distinct
from minigrad.data import CenterCrop, Compose, Normalize, Resize, ToFloat, Transform

__all__ = ["Viewer", "Views", "cut", "sees_whole"]


class Views(NamedTuple):
    """What a network sees of one picture.

    Attributes
    ----------
    images : list of arrays (C, S, S)
        Crops that differ. They may share memory.
    counts : array (len(images),)
        How many crops of the protocol each of them is.
    """

    images: list[np.ndarray]
    counts: np.ndarray


class Viewer:
    """Turns pictures into what a network sees of them. Threads may share it.

    Parameters
    ----------
    transform : Transform
        The run's own, from a picture to what the network takes, without chance.
    size : int
        S, the side of what the network takes.
    crops : {1, 10, 144}
        With 1, the transform is used as it is.

    Raises
    ------
    ValueError
        If there is no such protocol, or the transform is none that crops can take the place of.

    Examples
    --------
    >>> viewer = Viewer(Compose([Resize((32, 32)), Normalize(0.5, 0.25)]), 32, crops=10)
    >>> views = viewer(np.zeros((1, 28, 28), np.uint8))
    >>> len(views.images), views.images[0].shape, int(views.counts.sum())
    (10, (1, 32, 32), 10)
    """

    def __init__(self, transform: Transform, size: int, crops: int = 1) -> None:
        crops_of(crops, size, size, size)  # refuses what is no protocol
        self.transform, self.size, self.crops = transform, size, crops
        if crops > 1:
            self._interpolation, self._values = _split(transform)

    def __call__(self, image: np.ndarray) -> Views:
        """Return what there is to see of a picture (C, H, W)."""
        if self.crops == 1:
            return Views([self.transform(image, np.random.default_rng(0))], np.ones(1, np.int64))
        _, height, width = image.shape
        found = distinct(crops_of(self.crops, height, width, self.size))
        images = cut(
            image, [crop for crop, _ in found], self.size, self._values, self._interpolation
        )
        return Views(images, np.array([count for _, count in found]))

    def __eq__(self, other: object) -> bool:
        """Tell whether another gives the same views."""
        if not isinstance(other, Viewer):
            return NotImplemented
        same = (self.size, self.crops) == (other.size, other.crops)
        return same and repr(self.transform) == repr(other.transform)

    __hash__ = None  # type: ignore[assignment]


def cut(
    image: np.ndarray,
    crops: Sequence[Crop],
    size: int,
    values: Transform | None = None,
    interpolation: str = "bilinear",
) -> list[np.ndarray]:
    """Cut crops out of a picture.

    Every resizing, and every square's values, are computed once, however many crops lie in it: a
    crop is a view of its square. So memory is that of the squares, about a tenth of the crops'.

    Parameters
    ----------
    image : array (C, H, W)
        uint8 or float32.
    crops : sequence of Crop
        Made for H, W and `size`.
    size : int
        S.
    values : Transform, optional
        What becomes of the values. It must treat every pixel alike, wherever it stands.
    interpolation : str
        As in `Resize`.

    Returns
    -------
    list of arrays (C, S, S)
        In the order of `crops`.
    """
    rng = np.random.default_rng(0)
    pictures: dict[tuple[int, int], np.ndarray] = {}
    planes: dict[tuple[Square, bool], np.ndarray] = {}
    images = []
    for crop in crops:
        square, whole = crop.square, crop.view == WHOLE
        shape = square.height, square.width
        if shape not in pictures:
            pictures[shape] = _resize(image, shape, interpolation)
        if (square, whole) not in planes:
            plane = pictures[shape][:, _from(square.top, square.side), :]
            plane = plane[:, :, _from(square.left, square.side)]
            if whole:
                plane = _resize(plane, (size, size), interpolation)
            planes[square, whole] = plane if values is None else values(plane, rng)
        plane = planes[square, whole]
        if not whole:
            top, left = crop.top - square.top, crop.left - square.left
            plane = plane[:, _from(top, size), _from(left, size)]
        images.append(plane[:, :, ::-1] if crop.mirrored else plane)
    return images


def sees_whole(transform: Transform) -> bool:
    """Tell whether a transform keeps all of a picture, for it has no `CenterCrop`.

    To a network that was trained so, crops show everything larger than it knows.
    """
    return not any(isinstance(step, CenterCrop) for step in _flat(transform))


def _resize(image: np.ndarray, shape: tuple[int, int], interpolation: str) -> np.ndarray:
    return Resize(shape, interpolation)(image, np.random.default_rng(0))  # type: ignore[arg-type]


def _from(start: int, length: int) -> slice:
    return slice(start, start + length)


def _split(transform: Transform) -> tuple[str, Transform]:
    """Return how a transform interpolates, and what it does with values."""
    steps = _flat(transform)
    first = next(
        (i for i, step in enumerate(steps) if not isinstance(step, Resize | CenterCrop)), len(steps)
    )
    for step in steps[first:]:
        if not isinstance(step, Normalize | ToFloat):
            raise ValueError(
                f"crops: they can take the place of Resize and CenterCrop at the beginning of a "
                f"transform that goes on with Normalize or ToFloat, but this one has {step!r}"
            )
    resizes = [step.interpolation for step in steps[:first] if isinstance(step, Resize)]
    return (resizes[0] if resizes else "bilinear"), Compose(steps[first:])


def _flat(transform: Transform) -> list[Transform]:
    """Return the transforms in a row that may hold others."""
    if not isinstance(transform, Compose):
        return [transform]
    return [inner for step in transform.transforms for inner in _flat(step)]
