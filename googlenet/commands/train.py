"""``googlenet train``: a new run, or one that goes on."""

import platform
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import minigrad
from googlenet.anomaly import NotFiniteError
from googlenet.commands.errors import FAILURE, STOPPED, Usage, usage
from googlenet.health import Health
from googlenet.labels import check_labels
from googlenet.log import Log
from googlenet.model import GoogLeNet
from googlenet.pictures import fingerprint, some
from googlenet.recipes import PRECISIONS, Recipe
from googlenet.run_folder import CHECKPOINT, RunFolder, network
from googlenet.screen import LOGS, open_log
from googlenet.train import Training
from minigrad.data import OpenedDataset, open_dataset

DEFAULT = Recipe()
ASKED = ("data", "test_data", "channels", "pictures", "on_error")  # that a run goes on with
GOES_WITH_RESUME = {
    "resume", "device", "threads", "workers", "cuda_graph", "data", "every", "detect_anomaly",
    "kind", "quiet",
}  # fmt: skip

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
@click.option("--image-size", default=DEFAULT.image_size, show_default=True, help="Pixels.")
@click.option(
    "--batch-size", default=DEFAULT.batch_size, show_default=True, help="Pictures in one step."
)
@click.option(
    "--epochs", default=DEFAULT.epochs, show_default=True, help="Times to go through the pictures."
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
@click.option(
    "--detect-anomaly",
    is_flag=True,
    help="On a GPU, look after every step for numbers that are not finite. (On the CPU: always.)",
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
@click.option(
    "--log",
    "kind",
    type=click.Choice(LOGS),
    default="auto",
    show_default=True,
    help="How to speak: a bar, lines, or an object of JSON a line. Auto: a bar on a terminal.",
)
@click.option("--quiet", is_flag=True, help="Say only how it ended.")
@click.pass_context
def train(
    context: click.Context, resume: Path | None, kind: str, quiet: bool, **options: Any
) -> None:
    """Train GoogLeNet: by default on 5,000 embedded pictures of Fashion-MNIST, tested on 1,000.

    Leaves a folder with metrics.csv, curves.png, config.json and model.safetensors.
    """
    log = open_log(kind, quiet)
    with _telling_errors(log):
        if options["threads"] is not None:
            with usage():
                minigrad.set_num_threads(options["threads"])
        if resume is None:
            _begin(options, log)
            return
        _refuse_options(context)
        folder = RunFolder.open(resume)
        try:
            _go_on(folder, options, log)
        finally:
            folder.close()


def _begin(options: dict[str, Any], log: Log) -> None:
    """Begin a new run."""
    with usage():
        recipe, where = _recipe(options), _check_device(options["device"])
        opened, channels = _open(options)
        check_labels(opened.training, opened.test, log.warn)
        net = _network(recipe, opened, channels, where)
    folder = RunFolder.create(options["run"])  # now that nothing is wrong with what was asked for
    try:
        folder.write_config(
            recipe,
            asked={n: options[n] for n in ASKED},
            data=opened.description,
            fingerprints=_marks(opened),
            classes=list(opened.training.classes),
            threads=minigrad.get_num_threads(),
            device=where,
            python=platform.python_version(),
            machine=platform.machine(),
        )
        _train(folder, recipe, net, opened, options, log)
    finally:
        folder.close()


def _go_on(folder: RunFolder, options: dict[str, Any], log: Log) -> None:
    """Go on with a run, with the pictures it began with."""
    config, recipe = folder.config(), folder.recipe()
    if folder.finished:
        raise Usage(f"the run {str(folder.path)!r} is finished: there is nothing to resume")
    asked = {**options, **config["asked"]}
    if options["data"] != "embedded":
        asked["data"] = options["data"]  # the folder was moved
    opened, channels = _open(asked)
    for part, mark in _marks(opened).items():
        if config["fingerprints"].get(part) != mark:
            raise ValueError(
                f"the {part} pictures are not those that the run {str(folder.path)!r} began with; "
                "it can only go on with the same"
            )
    net = _network(recipe, opened, channels, _check_device(options["device"]))
    _train(folder, recipe, net, opened, asked, log)


def _train(
    folder: RunFolder,
    recipe: Recipe,
    net: GoogLeNet,
    opened: OpenedDataset,
    options: dict[str, Any],
    log: Log,
) -> None:
    """Train, from where the folder's checkpoint is if there is one, until the end or a signal."""
    where = next(net.parameters()).device
    with minigrad.cuda.device(where):
        training = Training(
            net, recipe, opened.training, opened.test, options["cuda_graph"],
            options["detect_anomaly"], workers=options["workers"], on_error=options["on_error"],
        )  # fmt: skip
        folder.training, folder.every = training, options["every"]
        begun = folder.resume(training)
        log.say("begin", _headline(net, recipe, opened, where), **_facts(folder, net, where))
        if begun:
            log.say("resumed", f"going on after {_place(training)}", **_steps(training))
        health = Health(log.warn, recipe, opened.training, opened.test, training.batches)
        done = len(training.history) * len(opened.training) + training.means.count
        showing = log.showing(recipe.epochs, len(opened.training), done)
        with _stopping(training, log), showing, _explaining(training, folder):
            finished = training.run(health, log, folder)
            if finished:
                folder.finish(opened.training.classes, training.transform)
        if not finished:
            folder.keep()
            again = f"googlenet train --resume {folder.path}"
            text = f"stopped after {_place(training)}; go on with: {again}"
            log.say("stopped", text, **_steps(training), run=str(folder.path))
            raise SystemExit(STOPPED)
    result, seconds = training.history[-1], time.perf_counter() - log.started
    log.say(
        "end",
        f"test accuracy {result['test_accuracy']:.4f} after {seconds:.0f} s, peak memory "
        f"{_peak_memory():.2f} GiB; run folder: {folder.path}",
        run=str(folder.path),
        test_accuracy=result["test_accuracy"],
        test_loss=result["test_loss"],
        epochs=len(training.history),
        peak_memory_gib=_peak_memory(),
    )


def _network(recipe: Recipe, opened: OpenedDataset, channels: int, where: str) -> GoogLeNet:
    minigrad.manual_seed(recipe.seed)
    return network(recipe, len(opened.training.classes), channels).to(where)


def _marks(opened: OpenedDataset) -> dict[str, str]:
    return {"training": fingerprint(opened.training), "test": fingerprint(opened.test)}


def _recipe(options: dict[str, Any]) -> Recipe:
    return Recipe(**{name: value for name, value in options.items() if hasattr(DEFAULT, name)})


def _check_device(name: str) -> str:
    """Return the device that is meant, by its full name."""
    if name == "auto":
        return minigrad.cuda.preferred_device()
    return minigrad.tensor(0.0, device=name).device


def _open(asked: dict[str, Any]) -> tuple[OpenedDataset, int]:
    """Open the data; return it and the number of channels of its pictures."""
    named = asked["data"] in ("embedded", "fashion-mnist")
    channels = 1 if named else int(asked["channels"] or 3)
    if named and asked["channels"]:
        raise ValueError(f"channels goes with a folder of pictures, not with {asked['data']!r}")
    opened = open_dataset(
        asked["data"], test=asked["test_data"], channels=None if named else channels
    )
    if asked["pictures"] is not None:
        opened = opened._replace(training=some(opened.training, asked["pictures"]))
    return opened, channels


def _refuse_options(context: click.Context) -> None:
    """Refuse options beside --resume that the run folder decides."""
    for name in context.params:
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in GOES_WITH_RESUME:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} does not go with --resume: the run goes on as it began"
            )


@contextmanager
def _telling_errors(log: Log) -> Iterator[None]:
    """Let programs that read the log know of an error, before it ends the program."""
    try:
        yield
    except click.ClickException as error:
        log.say("error", error.message, message=error.message, code=error.exit_code)
        raise
    except (ValueError, OSError, RuntimeError, minigrad.DeviceError) as error:
        log.say("error", str(error), message=str(error), code=FAILURE)
        raise


@contextmanager
def _explaining(training: Training, folder: RunFolder) -> Iterator[None]:
    """Say of numbers that are not finite when they came up, and what to do."""
    try:
        yield
    except NotFiniteError as error:
        recipe = training.recipe
        tries = f"Try a lower --lr (now {recipe.lr:g})"
        tries += "" if recipe.precision == "float32" else ", or --precision float32"
        kept = folder.path / CHECKPOINT
        tries += f". {str(kept)!r} is from before" if kept.is_file() else ""
        raise NotFiniteError(f"{_where(training)}: {error}. {tries}") from error


@contextmanager
def _stopping(training: Training, log: Log) -> Iterator[None]:
    """Let Ctrl-C, and a polite kill, end the step that is going on; the second time, at once."""

    def stop(number: int, frame: Any) -> None:
        if training.stopping:
            raise KeyboardInterrupt
        training.stop()
        log.say("stopping", "stopping after this step (Ctrl-C again: at once)")

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
        f"{len(opened.training):,} pictures, {recipe.epochs} epochs, {computing}"
    )


def _facts(folder: RunFolder, net: GoogLeNet, where: str) -> dict[str, Any]:
    """Tell programs what is being trained."""
    return {
        "run": str(folder.path),
        "config": folder.config(),
        "parameters": sum(parameter.size for parameter in net.parameters()),
        "device": where,
        "threads": minigrad.get_num_threads(),
    }


def _place(training: Training) -> str:
    """Say how far a training is."""
    epochs, steps = _steps(training).values()
    return f"epoch {epochs}" + (f" and {steps} steps" if steps else "")


def _where(training: Training) -> str:
    """Name the step that a training is at."""
    place = training.batches.state_dict()
    if place["batches"] == 0:
        return f"at the end of epoch {place['epoch']}"
    return f"in step {place['batches']} of epoch {place['epoch'] + 1}"


def _steps(training: Training) -> dict[str, int]:
    """Tell programs how far a training is."""
    place, epochs = training.batches.state_dict(), len(training.history)
    testing = place["epoch"] > epochs  # all steps of the epoch are done
    steps = len(training.batches) if testing else place["batches"]
    return {"epochs": epochs, "steps_of_epoch": steps}


def _peak_memory() -> float:
    """Return the most memory this process has held, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
