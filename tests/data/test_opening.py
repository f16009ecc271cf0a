import numpy as np
import pytest
from PIL import Image

from minigrad.data import FashionMNIST, ImageFolder, open_dataset
from tests.data.test_image_folder import fill


def test_the_embedded_dataset_is_what_it_always_was():
    training, test, description = open_dataset()
    assert description == "embedded Fashion-MNIST, 5000 training and 1000 test pictures"
    np.testing.assert_array_equal(training.images, FashionMNIST(train=True).images)
    np.testing.assert_array_equal(test.labels, FashionMNIST(train=False).labels)


def test_a_folder_is_split(tmp_path):
    fill(tmp_path, cat=10, dog=5)
    training, test, description = open_dataset(tmp_path, seed=3, channels=1)
    expected = ImageFolder(tmp_path, channels=1).split(0.2, 3)
    assert (training.files, test.files) == (expected[0].files, expected[1].files)
    assert training[0][0].shape[0] == test[0][0].shape[0] == 1
    assert description == (
        f"'{tmp_path}', 2 classes, 12 training and 3 test pictures, 0.2 of each class held out "
        f"with seed 3"
    )
    assert len(open_dataset(str(tmp_path), held_out=0.4).test) == 6


def test_a_second_folder_is_for_testing(tmp_path):
    fill(tmp_path / "one", cat=3, dog=3)
    fill(tmp_path / "two", dog=2)
    opened = open_dataset(tmp_path / "one", test=tmp_path / "two", min_side=None, max_pixels=999)
    assert len(opened.training) == 6
    assert opened.test.labels.tolist() == [1, 1]
    assert opened.test.classes == ("cat", "dog")
    assert opened.training.reading == opened.test.reading == {
        "channels": 3, "background": [255, 255, 255], "min_side": None, "max_pixels": 999,
    }  # fmt: skip
    assert opened.description.endswith(
        f"6 training and 2 test pictures, test pictures in '{tmp_path / 'two'}'"
    )


@pytest.mark.parametrize("name", ["test", "val", "valid", "validation"])
def test_two_folders_in_one_are_found(name, tmp_path):
    fill(tmp_path / "train", cat=3, dog=3)
    fill(tmp_path / name, cat=1, dog=1)
    training, test, _ = open_dataset(tmp_path)
    assert (training.root, test.root) == (tmp_path / "train", tmp_path / name)
    assert (len(training), len(test)) == (6, 2)
    (tmp_path / "test").mkdir(exist_ok=True)
    (tmp_path / "val").mkdir(exist_ok=True)
    with pytest.raises(ValueError, match="more than one folder to test on, test and val"):
        open_dataset(tmp_path)


def test_a_class_called_test_is_a_class(tmp_path):
    fill(tmp_path, test=5, other=5)
    assert open_dataset(tmp_path).training.classes == ("other", "test")


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        (
            "mnist",
            {},
            "no dataset and no folder 'mnist'; the datasets are embedded, fashion-mnist, c",
        ),
        ("embedded", {"root": "x"}, "root does not go with 'embedded'"),
        ("embedded", {"names": "x"}, "names does not go with 'embedded'"),
        ("cifar10", {"ground_truth": "x"}, "ground_truth does not go with 'cifar10'"),
        ("embedded", {"channels": 3}, "channels does not go with 'embedded'"),
        ("fashion-mnist", {"test": "x"}, "test does not go with 'fashion-mnist'"),
        (".", {"root": "x"}, "root goes with 'fashion-mnist', 'cifar10', 'cifar100', not"),
    ],
)
def test_what_does_not_go_together_is_refused(name, options, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"^open_dataset: .*{complaint}"):
        open_dataset(name, **options)


def test_the_name_of_a_dataset_is_not_that_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "embedded", cat=5)
    Image.new("L", (3, 3)).save(tmp_path / "embedded" / "cat" / "x.png")
    assert len(open_dataset("embedded").training) == 5000
    assert len(open_dataset("./embedded").training) == 5
