"""The command line: ``python -m minigrad.testing hunt``."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from minigrad.testing import mutants
from minigrad.testing.gradients import gradcheck
from minigrad.testing.hunting import (
    Hunter,
    HuntError,
    HuntReport,
    Verdict,
    checker_suite,
    hunt_with_pytest,
    sum_of_outputs,
)
from minigrad.testing.mutants import Mutant
from minigrad.testing.suite import CASES, SUITE

CHECKERS: dict[str, Any] = {
    "suite": SUITE,
    "gradcheck": checker_suite(gradcheck),
    "sum": checker_suite(sum_of_outputs),
}

EXAMPLES = """\b
Examples:
  python -m minigrad.testing hunt
  python -m minigrad.testing hunt --operation conv2d --checker gradcheck
  python -m minigrad.testing hunt --list
  python -m minigrad.testing hunt --pytest tests/ops/test_lrn.py --operation local_response_norm
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Test the tests."""


@cli.command("hunt", epilog=EXAMPLES)
@click.option("--operation", "operations", multiple=True, help="Only mutants of this operation.")
@click.option("--mutant", "names", multiple=True, help="Only this mutant.")
@click.option(
    "--checker",
    type=click.Choice(list(CHECKERS)),
    help="Hunt with this alone: our suite, our gradient check, or the one that sums the outputs. "
    "[default: the suite, with the other two beside it]",
)
@click.option("--pytest", "paths", multiple=True, help="Hunt with these tests, by pytest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--list", "listing", is_flag=True, help="Print the mutants and their stories.")
def hunt_command(
    operations: Sequence[str],
    names: Sequence[str],
    checker: str | None,
    paths: Sequence[str],
    as_json: bool,
    listing: bool,
) -> None:
    """Break the engine in every way known, and see which properties notice.

    Ends with exit code 1 if a mutant survives.
    """
    if checker and paths:
        raise click.UsageError("--checker and --pytest are two ways to hunt: choose one")
    corpus = _chosen(operations, names)
    if listing:
        _print_stories(corpus, as_json)
        return
    quiet = bool(as_json)
    try:
        if paths:
            reports = {"pytest": _with_pytest(paths, corpus, quiet)}
        else:
            reports = _side_by_side([checker] if checker else list(CHECKERS), corpus, quiet)
    except HuntError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(_as_data(reports), indent=2, ensure_ascii=False))
    else:
        _print_totals(reports)
    sys.exit(0 if next(iter(reports.values())) else 1)


def _chosen(operations: Sequence[str], names: Sequence[str]) -> list[Mutant]:
    """Look up what was asked for; everything if nothing was."""
    try:
        found = [mutants.find(name) for name in names]
        found += [m for operation in operations for m in mutants.of_operation(operation)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return list(dict.fromkeys(found)) if names or operations else list(mutants.CORPUS)


# -- hunting, row by row -------------------------------------------------------------------------


class _Table:
    """Prints rows as they come, in columns made wide enough for the corpus."""

    def __init__(self, corpus: Sequence[Mutant], quiet: bool, *more: str) -> None:
        names = max(len(m.name) for m in corpus), max(len(m.operation) for m in corpus)
        self.widths = [*(max(n, 9) for n in names), 8, *(max(len(m), 6) for m in more)]
        self.quiet = quiet
        self.row("mutant", "operation", "verdict", *more, "killed by")

    def row(self, *cells: str) -> None:
        """Print one; the last cell may be as long as it likes."""
        if not self.quiet:
            padded = [cell.ljust(width) for cell, width in zip(cells, self.widths, strict=False)]
            click.echo("  ".join([*padded, *cells[len(padded) :]]).rstrip())

    def verdict(self, verdict: Verdict, *more: str) -> None:
        """Print the row of one mutant."""
        mutant = verdict.mutant
        self.row(mutant.name, mutant.operation, str(verdict), *more, verdict.killed_by)


def _side_by_side(
    checkers: Sequence[str], corpus: Sequence[Mutant], quiet: bool
) -> dict[str, HuntReport]:
    """Let every checker see every mutant; the first one's verdicts count, the others' are shown."""
    hunters = {name: Hunter(CHECKERS[name], corpus) for name in checkers}
    verdicts: dict[str, list[Verdict]] = {name: [] for name in checkers}
    table = _Table(corpus, quiet, *checkers[1:])
    for mutant in corpus:
        for name, hunter in hunters.items():
            verdicts[name].append(hunter(mutant))
        first, *others = (verdicts[name][-1] for name in checkers)
        table.verdict(first, *(_beside(verdict) for verdict in others))
    return {name: HuntReport(seen) for name, seen in verdicts.items()}


def _beside(verdict: Verdict) -> str:
    if verdict.mutant.operation not in CASES:
        return "–"
    return "killed" if verdict.killed else "missed"


def _with_pytest(paths: Sequence[str], corpus: Sequence[Mutant], quiet: bool) -> HuntReport:
    return hunt_with_pytest(paths, corpus, tell=_Table(corpus, quiet).verdict)


# -- what is printed at the end ------------------------------------------------------------------

TITLES = {
    "suite": "our suite",
    "gradcheck": "gradcheck alone",
    "sum": "a check of the sum of the outputs",
    "pytest": "pytest",
}


def _print_totals(reports: dict[str, HuntReport]) -> None:
    first, *others = reports
    click.echo(f"\n{TITLES[first]}: {reports[first].summary}")
    for verdict in reports[first].survived:
        click.echo(f"  {verdict.mutant.name}: {verdict.message or verdict.mutant.story}")
    for name in others:
        seen = [v for v in reports[name].verdicts if v.mutant.operation in CASES]
        with_gradients = HuntReport(seen)
        click.echo(f"{TITLES[name]}: {with_gradients.summary}, of those that it has cases for")


def _print_stories(corpus: Sequence[Mutant], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_story(m) for m in corpus], indent=2, ensure_ascii=False))
        return
    operation = ""
    for mutant in corpus:
        if mutant.operation != operation:
            operation = mutant.operation
            click.secho(f"\n{operation}", bold=True)
        happened = " (this happened)" if mutant.historical else ""
        click.echo(f"  {mutant.name}{happened}\n      {mutant.story}")
    click.echo(f"\n{len(corpus)} mutants, {sum(m.historical for m in corpus)} of which happened")


def _story(mutant: Mutant) -> dict[str, Any]:
    return {
        "name": mutant.name,
        "operation": mutant.operation,
        "story": mutant.story,
        "historical": mutant.historical,
    }


def _as_data(reports: dict[str, HuntReport]) -> dict[str, Any]:
    """Make of all reports what JSON can hold."""
    return {
        name: {
            "summary": report.summary,
            "killed": len(report.killed),
            "mutants": [
                {
                    **_story(v.mutant),
                    "verdict": str(v).lower(),
                    "killed_by": v.killed_by,
                    "message": v.message,
                }
                for v in report.verdicts
            ],
        }
        for name, report in reports.items()
    }


if __name__ == "__main__":
    cli(prog_name="python -m minigrad.testing")
