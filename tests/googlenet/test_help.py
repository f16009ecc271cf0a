"""What help says: every example works, and a shell completes commands, options and runs."""

import shlex
import shutil

import click
import pytest
from PIL import Image
from safetensors.numpy import save_file

from googlenet.cli import cli
from googlenet.commands.session import Session
from googlenet.torchvision_weights import TORCHVISION, to_torchvision
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

COMMANDS = {"": cli, **cli.commands}
COMMANDS |= {f"data {name}": each for name, each in cli.commands["data"].commands.items()}


def examples():
    """Return the lines of all epilogs that are commands, without what stands beside them."""
    for name, command in COMMANDS.items():
        for line in (command.epilog or "").splitlines():
            line = line.strip().split("  ")[0]
            if line.startswith("googlenet ") or "| googlenet " in line:
                yield pytest.param(line, id=f"{name or 'googlenet'}: {line}")


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):  # noqa: F811
    """What the examples name: two runs, one of them stopped, and pictures."""
    folder = tmp_path_factory.mktemp("made")
    train(folder / "runs/short")
    train(folder / "stopped", stop=True)
    photographs(folder / "photographs")
    photographs(folder / "pictures", classes=("Bag", "Coat"), each=2)
    Image.new("L", (28, 28)).save(folder / "bag.png")
    Image.new("RGB", (300, 300)).save(folder / "cat.jpg")
    theirs = TORCHVISION["googlenet"]
    save_file(to_torchvision(theirs.build(2, True), theirs), folder / "g.safetensors")
    (folder / "names.txt").write_text("cat\ndog\n")
    call("import-weights", folder / "g.safetensors", "--run", folder / "runs/imagenet")
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A folder of one's own with all of that, to be in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", list(examples()))
def test_every_example_works(line, place, monkeypatch):
    stdin = b""
    if "|" in line:
        first, line = map(str.strip, line.split("|"))
        assert first == "find pictures -name '*.png'"
        stdin = "\n".join(str(path) for path in place.glob("pictures/*/*.png")).encode()
    if line.startswith(("googlenet train", "googlenet study")):  # all but the training itself
        begun = []
        monkeypatch.setattr(Session, "run", lambda *given: begun.append(given))
        if "--finetune runs/short" not in line:
            shutil.rmtree("runs")
        if "--resume runs/short" in line:
            shutil.copytree("stopped", "runs/short")
    for second in ("runs/other", "runs/second"):
        if second in line:
            shutil.copytree("runs/short", second)
    if line.startswith("googlenet import-weights"):
        shutil.rmtree("runs/imagenet")
    done = call(*shlex.split(line)[1:], stdin=stdin)
    finding = ("googlenet data check", "googlenet doctor", "googlenet study")
    fine = (0, 1) if line.startswith(finding) else (0,)  # 1: something was found, or not trained
    assert done.code in fine, done.err
    assert done.err == ""
    if line.startswith("googlenet train"):
        assert len(begun) == 1
    else:
        assert done.out


def test_every_command_has_an_example():
    for name, command in COMMANDS.items():
        assert any(name in param.values[0] for param in examples() if param.id.startswith(name))
        assert "Example" in command.get_help(click.Context(command, info_name="googlenet"))


def complete(monkeypatch, line):
    """Ask as bash does, with the cursor at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_GOOGLENET_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    return call().out.splitlines()


def test_a_shell_completes_runs(place, monkeypatch):
    shutil.move("stopped", "runs/second")
    for start in ("", "r", "runs/"):
        for command in ("evaluate", "predict"):
            found = complete(monkeypatch, f"googlenet {command} {start}")
            assert found == ["plain,runs/imagenet", "plain,runs/second", "plain,runs/short"]
    assert complete(monkeypatch, "googlenet evaluate runs/sh") == ["plain,runs/short"]
    assert complete(monkeypatch, "googlenet evaluate pict") == ["dir,pict"]
    assert complete(monkeypatch, "googlenet train --resume runs/sh") == ["plain,runs/short"]


def test_a_shell_completes_commands_and_options(monkeypatch):
    assert complete(monkeypatch, "googlenet ev") == ["plain,evaluate"]
    assert "plain,--test-data" in complete(monkeypatch, "googlenet evaluate --te")


def test_help_says_how_to_switch_completion_on(monkeypatch):
    text = call("--help").out
    (line,) = [line.strip() for line in text.splitlines() if "bash_source" in line]
    assert line == 'eval "$(_GOOGLENET_COMPLETE=bash_source googlenet)"'
    monkeypatch.setenv("_GOOGLENET_COMPLETE", "zsh_source")
    assert "#compdef googlenet" in call().out
