"""A folder in ImageNet's layout: folders called by synsets, a file that says what these are."""

import json

import pytest

from googlenet.run_folder import load_model
from tests.googlenet.tiny import call, photographs, tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")

SYNSETS = ("n01440764", "n01443537", "n02012849")
NAMES = "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn02012849 crane\nn02102040 springer\n"


def test_names_go_with_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "imagenet" / "train", SYNSETS, 12)
    photographs(tmp_path / "imagenet" / "val", SYNSETS, 2)
    (tmp_path / "synsets.txt").write_text(NAMES)
    names = ("--class-names", "synsets.txt")
    done = call("train", "--data", "imagenet", *names, "--run", "run", "--epochs", 1, "--quiet")
    assert done.code == 0, done.err
    assert load_model("run").classes[1] == "goldfish"
    found = json.loads(call("evaluate", "run", "--json").out)
    assert [row["class"] for row in found["classes"]][1:] == ["goldfish", "crane"]
    assert found["own_test_pictures"]
    test = ("--test-data", "imagenet/val")
    assert json.loads(call("evaluate", "run", *test, *names, "--json").out)["own_test_pictures"]
    assert call("evaluate", "run", *test).code == 2  # the folders are not called by those names


def test_names_go_with_folders(tmp_path):
    done = call("train", "--class-names", "synsets.txt", "--run", tmp_path / "run")
    assert done.code == 2
    assert "names" in done.err
    assert "'embedded'" in done.err
