"""``googlenet summary``."""

from typing import Any

import click
from rich.console import Console

from googlenet.commands.errors import usage
from googlenet.model import GoogLeNet
from googlenet.summary import table

EXAMPLE = """\b
Example:
  googlenet summary --image-size 32 --classes 10 --in-channels 1
"""


@click.command(epilog=EXAMPLE)
@click.option("--image-size", default=224, show_default=True, help="Pixels.")
@click.option("--classes", "num_classes", default=1000, show_default=True)
@click.option("--in-channels", default=3, show_default=True)
@click.option("--batch-norm/--no-batch-norm", default=False, show_default=True)
@click.option("--aux-heads/--no-aux-heads", default=True, show_default=True)
def summary(**options: Any) -> None:
    """Show each stage's output, parameters, multiply-adds and activation memory."""
    with usage():
        net = GoogLeNet(**options)
    Console().print(table(net))
