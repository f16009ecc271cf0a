"""``googlenet doctor``: what is wrong with a run."""

import textwrap
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from googlenet.commands.errors import usage
from googlenet.commands.options import RunPath, json_text
from googlenet.doctor import Case, Finding, diagnose, open_case
from googlenet.doctor.outside import half_width
from googlenet.sentences import printable
from minigrad.checkpoint import write_whole

COLOURS = {"serious": "bold red", "warning": "bold yellow", "remark": "bold cyan"}
INDENT: Any = {"initial_indent": "   ", "subsequent_indent": "   ", "break_on_hyphens": False}
ILL = 1  # the exit code, where something is wrong

EXAMPLE = """\b
Examples:
  googlenet doctor runs/short
  googlenet doctor runs/short --json --no-pictures
"""


@click.command(epilog=EXAMPLE)
@click.argument("run", type=RunPath())
@click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Draw curves, stages and gradients into RUN/doctor.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, and nothing else.")
def doctor(run: Path, pictures: bool, as_json: bool) -> None:
    """Say what is wrong with RUN, the most important first, and what to do about it.

    Reads what training recorded, of a run that is finished, stopped or damaged. Each finding comes
    with its evidence and a cure: options of googlenet train for the next run.

    Exits with 0 if the run is healthy (remarks are no illness), with 1 if something is wrong, with
    2 if there is no such run.
    """
    with usage():
        case = open_case(run)
    findings = diagnose(case)
    files = _draw(case, findings) if pictures else []
    ill = any(finding.ill for finding in findings)
    if as_json:
        click.echo(json_text(_facts(case, findings, files), indent=2))
    else:
        _show(Console(highlight=False), case, findings, files)
    raise SystemExit(ILL if ill else 0)


def _draw(case: Case, findings: list[Finding]) -> list[Path]:
    from googlenet.doctor.drawings import draw  # Matplotlib takes half a second to import

    drawn, folder = draw(case, findings), case.path / "doctor"
    if drawn:
        folder.mkdir(exist_ok=True)
    for name, content in drawn.items():
        write_whole(folder / name, content)
    return [folder / name for name in drawn]


def _facts(case: Case, findings: list[Finding], files: list[Path]) -> dict[str, Any]:
    """Return all of it."""
    last = case.epochs[-1] if case.epochs else {}
    return {
        "run": str(case.path),
        "state": case.state,
        "healthy": not any(finding.ill for finding in findings),
        "epochs_done": len(case.epochs),
        "epochs": case.recipe.epochs,
        "test_accuracy": last.get("test_accuracy"),
        "recorded": len(case.probes),
        "findings": [finding.to_dict() for finding in findings],
        "pictures": [str(file) for file in files],
    }


def _show(console: Console, case: Case, findings: list[Finding], files: list[Path]) -> None:
    console.print(Text(_headline(case)), soft_wrap=True)
    for number, finding in enumerate(findings, 1):
        title = Text(f"{number}. ")
        title.append(finding.severity, COLOURS[finding.severity])
        console.print(title.append(f": {printable(finding.title)}"), soft_wrap=True)
        lines = [_sentence(finding.evidence)]
        lines += [f"Try: {printable(finding.cure)}"] if finding.cure else []
        for line in lines:
            console.print(Text(textwrap.fill(line, console.width, **INDENT)))
    if not any(finding.ill for finding in findings):
        console.print(Text("Nothing is wrong with it.", "bold green"))
    if case.vitals is None:
        console.print(
            "Nothing was recorded inside the network (--no-record, an older run, or one without "
            "a checkpoint yet): only the figures of the epochs were looked at."
        )
    elif not case.probes:
        console.print("The run was too short to look inside the network: only the curves were.")
    if files:
        names = ", ".join(file.name for file in files)
        console.print(Text(f"pictures: {printable(str(files[0].parent))}/{names}"), soft_wrap=True)


def _headline(case: Case) -> str:
    text = f"{printable(str(case.path))}: {case.state}, {len(case.epochs)} of "
    text += f"{case.recipe.epochs} epochs"
    if case.epochs:
        accuracy = case.epochs[-1]["test_accuracy"]
        sure = f" ± {half_width(case, accuracy):.3f}" if case.tested else ""
        text += f", test accuracy {accuracy:.3f}{sure}"
    return text


def _sentence(text: str) -> str:
    text = printable(text)
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
