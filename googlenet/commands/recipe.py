"""``googlenet recipe``: which recipes there are, and what is in one, value by value."""

import json
import math
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from googlenet.commands.choosing import recipe_meant
from googlenet.commands.errors import usage
from googlenet.optimization import rates
from googlenet.recipes import (
    NORMALIZATIONS,
    RECIPES,
    Published,
    Recipe,
    about,
    differences,
    named,
    names,
    part,
    written,
)

BLOCKS = "▁▂▃▄▅▆▇█"
ORIGINS = {"published": "bold green", "chosen": "bold yellow", "default": "", "here": "bold cyan"}
WIDTH = 60  # characters of the curve
ROWS = 6  # of the table of rates

LIST = """\b
Examples:
  googlenet recipe list
  googlenet recipe list --json
"""
SHOW = """\b
Examples:
  googlenet recipe show caffe
  googlenet recipe show keras-cifar10 --json
  googlenet train --recipe caffe --data photographs/ --set lr=0.02
"""
GROUP = """\b
Examples:
  googlenet recipe list             what there is
  googlenet recipe show cifar100    every hyperparameter, and where it is from
"""


@click.group(epilog=GROUP)
def recipe() -> None:
    """Show the recipes that networks of this name were trained with."""


@recipe.command("list", epilog=LIST)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def list_recipes(as_json: bool) -> None:
    """List the recipes, with what was published of each."""
    if as_json:
        click.echo(json.dumps([_summary(known) for known in RECIPES.values()]))
        return
    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for column in ("recipe", "in short", "published"):
        table.add_column(column, overflow="fold", no_wrap=column == "recipe")
    for name, known in RECIPES.items():
        table.add_row(f"[bold]{name}", escape(_in_short(known)), escape(known.result))
    console.print(table)
    console.print("googlenet recipe show NAME tells the rest; train --recipe NAME uses it.")


@recipe.command("show", epilog=SHOW)
@click.argument("name", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def show(name: str, as_json: bool) -> None:
    """Show a recipe: every hyperparameter, where its value is from, and the learning rate."""
    with usage():
        meant = recipe_meant(name)
    known = named(meant.name)
    per_epoch = meant.steps(known.pictures)
    if as_json:
        click.echo(json.dumps(_as_json(meant, known, per_epoch), ensure_ascii=False))
        return
    console = Console()
    _show_source(console, meant, known)
    _show_values(console, meant, known)
    _show_rates(console, meant, known, per_epoch)
    for note in known.notes:
        console.print(Text(f"\n· {note}"))


def _summary(known: Published) -> dict[str, Any]:
    return {
        "name": known.recipe.name,
        "source": known.source,
        "result": known.result,
        "data": known.data or None,
        "data_note": known.data_note,
        "notes": list(known.notes),
    }


def _in_short(known: Published) -> str:
    """Say in a few words what a recipe does."""
    recipe = known.recipe
    momentum = f", momentum {recipe.momentum:g}" if "momentum" not in recipe.unused() else ""
    return (
        f"{known.data_note.split(':')[0].split(' (')[0]} at {recipe.image_size}; "
        f"{recipe.optimizer} {recipe.lr:g}{momentum}, {_falling(recipe)}; "
        f"{recipe.epochs} epochs, batches of {recipe.batch_size}"
    )


def _falling(recipe: Recipe) -> str:
    """Say how the rate falls."""
    unit = "epochs" if recipe.schedule_unit == "epochs" else "iterations"
    match recipe.schedule:
        case "step":
            size = _count(recipe.step_size)
            when = f"each {unit[:-1]}" if size == "1" else f"every {size} {unit}"
            return f"×{recipe.gamma:g} {when}"
        case "multistep":
            when = ", ".join(map(_count, recipe.milestones))
            return f"×{recipe.gamma:g} after {unit} {when}"
        case "poly":
            return f"a power of {recipe.power:g}"
        case "exponential":
            return f"×{recipe.gamma:g} over each {unit[:-1]}"
        case "cosine":
            return "half a cosine"
    return "constant"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def _as_json(meant: Recipe, known: Published, per_epoch: int) -> dict[str, Any]:
    unused, changed = meant.unused(), set(differences(meant))
    values = {
        name: {
            "value": getattr(meant, name),
            "origin": "here" if name in changed else known.origin(name),
            "used": name not in unused,
            "about": about(name),
        }
        for name in names()
    }
    found = rates(meant, per_epoch, [epoch * per_epoch for epoch in range(meant.epochs)])
    return {
        **_summary(known), "hyperparameters": values, "steps_per_epoch": per_epoch,
        "learning_rate_of_epochs": found,
    }  # fmt: skip


def _show_source(console: Console, meant: Recipe, known: Published) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(meant.name, "bold"), Text(known.source))
    table.add_row("result", Text(known.result))
    table.add_row("data", Text(known.data_note))
    console.print(table)


def _show_values(console: Console, meant: Recipe, known: Published) -> None:
    """Print all hyperparameters; dim are those that change nothing."""
    unused, changed = meant.unused(), set(differences(meant))
    table = Table.grid(padding=(0, 2))
    for column in range(4):
        table.add_column(no_wrap=column < 3, overflow="fold")
    before = ""
    for name in names():
        if part(name) != before:
            before = part(name)
            table.add_row()
            table.add_row(Text(before, "bold"))
        said = NORMALIZATIONS[meant.normalization] if name == "normalization" else about(name)
        origin, _, why = known.origin(name).partition(": ")
        origin = "here" if name in changed else origin
        style = ORIGINS[origin]
        if name in unused:
            origin, style, why = "no use", "dim", f"with {unused[name]}"
        value = written(getattr(meant, name))
        table.add_row(
            Text(f"  {name}", style if origin == "no use" else ""),
            Text(value, style),
            Text(origin, style),
            Text(f"{said}: {why}" if why else said, "dim" if origin == "no use" else ""),
        )
    console.print(table)


def _show_rates(console: Console, meant: Recipe, known: Published, per_epoch: int) -> None:
    """Draw the learning rate, and list it at a few epochs."""
    total = meant.epochs * per_epoch
    places = [total * i // WIDTH for i in range(WIDTH)]
    found = rates(meant, per_epoch, [min(place, total - 1) for place in places])
    console.print(
        f"\n[bold]learning rate[/] over {meant.epochs} epochs of {per_epoch:,} steps "
        f"({known.pictures:,} pictures), from {min(found):.3g} ({BLOCKS[0]}) to {max(found):.3g} "
        f"({BLOCKS[-1]})"
    )
    console.print(f"  {sparkline(found)}", highlight=False)
    epochs = sorted({meant.epochs * i // ROWS for i in range(ROWS)} | {meant.epochs - 1})
    table = Table.grid(padding=(0, 2))
    for _ in range(len(epochs) + 1):
        table.add_column(no_wrap=True)
    at = rates(meant, per_epoch, [epoch * per_epoch for epoch in epochs])
    table.add_row("  after epochs", *(str(epoch) for epoch in epochs))
    table.add_row("  it is", *(f"{rate:.2g}" for rate in at))
    console.print(table)


def sparkline(values: list[float]) -> str:
    """Draw numbers as blocks, from the lowest to the highest.

    Examples
    --------
    >>> sparkline([0.0, 0.5, 1.0])
    '▁▅█'
    """
    lowest, highest = min(values), max(values)
    last = len(BLOCKS) - 1
    if lowest == highest:
        return BLOCKS[last] * len(values)
    shares = ((value - lowest) / (highest - lowest) for value in values)
    return "".join(BLOCKS[math.floor(share * last + 0.5)] for share in shares)
