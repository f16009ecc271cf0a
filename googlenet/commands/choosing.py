"""Which recipe is meant by a command line: a name or a file, options, and what suits the data."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from googlenet.commands.errors import Usage
from googlenet.finetuning import like_trained
from googlenet.recipes import (
    PHOTOGRAPH,
    RECIPES,
    Recipe,
    changed,
    for_photographs,
    is_file,
    named,
    names,
    read_recipe,
    settings,
)
from googlenet.run_folder import Model, load_model
from minigrad.data import DATASETS

OF_PHOTOGRAPHS = ("crop", "aspect", "interpolation")  # of any size, see `googlenet.pictures`


@dataclass(frozen=True)
class Chosen:
    """A recipe, the data it is for, and what of it was said.

    Attributes
    ----------
    recipe : Recipe
    data : str
        A name or a folder.
    said : frozenset of str
        The hyperparameters that the command line names.
    free : bool
        Whether no recipe was named: then batches and epochs may suit the data.
    """

    recipe: Recipe
    data: str
    said: frozenset[str]
    free: bool

    @classmethod
    def of(cls, options: dict[str, Any], start: Model | None = None) -> "Chosen":
        """Put together what was asked for.

        Parameters
        ----------
        options : dict
            "base": a recipe's name or file. "settings": texts ``name=value``. "data". And
            hyperparameters by name; None or () is what was not said.
        start : Model, optional
            A trained network to go on from.

        Raises
        ------
        ValueError, FileNotFoundError
            Naming what is wrong.
        """
        base = options["base"]
        recipe = recipe_meant(base or "default")
        said = _said(options)
        data = options["data"] or _meant_for(recipe)
        free = base is None
        if free and data not in DATASETS:
            recipe = replace(recipe, image_size=PHOTOGRAPH)
        if start is None:
            recipe = changed(recipe, said)
        else:
            # Their own values first: what was said has to be held against them.
            recipe = like_trained(recipe, start.recipe, start.transform, said)
        _refuse_unused(recipe, said, data)
        return cls(recipe, data, frozenset(said), free)

    def fitting(self, pictures: int) -> Recipe:
        """Return the recipe with batches and epochs that suit a folder, where none were said."""
        if not self.free or self.data in DATASETS:
            return self.recipe
        suiting: dict[str, Any] = dict(for_photographs(pictures))
        return replace(self.recipe, **{n: v for n, v in suiting.items() if n not in self.said})


def recipe_meant(name: str) -> Recipe:
    """Return the recipe of a name, or of a file."""
    return read_recipe(name) if is_file(name) else named(name).recipe


def load_start(path: Path) -> Model:
    """Read the trained network that another begins with."""
    if not path.exists():
        raise Usage(f"finetune: there is no run {str(path)!r}")
    return load_model(path)


def _said(options: dict[str, Any]) -> dict[str, Any]:
    """List the hyperparameters that were said, each once."""
    by_option = {n: options[n] for n in names() if options.get(n) not in (None, ())}
    set_too = settings(options["settings"])
    for name in by_option.keys() & set_too.keys():
        option = "--" + name.replace("_", "-")
        raise ValueError(f"{name} is given twice, by {option} and by --set")
    return {**by_option, **set_too}


def _meant_for(recipe: Recipe) -> str:
    """Return the data that a recipe is meant for, where none was said."""
    known = RECIPES[recipe.name]
    if known.data not in DATASETS:
        raise Usage(
            f"the recipe {recipe.name!r} is meant for {known.data_note}; say where the pictures "
            "are: --data"
        )
    return known.data


def _refuse_unused(recipe: Recipe, said: dict[str, Any], data: str) -> None:
    unused = recipe.unused()
    if data in DATASETS:
        unused |= dict.fromkeys(OF_PHOTOGRAPHS, f"the pictures of {data}, which are of one size")
    else:
        unused["pad"] = "photographs"
    for name in said:
        if name in unused:
            raise ValueError(f"{name} changes nothing with {unused[name]}")
