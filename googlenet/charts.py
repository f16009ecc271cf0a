"""Pictures of an evaluation: who is taken for whom, and the worst mistakes."""

import io
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # a picture, not a window

from matplotlib import pyplot as plt

ACROSS = 5  # mistakes in one row
MOST_NUMBERS = 25  # classes up to which each cell of the matrix shows its count
MOST_NAMES = 60  # classes up to which rows and columns have names
LONGEST = 24  # characters of a name


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
        names = [_short(name) for name in classes]
        axes.set_xticks(range(size), names, rotation=90, parse_math=False)
        axes.set_yticks(range(size), names, parse_math=False)
    if size <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(counts[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    return _png(figure)


def draw_mistakes(mistakes: Sequence[Mistake]) -> bytes:
    """Draw mistakes in the order given, five in a row; return a PNG."""
    rows = max(1, -(-len(mistakes) // ACROSS))
    figure, places = plt.subplots(
        rows, ACROSS, figsize=(2.4 * ACROSS, 2.7 * rows), layout="constrained", squeeze=False
    )
    for axes in places.flat:
        axes.set_axis_off()
    for axes, mistake in zip(places.flat, mistakes, strict=False):
        axes.imshow(_visible(mistake.image), cmap="gray", vmin=0, vmax=255)
        said = f"{_short(mistake.predicted)} {mistake.probability:.1%}"
        axes.set_title(f"{said}\nis {_short(mistake.true)}", fontsize=9, parse_math=False)
    what = "the most confident mistakes" if mistakes else "no mistakes"
    figure.suptitle(what, parse_math=False)
    return _png(figure)


def _visible(image: np.ndarray) -> np.ndarray:
    """Lay a picture out as Matplotlib takes it, with so few pixels as are seen."""
    step = max(1, min(image.shape[1:]) // 256)
    image = image[:, ::step, ::step]
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _png(figure: Any) -> bytes:
    picture = io.BytesIO()
    with warnings.catch_warnings():  # names in letters that the font does not have show as boxes
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(picture, format="png", dpi=100)
    plt.close(figure)
    return picture.getvalue()
