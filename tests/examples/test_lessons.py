"""Every lesson runs as a script, quickly, is short, and draws; its exercises begin unsolved."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LESSONS = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
LONGEST, MOST_BYTES = 150, 60_000


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_draws_and_asks(lesson, tmp_path):
    text = lesson.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert text.startswith("# %% [markdown]\n# # ")
    done = subprocess.run(
        [sys.executable, str(lesson)], capture_output=True, text=True, timeout=300, check=False,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                           "MINIGRAD_PICTURES": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    drawn = list(tmp_path.glob(f"{lesson.stem[:2]}-*.png"))
    assert drawn
    for file in drawn:
        assert file.stat().st_size <= MOST_BYTES
        assert (EXAMPLES / "pictures" / file.name).is_file(), "the gallery lacks it"
    asked = re.findall(r"^exercise\(", text, re.M)
    assert 2 <= len(asked) <= 3
    assert len(re.findall(r"^[…✗] ", done.stdout, re.M)) == len(asked)
    assert not re.search(r"^✓ ", done.stdout, re.M)
