"""What an evaluation found, counted: shares with their intervals, confusion, calibration.

Of every picture a few numbers are kept, and nothing that grows with the number of classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from googlenet.evaluation.averaging import NOT_FINITE, Answer, averaged
from googlenet.evaluation.calibration import BINS, Calibration, reliability
from googlenet.evaluation.intervals import Comparison, compared, wilson

__all__ = ["WORST", "Evaluation", "Tally"]

WORST = 20  # mistakes that are shown


@dataclass
class Evaluation:
    """What a network, or several together, said of the pictures of a dataset.

    Attributes
    ----------
    classes : tuple of str
    indices, labels : array (N,)
        Which pictures of the dataset, and what they are.
    predicted : array (N,)
        The class that is most probable.
    ranks : array (N,)
        How many classes are more probable than the true one; of equal ones those with smaller
        numbers come first.
    confidence, probability_of_class : array (N,)
        The probabilities of the class that is most probable, and of the true one.
    losses : array (N,)
        −log p of the true class.
    squares : array (N,)
        Σ (p − y)² over the classes, y being 1 for the true one and else 0.
    """

    classes: tuple[str, ...]
    indices: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    ranks: np.ndarray
    confidence: np.ndarray
    probability_of_class: np.ndarray
    losses: np.ndarray
    squares: np.ndarray

    @classmethod
    def of_logits(
        cls, classes: Sequence[str], indices: np.ndarray, labels: np.ndarray, logits: np.ndarray
    ) -> "Evaluation":
        """Count what a network says of the only crop of each picture.

        Parameters
        ----------
        classes : sequence of str
        indices, labels : array (N,)
        logits : array (N, classes)

        Raises
        ------
        ValueError
            If one is not finite.
        """
        tally, once = Tally(classes), np.ones(1, np.int64)
        for index, label, row in zip(indices, labels, logits, strict=True):
            tally.add(int(index), int(label), averaged(row[None], once))
        return tally.evaluation()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def right(self) -> np.ndarray:
        """(N,): whether the most probable class is the true one."""
        return self.ranks == 0

    def top(self, k: int) -> float:
        """Return the share of pictures whose class is among the `k` that are most probable.

        Of classes that are equally probable those with smaller numbers come first.
        """
        return float((self.ranks < k).mean())

    def interval(self, k: int) -> tuple[float, float] | None:
        """Return Wilson's 95 % interval of `top`; None where no picture could be wrong.

        That is so if there are no more than `k` classes.
        """
        if len(self.classes) <= k:
            return None
        return wilson(int((self.ranks < k).sum()), len(self))

    @property
    def loss(self) -> float:
        """The mean cross-entropy, −log p of the true class."""
        return float(self.losses.mean())

    @property
    def brier(self) -> float:
        """Brier's score: the mean of Σ (p − y)², from 0 to 2."""
        return float(self.squares.mean())

    def calibration(self, bins: int = BINS) -> Calibration:
        """Hold how sure the network is against how often it is right."""
        return reliability(self.confidence, self.right, bins)

    def against(self, other: "Evaluation") -> Comparison:
        """Compare with another evaluation, on the pictures that both of them had.

        Raises
        ------
        ValueError
            If there are none, or they are not the same pictures: a label differs.
        """
        _, own, others = np.intersect1d(self.indices, other.indices, return_indices=True)
        if not len(own) or (self.labels[own] != other.labels[others]).any():
            raise ValueError("against: the two evaluations are not of the same pictures")
        return compared(self.right[own], other.right[others])

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes): how many pictures of the class of the row were taken for which."""
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def per_class(self) -> list[dict[str, Any]]:
        """Return of each class: its pictures, precision and recall (None where none can be)."""
        counts = self.confusion
        return [
            {
                "class": name,
                "pictures": int(counts[i].sum()),
                "precision": _share(counts[i, i], counts[:, i].sum()),
                "recall": _share(counts[i, i], counts[i].sum()),
            }
            for i, name in enumerate(self.classes)
        ]

    def worst(self, count: int = WORST) -> np.ndarray:
        """Return the places, among the N, of the most confident mistakes, the worst first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")[:count]]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


class Tally:
    """An evaluation that grows picture by picture."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._rows: list[tuple[float, ...]] = []

    def add(self, index: int, label: int, answer: Answer) -> None:
        """Count a picture.

        Raises
        ------
        ValueError
            If what was said of it is not finite.
        """
        shares, logs, scores = answer
        if not np.isfinite(logs).all():
            raise ValueError(NOT_FINITE)
        own = scores[label]
        rank = int((scores > own).sum() + (scores[:label] == own).sum())
        predicted, share = int(scores.argmax()), float(shares[label])
        sure, loss = float(shares[predicted]), -float(logs[label])
        square = float(shares @ shares) - 2 * share + 1
        self._rows.append((index, label, predicted, rank, sure, share, loss, square))

    def evaluation(self) -> Evaluation:
        """Return what was counted, in the order of the pictures."""
        columns = [np.array(column) for column in zip(*sorted(self._rows), strict=True)]
        return Evaluation(self.classes, *columns)
