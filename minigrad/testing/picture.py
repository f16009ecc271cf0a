"""The picture of a failed gradient check: where it is wrong, and by how much at each step."""

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from minigrad.autograd import Array
from minigrad.testing.report import Failure


def draw(failures: list[Failure]) -> Figure:
    """Draw a row for each failure: a heat map of the error, and the error against the step."""
    figure = Figure(figsize=(10, 4 * len(failures)), layout="constrained")
    panels = figure.subplots(len(failures), 2, squeeze=False)
    for (left, right), failure in zip(panels, failures, strict=True):
        _heat_map(figure, left, failure)
        _step_curve(right, failure)
    return figure


def _heat_map(figure, axes, failure: Failure) -> None:  # type: ignore[no-untyped-def]
    error = as_picture(failure.gradient - failure.expected)
    largest = float(np.nanmax(np.abs(error))) or 1.0
    norm = SymLogNorm(largest / 100, vmin=-largest, vmax=largest)
    image = axes.imshow(error, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="backward − differences")
    axes.set_title(f"{failure.name} {failure.direction.shape}: where it is wrong")
    shape = failure.direction.shape
    if len(shape) == 4:  # a sheet of images, a row of them for each first index
        rows, columns = shape[0] * shape[2], shape[1] * shape[3]
        axes.hlines(np.arange(0, rows + 1, shape[2]) - 0.5, -0.5, columns - 0.5, "black", lw=1.0)
        axes.vlines(np.arange(0, columns + 1, shape[3]) - 0.5, -0.5, rows - 0.5, "black", lw=1.0)
        axes.set_xlabel("axes 1 and 3")
        axes.set_ylabel("axes 0 and 2")


def _step_curve(axes, failure: Failure) -> None:  # type: ignore[no-untyped-def]
    steps, errors = zip(*failure.errors, strict=True)
    floor = 1e-18
    axes.loglog(steps, np.maximum(errors, floor), "o-", label="this gradient")
    # What a right one would show: rounding to the left, the curve of f to the right.
    size = max(abs(failure.numeric), 1e-12)
    usual = [size * (2.2e-16 / step + step**2) for step in steps]
    axes.loglog(steps, usual, "--", color="0.6", label="a right one, about")
    axes.set_xlabel("step")
    axes.set_ylabel("|backward − differences|")
    axes.set_title("error for each step")
    axes.legend()


def as_picture(array: Array) -> Array:
    """Lay an array of any shape out as two axes: (N, C, H, W) as N rows of C images."""
    if array.ndim == 4:
        n, c, h, w = array.shape
        return array.transpose(0, 2, 1, 3).reshape(n * h, c * w)
    if array.ndim < 2:
        return array.reshape(1, -1)
    return array.reshape(-1, array.shape[-1])
