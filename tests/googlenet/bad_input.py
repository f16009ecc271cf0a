"""Bad input: what somebody may give to the command line, and the sentence that comes back.

``python -m tests.googlenet.bad_input`` prints all sentences as a list.
"""

import os
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from minigrad import checkpoint
from tests.googlenet.tiny import call, narrow_networks, photographs, train


class Case(NamedTuple):
    """What is wrong, the command, what its sentence says, the exit code, and what spoils it."""

    what: str
    command: str
    sentence: str
    code: int
    spoil: Callable[[], object] = lambda: None


def make(folder):
    """Make what the commands name: runs and pictures."""
    photographs(folder / "pictures", each=6)
    data = ("--data", folder / "pictures", "--pictures", "9", "--batch-size", "4")
    train(folder / "runs/animals", *data)
    train(folder / "runs/stopped", *data, stop=True)
    train(folder / "runs/clothes")
    for name in ("animals", "stopped"):  # wherever the folder is copied to
        path = folder / "runs" / name
        config = checkpoint.load_json(path / "config.json")
        config["asked"]["data"] = "pictures"
        checkpoint.save_json(path / "config.json", config)
    photographs(folder / "birds", classes=("finch", "tit"), each=2)
    photographs(folder / "cars", classes=("bus", "car", "van"), each=2)
    (folder / "empty").mkdir()
    (folder / "hollow" / "cat").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(folder / "cat.png")
    (folder / "text.png").write_text("no picture")
    whole = (folder / "pictures/cat/0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "bomb.png").write_bytes(bomb())
    return folder


def bomb(width=60_000, height=60_000):
    """A PNG of a few kilobytes that would unpack to gigabytes."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = chunk(b"IDAT", zlib.compress(bytes(10**6)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + packed + chunk(b"IEND", b"")


MODEL, CHECKPOINT = "runs/animals/model.safetensors", "runs/stopped/checkpoint.safetensors"
CONFIG = "runs/animals/config.json"


def cut(path):
    """Leave two thirds of a file."""
    return lambda: os.truncate(path, os.path.getsize(path) * 2 // 3)


def flip(path, place):
    """Turn one bit of a file."""

    def spoil():
        content = bytearray(Path(path).read_bytes())
        content[place] ^= 4
        Path(path).write_bytes(content)

    return spoil


def again(path, **changes):
    """Write a file of weights anew with other metadata, and a checksum that is right."""

    def spoil():
        state, metadata = checkpoint.load(path)
        checkpoint.save(path, state, {**metadata, **changes})

    return spoil


def misshapen():
    state, metadata = checkpoint.load(MODEL)
    state["classifier.bias"] = state["classifier.bias"][:2]
    checkpoint.save(MODEL, state, metadata)


def newer(path):
    """Write a file as a later version would."""

    def spoil():
        with pytest.MonkeyPatch.context() as patch:
            read = (checkpoint.load_json if path.endswith("json") else checkpoint.load)(path)
            patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
            if path.endswith("json"):
                checkpoint.save_json(path, read)
            else:
                checkpoint.save(path, *read)

    return spoil


def copy(source, target):
    return lambda: shutil.copy(source, target)


def remove(path):
    return lambda: os.unlink(path)


def forbid(path):
    """Let the system refuse a folder, as it would to anybody but root, while a command runs."""

    def spoil():
        scandir = os.scandir

        def refuse(folder="."):
            if str(folder) == path:
                raise PermissionError(13, "Permission denied", str(folder))
            return scandir(folder)

        return refuse

    return spoil


PREDICT, EVALUATE = "predict runs/animals ", "evaluate runs/animals "
TRAIN, RESUME = "train --run new --epochs 1 ", "train --resume runs/stopped"
CASES = [
    # Pictures.
    Case("no picture", PREDICT + "text.png", "'text.png' is not a picture in one of", 1),
    Case("a picture cut short", PREDICT + "cut.png", "'cut.png' is damaged or cut short", 1),
    Case("a decompression bomb", PREDICT + "bomb.png", "'bomb.png' has 60000×60000 pixels", 1),
    Case("no such picture", PREDICT + "gone.png", "no picture and no folder 'gone.png'", 2),
    Case("an empty folder", PREDICT + "empty", "there are no pictures in 'empty'", 1),
    Case("no names on standard input", PREDICT + "-", "there are no pictures in '-'", 1),
    Case(
        "a folder without permission", PREDICT + "pictures",
        "'pictures/cat': the folder cannot be listed: Permission denied", 1, forbid("pictures/cat"),
    ),
    Case(
        "a damaged picture among the tests", EVALUATE + "--test-data pictures",
        "'pictures/dog/1.png' is damaged or cut short: image file is truncated; --on-error skip",
        1, cut("pictures/dog/1.png"),
    ),
    Case(
        "a bomb among the tests", EVALUATE + "--test-data pictures",
        "60000×60000 pixels, more than", 1, copy("bomb.png", "pictures/dog/1.png"),
    ),
    # Folders of pictures.
    Case(
        "other test pictures than before", "evaluate runs/animals",
        "the test pictures are not those that the run 'runs/animals' was tested on", 1,
        lambda: [copy("cat.png", f"pictures/cat/{i}.png")() for i in range(6)],
    ),
    Case(
        "another number of classes", EVALUATE + "--data birds",
        "'birds' has 2 classes, but the network was trained on 3", 2,
    ),
    Case(
        "as many, but other classes", EVALUATE + "--data cars",
        "'cars' has the class 'bus' where the network was trained on 'cat'", 2,
    ),
    Case(
        "test pictures of other classes", EVALUATE + "--test-data cars",
        "'cars' has a folder 'bus', but the classes are 'cat', 'dog', 'owl'", 2,
    ),
    Case(
        "grey pictures for a network of colours", EVALUATE + "--data embedded",
        "the pictures of 'embedded' have 1 channels, but the network of 'runs/animals' takes 3", 2,
    ),
    Case("no such data", EVALUATE + "--data nothing", "no dataset and no folder 'nothing'", 2),
    Case(
        "a file for test data", EVALUATE + "--test-data cat.png",
        "a folder was needed, but this is a file: 'cat.png'", 2,
    ),
    Case("an empty folder for test data", EVALUATE + "--test-data empty", "'empty' holds no", 2),
    Case(
        "test data without permission", EVALUATE + "--test-data pictures",
        "no permission to list the folder 'pictures/cat'", 2, forbid("pictures/cat"),
    ),
    Case("a class without pictures", TRAIN + "--data hollow", "'hollow/cat' holds no pictures", 2),
    Case("an empty folder to train on", TRAIN + "--data empty", "'empty' holds no folders", 2),
    Case(
        "pictures to train on that cannot be read", TRAIN + "--data pictures --batch-size 4",
        "is not a picture in one of", 1,
        lambda: [copy("text.png", f"pictures/cat/{i}.png")() for i in range(6)],
    ),
    Case("a file to train on", TRAIN + "--data cat.png", "this is a file: 'cat.png'", 2),
    Case("nothing to train on", TRAIN + "--data nothing", "no dataset and no folder 'nothing'", 2),
    Case(
        "a folder to train on without permission", TRAIN + "--data pictures",
        "no permission to list the folder 'pictures/cat'", 2, forbid("pictures/cat"),
    ),
    Case(
        "output into a file", EVALUATE + "--output cat.png",
        "a folder was needed, but this is a file: 'cat.png'", 2,
    ),
    # Runs and their models.
    Case("no such run", "evaluate runs/gone", "there is no run 'runs/gone'", 2),
    Case("an empty folder for a run", "predict empty cat.png", "'empty' is no run folder", 1),
    Case("a picture for a run", "predict cat.png cat.png", "'cat.png' is not a whole", 1),
    Case("a run that is not finished", "evaluate runs/stopped", "'runs/stopped' is not fin", 1),
    Case(
        "another architecture", "evaluate runs/animals",
        f"'{MODEL}' is of the architecture 'resnet'", 1, again(MODEL, architecture="resnet"),
    ),
    Case("a model cut short", "evaluate runs/animals", f"'{MODEL}' is not a whole", 1, cut(MODEL)),
    Case("a bit turned", "evaluate runs/animals", f"'{MODEL}' is damaged", 1, flip(MODEL, -9)),
    Case("an array too small", "evaluate runs/animals", "classifier.bias has shape", 1, misshapen),
    Case(
        "a model of a newer version", "evaluate runs/animals",
        f"'{MODEL}' was written by a newer version (format 2", 1, newer(MODEL),
    ),
    Case(
        "the model of another run", "evaluate runs/animals",
        f"'{MODEL}' is of another run", 1, copy("runs/clothes/model.safetensors", MODEL),
    ),
    Case(
        "a model without classes", "evaluate runs/animals",
        f"'{MODEL}': the classes must be a list", 1, again(MODEL, classes="7"),
    ),
    Case(
        "a model that does not fit its recipe", PREDICT + "cat.png",
        f"'{MODEL}': the transform gives", 1,
        again(MODEL, transform='{"transform": "CenterCrop", "size": 8}'),
    ),
    Case(
        "a damaged config", "evaluate runs/animals",
        f"'{CONFIG}' is damaged: it is not what its checksum", 1, flip(CONFIG, 50),
    ),
    Case("a config cut short", "evaluate runs/animals", f"'{CONFIG}' is not wh", 1, cut(CONFIG)),
    Case(
        "a config of a newer version", "evaluate runs/animals",
        f"'{CONFIG}' was written by a newer version", 1, newer(CONFIG),
    ),
    Case(
        "a config of an endless version", "evaluate runs/animals",
        f"'{CONFIG}' does not say its format", 1,
        lambda: Path(CONFIG).write_text('{"format": Infinity}') and None,
    ),
    Case(
        "no config", "evaluate runs/animals",
        "'runs/animals' does not tell what it was tested on", 1, remove(CONFIG),
    ),
    # Going on with a run.
    Case("nothing to resume", "train --resume gone", "'gone' is no run folder", 1),
    Case("resuming a finished run", "train --resume runs/animals", "is finished", 2),
    Case("a checkpoint cut short", RESUME, f"'{CHECKPOINT}' is not a whole", 1, cut(CHECKPOINT)),
    Case("a bit of it turned", RESUME, f"'{CHECKPOINT}' is damaged", 1, flip(CHECKPOINT, -9)),
    Case(
        "a checkpoint of a newer version", RESUME,
        f"'{CHECKPOINT}' was written by a newer version", 1, newer(CHECKPOINT),
    ),
    Case(
        "a checkpoint of another architecture", RESUME,
        f"'{CHECKPOINT}' is of the architecture 'resnet'", 1,
        again(CHECKPOINT, architecture="resnet"),
    ),
    Case("a model for a checkpoint", RESUME, "is no checkpoint", 1, copy(MODEL, CHECKPOINT)),
    Case(
        "the checkpoint of another run", RESUME, "is of another run", 1,
        copy("runs/clothes/model.safetensors", CHECKPOINT),
    ),
    Case(
        "other pictures than before", RESUME,
        "pictures are not those that the run 'runs/stopped' began with", 1,
        copy("cat.png", "pictures/cat/0.png"),
    ),
    Case("an option beside --resume", RESUME + " --lr 1", "--lr does not go with --resume", 2),
    Case("a run folder that is in use", "train --run runs/animals", "already holds something", 1),
    Case("a file for a run folder", "train --run cat.png", "'cat.png' already holds", 1),
    # Lists of runs.
    Case("a file for a list of runs", "runs cat.png", "this is a file: 'cat.png'", 2),
    Case("no such list of runs", "runs gone", "there is no folder 'gone'", 2),
    # Options.
    Case("no threads", EVALUATE + "--threads 0", "'--threads': 0 is not in the range", 2),
    Case("no batch", EVALUATE + "--batch-size 0", "'--batch-size': 0 is not in the range", 2),
    Case("no workers", PREDICT + "cat.png --workers 0", "'--workers': 0 is not in the range", 2),
    Case("no classes", PREDICT + "cat.png --top 0", "'--top': 0 is not in the range", 2),
    Case("half precision", EVALUATE + "--precision half", "'half' is not one of 'float32'", 2),
    Case("another kind of device", EVALUATE + "--device tpu", "'tpu'", 2),
    Case("too many pictures", TRAIN + "--pictures 6000", "pictures must lie between 1 and", 2),
    Case("images too small", TRAIN + "--image-size 16", "image_size must be an integer of at", 2),
    Case("no rate", TRAIN + "--lr -1", "lr must be a number above 0, got -1.0", 2),
    # Recipes, and weights to begin with.
    Case("no such recipe", TRAIN + "--recipe caff", "there is no recipe 'caff': did you mean", 2),
    Case("no such file of a recipe", TRAIN + "--recipe a.toml", "there is no recipe 'a.toml'", 2),
    Case("a recipe to show that is none", "recipe show nix", "there is no recipe 'nix'. There", 2),
    Case(
        "a recipe that is no TOML", TRAIN + "--recipe a.toml", "'a.toml': ", 2,
        lambda: Path("a.toml").write_text("lr") and None,
    ),
    Case(
        "a recipe with a value that means nothing", TRAIN + "--recipe a.json",
        "'a.json': lr must be a number above 0, got 'fast'", 2,
        lambda: Path("a.json").write_text('{"lr": "fast"}') and None,
    ),
    Case("a recipe whose pictures nobody has", TRAIN + "--recipe paper", "meant for ImageNet", 2),
    Case(
        "no such hyperparameter", TRAIN + "--set learning_rte=1",
        "a recipe has no hyperparameter 'learning_rte'", 2,
    ),
    Case("a hyperparameter that changes nothing", TRAIN + "--set rho=0.5", "rho changes noth", 2),
    Case("no such weights", TRAIN + "--finetune gone", "finetune: there is no run 'gone'", 2),
    Case("weights of a run not finished", TRAIN + "--finetune runs/stopped", "is not finished", 1),
    Case(
        "weights of another number of channels", TRAIN + "--finetune runs/animals --data embedded",
        "the pictures have 1 channels, but the trained network takes 3", 2,
    ),
    Case(
        "damaged weights", TRAIN + "--finetune runs/animals --data pictures",
        f"'{MODEL}' is damaged", 1, flip(MODEL, -9),
    ),
    Case("no such option", EVALUATE + "--jsn", "No such option", 2),
    Case("no picture given", "predict runs/animals", "Missing argument 'IMAGES...'", 2),
    Case("no such command", "evaluat runs/animals", "Did you mean 'evaluate'?", 2),
]  # fmt: skip


def tree(folder="."):
    """Return all files below a folder, with their sizes and dates."""
    found = {}
    for path in Path(folder).rglob("*"):
        status = path.stat()
        found[str(path)] = (status.st_size, status.st_mtime_ns if path.is_file() else 0)
    return found


def spoiled(case):
    """Spoil what a case needs spoilt, run its command; return what came, and what was left."""
    refuse = case.spoil()
    before = tree()
    with pytest.MonkeyPatch.context() as patch:
        if callable(refuse):
            patch.setattr(os, "scandir", refuse)
        done = call(*case.command.split())
    return done, {name for name, found in tree().items() if before.get(name) != found}


def main():
    """Print what comes back, as a list in Markdown."""
    with tempfile.TemporaryDirectory() as name, narrow_networks():
        made = make(Path(name, "made"))
        for number, case in enumerate(CASES):
            place = shutil.copytree(made, Path(name, str(number)))
            os.chdir(place)
            done, _ = spoiled(case)
            said = re.sub(r"^Usage:.*\n(Try .*\n)?\n?", "", done.err).strip().replace("\n", " / ")
            print(f"- {case.what}: `googlenet {case.command}` → {said} ({done.code})")
            os.chdir("/")
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
