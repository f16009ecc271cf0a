"""``googlenet data``: pictures looked at before anything is trained on them."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from googlenet.checking import Finding, Report, check_data
from googlenet.commands.errors import FAILURE, Usage, usage
from googlenet.commands.session import saying_how_to_go_on
from googlenet.pictures import reading, some, transforms
from googlenet.recipes import PHOTOGRAPH, Recipe
from googlenet.sentences import printable
from minigrad.checkpoint import write_whole
from minigrad.data import (
    DATASETS,
    Compose,
    Dataset,
    Normalize,
    ToFloat,
    open_dataset,
    paper_augmentation,
)

EXAMPLES_SHOWN = 3
EXAMPLE = """\b
Examples:
  googlenet data check photographs/
  googlenet data check photographs/ --image-size 32 --workers 4 --json
  googlenet data check embedded
"""
SHOWN = """\b
Examples:
  googlenet data show photographs/ --augment paper
  googlenet data show embedded --count 4 --output clothes.png
"""
BOTH = """\b
Examples:
  googlenet data check photographs/
  googlenet data show photographs/ --augment paper
"""
DEFAULT = Recipe()


@click.group(epilog=BOTH)
def data() -> None:
    """Look at pictures before training on them."""


@data.command(epilog=EXAMPLE)
@click.argument("path", metavar="DATA")
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
    help="Pictures looked at at once.  [default: all cores]",
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
    """Find what is wrong with pictures.

    DATA is a folder, as train takes it, or embedded, fashion-mnist, cifar10 or cifar100. Found are
    pictures that cannot be read; that are there twice, in two classes, or both to train and to
    test on; that are tiny, or show nothing; whose name says another format; links that lead
    nowhere; and classes with few pictures. The exit code is 0 if there is nothing of it, else 1.
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


@data.command(epilog=SHOWN)
@click.argument("path", metavar="DATA")
@click.option(
    "--augment",
    type=click.Choice(["recipe", "paper", "none"]),
    default="recipe",
    show_default=True,
    help="As train does by itself, as the paper did, or as for the test.",
)
@click.option(
    "--image-size", type=click.IntRange(min=1), help="Of the network.  [default: as in train]"
)
@click.option(
    "--count", type=click.IntRange(1, 50), default=6, show_default=True, help="Pictures: the rows."
)
@click.option(
    "--epochs", type=click.IntRange(1, 20), default=7, show_default=True, help="The columns."
)
@click.option("--seed", default=DEFAULT.seed, show_default=True, help="The training's seed.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Of pictures in a folder.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("augmented.png"),
    show_default=True,
    help="The file to write.",
)
def show(
    path: str,
    augment: str,
    image_size: int | None,
    count: int,
    epochs: int,
    seed: int,
    channels: str | None,
    output: Path,
) -> None:
    """Draw pictures as training changes them.

    DATA is a folder, as train takes it, or embedded, fashion-mnist, cifar10 or cifar100. On the
    left each picture as it is; beside it what the first epochs of a training with this seed
    show to the network. Nothing is trained.
    """
    from googlenet.augmented import choose, draw_augmented, versions  # Matplotlib takes time

    folder = output.parent
    if folder.exists() and not folder.is_dir():
        raise Usage(f"output: a folder was needed, but this is a file: {str(folder)!r}")
    named = path in DATASETS
    size = image_size or (DEFAULT.image_size if named else PHOTOGRAPH)
    with usage():
        if named and channels:
            raise ValueError(f"channels goes with a folder of pictures, not with {path!r}")
        how = {} if named else reading(size, int(channels or 3))
        pictures = open_dataset(path, **how).training
        recipe = Recipe(image_size=size, seed=seed)
    transform = _transform(augment, recipe, pictures)
    with saying_how_to_go_on("googlenet data check finds all such pictures"):
        rows = versions(pictures, choose(pictures, count, seed), transform, epochs, seed)
    said = {"recipe": "as train changes them", "paper": "as the paper changed them"}
    how_shown = said.get(augment, "as they are for the test")
    title = f"{printable(os.path.basename(os.path.normpath(path)))}, {how_shown}, {size}×{size}"
    with usage():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(output, draw_augmented(rows, title))
    click.echo(f"{len(rows)} of {len(pictures):,} pictures drawn into {str(output)!r}")


def _transform(augment: str, recipe: Recipe, pictures: Dataset) -> Compose:
    """Return what becomes of pictures as long as they are bytes."""
    if augment == "paper":
        return Compose(paper_augmentation(recipe.image_size))
    # Of the statistics nothing is seen: those of one picture do.
    changed, fixed = transforms(recipe, some(pictures, 1))
    steps = (changed if augment == "recipe" else fixed).transforms
    return Compose([step for step in steps if not isinstance(step, Normalize | ToFloat)])


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
