"""Pictures opened one after the other, several at once; of each a few numbers and a hash are kept.

So memory holds as many pictures as are being looked at, however many there are.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from googlenet.checking.walk import Picture
from minigrad.data import ArrayDataset, ImageError, picture_format, read_image
from minigrad.data.images import SUFFIXES_OF

__all__ = ["Looked", "Seen", "look_at_arrays", "look_at_files"]

AHEAD = 4  # pictures begun for each worker
BYTES = 16  # of a hash: among a billion pictures no two are alike by chance
TELL = 20  # pictures at a time: a bar need not move for each
STEP = 64  # pixels along a side of which the spread of values is taken, about
LEAST = 1e-9  # the spread of a picture that is not of one colour, though those pixels are

Tell = Callable[[int], object]


class Seen(NamedTuple):
    """What was seen of one picture.

    Attributes
    ----------
    trouble : str
        Why it cannot be read; "" if it can.
    ending : str
        The ending that its content asks for, if it has another one.
    height, width : int
    span : float
        How much its values vary: 0 if all pixels are the same, else at least their standard
        deviation, in levels of 255.
    digest : bytes
        A hash of the decoded picture.
    """

    trouble: str = ""
    ending: str = ""
    height: int = 0
    width: int = 0
    span: float = 0.0
    digest: bytes = bytes(BYTES)


@dataclass
class Looked:
    """What is looked at, and what is seen; all of one order.

    Attributes
    ----------
    pictures : sequence of Picture
    seen : iterator of Seen
        Taken from it one by one, pictures are looked at.
    files : bool
        Whether they are files.
    """

    pictures: Sequence[Picture]
    seen: Iterator[Seen]
    files: bool


def look_at_files(pictures: Sequence[Picture], workers: int, tell: Tell | None) -> Looked:
    """Open pictures in files, so many at once."""
    seen = _side_by_side(look_at_file, (picture.path for picture in pictures), workers)
    return Looked(pictures, _telling(seen, tell), True)


def look_at_file(path: str) -> Seen:
    """Open a picture; what is wrong with it is part of what is seen."""
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        return Seen(trouble="is empty")
    known = picture_format(path)
    suffixes = SUFFIXES_OF[known] if known else ()
    ending = suffixes[0] if suffixes and not path.lower().endswith(suffixes) else ""
    try:
        image = read_image(path)
    except ImageError as error:
        said = str(error).removeprefix(f"read_image: {path!r} ")
        return Seen(trouble=said, ending=ending)
    return _seen(image, ending)


def look_at_arrays(parts: Mapping[str, ArrayDataset], tell: Tell | None) -> Looked:
    """Look at pictures that are in memory."""
    pictures = [
        Picture(f"{part} picture {index}", part, dataset.classes[label])
        for part, dataset in parts.items()
        for index, label in enumerate(dataset.labels)
    ]
    images = (image for dataset in parts.values() for image in dataset.images)
    seen = map(_seen, images)
    return Looked(pictures, _telling(seen, tell), False)


def _seen(image: np.ndarray, ending: str = "") -> Seen:
    pixels = _pixels(image)
    height, width, _ = pixels.shape
    return Seen("", ending, height, width, _span(pixels), _digest(pixels))


def _telling(seen: Iterator[Seen], tell: Tell | None) -> Iterator[Seen]:
    """Tell now and then how many more have been looked at."""
    for number, each in enumerate(seen, 1):
        yield each
        if tell is not None and number % TELL == 0:
            tell(TELL)


def _pixels(image: np.ndarray) -> np.ndarray:
    """Lay a picture out as (H, W, C), the way a decoded one lies: then nothing is moved."""
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _span(pixels: np.ndarray) -> float:
    """Return how much the values of a picture vary, in the channel where they do most."""
    row = pixels.reshape(-1)
    channels = pixels.shape[2]
    if np.array_equal(row[channels:], row[:-channels]):  # each pixel is as the one before it
        return 0.0
    step = max(1, min(pixels.shape[:2]) // STEP)
    some = pixels[::step, ::step].reshape(-1, channels).astype(np.float32)
    return max(LEAST, float(some.std(0).max()))


def _digest(pixels: np.ndarray) -> bytes:
    """Return a hash of shape and pixels, whatever file they came from."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=BYTES)
    digest.update(pixels.data)
    return digest.digest()


def _side_by_side(
    look: Callable[[str], Seen], paths: Iterable[str], workers: int
) -> Iterator[Seen]:
    """Look at pictures in several threads, and return what was seen in their order."""
    coming: deque[Future[Seen]] = deque()
    paths = iter(paths)
    with ThreadPoolExecutor(workers) as threads:
        coming.extend(threads.submit(look, path) for path in islice(paths, AHEAD * workers))
        while coming:
            yield coming.popleft().result()
            coming.extend(threads.submit(look, path) for path in islice(paths, 1))
