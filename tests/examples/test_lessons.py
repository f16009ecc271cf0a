"""Every lesson runs, cell by cell, quickly, is short, and draws; its exercises begin unsolved.

By cells, as in a notebook, where there is no ``__file__``; three also as the scripts that they are,
which differs in the lines that find the rest, and those are the same everywhere.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.cells import cells_of

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LESSONS = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
LONGEST, MOST_BYTES = 150, 60_000
FINDS_THE_REST = (
    'sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")\n'
)
QUICK = ("03", "05", "12")
CELLS = Path(__file__).with_name("cells.py")
ELSEWHERE = [place for place in sys.path if place and Path(place).resolve() != ROOT]


def done(arguments, cwd, pictures):
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=300,
        check=False, cwd=cwd, env={
            **os.environ, "PYTHONPATH": os.pathsep.join(ELSEWHERE),
            "MINIGRAD_PICTURES": str(pictures),
        },
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert not re.search("Traceback|Warning", result.stderr), result.stderr
    return result.stdout


def holds(lesson, said, pictures):
    """Check what a lesson left: small pictures, and exercises that nobody has done yet."""
    drawn = list(pictures.glob(f"{lesson.stem[:2]}-*.png"))
    assert drawn
    for file in drawn:
        assert file.stat().st_size <= MOST_BYTES
        assert (EXAMPLES / "pictures" / file.name).is_file(), "the gallery lacks it"
    asked = re.findall(r"^exercise\(", lesson.read_text(), re.M)
    assert 2 <= len(asked) <= 3
    assert len(re.findall(r"^[…✗] ", said, re.M)) == len(asked)
    assert not re.search(r"^✓ ", said, re.M)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_cell_by_cell_draws_and_asks(lesson, tmp_path):
    text = lesson.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert text.startswith("# %% [markdown]\n# # ")
    assert FINDS_THE_REST in text
    said = done([CELLS, lesson], tmp_path, tmp_path)
    holds(lesson, said, tmp_path)
    assert ("\ngraph.draw(" in text) == ("shown: Drawing" in said)


@pytest.mark.parametrize("number", QUICK)
def test_a_lesson_runs_as_a_script_from_anywhere(number, tmp_path):
    (lesson,) = EXAMPLES.glob(f"{number}_*.py")
    pictures = tmp_path / "pictures"
    said = done([lesson], tmp_path, pictures)
    holds(lesson, said, pictures)
    assert f"picture: pictures/{number}-" in said


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_a_notebook(lesson):
    cells = cells_of(lesson.read_text())
    assert all(cell.text.strip() for cell in cells), "a cell is empty"
    assert cells[0].is_prose
    assert cells[0].text.startswith(f"# {lesson.stem[:2]} ")
    for cell in cells:
        if cell.is_prose:
            assert "$" not in cell.text, "a notebook takes it for a formula"
            assert not re.search("<[a-z/!]", cell.text), "a notebook takes it for HTML"
            assert cell.text.count("`") % 2 == cell.text.count("**") % 2 == 0
        else:
            compile(cell.text, lesson.name, "exec")


def test_cells_are_told_apart():
    text = "# %% [markdown]\n# # 01 A\n#\n# b\n\n# %%\nx = 1\n\n\n# %%\ny = 2\n"
    found = [(cell.is_prose, cell.text, cell.line) for cell in cells_of(text)]
    assert found == [(True, "# 01 A\n\nb", 2), (False, "x = 1", 7), (False, "y = 2", 11)]
    with pytest.raises(ValueError, match="line 3 stands in prose and is no comment: x = 1"):
        cells_of("# %% [markdown]\n# a\nx = 1\n")
    with pytest.raises(ValueError, match="a cell of kind '.raw.'"):
        cells_of("# %% [raw]\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from matplotlib import pyplot\npyplot.figure()\nx = 1", "leaves a figure open"),
        ("3", "shown as 3"),
        ("__file__", "NameError"),
        ("import os\nassert os.getcwd().endswith('place')", None),
    ],
)
def test_what_a_notebook_would_spoil_ends_the_run(code, said, tmp_path):
    (tmp_path / "place").mkdir()
    lesson = tmp_path / "place" / "lesson.py"
    lesson.write_text(f"# %%\n{code}\n")
    result = subprocess.run(
        [sys.executable, str(CELLS), str(lesson)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (result.returncode == 0) == (said is None)
    assert said is None or said in result.stderr
