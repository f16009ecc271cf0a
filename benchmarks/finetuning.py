"""From a trained network to three new classes: what is kept of it, and what that saves.

``python -m benchmarks.finetuning FOLDER`` writes the embedded clothes as two folders of pictures:
seven classes, and few pictures of three new ones, by default those that are hardest to tell apart
(pullover, coat, shirt: what tells the seven apart says little of them; ``--new`` takes others).
It trains a network on the seven, and then on the three: from first weights, from the trained ones
at the same rate, with the backbone at a tenth of it, and with the backbone frozen. Each several
times, with other pictures drawn for the training; tested on all test pictures of the three.
"""

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.machine import cores, describe
from minigrad.checkpoint import write_whole
from minigrad.data import ArrayDataset, FashionMNIST

HARD = "Pullover,Coat,Shirt"
COMMON = ("--channels", "1", "--image-size", "32", "--crop", "1", "--quiet")
WAYS = {
    "from first weights": (),
    "fine-tuned": ("--finetune", "{base}"),
    "fine-tuned, backbone at a tenth of the rate": (
        "--finetune", "{base}", "--backbone-lr", "0.1",
    ),
    "fine-tuned, backbone frozen": ("--finetune", "{base}", "--freeze", "backbone"),
}  # fmt: skip


def write(folder: Path, chosen: tuple[str, ...], each: int | None, seed: int) -> Path:
    """Write pictures as ``folder/train/<class>/<number>.png`` and ``folder/test``."""
    rng = np.random.default_rng(seed)
    for train, part in ((True, "train"), (False, "test")):
        data = FashionMNIST(train=train)
        for name in chosen:
            members = np.flatnonzero(data.labels == data.classes.index(name))
            if train and each is not None:
                members = rng.permutation(members)[:each]
            _save(data, members, folder / part / name.replace("/", "-"))
    return folder


def _save(data: ArrayDataset, members: np.ndarray, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in members:
        Image.fromarray(data.images[i, 0]).save(folder / f"{i:05}.png")


def train(run: Path, data: Path, *options: str) -> tuple[float, float]:
    """Train, if that was not done before; return the test accuracy and the seconds it took."""
    finished = run / "seconds.txt"
    if not finished.is_file():
        shutil.rmtree(run, ignore_errors=True)  # one that was stopped: nobody knows its seconds
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "googlenet", "train", "--data", str(data), "--run", str(run),
             *COMMON, *options],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        write_whole(finished, str(time.perf_counter() - begun).encode())
    with open(run / "metrics.csv") as file:
        last = list(csv.DictReader(file))[-1]
    return float(last["test_accuracy"]), float(finished.read_text())


def measure(
    folder: Path, new: tuple[str, ...], each: int, seeds: int, epochs: int
) -> Iterator[dict[str, object]]:
    """Train the network on seven classes, then all ways to the three; yield a row for each."""
    seven = tuple(name for name in FashionMNIST().classes if name not in new)
    base = folder / "base"
    accuracy, seconds = train(base, write(folder / "seven", seven, None, 0))
    yield {"way": "seven classes, 3,500 pictures", "accuracy": [accuracy], "seconds": [seconds]}
    for way, options in WAYS.items():
        found = []
        for seed in range(seeds):
            data = write(folder / f"three-{seed}", new, each, seed)
            given = [option.format(base=base) for option in options]
            run = folder / f"{way.replace(' ', '-').replace(',', '')}-{seed}"
            found.append(
                train(run, data, "--epochs", str(epochs), "--seed", str(seed), *given)
            )  # fmt: skip
        accuracies, times = zip(*found, strict=True)
        yield {"way": way, "accuracy": list(accuracies), "seconds": list(times)}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--new", default=HARD, show_default=True, help="Names of the three new classes, with commas."
)
@click.option("--each", default=60, show_default=True, help="Training pictures of a new class.")
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--epochs", default=15, show_default=True, help="On the new classes.")
def main(folder: Path, new: str, each: int, seeds: int, epochs: int) -> None:
    """Fine-tune a network to three new classes in FOLDER, and tell what that brings."""
    names = tuple(new.split(","))
    known = FashionMNIST().classes
    if len(set(names)) != 3 or not set(names) <= set(known):
        raise click.BadParameter(
            f"must be three different ones of {', '.join(known)}, got {new!r}", param_hint="--new"
        )
    # A folder of its own: what other settings trained is not taken for this.
    folder /= f"{'-'.join(names)}-{each}-each-{epochs}-epochs"
    rows = []
    for row in measure(folder, names, each, seeds, epochs):
        rows.append(row)
        accuracy, seconds = row["accuracy"], row["seconds"]
        spread = f" ± {np.std(accuracy, ddof=1):.3f}" if len(accuracy) > 1 else ""
        click.echo(f"{row['way']:45} {np.mean(accuracy):.3f}{spread}  {np.median(seconds):.0f} s")
    content = {
        "new": names, "each": each, "epochs": epochs, "seeds": seeds, "machine": describe(cores()),
        "rows": rows,
    }  # fmt: skip
    write_whole(folder / "finetuning.json", (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
