"""What all plots share: Matplotlib without a window, images and names as it takes them.

Matplotlib takes half a second to import: who may not draw imports this where it draws.
"""

import io
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # a picture, not a window

from matplotlib import pyplot as plt

__all__ = ["plt", "png", "short", "visible"]

LONGEST = 24  # characters of a name


def visible(image: np.ndarray) -> np.ndarray:
    """Lay a picture (C, H, W) out as Matplotlib takes it, with so few pixels as are seen."""
    step = max(1, min(image.shape[1:]) // 256)
    image = image[:, ::step, ::step]
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def short(name: str) -> str:
    """Cut a name to what there is room for."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def png(figure: Any, dpi: int = 100) -> bytes:
    """Return a figure as a PNG, and close it."""
    picture = io.BytesIO()
    with warnings.catch_warnings():  # names in letters that the font does not have show as boxes
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(picture, format="png", dpi=dpi)
    plt.close(figure)
    return picture.getvalue()
