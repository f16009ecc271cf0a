"""A user's own folder of pictures: trained on, stopped, moved, gone on with; and what is wrong with
such folders."""

import json
import os
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import own_pictures
from googlenet import cli, pictures
from googlenet.log import Log
from minigrad import checkpoint
from minigrad.data import ImageFolder

SMALL = ("--image-size", "32", "--no-aux-heads", "--batch-size", "8", "--threads", "2")


def photographs():
    """Three that differ in colour and in grain."""
    rng = np.random.default_rng(0)
    fine, coarse = rng.random((200, 200, 1)), rng.random((20, 20, 1)).repeat(10, 0).repeat(10, 1)
    made = {
        "sand": fine * [220, 180, 90],
        "sea": coarse * [20, 90, 230],
        "wall": 200 - 150 * (np.indices((200, 200)).sum(0) % 16 < 4)[..., None] * [1, 1, 1],
    }
    return {name: Image.fromarray(array.astype(np.uint8)) for name, array in made.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "photographs"
    own_pictures.write(folder, photographs(), 24, 6)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "photographs")


@pytest.fixture
def googlenet(monkeypatch, capsys):
    """Run a command line in this process; return its exit status and what it wrote."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["googlenet", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        assert "UserWarning" not in out + err
        assert "RuntimeWarning" not in out + err
        return code, out + err

    return run


def damage(folder):
    """Cut the first picture of the first class short; return its path."""
    picture = min((folder / "train" / "sand").iterdir())
    picture.write_bytes(picture.read_bytes()[:300])
    return picture


# -- the folder that is written ----------------------------------------------------------------


def test_patches_come_upright_from_bands_of_their_own(tmp_path):
    """Of a photograph whose grey is the number of the row."""
    rows = np.arange(240, dtype=np.uint8)[:, None].repeat(240, 1)
    own_pictures.write(tmp_path, {"rows": Image.fromarray(rows)}, 60, 60)
    low, high = (round(240 * edge) for edge in own_pictures.BAND)
    shapes = set()
    for part in ("train", "test"):
        dataset = ImageFolder(tmp_path / part, channels=1)
        assert len(dataset) == 60
        assert {os.path.splitext(file)[1] for file in dataset.files} == {".jpg", ".png"}
        for image, _ in dataset:
            seen = image[0].mean(1)
            first, last = seen[0], seen[-1]
            assert abs(last - first - (len(seen) - 1)) < 4  # turned, it would not climb so
            inside = first > low - 3 and last < high + 3
            outside = last < low + 3 or first > high - 3
            assert inside if part == "test" else outside
            shapes.add(image.shape)
    assert len(shapes) > 50


def test_the_photographs_are_those_of_scikit_image():
    pytest.importorskip("skimage")
    opened = own_pictures.photographs()
    assert list(opened) == list(own_pictures.PHOTOGRAPHS)
    for photograph in opened.values():
        band = photograph.height * (own_pictures.BAND[1] - own_pictures.BAND[0])
        assert photograph.width > own_pictures.SIDES[1]
        assert band > own_pictures.SIDES[0]


# -- trained on --------------------------------------------------------------------------------


def test_stopped_moved_and_gone_on_with_it_ends_as_if_nothing_had_been(
    googlenet, folder, tmp_path, monkeypatch
):
    options = ("--data", folder, *SMALL, "--epochs", "5")
    code, said = googlenet("train", *options, "--run", tmp_path / "whole")
    assert code == 0, said
    assert "3 classes, 72 training and 18 test pictures" in said
    assert float(said.split("test accuracy ")[1].split()[0]) >= 0.8

    steps, step = [], Log.step

    def interrupted(*arguments):
        step(*arguments)
        steps.append(arguments)
        if len(steps) == 12:  # in the second epoch
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Log, "step", interrupted)
    code, said = googlenet("train", *options, "--run", tmp_path / "run")
    assert code == 130
    assert "stopped after epoch 1 and 3 steps; go on with: googlenet train --resume" in said

    moved = folder.rename(tmp_path / "elsewhere")
    code, said = googlenet("train", "--resume", tmp_path / "run")
    assert code == 2
    assert "photographs' any more; if it was moved, say where it is: --data FOLDER" in said
    less = shutil.copytree(moved, tmp_path / "less")
    min((less / "test" / "sea").iterdir()).unlink()
    code, said = googlenet("train", "--resume", tmp_path / "run", "--data", less)
    assert code == 1
    assert "the test pictures are not those that the run" in said
    code, said = googlenet("train", "--resume", tmp_path / "run", "--data", moved)
    assert code == 0, said
    assert "going on after epoch 1 and 3 steps" in said
    one, two = (checkpoint.load(tmp_path / n / "model.safetensors")[0] for n in ("whole", "run"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_folder_has_defaults_of_its_own(googlenet, folder, tmp_path):
    shutil.copytree(folder / "train" / "sea", folder / "all" / "sea")
    (folder / "all" / "lonely").mkdir()
    Image.new("L", (50, 70)).save(folder / "all" / "lonely" / "1.gif")
    run = tmp_path / "run"
    code, said = googlenet("train", "--data", folder / "all", "--epochs", "1", "--run", run)
    assert code == 0, said
    assert "No test pictures of 'lonely'" in said
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    assert (recipe["image_size"], recipe["batch_size"], recipe["epochs"]) == (64, 8, 1)


# -- what is wrong with it ----------------------------------------------------------------------


def test_a_damaged_picture_ends_the_run_before_it_begins(googlenet, folder, tmp_path):
    picture = damage(folder)
    code, said = googlenet("train", "--data", folder, *SMALL, "--run", tmp_path / "run")
    assert code == 1
    assert f"'{picture}' is damaged or cut short" in said
    assert said.endswith("; --on-error skip goes on without such pictures\n")
    assert not (tmp_path / "run").exists()


def test_damaged_pictures_are_left_out_and_counted(googlenet, folder, tmp_path):
    picture = damage(folder)
    (folder / "test" / "sea" / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    code, said = googlenet(
        *("train", "--data", folder, *SMALL, "--epochs", "2", "--on-error", "skip"),
        *("--run", tmp_path / "run"),
    )
    assert code == 0, said
    assert said.count(f"'{picture}' is damaged or cut short") == 1
    assert "left out, since they cannot be read: 1 training and 1 test pictures" in said


@pytest.mark.parametrize("batch", [8, 72])
def test_a_picture_found_damaged_on_the_way_can_be_left_out_from_there(
    googlenet, folder, tmp_path, monkeypatch, batch
):
    """After some steps, or in the only batch there is."""
    monkeypatch.setattr(pictures, "SAMPLE", 1)  # mean and deviation do not meet it
    damage(folder)
    run = tmp_path / "a run"
    code, said = googlenet(
        *("train", "--data", folder, *SMALL, "--batch-size", batch, "--epochs", "2"),
        *("--run", run),
    )
    assert code == 1
    how = f"; go on without such pictures: googlenet train --resume '{run}' --on-error skip\n"
    assert said.endswith(how)
    code, said = googlenet("train", "--resume", run, "--on-error", "skip")
    assert code == 0, said
    assert "1 training and 0 test pictures" in said


def test_nothing_to_test_on_or_to_tell_apart_is_said(googlenet, folder):
    for name in ("sea", "wall"):
        for picture in sorted((folder / "train" / name).iterdir())[1:]:
            picture.unlink()
    shutil.rmtree(folder / "train" / "sand")
    code, said = googlenet("train", "--data", folder / "train")
    assert code == 2
    assert "has a second picture to be held out for the test" in said
    shutil.rmtree(folder / "train" / "sea")
    shutil.copytree(folder / "test" / "wall", folder / "train" / "wall", dirs_exist_ok=True)
    code, said = googlenet("train", "--data", folder / "train")
    assert code == 2
    assert "are of one class, 'wall': there is nothing to tell apart" in said
