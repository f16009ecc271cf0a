"""Tables on the screen and in Markdown, and the whole run in JSON: all from the same rows."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.timing import Spread

Row = dict[str, Any]
Format = Callable[[Any], str]


def text(value: Any) -> str:
    return str(value)


def milliseconds(value: float | Spread) -> str:
    """Show seconds as milliseconds, of a spread the median."""
    number = 1e3 * (value.median if isinstance(value, Spread) else value)
    return f"{number:,.{3 if abs(number) < 10 else 1}f}"


def spread(value: Spread) -> str:
    """Show least, quartiles and most in milliseconds."""
    return "  ".join(map(milliseconds, (value.least, value.lower, value.upper, value.most)))


def quartiles(value: Spread) -> str:
    """Show the middle half of the times in milliseconds."""
    return f"{milliseconds(value.lower)} … {milliseconds(value.upper)}"


def times(value: float) -> str:
    return f"{value:.2f}×"


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def giga(value: float) -> str:
    number = value / 1e9
    return f"{number:.3f}" if number < 1 else f"{number:.2f}" if number < 10 else f"{number:.0f}"


def decimals(count: int) -> Format:
    return lambda value: f"{value:,.{count}f}"


@dataclass(frozen=True)
class Column:
    """
    Attributes
    ----------
    key : str
        Of the number in a row; a row without it has an empty cell.
    heading : str
    show : callable
        How the number is written.
    """

    key: str
    heading: str
    show: Format = text


TIMED = (
    Column("side", "side"),
    Column("times", "ms, median", milliseconds),
    Column("times", "least  quartiles  most", spread),
    Column("ratio", "peer / ours", times),
)


@dataclass
class Table:
    """Rows of measurements, and how they are shown.

    Attributes
    ----------
    name : str
        Of the table in the JSON file; with the section's before it: "layers/forward".
    title : str
    columns : sequence of Column
    rows : list of dict
    notes : list of str
        What one must know to read the numbers.
    picture : str, optional
        File name of a picture beside the report.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    picture: str | None = None

    def cells(self) -> list[list[str]]:
        """Return the rows as they are shown."""
        return [[_cell(row, column) for column in self.columns] for row in self.rows]


SECTIONS = (
    Column("section", "section"),
    Column("seconds", "s", decimals(0)),
    Column("others", "of all cores taken by other programs", share),
)


@dataclass
class Report:
    """Everything one run measured."""

    machine: dict[str, Any]
    command: str
    started: str
    tables: list[Table] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    sections: list[Row] = field(default_factory=list)  # how long each took, and who else was there

    def as_json(self) -> str:
        return json.dumps(
            {
                "started": self.started,
                "command": self.command,
                "machine": self.machine,
                "unit": "seconds, bytes, operations",
                "tables": {
                    t.name: {"title": t.title, "notes": t.notes, "rows": t.rows}
                    for t in self.tables
                },
                "failures": self.failures,
                "sections": self.sections,
            },
            indent=1,
            ensure_ascii=False,
            default=_plain,
        )

    def as_markdown(self) -> str:
        lines = [f"# Benchmarks, {self.started}", "", f"`{self.command}`", ""]
        lines += ["| the machine | |", "|---|---|"]
        lines += [f"| {key} | {_escape(str(value))} |" for key, value in self.machine.items()]
        lines += ["", READING, ""]
        for table in self.tables:
            lines += [*markdown(table), ""]
        if self.sections:
            lines += [*markdown(Table("run", "How the run went", SECTIONS, self.sections)), ""]
        for name, failure in self.failures.items():
            lines += [f"## {name}: failed", "", _escape(failure), ""]
        return "\n".join(lines)

    def write(self, beginning: Path) -> None:
        """Write ``<beginning>.json`` and ``.md``, whole or not at all."""
        beginning.parent.mkdir(parents=True, exist_ok=True)
        for suffix, content in ((".json", self.as_json()), (".md", self.as_markdown())):
            replace(Path(f"{beginning}{suffix}"), content)


READING = (
    "Both sides take turns inside one process; rounds that warm up are not counted. Times are "
    "medians, with the least, the quartiles and the most where there is room. A ratio is the "
    "peer's median divided by ours: above 1, ours is faster."
)


def replace(path: Path, content: str) -> None:
    """Write a file beside the old one, then put it in its place: a reader sees one or the other."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a run's JSON back, spreads as `Spread`."""

    def revive(value: dict[str, Any]) -> Any:
        return Spread(**value) if set(value) == set(Spread.__dataclass_fields__) else value

    return json.loads(path.read_text(encoding="utf-8"), object_hook=revive)


def markdown(table: Table) -> list[str]:
    """Return a table's lines in Markdown."""
    lines = [f"## {table.title}", ""]
    lines += [f"{_escape(note)}\n" for note in table.notes]
    if table.rows:
        lines.append(_line(column.heading for column in table.columns))
        lines.append(_line("---:" if _is_number(column) else "---" for column in table.columns))
        lines += [_line(cells) for cells in table.cells()]
    if table.picture:
        lines += ["", f"![{table.title}]({table.picture})"]
    return lines


def show(console: Console, table: Table) -> None:
    """Draw a table on the screen."""
    console.print()
    console.print(table.title, style="bold", highlight=False, markup=False)
    for note in table.notes:
        console.print(note, style="dim", highlight=False, markup=False)
    if table.rows:
        drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for column in table.columns:
            # Numbers are never cut; where the screen is narrow, words are wrapped.
            number = _is_number(column)
            side = "right" if number else "left"
            drawn.add_column(column.heading, justify=side, no_wrap=number, overflow="fold")
        for cells in table.cells():
            drawn.add_row(*(_colour(cell, c) for cell, c in zip(cells, table.columns, strict=True)))
        console.print(drawn, highlight=False)


def _cell(row: Row, column: Column) -> str:
    value = row.get(column.key)
    return "" if value is None else value if isinstance(value, str) else column.show(value)


def _is_number(column: Column) -> bool:
    return column.show is not text


def _colour(cell: str, column: Column) -> str:
    """Green where ours is faster, red where the peer is, by more than the noise."""
    if column.show is not times or not cell.endswith("×"):
        return cell.replace("[", "\\[")
    value = float(cell[:-1])
    style = "green" if value >= 1.03 else "red" if value <= 0.97 else ""
    return f"[{style}]{cell}[/]" if style else cell


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escape(" ".join(cell.split())) for cell in cells) + " |"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
