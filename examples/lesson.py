"""What the lessons share: where pictures go, and how an exercise is checked.

A lesson is a script in cells (``# %%``): run it, step through it in an editor, or open it as a
notebook (``jupytext --to ipynb examples/02_graph_and_order.py``). A notebook shows what the last
line of a cell gives, so nothing here gives anything; and a figure is begun in the cell that shows
it, as one that a cell leaves open would be shown there, unfinished.

At its end stand exercises: functions that do not work yet. `exercise` holds a function against its
property and says what is wrong with it, so a lesson can be run again and again while its exercises
are being solved.
"""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

if "ipykernel" not in sys.modules:
    mpl.use("Agg")  # a script writes pictures; a notebook shows them

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

__all__ = ["PICTURES", "exercise", "keep", "picture"]

PICTURES = Path(__file__).resolve().parent / "pictures"
BLUE, ORANGE, GREEN, RED, GREY = "#1f4e9c", "#e08e2b", "#3a9d6e", "#c0392b", "#8a8f98"
COLOURS = 128  # of a picture that is kept: a plot needs no more
WIDEST = 1280  # pixels

plt.rcParams.update(
    {
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, RED, GREY]),
        "legend.frameon": False,
        "image.cmap": "gray",
    }
)


def picture(figure: Any, name: str, folder: Path | None = None) -> None:
    """Keep a figure as a small PNG; show it in a notebook, say where it is in a script.

    Parameters
    ----------
    figure : matplotlib Figure
    name : str
        Of the file, without its ending: that of the lesson, ``02-graph``.
    folder : Path, optional
        [default: that of the environment variable ``MINIGRAD_PICTURES``, or ``pictures/`` beside
        the lessons]
    """
    folder = folder or Path(os.environ.get("MINIGRAD_PICTURES", PICTURES))
    file = folder / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    keep(drawn, file)
    if "ipykernel" in sys.modules:
        plt.show()
    else:
        here = file.is_relative_to(Path.cwd())
        print(f"picture: {file.relative_to(Path.cwd()) if here else file}")
    plt.close(figure)


def keep(drawn: Any, file: Path, colours: int = COLOURS) -> None:
    """Write a PNG smaller than it came: in few colours, and no wider than a page.

    Parameters
    ----------
    drawn : file or path
        A picture.
    file : Path
        Where it is to be.
    colours : int
    """
    with Image.open(drawn) as image:
        shown = image.convert("RGB")
    if shown.width > WIDEST:
        shown = shown.resize((WIDEST, round(shown.height * WIDEST / shown.width)), Image.LANCZOS)
    shown.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)


def exercise(property_: Callable[[Callable], None], answer: Callable) -> None:
    """Hold an answer against the property it should have; say what came of it.

    Parameters
    ----------
    property_ : function
        Of `examples.exercises`: called with the answer, it raises AssertionError with a sentence
        for the reader if the answer does not have the property.
    answer : function
        The reader's.
    """
    name = answer.__name__
    try:
        with np.errstate(all="ignore"):
            property_(answer)
    except NotImplementedError:
        print(f"… {name}: yours to write")
    except AssertionError as error:
        print(f"✗ {name}: {error}")
    except Exception as error:  # of the reader's code: a lesson goes on
        print(f"✗ {name} raises {type(error).__name__}: {error}")
    else:
        print(f"✓ {name}")
