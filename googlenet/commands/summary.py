"""``googlenet summary`` and ``googlenet diff``: networks counted, alone and side by side."""

import json
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from googlenet import diff as differences
from googlenet.commands.errors import Usage, usage
from googlenet.commands.options import counted_network
from googlenet.networks import HOW, is_run, named
from googlenet.summary import printed, reduction_table, reductions, rows, table

EXAMPLE = """\b
Examples:
  googlenet summary
  googlenet summary cifar:short2 --image-size 32 --classes 10
  googlenet summary "cifar:3a pool 4a x=64/96/128/16/32/32 pool 5b" --image-size 32
  googlenet summary inception-v3
  googlenet summary runs/short
"""
DIFF_EXAMPLE = """\b
Examples:
  googlenet diff paper torchvision
  googlenet diff paper paper+bn --image-size 32 --classes 10
  googlenet diff torchvision inception-bn
  googlenet diff cifar:naive cifar:googlenet --image-size 32 --classes 100
"""


@click.command(epilog=EXAMPLE)
@click.argument("network", default="paper")
@counted_network
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def summary(network: str, as_json: bool, batch_norm: bool | None, **options: Any) -> None:
    """Show each stage's output, parameters, multiply-adds and activation memory.

    NETWORK is {how}. Beside the paper's own network stand the figures that the paper prints.
    """
    _refuse_of_runs(network)
    switch = {None: "", True: "+bn", False: "-bn"}[batch_norm]
    with usage():
        net = named(network + switch, **options)
    if as_json:
        stages, heads = rows(net)
        found = {
            "network": net.design.name,
            "stages": [row._asdict() for row in stages],
            "heads": [row._asdict() for row in heads],
            "reductions": [{**row._asdict(), "through": row.through} for row in reductions(net)],
            "printed": {name: row._asdict() for name, row in printed(net).items()},
        }
        click.echo(json.dumps(found))
        return
    console = Console()
    console.print(table(net))
    saved = reduction_table(net)
    if saved is not None:
        console.print(saved)


@click.command(epilog=DIFF_EXAMPLE)
@click.argument("a")
@click.argument("b")
@counted_network
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def diff(a: str, b: str, as_json: bool, batch_norm: bool | None, **options: Any) -> None:
    """Show two networks side by side: stages, shapes, counts, and where they differ.

    A and B are each {how}.
    """
    _refuse_of_runs(a, b)
    switch = {None: "", True: "+bn", False: "-bn"}[batch_norm]
    with usage():
        found = differences.compare(named(a + switch, **options), named(b + switch, **options))
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    console = Console()
    console.print(differences.table(found))
    for name, (one, other) in found.settings.items():
        console.print(f"{name}: {one} → {other}", highlight=False, soft_wrap=True)
    if not found.settings and all(not line.differences for line in found.lines):
        same = all(None not in line.rows for line in found.lines)
        console.print("the two are the same" if same else "what both have is the same")


def _refuse_of_runs(*networks: str) -> None:
    """Refuse options that would change nothing: the network of a run is as it was trained."""
    if not all(map(is_run, networks)):
        return
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and isinstance(parameter, click.Option) and parameter.name != "as_json":
            raise Usage(f"{parameter.opts[0]} does not go with a run: its network is as it was")


for command in (summary, diff):
    assert command.help is not None
    command.help = command.help.replace("{how}", HOW)
