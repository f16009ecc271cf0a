"""Draw the picture of the README: a convolution as one matrix product, in the engine's numbers.

Run it as ``python -m examples.picture examples/convolution.png``.
"""

import sys

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

import minigrad
from minigrad import functional as F
from minigrad.data import FashionMNIST

FOLLOWED = "#d6453d"
AT = 2, 3  # the output pixel that is followed through the picture
GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}
SIGNED = {"cmap": "RdBu_r", "vmin": -3, "vmax": 3}
CAPTION = (
    "Backward is the transpose: the weights times the output's gradient gives the gradient of the\n"
    "columns, and col2im adds every number of a column back onto the pixel it came from."
)


def numbers() -> dict[str, np.ndarray]:
    """Compute what is drawn: an ankle boot in 10×10 pixels, and a kernel that finds edges."""
    boot, _ = FashionMNIST(train=False)[9]
    x = minigrad.tensor(boot[np.newaxis, :, 2:27, 2:27].astype(np.float32) / 255)
    x = F.adaptive_avg_pool2d(x, 10)
    weight = minigrad.tensor([[[[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]]])
    cols, out = F.im2col(x, kernel_size=3)[0], F.conv2d(x, weight)
    product = weight.reshape(1, 9) @ cols
    assert np.allclose(product.data.reshape(out.shape), out.data, atol=1e-6)
    return {
        "image": x.data[0, 0],
        "weight": weight.data[0, 0],
        "cols": cols.data,
        "out": out.data[0, 0],
    }


def draw(path: str) -> None:
    """Draw the picture to a PNG file."""
    drawn = numbers()
    column = AT[0] * drawn["out"].shape[1] + AT[1]
    figure = plt.figure(figsize=(11, 4.3), dpi=110, facecolor="white")
    image = _panel(figure, (0.02, 0.33, 0.19, 0.46), drawn["image"], GREY, "image, 10 × 10")
    cols = _panel(
        figure, (0.26, 0.47, 0.49, 0.27), drawn["cols"], GREY,
        "im2col: column l is what window l sees, 9 × 64",
    )  # fmt: skip
    row = _panel(figure, (0.26, 0.33, 0.49, 0.05), drawn["out"].reshape(1, -1), SIGNED, "")
    row.set_xlabel("weights (1 × 9) @ columns (9 × 64) = output (1 × 64)", fontsize=10.5)
    out = _panel(figure, (0.80, 0.33, 0.19, 0.46), drawn["out"], SIGNED, "output, 8 × 8")

    for (u, v), value in np.ndenumerate(drawn["weight"]):
        label = image.text(AT[1] + v, AT[0] + u, f"{value:+.0f}" if value else "0")
        label.set(ha="center", va="center", fontsize=8, fontweight="bold")
        label.set_color("#2b6cb0" if value < 0 else "#9b2c2c")
        label.set_bbox({"boxstyle": "round,pad=.12", "fc": "white", "ec": "none", "alpha": 0.8})
    _frame(image, AT[1], AT[0], 3, 3)
    _frame(cols, column, 0, 1, 9)
    _frame(row, column, 0, 1, 1)
    _frame(out, AT[1], AT[0], 1, 1)
    _arrow(figure, image, (AT[1] + 2.6, AT[0] + 1), cols, (column - 0.6, 4))
    _arrow(figure, cols, (column, 8.6), row, (column, -0.6))
    _arrow(figure, row, (column + 0.6, 0), out, (AT[1] - 0.6, AT[0]))

    figure.text(0.5, 0.1, CAPTION, ha="center", va="center", fontsize=10.5, color="#333333")
    figure.suptitle("A convolution is one matrix product", fontsize=15, y=0.96)
    figure.savefig(path)
    plt.close(figure)


def _panel(
    figure: Figure,
    place: tuple[float, float, float, float],
    array: np.ndarray,
    colours: dict,
    title: str,
) -> Axes:
    axes = figure.add_axes(place)
    aspect = "equal" if array.shape[0] == array.shape[1] else "auto"
    axes.imshow(array, aspect=aspect, interpolation="nearest", **colours)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10.5)
    return axes


def _frame(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    corner = x - 0.5, y - 0.5
    axes.add_patch(
        Rectangle(corner, width, height, fill=False, ec=FOLLOWED, lw=2, clip_on=False, zorder=3)
    )


def _arrow(
    figure: Figure, start: Axes, a: tuple[float, float], end: Axes, b: tuple[float, float]
) -> None:
    figure.add_artist(
        ConnectionPatch(
            a, b, "data", "data", axesA=start, axesB=end, arrowstyle="-|>", color=FOLLOWED, lw=1.4
        )
    )


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "convolution.png")
