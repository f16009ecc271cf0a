"""A ``config.json`` that somebody wrote: whole, with its checksum, and values of other kinds."""

import shutil

import pytest

from minigrad import checkpoint
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

STRANGE = {
    "asked": [
        ("data", 5), ("data", ["embedded"]), ("data", None), ("test_data", 5), ("channels", [1]),
        ("channels", 7), ("channels", "abc"), ("class_names", 5), ("pictures", "x"),
        ("pictures", 2.5), ("finetune", {}),
    ],
    "recipe": [("lr", 10**400), ("momentun", 1), ("name", 5)],
}  # fmt: skip
CASES = [(part, name, value) for part, found in STRANGE.items() for name, value in found]


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("runs")
    data = ("--data", photographs(folder / "pictures"), "--pictures", "6", "--batch-size", "4")
    train(folder / "finished", *data)
    train(folder / "stopped", *data, stop=True)
    return folder


@pytest.mark.parametrize(
    ("part", "name", "value"), CASES, ids=[f"{name}-{i}" for i, (_, name, _) in enumerate(CASES)]
)
def test_every_command_says_what_is_wrong(part, name, value, runs, tmp_path):
    for state, commands in (
        ("finished", (["evaluate"], ["compare"], ["doctor", "--no-pictures"], ["runs"])),
        ("stopped", (["train", "--resume"], ["summary"], ["runs"])),
    ):
        run = shutil.copytree(runs / state, tmp_path / state)
        config = checkpoint.load_json(run / "config.json")
        config[part][name] = value
        checkpoint.save_json(run / "config.json", config)
        for command in commands:
            done = call(*command, run)
            assert "config.json" in done.out + done.err, command
            assert (done.code == 0) == (command == ["runs"]), command
