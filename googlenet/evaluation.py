"""How good a trained network is: what it says of labelled pictures, counted.

Nothing here draws or writes; `googlenet.charts` draws, the command ``googlenet evaluate`` writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from googlenet.classify import Classifier, probabilities
from minigrad.data import DataLoader, Dataset, Transform

WORST = 20  # mistakes that are shown


class TestPictures:
    """A dataset whose labels are the places of its pictures: which ones a loader left out shows."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.classes = dataset, dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.dataset[index][0], index

    def describe(self, index: int) -> str:
        """Name a picture as the dataset does."""
        describe = getattr(self.dataset, "describe", None)
        return describe(index) if describe else f"picture {index}"


@dataclass
class Evaluation:
    """What a network said of the pictures of a dataset.

    Attributes
    ----------
    classes : tuple of str
    indices, labels : array (N,)
        Which pictures of the dataset, and what they are.
    logits : array (N, classes)
        What the network says.
    """

    classes: tuple[str, ...]
    indices: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    def __post_init__(self) -> None:
        if not np.isfinite(self.logits).all():
            raise ValueError(
                "the network gives numbers that are not finite: it was not trained to an end, or "
                "the precision is too low for it"
            )
        self.probabilities = probabilities(self.logits)
        self.predicted = self.logits.argmax(1)

    def __len__(self) -> int:
        return len(self.labels)

    def top(self, k: int) -> float:
        """Return the share of pictures whose class is among the `k` that are most probable.

        Of classes with equal logits those with smaller numbers come first.
        """
        order = np.argsort(-self.logits, axis=1, kind="stable")[:, :k]
        return float((order == self.labels[:, None]).any(1).mean())

    @property
    def loss(self) -> float:
        """The mean cross-entropy, −log p of the true class."""
        logits = self.logits.astype(np.float64)
        highest = logits.max(1)
        sums = np.log(np.exp(logits - highest[:, None]).sum(1)) + highest
        return float((sums - logits[np.arange(len(self)), self.labels]).mean())

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
        wrong = np.flatnonzero(self.predicted != self.labels)
        confidence = self.probabilities[wrong, self.predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")[:count]]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def examine(
    classifier: Classifier,
    transform: Transform,
    dataset: Dataset,
    labels: np.ndarray,
    seen: Callable[[int], object] = lambda count: None,
    **reading: Any,
) -> Evaluation:
    """Let a network say what it sees on every picture of a dataset.

    Parameters
    ----------
    classifier : Classifier
    transform : Transform
        From a picture to what the network takes, without chance.
    dataset : Dataset
    labels : array (N,)
        Those of the dataset.
    seen : function
        Told after each batch how many pictures it had.
    **reading
        `workers` and `on_error` of `DataLoader`.

    Raises
    ------
    RuntimeError
        When a picture cannot be read, and was not to be skipped.
    """
    loader = DataLoader(
        TestPictures(dataset), classifier.batch_size, transform=transform, **reading
    )
    indices, logits = [], []
    for images, places in loader:
        indices.append(places.numpy())
        logits.append(classifier.logits(images.numpy()))
        seen(len(places))
    found = np.concatenate(indices)
    return Evaluation(tuple(dataset.classes), found, labels[found], np.concatenate(logits))


def of_classes(dataset: Dataset, classes: Sequence[str], where: str) -> Dataset:
    """Return the dataset if its classes are those of a network.

    Raises
    ------
    ValueError
        Naming how many there are of each, and the first that differs.
    """
    if tuple(dataset.classes) == tuple(classes):
        return dataset
    found, known = len(dataset.classes), len(classes)
    if found != known:
        raise ValueError(f"{where} has {found} classes, but the network was trained on {known}")
    pairs = zip(dataset.classes, classes, strict=True)
    other, own = next(pair for pair in pairs if pair[0] != pair[1])
    raise ValueError(f"{where} has the class {other!r} where the network was trained on {own!r}")
