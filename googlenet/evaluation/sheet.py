"""The crops of a picture, drawn: where they lie, and all of them in rows.

Above, the picture once for each scale, true to size beside the others, with its squares; in one of
them the S×S crops. Below, a row for each square, a column for each view: of the paper's 144 crops
twelve rows of twelve.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from googlenet.drawing import plt, png, visible
from googlenet.evaluation.crops import WHOLE, Crop, Square, distinct
from googlenet.evaluation.views import cut

__all__ = ["draw_crops"]

COLOURS = {"left": "#0072b2", "top": "#0072b2", "centre": "#d55e00", "right": "#009e73"}
COLOURS["bottom"] = COLOURS["right"]
THUMBNAIL = 0.78  # inches
MARGIN, EDGE, SPACE = 1.0, 0.25, 0.3  # inches: left of the rows, around all, between pictures


def draw_crops(image: np.ndarray, crops: Sequence[Crop], size: int, name: str = "") -> bytes:
    """Draw the crops of a picture; return a PNG.

    Parameters
    ----------
    image : array (C, H, W)
        Bytes.
    crops : sequence of Crop
        Made for H, W and `size`.
    size : int
        S.
    name : str
        Of the picture, for the title.
    """
    squares = list(dict.fromkeys(crop.square for crop in crops))
    rows = {square: [crop for crop in crops if crop.square == square] for square in squares}
    columns = max(map(len, rows.values()))
    scales: dict[int, list[Square]] = {}
    for square in squares:
        scales.setdefault(square.shorter, []).append(square)

    width = 2 * EDGE + MARGIN + THUMBNAIL * max(columns, 10)
    high = max(square.height for square in squares)
    wide = sum(found[0].width for found in scales.values())
    spaces = SPACE * (len(scales) - 1)
    inch = min((width - 2 * EDGE - spaces) / wide, 3.2 / high)  # of a pixel
    below = len(squares) * THUMBNAIL + 0.14 * (len(scales) - 1)
    first = 0.85 + high * inch + 1.15  # where the rows begin
    height = first + below + EDGE
    figure = plt.figure(figsize=(width, height))

    def axes_at(left: float, top: float, across: float, down: float) -> Any:
        box = (left / width, 1 - (top + down) / height, across / width, down / height)
        axes = figure.add_axes(box)
        axes.set(xticks=(), yticks=())
        return axes

    def write(across: float, down: float, text: str, **how: Any) -> None:
        how = {"ha": "center", "va": "center", "parse_math": False, **how}
        figure.text(across / width, 1 - down / height, text, **how)

    write(width / 2, 0.3, _title(image, crops, size, name), fontsize=12)
    write(width / 2, 0.85 + high * inch + 0.4, _caption(crops, size), fontsize=9, color="0.3")
    left = (width - wide * inch - spaces) / 2
    for shorter, found in scales.items():
        across, down = found[0].width * inch, found[0].height * inch
        axes = axes_at(left, 0.85 + high * inch - down, across, down)
        _draw_scale(axes, image, found, rows, shorter)
        left += across + SPACE

    top, start = first, (width - 2 * EDGE - MARGIN - THUMBNAIL * columns) / 2 + EDGE + MARGIN
    for shorter, found in scales.items():
        for square in found:
            _draw_row(axes_at, start, top, image, rows[square], size, top == first)
            label = f"{shorter}\n{square.name}"
            colour = COLOURS[square.name]
            write(start - 0.12, top + THUMBNAIL / 2, label, ha="right", fontsize=9, color=colour)
            top += THUMBNAIL
        top += 0.14
    return png(figure, dpi=130)


def _caption(crops: Sequence[Crop], size: int) -> str:
    """Say what the lines in the pictures are."""
    if len(crops) == 1:
        return f"the central square, and in it the {size}×{size} crop (dashed)"
    what = f"the five {size}×{size} crops (white; that at the top left filled, the centre dashed)"
    squares = {crop.square for crop in crops}
    if len(squares) == 1:
        return f"the central square, and in it {what}"
    if len({square[1:] for square in squares}) == len({square.shorter for square in squares}):
        return f"of a square picture the three squares are one; in it {what}"
    return f"the three squares of each scale; in the one in the centre, {what}"


def _title(image: np.ndarray, crops: Sequence[Crop], size: int, name: str) -> str:
    """Say what is shown, and how many crops differ."""
    _, height, width = image.shape
    differ = len(distinct(crops))
    said = f"{len(crops)} crop{'s' * (len(crops) > 1)} of {size}×{size} from {width}×{height}"
    said += f": {name}" if name else ""
    return said + (f"  ({differ} differ)" if differ < len(crops) else "")


def _draw_scale(
    axes: Any,
    image: np.ndarray,
    squares: Sequence[Square],
    rows: dict[Square, list[Crop]],
    shorter: int,
) -> None:
    """Draw the picture at one scale, its squares, and the crops in the one in the middle."""
    high, wide = squares[0].height, squares[0].width
    axes.imshow(visible(image), cmap="gray", vmin=0, vmax=255, extent=(0, wide, high, 0))
    axes.set(xlim=(0, wide), ylim=(high, 0))
    axes.set_xlabel(f"{wide}×{high}", fontsize=9)
    axes.set_title(f"shorter side {shorter}", fontsize=9)
    middle = next((square for square in squares if square.name == "centre"), squares[0])
    inset = 0.008 * wide
    for crop in rows[middle]:
        if crop.view != WHOLE and not crop.mirrored:
            box = (crop.left + inset, crop.top + inset), *2 * (crop.side - 2 * inset,)
            if crop.view == "top left":
                axes.add_patch(plt.Rectangle(*box, color="white", alpha=0.3, linewidth=0))
            style = "--" if crop.view == "centre" else "-"
            edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 1, "linestyle": style}
            axes.add_patch(plt.Rectangle(*box, fill=False, **edge))
    for place, square in enumerate(squares):  # one a little inside the other, to see them all
        inwards = inset * (1 + place % 2) / 2
        box = (square.left + inwards, square.top + inwards), *2 * (square.side - 2 * inwards,)
        colour = COLOURS[square.name]
        axes.add_patch(plt.Rectangle(*box, fill=False, linewidth=1.8, edgecolor=colour))


def _draw_row(
    axes_at: Any, left: float, top: float, image: np.ndarray, crops: Sequence[Crop], size: int,
    headed: bool,
) -> None:  # fmt: skip
    """Draw the crops of one square beside each other, under the names of the views if asked."""
    inner = THUMBNAIL - 0.07
    for column, (crop, picture) in enumerate(zip(crops, cut(image, crops, size), strict=True)):
        axes = axes_at(left + column * THUMBNAIL, top + 0.035, inner, inner)
        axes.imshow(visible(picture), cmap="gray", vmin=0, vmax=255, aspect="auto")
        for spine in axes.spines.values():
            spine.set(edgecolor=COLOURS[crop.square.name], linewidth=1.6)
        if headed:
            name = crop.view.replace(" ", "\n")
            axes.set_title(name + ("\nmirrored" if crop.mirrored else ""), fontsize=8)
