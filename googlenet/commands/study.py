"""``googlenet study``: one question, several trainings, a table and a picture."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import minigrad
from googlenet.anomaly import NotFiniteError
from googlenet.commands.compare import print_table
from googlenet.commands.errors import FAILURE, Usage, usage
from googlenet.commands.options import json_text
from googlenet.commands.session import telling_errors
from googlenet.commands.train import go_on, open_data, train_new
from googlenet.log import Log
from googlenet.recipes import PHOTOGRAPH, RECIPES, named
from googlenet.run_folder import CONFIG, RunFolder
from googlenet.screen import LOGS, open_log
from googlenet.sentences import printable
from googlenet.study import (
    CUSTOM,
    STUDIES,
    Planned,
    Result,
    Study,
    as_csv,
    as_markdown,
    custom,
    plan,
    results,
    table,
)
from minigrad.checkpoint import save_json, write_whole
from minigrad.data import DATASETS

STUDY = "study.json"
EXAMPLE = """\b
Examples:
  googlenet study --list
  googlenet study heads --seeds 3
  googlenet study variants --only short2 --only short4 --epochs 3
  googlenet study --set lr=0.001 --set 'lr=0.0001 batch_norm=true'
"""


@click.command(epilog=EXAMPLE)
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="Say which studies there are.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="One setting of a study of your own: changes of the recipe, with spaces between them. At "
    "least two of these.",
)
@click.option("--base", multiple=True, metavar="NAME=VALUE", help="Changes for all settings of it.")
@click.option(
    "--only",
    "--variant",
    "only",
    multiple=True,
    metavar="SETTING",
    help="Only this setting. May be given several times.  [default: all]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Trainings of each setting.",
)
@click.option(
    "--data",
    default="embedded",
    show_default=True,
    metavar="embedded|…|FOLDER",
    help="As for googlenet train.",
)
@click.option("--test-data", metavar="FOLDER", help="As for googlenet train.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Of pictures in a folder.")
@click.option(
    "--recipe", metavar="|".join(RECIPES), help="What the settings change.  [default: default]"
)
@click.option("--epochs", type=int, help="Of every training.  [default: the study's]")
@click.option("--pictures", type=int, help="Train on the first so many only.  [default: all]")
@click.option(
    "--image-size",
    type=int,
    help=f"Pixels.  [default: the study's; of a folder {PHOTOGRAPH}, or as --recipe or --base say]",
)
@click.option("--output", type=click.Path(path_type=Path), help="[default: studies/NAME]")
@click.option("--threads", type=int, help="How many the kernels use.  [default: all cores]")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option(
    "--log",
    "kind",
    type=click.Choice(LOGS),
    default="auto",
    show_default=True,
    help="How trainings speak.",
)
@click.option("--quiet", is_flag=True, help="Say of each training only how it ended.")
@click.option("--json", "as_json", is_flag=True, help="Print only the results, as a JSON object.")
def study(name: str | None, listing: bool, as_json: bool, **options: Any) -> None:
    """Train the settings of the study NAME, and put what came out into a table and a picture.

    Each training is a run folder inside the study's; those that are finished are not trained
    again, and one that was stopped goes on, so the same command goes on with a study. Writes
    study.png, table.csv, table.md with the command, and study.json.
    """
    if listing:
        _list(as_json)
        return
    with usage():
        chosen = _chosen(name, options)
        if options["threads"] is not None:
            minigrad.set_num_threads(options["threads"])
        asked = {n: options[n] for n in ("epochs", "image_size") if options[n] is not None}
        own = options["recipe"] is not None or (
            chosen.name == CUSTOM and "image_size" in chosen.base
        )
        if options["data"] not in DATASETS and not own:
            asked.setdefault("image_size", PHOTOGRAPH)
        folder = options["output"] or Path("studies") / chosen.name
        recipe = None if options["recipe"] is None else named(options["recipe"]).recipe
        planned = plan(chosen, folder, options["seeds"], options["only"], asked, recipe)
        for each in planned:
            _check(each, options)
    command = "googlenet " + shlex.join(sys.argv[1:])
    failed = _train_all(planned, options, as_json)
    found = results(planned)
    for result in found:
        result.failed |= {path: why for path, why in failed.items() if path in result.failed}
    _write(folder, chosen, found, command)
    if as_json:
        click.echo(json_text(_facts(chosen, found, command), indent=2))
    else:
        _show(Console(highlight=False), chosen, found)
        click.echo(f"written into {printable(str(folder))}: study.png, table.csv, table.md")
    if any(result.failed for result in found):
        raise SystemExit(FAILURE)


def _chosen(name: str | None, options: dict[str, Any]) -> Study:
    if options["settings"]:
        if name is not None:
            raise Usage(f"--set makes a study of its own: leave {name!r} out, or --set")
        return custom(options["settings"], options["base"])
    if options["base"]:
        raise Usage("--base goes with --set")
    if name not in STUDIES:
        there = f"there is no study {name!r}" if name else "say which study"
        raise Usage(f"{there}; there are: {', '.join(STUDIES)} (--list says more)")
    return STUDIES[name]


def _check(each: Planned, options: dict[str, Any]) -> None:
    """Refuse a run folder of another training, before anything is trained."""
    if not each.path.exists():
        return
    folder = RunFolder(each.path)
    if not (each.path / CONFIG).is_file():
        raise Usage(f"{str(each.path)!r} is no run folder; name another place: --output")
    config, recipe = folder.config(), folder.recipe()
    asked = {name: options[name] for name in ("data", "test_data", "channels", "pictures")}
    began = {name: config["asked"].get(name) for name in asked}
    if recipe != each.recipe or not _same_data(began, asked):
        raise Usage(
            f"{str(each.path)!r} holds a training with other options; ask for those again, or name "
            "another place: --output"
        )


def _same_data(began: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Tell whether a run was asked for the same pictures. Folders are kept with their full path."""
    for name in ("data", "test_data"):
        here = asked[name]
        if began[name] != here and (here is None or began[name] != os.path.abspath(here)):
            return False
    return all(began[name] == asked[name] for name in ("channels", "pictures"))


def _train_all(planned: list[Planned], options: dict[str, Any], as_json: bool) -> dict[str, str]:
    """Train what is not trained yet. Returns which trainings failed, and why."""
    failed = {}
    for number, each in enumerate(planned, 1):
        if each.path.exists() and RunFolder(each.path).finished:
            continue
        log = open_log("plain" if as_json else options["kind"], options["quiet"] or as_json)
        log.stream = sys.stderr if as_json else None
        place = f"{number} of {len(planned)}: {each.setting.label}, seed {each.seed}"
        log.say("training", place, setting=each.setting.label, seed=each.seed)
        try:
            with telling_errors(log):
                _train(each, options, log)
        except NotFiniteError as error:  # a setting may be too wild: that is a result too
            failed[str(each.path)] = str(error)
    return failed


def _train(each: Planned, options: dict[str, Any], log: Log) -> None:
    """Begin a training, or go on with it."""
    usual = {
        "workers": 2, "on_error": "raise", "every": 30.0, "record": True, "cuda_graph": False,
        "detect_anomaly": False, "finetune": None,
    }  # fmt: skip
    whole = {**usual, **options, "run": each.path}
    whole.pop("settings")
    if not each.path.exists():
        with usage():
            opened, channels = open_data(whole, each.recipe)
        train_new(each.recipe, opened, channels, whole, log)
        return
    folder = RunFolder.open(each.path)
    try:
        go_on(folder, whole, log)
    finally:
        folder.close()


def _facts(chosen: Study, found: list[Result], command: str) -> dict[str, Any]:
    published = chosen.published
    return {
        "study": chosen.name,
        "asks": chosen.asks,
        "command": command,
        "results": [result.to_dict() for result in found],
        "published": None if published is None else {
            "of": published.of, "errors": dict(published.errors),
            "parameters": dict(published.parameters),
        },
    }  # fmt: skip


def _write(folder: Path, chosen: Study, found: list[Result], command: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(result.runs for result in found):
        from googlenet.study_charts import draw_study  # Matplotlib takes half a second to import

        write_whole(folder / "study.png", draw_study(chosen, found))
    write_whole(folder / "table.csv", as_csv(found))
    write_whole(folder / "table.md", as_markdown(chosen, table(chosen, found), command))
    save_json(folder / STUDY, _facts(chosen, found, command))


def _show(console: Console, chosen: Study, found: list[Result]) -> None:
    head, *rows = table(chosen, found)
    made = Table(title=chosen.asks, box=None, padding=(0, 2, 0, 0), title_style="bold")
    for name in head:
        made.add_column(name, justify="left" if name == "setting" else "right", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    console.print()
    print_table(console, made)
    for result in found:
        for path, why in result.failed.items():
            console.print(Text(printable(f"{path}: {why}")), soft_wrap=True)


def _list(as_json: bool) -> None:
    if as_json:
        listed = {s.name: {"asks": s.asks, "settings": [x.label for x in s.settings]}
                  for s in STUDIES.values()}  # fmt: skip
        click.echo(json.dumps(listed, indent=2))
        return
    for each in STUDIES.values():
        click.echo(f"{each.name}: {each.asks}")
        click.echo("  " + ", ".join(setting.label for setting in each.settings))
