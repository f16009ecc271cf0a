"""A batch drawn as a network sees it: each picture as it is, and what an epoch makes of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from googlenet.drawing import plt, png, short, visible
from minigrad.data import Dataset, Transform
from minigrad.data.randomness import EpochRandomness

__all__ = ["Row", "choose", "draw_augmented", "versions"]

SIDE = 1.25  # inches of a picture
GAP = 0.15  # of a picture, between the first column and the others


class Row(NamedTuple):
    """A picture and what becomes of it.

    Attributes
    ----------
    label : str
        The name of its class.
    original : array (C, H, W)
        Bytes, as they were read.
    versions : list of array
        What the network gets, before it is normalised.
    """

    label: str
    original: np.ndarray
    versions: list[np.ndarray]


def choose(dataset: Dataset, count: int, seed: int) -> list[int]:
    """Return pictures at random, of as many classes as there can be.

    Examples
    --------
    >>> from minigrad.data import FashionMNIST
    >>> dataset = FashionMNIST(train=False)
    >>> sorted(dataset[index][1] for index in choose(dataset, 10, seed=0))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    labels = np.asarray(dataset.labels)  # type: ignore[attr-defined]
    order = np.random.default_rng(seed).permutation(len(labels))
    times: dict[int, int] = {}
    rounds = np.empty(len(labels), np.int64)  # how many of its class come before each
    for place, index in enumerate(order):
        label = int(labels[index])
        rounds[place] = times.get(label, 0)
        times[label] = rounds[place] + 1
    first = np.argsort(rounds, kind="stable")[:count]
    chosen = order[first]
    return [int(index) for index in chosen[np.argsort(labels[chosen], kind="stable")]]


def versions(
    dataset: Dataset, indices: Sequence[int], transform: Transform, count: int, seed: int
) -> list[Row]:
    """Return pictures with what the first epochs of a training with this seed make of them."""
    epochs = [EpochRandomness(seed, epoch) for epoch in range(count)]
    rows = []
    for index in indices:
        image, label = dataset[index]
        made = [transform(image, epoch.of_sample(index)) for epoch in epochs]
        rows.append(Row(dataset.classes[label], image, made))
    return rows


def draw_augmented(rows: Sequence[Row], title: str) -> bytes:
    """Draw a row for each picture: on its left as it is, then its versions; return a PNG."""
    across = 1 + len(rows[0].versions)
    widths = [1.0, GAP, *[1.0] * (across - 1)]
    figure = plt.figure(figsize=(SIDE * sum(widths) + 0.6, SIDE * len(rows) + 0.75))
    grid = figure.add_gridspec(
        len(rows), len(widths), width_ratios=widths, wspace=0.05, hspace=0.05,
        left=0.42 / figure.get_figwidth(), right=1 - 0.12 / figure.get_figwidth(),
        bottom=0.12 / figure.get_figheight(), top=1 - 0.6 / figure.get_figheight(),
    )  # fmt: skip
    for number, row in enumerate(rows):
        for column, image in enumerate([row.original, *row.versions]):
            axes = figure.add_subplot(grid[number, column + (column > 0)])
            axes.imshow(visible(image), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            for side in axes.spines.values():
                side.set_visible(False)
            if column == 0:
                middle = grid[number, 0].get_position(figure)
                figure.text(
                    0.25 / figure.get_figwidth(), (middle.y0 + middle.y1) / 2, short(row.label),
                    fontsize=8, rotation=90, ha="center", va="center",
                )  # fmt: skip
            if number == 0:
                axes.set_title("as it is" if column == 0 else f"epoch {column}", fontsize=9, pad=5)
    figure.text(
        0.42 / figure.get_figwidth(), 1 - 0.12 / figure.get_figheight(), title, fontsize=10,
        va="top", weight="bold",
    )  # fmt: skip
    return png(figure, dpi=150)
