"""What several commands ask for, and how they speak: options, run folders."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

import minigrad
from googlenet.classify import BATCH, Classifier
from googlenet.commands.errors import Usage, usage
from googlenet.evaluation import PROTOCOLS
from googlenet.recipes import PRECISIONS
from googlenet.run_folder import CONFIG, MODEL, Model, load_model
from googlenet.sentences import finite


class RunPath(click.Path):
    """The path of a run folder. A shell completes it with the runs that there are."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the runs whose paths begin so, also those one folder further down."""
        runs = sorted(_runs_beginning(incomplete))
        if runs:
            return [CompletionItem(run) for run in runs]
        return [CompletionItem(incomplete, type="dir")]


def _runs_beginning(start: str) -> Iterator[str]:
    above, begun = os.path.split(start)
    for name in _folders(above):
        if name.startswith(begun):
            path = os.path.join(above, name)
            inside = (os.path.join(path, inner) for inner in _folders(path))
            yield from (each for each in (path, *inside) if _is_run(each))


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path or ".") as entries:
            return [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        return []


def _is_run(path: str) -> bool:
    return any(os.path.isfile(os.path.join(path, name)) for name in (CONFIG, MODEL))


def computing(command: Callable) -> Callable:
    """Add the options of commands that compute with a trained network."""
    for option in reversed(
        (
            click.option(
                "--device",
                default="auto",
                show_default=True,
                metavar="auto|cpu|cuda[:N]",
                help="Where to compute; auto takes a GPU if there is one.",
            ),
            click.option(
                "--threads",
                type=click.IntRange(min=1),
                help="How many the kernels use.  [default: all cores]",
            ),
            click.option(
                "--workers",
                type=click.IntRange(1, 64),
                default=2,
                show_default=True,
                help="Threads that read and prepare pictures.",
            ),
            click.option(
                "--batch-size",
                type=click.IntRange(1, 4096),
                default=BATCH,
                show_default=True,
                help="Pictures that are computed at once. Another size, other last bits.",
            ),
            click.option(
                "--precision",
                type=click.Choice(list(PRECISIONS)),
                help="What images between layers are kept in.  [default: as in training]",
            ),
            click.option(
                "--averaged",
                is_flag=True,
                help="Take the averaged weights, of a run whose recipe kept them.",
            ),
        )
    ):
        command = option(command)
    return command


def cropping(command: Callable) -> Callable:
    """Add the option of commands that may look at a picture more than once."""
    return click.option(
        "--crops",
        type=click.Choice([str(count) for count in PROTOCOLS]),
        default="1",
        show_default=True,
        callback=lambda context, option, value: int(value),
        help="Views of each picture, over which probabilities are averaged: as in training; "
        "corners, centre and mirrored; or the paper's.",
    )(command)


def counted_network(command: Callable) -> Callable:
    """Add the options of commands that build a network only to look at it."""
    for option in reversed(
        (
            click.option("--image-size", type=int, help="Pixels.  [default: as published]"),
            click.option("--classes", "num_classes", default=1000, show_default=True),
            click.option("--in-channels", default=3, show_default=True),
            click.option(
                "--batch-norm/--no-batch-norm", default=None, help="[default: as the dialect does]"
            ),
            click.option("--aux-heads/--no-aux-heads", default=True, show_default=True),
        )
    ):
        command = option(command)
    return command


def load(run: Path, options: dict[str, Any]) -> tuple[Model, Classifier]:
    """Read the model of a run, and get it ready to compute as the options say."""
    if not run.exists():
        raise Usage(f"there is no run {str(run)!r}")
    if options["threads"] is not None:
        with usage():
            minigrad.set_num_threads(options["threads"])
    with usage():
        where = device_named(options["device"])
    averaged = options["averaged"]
    model = load_model(run, averaged)
    if averaged and not model.averaged:
        raise Usage(f"the weights in {str(run)!r} are not averaged; name the folder of the run")
    precision = options["precision"] or model.recipe.precision
    return model, Classifier(model.net.to(where), precision, options["batch_size"])


def json_text(content: Any, **how: Any) -> str:
    """Write what a program is told; numbers that JSON does not know, NaN among them, are null.

    Examples
    --------
    >>> json_text({"loss": float("nan")})
    '{"loss": null}'
    """
    return json.dumps(finite(content), **how)


def device_named(name: str) -> str:
    """Return the device that is meant, by its full name."""
    if name == "auto":
        return minigrad.cuda.preferred_device()
    return minigrad.tensor(0.0, device=name).device
