"""One sample: read and transformed, and what to say if it cannot be or takes very long."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from minigrad.data.batches import Sample
from minigrad.data.datasets import Dataset
from minigrad.data.images import ImageError
from minigrad.data.randomness import EpochRandomness
from minigrad.data.transforms import Transform

SLOW = 10.0  # seconds, and
TIMES = 20  # times the average: a sample that takes longer than both is named

clock = time.perf_counter


@dataclass
class Broken:
    """A sample that could not be prepared, and why: a sentence that names it."""

    index: int
    error: RuntimeError


class Samples:
    """Prepares the samples of a dataset. Several threads may ask for them.

    Parameters
    ----------
    dataset, transform
        As in `DataLoader`.
    skip
        Whether a sample that cannot be prepared is returned as `Broken`, instead of raised.
    pace
        How long samples took so far.
    """

    def __init__(
        self, dataset: Dataset, transform: Transform | None, skip: bool, pace: "Pace"
    ) -> None:
        self.dataset, self.transform, self.skip, self._pace = dataset, transform, skip, pace

    def prepare(self, index: int, randomness: EpochRandomness) -> Sample | Broken:
        """Read and transform a sample.

        Raises
        ------
        RuntimeError
            If that fails and is not to be skipped. Where memory runs out it never is: that is not
            the sample's fault.
        """
        self._pace.begin(index)
        try:
            image, label = self.dataset[index]
            if self.transform is not None:
                image = self.transform(image, randomness.of_sample(index))
            return image, label
        except Exception as error:
            said = (
                f"DataLoader: {error}"
                if isinstance(error, ImageError)  # which names the file
                else f"DataLoader: {self.name(index)} could not be prepared: "
                f"{type(error).__name__}: {error}"
            )
            if isinstance(error, MemoryError):
                raise RuntimeError(said) from error
            if not self.skip:
                raise RuntimeError(f'{said}; on_error="skip" leaves such samples out') from error
            broken = Broken(index, RuntimeError(said))
            broken.error.__cause__ = error
            return broken
        finally:
            self._pace.end()

    def name(self, index: int) -> str:
        """Name a sample: by its index, and as the dataset describes it, if it does."""
        name = f"sample {index} of {type(self.dataset).__name__}"
        try:
            return f"{name} ({self.dataset.describe(index)})"  # type: ignore[attr-defined]
        except Exception:  # there is no such method, or it fails as well
            return name

    def slow(self) -> Iterator[str]:
        """Tell of samples that take very long, of each once."""
        for index, seconds, average in self._pace.slow():
            yield (
                f"DataLoader: {self.name(index)} has taken {seconds:.0f} seconds; others take "
                f"{average:.2g} on average"
            )


class Pace:
    """How long samples take; and which take very long, also while they do, for they may never end.

    Very long is longer than `SLOW` seconds and than `TIMES` the average of those that were ready
    before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count, self._seconds = 0, 0.0
        self._begun: dict[int, tuple[int, float]] = {}  # by thread: which sample, since when
        self._slow: list[tuple[int, float, float]] = []  # which, how long it took, the average
        self._named: set[int] = set()

    def begin(self, index: int) -> None:
        """Note that this thread begins with a sample."""
        with self._lock:
            self._begun[threading.get_ident()] = index, clock()

    def end(self) -> None:
        """Note that this thread is done with its sample."""
        with self._lock:
            index, begun = self._begun.pop(threading.get_ident())
            seconds = clock() - begun
            self._look_at(index, seconds)
            self._count += 1
            self._seconds += seconds

    def slow(self) -> list[tuple[int, float, float]]:
        """Return those that were not returned before: index, seconds, average."""
        with self._lock:
            for index, begun in self._begun.values():
                self._look_at(index, clock() - begun)
            found, self._slow = self._slow, []
        return found

    def _look_at(self, index: int, seconds: float) -> None:
        if seconds > SLOW and index not in self._named:
            average = self._seconds / max(1, self._count)
            if seconds > TIMES * average:
                self._named.add(index)
                self._slow.append((index, seconds, average))
