"""Pictures of a dataset through one network or several, crop by crop: who said what.

Memory does not grow with the number of pictures, nor with that of crops: a few pictures are
prepared ahead, by threads, and of those that are done a few numbers are kept.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from googlenet.classify import Classifier
from googlenet.evaluation.averaging import Answer, Batches, together
from googlenet.evaluation.figures import Evaluation, Tally
from googlenet.evaluation.views import Viewer, Views
from minigrad.data import DataLoader, Dataset, Transform

__all__ = ["Examination", "Member", "examine", "examine_together", "of_classes"]


class Member(NamedTuple):
    """One network of those that are examined, alone or with others.

    Attributes
    ----------
    classifier : Classifier
    transform : Transform
        From a picture to what the network takes, without chance.
    dataset : Dataset
        The pictures, read as this network needs them: in colour or grey.
    """

    classifier: Classifier
    transform: Transform
    dataset: Dataset


class Examination(NamedTuple):
    """What several networks said of the same pictures.

    Attributes
    ----------
    members : list of Evaluation
        What each said.
    ensemble : Evaluation
        What they say together: the mean of their probabilities. Of one network, what it said.
    """

    members: list[Evaluation]
    ensemble: Evaluation


def examine(
    classifier: Classifier,
    transform: Transform,
    dataset: Dataset,
    labels: np.ndarray,
    seen: Callable[[int], object] = lambda count: None,
    crops: int = 1,
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
        Told how many pictures are done, whenever some are.
    crops : {1, 10, 144}
        Of each picture, see `googlenet.evaluation.crops`.
    **reading
        `workers` and `on_error` of `DataLoader`.

    Raises
    ------
    RuntimeError
        When a picture cannot be read, and was not to be skipped.
    ValueError
        If there is no such protocol of crops, or the transform does not go with it.
    """
    member = Member(classifier, transform, dataset)
    return examine_together([member], labels, seen, crops, **reading).ensemble


def examine_together(
    members: Sequence[Member],
    labels: np.ndarray,
    seen: Callable[[int], object] = lambda count: None,
    crops: int = 1,
    **reading: Any,
) -> Examination:
    """Let several networks say what they see on the same pictures, each alone and together.

    Each prepares its own crops, so they may differ in size, normalisation and colour. All of them
    go through the pictures side by side.

    Parameters
    ----------
    members : sequence of Member
        Their datasets must have the same pictures in the same order.
    labels : array (N,)
        Those of the datasets.
    seen, crops, **reading
        As for `examine`.

    Raises
    ------
    RuntimeError
        When a picture cannot be read, and was not to be skipped.
    ValueError
        If there are no networks, their classes or numbers of pictures differ, there is no such
        protocol of crops, or a transform does not go with it.
    """
    if not members:
        raise ValueError("examine_together: at least one network was needed")
    first = members[0].dataset
    for member in members[1:]:
        of_classes(member.dataset, first.classes, "the dataset of another network")
        if len(member.dataset) != len(first):
            raise ValueError(
                f"examine_together: the networks' datasets must be of the same pictures, but have "
                f"{len(first)} and {len(member.dataset)}"
            )
    tallies = [Tally(first.classes) for _ in members]
    whole = Tally(first.classes)
    for index, answers in _answers(members, crops, reading):
        label = int(labels[index])
        for tally, answer in zip(tallies, answers, strict=True):
            tally.add(index, label, answer)
        if len(members) > 1:
            whole.add(index, label, together(answers))
        seen(1)
    found = [tally.evaluation() for tally in tallies]
    return Examination(found, whole.evaluation() if len(members) > 1 else found[0])


def _answers(
    members: Sequence[Member], crops: int, reading: dict[str, Any]
) -> Iterator[tuple[int, list[Answer]]]:
    """Go through the pictures; yield what every network says of each, as soon as all have."""
    shelf = TestPictures(members, crops)
    many = max(1, min(member.classifier.batch_size for member in members) // crops)
    queues = [Batches(member.classifier) for member in members]
    open_: dict[Hashable, dict[int, Answer]] = {}

    def told(place: int, key: Hashable, answer: Answer) -> Iterator[tuple[int, list[Answer]]]:
        said = open_.setdefault(key, {})
        said[place] = answer
        if len(said) == len(members):
            del open_[key]
            assert isinstance(key, int)
            yield key, [said[i] for i in range(len(members))]

    for _, indices in DataLoader(shelf, many, **reading):
        for index in indices.numpy().tolist():
            views = shelf.take(index)
            for place, queue in enumerate(queues):
                for key, answer in queue.add(index, views[shelf.which[place]]):
                    yield from told(place, key, answer)
    for place, queue in enumerate(queues):
        for key, answer in queue.flush():
            yield from told(place, key, answer)


class TestPictures:
    """A dataset for a loader, which prepares pictures here and carries only their numbers.

    So pictures may have different numbers of crops, and yet the loader's threads, its order and
    what it says of a picture that cannot be read are those of training.
    """

    def __init__(self, members: Sequence[Member], crops: int) -> None:
        self.classes = members[0].dataset.classes
        self.ways: list[tuple[Dataset, Viewer]] = []  # that differ
        self.which: list[int] = []  # of them, for each member
        for classifier, transform, dataset in members:
            viewer = Viewer(transform, classifier.net.image_size, crops)
            way = next(
                (i for i, way in enumerate(self.ways) if way[0] is dataset and way[1] == viewer),
                len(self.ways),
            )
            if way == len(self.ways):
                self.ways.append((dataset, viewer))
            self.which.append(way)
        self._ready: dict[int, list[Views]] = {}

    def __len__(self) -> int:
        return len(self.ways[0][0])

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        pictures: dict[int, np.ndarray] = {}  # by their datasets: each is read once
        views = []
        for dataset, viewer in self.ways:
            if id(dataset) not in pictures:
                pictures[id(dataset)] = dataset[index][0]
            views.append(viewer(pictures[id(dataset)]))
        self._ready[index] = views
        return np.zeros((1, 1, 1), np.float32), index

    def take(self, index: int) -> list[Views]:
        """Take what was prepared of a picture."""
        return self._ready.pop(index)

    def describe(self, index: int) -> str:
        """Name a picture as its dataset does."""
        describe = getattr(self.ways[0][0], "describe", None)
        return describe(index) if describe else f"picture {index}"


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
