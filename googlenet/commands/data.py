"""``googlenet data``: pictures looked at before anything is trained on them."""

import json
import os
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from googlenet.checking import Finding, Report, check_data
from googlenet.commands.errors import FAILURE, usage
from googlenet.recipes import PHOTOGRAPH
from googlenet.sentences import printable
from minigrad.data import DATASETS

EXAMPLES_SHOWN = 3
EXAMPLE = """\b
Examples:
  googlenet data check photographs/
  googlenet data check photographs/ --image-size 32 --workers 4 --json
  googlenet data check embedded
"""


@click.group()
def data() -> None:
    """Look at pictures before training on them: check finds what is wrong, show draws them."""


@data.command(epilog=EXAMPLE)
@click.argument("path", metavar="|".join([*DATASETS, "FOLDER"]))
@click.option("--test-data", metavar="FOLDER", help="A second folder, of pictures to test on.")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    default=PHOTOGRAPH,
    show_default=True,
    help="Of the network, in pixels: smaller pictures are found.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    help="Pictures looked at at once.  [default: as many as there are cores]",
)
@click.option("--all", "everything", is_flag=True, help="Name all pictures that are found.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def check(
    path: str,
    test_data: str | None,
    image_size: int,
    workers: int,
    everything: bool,
    as_json: bool,
) -> None:
    """Find what is wrong with the pictures in a FOLDER, or with a dataset.

    Pictures that cannot be read; that are there twice, in two classes, or both to train and to
    test on; that are tiny, or show nothing; whose name says another format; links that lead
    nowhere; classes with few pictures. The exit code is 0 if there is nothing of it, and else 1.
    """
    begun = time.perf_counter()
    console = Console(stderr=True)
    shown = console.is_terminal and not as_json
    with usage(), Progress(console=console, transient=True, disable=not shown) as bar:

        def begin(total: int) -> Callable[[int], object]:
            task = bar.add_task("looking", total=total)
            return lambda count: bar.advance(task, count)

        report = check_data(path, test_data, image_size, workers, begin)
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        _show(Console(), report, time.perf_counter() - begun, everything)
    if not report.clean:
        raise SystemExit(FAILURE)


def _show(console: Console, report: Report, seconds: float, everything: bool) -> None:
    """Print the table."""

    def say(line: str) -> None:
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    classes = {label for counts in report.pictures.values() for label in counts} - {""}
    parts = ", ".join(
        f"{sum(counts.values()):,} {part}" for part, counts in report.pictures.items()
    )
    say(
        f"{report.data}: {report.count:,} pictures"
        + (f" ({parts})" if len(report.pictures) > 1 else "")
        + f" of {len(classes)} classes, looked at in {seconds:.1f} s"
    )
    if report.findings:
        made = Table(show_lines=True)
        made.add_column("", justify="right", no_wrap=True)
        made.add_column("found", ratio=3)
        made.add_column("what to do", ratio=2)
        for finding in report.findings:
            colour = "dim" if finding.note else "red"
            count = Text(f"{len(finding.items):,}", colour)
            made.add_row(count, _found(finding, everything), finding.advice)
        console.print(made)
    say("nothing is wrong" if report.clean else "something is wrong: see above what to do about it")


def _found(finding: Finding, everything: bool) -> Text:
    """Return what was found, and some of the pictures."""
    text = Text(finding.what, "bold")
    shown = finding.items if everything else finding.items[:EXAMPLES_SHOWN]
    for item in shown:
        line = " = ".join(item.names) + (f": {item.said}" if item.said else "")
        text.append("\n" + printable(line), "not bold")
    if len(shown) < len(finding.items):
        text.append(f"\nand {len(finding.items) - len(shown):,} more (--all)", "dim not bold")
    return text
