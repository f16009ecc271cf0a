"""The command line: ``googlenet train``, ``googlenet summary``."""

import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import minigrad
from googlenet.model import GoogLeNet
from googlenet.recipes import PRECISIONS, Recipe
from googlenet.run_folder import RunFolder
from googlenet.screen import Screen
from googlenet.summary import table
from googlenet.train import train as run_training
from minigrad.data import ArrayDataset, FashionMNIST

DEFAULT = Recipe()


EXAMPLES = """\b
Examples:
  googlenet train                       on the embedded pictures of clothes
  googlenet train --epochs 2 --seed 7
  googlenet summary                     the network, stage by stage
"""
TRAIN_EXAMPLE = """\b
Example:
  googlenet train --epochs 5 --run runs/short
"""
SUMMARY_EXAMPLE = """\b
Example:
  googlenet summary --image-size 32 --classes 10 --in-channels 1
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.version_option(package_name="minigrad-googlenet", prog_name="googlenet")
def cli() -> None:
    """GoogLeNet (Inception v1), trained from scratch on an engine you can read."""


@cli.command(epilog=TRAIN_EXAMPLE)
@click.option("--image-size", default=DEFAULT.image_size, show_default=True, help="Pixels.")
@click.option(
    "--batch-size", default=DEFAULT.batch_size, show_default=True, help="Pictures in one step."
)
@click.option(
    "--epochs", default=DEFAULT.epochs, show_default=True, help="Times to go through the pictures."
)
@click.option("--lr", default=DEFAULT.lr, show_default=True, help="Adam's learning rate, at most.")
@click.option("--seed", default=DEFAULT.seed, show_default=True, help="Same seed, same numbers.")
@click.option("--pictures", type=int, help="Train on the first so many only.  [default: all]")
@click.option("--threads", type=int, help="How many the kernels use.  [default: all cores]")
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
def train(
    pictures: int | None,
    threads: int | None,
    device: str,
    cuda_graph: bool,
    run: Path | None,
    **options: Any,
) -> None:
    """Train GoogLeNet on 5,000 embedded pictures of Fashion-MNIST, test it on 1,000 others.

    Leaves a folder with metrics.csv, curves.png, config.json and model.safetensors.
    """
    started = time.perf_counter()
    recipe = Recipe(**options)
    if threads is not None:
        minigrad.set_num_threads(threads)
    console = Console()
    training: ArrayDataset = FashionMNIST(train=True)
    test = FashionMNIST(train=False)
    if pictures is not None:
        if not 0 < pictures <= len(training):
            raise ValueError(f"pictures must lie between 1 and {len(training)}, got {pictures}")
        kept = slice(pictures)
        training = ArrayDataset(training.images[kept], training.labels[kept], training.classes)
    minigrad.manual_seed(recipe.seed)
    net = GoogLeNet(
        num_classes=len(training.classes),
        in_channels=1,
        image_size=recipe.image_size,
        aux_heads=recipe.aux_heads,
        dropout=recipe.dropout,
        aux_dropout=recipe.aux_dropout,
        batch_norm=recipe.batch_norm,
    ).to(minigrad.cuda.preferred_device() if device == "auto" else device)
    where = next(net.parameters()).device
    folder = RunFolder(run)
    folder.write_config(
        recipe,
        data=f"embedded Fashion-MNIST, {len(training)} training and {len(test)} test pictures",
        threads=minigrad.get_num_threads(),
        device=where,
        python=platform.python_version(),
        machine=platform.machine(),
    )
    parameters = sum(parameter.size for parameter in net.parameters())
    console.print(
        f"GoogLeNet, {parameters:,} parameters, {recipe.image_size}×{recipe.image_size} pixels: "
        f"{len(training):,} pictures, {recipe.epochs} epochs, "
        + (f"{minigrad.get_num_threads()} threads" if where == "cpu" else where),
        highlight=False,
        soft_wrap=True,
    )
    showing = Screen(console, recipe.epochs, len(training), started).showing()
    with minigrad.cuda.device(where), showing as screen:
        history = run_training(net, recipe, training, test, screen, folder, cuda_graph=cuda_graph)
    folder.write_curves()
    folder.write_model(net, recipe, training.classes)
    console.print(
        f"test accuracy {history[-1]['test_accuracy']:.4f} after "
        f"{time.perf_counter() - started:.0f} s, peak memory {_peak_memory():.2f} GiB",
        style="bold",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"run folder: {folder.path}", highlight=False, soft_wrap=True)


@cli.command(epilog=SUMMARY_EXAMPLE)
@click.option("--image-size", default=224, show_default=True, help="Pixels.")
@click.option("--classes", "num_classes", default=1000, show_default=True)
@click.option("--in-channels", default=3, show_default=True)
@click.option("--batch-norm/--no-batch-norm", default=False, show_default=True)
@click.option("--aux-heads/--no-aux-heads", default=True, show_default=True)
def summary(**options: Any) -> None:
    """Show each stage's output, parameters, multiply-adds and activation memory."""
    Console().print(table(GoogLeNet(**options)))


def _peak_memory() -> float:
    """Return the most memory this process has held, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def main() -> None:
    """Run the command line; a mistake in what was asked for is one sentence, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except (OSError, minigrad.DeviceError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
