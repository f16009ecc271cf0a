"""What `check_layer` found: a checklist, and each failure in full. As text, and as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.autograd import Array

MARKS = {True: "✓", False: "✗", None: "–"}
INDENT = " " * 4


@dataclass
class LayerFailure:
    """A property that does not hold, and the smallest input found for which it does not.

    Attributes
    ----------
    key, sentence : str
        The property.
    message : str
        What is wrong. For an exception of the layer: its type, its sentence, where it was raised.
    mode : str
        ``"training"``, ``"eval"``, or empty where that makes no difference.
    inputs : tuple of arrays
        The falsifying input itself; empty where the inputs do not matter.
    shown : str
        The falsifying input as text, to be pasted where it is not too large.
    seed : int
        What `minigrad.manual_seed` was given, and what the cotangents were drawn with.
    gradcheck : GradcheckReport or None
        For a wrong gradient: the report, which can draw itself (`plot`).
    """

    key: str
    sentence: str
    message: str
    mode: str = ""
    inputs: tuple[Array, ...] = ()
    shown: str = ""
    seed: int = 0
    gradcheck: Any = None

    def headline(self) -> str:
        """Say which property fails, and in which mode."""
        return f"{self.key}{f', in {self.mode}' if self.mode else ''}"

    def falsifying(self) -> str:
        """Say for which input."""
        seeded = f"  with seed {self.seed}" if self.seed else ""
        return f"Falsifying input: {self.shown}{seeded}" if self.shown else ""

    def __str__(self) -> str:
        body = "\n".join([self.message, *filter(None, [self.falsifying()])])
        lines = [f"{INDENT}{line}".rstrip() for line in body.splitlines()]
        return "\n".join([f"✗ {self.headline()}", *lines])


@dataclass
class PropertyResult:
    """One line of the checklist.

    Attributes
    ----------
    key, sentence : str
    holds : bool or None
        None: it was not applicable, not checked, or skipped.
    note : str
        Why, or what else is to be said.
    failure : LayerFailure or None
    """

    key: str
    sentence: str
    holds: bool | None
    note: str = ""
    failure: LayerFailure | None = None

    @property
    def mark(self) -> str:
        """✓, ✗ or –."""
        return MARKS[self.holds]

    @property
    def text(self) -> str:
        """The sentence, or why it does not apply."""
        if self.holds is None:
            return self.note
        return f"{self.sentence} ({self.note})" if self.note else self.sentence


@dataclass
class LayerReport:
    """What `check_layer` found. True if no property fails.

    Attributes
    ----------
    layer : str
        What was checked.
    results : sequence of PropertyResult
        The checklist.
    """

    layer: str
    results: Sequence[PropertyResult]

    @property
    def ok(self) -> bool:
        """Whether no property fails."""
        return not self.failures

    @property
    def failures(self) -> list[LayerFailure]:
        """The properties that do not hold, in the order of the checklist."""
        return [r.failure for r in self.results if r.failure is not None]

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, key: str) -> PropertyResult:
        """Give the result of one property."""
        for result in self.results:
            if result.key == key:
                return result
        raise KeyError(key)

    def headline(self) -> str:
        """Say how many properties hold."""
        held, failed = (sum(r.holds is wanted for r in self.results) for wanted in (True, False))
        others = len(self.results) - held - failed
        counts = [f"{held} {'property holds' if held == 1 else 'properties hold'}"]
        counts += [f"{failed} {'does' if failed == 1 else 'do'} not"] if failed else []
        counts += [f"{others} not checked"] if others else []
        return f"check_layer: {self.layer}: {', '.join(counts)}"

    def checklist(self) -> str:
        """Give one line for each property."""
        width = max(len(r.key) for r in self.results)
        lines = [f"  {r.mark} {r.key.ljust(width)}  {r.text}" for r in self.results]
        return "\n".join([self.headline(), *lines])

    def __str__(self) -> str:
        return "\n\n".join([self.checklist(), *map(str, self.failures)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{r.mark}</td><td><code>{r.key}</code></td>"
            f"<td style='text-align: left'>{html.escape(r.text)}</td></tr>"
            for r in self.results
        )
        parts = [f"<b>{html.escape(self.headline())}</b><table>{rows}</table>"]
        for failure in self.failures:
            parts.append(f"<h4>✗ {html.escape(failure.headline())}</h4>")
            if failure.gradcheck is not None:
                parts.append(failure.gradcheck._repr_html_())
            else:
                parts.append(f"<pre>{html.escape(failure.message)}</pre>")
            parts.append(f"<pre>{html.escape(failure.falsifying())}</pre>")
        return "\n".join(parts)


class LayerError(AssertionError):
    """A property of a layer does not hold. The message is the checklist and the first failure.

    Attributes
    ----------
    report : LayerReport
    """

    def __init__(self, report: LayerReport) -> None:
        first, *others = report.failures
        parts = [report.checklist(), str(first)]
        if others:
            named = ", ".join(failure.key for failure in others)
            parts.append(f"… and {named}: print(error.report) shows them in full")
        super().__init__("\n\n".join(parts))
        self.report = report
