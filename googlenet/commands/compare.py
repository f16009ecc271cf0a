"""``googlenet compare``: several runs side by side."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from googlenet.commands.errors import FAILURE, Usage, usage
from googlenet.commands.options import RunPath, json_text
from googlenet.comparison import Comparison, compare, short_value
from googlenet.sentences import printable
from minigrad.checkpoint import write_whole

COLUMNS = 4  # differing settings that are columns; more are a list below
EXAMPLE = """\b
Examples:
  googlenet compare runs/short runs/other
  googlenet compare runs/short runs/other --json
"""


@click.command("compare", epilog=EXAMPLE)
@click.argument("runs", nargs=-1, required=True, type=RunPath(), metavar="RUN...")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("comparison"),
    show_default=True,
    help="Folder for curves.png and table.csv.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object, and nothing else; draw nothing."
)
def compare_runs(runs: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Put runs side by side: their curves in one picture, what they ended with in a table.

    Accuracies come with their 95 % interval (Wilson's): runs whose intervals overlap far may differ
    by chance. Settings that differ are columns. Runs that are damaged, or have no epoch behind
    them, are named and left out; those tested on other pictures are marked with †.
    """
    if output.exists() and not output.is_dir():
        raise Usage(f"--output must name a folder, but this is a file: {str(output)!r}")
    with usage():
        found = compare(runs)
    if as_json:
        click.echo(json_text(found.to_dict(), indent=2))
    elif found.runs:
        _show(Console(highlight=False), found)
        _write(output, found)
        click.echo(f"written into {printable(str(output))}: curves.png, table.csv")
    for path, why in found.left_out.items():
        if not as_json:
            click.echo(f"left out: {printable(path)}: {printable(why)}", err=True)
    if not found.runs:
        raise SystemExit(FAILURE)


def _write(folder: Path, found: Comparison) -> None:
    from googlenet.comparison_charts import draw_comparison  # Matplotlib takes half a second

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "curves.png", draw_comparison(found))
    write_whole(folder / "table.csv", found.table())


def _show(console: Console, found: Comparison) -> None:
    settings = list(found.differing)
    columns = [name for name in settings if name != "epochs"]  # which has a column anyway
    columns = columns if len(columns) <= COLUMNS else []
    made = Table(box=None, padding=(0, 1, 0, 0))
    made.add_column("run", no_wrap=True, overflow="ellipsis")
    for name in (*columns, "parameters", "epochs", "time", "train", "test", "95 %", "best", "loss"):
        made.add_column(name, justify="right", no_wrap=True)
    for i, run in enumerate(found.runs):
        low_high = "–" if run.interval is None else "{:.3f}–{:.3f}".format(*run.interval)
        made.add_row(
            Text(printable(run.name) + (" †" if found.other_test[i] else "")),
            *(Text(printable(short_value(found.differing[name][i]))) for name in columns),
            "–" if run.run.parameters is None else f"{run.run.parameters:,}",
            str(len(run.epochs)),
            minutes(run.last["seconds"]),
            f"{run.last['train_accuracy']:.3f}",
            f"{run.accuracy:.3f}" + ("*" if "test_accuracy_averaged" in run.last else ""),
            low_high,
            f"{run.best:.3f}",
            f"{run.last['test_loss']:.3f}",
        )
    print_table(console, made)
    if len(settings) > COLUMNS:
        for i, run in enumerate(found.runs):
            told = ", ".join(f"{n} {short_value(v)}" for n, v in found.settings(i).items())
            console.print(Text(printable(f"{run.name}: {told}")), soft_wrap=True)
    if any("test_accuracy_averaged" in run.last for run in found.runs):
        console.print("* of the averaged weights, which its recipe is for")
    if any(found.other_test):
        console.print("† tested on other pictures: these accuracies cannot be compared")


def print_table(console: Console, table: Table) -> None:
    """Print a table; into a file or a pipe, as wide as it is."""
    wide = console.measure(table, options=console.options.update(width=10**4))[1]
    if not console.is_terminal and wide > console.width:
        console = Console(file=console.file, width=wide, highlight=False)
    console.print(table)


def minutes(seconds: float) -> str:
    """Put a time into few characters."""
    whole, rest = divmod(round(seconds), 60)
    hours, whole = divmod(whole, 60)
    return f"{hours}:{whole:02}:{rest:02}" if hours else f"{whole}:{rest:02}"
