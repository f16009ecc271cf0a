"""Probabilities averaged over the crops of a picture, and over models; batches filled all the time.

As in the paper (section 7) it is the softmax that is averaged, not the logits. What comes out for a
crop depends on neither its place in a batch nor on its neighbours (see `googlenet.classify`), and
the mean is taken when all crops of a picture are there: so it does not depend on where batches
begin and end.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from googlenet.classify import Classifier, probabilities
from googlenet.evaluation.views import Views

__all__ = ["NOT_FINITE", "Answer", "Batches", "averaged", "together"]

NOT_FINITE = (
    "the network gives numbers that are not finite: it was not trained to an end, or the precision "
    "is too low for it"
)


class Answer(NamedTuple):
    """What was said of one picture.

    Attributes
    ----------
    probabilities, log_probabilities : array (classes,), float64
        The logarithms come from logits: they are right also where a probability is too small to
        be told from 0.
    scores : array (classes,)
        By which classes are put in order: the logits of a single crop, which tell apart what
        rounds to the same probability; else the probabilities.
    """

    probabilities: np.ndarray
    log_probabilities: np.ndarray
    scores: np.ndarray


def averaged(logits: np.ndarray, counts: np.ndarray) -> Answer:
    """Average the softmax over the crops of a picture.

    Parameters
    ----------
    logits : array (K, classes)
        What a network says of each crop.
    counts : array (K,)
        The weight of each.

    Returns
    -------
    Answer
        All NaN if a logit is not finite.

    Examples
    --------
    >>> averaged(np.array([[0.0, 0.0], [np.log(3), 0.0]]), np.array([1, 1])).probabilities
    array([0.625, 0.375])
    """
    if not np.isfinite(logits).all():
        nothing = np.full(logits.shape[1], np.nan)
        return Answer(nothing, nothing, nothing)
    shares = counts / counts.sum()
    each = probabilities(logits)
    wide = logits.astype(np.float64)
    highest = wide.max(1, keepdims=True)
    sums = np.log(np.exp(wide - highest).sum(1, keepdims=True)) + highest
    logs = _log_mean(wide - sums, shares)
    if len(logits) == 1:
        return Answer(each[0], logs, logits[0])
    mean = shares @ each
    return Answer(mean, logs, mean)


def together(answers: Sequence[Answer]) -> Answer:
    """Average what several models say of a picture; each counts the same."""
    if len(answers) == 1:
        return answers[0]
    mean = np.mean([answer.probabilities for answer in answers], axis=0)
    shares = np.full(len(answers), 1 / len(answers))
    logs = _log_mean(np.stack([answer.log_probabilities for answer in answers]), shares)
    return Answer(mean, logs, mean)


def _log_mean(logs: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return log Σₖ shareₖ · exp(logsₖ) along the first axis, of one row the row itself."""
    highest = logs.max(0)
    return np.log((shares[:, None] * np.exp(logs - highest)).sum(0)) + highest


class _Open(NamedTuple):
    """A picture of which some crops are still to be computed."""

    key: Hashable
    counts: np.ndarray
    rows: list[np.ndarray]


class Batches:
    """Views of pictures in, answers out: a network computes whenever there is a full batch.

    Parameters
    ----------
    classifier : Classifier
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._waiting: list[tuple[np.ndarray, _Open]] = []

    def add(self, key: Hashable, views: Views) -> Iterator[tuple[Hashable, Answer]]:
        """Take the views of a picture; yield what is known by now, in the order of coming.

        Parameters
        ----------
        key
            What its answer is to be called.
        views : Views
        """
        picture = _Open(key, views.counts, [])
        for image in views.images:
            self._waiting.append((image, picture))
            if len(self._waiting) == self.classifier.batch_size:
                yield from self.flush()

    def flush(self) -> Iterator[tuple[Hashable, Answer]]:
        """Compute what is waiting, in a batch that may not be full."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        logits = self.classifier.logits([image for image, _ in waiting])
        for (_, picture), row in zip(waiting, logits, strict=True):
            picture.rows.append(row)
            if len(picture.rows) == len(picture.counts):
                yield picture.key, averaged(np.stack(picture.rows), picture.counts)
