"""Recipes: everything that decides how a network is trained, in one place.

`recipe` lists the hyperparameters, `rules` says what they may be, `named` has the recipes that were
published, and `files` reads others.
"""

import math

from googlenet.recipes.files import changed, from_mapping, is_file, named, read_recipe, settings
from googlenet.recipes.named import RECIPES, Published, differences
from googlenet.recipes.recipe import (
    NORMALIZATIONS,
    OF_GOOGLENET,
    PRECISIONS,
    Recipe,
    about,
    names,
    part,
    rule,
)
from googlenet.recipes.rules import written

__all__ = [
    "NORMALIZATIONS",
    "OF_GOOGLENET",
    "PHOTOGRAPH",
    "PRECISIONS",
    "RECIPES",
    "Published",
    "Recipe",
    "about",
    "changed",
    "differences",
    "for_photographs",
    "from_mapping",
    "is_file",
    "named",
    "names",
    "part",
    "read_recipe",
    "rule",
    "settings",
    "written",
]

PHOTOGRAPH = 64  # pixels: `Recipe.image_size` for a folder of pictures, see `for_photographs`
FEWEST_STEPS = 400  # that a folder of pictures is trained with


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
