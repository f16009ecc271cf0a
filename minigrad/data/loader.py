"""The loader: batches of transformed samples, in an order and with changes that a seed decides.

Everything random here is a function of (seed, epoch, sample), and of nothing else: neither the size
of the batches, nor the number prepared ahead, nor the speed of any thread changes a number.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from minigrad import device as devices
from minigrad.data.batches import Batch, Delivery, Sample, delivery
from minigrad.data.datasets import Dataset
from minigrad.data.transforms import Transform

__all__ = ["DataLoader"]

THREAD_NAME = "minigrad-data"


class DataLoader:
    """Batches of images and labels, prepared while the last one is being used.

    Iterating yields tensors ``(images, labels)``, float32 (N, C, H, W) and int64 (N,), as `collate`
    makes them.

    Parameters
    ----------
    dataset
        Where the samples come from.
    batch_size
        Samples in a batch; the last batch may have fewer.
    shuffle
        Whether each epoch goes through the samples in a new random order.
    seed
        An integer from 0 to 2**64 − 1, which decides the orders and the transforms' random numbers.
    drop_last
        Whether to leave out a last batch that is not full.
    transform
        Called as ``transform(image, rng)`` on every image, with a generator for this sample in this
        epoch. The generator serves the call and must not be kept.
    prefetch
        How many batches a thread in the background prepares ahead. With 0 there is no thread.
    device
        Where the batches are to be: "cpu", "cuda" or "cuda:1". They are copied to a GPU beside its
        kernels, and nobody waits for them but the kernels that read them. So much memory there goes
        to ``prefetch + 2`` batches. The labels must not be written to.

    Attributes
    ----------
    epoch
        The epoch that the next iteration will be. Every ``iter(loader)`` takes one, whether or not
        it is followed to the end.

    Raises
    ------
    ValueError
        When a parameter does not fit its description.
    DeviceError
        When there is no such GPU; in the iteration, when its memory does not suffice.
    RuntimeError
        In the iteration, when a sample cannot be read or transformed. It comes from the original
        error and names the sample. Also when CuPy's current stream is another than for the batch
        before.

    Examples
    --------
    >>> from minigrad.data import DataLoader, FashionMNIST
    >>> loader = DataLoader(FashionMNIST(train=False), batch_size=64, shuffle=True)
    >>> len(loader), loader.epoch
    (16, 0)
    >>> images, labels = next(iter(loader))
    >>> images.shape, images.dtype, labels.shape, labels.dtype
    ((64, 1, 28, 28), dtype('float32'), (64,), dtype('int64'))
    >>> loader.epoch
    1
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        transform: Transform | None = None,
        prefetch: int = 2,
        device: str | None = None,
    ) -> None:
        _check_integer("batch_size", batch_size, least=1)
        _check_integer("seed", seed, least=0)
        _check_integer("prefetch", prefetch, least=0)
        if transform is not None and not callable(transform):
            raise ValueError(
                f"DataLoader: transform must be called as transform(image, rng), but {transform!r} "
                f"cannot be called"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.transform = transform
        self.prefetch = prefetch
        self.device = devices.check_name("cpu" if device is None else device)
        self.epoch = 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration epoch number `epoch`, to resume training or to repeat it."""
        _check_integer("epoch", epoch, least=0)
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        randomness = EpochRandomness(self.seed, self.epoch)
        self.epoch += 1
        size = len(self.dataset)
        order = randomness.order(size).tolist() if self.shuffle else range(size)
        firsts = range(0, len(self) * self.batch_size, self.batch_size)
        batches = (order[first : first + self.batch_size] for first in firsts)
        ways = self._prepare_ahead if self.prefetch else self._prepare_here
        return ways(batches, randomness)

    def _prepare_here(
        self, batches: Iterator[Sequence[int]], randomness: "EpochRandomness"
    ) -> Iterator[Batch]:
        way = delivery(self.device)
        try:
            for batch in batches:
                yield way.receive(self._send(batch, randomness, way, way.reserve()))
        finally:
            way.close()

    def _prepare_ahead(
        self, batches: Iterator[Sequence[int]], randomness: "EpochRandomness"
    ) -> Iterator[Batch]:
        way = delivery(self.device)
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=THREAD_NAME)
        ahead: deque[Future] = deque()

        def go_on(count: int) -> None:
            for batch in islice(batches, count):
                ahead.append(worker.submit(self._send, batch, randomness, way, way.reserve()))

        try:
            go_on(1)  # the others when its size is known: on a GPU, room is made for them
            while ahead:
                sent = ahead.popleft().result()
                go_on(self.prefetch - len(ahead))
                yield way.receive(sent)
        finally:
            # Also when the consumer stops early: the thread finishes its batch and drops the rest.
            # Should the garbage collector close this iterator while it happens to run inside a
            # worker, waiting could mean a thread that waits for itself.
            inside_worker = threading.current_thread().name.startswith(THREAD_NAME)
            worker.shutdown(wait=not inside_worker, cancel_futures=True)
            way.close()

    def _send(
        self, batch: Sequence[int], randomness: "EpochRandomness", way: Delivery, place: Any
    ) -> Any:
        return way.send([self._sample(index, randomness) for index in batch], place)

    def _sample(self, index: int, randomness: "EpochRandomness") -> Sample:
        try:
            image, label = self.dataset[index]
            if self.transform is not None:
                image = self.transform(image, randomness.of_sample(index))
            return image, label
        except Exception as error:
            raise RuntimeError(
                f"DataLoader: sample {index} of {type(self.dataset).__name__} could not be "
                f"prepared: {type(error).__name__}: {error}"
            ) from error


class EpochRandomness:
    """The random numbers of one epoch.

    Philox (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011) turns a key and a
    counter into random bits; NumPy counts the counter up for as long as numbers are drawn. So a
    place in the counter is a stream of its own, and going there costs a microsecond::

        key      seed, epoch
        counter  blocks drawn, index of the sample, purpose, 0
    """

    ORDER, SAMPLE = 0, 1  # the purposes

    def __init__(self, seed: int, epoch: int) -> None:
        self._philox = np.random.Philox(key=np.array([seed, epoch], np.uint64))
        self._start = self._philox.state
        self._generator = np.random.Generator(self._philox)

    def order(self, size: int) -> np.ndarray:
        """Return a random permutation of 0 … size − 1: everyone draws a ticket, lowest first."""
        self._go_to(self.ORDER, 0)
        return np.argsort(self._philox.random_raw(size), kind="stable")

    def of_sample(self, index: int) -> np.random.Generator:
        """Return the generator of sample `index`, good until the next call."""
        self._go_to(self.SAMPLE, index)
        return self._generator

    def _go_to(self, purpose: int, index: int) -> None:
        self._start["state"]["counter"][:] = 0, index, purpose, 0
        self._philox.state = self._start


def _check_integer(name: str, value: int, least: int) -> None:
    if type(value) is not int or not least <= value < 2**64:
        raise ValueError(
            f"DataLoader: {name} must be an integer from {least} to 2**64 − 1, but is {value!r}"
        )
