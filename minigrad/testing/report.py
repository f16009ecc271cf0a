"""What `gradcheck` found: as text, as HTML in a notebook, as a picture."""

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from minigrad.autograd import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENTRIES_SHOWN = 8
KINKS_SHOWN = 3


@dataclass
class Kink:
    """An output whose slope to one side is not that to the other.

    Attributes
    ----------
    output : str
        Its index.
    left, right : float
        The two slopes, along the direction that was tried.
    """

    output: str
    left: float
    right: float

    def __str__(self) -> str:
        return f"{self.output} (slopes {self.left:.4g} and {self.right:.4g})"


@dataclass
class Failure:
    """A gradient that is wrong, and what is known about it.

    Attributes
    ----------
    i, name : int, str
        The input.
    method : str
        What the gradient was held against.
    cotangent, direction : array
        Of all outputs, as one row; of the input's shape.
    step : float
    analytic, numeric : float
        Slope along the direction: by the gradient, by the method.
    gradient, expected : array
        Of the input's shape: what backward gives for the cotangent, and what differences give
        (NaN where they were not taken, in a large input).
    wrong : array of bool
    errors : list of (step, error)
        How far the gradient is from the differences, for steps of all sizes.
    hints : list of str
        What the pattern of the wrong entries looks like, if it is a known one.
    """

    i: int
    name: str
    method: str
    cotangent: Array
    direction: Array
    step: float
    analytic: float
    numeric: float
    gradient: Array = field(default_factory=lambda: np.zeros(0))
    expected: Array = field(default_factory=lambda: np.zeros(0))
    wrong: Array = field(default_factory=lambda: np.zeros(0, bool))
    errors: list[tuple[float, float]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def entries(self) -> list[tuple[str, str, str, str]]:
        """List the first wrong entries: index, backward's value, the differences', the ratio."""
        rows = []
        for index in np.argwhere(self.wrong)[:ENTRIES_SHOWN]:
            got, want = self.gradient[tuple(index)], self.expected[tuple(index)]
            ratio = f"{got / want + 0.0:.6g}" if want else "—"
            rows.append((str([int(n) for n in index]), f"{got + 0.0:.8g}", f"{want:.8g}", ratio))
        return rows

    def headline(self) -> str:
        """Say in a sentence what is wrong."""
        count = int(self.wrong.sum())
        taken = int(np.isfinite(self.expected).sum())
        which = f"{count} of {taken} entries" if count else "by too little to show in one entry"
        return f"the gradient of {self.name} (shape {self.direction.shape}) is wrong: {which}"

    def __str__(self) -> str:
        lines = [self.headline()]
        lines += [f"  → {hint}" for hint in self.hints]
        lines.append(
            f"  along a random direction it gives {self.analytic:.10g}, {self.method} "
            f"{self.numeric:.10g}"
        )
        if rows := self.entries():
            head = ("entry", "backward", "differences", "ratio")
            lines += _table([head, *rows])
            hidden = int(self.wrong.sum()) - len(rows)
            lines += [f"    … and {hidden} more"] if hidden else []
        lines.append(
            "  error for each step: small in the middle if the gradient is right, else flat"
        )
        some = self.errors[1::2]
        lines += _table(
            [("step", *(f"{s:.0e}" for s, _ in some)), ("error", *(f"{e:.1e}" for _, e in some))]
        )
        return "\n".join(lines)


@dataclass
class InputReport:
    """How the check of one input went.

    Attributes
    ----------
    name, shape
    directions : int
        How many were tried.
    jacobian, complex_step : bool
        Whether every entry was compared, and whether a complex step was possible.
    error : float
        The largest difference seen, relative to what was summed.
    kinks : dict of int to Kink
        The outputs that are not differentiable here, by their number.
    connected : bool
        Whether a gradient ever came.
    failure : Failure or None
    """

    name: str
    shape: tuple[int, ...]
    directions: int = 0
    jacobian: bool = False
    complex_step: bool = False
    error: float = 0.0
    kinks: dict[int, Kink] = field(default_factory=dict)
    connected: bool = False
    failure: Failure | None = None

    def methods(self) -> str:
        """Say what the gradient was held against."""
        if not self.directions:
            return "nothing to check"
        said = [f"{self.directions} directions"]
        said += ["every entry"] if self.jacobian else []
        said += ["complex step"] if self.complex_step else []
        return ", ".join(said)


@dataclass
class GradcheckReport:
    """What `gradcheck` found. True if every gradient is right.

    Attributes
    ----------
    inputs : list of InputReport
    outputs : int
        How many numbers f returned.
    differentiable : bool
        Whether there was anything to check apart from kinks.
    """

    inputs: list[InputReport]
    outputs: int
    differentiable: bool = True

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return self.differentiable and not self.failures

    @property
    def failures(self) -> list[Failure]:
        """The gradients that are wrong."""
        return [i.failure for i in self.inputs if i.failure is not None]

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            lines = ["gradcheck: passed"]
        elif self.failures:
            lines = ["gradcheck: " + "\n\n".join(str(failure) for failure in self.failures), ""]
        else:
            lines = [
                f"gradcheck: nothing could be checked: all {self.outputs} outputs lie at a kink, "
                "where there is no gradient. Move the inputs away from it"
            ]
        lines += _table([("input", "shape", "", "error", "held against"), *self._rows()])
        lines += [f"  {note}" for note in self._notes()]
        return "\n".join(lines)

    __repr__ = __str__

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (i.name, str(i.shape), "wrong" if i.failure else "right", f"{i.error:.1e}", i.methods())
            for i in self.inputs
        ]

    def _notes(self) -> list[str]:
        """List what is to be said apart from right and wrong."""
        notes = []
        for i in self.inputs:
            if i.kinks:
                shown = ", ".join(str(kink) for kink in [*i.kinks.values()][:KINKS_SHOWN])
                more = " …" if len(i.kinks) > KINKS_SHOWN else ""
                notes.append(
                    f"not differentiable in {i.name}: {len(i.kinks)} of {self.outputs} outputs, "
                    f"{shown}{more}; there the gradient was held between the two slopes"
                )
            if i.directions and not i.connected:
                notes.append(
                    f"no gradient came back to {i.name}: f does not use it, or detached it"
                )
        return notes

    def _repr_html_(self) -> str:
        parts = ["<b>gradcheck: " + ("passed" if self.ok else "failed") + "</b>"]
        parts.append(_html_table([("input", "shape", "", "error", "held against"), *self._rows()]))
        parts += [f"<p>{html.escape(note)}</p>" for note in self._notes()]
        if not self.differentiable:
            parts.append("<p>Nothing could be checked: every output lies at a kink.</p>")
        for failure in self.failures:
            parts.append(f"<h4>{html.escape(failure.headline())}</h4>")
            parts += [f"<p>→ {html.escape(hint)}</p>" for hint in failure.hints]
            head = ("entry", "backward", "differences", "ratio")
            parts.append(_html_table([head, *failure.entries()]))
        if self.failures:
            parts.append(_as_svg(self.plot()))
        return "\n".join(parts)

    def plot(self) -> "Figure":
        """Draw, for every wrong gradient, where it is wrong and its error for each step.

        Returns
        -------
        matplotlib.figure.Figure
            ``report.plot().savefig("gradcheck.png")`` keeps it.

        Raises
        ------
        ValueError
            If nothing is wrong: there is nothing to draw.
        """
        if not self.failures:
            raise ValueError("plot: every gradient is right, so there is no error to draw")
        from minigrad.testing.picture import draw  # matplotlib takes a second to import

        return draw(self.failures)


class GradcheckError(AssertionError):
    """A gradient is wrong. The message is the report.

    Attributes
    ----------
    report : GradcheckReport
    """

    def __init__(self, report: GradcheckReport) -> None:
        super().__init__(str(report))
        self.report = report


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Lay out rows of text in columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "    " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _html_table(rows: list[tuple[str, ...]]) -> str:
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _as_svg(figure: "Figure") -> str:
    from io import StringIO

    text = StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]
