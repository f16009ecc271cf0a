"""The labels of a dataset, looked at before training: is there anything to learn, and to test?"""

from collections.abc import Callable, Sequence

import numpy as np

from minigrad.data import Dataset

FEW = 10  # pictures of a class

Warn = Callable[[str, str], None]  # the kind of trouble, and what to say of it


def check_labels(training: Dataset, test: Dataset, warn: Warn) -> None:
    """Look at labels and classes before training; `warn` of what is doubtful ("data").

    Raises
    ------
    ValueError
        If there is nothing to learn or to test, or labels and classes do not fit.
    """
    if tuple(training.classes) != tuple(test.classes):
        raise ValueError(
            f"the test pictures are of other classes ({_some(test.classes)}) than those to train "
            f"on ({_some(training.classes)})"
        )
    for name, dataset in (("training", training), ("test", test)):
        if len(dataset) == 0:
            raise ValueError(f"there are no {name} pictures")
        labels = _labels(dataset)
        if labels is not None and not 0 <= labels.min() <= labels.max() < len(dataset.classes):
            raise ValueError(
                f"the labels of the {name} pictures go from {labels.min()} to {labels.max()}, but "
                f"there are {len(dataset.classes)} classes: 0 to {len(dataset.classes) - 1}"
            )
    counts, tested = _counts(training), _counts(test)
    if len(training.classes) < 2 or (counts is not None and np.count_nonzero(counts) < 2):
        only = training.classes[int(np.argmax(counts)) if counts is not None else 0]
        raise ValueError(
            f"all training pictures ({len(training)}) are of one class, {only!r}: there is "
            "nothing to tell apart"
        )
    if counts is None or tested is None:
        return
    missing, untested = _named(training, counts == 0), _named(training, tested == 0)
    few = _named(training, (counts > 0) & (counts < FEW))
    if missing:
        warn("data", f"No training pictures at all of {missing}.")
    if few:
        warn(
            "data",
            f"Fewer than {FEW} training pictures of {few}: too few to learn them from. Add some, "
            "or leave the class out.",
        )
    if untested:
        warn("data", f"No test pictures of {untested}: the test says nothing of them.")


def shares(dataset: Dataset) -> np.ndarray:
    """Return the share of each class; equal ones if the dataset has no `labels` to count."""
    counts = _counts(dataset)
    if counts is None:
        return np.full(len(dataset.classes), 1 / len(dataset.classes))
    return counts / counts.sum()


def entropy(shares: np.ndarray, label_smoothing: float = 0.0) -> float:
    """Return the least cross-entropy of saying the same of every picture.

    Examples
    --------
    >>> round(entropy(np.full(10, 0.1), label_smoothing=0.1), 4)  # ln 10
    2.3026
    """
    target = (1 - label_smoothing) * shares + label_smoothing / len(shares)
    target = target[target > 0]
    return float(-(target * np.log(target)).sum())


def _labels(dataset: Dataset) -> np.ndarray | None:
    labels = getattr(dataset, "labels", None)
    return None if labels is None else np.asarray(labels)


def _counts(dataset: Dataset) -> np.ndarray | None:
    labels = _labels(dataset)
    return None if labels is None else np.bincount(labels, minlength=len(dataset.classes))


def _named(dataset: Dataset, chosen: np.ndarray) -> str:
    """Name the classes that are chosen."""
    return _some([dataset.classes[i] for i in np.flatnonzero(chosen)])


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
