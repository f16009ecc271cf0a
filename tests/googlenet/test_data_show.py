"""``googlenet data show``: what is drawn is what a training would see."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from googlenet.augmented import choose, versions
from googlenet.commands.data import _transform
from googlenet.recipes import Recipe
from minigrad.data import ArrayDataset, DataLoader, ImageFolder, paper_augmentation
from tests.googlenet.tiny import call, photographs


@pytest.fixture
def folder(tmp_path):
    return ImageFolder(photographs(tmp_path / "photographs"))


def test_what_is_drawn_is_what_the_first_epochs_show(folder):
    recipe = Recipe(image_size=32, seed=5)
    transform = _transform("paper", recipe, folder)
    assert [type(step) for step in transform.transforms] == [
        type(step) for step in paper_augmentation(32)
    ]
    indices = choose(folder, 6, 5)
    rows = versions(folder, indices, transform, 3, 5)
    loader = DataLoader(folder, 100, seed=5, transform=transform)
    for epoch in range(3):
        images, _ = next(iter(loader))
        for index, row in zip(indices, rows, strict=True):
            np.testing.assert_array_equal(
                row.versions[epoch] / np.float32(255), images.numpy()[index]
            )
    for index, row in zip(indices, rows, strict=True):
        np.testing.assert_array_equal(row.original, folder[index][0])
        assert row.label == folder.classes[folder.labels[index]]


@pytest.mark.parametrize("augment", ["recipe", "paper", "none"])
def test_what_is_drawn_are_bytes_of_the_networks_size(augment, folder):
    grey = ArrayDataset(np.zeros((5, 1, 9, 9), np.uint8), np.zeros(5, int), ("thing",))
    for dataset in (folder, grey):
        transform = _transform(augment, Recipe(image_size=32), dataset)
        for row in versions(dataset, [0, 1], transform, 2, 0):
            assert all(image.dtype == np.uint8 for image in row.versions)
            assert all(image.shape[1:] == (32, 32) for image in row.versions)
            same = np.array_equal(*row.versions)
            assert same == (augment == "none") or dataset is grey


def test_pictures_are_chosen_from_all_classes(folder):
    for seed in range(5):
        chosen = choose(folder, 6, seed)
        assert np.bincount(folder.labels[chosen]).tolist() == [2, 2, 2]
        assert choose(folder, 6, seed) == chosen
    assert len(choose(folder, 99, 0)) == len(set(choose(folder, 99, 0))) == 12
    assert len({tuple(choose(folder, 6, seed)) for seed in range(20)}) > 10


def test_a_png_is_written_and_the_same_seed_draws_the_same(folder, tmp_path):
    made = []
    for seed in (1, 1, 2):
        file = tmp_path / "drawn.png"
        options = ("--count", "2", "--epochs", "2", "--image-size", "32", "--seed", seed)
        done = call("data", "show", folder.root, "--output", file, *options)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("2 of 9 pictures drawn into '")
        made.append(np.asarray(Image.open(io.BytesIO(file.read_bytes()))))
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing"], "there is no dataset and no folder 'nothing'"),
        (["embedded", "--channels", "3"], "channels goes with a folder of pictures"),
        (
            ["embedded", "--count", "2", "--output", "file/no.png"],
            "output: a folder was needed, but this is a file: 'file'",
        ),
        (["embedded", "--image-size", "8"], "image_size must be an integer of at least 32"),
    ],
)
def test_mistakes_are_one_sentence(arguments, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    done = call("data", "show", *arguments)
    assert done.code == 2
    assert re.search(complaint, done.err), done.err
    assert done.err.count("\n") == 1


def test_a_picture_that_cannot_be_read_is_a_failure_that_says_how_to_go_on(folder):
    for path in folder.root.rglob("*.png"):
        path.write_bytes(b"no")
    done = call("data", "show", folder.root, "--augment", "paper")
    assert done.code == 1
    assert "googlenet data check finds all such pictures" in done.err
