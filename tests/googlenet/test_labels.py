"""Labels, looked at before training."""

import numpy as np
import pytest

from googlenet.labels import check_labels
from minigrad.data import ArrayDataset, open_dataset


def dataset(counts, classes=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = classes or [f"class {i}" for i in range(len(counts))]
    return ArrayDataset(np.zeros((len(labels), 1, 4, 4), np.uint8), labels, names)


def said(training, test):
    texts = []
    check_labels(training, test, lambda kind, text: texts.append((kind, text)))
    assert all(kind == "data" for kind, _ in texts)
    return [text for _, text in texts]


def test_sound_data_is_not_spoken_of():
    opened = open_dataset("embedded")
    assert said(opened.training, opened.test) == []
    assert said(dataset([10, 10]), dataset([1, 1])) == []


@pytest.mark.parametrize("counts", [[30], [30, 0], [0, 0, 7]])
def test_one_class_is_refused(counts):
    data = dataset(counts)
    with pytest.raises(ValueError, match="are of one class, 'class .'"):
        said(data, data)


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="there are no test pictures"):
        said(dataset([5, 5]), dataset([0, 0]))
    with pytest.raises(ValueError, match="there are no training pictures"):
        said(dataset([0, 0]), dataset([5, 5]))


def test_other_classes_are_refused():
    with pytest.raises(ValueError, match="of other classes .'cat', 'cow'. than .* .'cat', 'dog'"):
        said(dataset([20, 20], ("cat", "dog")), dataset([2, 2], ("cat", "cow")))


def test_labels_that_are_no_class_are_refused():
    class Wrong:
        classes = ("a", "b")
        labels = np.array([0, 1, 2])

        def __len__(self):
            return 3

    with pytest.raises(ValueError, match="training pictures go from 0 to 2, but .* 2 classes"):
        said(Wrong(), dataset([1, 1], ("a", "b")))


def test_what_is_doubtful_is_a_warning():
    few, none = said(dataset([50, 3, 50]), dataset([9, 0, 9]))
    assert "Fewer than 10 training pictures of 'class 1'" in few
    assert "No test pictures of 'class 1'" in none
    (missing,) = said(dataset([50, 50, 0]), dataset([9, 9, 9]))
    assert "No training pictures at all of 'class 2'" in missing


def test_a_dataset_without_labels_to_count_is_taken_as_it_is():
    class Unlabelled:
        classes = ("a", "b")

        def __len__(self):
            return 3

    assert said(Unlabelled(), Unlabelled()) == []
