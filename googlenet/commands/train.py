"""``googlenet train``: a new run, or one that goes on."""

import os
import platform
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import minigrad
from googlenet.architecture import DIALECTS, VARIANTS
from googlenet.commands.choosing import Chosen, load_start
from googlenet.commands.errors import Usage, usage
from googlenet.commands.options import RunPath, device_named
from googlenet.commands.session import Session, saying_how_to_go_on, telling_errors
from googlenet.finetuning import weights_fingerprint
from googlenet.labels import check_labels
from googlenet.log import Log
from googlenet.pictures import fingerprint, reading, some
from googlenet.recipes import PHOTOGRAPH, PRECISIONS, RECIPES, Recipe, written
from googlenet.run_folder import Model, RunFolder
from googlenet.screen import LOGS, open_log
from minigrad.data import DATASETS, OpenedDataset, open_dataset

DEFAULT = RECIPES["default"].recipe
ASKED = (  # to go on with
    "data", "test_data", "class_names", "channels", "pictures", "on_error", "finetune",
)  # fmt: skip
PLACES = ("data", "test_data", "class_names", "finetune")
MOVED = ("data", "test_data", "on_error")  # of those, what may be said anew
GOES_WITH_RESUME = {
    "resume", "device", "threads", "workers", "cuda_graph", "every", "detect_anomaly", "kind",
    "quiet", "record", "live", "tensorboard", *MOVED,
}  # fmt: skip
SKIPPING = "--on-error skip goes on without such pictures"

EXAMPLE = """\b
Examples:
  googlenet train --epochs 5 --run runs/short
  googlenet train --data photographs/ --image-size 64 --epochs 30
  googlenet train --recipe caffe --data photographs/ --set schedule_unit=epochs --set step_size=8
  googlenet train --finetune runs/short --freeze backbone --data photographs/
  googlenet train --live                   watch it in a browser
  googlenet train --resume runs/short      after Ctrl-C, or whatever else stopped it
"""


def _default(name: str) -> str:
    return f"[default: the recipe's, {written(getattr(DEFAULT, name))}]"


@click.command(epilog=EXAMPLE)
@click.option(
    "--recipe",
    "base",
    metavar="NAME|FILE",
    help="Of those that `googlenet recipe list` lists, or of TOML or JSON.  [default: default]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any hyperparameter of the recipe, see `googlenet recipe show`. May be repeated.",
)
@click.option(
    "--data",
    metavar="|".join([*DATASETS, "FOLDER"]),
    help="What to train on. A folder holds one folder of pictures for each class.  "
    "[default: what the recipe is meant for: embedded]",
)
@click.option("--test-data", metavar="FOLDER", help="Of pictures to test on.  [default: a fifth]")
@click.option(
    "--class-names",
    metavar="FILE",
    help="Readable names for the folders of the classes, as ImageNet's synset lists have them.",
)
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
@click.option("--lr", type=float, help=f"Learning rate, at its highest.  {_default('lr')}")
@click.option(
    "--crop",
    type=float,
    help="Of photographs: the smallest share of the area that a random crop keeps.  "
    f"{_default('crop')}",
)
@click.option("--seed", type=int, help=f"Same seed, same numbers.  {_default('seed')}")
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
    help="What images between layers are kept in. Mixed is for GPUs: float16, with loss scaling.  "
    f"{_default('precision')}",
)
@click.option(
    "--cuda-graph", is_flag=True, help="Record the step on a GPU, and launch all of it at once."
)
@click.option(
    "--detect-anomaly",
    is_flag=True,
    help="On a GPU, look after every step for numbers that are not finite. (On the CPU: always.)",
)
@click.option(
    "--dialect", type=click.Choice(list(DIALECTS)), help="Which GoogLeNet.  [default: paper]"
)
@click.option(
    "--variant", type=click.Choice(list(VARIANTS)), help="Which modules.  [default: googlenet]"
)
@click.option("--stages", metavar='"3a pool …"', help="A list of modules instead of a variant's.")
@click.option(
    "--batch-norm/--no-batch-norm", default=None, help="[default: as the dialect; the paper's: no]"
)
@click.option("--aux-heads/--no-aux-heads", default=None, help="[default: as the dialect has them]")
@click.option(
    "--finetune",
    type=RunPath(),
    metavar="RUN",
    help="Begin with the weights of a finished run, or of a file of it. Network, size and "
    "normalisation of pictures are its; classifiers of other classes begin anew.",
)
@click.option(
    "--freeze",
    multiple=True,
    metavar="PATTERN",
    help="Parameters that stay as they are: backbone (all but the classifiers), conv*, "
    "inception_3*, … May be repeated.",
)
@click.option(
    "--backbone-lr",
    type=float,
    metavar="FACTOR",
    help=f"Rate of all but the classifiers, times the others'.  {_default('backbone_lr')}",
)
@click.option("--run", type=click.Path(path_type=Path), help="Folder.  [default: runs/<time>]")
@click.option(
    "--resume",
    type=RunPath(),
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
@click.option(
    "--record/--no-record",
    default=True,
    show_default=True,
    help="Record what googlenet doctor reads, in less than 2% of the time.",
)
@click.option(
    "--live",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=0,
    metavar="[PORT]",
    help="Serve a page to browsers on this machine that shows the training while it goes on; kept "
    "as report.html. Without a number, on a port that is free.",
)
@click.option(
    "--tensorboard", is_flag=True, help="Write event files for TensorBoard into the run folder."
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
    with telling_errors(log):
        if options["threads"] is not None:
            with usage():
                minigrad.set_num_threads(options["threads"])
        if resume is None:
            _begin(options, log)
            return
        _refuse_options(context)
        folder = RunFolder.open(resume)
        try:
            go_on(folder, options, log)
        finally:
            folder.close()


def _begin(options: dict[str, Any], log: Log) -> None:
    """Begin a new run, by what was asked for."""
    start = None if options["finetune"] is None else load_start(options["finetune"])
    with usage(), saying_how_to_go_on(SKIPPING):
        chosen = Chosen.of(options, start)
        device_named(options["device"])  # a mistake in it is said before data are looked at
        options = {**options, "data": chosen.data}
        opened, channels = open_data(options, chosen.recipe, start)
        recipe = chosen.fitting(len(opened.training))
    train_new(recipe, opened, channels, options, log, start)


def train_new(
    recipe: Recipe,
    opened: OpenedDataset,
    channels: int,
    options: dict[str, Any],
    log: Log,
    start: Model | None = None,
) -> None:
    """Train a new run by a recipe, into the folder ``options["run"]``."""
    with usage(), saying_how_to_go_on(SKIPPING):
        where = device_named(options["device"])
        check_labels(opened.training, opened.test, log.warn)
        session = Session(recipe, opened, channels, where, options, log, start)
    folder = RunFolder.create(options["run"])  # now that nothing is wrong with what was asked for
    try:
        folder.write_config(
            recipe,
            asked={n: options.get(n) for n in ASKED} | _places(options),
            data=opened.description,
            fingerprints=_marks(opened, start),
            classes=list(opened.training.classes),
            threads=minigrad.get_num_threads(),
            device=where,
            python=platform.python_version(),
            machine=platform.machine(),
        )
        session.run(folder)
    except Exception:
        folder.discard()
        raise
    finally:
        folder.close()


def go_on(folder: RunFolder, options: dict[str, Any], log: Log) -> None:
    """Go on with a run, with the pictures it began with."""
    config, recipe = folder.config(), folder.recipe()
    if folder.finished:
        raise Usage(f"the run {str(folder.path)!r} is finished: there is nothing to resume")
    anew = {name: options[name] for name in MOVED if _given(name)}
    begun_with = {name: config["asked"][name] for name in ASKED if name in config["asked"]}
    asked = {**options, **begun_with, **anew}
    if asked["data"] not in DATASETS and not os.path.isdir(asked["data"]):
        raise Usage(
            f"there is no folder {asked['data']!r} any more; if it was moved, say where it is: "
            "--data FOLDER"
        )
    # The weights that it began with are in the checkpoint, if there is one.
    source = None if folder.begun else asked.get("finetune")
    if source is not None and not os.path.exists(source):
        raise Usage(
            f"the weights that the run began with were in {source!r}, and are not there any more"
        )
    start = None if source is None else load_start(Path(source))
    opened, channels = open_data(asked, recipe, start)
    for part, mark in _marks(opened, start).items():
        if config["fingerprints"].get(part) != mark:
            what = "trained weights" if part == "weights" else f"{part} pictures"
            raise ValueError(
                f"the {what} are not those that the run {str(folder.path)!r} began with; "
                "it can only go on with the same"
            )
    with saying_how_to_go_on(SKIPPING):
        where = device_named(options["device"])
        session = Session(recipe, opened, channels, where, asked, log, start)
    session.run(folder)


def open_data(
    asked: dict[str, Any], recipe: Recipe, start: Model | None = None
) -> tuple[OpenedDataset, int]:
    """Open the data; return it and the number of channels of its pictures."""
    named = asked["data"] in DATASETS
    if named and asked["channels"]:
        raise ValueError(f"channels goes with a folder of pictures, not with {asked['data']!r}")
    wanted = start.net.in_channels if start is not None else 3
    channels = int(asked["channels"] or wanted)
    how: dict[str, Any] = {} if named else reading(recipe.image_size, channels)
    names = asked.get("class_names")
    opened = open_dataset(asked["data"], test=asked["test_data"], names=names, **how)
    if named:
        channels = int(opened.training[0][0].shape[0])
    if start is not None and channels != wanted:
        raise ValueError(
            f"the pictures have {channels} channels, but the trained network takes {wanted}"
        )
    if len(opened.test) == 0:
        raise ValueError(
            f"no class in {asked['data']!r} has a second picture to be held out for the test; "
            "give a folder of others: --test-data"
        )
    if asked["pictures"] is not None:
        opened = opened._replace(training=some(opened.training, asked["pictures"]))
    return opened, channels


def _places(options: dict[str, Any]) -> dict[str, str]:
    """Say where the folders are, from wherever the run is gone on with."""
    folders = {n: options[n] for n in PLACES if options.get(n) not in (None, *DATASETS)}
    return {name: os.path.abspath(folder) for name, folder in folders.items()}


def _marks(opened: OpenedDataset, start: Model | None) -> dict[str, str]:
    marks = {"training": fingerprint(opened.training), "test": fingerprint(opened.test)}
    return marks if start is None else {**marks, "weights": weights_fingerprint(start.net)}


def _refuse_options(context: click.Context) -> None:
    """Refuse options beside --resume that the run folder decides."""
    for name in context.params:
        if _given(name) and name not in GOES_WITH_RESUME:
            known = {each.name: each.opts[0] for each in context.command.params}
            option = known[name]
            raise click.UsageError(
                f"{option} does not go with --resume: the run goes on as it began"
            )


def _given(name: str) -> bool:
    """Tell whether an option was given on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE
