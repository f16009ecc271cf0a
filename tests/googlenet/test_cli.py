"""The command line, as a process of its own: what it prints, what it leaves, how it fails."""

import csv
import json

import numpy as np
import pytest

from googlenet import GoogLeNet
from minigrad import checkpoint
from tests.googlenet.process import googlenet


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    done = googlenet(
        "train", "--epochs", "2", "--pictures", "320", "--threads", "1", "--run", str(folder)
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_train_leaves_a_whole_run(trained):
    folder, _ = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "metrics.csv", "vitals.json", "curves.png", "model.safetensors"}
    config = json.loads((folder / "config.json").read_text())
    assert config["recipe"]["epochs"] == 2
    assert config["threads"] == 1
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert 0 <= float(rows[-1]["test_accuracy"]) <= 1
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_train_tells_what_it_does(trained):
    folder, done = trained
    assert "7,182,030 parameters" in done.stdout
    assert "loss main" in done.stdout
    assert "test accuracy" in done.stdout
    assert str(folder) in done.stdout
    assert done.stderr == ""


def test_weights_load_into_the_network(trained):
    folder, _ = trained
    state, metadata = checkpoint.load(folder / "model.safetensors")
    net = GoogLeNet(10, in_channels=int(metadata["in_channels"]), image_size=32)
    net.load_state_dict(state)
    assert json.loads(metadata["classes"])[0] == "T-shirt/top"
    assert all(np.isfinite(array).all() for array in state.values())


def test_the_same_seed_gives_the_same_run(trained, tmp_path):
    """To the bit, and with another number of threads."""
    folder, _ = trained
    done = googlenet(
        "train",
        "--epochs",
        "2",
        "--pictures",
        "320",
        "--threads",
        "2",
        "--run",
        str(tmp_path / "a"),
    )
    assert done.returncode == 0, done.stderr
    one, _ = checkpoint.load(folder / "model.safetensors")
    two, _ = checkpoint.load(tmp_path / "a" / "model.safetensors")
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], name)


def test_summary_shows_the_totals_of_the_paper():
    done = googlenet("summary")
    assert done.returncode == 0, done.stderr
    for number in ("6,998,552", "13,378,280", "1,582,671,872", "1,444,080"):
        assert number in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["train", "--image-size", "16"],
            2,
            "image_size must be an integer of at least 32, got 16",
        ),
        (["train", "--epochs", "none"], 2, "'none' is not a valid integer"),
        (["train", "--lr", "-1"], 2, "lr must be a number above 0, got -1.0"),
        (["train", "--threads", "0"], 2, "count must be a positive integer, got 0"),
        (["train", "--epoch", "3"], 2, "No such option '--epoch'"),
        (["summary", "--classes", "0"], 2, "num_classes must be an integer of at least 1"),
        (["dance"], 2, "there is no command 'dance'. There are: "),
        (["trian"], 2, "there is no command 'trian'. Did you mean 'train'? There are: "),
        (["train", "--resume", "nowhere"], 1, "'nowhere' is no run folder: there is no config"),
        (["train", "--resume", "x", "--lr", "1"], 2, "--lr does not go with --resume"),
        (["train", "--data", "nowhere"], 2, "there is no dataset and no folder 'nowhere'"),
        (["train", "--device", "gpu"], 2, 'device must be "cpu", "cuda" or "cuda:1"'),
        (["train", "--channels", "1"], 2, "channels goes with a folder of pictures"),
        (["train", "--pictures", "0"], 2, "pictures must lie between 1 and 5000, got 0"),
        (["train", "--crop", "0"], 2, "crop must lie in (0, 1], got 0.0"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, code, sentence, tmp_path):
    done = googlenet(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    done = googlenet("train", "--run", str(tmp_path))
    assert done.returncode == 1
    assert "already holds something" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
