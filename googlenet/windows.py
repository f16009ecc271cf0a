"""Means over a few steps, of a training that only tells the means of its epochs so far."""

import time
from typing import NamedTuple

from googlenet.train import Metrics, RunningMean, Training


class Taken(NamedTuple):
    """What was added since it was last taken.

    Attributes
    ----------
    steps, pictures : int
    sums : dict
        Of each number, over the pictures.
    """

    steps: int
    pictures: int
    sums: Metrics

    def means(self) -> Metrics:
        """Return the means over these pictures."""
        return {name: value / self.pictures for name, value in self.sums.items()}


class Window:
    """What the steps since the last `take` have added to the means of their epoch.

    At the end of an epoch it must be taken: what was not is lost.

    Parameters
    ----------
    means : RunningMean, optional
        Of the epoch that is going on. Without it, if an earlier part of the run has seen some of
        that epoch, its first step is not told apart from those.

    Attributes
    ----------
    steps : int
        Since the last `take`.

    Examples
    --------
    >>> import minigrad
    >>> window, means = Window(), RunningMean()
    >>> for loss in (3.0, 1.0):
    ...     means.add(4, loss=minigrad.tensor(loss))
    ...     window.step(4, means)
    >>> window.take().means()
    {'loss': 2.0}
    """

    def __init__(self, means: RunningMean | None = None) -> None:
        self.steps = 0
        self._means = means
        # When it was last taken:
        self._count, self._sums = (means.count, dict(means.read())) if means else (0, Metrics())

    def step(self, images: int, means: RunningMean) -> None:
        """Be told after every step, as a `Watcher` is."""
        if means is not self._means:  # a new epoch
            self._means, self._count, self._sums, self.steps = means, 0, {}, 0
            if means.count > images:  # of which an earlier part of the run has seen some
                self._count, self._sums = means.count, dict(means.read())
                return
        self.steps += 1

    def take(self) -> Taken | None:
        """Return what there is, and begin anew; None if there was no step. Waits for a GPU."""
        if self._means is None or self.steps == 0:
            return None
        sums, count = dict(self._means.read()), self._means.count
        added = {name: value - self._sums.get(name, 0.0) for name, value in sums.items()}
        taken = Taken(self.steps, count - self._count, added)
        self._count, self._sums, self.steps = count, sums, 0
        return taken


class Points:
    """Points of a training's curves, one each second at most.

    Parameters
    ----------
    training : Training
    every : float
        Seconds from one point to the next, at least.
    """

    def __init__(self, training: Training, every: float = 1.0) -> None:
        self.training, self.every, self.steps = training, every, steps_done(training)
        self._window = Window(training.means)
        self._seconds = self._now = training.seconds_of_epoch  # at the last point and the last step
        self._next = 0.0

    def step(self, images: int, means: RunningMean, learning_rate: float) -> Metrics | None:
        """Be told after every step; now and then, return a point.

        Returns
        -------
        dict or None
            step, steps (that it stands for), loss and loss_<head>, train_accuracy: means over these
            steps; learning_rate, images_per_second.
        """
        self.steps += 1
        self._window.step(images, means)
        self._now = self.training.seconds_of_epoch
        if time.perf_counter() < self._next:
            return None
        return self.point(learning_rate)

    def point(self, learning_rate: float) -> Metrics | None:
        """Return a point for the steps since the last one; None if there was none."""
        taken = self._window.take()
        if taken is None:
            return None
        before = self._seconds if self._seconds <= self._now else 0.0  # or the epoch is a new one
        took = self._now - before
        self._seconds, self._next = self._now, time.perf_counter() + self.every
        speed = {"images_per_second": taken.pictures / took} if took > 0 else {}
        row = {"step": self.steps, "steps": taken.steps, "learning_rate": learning_rate}
        return {**row, **taken.means(), **speed}


def steps_done(training: Training) -> int:
    """Return how many steps of a training are behind it."""
    place, recipe = training.batches.state_dict(), training.recipe
    of_epochs = place["epoch"] * recipe.steps(len(training.batches.dataset))
    return of_epochs + -(-place["batches"] // recipe.accumulate)
