"""Tables in Markdown and JSON, and files that are whole or not there."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.report import (
    Column,
    Report,
    Table,
    giga,
    load,
    markdown,
    milliseconds,
    quartiles,
    replace,
    share,
    show,
    spread,
    times,
)  # fmt: skip
from benchmarks.timing import Spread

SPREAD = Spread(0.001, 0.002, 0.003, 0.004, 0.005, 9)


@pytest.fixture
def table():
    columns = (
        Column("side", "side"),
        Column("times", "ms,\nmedian", milliseconds),
        Column("ratio", "ratio", times),
    )
    rows = [{"side": "a|b", "times": SPREAD, "ratio": None}, {"side": "c", "ratio": 1.5}]
    return Table("small", "A small table", columns, rows, ["Read [this]."])


def test_markdown(table):
    assert markdown(table) == [
        "## A small table",
        "",
        "Read [this].\n",
        "| side | ms, median | ratio |",
        "| --- | ---: | ---: |",
        "| a\\|b | 3.000 |  |",
        "| c |  | 1.50× |",
    ]


def test_a_table_without_rows_shows_its_picture():
    lines = markdown(Table("plot", "A plot", (), picture="plot.png"))
    assert lines == ["## A plot", "", "", "![A plot](plot.png)"]


def test_how_numbers_are_written():
    assert [milliseconds(s) for s in (0.0012345, 0.12345, 12.3)] == ["1.234", "123.5", "12,300.0"]
    assert [giga(x) for x in (0.5e9, 5.25e9, 123e9)] == ["0.500", "5.25", "123"]
    assert (times(0.5), share(0.256)) == ("0.50×", "26 %")
    assert spread(SPREAD) == "1.000  2.000  4.000  5.000"
    assert quartiles(SPREAD) == "2.000 … 4.000"


def test_json_comes_back_as_it_was(table, tmp_path):
    report = Report({"processor": "one"}, "python -m benchmarks", "today", [table], {"x": "broke"})
    report.write(tmp_path / "run")
    back = load(tmp_path / "run.json")
    assert back["tables"]["small"]["rows"] == table.rows
    assert back["tables"]["small"]["rows"][0]["times"] == SPREAD
    assert (back["machine"], back["failures"]) == ({"processor": "one"}, {"x": "broke"})


def test_numbers_of_numpy_become_plain_ones(table):
    import numpy as np

    table.rows = [{"ratio": np.float32(1.5)}]
    report = Report({}, "", "", [table])
    assert json.loads(report.as_json())["tables"]["small"]["rows"] == [{"ratio": 1.5}]


def test_the_report_tells_machine_command_tables_and_failures(table):
    report = Report({"memory": "1 GiB"}, "python -m benchmarks", "today", [table], {"x": "broke"})
    report.sections = [{"section": "small", "seconds": 12.0, "others": 0.25}]
    text = report.as_markdown()
    for part in ("| memory | 1 GiB |", "`python -m benchmarks`", "## A small table",
                 "## x: failed", "broke", "| small | 12 | 25 % |"):  # fmt: skip
        assert part in text


def test_replacing_leaves_nothing_beside(tmp_path):
    replace(tmp_path / "a.md", "old")
    replace(tmp_path / "a.md", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
    assert (tmp_path / "a.md").read_text() == "new"


def test_the_screen_shows_cells_and_notes(table):
    console = Console(file=io.StringIO(), width=100)
    show(console, table)
    shown = console.file.getvalue()
    for part in ("A small table", "Read [this].", "a|b", "3.000", "1.50×"):
        assert part in shown
