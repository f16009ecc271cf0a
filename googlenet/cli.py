"""The command line: the commands put together, and what becomes of errors."""

import difflib
import sys

import click

import minigrad
from googlenet.commands.compare import compare_runs
from googlenet.commands.crops import crops
from googlenet.commands.data import data
from googlenet.commands.doctor import doctor
from googlenet.commands.errors import FAILURE, STOPPED, plain_warnings
from googlenet.commands.evaluate import evaluate
from googlenet.commands.predict import predict
from googlenet.commands.recipe import recipe
from googlenet.commands.runs import runs
from googlenet.commands.study import study
from googlenet.commands.summary import diff, summary
from googlenet.commands.train import train
from googlenet.commands.weights import export_weights, import_weights
from googlenet.sentences import sentence

EXAMPLES = """\b
Examples:
  googlenet train                       on the embedded pictures of clothes
  googlenet train --epochs 2 --seed 7
  googlenet recipe list                 how others trained it
  googlenet runs                        what was trained so far
  googlenet doctor runs/short           what is wrong with one of them
  googlenet compare runs/short runs/other   several runs side by side
  googlenet evaluate runs/short         how good one of them is, class by class
  googlenet predict runs/short bag.png  what a picture shows
  googlenet crops bag.png               where a picture is looked at for a test
  googlenet summary                     the network, stage by stage
  googlenet diff paper torchvision      two of them, side by side
  googlenet data check photographs/     what is wrong with pictures, before training

\b
Tab completes commands, options and runs after this, in bash (or zsh_source, fish_source):
  eval "$(_GOOGLENET_COMPLETE=bash_source googlenet)"
"""


class Commands(click.Group):
    """Commands that know what somebody may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; if there is none of this name, suggest the nearest."""
        name = args[0] if args else ""
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            listed = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"there is no command {name!r}.{meant} There are: {listed}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@click.version_option(package_name="minigrad-googlenet", prog_name="googlenet")
@click.option("--debug", is_flag=True, help="Show where in the code an error came up.")
def cli(debug: bool) -> None:
    """GoogLeNet (Inception v1), trained from scratch on an engine you can read."""


for command in (
    train, recipe, evaluate, predict, crops, runs, doctor, compare_runs, study, summary, diff, data,
    import_weights, export_weights,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run the command line; a mistake in what was asked for is one sentence, not a traceback."""
    debug = "--debug" in sys.argv[1:2]
    try:
        with plain_warnings(debug):
            cli.main(prog_name="googlenet", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)
    except click.ClickException as error:
        if debug and error.__cause__ is not None:
            raise
        error.show()
        sys.exit(error.exit_code)
    except (ValueError, OSError, RuntimeError, MemoryError, minigrad.DeviceError) as error:
        if debug:
            raise
        print(f"Error: {sentence(error)}", file=sys.stderr)
        sys.exit(FAILURE)
