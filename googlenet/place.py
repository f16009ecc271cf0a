"""How far a training is, as a checkpoint has it: what comes from a file is not trusted."""

from collections.abc import Mapping
from typing import Any

from googlenet.recipes import Recipe


def check_place(values: Any, recipe: Recipe) -> None:
    """Refuse what does not say how far a training is: it would fail long after it was read.

    Parameters
    ----------
    values : object
        The values of `Training.state_dict`, out of a file; what parts of it mean to the optimiser
        and to the loader, these see to.
    recipe : Recipe

    Raises
    ------
    ValueError
        Saying what is missing or wrong.
    """
    if not isinstance(values, Mapping):
        raise ValueError("it does not say how far it is")
    history, means, keys = (values.get(name) for name in ("history", "means", "keys"))
    if not isinstance(history, list) or len(history) > recipe.epochs:
        raise ValueError(f"its history must be that of at most {recipe.epochs} epochs")
    for number, row in enumerate(history, 1):
        if not _numbers(row) or row.get("epoch") != number or set(row) != set(history[0]):
            raise ValueError(f"row {number} of its history is not that of an epoch")
    if not isinstance(means, Mapping) or not _numbers(means.get("sums")):
        raise ValueError("it has no means of the epoch that was going on")
    counts = [means.get("count"), *(keys[n] for n in ("seed", "drawn") if isinstance(keys, dict))]
    if not all(type(count) is int and 0 <= count < 2**64 for count in counts):
        raise ValueError("it does not say where its random numbers and its means stand")
    if not _numbers({n: values.get(n) for n in ("rate", "seconds", "seconds_of_epoch")}):
        raise ValueError("it has no learning rate or no times")


def _numbers(content: Any) -> bool:
    """Tell whether something is a mapping to numbers."""
    return isinstance(content, Mapping) and all(type(n) in (int, float) for n in content.values())
