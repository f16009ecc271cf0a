"""Recipes as text: out of files and off command lines, where anything may stand.

A file is TOML or JSON, a table of hyperparameters; ``base`` names the recipe that it changes::

    base = "caffe"
    lr = 0.02
    milestones = [30, 45]
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from googlenet.recipes.named import RECIPES, Published
from googlenet.recipes.recipe import Recipe, names, rule

MOST_BYTES = 1 << 16  # of a file: one of all hyperparameters is a few thousand
BASE = "base"


def named(name: str) -> Published:
    """Look a recipe up by its name.

    Raises
    ------
    ValueError
        Naming what there is instead, and the nearest of it.
    """
    if name not in RECIPES:
        raise ValueError(
            f"there is no recipe {name!r}{_meant(name, RECIPES) or '.'} There are "
            f"{', '.join(RECIPES)}, and files that end in .toml or .json"
        )
    return RECIPES[name]


def is_file(name: str) -> bool:
    """Tell whether what stands for a recipe is the path of a file."""
    return Path(name).suffix.lower() in (".toml", ".json")


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a file.

    Parameters
    ----------
    path : path
        Of TOML or JSON, by its ending.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file and what is wrong in it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no recipe {str(path)!r}")
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"a recipe has at most {MOST_BYTES:,} bytes")
        text = content.decode("utf-8")
        found = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("a table of hyperparameters was needed")
        base = found.pop(BASE, "default")
        if not isinstance(base, str):
            raise ValueError(f"{BASE} must be the name of a recipe, got {base!r}")
        return changed(named(base).recipe, found)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r}: {error}") from None


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return a recipe with other values.

    Raises
    ------
    ValueError
        If a name is unknown (the nearest is suggested), or a value is none it may have.
    """
    for name in values:
        _check_name(name)
    return replace(recipe, **values)


def settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Read what stands behind ``--set``: ``name=value``, each name once.

    Raises
    ------
    ValueError
        Naming the text, or the name, and what it may be.

    Examples
    --------
    >>> settings(["lr=0.02", "betas=0.9,0.95", "nesterov=true"])
    {'lr': 0.02, 'betas': (0.9, 0.95), 'nesterov': True}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, got {pair!r}")
        _check_name(name)
        if name in found:
            raise ValueError(f"--set {name} is given twice")
        found[name] = rule(name).parse(name, text)
    return found


def from_mapping(content: Any, file: str | Path) -> Recipe:
    """Make a recipe of what a run's file says. What is not said was not known yet, and is default.

    Raises
    ------
    ValueError
        Naming the file and what is wrong in it.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{str(file)!r} holds no recipe")
    unknown = sorted(set(content) - {"name", *names()})
    if unknown:
        raise ValueError(f"{str(file)!r}: the recipe has unknown options {', '.join(unknown)}")
    try:
        return Recipe(**content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(file)!r}: {error}") from None


def _check_name(name: str) -> None:
    known = names()
    if name not in known:
        near = _meant(name, known) or f". There are {', '.join(known)}"
        raise ValueError(f"a recipe has no hyperparameter {name!r}{near}")


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f": did you mean {near[0]!r}?" if near else ""
