"""Hunting mutants: which mistakes do the properties notice?

A test suite that passes says that the engine is right or that the suite is blind. To tell which,
break the engine on purpose, in every way of `minigrad.testing.mutants`, and look whether anything
raises. What survives is a mistake that anybody could make tomorrow without being told.
"""

import html
import os
import subprocess
import sys
import unittest
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings

from minigrad.testing import mutants
from minigrad.testing.mutants import Mutant
from minigrad.testing.suite import Property
from minigrad.testing.suite.checkers import checker_suite, sum_of_outputs

__all__ = [
    "HuntError",
    "HuntReport",
    "Hunter",
    "Verdict",
    "checker_suite",
    "hunt",
    "hunt_with_pytest",
    "sum_of_outputs",
]

Check = Callable[[], Any]
Properties = Check | Mapping[str, Any]

# The same few examples every time, and no time spent on making a failing one small.
FEW = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class HuntError(Exception):
    """The hunt cannot begin: a property fails although nothing is broken."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant.

    Attributes
    ----------
    mutant : Mutant
    killed_by : str
        The name of the property that noticed first; empty if none did.
    message : str
        The first line of what it said, or why nobody could notice.
    failed : bool
        Whether the hunt itself went wrong here: then nothing is known.
    """

    mutant: Mutant
    killed_by: str = ""
    message: str = ""
    failed: bool = False

    @property
    def killed(self) -> bool:
        """Whether a property noticed."""
        return bool(self.killed_by) and not self.failed

    def __str__(self) -> str:
        return "ERROR" if self.failed else "killed" if self.killed else "SURVIVED"


class HuntReport:
    """What became of all mutants. True if none survived; prints as a table.

    Parameters
    ----------
    verdicts : sequence of Verdict
    """

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts = list(verdicts)

    @property
    def killed(self) -> list[Verdict]:
        """Those that a property noticed."""
        return [verdict for verdict in self.verdicts if verdict.killed]

    @property
    def survived(self) -> list[Verdict]:
        """Those that nobody noticed."""
        return [verdict for verdict in self.verdicts if not verdict.killed]

    @property
    def summary(self) -> str:
        """``77 of 77 mutants killed``."""
        return f"{len(self.killed)} of {len(self.verdicts)} mutants killed"

    def __bool__(self) -> bool:
        return not self.survived

    def rows(self) -> list[tuple[str, ...]]:
        """Give mutant, operation, verdict and killer, mutant by mutant."""
        return [(v.mutant.name, v.mutant.operation, str(v), v.killed_by) for v in self.verdicts]

    def __str__(self) -> str:
        table = lay_out([("mutant", "operation", "verdict", "killed by"), *self.rows()])
        notes = [f"\n{v.mutant.name}: {v.message or v.mutant.story}" for v in self.survived]
        return "\n".join([*table, "", self.summary, *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{cell}</th>" for cell in ("mutant", "verdict", "killed by", "story"))
        lines = [f"<tr>{head}</tr>"]
        for (name, _, verdict, killer), v in zip(self.rows(), self.verdicts, strict=True):
            cells = name, verdict, killer, v.mutant.story
            line = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            lines.append(f'<tr title="{html.escape(v.message)}">{line}</tr>')
        return f"<p><b>{self.summary}</b></p><table>{''.join(lines)}</table>"


def hunt(
    properties: Properties,
    corpus: Iterable[Mutant] = mutants.CORPUS,
    *,
    tell: Callable[[Verdict], Any] | None = None,
) -> HuntReport:
    """Plant one mutant after the other, and look which property notices.

    Parameters
    ----------
    properties : callable, or mapping
        A callable without arguments that raises if something is wrong, a hypothesis test say; it
        is tried on every mutant. Or a mapping: for each operation one of them, a list of them, or
        a mapping of names to them; they are tried on the mutants of that operation.
    corpus : iterable of Mutant
    tell : callable, optional
        Called with every `Verdict` as soon as it is there.

    Returns
    -------
    HuntReport
        True if all were killed.

    Raises
    ------
    HuntError
        If a property fails on the sound engine: then it says nothing about mutants.

    Notes
    -----
    Any exception counts as noticing, also one that the broken engine itself raises; only
    KeyboardInterrupt and its like end the hunt. Skipped tests notice nothing. Properties of
    `minigrad.testing.suite` are given 10 examples, the same each time; a hypothesis test of yours
    keeps its own settings.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad.testing import hunt, mutants
    >>> def negative_numbers_become_zero():
    ...     assert minigrad.functional.relu(minigrad.tensor([-1.0])).item() == 0
    >>> print(hunt(negative_numbers_become_zero, mutants.of_operation("relu")))
    mutant                      operation  verdict   killed by
    relu-gradient-passes-zeros  relu       SURVIVED
    relu-leaks                  relu       killed    negative_numbers_become_zero
    ...
    2 of 5 mutants killed
    ...
    """
    hunted = list(corpus)
    return _report(Hunter(properties, hunted), hunted, tell)


def _report(
    verdict_on: Callable[[Mutant], Verdict], corpus: Iterable[Mutant], tell: Any
) -> HuntReport:
    verdicts = []
    for mutant in corpus:
        verdicts.append(verdict_on(mutant))
        if tell is not None:
            tell(verdicts[-1])
    return HuntReport(verdicts)


class Hunter:
    """Properties that have been found to hold on the sound engine. Called with a mutant: a verdict.

    Parameters
    ----------
    properties, corpus
        As for `hunt`.
    """

    def __init__(self, properties: Properties, corpus: Iterable[Mutant] = mutants.CORPUS) -> None:
        self.by_operation = {
            operation: _named(properties, operation)
            for operation in dict.fromkeys(mutant.operation for mutant in corpus)
        }
        _insist_on_soundness(self.by_operation)

    def __call__(self, mutant: Mutant) -> Verdict:
        """Plant the mutant, and ask property by property until one notices."""
        named = self.by_operation[mutant.operation]
        with mutant.planted():
            for name, check in named:
                error = _raised_by(check)
                if error is not None:
                    return Verdict(mutant, name, _first_line(error))
        return Verdict(mutant, message="" if named else f"no property of {mutant.operation}")


def _named(properties: Properties, operation: str) -> list[tuple[str, Check]]:
    """List the properties of one operation, with their names."""
    found = properties.get(operation, ()) if isinstance(properties, Mapping) else properties
    if isinstance(found, Mapping):
        return list(found.items())
    return [(_name(each), each) for each in ([found] if callable(found) else found)]


def _name(check: Check) -> str:
    inner = check.func if isinstance(check, partial) else check
    return getattr(inner, "name", None) or getattr(inner, "__name__", None) or repr(inner)


def _insist_on_soundness(by_operation: Mapping[str, list[tuple[str, Check]]]) -> None:
    """Run every property once with nothing broken."""
    once = {id(c): (o, n, c) for o, named in by_operation.items() for n, c in named}
    for operation, name, check in once.values():
        error = _raised_by(check)
        if error is not None:
            raise HuntError(
                f"hunt: the property {name!r} of {operation} fails on the sound engine "
                f"({_first_line(error)}), so it cannot tell a mutant from it"
            ) from error


def _raised_by(check: Check) -> BaseException | None:
    """Run a property, and give what it raised."""
    try:
        with np.errstate(all="ignore"):  # a broken engine may divide by what it likes
            if isinstance(check, Property):
                check(FEW)
            else:
                check()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # pytest.fail raises what is no Exception
        skipped = isinstance(error, unittest.SkipTest) or type(error).__name__ == "Skipped"
        return None if skipped else error
    return None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def lay_out(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lay out rows of text in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


# -- with pytest ---------------------------------------------------------------------------------

OF_PYTEST = {
    2: "collecting the tests failed",
    3: "pytest itself broke",
    4: "pytest was called wrongly",
    5: "there are no tests",
}


def hunt_with_pytest(
    paths: Sequence[str],
    corpus: Iterable[Mutant] = mutants.CORPUS,
    *,
    tell: Callable[[Verdict], Any] | None = None,
) -> HuntReport:
    """Run a test suite against each mutant, in a process of its own.

    A mutant is killed if pytest says that a test failed (exit code 1). Anything else that goes
    wrong is an error of the hunt and kills nothing.

    Parameters
    ----------
    paths : sequence of str
        What pytest is to run: files, folders, ``file::test``, and options.
    corpus, tell
        As for `hunt`.

    Raises
    ------
    HuntError
        If the tests do not pass with nothing broken.
    """
    sound = _pytest(*paths)
    if sound.returncode:
        raise HuntError(
            f"hunt: the tests do not pass on the sound engine ({_reason(sound)}), so they cannot "
            f"tell a mutant from it\n{sound.stdout}{sound.stderr}"
        )

    def verdict_on(mutant: Mutant) -> Verdict:
        ran = _pytest("--minigrad-mutant", mutant.name, *paths)
        if ran.returncode in (0, 1):
            return Verdict(mutant, *_first_failure(ran.stdout) if ran.returncode else ())
        return Verdict(mutant, message=_reason(ran), failed=True)

    return _report(verdict_on, corpus, tell)


def _pytest(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    wide = {**os.environ, "COLUMNS": "300"}  # pytest cuts its summary to the terminal's width
    return subprocess.run(command, capture_output=True, text=True, check=False, env=wide)


def _first_failure(output: str) -> tuple[str, str]:
    """Find the test that failed first, and what it said, in pytest's summary."""
    for line in output.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            test, _, message = line.split(" ", 1)[1].partition(" - ")
            return test, message
    return "a test", ""


def _reason(ran: "subprocess.CompletedProcess[str]") -> str:
    why = OF_PYTEST.get(ran.returncode, "a test failed" if ran.returncode == 1 else "it died")
    return f"pytest ended with exit code {ran.returncode}: {why}"
