"""Going on from a trained network: which weights are taken over, and which of them stay.

Layers near the picture know edges and textures, which are alike in all pictures; only the
classifiers know classes. So a network that was trained on many pictures is taken over for a few of
other classes: its *backbone*, everything but the classifiers, begins where it ended, and is trained
gently (``backbone_lr``) or not at all (``freeze``), and classifiers of other classes begin anew.

Parameters that are frozen get no gradient, and nothing is computed on the way back that only they
would need; layers of batch normalisation that are frozen keep their statistics too.

J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural
networks?", 2014.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from googlenet.recipes import OF_GOOGLENET, Recipe, changed
from minigrad import nn
from minigrad.data import Compose, Normalize, ToFloat, Transform

BACKBONE = "backbone"
SHAPING = ("architecture", *OF_GOOGLENET)  # what weights need to fit
TAKEN = (*SHAPING, "aux_heads", "dropout", "aux_dropout", "image_size")


def is_classifier(name: str) -> bool:
    """Tell whether a parameter is one of a classifier: the last layer of the main path or a head.

    Examples
    --------
    >>> is_classifier("classifier.weight"), is_classifier("aux_4a.classifier.bias")
    (True, True)
    >>> is_classifier("aux_4a.fc.weight")
    False
    """
    return "classifier" in name.split(".")[:-1]


# -- freezing ------------------------------------------------------------------------------------


def freeze(net: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Let parameters stay as they are. Returns their names.

    Parameters
    ----------
    net : Module
    patterns : sequence of str
        ``backbone``, or patterns of names, of parameters or of layers: ``conv*``, ``inception_3*``,
        ``inception_4a.conv_1x1``.

    Raises
    ------
    ValueError
        If a pattern matches nothing, or nothing is left to be trained.
    """
    named = dict(net.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        found = {name for name in named if _matches(name, pattern)}
        if not found:
            layers = sorted({name.split(".")[0] for name in named})
            raise ValueError(
                f"freeze: the pattern {pattern!r} matches no parameter; there are those of "
                f"{', '.join(layers)}, and {BACKBONE} means all but the classifiers"
            )
        frozen |= found
    if len(frozen) == len(named):
        raise ValueError("freeze leaves no parameter to be trained")
    for name in frozen:
        named[name].requires_grad = False
        named[name].grad = None
    return [name for name in named if name in frozen]


def _matches(name: str, pattern: str) -> bool:
    if pattern == BACKBONE:
        return not is_classifier(name)
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def keep_statistics(net: nn.Module) -> None:
    """Set layers of batch normalisation that are frozen to use: their statistics stay.

    To be called after `Module.train`.
    """
    for _, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            frozen = not (module.weight.requires_grad or module.bias.requires_grad)
            module.training = module.training and not frozen


# -- going on from a trained network -------------------------------------------------------------


def like_trained(
    recipe: Recipe, trained: Recipe, transform: Transform, said: Mapping[str, Any]
) -> Recipe:
    """Return a recipe for the network of another, which takes pictures as that one does.

    Taken over are what shapes the network, the size of its pictures, and the normalisation, as
    fixed numbers: to the weights, other numbers would be other pictures.

    Parameters
    ----------
    recipe : Recipe
        How to train.
    trained : Recipe
        Of the trained network.
    transform : Transform
        What its pictures go through.
    said : mapping of str to values
        The hyperparameters that were asked for, which go before.

    Raises
    ------
    ValueError
        If something else was asked for than weights can fit.
    """
    for name in SHAPING:
        if name in said and said[name] != getattr(trained, name):
            raise ValueError(
                f"{name} cannot be another than that of the trained network, "
                f"{getattr(trained, name)!r}, got {said[name]!r}"
            )
    values = {name: getattr(trained, name) for name in TAKEN}
    if not said.keys() & {"normalization", "mean", "std"}:
        values |= normalization(transform)
    return changed(recipe, {**values, **said})


def normalization(transform: Transform) -> dict[str, Any]:
    """Return how pictures are normalised, as hyperparameters.

    Raises
    ------
    ValueError
        If it is not seen.
    """
    steps = transform.transforms if isinstance(transform, Compose) else [transform]
    last = steps[-1] if steps else None
    if isinstance(last, ToFloat):
        return {"normalization": "scale", "mean": (), "std": ()}
    if not isinstance(last, Normalize):
        raise ValueError("the trained network does not say how its pictures are normalised")
    mean, std = (
        (float(values),) if isinstance(values, int | float) else tuple(map(float, values))
        for values in (last.mean, last.std)
    )
    return {"normalization": "fixed", "mean": mean, "std": std}


def take_over(net: nn.Module, trained: nn.Module, same_classes: bool) -> list[str]:
    """Copy the weights and buffers of a trained network.

    Parameters
    ----------
    net : Module
        Whose classifiers keep their first weights if the classes are others; so do auxiliary heads
        that the trained network lacks, or has for pictures of another size.
    trained : Module
    same_classes : bool
        Whether both tell the same classes, in the same order.

    Returns
    -------
    list of str
        The layers and heads that begin anew.

    Raises
    ------
    ValueError
        Lists what does not fit.
    """
    own, given = net.state_dict(), trained.state_dict()
    anew = {name.rsplit(".", 1)[0] for name in own if is_classifier(name) and not same_classes}
    for name, array in own.items():
        known = given.get(name)
        fits = known is not None and known.shape == array.shape
        if _is_of_head(name) and not is_classifier(name) and not fits:
            anew.add(name.split(".")[0])
    kept = {name: array for name, array in own.items() if _is_within(name, anew)}
    given = {name: array for name, array in given.items() if name in own or not _is_of_head(name)}
    net.load_state_dict({**given, **{name: array.copy() for name, array in kept.items()}})
    return sorted(each for each in anew if not _is_within(each, anew - {each}))


def _is_of_head(name: str) -> bool:
    return name.startswith("aux")  # aux_4a and aux_4d, and Inception v3's aux


def _is_within(name: str, layers: Iterable[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def weights_fingerprint(net: nn.Module) -> str:
    """Sum up the weights and buffers of a network, to know them again."""
    checksum = hashlib.sha256()
    for name, array in net.state_dict().items():
        checksum.update(json.dumps([name, array.shape, str(array.dtype)]).encode())
        checksum.update(array.tobytes())
    return checksum.hexdigest()
