"""The loader: batches of transformed samples, in an order and with changes that a seed decides.

Everything random here is a function of (seed, epoch, sample), and of nothing else: neither the size
of the batches, nor the number prepared ahead, nor the speed of any thread changes a number.
"""

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from minigrad import device as devices
from minigrad.data.batches import Batch
from minigrad.data.datasets import Dataset
from minigrad.data.preparation import Preparation
from minigrad.data.randomness import EpochRandomness
from minigrad.data.samples import Broken, Pace, Samples
from minigrad.data.transforms import Transform

__all__ = ["DataLoader"]

LOOK = 1.0  # second: how often, while a batch is waited for, samples are looked for that hold it up

clock = time.perf_counter


@dataclass
class Place:
    """Where an iteration stands."""

    epoch: int
    batches: int = 0  # that it has handed out or passed over


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
        How many batches are prepared ahead, by threads in the background. With 0 there is none.
    device
        Where the batches are to be: "cpu", "cuda" or "cuda:1". They are copied to a GPU beside its
        kernels, and nobody waits for them but the kernels that read them. ``prefetch + 2`` batches
        take memory there. The labels must not be written to.
    workers
        How many threads prepare samples. Two are faster than one where decoding and transforming
        leave Python to others meanwhile, as Pillow and NumPy do with whole pictures. The batches
        are the same for any number.
    on_error
        What to do about a sample that cannot be read or transformed: "raise", or "skip" to leave
        it out. Its batch is then smaller, or passed over when nothing is left of it. A warning
        names each such sample once; another tells how many there were at the end of an epoch that
        met new ones.

    Attributes
    ----------
    epoch
        The epoch that the next iteration will be. Every ``iter(loader)`` takes one, whether or not
        it is followed to the end.
    left_out
        The indices of the samples that were left out, of all iterations.
    seconds_waited
        How long iterations have waited for batches, in total; it may be set back to 0. So much
        faster could a program be with a faster loader. Batches that themselves had to wait, because
        a GPU was that far behind, are not counted.

    Raises
    ------
    ValueError
        When a parameter does not fit its description.
    DeviceError
        When there is no such GPU; in the iteration, when its memory does not suffice.
    RuntimeError
        In the iteration, when a sample cannot be prepared, or with "skip" none of an epoch. It
        comes from the original error and names the sample, also by ``dataset.describe(index)`` if
        there is such a method (of a file, its path). Also when CuPy's current stream is another
        than for the batch before.

    Warns
    -----
    RuntimeWarning
        Of samples that are left out; and, once for each, of samples that take longer than 10
        seconds and 20 times the average.

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
        workers: int = 1,
        on_error: str = "raise",
    ) -> None:
        _check_integer("batch_size", batch_size, least=1)
        _check_integer("seed", seed, least=0)
        _check_integer("prefetch", prefetch, least=0)
        _check_integer("workers", workers, least=1)
        if workers > 1 and prefetch == 0:
            raise ValueError(
                f"DataLoader: workers must be 1 where prefetch is 0, for then there is no thread, "
                f"but is {workers}"
            )
        if on_error not in ("raise", "skip"):
            raise ValueError(f'DataLoader: on_error must be "raise" or "skip", but is {on_error!r}')
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
        self.workers = workers
        self.on_error = on_error
        self.seconds_waited = 0.0
        self._pace = Pace()
        self.left_out: set[int] = set()
        self.set_epoch(0)

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration epoch number `epoch`, from its beginning."""
        _check_integer("epoch", epoch, least=0)
        self.epoch, self._first = epoch, 0
        self._place = Place(epoch)

    def state_dict(self) -> dict[str, int]:
        """Return where the iteration that began last stands, to go on from there another time.

        The loader keeps count by itself: a batch counts from the moment it is handed out, and so
        while the consumer still works on it; batches that are only prepared do not. When the
        iteration has come to its end, this is the beginning of the next epoch.

        Returns
        -------
        dict
            epoch, and batches: how many of its batches have been handed out.

        Examples
        --------
        >>> from minigrad.data import DataLoader, FashionMNIST
        >>> loader, other = (DataLoader(FashionMNIST(False), 64, shuffle=True) for _ in range(2))
        >>> for images, labels in loader:
        ...     if loader.state_dict()["batches"] == 9:
        ...         break
        >>> other.load_state_dict(loader.state_dict())
        >>> len(list(other)), other.state_dict()
        (7, {'epoch': 1, 'batches': 0})
        """
        return {"epoch": self._place.epoch, "batches": self._place.batches}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next iteration go on where another loader stood when it gave its `state_dict`.

        It gives the batches that the other one had still to give, if both have the same dataset,
        `batch_size`, `shuffle`, `seed`, `drop_last` and `transform`. Those handed out before are
        neither read nor transformed.

        Raises
        ------
        ValueError
            When `state` is no such dict, or has more batches than this loader.
        """
        if not isinstance(state, Mapping) or set(state) != {"epoch", "batches"}:
            raise ValueError(
                f"DataLoader: state must be a dict of epoch and batches, as state_dict returns, "
                f"but is {state!r}"
            )
        _check_integer("state['epoch']", state["epoch"], least=0)
        _check_integer("state['batches']", state["batches"], least=0)
        if state["batches"] > len(self):
            raise ValueError(
                f"DataLoader: state has {state['batches']} batches of an epoch behind it, but this "
                f"loader's epochs have {len(self)}; are dataset and batch_size the same?"
            )
        self.epoch, self._first = state["epoch"], state["batches"]
        self._place = Place(self.epoch, self._first)

    def __iter__(self) -> Iterator[Batch]:
        self._place = place = Place(self.epoch, self._first)
        self.epoch, self._first = self.epoch + 1, 0
        return self._iterate(place)

    def _iterate(self, place: Place) -> Iterator[Batch]:
        samples = Samples(self.dataset, self.transform, self.on_error == "skip", self._pace)
        known = len(self.left_out)
        whole, useful, broken, first = place.batches == 0, False, 0, None
        with closing(self._preparation(samples, place)) as preparation:
            while True:
                begun = clock()
                coming = preparation.next()
                if coming is None:
                    break
                while not wait([coming], LOOK).done:
                    _warn(samples.slow())
                prepared, ready = coming.result(), clock()
                if not preparation.held_up(prepared):
                    self.seconds_waited += ready - begun
                preparation.go_on()
                _warn(samples.slow())
                _warn(self._not_named_before(prepared.broken))
                broken += len(prepared.broken)
                first = first or next(iter(prepared.broken), None)
                place.batches += 1
                if prepared.sent is not None:
                    useful = True
                    yield preparation.receive(prepared)
        if first and whole and not useful:
            raise RuntimeError(
                f"DataLoader: none of the {broken} samples of epoch {place.epoch} could be "
                f"prepared. The first: {first.error}"
            ) from first.error
        if len(self.left_out) > known:
            _warn([f"DataLoader: samples left out of epoch {place.epoch}: {broken}"])
        place.epoch, place.batches = place.epoch + 1, 0

    def _preparation(self, samples: Samples, place: Place) -> Preparation:
        randomness = EpochRandomness(self.seed, place.epoch)
        prepare = partial(samples.prepare, randomness=randomness)
        indices = self._indices(randomness, place.batches)
        return Preparation(indices, prepare, self.device, self.prefetch, self.workers)

    def _indices(self, randomness: EpochRandomness, first: int) -> Iterator[Sequence[int]]:
        """For each batch from the first on, the indices of its samples."""
        size, step = len(self.dataset), self.batch_size
        order = randomness.order(size).tolist() if self.shuffle else range(size)
        for number in range(first, len(self)):
            yield order[number * step : (number + 1) * step]

    def _not_named_before(self, broken: Iterable[Broken]) -> Iterator[str]:
        """Tell of samples that are left out for the first time."""
        for sample in broken:
            if sample.index not in self.left_out:
                self.left_out.add(sample.index)
                yield f"{sample.error}; it is left out"


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        warnings.warn(sentence, RuntimeWarning, stacklevel=3)  # where the loader is iterated over


def _check_integer(name: str, value: int, least: int) -> None:
    if type(value) is not int or not least <= value < 2**64:
        raise ValueError(
            f"DataLoader: {name} must be an integer from {least} to 2**64 − 1, but is {value!r}"
        )
