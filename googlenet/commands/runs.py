"""``googlenet runs``: what was trained so far."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from googlenet.commands.errors import Usage
from googlenet.runs import Run, find_runs
from googlenet.sentences import printable

EXAMPLE = """\b
Examples:
  googlenet runs
  googlenet runs runs/ --json
"""
COLOURS = {
    "finished": "green",
    "stopped": "yellow",
    "training": "cyan",
    "imported": "blue",
    "damaged": "red",
}


@click.command(epilog=EXAMPLE)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option(
    "--check", is_flag=True, help="Read all weights, and hold them against their checksums."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, and nothing else.")
def runs(folder: Path, check: bool, as_json: bool) -> None:
    """List the runs in FOLDER, by default runs/, the newest first.

    A run is finished, stopped (and can be gone on with: googlenet train --resume), training now,
    imported (googlenet import-weights), or damaged, and then how is said.
    """
    if folder.exists() and not folder.is_dir():
        raise Usage(f"a folder was needed, but this is a file: {str(folder)!r}")
    if not folder.exists() and folder != Path("runs"):
        raise Usage(f"there is no folder {str(folder)!r}")
    found = find_runs(folder, check) if folder.exists() else []
    if as_json:
        click.echo(json.dumps([run.to_dict() for run in found], indent=2))
    elif not found:
        click.echo(f"no runs in {str(folder)!r} yet: googlenet train makes one")
    else:
        _show(Console(), found)


def _show(console: Console, found: list[Run]) -> None:
    made = Table(box=None, padding=(0, 2, 0, 0))
    made.add_column("run", no_wrap=True, overflow="ellipsis")
    made.add_column("begun", no_wrap=True)
    made.add_column("state", no_wrap=True)
    for name in ("epochs", "best", "last", "time"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("data", no_wrap=True, overflow="ellipsis")  # --json tells all of it
    for run in found:
        made.add_row(
            Text(printable(run.name)),
            run.when[:16],
            Text(run.state, COLOURS[run.state]),
            "–" if run.epochs is None else f"{run.epochs_done or 0}/{run.epochs}",
            _share(run.best_accuracy),
            _share(run.last_accuracy),
            _time(run.seconds),
            Text(printable(run.data or "–")),
        )
    wide = max(console.width, console.measure(made, options=console.options.update(width=10**4))[1])
    console.print(made, width=console.width if console.is_terminal else wide, soft_wrap=True)
    for run in found:  # sentences have no place in a table
        if run.note:
            line = f"{printable(run.name)}: {run.state}, {printable(run.note)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
