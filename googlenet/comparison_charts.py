"""The curves of several runs in one picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from googlenet.comparison import Comparison
from googlenet.drawing import plt, png

COLOURS = (
    "#1f4e9c", "#e08e2b", "#3a9d6e", "#b3261e", "#7b4fa3", "#2a9db5", "#9c6b30", "#d65c9b",
    "#6b7280", "#a3a521",
)  # fmt: skip
STYLES = ("-", "--", ":", "-.")  # where there are more runs than colours


def draw_comparison(comparison: Comparison) -> bytes:
    """Draw the loss and the test accuracy of all runs against the epoch; return a PNG.

    Behind the end of each accuracy stands its 95 % interval.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    widest = max(run.last["epoch"] for run in comparison.runs)
    for i, run in enumerate(comparison.runs):
        style: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "lw": 1.6}
        line = STYLES[i // len(COLOURS) % len(STYLES)]
        x = [row["epoch"] for row in run.epochs]
        label = _cut(comparison.label(i)) + (" †" if comparison.other_test[i] else "")
        left.plot(x, _finite([row["test_loss"] for row in run.epochs]), ls=line, **style)
        left.plot(
            x, _finite([row["loss_logits"] for row in run.epochs]), ls=line, alpha=0.35, **style
        )
        right.plot(
            x, run.accuracies, ls=line, marker="." if len(x) < 40 else None, label=label, **style
        )
        if run.interval:
            place = run.last["epoch"] + widest * 0.012 * (i + 1)
            low, high = run.interval
            right.plot([place, place], [low, high], color=style["color"], lw=3, alpha=0.6,
                       solid_capstyle="butt")  # fmt: skip
    left.set(title="loss, main head: test, and in training (pale)", xlabel="epoch")
    left.set_ylim(bottom=0)
    right.set(title="test accuracy, and its 95 % interval at the end", xlabel="epoch")
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    legend = figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=9,
        ncols=3 if len(comparison.runs) > 2 else 2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return png(figure, dpi=110)


def _cut(label: str, most: int = 48) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _finite(values: Sequence[float]) -> np.ndarray:
    found = np.array(values, float)
    return np.where(np.isfinite(found), found, np.nan)
