"""Batches prepared ahead: which thread does what, and how they end."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from minigrad.data.batches import Batch, Sample, delivery
from minigrad.data.samples import Broken

THREAD_NAME = "minigrad-data"

Prepare = Callable[[int], Sample | Broken]


@dataclass
class Prepared:
    """A batch on its way, or None if all of its samples are broken; and those that are."""

    sent: Any
    broken: list[Broken]


class Preparation:
    """The batches of one iteration, on their way to a device.

    Its *workers* prepare samples, in any order; one more thread, the *packer*, lays those of each
    batch side by side and sends it on. One worker alone is the packer too. With `prefetch` 0 there
    is no thread, and everything happens when a batch is asked for.

    Parameters
    ----------
    batches
        For each batch the indices of its samples.
    prepare
        Prepares a sample; called by the workers.
    device, prefetch, workers
        As in `DataLoader`.
    """

    def __init__(
        self,
        batches: Iterator[Sequence[int]],
        prepare: Prepare,
        device: str,
        prefetch: int,
        workers: int,
    ) -> None:
        self._batches, self._prepare, self._prefetch = batches, prepare, prefetch
        self._way = delivery(device)
        self._packer: Executor = _threads(1) if prefetch else Here()
        self._workers = _threads(workers) if workers > 1 else None
        self._ahead: deque[Future[Prepared]] = deque()

    def next(self) -> Future[Prepared] | None:
        """Return the next batch, which may not be ready yet; None after the last."""
        if not self._ahead:  # the first; without threads, every one
            self._begin(1)
        return self._ahead.popleft() if self._ahead else None

    def go_on(self) -> None:
        """Begin to prepare so many batches that `prefetch` are ahead of the one last returned.

        To be called when that one is ready: then its size is known, and where it goes to a GPU,
        room can be made for the others.
        """
        self._begin(self._prefetch - len(self._ahead))

    def receive(self, prepared: Prepared) -> Batch:
        """Return a batch where it is to be."""
        return self._way.receive(prepared.sent)

    def held_up(self, prepared: Prepared) -> bool:
        """Tell whether a batch was ready but could not be sent on, for a GPU that was not as far.

        Then there is work queued for the GPU, and nothing is lost by waiting for the batch.
        """
        return prepared.sent is not None and self._way.held_up(prepared.sent)

    def close(self) -> None:
        """End the threads, and let go of what is still on its way.

        Also when the consumer stops early: each thread finishes its sample, and the rest is
        dropped.
        """
        # Should the garbage collector close an iteration while it happens to run inside one of its
        # threads, waiting could mean a thread that waits for itself.
        inside = threading.current_thread().name.startswith(THREAD_NAME)
        if self._workers:  # first, and without waiting: the packer may wait for a sample of theirs
            self._workers.shutdown(wait=False, cancel_futures=True)
        self._packer.shutdown(wait=not inside, cancel_futures=True)
        if self._workers:
            self._workers.shutdown(wait=not inside)
        self._way.close()

    def _begin(self, count: int) -> None:
        for batch in islice(self._batches, count):
            samples: Iterator[Sample | Broken] | None = None
            if self._workers:
                futures = [self._workers.submit(self._prepare, index) for index in batch]
                samples = (future.result() for future in futures)
            place = self._way.reserve()
            self._ahead.append(self._packer.submit(self._pack, batch, samples, place))

    def _pack(self, batch: Sequence[int], samples: Any, place: Any) -> Prepared:
        if samples is None:
            samples = map(self._prepare, batch)
        good, broken = [], []
        for sample in samples:
            broken.append(sample) if isinstance(sample, Broken) else good.append(sample)
        return Prepared(self._way.send(good, place) if good else None, broken)


def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=THREAD_NAME)


class Here(Executor):
    """Does at once, in the thread that asks, what it is asked to."""

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Do it."""
        done: Future = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done
