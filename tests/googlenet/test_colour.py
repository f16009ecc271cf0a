"""Runs on CIFAR: the network takes the channels that the pictures have."""

import json

from minigrad.data import CIFAR10
from tests.data.test_cifar import as_published  # noqa: F401 (a fixture)
from tests.googlenet.tiny import call, tiny  # noqa: F401 (a fixture)


def test_a_run_on_cifar_is_in_colour(tiny, as_published, tmp_path, monkeypatch):  # noqa: F811
    small = as_published(CIFAR10)
    monkeypatch.setenv("MINIGRAD_CIFAR", str(small.root))
    run = tmp_path / "run"
    done = call("train", "--data", "cifar10", "--epochs", "1", "--run", run, "--workers", "1")
    assert done.code == 0, done.err
    assert "CIFAR-10 in" in done.out + done.err
    config = json.loads((run / "config.json").read_text())
    assert config["classes"] == list(CIFAR10(True, small.root).classes)
    done = call("evaluate", run, "--json", "--workers", "1")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["pictures"], said["own_test_pictures"]) == (3, True)
    done = call("data", "check", "cifar10")
    assert done.code == 1  # few pictures of each class
    assert "classes with fewer than 10 pictures" in done.out
    file = tmp_path / "drawn.png"
    assert call("data", "show", "cifar10", "--output", file, "--augment", "paper").code == 0
    assert file.stat().st_size > 1000


def test_channels_go_with_folders_only():
    done = call("train", "--data", "cifar10", "--channels", "3")
    assert done.code == 2
    assert "channels goes with a folder of pictures, not with 'cifar10'" in done.err
