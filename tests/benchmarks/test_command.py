"""The command: what it runs, what it says of mistakes, what is kept when a section fails."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.options import Options
from benchmarks.overhead import counting_kernels
from benchmarks.report import Column, Report, Table, load


def test_an_unknown_section_is_named_with_those_there_are():
    done = CliRunner().invoke(command.main, ["--only", "trainign"])
    assert done.exit_code == 2
    assert "there is no section 'trainign'" in done.output
    assert "training, inference" in done.output


def test_the_list_names_every_section():
    done = CliRunner().invoke(command.main, ["--list"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == list(command.SECTIONS)


def test_a_section_brings_those_it_needs():
    assert command.chosen(("roofline",)) == ["machine", "layers", "roofline"]
    assert command.chosen(("job",)) == ["job"]
    assert command.chosen(()) == list(command.SECTIONS)


def table(name):
    return Table(name, f"Table {name}", (Column("side", "side"),), [{"side": "minigrad"}])


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run sections that are made of functions; return the exit status and what was written."""

    def run_sections(**sections):
        for name, tables in sections.items():
            monkeypatch.setitem(command.SECTIONS, name, "a section of a test")
            monkeypatch.setitem(sys.modules, f"benchmarks.{name}", SimpleNamespace(tables=tables))
        status = command.run(list(sections), Options(), Report({}, "", ""), tmp_path / "run")
        return status, load(tmp_path / "run.json")

    return run_sections


def test_sections_are_kept_in_order(run):
    status, kept = run(one=lambda _: [table("one")], two=lambda _: [table("two")])
    assert status == 0
    assert list(kept["tables"]) == ["one", "two"]
    assert [row["section"] for row in kept["sections"]] == ["one", "two"]


def test_a_section_that_fails_does_not_take_the_others_with_it(run, capsys):
    def fails(_):
        yield table("first half")
        raise RuntimeError("no more")

    status, kept = run(fails=fails, after=lambda _: [table("after")])
    assert status == 1
    assert list(kept["tables"]) == ["first half", "after"]
    assert kept["failures"] == {"fails": "RuntimeError: no more"}
    assert "no more" in capsys.readouterr().err


def test_an_interrupted_run_keeps_what_it_measured(run, capsys):
    def interrupted(_):
        yield table("measured")
        raise KeyboardInterrupt

    status, kept = run(interrupted=interrupted, never=lambda _: [table("never")])
    assert status == 130
    assert list(kept["tables"]) == ["measured"]
    assert "stopped in interrupted" in capsys.readouterr().out


def test_the_report_that_an_interrupted_run_names_is_there(run):
    def interrupted(_):
        raise KeyboardInterrupt

    status, kept = run(interrupted=interrupted)
    assert (status, kept["tables"]) == (130, {})


def test_figures_measured_beside_other_programs_are_marked(run, monkeypatch):
    monkeypatch.setattr(machine.Others, "share", lambda self: 0.25)
    _, kept = run(one=lambda _: [table("one")])
    marked = kept["tables"]["one"]
    assert "DISTURBED: other programs took 25% of the cores" in marked["notes"][0]
    assert marked["rows"][0]["disturbed"] == 0.25


def test_a_table_derived_from_marked_ones_is_marked_too(run, monkeypatch):
    shares = iter([0.25, None, 0.25])
    monkeypatch.setattr(machine.Others, "share", lambda self: next(shares))
    _, kept = run(one=lambda _: [table("measured"), table("derived")])
    assert "DISTURBED" in kept["tables"]["derived"]["notes"][0]


def test_nothing_is_said_of_others_after_a_moment():
    assert machine.Others().share() is None


def test_later_sections_see_the_rows_of_earlier_ones(run):
    seen = {}

    def looks(options):
        seen.update(options.done)
        return [table("two")]

    run(one=lambda _: [table("one")], two=looks)
    assert list(seen) == ["one"]


def test_the_machine_is_described_without_names_or_paths():
    described = machine.describe(2)
    assert described["cores"].endswith("2 used")
    assert described["python"].count(".") == 2
    assert "/" not in "".join(str(value) for value in described.values())


def test_kernels_are_counted_and_then_left_alone():
    from minigrad.cpu import threads

    before, ran = threads.run, []
    with counting_kernels() as spent:
        threads.run(lambda first, last: ran.append((first, last)), 1)
    assert (len(spent), ran) == (1, [(0, 1)])
    assert threads.run is before


def test_a_run_without_pytorch(tmp_path):
    """A whole run of the command on a small section, in a Python that cannot import torch."""
    program = (
        "import sys; sys.modules['torch'] = None; from benchmarks.__main__ import main;"
        f"main(['--quick', '--only', 'loader', '--output', {str(tmp_path)!r}, '--name', 'smoke'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'PyTorch is not installed: pip install -e ".[bench]"' in done.stdout
    (written,) = tmp_path.glob("*-smoke.json")
    kept = load(written)
    rows = kept["tables"]["loader"]["rows"]
    assert [row["side"] for row in rows] == ["minigrad, ahead", "minigrad, as asked for"]
    assert all(row["rate"] > 0 and row["ratio"] is None for row in rows)
    assert not kept["failures"]
