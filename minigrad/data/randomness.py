"""The random numbers of an epoch: a function of seed, epoch and sample, and of nothing else."""

import threading

import numpy as np


class EpochRandomness:
    """The random numbers of one epoch. Several threads may ask for them.

    Philox (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011) turns a key and a
    counter into random bits; NumPy counts the counter up for as long as numbers are drawn. So a
    place in the counter is a stream of its own, and going there costs a microsecond::

        key      seed, epoch
        counter  blocks drawn, index of the sample, purpose, 0
    """

    ORDER, SAMPLE = 0, 1  # the purposes

    def __init__(self, seed: int, epoch: int) -> None:
        self._key = np.array([seed, epoch], np.uint64)
        self._own = threading.local()  # each thread has a generator of its own to go places with

    def order(self, size: int) -> np.ndarray:
        """Return a random permutation of 0 … size − 1: everyone draws a ticket, lowest first."""
        tickets = self._at(self.ORDER, 0).bit_generator.random_raw(size)
        return np.argsort(tickets, kind="stable")

    def of_sample(self, index: int) -> np.random.Generator:
        """Return the generator of sample `index`, good until this thread calls again."""
        return self._at(self.SAMPLE, index)

    def _at(self, purpose: int, index: int) -> np.random.Generator:
        own = self._own
        if not hasattr(own, "generator"):
            own.generator = np.random.Generator(np.random.Philox(key=self._key))
            own.start = own.generator.bit_generator.state
        own.start["state"]["counter"][:] = 0, index, purpose, 0
        own.generator.bit_generator.state = own.start
        return own.generator
