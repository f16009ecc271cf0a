"""``googlenet train``: a new run, or one that goes on."""

import os
import platform
import resource
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

import minigrad
from googlenet.commands.errors import STOPPED, Usage, usage
from googlenet.model import GoogLeNet
from googlenet.pictures import fingerprint, missing_classes, reading, some
from googlenet.recipes import PHOTOGRAPH, PRECISIONS, Recipe, for_photographs
from googlenet.run_folder import RunFolder, network
from googlenet.screen import Screen
from googlenet.train import Training
from minigrad.data import ImageError, OpenedDataset, open_dataset

DEFAULT = Recipe()
ASKED = ("data", "test_data", "channels", "pictures", "on_error")  # that a run goes on with
MOVED = ("data", "test_data", "on_error")  # of those, what may be said anew
GOES_WITH_RESUME = {"resume", "device", "threads", "workers", "cuda_graph", "every", *MOVED}
NAMED = ("embedded", "fashion-mnist")

EXAMPLE = """\b
Examples:
  googlenet train --epochs 5 --run runs/short
  googlenet train --data photographs/ --image-size 64 --epochs 30
  googlenet train --resume runs/short      after Ctrl-C, or whatever else stopped it
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--data",
    default="embedded",
    show_default=True,
    metavar="embedded|fashion-mnist|FOLDER",
    help="What to train on. A folder holds one folder of pictures for each class.",
)
@click.option("--test-data", metavar="FOLDER", help="Of pictures to test on.  [default: a fifth]")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Of pictures in a folder.")
@click.option(
    "--image-size",
    type=int,
    help=f"Pixels.  [default: {DEFAULT.image_size}; of a folder, {PHOTOGRAPH}]",
)
@click.option(
    "--batch-size",
    type=int,
    help=f"Pictures in one step.  [default: {DEFAULT.batch_size}; of a small folder, fewer]",
)
@click.option(
    "--epochs",
    type=int,
    help=f"Times to go through the pictures.  [default: {DEFAULT.epochs}; a small folder, more]",
)
@click.option("--lr", default=DEFAULT.lr, show_default=True, help="Adam's learning rate, at most.")
@click.option(
    "--crop",
    default=DEFAULT.crop,
    show_default=True,
    help="Of photographs: the smallest share of the area that a random crop keeps.",
)
@click.option("--seed", default=DEFAULT.seed, show_default=True, help="Same seed, same numbers.")
@click.option("--pictures", type=int, help="Train on the first so many only.  [default: all]")
@click.option("--threads", type=int, help="How many the kernels use.  [default: all cores]")
@click.option(
    "--workers", default=2, show_default=True, help="Threads that read and prepare pictures."
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="What to do about a picture that cannot be read.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Where to compute; auto takes a GPU if there is one.",
)
@click.option(
    "--precision",
    type=click.Choice(list(PRECISIONS)),
    default=DEFAULT.precision,
    show_default=True,
    help="What images between layers are kept in. Mixed is for GPUs: float16, with loss scaling.",
)
@click.option(
    "--cuda-graph", is_flag=True, help="Record the step on a GPU, and launch all of it at once."
)
@click.option("--batch-norm/--no-batch-norm", default=DEFAULT.batch_norm, show_default=True)
@click.option("--aux-heads/--no-aux-heads", default=DEFAULT.aux_heads, show_default=True)
@click.option("--run", type=click.Path(path_type=Path), help="Folder.  [default: runs/<time>]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a run that was stopped; its folder knows all options.",
)
@click.option(
    "--checkpoint-every",
    "every",
    default=30.0,
    show_default=True,
    help="Seconds between checkpoints, at least.",
)
@click.pass_context
def train(context: click.Context, resume: Path | None, **options: Any) -> None:
    """Train GoogLeNet: by default on 5,000 embedded pictures of Fashion-MNIST, tested on 1,000.

    Leaves a folder with metrics.csv, curves.png, config.json and model.safetensors.
    """
    started = time.perf_counter()
    if options["threads"] is not None:
        minigrad.set_num_threads(options["threads"])
    if resume is not None:
        _refuse_options(context)
        folder = RunFolder.open(resume)
        try:
            _go_on(folder, options, started)
        finally:
            folder.close()
        return
    with usage(), _saying_how_to_go_on("--on-error skip goes on without such pictures"):
        recipe, where = _recipe(options), _check_device(options["device"])
        opened, channels = _open(options, recipe)
        recipe = _fitting(recipe, opened, options)
        net = _network(recipe, opened, channels, where)
        _say(Console(), _headline(net, recipe, opened, where))
        training = _training(net, recipe, opened, options)
    folder = RunFolder.create(options["run"])  # now that nothing is wrong with what was asked for
    try:
        folder.write_config(
            recipe,
            asked={n: options[n] for n in ASKED} | _where(options),
            data=opened.description,
            fingerprints=_marks(opened),
            classes=list(opened.training.classes),
            threads=minigrad.get_num_threads(),
            device=where,
            python=platform.python_version(),
            machine=platform.machine(),
        )
        _train(folder, training, opened, options, started)
    finally:
        folder.close()


def _go_on(folder: RunFolder, options: dict[str, Any], started: float) -> None:
    """Go on with a run, with the pictures it began with."""
    config, recipe = folder.config(), folder.recipe()
    if folder.finished:
        raise Usage(f"the run {str(folder.path)!r} is finished: there is nothing to resume")
    anew = {n: options[n] for n in MOVED if _given(n)}
    asked = {**options, **config["asked"], **anew}
    if asked["data"] not in NAMED and not os.path.isdir(asked["data"]):
        raise Usage(
            f"there is no folder {asked['data']!r} any more; if it was moved, say where it is: "
            "--data FOLDER"
        )
    opened, channels = _open(asked, recipe)
    for part, mark in _marks(opened).items():
        if config["fingerprints"].get(part) != mark:
            raise ValueError(
                f"the {part} pictures are not those that the run {str(folder.path)!r} began with; "
                "it can only go on with the same"
            )
    where = _check_device(options["device"])
    net = _network(recipe, opened, channels, where)
    _say(Console(), _headline(net, recipe, opened, where))
    with _saying_how_to_go_on("--on-error skip goes on without such pictures"):
        training = _training(net, recipe, opened, asked)
    _train(folder, training, opened, asked, started)


def _training(
    net: GoogLeNet, recipe: Recipe, opened: OpenedDataset, options: dict[str, Any]
) -> Training:
    with minigrad.cuda.device(next(net.parameters()).device):
        return Training(
            net, recipe, opened.training, opened.test, options["cuda_graph"],
            workers=options["workers"], on_error=options["on_error"],
        )  # fmt: skip


def _train(
    folder: RunFolder,
    training: Training,
    opened: OpenedDataset,
    options: dict[str, Any],
    started: float,
) -> None:
    """Train, from where the folder's checkpoint is if there is one, until the end or a signal."""
    console, where = Console(), next(training.net.parameters()).device
    again = f"googlenet train --resume {shlex.quote(str(folder.path))}"
    with (
        minigrad.cuda.device(where),
        _saying_how_to_go_on(f"go on without such pictures: {again} --on-error skip"),
    ):
        folder.training, folder.every = training, options["every"]
        if folder.resume(training):
            _say(console, f"going on after {_place(training)}")
        screen = Screen(console, training.recipe.epochs, len(opened.training), started)
        done = len(training.history) * len(opened.training) + training.means.count
        with _stopping(training, console), screen.showing(done):
            finished = training.run(screen, folder)
        if not finished:
            folder.keep()
            _say(console, f"stopped after {_place(training)}; go on with: {again}")
            raise SystemExit(STOPPED)
        folder.finish(opened.training.classes, training.transform)
    _say_what_was_left_out(console, training)
    accuracy, seconds = training.history[-1]["test_accuracy"], time.perf_counter() - started
    _say(
        console,
        f"test accuracy {accuracy:.4f} after {seconds:.0f} s, peak memory {_peak_memory():.2f} GiB",
        "bold",
    )
    _say(console, f"run folder: {folder.path}")


def _network(recipe: Recipe, opened: OpenedDataset, channels: int, where: str) -> GoogLeNet:
    minigrad.manual_seed(recipe.seed)
    return network(recipe, len(opened.training.classes), channels).to(where)


def _marks(opened: OpenedDataset) -> dict[str, str]:
    return {"training": fingerprint(opened.training), "test": fingerprint(opened.test)}


def _recipe(options: dict[str, Any]) -> Recipe:
    """Make the recipe of what was asked for, and of what suits it."""
    asked = {n: v for n, v in options.items() if hasattr(DEFAULT, n) and v is not None}
    fitting = {} if options["data"] in NAMED else {"image_size": PHOTOGRAPH}
    return Recipe(**{**fitting, **asked})


def _fitting(recipe: Recipe, opened: OpenedDataset, options: dict[str, Any]) -> Recipe:
    """Return the recipe with batches and epochs that suit a folder, where none were asked for."""
    if options["data"] in NAMED:
        return recipe
    fitting: dict[str, Any] = for_photographs(len(opened.training))
    return replace(recipe, **{n: v for n, v in fitting.items() if options[n] is None})


def _check_device(name: str) -> str:
    """Return the device that is meant, by its full name."""
    if name == "auto":
        return minigrad.cuda.preferred_device()
    return minigrad.tensor(0.0, device=name).device


def _where(options: dict[str, Any]) -> dict[str, str]:
    """Say where the folders are, from wherever the run is gone on with."""
    folders = {n: options[n] for n in ("data", "test_data") if options[n] not in (None, *NAMED)}
    return {name: os.path.abspath(folder) for name, folder in folders.items()}


def _open(asked: dict[str, Any], recipe: Recipe) -> tuple[OpenedDataset, int]:
    """Open the data; return it and the number of channels of its pictures."""
    named = asked["data"] in NAMED
    channels = 1 if named else int(asked["channels"] or 3)
    if named and asked["channels"]:
        raise ValueError(f"channels goes with a folder of pictures, not with {asked['data']!r}")
    how: dict[str, Any] = {} if named else reading(recipe, channels)
    opened = open_dataset(asked["data"], test=asked["test_data"], **how)
    if len(opened.training.classes) < 2:
        raise ValueError(f"{asked['data']!r} has one class only, and nothing to tell it from")
    if len(opened.test) == 0:
        raise ValueError(
            f"no class in {asked['data']!r} has a second picture to be held out for the test; "
            "give a folder of others: --test-data"
        )
    if asked["pictures"] is not None:
        opened = opened._replace(training=some(opened.training, asked["pictures"]))
    return opened, channels


def _refuse_options(context: click.Context) -> None:
    """Refuse options beside --resume that the run folder decides."""
    for name in context.params:
        if _given(name) and name not in GOES_WITH_RESUME:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} does not go with --resume: the run goes on as it began"
            )


def _given(name: str) -> bool:
    """Tell whether an option was given on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


@contextmanager
def _saying_how_to_go_on(how: str) -> Iterator[None]:
    """Let the error about a picture that cannot be read say what can be done about it."""
    try:
        yield
    except (ImageError, RuntimeError) as error:
        bad = error if isinstance(error, ImageError) else error.__cause__
        if not isinstance(bad, ImageError):
            raise
        raise RuntimeError(f"{bad}; {how}") from error


@contextmanager
def _stopping(training: Training, console: Console) -> Iterator[None]:
    """Let Ctrl-C, and a polite kill, end the step that is going on; the second time, at once."""

    def stop(number: int, frame: Any) -> None:
        if training.stopping:
            raise KeyboardInterrupt
        training.stop()
        _say(console, "stopping after this step (Ctrl-C again: at once)")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _headline(net: GoogLeNet, recipe: Recipe, opened: OpenedDataset, where: str) -> str:
    parameters = sum(parameter.size for parameter in net.parameters())
    computing = f"{minigrad.get_num_threads()} threads" if where == "cpu" else where
    return (
        f"GoogLeNet, {parameters:,} parameters, {recipe.image_size}×{recipe.image_size} pixels: "
        f"{len(opened.training):,} pictures, {recipe.epochs} epochs, batches of "
        f"{recipe.batch_size}, {computing}\ndata: {opened.description}"
    ) + "".join(f"\nno test picture of the class {name!r}" for name in missing_classes(opened.test))


def _say_what_was_left_out(console: Console, training: Training) -> None:
    """Say how many pictures could not be read, if any."""
    counts = len(training.batches.left_out), len(training.test_batches.left_out)
    if any(counts):
        _say(
            console,
            "left out, since they cannot be read: "
            f"{counts[0]} training and {counts[1]} test pictures",
            "yellow",
        )


def _place(training: Training) -> str:
    """Say how far a training is."""
    steps = training.batches.state_dict()["batches"]
    return f"epoch {len(training.history)}" + (f" and {steps} steps" if steps else "")


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, soft_wrap=True, markup=False)


def _peak_memory() -> float:
    """Return the most memory this process has held, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
