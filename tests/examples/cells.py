"""A lesson taken apart into cells, and run one after the other as a notebook runs them.

``python tests/examples/cells.py LESSON``: in a namespace without ``__file__``, in the folder of the
lesson, with the value of a cell's last line shown. Nothing of Jupyter is needed; what it would do
to the reader's annoyance ends the run: a figure that a cell leaves open is shown there unfinished,
and a value that knows no better is shown as its ``repr``.
"""

import ast
import linecache
import os
import re
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

MARK = re.compile(r"^# %%(.*)$", re.M)
RICH = "_repr_html_", "_repr_svg_", "_repr_mimebundle_"


class Cell(NamedTuple):
    """A cell, with its text as the reader sees it."""

    is_prose: bool
    text: str
    line: int  # of its first line in the file


def cells_of(lesson: str) -> list[Cell]:
    """Take a lesson in percent format apart.

    Raises
    ------
    ValueError
        If a cell of prose has a line that is no comment: no notebook would have it.
    """
    marks = list(MARK.finditer(lesson))
    ends = [mark.start() for mark in marks[1:]] + [len(lesson)]
    if not marks or marks[0].start():
        raise ValueError("a lesson begins with a cell")
    cells = []
    for mark, end in zip(marks, ends, strict=True):
        text = lesson[mark.end() + 1 : end].rstrip("\n")
        line = lesson.count("\n", 0, mark.end()) + 2
        kind = mark.group(1).strip()
        if kind not in ("", "[markdown]"):
            raise ValueError(f"line {line - 1}: a cell of kind {kind!r}")
        if kind:
            for number, prose in enumerate(text.splitlines(), line):
                if not re.match("#( |$)", prose):
                    raise ValueError(f"line {number} stands in prose and is no comment: {prose}")
            text = re.sub("^# ?", "", text, flags=re.M)
        cells.append(Cell(bool(kind), text, line))
    return cells


def run(path: Path) -> None:
    """Run the cells of a lesson, as if it were ``__main__``."""
    from matplotlib import pyplot as plt

    lesson = sys.modules["__main__"] = types.ModuleType("__main__")
    os.chdir(path.parent)
    for cell in cells_of(path.read_text()):
        if cell.is_prose:
            continue
        name = f"<{path.stem}, cell at line {cell.line}>"
        linecache.cache[name] = (len(cell.text), None, cell.text.splitlines(True), name)
        tree = ast.parse(cell.text, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), vars(lesson))
        if isinstance(last, ast.Expr):
            show(eval(compile(ast.Expression(last.value), name, "eval"), vars(lesson)), name)
        if plt.get_fignums():
            raise SystemExit(f"{name} leaves a figure open: it would be shown unfinished")


def show(value: Any, cell: str) -> None:
    """Show what a cell gave, if there is a way to."""
    if value is None:
        return
    if not any(hasattr(value, rich) for rich in RICH):
        raise SystemExit(f"{cell} ends with a value that would be shown as {value!r:.60}")
    print(f"shown: {type(value).__name__}")


if __name__ == "__main__":
    sys.path[0] = ""  # as in a notebook: the folder that it runs in
    run(Path(sys.argv[1]).resolve())
