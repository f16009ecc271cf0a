"""The convolutions under the machine's roof: how much of what it can do is reached.

A layer that computes I operations for each byte it must move cannot be faster than I times the
rate of a copy, nor than the rate of a matrix product: the roof (Williams, Waterman and Patterson,
2009). Counted as for `benchmarks.layers`: each array moved once, every multiply-add of the
definition. Winograd's 3×3 need fewer, and may stand above the roof.

Draw it again from a file of measurements::

    python -m benchmarks.roofline benchmarks/results/<date>-<name>.json
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.convolutions import PASSES
from benchmarks.machine import COPY, MATRIX
from benchmarks.options import Options
from benchmarks.report import Row, Table, load

matplotlib.use("Agg")
from matplotlib import pyplot as plt

MARKS = dict(zip(PASSES, ("o", "^", "s"), strict=True))
COLOURS = {"1×1": "#0072B2", "3×3": "#D55E00", "5×5": "#009E73", "7×7": "#CC79A7"}
INTENSITY = 4.0, 400.0  # FLOP per byte: all of them, at batch 1 and at 64
INK, FAINT = "#333333", "#9a9a9a"


def tables(options: Options) -> Iterator[Table]:
    """Draw the picture, and yield a table without rows that shows it."""
    path = Path(f"{options.plots}-roofline.png")
    draw(options.done, path, options.batch)
    table = Table("roofline", "The convolutions under the machine's roof", (), picture=path.name)
    table.notes = [f"{path.name}: Winograd's 3×3 are counted as if computed by the definition."]
    yield table


def draw(done: dict[str, list[Row]], path: Path, batch: int) -> None:
    """Draw ours and the peer's side by side, on the same axes."""
    points = [
        (kind, row) for kind in PASSES for row in done[f"layers/{kind}"] if "bytes" in row
    ]  # fmt: skip
    sides = {"minigrad": "ours", "PyTorch's faster layout": "peer"}
    sides = {name: key for name, key in sides.items() if key in points[0][1]}
    figure, panels = plt.subplots(
        1, len(sides), figsize=(6.6 * len(sides), 5.6), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    flops, bandwidth = (best(done["machine"], what)["rate"] for what in (MATRIX, COPY))
    for panel, (name, key) in zip(panels[0], sides.items(), strict=True):
        for kind, row in points:
            kernel = row["shape"].split("→")[1].split()[1].split("/")[0]
            panel.scatter(
                row["flop"] / row["bytes"], row["flop"] / row[key].median / 1e9,
                s=16 + 14 * np.sqrt(row["flop"] * row["count"] / 1e8), marker=MARKS[kind],
                color=COLOURS[kernel], alpha=0.72, linewidth=0.5, edgecolor="white", zorder=3,
            )  # fmt: skip
        _roof(panel, flops / 1e9, bandwidth / 1e9, done["machine"])
        panel.set_title(name, loc="left", color=INK, fontweight="bold")
        panel.set_xlabel("arithmetic intensity, FLOP / byte", color=INK)
    panels[0][0].set_ylabel("GFLOP/s", color=INK)
    _legend(figure)
    title = f"GoogLeNet's convolutions under this machine's roof, batch {batch}"
    if any("disturbed" in row for rows in done.values() for row in rows):
        title += " (DISTURBED)"  # the tables say by how much
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def best(rows: list[Row], what: str) -> Row:
    """Return the row of the fastest library."""
    return max((row for row in rows if row["what"] == what), key=lambda row: row["rate"])


def _roof(panel: Any, flops: float, bandwidth: float, rows: list[Row]) -> None:
    """Draw the two lines and say what they are."""
    low, high = INTENSITY
    x = np.geomspace(low, high, 200)
    panel.plot(x, np.minimum(flops, bandwidth * x), color=INK, linewidth=1.6, zorder=2)
    panel.set(xscale="log", yscale="log", xlim=INTENSITY)
    matrix, copy = best(rows, MATRIX), best(rows, COPY)
    panel.annotate(
        f"matrix product, {flops:.0f} GFLOP/s ({matrix['side']}, {matrix['size']})",
        (max(low, flops / bandwidth), flops), (0, 5), textcoords="offset points", ha="left",
        va="bottom", color=INK, fontsize=8,
    )  # fmt: skip
    panel.annotate(
        f"copy, {bandwidth:.0f} GB/s\n({copy['side']})", (low * 1.15, bandwidth * low * 1.15),
        (6, -4), textcoords="offset points", ha="left", va="top", color=INK, fontsize=8,
    )  # fmt: skip
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    panel.grid(which="major", color="#e6e6e6", linewidth=0.8, zorder=0)
    panel.tick_params(which="both", colors=INK, length=0)
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_visible(side == "bottom")
        panel.spines[side].set_color(FAINT)


def _legend(figure: Any) -> None:
    """Explain marks and colours in one line above the panels."""
    marks = [(kind, mark, FAINT) for kind, mark in MARKS.items()]
    kernels = [(kernel, "o", colour) for kernel, colour in COLOURS.items()]
    handles = [
        Line2D([], [], marker=mark, linestyle="", color=colour, label=label)
        for label, mark, colour in marks + kernels
    ]
    figure.legend(
        handles=handles, loc="outside upper right", ncols=len(handles), frameon=False,
        labelcolor=INK, fontsize=9, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip


def main(path: Path) -> None:
    run = load(path)
    done = {name: table["rows"] for name, table in run["tables"].items()}
    batch = int(run["tables"]["layers/forward"]["title"].split("batch ")[1].split(":")[0])
    draw(done, path.with_name(f"{path.stem}-roofline.png"), batch)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
