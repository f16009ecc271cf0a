"""``googlenet evaluate``: how good finished runs are, class by class, and where they err."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from googlenet.commands.errors import Usage, usage
from googlenet.commands.evaluation_files import said, write
from googlenet.commands.options import RunPath, computing, cropping, load
from googlenet.commands.session import saying_how_to_go_on
from googlenet.commands.tested import Contestant, Examined, Named, other, own, same_classes
from googlenet.evaluation import Evaluation, Examination, Member, examine_together, sees_whole
from googlenet.run_folder import AVERAGED, MODEL
from googlenet.sentences import printable
from minigrad.data import DATASETS

TOP = 5
WHOLE = "(by itself the run sees pictures whole; crops show things 8/7 to 11/7 as large)"

EXAMPLE = """\b
Examples:
  googlenet evaluate runs/short
  googlenet evaluate runs/short --json --threads 1
  googlenet evaluate runs/short --test-data pictures/
  googlenet evaluate runs/short --crops 10
  googlenet evaluate runs/short runs/other
"""


@click.command(epilog=EXAMPLE)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunPath())
@click.option(
    "--data",
    metavar="|".join([*DATASETS, "FOLDER"]),
    help="Other data, opened as by train: its test pictures.  [default: the run's own]",
)
@click.option("--test-data", metavar="FOLDER", help="A folder, of which every picture is a test.")
@click.option(
    "--class-names", metavar="FILE", help="Readable names for the folders of other data's classes."
)
@click.option(
    "--ground-truth",
    metavar="FILE",
    help="What pictures show that lie in one folder, without folders of classes: val.txt or "
    "LOC_val_solution.csv, as ImageNet has them.",
)
@cropping
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder.  [default: RUN/evaluation; of several runs evaluation-ensemble, in the first; "
    "with --averaged that, and with crops their number, behind it]",
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    help="What to do about a picture that cannot be read.  [default: as in training, or raise]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
@computing
def evaluate(
    runs: tuple[Path, ...],
    data: str | None,
    test_data: str | None,
    class_names: str | None,
    ground_truth: str | None,
    crops: int,
    output: Path | None,
    on_error: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Test the network of a finished RUN: accuracy, precision and recall, and its worst mistakes.

    Of several runs each is tested, and their ensemble: the mean of their probabilities. They must
    know the same classes; all else may differ.

    Without --data or --test-data on the pictures that the run itself was tested on. Writes
    evaluation.json, predictions.csv, confusion.csv, confusion.png, calibration.png and
    mistakes.png. Shares come with 95 % intervals (Wilson's), differences with McNemar's exact p.
    """
    folder = output or _folder(runs, crops, options["averaged"])
    if folder.exists() and not folder.is_dir():
        raise Usage(f"output: a folder was needed, but this is a file: {str(folder)!r}")
    _once(runs, options["averaged"])
    contestants = [Contestant(run, *load(run, options)) for run in runs]
    same_classes(contestants)
    named = Named(data, test_data, class_names, ground_truth)
    if named.nothing:
        examined = own(contestants)
    else:
        with usage():
            examined = other(named, contestants)
    members = [
        Member(contestant.classifier, contestant.model.transform, dataset)
        for contestant, dataset in zip(contestants, examined.datasets, strict=True)
    ]
    pictures = examined.datasets[0]
    labels = np.asarray(pictures.labels)  # type: ignore[attr-defined]
    skipping = saying_how_to_go_on("--on-error skip goes on without such pictures")
    with skipping, _bar(len(pictures), shown=not as_json) as seen:
        found = examine_together(
            members, labels, seen, crops,
            workers=options["workers"], on_error=on_error or examined.on_error,
        )  # fmt: skip
    result = _result(found, contestants, examined, crops)
    write(folder, found.ensemble, pictures, result)
    if as_json:
        click.echo(json.dumps({**result, "folder": str(folder)}))
    else:
        _show(Console(), result, folder)


def _folder(runs: Sequence[Path], crops: int, averaged: bool) -> Path:
    """Name the folder for what is written."""
    first = runs[0] if runs[0].is_dir() else runs[0].parent
    parts = ["evaluation"]
    parts += ["ensemble"] if len(runs) > 1 else []
    parts += ["averaged"] if averaged or any(run.name == AVERAGED for run in runs) else []
    parts += [f"{crops}-crops"] if crops > 1 else []
    return first / "-".join(parts)


def _once(runs: Sequence[Path], averaged: bool) -> None:
    """Refuse a run that is named twice, also by its file: it would count twice."""
    seen = set()
    for run in runs:
        real = run.resolve()
        if real.is_dir():
            real /= AVERAGED if averaged else MODEL
        if real in seen:
            raise Usage(f"the run {str(run)!r} is named twice")
        seen.add(real)


def _result(
    found: Examination, contestants: Sequence[Contestant], examined: Examined, crops: int
) -> dict[str, Any]:
    """Sum an evaluation up, as JSON has it."""
    evaluation, pictures = found.ensemble, examined.datasets[0]
    classifiers = [contestant.classifier for contestant in contestants]
    return {
        "data": examined.description,
        "own_test_pictures": examined.own,
        "pictures": len(evaluation),
        "left_out": len(pictures) - len(evaluation),
        "crops": crops,
        "weights": ", ".join(
            dict.fromkeys("averaged" if each.model.averaged else "raw" for each in contestants)
        ),
        "precision": ", ".join(dict.fromkeys(each.precision for each in classifiers)),
        "batch_size": classifiers[0].batch_size,
        **_figures(evaluation),
        "runs": [
            _of_run(contestant, member, found)
            for contestant, member in zip(contestants, found.members, strict=True)
        ],
        "calibration": evaluation.calibration().to_dict(),
        "classes": evaluation.per_class(),
        "confusion": evaluation.confusion.tolist(),
        "mistakes": [said(evaluation, place, pictures) for place in evaluation.worst()],
    }


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "top1": evaluation.top(1),
        "top1_interval": evaluation.interval(1),
        "top5": evaluation.top(TOP),
        "top5_interval": evaluation.interval(TOP),
        "loss": evaluation.loss,
        "brier": evaluation.brier,
    }


def _of_run(contestant: Contestant, member: Evaluation, found: Examination) -> dict[str, Any]:
    """Sum up one run; of several, also how the ensemble compares with it."""
    calibrated = member.calibration()
    row = {
        "run": str(contestant.run),
        "image_size": contestant.model.net.image_size,
        "averaged": contestant.model.averaged,
        "whole_pictures": sees_whole(contestant.model.transform),
        "precision": contestant.classifier.precision,
        **_figures(member),
        "expected_calibration_error": calibrated.error,
    }
    if len(found.members) > 1:
        row["ensemble_against_it"] = found.ensemble.against(member).to_dict()
    return row


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
    """Print the tables, and what counts beside them."""
    made = Table()
    made.add_column("class", overflow="fold")
    for name in ("pictures", "precision", "recall"):
        made.add_column(name, justify="right")
    for row in result["classes"]:
        shares = (_percent(row["precision"]), _percent(row["recall"]))
        made.add_row(Text(printable(row["class"])), f"{row['pictures']:,}", *shares)
    console.print(made)
    if len(result["runs"]) > 1:
        console.print(_runs(result))
    left = f", {result['left_out']} left out" if result["left_out"] else ""
    crops = f", {result['crops']} crops of each" if result["crops"] > 1 else ""
    crops += ", averaged weights" if all(row["averaged"] for row in result["runs"]) else ""
    whose = "the runs' own" if len(result["runs"]) > 1 else "the run's own"
    own = f"{whose} test pictures" if result["own_test_pictures"] else "other pictures"
    whole = any(row["whole_pictures"] for row in result["runs"])
    for line in (
        printable(result["data"]),
        f"{result['pictures']:,} of {own}{left}{crops}",
        *([WHOLE] if whole and result["crops"] > 1 else []),
        f"{_share(result, 1)}   {_share(result, TOP)}   loss {result['loss']:.4f}",
        _sureness(result),
        f"written into {printable(str(folder))}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _runs(result: Mapping[str, Any]) -> Table:
    """Return a table of the single runs, and of all together."""
    made = Table()
    made.add_column("run", overflow="fold")
    for name in ("top-1", "95 %", "top-5", "loss", "all against it"):
        made.add_column(name, justify="right", no_wrap=True)
    rows = [(Text(printable(row["run"])), row) for row in result["runs"]]
    for label, row in [*rows, (Text("together", style="bold"), result)]:
        low, high = row["top1_interval"] or (1, 1)
        against = row.get("ensemble_against_it")
        made.add_row(
            label, f"{row['top1']:.4f}", f"{low:.3f}–{high:.3f}", f"{row['top5']:.4f}",
            f"{row['loss']:.4f}",
            f"{100 * against['difference']:+.1f} points, p {_p(against['p'])}" if against else "",
        )  # fmt: skip
    return made


def _share(result: Mapping[str, Any], k: int) -> str:
    """Say how large a share is, and how sure that is."""
    interval = result[f"top{k}_interval"]
    if interval is None:
        return (
            f"top-{k} {result[f'top{k}']:.4f} (always: there are {len(result['classes'])} classes)"
        )
    low, high = interval
    return f"top-{k} {result[f'top{k}']:.4f} (95 %: {low:.4f} to {high:.4f})"


def _sureness(result: Mapping[str, Any]) -> str:
    """Say whether the network is as sure as it should be."""
    found = result["calibration"]
    sure = result["top1"] + found["overconfidence"]
    return (
        f"{sure:.1%} sure on average, {result['top1']:.1%} right; expected calibration error "
        f"{found['expected_calibration_error']:.1%}, Brier's score {result['brier']:.4f}"
    )


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
