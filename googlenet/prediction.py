"""Any number of pictures through a network: read ahead by threads, computed in batches.

Nothing is kept: whatever the number of pictures, only those of a few batches are in memory.
"""

import math
import os
import queue
import threading
import time
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from googlenet.classify import Classifier
from googlenet.evaluation.averaging import NOT_FINITE, Answer, Batches
from googlenet.evaluation.views import Viewer, Views
from googlenet.pictures import reading
from minigrad.data import Transform, read_image
from minigrad.data.images import SUFFIXES

PATIENCE = 0.1  # seconds that a batch waits for the next picture before it is computed as it is
AHEAD = 3  # batches that are being read, at most
MOST_CROPS = 512  # that a batch of pictures has, if it is not larger by itself


class Prediction(NamedTuple):
    """What a network says of one picture.

    Attributes
    ----------
    path : str
    probabilities : array (classes,), or None
        None where there is an error.
    error : Exception or None
        Why the picture could not be read: a sentence that names it.
    """

    path: str
    probabilities: np.ndarray | None
    error: Exception | None = None


def find_pictures(path: str) -> Iterator[str | OSError]:
    """Go through a folder and all folders in it: the paths of files named as pictures, in order.

    What is hidden is passed over, and links to folders are not followed, for they may lead in
    circles. A folder that cannot be listed is returned as its error, and the others go on.
    """
    try:
        with os.scandir(path) as entries:
            shown = sorted((e for e in entries if not e.name.startswith(".")), key=_by_name)
    except OSError as error:
        yield type(error)(error.errno, f"the folder cannot be listed: {error.strerror}", path)
        return
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from find_pictures(entry.path)
        elif entry.name.lower().endswith(SUFFIXES) and not entry.is_dir():
            yield entry.path


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def predict(
    classifier: Classifier,
    transform: Transform,
    pictures: Iterable[str | OSError],
    workers: int = 2,
    crops: int = 1,
) -> Iterator[Prediction]:
    """Say what each picture shows, in the order in which they come.

    While a batch is computed, the pictures of the next ones are read. A batch is not waited for
    long: if names come slowly, as from a pipe, it is computed with what there is.

    Parameters
    ----------
    classifier : Classifier
    transform : Transform
        From a picture to what the network takes, without chance.
    pictures : iterable of str
        Paths. An error among them is handed on in its place.
    workers : int
        Threads that read and transform.
    crops : {1, 10, 144}
        Of each picture, over which probabilities are averaged: see `googlenet.evaluation.crops`.

    Yields
    ------
    Prediction

    Raises
    ------
    ValueError
        If the network gives numbers that are not finite.
    """
    how = reading(classifier.net.image_size, classifier.net.in_channels)
    viewer = Viewer(transform, classifier.net.image_size, crops)
    many = _pictures_at_once(classifier.batch_size, crops)
    room = AHEAD * many
    coming: queue.Queue[tuple[str, Future] | BaseException | None] = queue.Queue(room)
    left = threading.Event()  # the consumer has: nobody reads the queue any more

    def read(picture: str | OSError) -> Views:
        if isinstance(picture, OSError):
            raise picture
        image = read_image(picture, **how)
        try:
            return viewer(image)
        except ValueError as error:
            raise ValueError(f"{picture!r} cannot be prepared: {error}") from error

    def feed() -> None:
        try:
            for picture in pictures:
                name = picture.filename if isinstance(picture, OSError) else picture
                if not _put(coming, (name, pool.submit(read, picture)), left):
                    return
            end: BaseException | None = None
        except BaseException as error:  # of who names the pictures; raised where it is heard
            end = error
        _put(coming, end, left)

    with ThreadPoolExecutor(workers, thread_name_prefix="googlenet-read") as pool:
        # A daemon: it may wait for a name from a pipe when everything else has ended.
        threading.Thread(target=feed, daemon=True).start()
        try:
            more = True
            while more:
                batch, more = _batch(coming, many)
                yield from _computed(classifier, batch)
        finally:
            left.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _pictures_at_once(batch_size: int, crops: int) -> int:
    """Return so many pictures that their crops fill batches, if that does not take too many.

    Examples
    --------
    >>> [_pictures_at_once(32, crops) for crops in (1, 10, 144)]
    [32, 16, 2]
    """
    exact = batch_size // math.gcd(batch_size, crops)
    return min(exact, max(1, max(batch_size, MOST_CROPS) // crops))


def _put(room: queue.Queue, item: object, left: threading.Event) -> bool:
    """Put something into a queue as soon as there is room; False if nobody is there to take it."""
    while not left.is_set():
        try:
            room.put(item, timeout=PATIENCE)
        except queue.Full:
            continue
        return True
    return False


def _batch(reading: queue.Queue, size: int) -> tuple[list[tuple[str, Future]], bool]:
    """Take pictures for a batch, at least one; and tell whether there may be more."""
    batch: list[tuple[str, Future]] = []
    until = None
    while len(batch) < size:
        try:
            wait = None if until is None else max(0.0, until - time.monotonic())
            item = reading.get(timeout=wait)
        except queue.Empty:
            break
        if item is None:
            return batch, False
        if isinstance(item, BaseException):
            raise item
        batch.append(item)
        until = time.monotonic() + PATIENCE
    return batch, True


def _computed(classifier: Classifier, batch: list[tuple[str, Future]]) -> Iterator[Prediction]:
    """Compute a batch; pictures that could not be read keep their places."""
    queue, errors = Batches(classifier), {}
    found: list[tuple[Hashable, Answer]] = []
    for place, (_, future) in enumerate(batch):
        try:
            views = future.result()
        except (ValueError, OSError) as error:
            errors[place] = error
        else:
            found += queue.add(place, views)
    found += queue.flush()
    answers = dict(found)
    for place, (name, _) in enumerate(batch):
        if place in errors:
            yield Prediction(name, None, errors[place])
        elif not np.isfinite(answers[place].probabilities).all():
            raise ValueError(f"{name!r}: {NOT_FINITE}")
        else:
            yield Prediction(name, answers[place].probabilities)
