"""Trained networks, out of the files that runs leave."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from googlenet.inception import build
from googlenet.model import Network
from googlenet.recipes import OF_GOOGLENET, Recipe, from_mapping
from googlenet.run_folder.folder import (
    AVERAGED,
    CONFIG,
    MODEL,
    RunFolder,
    check_architecture,
    model_metadata,
)
from googlenet.sentences import in_one_line
from minigrad import checkpoint
from minigrad.data import Transform, transform_from_dict


@dataclass
class Model:
    """A trained network, and what it takes to use it.

    Attributes
    ----------
    net : Network
    recipe : Recipe
    classes : tuple of str
    transform : Transform
        From a picture (C, H, W) of bytes to what the network takes.
    averaged : bool
        Whether the weights are averages over steps of the training.
    """

    net: Network
    recipe: Recipe
    classes: tuple[str, ...]
    transform: Transform
    averaged: bool = False


def load_model(path: str | Path, averaged: bool = False) -> Model:
    """Read the model of a finished run.

    Parameters
    ----------
    path : path
        Of the run folder, or of its ``model.safetensors`` or ``averaged.safetensors``.
    averaged : bool
        Of a folder, take the averaged weights.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the file is damaged, of another architecture, or its parts do not fit each other.
    """
    path = Path(path)
    file = path / (AVERAGED if averaged else MODEL) if path.is_dir() else path
    if path.is_dir() and averaged and (path / MODEL).is_file() and not file.is_file():
        raise FileNotFoundError(
            f"the run {str(path)!r} has no averaged weights: its recipe says average none"
        )
    if path.is_dir() and not file.is_file():
        if (path / CONFIG).is_file():
            raise FileNotFoundError(
                f"the run {str(path)!r} is not finished: googlenet train --resume {path}"
            )
        raise FileNotFoundError(f"{str(path)!r} is no run folder: there is no {file.name} in it")
    state, metadata = checkpoint.load(file)
    check_architecture(file, metadata)
    if path.is_dir() and (path / CONFIG).is_file():
        RunFolder(path).check_own(file, metadata)
    try:
        parts = {name: json.loads(metadata[name]) for name in ("recipe", "classes", "transform")}
        channels = int(metadata["in_channels"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} does not say what it is a model of ({error!r})") from None
    recipe, classes = from_mapping(parts["recipe"], file), parts["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"{str(file)!r}: the classes must be a list of names, got {classes!r}")
    try:
        if channels not in (1, 3):
            raise ValueError(f"in_channels must be 1 or 3, got {channels}")
        transform = transform_from_dict(parts["transform"])
        _try(transform, channels, recipe.image_size)
        if recipe.architecture != metadata["architecture"]:
            raise ValueError(
                f"it is of the architecture {metadata['architecture']!r}, but its recipe of "
                f"{recipe.architecture!r}"
            )
        net = network(recipe, len(classes), channels)
        net.load_state_dict(state)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(file)!r}: {in_one_line(error)}") from None
    known = metadata.get("weights") == "averaged"
    return Model(net.eval(), recipe, tuple(classes), transform, known)


def save_model(file: str | Path, model: Model, **facts: str) -> None:
    """Write a model so that `load_model` reads it, with other facts beside its metadata.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    metadata = model_metadata(model.recipe, model.classes, model.net.in_channels, model.transform)
    checkpoint.save(file, model.net.state_dict(), metadata | facts)


def _try(transform: Transform, channels: int, size: int) -> None:
    """Make sure that a transform gives what a network takes, before anybody counts on it."""
    blank = np.zeros((channels, 48, 64), np.uint8)
    given, needed = transform(blank, np.random.default_rng(0)), (channels, size, size)
    if given.shape != needed or given.dtype != np.float32 or not np.isfinite(given).all():
        raise ValueError(
            f"the transform gives {given.dtype} of shape {given.shape}; the network takes finite "
            f"float32 of shape {needed}"
        )


def network(recipe: Recipe, classes: int, channels: int) -> Network:
    """Build the network that a recipe trains."""
    shape = {name: getattr(recipe, name) for name in OF_GOOGLENET}
    shape["stages"] = recipe.stages or None
    return build(
        recipe.architecture,
        num_classes=classes,
        in_channels=channels,
        image_size=recipe.image_size,
        aux_heads=recipe.aux_heads,
        dropout=recipe.dropout,
        aux_dropout=recipe.aux_dropout,
        init=recipe.init,
        **(shape if recipe.architecture == "googlenet" else {}),
    )
