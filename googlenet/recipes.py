"""Recipes: everything that decides how a network is trained, in one place."""

import math
from dataclasses import dataclass

SMALLEST_IMAGE = 32  # pixels, of the recipes' network
PHOTOGRAPH = 64  # pixels: `Recipe.image_size` for a folder of pictures, see `for_photographs`
FEWEST_STEPS = 400  # that a folder of pictures is trained with

# What images between layers are kept in, by the name of the precision.
PRECISIONS = {"float32": "float32", "mixed": "float16", "mixed-bfloat16": "bfloat16"}


@dataclass(frozen=True)
class Recipe:
    """How to train. All of it is written into the run folder.

    Attributes
    ----------
    image_size : int
        Height and width that pictures are resized to, in pixels.
    batch_size, epochs : int
    lr : float
        Adam's learning rate at its highest: it climbs there over the share `warmup` of all steps,
        then falls along half a cosine to zero.
    betas : (float, float)
        Adam's memories of gradient and square.
    weight_decay, label_smoothing : float
    dropout, aux_dropout : float
        Before the classifier of the main and of the auxiliary heads.
    flip : bool
        Mirror half of the training pictures.
    crop : float
        Of photographs, the smallest share of the area that a random crop keeps in training; with 1
        they are cropped from the middle, as for the test. Pictures of one size are never cropped.
    batch_norm, aux_heads : bool
    precision : {"float32", "mixed", "mixed-bfloat16"}
        What images between layers are kept in: float32; float16, with loss scaling; or bfloat16.
        Weights, their gradients and all sums are float32 in any case.
    seed : int
        Of the first weights, the order of the pictures, and dropout.
    """

    image_size: int = 32
    batch_size: int = 64
    epochs: int = 12
    lr: float = 7e-4
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: float = 0.05
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    dropout: float = 0.4
    aux_dropout: float = 0.7
    flip: bool = True
    crop: float = 0.35
    batch_norm: bool = False
    aux_heads: bool = True
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"image_size": SMALLEST_IMAGE, "batch_size": 1, "epochs": 1, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}")
        for name in ("weight_decay", "label_smoothing", "dropout", "aux_dropout", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop must lie in (0, 1], got {self.crop!r}")
        if self.precision not in PRECISIONS:
            names = ", ".join(PRECISIONS)
            raise ValueError(f"precision must be one of {names}, got {self.precision!r}")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr must be a number above 0, got {self.lr!r}")


def for_photographs(count: int) -> dict[str, int]:
    """Return the size of batches and the number of epochs that suit so many photographs.

    The recipe's own are for 5,000 pictures. A user's folder may hold a few dozen: twelve epochs of
    them would be a dozen steps, in which nothing is learnt. An epoch should be sixteen steps where
    that is possible with batches of at least 8, and a training `FEWEST_STEPS`.

    (And `PHOTOGRAPH` pixels: on 32 little is left of a photograph, and every doubling costs four
    times the time. At 64 two cores go through some hundred pictures a second.)

    Examples
    --------
    >>> for_photographs(72), for_photographs(2000), for_photographs(50_000)
    ({'batch_size': 8, 'epochs': 45}, {'batch_size': 64, 'epochs': 13},
     {'batch_size': 64, 'epochs': 12})
    """
    batch = next(size for size in (Recipe.batch_size, 32, 16, 8) if size == 8 or count >= 16 * size)
    steps = math.ceil(count / batch)
    return {"batch_size": batch, "epochs": max(Recipe.epochs, math.ceil(FEWEST_STEPS / steps))}
