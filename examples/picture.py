"""Draw the picture of the README: a convolution as one matrix product, in the engine's numbers.

    python -m examples.picture examples/convolution.png
"""

import sys

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import ConnectionPatch, Rectangle

import minigrad
from minigrad import functional as F
from minigrad.data import FashionMNIST

WINDOW = "#d6453d"
AT = 4, 5  # the output pixel that is followed through the picture


def numbers() -> dict[str, np.ndarray]:
    """Compute everything that is drawn: an ankle boot, 10×10 pixels, and a vertical-edge kernel."""
    boot, _ = FashionMNIST(train=False)[9]
    image = boot[:, 2:26, 2:26].astype(np.float32) / 255
    image = F.avg_pool2d(minigrad.tensor(image[np.newaxis]), 2).data[:, :, 1:11, 1:11]
    weight = np.array([[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]], np.float32)
    x, w = minigrad.tensor(image), minigrad.tensor(weight)
    cols = F.im2col(x, kernel_size=3)
    out = F.conv2d(x, w)
    product = w.reshape(1, 9) @ cols[0]
    assert np.allclose(product.data.reshape(out.shape), out.data, atol=1e-6)
    return {"image": image[0, 0], "weight": weight[0, 0], "cols": cols.data[0], "out": out.data[0, 0]}


def draw(path: str) -> None:
    """Draw the picture to a PNG file."""
    drawn = numbers()
    height, width = drawn["out"].shape
    column = AT[0] * width + AT[1]
    figure = plt.figure(figsize=(11, 4.9), dpi=110, facecolor="white")
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1}
    edges = {"cmap": "RdBu_r", "vmin": -3, "vmax": 3}

    image = _panel(figure, [0.02, 0.36, 0.19, 0.46], drawn["image"], grey, "image\n10 × 10")
    image.add_patch(_frame(AT[1], AT[0], 3, 3))
    for (u, v), value in np.ndenumerate(drawn["weight"]):
        colour = "#2b6cb0" if value < 0 else "#9b2c2c"
        place = AT[1] + v, AT[0] + u
        image.text(*place, f"{value:+.0f}", color=colour, ha="center", va="center", fontsize=8,
                   fontweight="bold", bbox={"boxstyle": "round,pad=.15", "fc": "white", "ec": "none", "alpha": 0.75})

    cols = _panel(
        figure, [0.25, 0.47, 0.51, 0.24], drawn["cols"], grey,
        "im2col: column l is what window l sees     9 × 64", aspect="auto",
    )
    cols.add_patch(_frame(column, 0, 1, 9))
    weight = _panel(
        figure, [0.25, 0.80, 0.51, 0.02], drawn["weight"].reshape(1, 9), edges, "", aspect="auto"
    )
    weight.remove()
    row = _panel(
        figure, [0.25, 0.27, 0.51, 0.045], drawn["out"].reshape(1, -1), edges, "", aspect="auto"
    )
    row.add_patch(_frame(column, 0, 1, 1))
    row.set_xlabel("weights (1 × 9)  @  columns (9 × 64)  =  output (1 × 64)", fontsize=10)
    out = _panel(figure, [0.80, 0.36, 0.19, 0.46], drawn["out"], edges, "output\n8 × 8")
    out.add_patch(_frame(AT[1], AT[0], 1, 1))

    for start, from_, end, to in (
        (image, (AT[1] + 2.5, AT[0] + 0.5), cols, (column - 0.5, 4)),
        (cols, (column, 8.5), row, (column, -0.5)),
        (row, (column + 0.5, 0), out, (AT[1] - 0.5, AT[0] + 0.5)),
    ):
        figure.add_artist(
            ConnectionPatch(
                from_, to, "data", "data", axesA=start, axesB=end,
                arrowstyle="-|>", color=WINDOW, linewidth=1.4, shrinkB=2,
                connectionstyle="arc3,rad=-0.12",
            )
        )  # fmt: skip
    figure.text(
        0.5, 0.06,
        "Backward is the transpose: the output's gradient times the weights gives the columns' gradient, "
        "and col2im adds\nevery entry of a column back onto the pixel it came from.",
        ha="center", va="center", fontsize=10, color="#333333",
    )  # fmt: skip
    figure.suptitle("A convolution is one matrix product", fontsize=14, y=0.97)
    figure.savefig(path)
    plt.close(figure)


def _panel(figure, place, array, colours, title, aspect="equal"):  # type: ignore[no-untyped-def]
    axes = figure.add_axes(place)
    axes.imshow(array, aspect=aspect, interpolation="nearest", **colours)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)
    return axes


def _frame(x: float, y: float, width: float, height: float) -> Rectangle:
    return Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=WINDOW, linewidth=2)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "convolution.png")
