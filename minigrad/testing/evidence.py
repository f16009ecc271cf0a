"""A wrong gradient beside the right one, entry by entry: what `diagnosis` looks at."""

from functools import cached_property

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.report import Failure
from minigrad.testing.subject import Subject

MOST_ENTRIES = 4000  # of a larger input a sample is taken
MOST_ROWS = 400  # a Jacobian is looked at if it has no more rows, and no more columns


class Evidence:
    """A wrong gradient beside the right one.

    Attributes
    ----------
    got, want : array of the input's shape
        From backward, and from differences (NaN where none was taken).
    wrong : array of bool
    close : float
        Numbers nearer to each other than this are taken for equal.
    """

    def __init__(self, subject: Subject, failure: Failure) -> None:
        self.subject, self.failure, self.i = subject, failure, failure.i
        self.step = failure.step
        self.got = self.backward(failure.cotangent)
        self.want = self.differences(failure.cotangent)
        size = np.nanmax(np.abs(self.want), initial=0)
        values = np.abs(failure.cotangent) @ (np.abs(subject.values()) + 0.01)
        self.close = 1e-6 * float(size) + 1e-9 * float(values)
        self.wrong = ~(np.abs(self.got - self.want) <= self.close) & np.isfinite(self.want)

    def backward(self, cotangent: Array) -> Array:
        """Compute the gradient for a cotangent."""
        with self.subject.graph() as pull_back:
            gradient = pull_back(cotangent)[self.i]
        return np.zeros(self.subject.arrays[self.i].shape) if gradient is None else gradient

    def differences(self, cotangent: Array) -> Array:
        """Compute it by central differences, entry by entry (some, if there are many)."""
        shape = self.subject.arrays[self.i].shape
        result = np.full(shape, np.nan)
        size = result.size
        chosen = np.arange(size)
        if size > MOST_ENTRIES:
            chosen = np.random.default_rng(0).choice(size, MOST_ENTRIES, replace=False)
        for k in chosen:
            unit = np.zeros(shape)
            unit.flat[k] = self.step
            ends = self.subject.values(self.i, unit) - self.subject.values(self.i, -unit)
            result.flat[k] = cotangent @ ends / (2 * self.step)
        return result

    def error(self, step: float) -> float:
        """Say how far the slope along the failing direction is from that of a step."""
        offset = step * self.failure.direction
        with np.errstate(all="ignore"):
            ends = self.subject.values(self.i, offset) - self.subject.values(self.i, -offset)
        return abs(float(self.failure.cotangent @ ends) / (2 * step) - self.failure.analytic)

    def equal(self, a: Array, b: Array) -> bool:
        """Tell whether two arrays agree, up to what differences can tell."""
        return a.shape == b.shape and bool((np.abs(a - b) <= self.close).all())

    @property
    def whole(self) -> bool:
        """Whether every entry of the right gradient is known, and not all are zero."""
        return bool(np.isfinite(self.want).all() and (np.abs(self.want) > self.close).any())

    @cached_property
    def jacobians(self) -> tuple[Array, Array] | None:
        """Both Jacobians, (outputs, numbers of the input), if they are small."""
        rows, columns = self.failure.cotangent.size, self.got.size
        if max(rows, columns) > MOST_ROWS:
            return None
        with self.subject.graph() as pull_back:
            gradients = [pull_back(row)[self.i] for row in np.eye(rows)]
        ours = np.stack([np.zeros(columns) if g is None else g.ravel() for g in gradients])
        theirs = np.empty((rows, columns))
        for k, unit in enumerate(np.eye(columns)):
            offset = self.step * unit.reshape(self.got.shape)
            ends = self.subject.values(self.i, offset) - self.subject.values(self.i, -offset)
            theirs[:, k] = ends / (2 * self.step)
        return ours, theirs
