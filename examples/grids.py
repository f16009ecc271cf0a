"""Small arrays and graphs as pictures: cells with numbers, frames and arrows, boxes and links.

Rows run down and columns run right, as in print. A cell's centre is the point (column, row).
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch, Rectangle

from examples.lesson import BLUE, RED

__all__ = ["arrow", "box", "cells", "frame", "grid", "link", "sheet", "way"]

SIGNED, PLAIN = "RdBu_r", "gray"


def grid(axes: Axes, array: Any, title: str = "", size: float = 10, **colours: Any) -> Axes:
    """Draw a matrix as cells, each with its number.

    Parameters
    ----------
    axes : matplotlib Axes
    array : array (rows, columns), or (columns,)
    title : str
    size : float
        Of the numbers in points; 0 writes none.
    **colours
        As ``imshow`` takes them. [default: blue below zero, white at zero, red above]
    """
    array = np.atleast_2d(array)
    largest = float(np.abs(array).max()) or 1.0
    if not colours:
        colours = {"cmap": SIGNED, "vmin": -2 * largest, "vmax": 2 * largest}  # pale
    image = axes.imshow(array, **colours)
    rows, columns = array.shape
    axes.set(xticks=[], yticks=[])
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=11)
    if size:
        _numbers(axes, image, array, (0, 0), size)
    return axes


def sheet(axes: Axes, width: float, height: float) -> Axes:
    """Make room for several matrices, whose cells are then all of one size."""
    axes.set(xlim=(-0.6, width - 0.4), ylim=(height - 0.4, -0.6), aspect="equal")
    axes.axis("off")
    return axes


def cells(
    axes: Axes, array: Any, at: tuple[float, float], title: str = "", below: str = "",
    size: float = 10, **colours: Any,
) -> None:  # fmt: skip
    """Draw a matrix on a sheet, its first cell `at` (row, column), words above it and below.

    Parameters
    ----------
    axes : matplotlib Axes
    array : array (rows, columns), or (columns,)
    at : (float, float)
    title, below : str
    size : float
        Of the numbers in points.
    **colours
        As ``pcolormesh`` takes them. [default: as of `grid`]
    """
    array = np.atleast_2d(array)
    (rows, columns), (row, column) = array.shape, at
    largest = float(np.abs(array).max()) or 1.0
    colours = colours or {"cmap": SIGNED, "vmin": -2 * largest, "vmax": 2 * largest}
    limits = axes.axis()
    edges = np.arange(columns + 1) + column - 0.5, np.arange(rows + 1) + row - 0.5
    mesh = axes.pcolormesh(*edges, array, edgecolors="white", linewidth=1.5, **colours)
    axes.axis(limits)
    _numbers(axes, mesh, array, at, size)
    words = {"ha": "center", "fontsize": 11}
    middle = column + (columns - 1) / 2
    axes.text(middle, row - 0.65, title, va="bottom", **words)
    axes.text(middle, row + rows - 0.35, below, va="top", **words)


def _numbers(axes: Axes, drawn: Any, array: Any, at: tuple[float, float], size: float) -> None:
    for (i, j), value in np.ndenumerate(array):
        red, green, blue, _ = drawn.to_rgba(float(value))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
        text = f"{float(value):.3g}".replace("-", "−")
        axes.text(
            at[1] + j, at[0] + i, text, ha="center", va="center", fontsize=size,
            color="white" if dark else "black",
        )  # fmt: skip


def way(
    axes: Axes, a: tuple[float, float], b: tuple[float, float], colour: str = RED, bend: float = 0
) -> None:
    """Draw an arrow on a sheet, from `a` to `b`, (column, row) each; −0.5 is well bent."""
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.8, "shrinkA": 2, "shrinkB": 2}
    style["connectionstyle"] = f"arc3,rad={bend}"
    axes.annotate("", b, a, arrowprops=style, zorder=10, annotation_clip=False)


def frame(
    axes: Axes, row: int, column: int, height: int = 1, width: int = 1, colour: str = RED
) -> None:
    """Draw a frame around cells."""
    corner = column - 0.5, row - 0.5
    axes.add_patch(
        Rectangle(corner, width, height, fill=False, ec=colour, lw=2.4, clip_on=False, zorder=5)
    )


def arrow(
    start: Axes, a: tuple[float, float], end: Axes, b: tuple[float, float], colour: str = RED
) -> None:
    """Draw an arrow from point `a` of one panel to point `b` of another, (column, row) each."""
    line = ConnectionPatch(
        a, b, "data", "data", axesA=start, axesB=end, arrowstyle="-|>", color=colour,
        lw=1.8, shrinkA=2, shrinkB=2, mutation_scale=14, zorder=10,
    )  # fmt: skip
    line.set_annotation_clip(False)  # points beside a panel count
    start.figure.add_artist(line)


def box(axes: Axes, place: tuple[float, float], text: str, size: float = 12) -> None:
    """Draw a node of a graph: a box around a text."""
    axes.text(
        *place, text, ha="center", va="center", fontsize=size, zorder=4,
        bbox={"boxstyle": "round,pad=.45", "fc": "white", "ec": BLUE, "lw": 1.6},
    )  # fmt: skip


def link(
    axes: Axes, a: tuple[float, float], b: tuple[float, float], text: str, colour: str = RED
) -> None:
    """Draw an arrow between two boxes, and what it carries."""
    style = {"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 30, "shrinkB": 30}
    axes.annotate("", b, a, arrowprops=style, zorder=2)
    axes.text(
        (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, text, color=colour, fontsize=13,
        ha="center", va="center", bbox={"fc": "white", "ec": "none", "pad": 2},
    )  # fmt: skip
