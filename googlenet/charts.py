"""Pictures of an evaluation: who is taken for whom, how sure it is, and the worst mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from googlenet.drawing import plt, png, short, visible

if TYPE_CHECKING:
    from googlenet.evaluation.calibration import Calibration

ACROSS = 5  # mistakes in one row
MOST_NUMBERS = 25  # classes up to which each cell of the matrix shows its count
MOST_NAMES = 60  # classes up to which rows and columns have names
RIGHT, SURE = "#a6c8e4", "#c1332b"


class Mistake(NamedTuple):
    """A picture that was taken for something else.

    Attributes
    ----------
    image : array (C, H, W)
        Bytes, as they were read.
    true, predicted : str
    probability : float
        What the network gave the wrong class.
    """

    image: np.ndarray
    true: str
    predicted: str
    probability: float


def draw_confusion(counts: np.ndarray, classes: Sequence[str]) -> bytes:
    """Draw a confusion matrix; return a PNG.

    Parameters
    ----------
    counts : array (classes, classes)
        Rows are what pictures are, columns what they were taken for.
    classes : sequence of str
    """
    size = len(classes)
    totals = counts.sum(1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = min(14.0, 3.5 + 0.45 * size)
    figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title="confusion, as shares of each row", xlabel="taken for", ylabel="is")
    if size <= MOST_NAMES:
        names = [short(name) for name in classes]
        axes.set_xticks(range(size), names, rotation=90, parse_math=False)
        axes.set_yticks(range(size), names, parse_math=False)
    if size <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(counts[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    return png(figure)


def draw_mistakes(mistakes: Sequence[Mistake]) -> bytes:
    """Draw mistakes in the order given, five in a row; return a PNG."""
    rows = max(1, -(-len(mistakes) // ACROSS))
    figure, places = plt.subplots(
        rows, ACROSS, figsize=(2.4 * ACROSS, 2.7 * rows), layout="constrained", squeeze=False
    )
    for axes in places.flat:
        axes.set_axis_off()
    for axes, mistake in zip(places.flat, mistakes, strict=False):
        axes.imshow(visible(mistake.image), cmap="gray", vmin=0, vmax=255)
        said = f"{short(mistake.predicted)} {mistake.probability:.1%}"
        axes.set_title(f"{said}\nis {short(mistake.true)}", fontsize=9, parse_math=False)
    what = "the most confident mistakes" if mistakes else "no mistakes"
    figure.suptitle(what, parse_math=False)
    return png(figure)


def draw_calibration(calibration: "Calibration") -> bytes:
    """Draw a reliability diagram, with the pictures of each bin below it; return a PNG.

    Parameters
    ----------
    calibration : Calibration
    """
    edges, counts, confidence, accuracy = calibration
    low, high = calibration.intervals().T
    full = counts > 0
    width = 0.94 * (edges[1] - edges[0])
    middles = (edges[:-1] + edges[1:]) / 2
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(6, 7.4), sharex=True, layout="constrained",
        gridspec_kw={"height_ratios": (3, 1)},
    )  # fmt: skip
    above.plot((0, 1), (0, 1), color="0.4", linestyle="--", linewidth=1, zorder=1)
    above.bar(middles[full], accuracy[full], width, color=RIGHT, label="right", zorder=2)
    above.bar(
        middles[full], (confidence - accuracy)[full], width, bottom=accuracy[full], hatch="////",
        facecolor="none", edgecolor=SURE, linewidth=0, label="difference", zorder=3,
    )  # fmt: skip
    above.hlines(
        confidence[full], middles[full] - width / 2, middles[full] + width / 2, colors=SURE,
        linewidth=2, label="sure", zorder=4,
    )  # fmt: skip
    errors = np.maximum((accuracy - low, high - accuracy), 0)[:, full]
    above.errorbar(
        middles[full], accuracy[full], errors, fmt="none", ecolor="0.15", elinewidth=1, capsize=2.5,
        label="95 % interval of right", zorder=5,
    )  # fmt: skip
    off = calibration.overconfidence
    above.set(
        xlim=(0, 1), ylim=(0, 1.02), ylabel="of the pictures in the bin",
        title=f"{abs(off):.1%} {'surer than right' if off > 0 else 'less sure than right'} on "
        f"average\nexpected calibration error {calibration.error:.1%}",
    )  # fmt: skip
    below.bar(middles, counts, width, color="0.6")
    below.set(xlabel="how sure the network is of the class it names", ylabel="pictures")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return png(figure)
