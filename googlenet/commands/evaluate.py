"""``googlenet evaluate``: how good a finished run is, class by class, and where it errs."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from googlenet.commands.errors import Usage, usage
from googlenet.commands.options import RunPath, computing, load
from googlenet.commands.session import saying_how_to_go_on
from googlenet.evaluation import Evaluation, examine, of_classes
from googlenet.pictures import fingerprint, reading
from googlenet.run_folder import CONFIG, Model, RunFolder
from googlenet.sentences import printable
from minigrad.checkpoint import write_whole
from minigrad.data import DATASETS, Dataset, ImageFolder, open_dataset

TOP = 5

EXAMPLE = """\b
Examples:
  googlenet evaluate runs/short
  googlenet evaluate runs/short --json --threads 1
  googlenet evaluate runs/short --test-data pictures/
"""


class Examined(NamedTuple):
    """The pictures that a network is held against."""

    pictures: Dataset
    description: str
    own: bool  # whether they are those that the run was tested on
    on_error: str  # what to do about one that cannot be read


@click.command(epilog=EXAMPLE)
@click.argument("run", type=RunPath())
@click.option(
    "--data",
    metavar="|".join([*DATASETS, "FOLDER"]),
    help="Other data, opened as by train: its test pictures.  [default: the run's own]",
)
@click.option("--test-data", metavar="FOLDER", help="A folder, of which every picture is a test.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder.  [default: RUN/evaluation]"
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    help="What to do about a picture that cannot be read.  [default: as in training, or raise]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
@computing
def evaluate(
    run: Path,
    data: str | None,
    test_data: str | None,
    output: Path | None,
    on_error: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Test the network of a finished RUN: accuracy, precision and recall, and its worst mistakes.

    Without --data or --test-data on the pictures that the run itself was tested on. Writes
    evaluation.json, predictions.csv, confusion.csv, confusion.png and mistakes.png.
    """
    home = run if run.is_dir() else run.parent
    folder = output or home / "evaluation"
    if folder.exists() and not folder.is_dir():
        raise Usage(f"output: a folder was needed, but this is a file: {str(folder)!r}")
    model, classifier = load(run, options)
    if data is None and test_data is None:
        examined = _own(RunFolder(home), model)
    else:
        with usage():
            examined = _other(data, test_data, model, home)
    pictures = examined.pictures
    labels = np.asarray(pictures.labels)  # type: ignore[attr-defined]
    skipping = saying_how_to_go_on("--on-error skip goes on without such pictures")
    with skipping, _bar(len(pictures), shown=not as_json) as seen:
        evaluation = examine(
            classifier, model.transform, pictures, labels, seen,
            workers=options["workers"], on_error=on_error or examined.on_error,
        )  # fmt: skip
    result = _result(evaluation, examined, classifier.precision, classifier.batch_size)
    _write(folder, evaluation, pictures, result)
    if as_json:
        click.echo(json.dumps({**result, "folder": str(folder)}))
    else:
        _show(Console(), result, folder)


def _own(folder: RunFolder, model: Model) -> Examined:
    """Open the run's own test pictures, and make sure that they still are."""
    if not (folder.path / CONFIG).is_file():
        raise ValueError(
            f"{str(folder.path)!r} does not tell what it was tested on, for there is no {CONFIG} "
            "in it: give --data or --test-data"
        )
    config = folder.config()
    asked = config["asked"]
    for place in (asked["data"], asked["test_data"]):
        if place not in (None, *DATASETS) and not Path(place).is_dir():
            raise Usage(
                f"the run's pictures were in {place!r}, and that folder is not there any more; if "
                "it was moved, say where it is: --data FOLDER"
            )
    pictures, description = _open(asked["data"], asked["test_data"], model)
    of_classes(pictures, model.classes, f"the data of {str(folder.path)!r}")
    if fingerprint(pictures) != config["fingerprints"].get("test"):
        raise ValueError(
            f"the test pictures are not those that the run {str(folder.path)!r} was tested on; "
            "--data or --test-data says that others are meant"
        )
    return Examined(pictures, description, True, asked.get("on_error") or "raise")


def _other(data: str | None, test_data: str | None, model: Model, home: Path) -> Examined:
    """Open other pictures, of the classes that the network knows."""
    channels = model.net.in_channels
    if data is None:
        assert test_data is not None
        pictures: Dataset = ImageFolder(test_data, **_reading(model), classes=model.classes)
        description = f"{len(pictures)} pictures in {test_data!r}"
    else:
        pictures, description = _open(data, test_data, model)
        if pictures[0][0].shape[0] != channels:
            raise ValueError(
                f"the pictures of {data!r} have {pictures[0][0].shape[0]} channels, but the "
                f"network takes {channels}"
            )
        of_classes(pictures, model.classes, repr(data))
    own = False
    if (home / CONFIG).is_file():
        own = fingerprint(pictures) == RunFolder(home).config()["fingerprints"].get("test")
    return Examined(pictures, description, own, "raise")


def _open(data: str, test_data: str | None, model: Model) -> tuple[Dataset, str]:
    """Open data as ``googlenet train`` does, and return what it tests on."""
    how = {} if data in DATASETS else _reading(model)
    opened = open_dataset(data, test=test_data, **how)
    return opened.test, opened.description


def _reading(model: Model) -> dict[str, Any]:
    return reading(model.net.image_size, model.net.in_channels)


def _result(
    evaluation: Evaluation, examined: Examined, precision: str, batch_size: int
) -> dict[str, Any]:
    """Sum an evaluation up, as JSON has it."""
    return {
        "data": examined.description,
        "own_test_pictures": examined.own,
        "pictures": len(evaluation),
        "left_out": len(examined.pictures) - len(evaluation),
        "precision": precision,
        "batch_size": batch_size,
        "top1": evaluation.top(1),
        "top5": evaluation.top(TOP),
        "loss": evaluation.loss,
        "classes": evaluation.per_class(),
        "confusion": evaluation.confusion.tolist(),
        "mistakes": [_said(evaluation, place, examined.pictures) for place in evaluation.worst()],
    }


def _said(evaluation: Evaluation, place: int, pictures: Dataset) -> dict[str, Any]:
    """Return what the network said of one picture."""
    index, predicted = int(evaluation.indices[place]), evaluation.predicted[place]
    true = evaluation.labels[place]
    return {
        "index": index,
        "picture": _name(pictures, index),
        "class": evaluation.classes[true],
        "predicted": evaluation.classes[predicted],
        "probability": float(evaluation.probabilities[place, predicted]),
        "probability_of_class": float(evaluation.probabilities[place, true]),
    }


def _name(pictures: Dataset, index: int) -> str:
    """Name a picture: by its path, if it is a file."""
    if isinstance(pictures, ImageFolder):
        return str(pictures.root / pictures.files[index])
    return f"test picture {index}"


def _write(
    folder: Path, evaluation: Evaluation, pictures: Dataset, result: Mapping[str, Any]
) -> None:
    """Write all files, once all of them are ready; ``evaluation.json``, which sums up, last."""
    from googlenet.charts import Mistake, draw_confusion, draw_mistakes  # Matplotlib takes time

    mistakes = [
        Mistake(
            pictures[wrong["index"]][0], wrong["class"], wrong["predicted"], wrong["probability"]
        )
        for wrong in result["mistakes"]
    ]
    said = [_said(evaluation, place, pictures) for place in range(len(evaluation))]
    classes = evaluation.classes
    counts = zip(classes, evaluation.confusion.tolist(), strict=True)
    files = {
        "predictions.csv": _csv(list(said[0]), [list(row.values()) for row in said]),
        "confusion.csv": _csv(["is \\ taken for", *classes], [[n, *row] for n, row in counts]),
        "confusion.png": draw_confusion(evaluation.confusion, classes),
        "mistakes.png": draw_mistakes(mistakes),
        "evaluation.json": (json.dumps(result, indent=2) + "\n").encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_whole(folder / name, content)


def _csv(head: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue().encode("utf-8", "backslashreplace")


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Any]:
    """Show how far it is, on a terminal."""
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not (shown and console.is_terminal)
    ) as bar:
        task = bar.add_task("evaluating", total=total)
        yield lambda count: bar.advance(task, count)


def _show(console: Console, result: Mapping[str, Any], folder: Path) -> None:
    """Print the table, and what counts beside it."""
    made = Table()
    made.add_column("class", overflow="fold")
    for name in ("pictures", "precision", "recall"):
        made.add_column(name, justify="right")
    for row in result["classes"]:
        shares = (_percent(row["precision"]), _percent(row["recall"]))
        made.add_row(Text(printable(row["class"])), f"{row['pictures']:,}", *shares)
    console.print(made)
    left = f", {result['left_out']} left out" if result["left_out"] else ""
    own = "the run's own test pictures" if result["own_test_pictures"] else "other pictures"
    for line in (
        printable(result["data"]),
        f"{result['pictures']:,} of {own}{left}",
        f"top-1 {result['top1']:.4f}   top-5 {result['top5']:.4f}   loss {result['loss']:.4f}",
        f"written into {printable(str(folder))}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
