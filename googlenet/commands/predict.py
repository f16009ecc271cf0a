"""``googlenet predict``: what pictures show, one after the other, as many as there are."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from googlenet.commands.errors import FAILURE, Usage
from googlenet.commands.options import RunPath, computing, cropping, load
from googlenet.prediction import Prediction, find_pictures
from googlenet.prediction import predict as predictions
from googlenet.sentences import printable, sentence

EXAMPLE = """\b
Examples:
  googlenet predict runs/short bag.png
  googlenet predict runs/short pictures/ --top 1 --json
  find pictures -name '*.png' | googlenet predict runs/short - --csv
"""


@click.command(epilog=EXAMPLE)
@click.argument("run", type=RunPath())
@click.argument("images", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to name."
)
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="A line for each picture and class.")
@cropping
@computing
def predict(
    run: Path, images: tuple[str, ...], top: int, form: str | None, crops: int, **options: Any
) -> None:
    """Say what IMAGES show, by the network of a finished RUN.

    IMAGES are files; folders, which are searched for pictures to any depth; or - for the names of
    files on standard input, one a line. (Names, not pictures: a picture can be given as
    /dev/stdin if a shell redirects it from a file.) Output comes while it is computed, in order. A
    picture that cannot be read is named on standard error, the others still come, and the exit
    code is 1.
    """
    for image in images:
        if image != "-" and not os.path.lexists(image):
            raise Usage(f"there is no picture and no folder {image!r}")
    model, classifier = load(run, options)
    write = FORMS[form](model.classes, top)
    failed = seen = 0
    named = _named(images)
    for said in predictions(classifier, model.transform, named, options["workers"], crops):
        seen += 1
        if said.probabilities is None:
            failed += 1
            _complain(said)
        else:
            write.one(said.path, said.probabilities)
    if seen == 0:
        where = ", ".join(repr(image) for image in images)
        raise OSError(f"there are no pictures in {where}")
    if failed:
        sys.stderr.write(f"Error: {failed} of {seen} could not be read\n")
        raise SystemExit(FAILURE)


def _named(images: Iterable[str]) -> Iterator[str | OSError]:
    """Go through the pictures that are meant."""
    for image in images:
        if image == "-":
            for line in sys.stdin.buffer:
                if line.strip():
                    yield os.fsdecode(line.rstrip(b"\r\n"))
        elif os.path.isdir(image):
            yield from find_pictures(image)
        else:
            yield image


def _complain(said: Prediction) -> None:
    assert said.error is not None
    sys.stdout.flush()  # so that the sentence stands where the picture would
    sys.stderr.write(printable(sentence(said.error)) + "\n")


class _Table:
    """Lines for people: the picture with its first class, the other classes below."""

    def __init__(self, classes: tuple[str, ...], top: int) -> None:
        self.names, self.top, self.headed = [printable(name) for name in classes], top, False
        self.width = max(len("class"), *map(len, self.names))

    def one(self, path: str, values: np.ndarray) -> None:
        """Write a picture."""
        if not self.headed:
            self.headed = True
            click.echo(f"{'probability':>11}  {'class':<{self.width}}  picture")
        name = printable(path)
        for label in _highest(values, self.top):
            line = f"{values[label]:>11.4f}  {self.names[label]:<{self.width}}  {name}"
            click.echo(line.rstrip())
            name = ""


class _Json:
    """One JSON object a line; a name that is not UTF-8 as Python has it, in surrogates."""

    def __init__(self, classes: tuple[str, ...], top: int) -> None:
        self.classes, self.top = classes, top

    def one(self, path: str, values: np.ndarray) -> None:
        """Write a picture."""
        top = [
            {"class": self.classes[i], "label": i, "probability": float(values[i])}
            for i in _highest(values, self.top)
        ]
        click.echo(json.dumps({"file": path, "top": top}))


class _Csv:
    """Comma-separated: file, rank, class, probability."""

    def __init__(self, classes: tuple[str, ...], top: int) -> None:
        self.classes, self.top = classes, top
        self.writer = csv.writer(_Echo(), lineterminator="\n")
        self.writer.writerow(["file", "rank", "class", "probability"])

    def one(self, path: str, values: np.ndarray) -> None:
        """Write a picture."""
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        for rank, label in enumerate(_highest(values, self.top), 1):
            self.writer.writerow([shown, rank, self.classes[label], float(values[label])])


class _Echo:
    """What a csv.writer writes to."""

    def write(self, text: str) -> None:
        """Write a row."""
        click.echo(text, nl=False)


def _highest(values: np.ndarray, top: int) -> list[int]:
    """Return the labels of the highest probabilities, the highest first."""
    order: list[int] = np.argsort(-values, kind="stable")[:top].tolist()
    return order


FORMS: dict[str | None, type[_Table | _Json | _Csv]] = {None: _Table, "json": _Json, "csv": _Csv}
