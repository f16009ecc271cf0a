"""Groups of parameters by their names, for optimisers."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from minigrad.nn import Module, Parameter


def groups_by_name(
    net: Module, patterns: Mapping[str, Mapping[str, Any]], **others: Any
) -> list[dict[str, Any]]:
    """Sort a network's parameters into groups with options of their own.

    Parameters
    ----------
    net : Module
    patterns : mapping of pattern to options
        A pattern is matched against whole names, those of `Module.named_parameters`: ``*`` stands
        for any characters, dots included, ``?`` for one, ``[ab]`` for a or b. So ``*.bias`` is
        the bias of every layer inside, ``conv?.*`` all of conv1 and conv2.
    **others
        Options for the parameters that no pattern matches.

    Returns
    -------
    list of dict
        For an optimiser: a group for each pattern, in their order, and last one for the rest, if
        there is any. Options that a group does not set are the optimiser's.

    Raises
    ------
    ValueError
        If a pattern matches nothing, or two match the same parameter: which of them comes first
        does not matter, so that neither can hide the other.
    TypeError
        If options are no dictionary.

    Examples
    --------
    Caffe trains biases at twice the rate, and lets only weights decay:

    >>> from minigrad import nn, optim
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> groups = optim.groups_by_name(net, {"*.bias": {"lr": 0.02, "weight_decay": 0}})
    >>> optimizer = optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=2e-4)
    >>> [(len(group["params"]), group["lr"]) for group in optimizer.groups]
    [(2, 0.02), (2, 0.01)]
    """
    _check_options("the rest", others)
    named = dict(net.named_parameters())
    claimed: dict[str, str] = {}
    members: dict[str, list[Parameter]] = {}
    for pattern, options in patterns.items():
        _check_options(f"the pattern {pattern!r}", options)
        names = [name for name in named if fnmatchcase(name, pattern)]
        if not names:
            raise ValueError(
                f"groups_by_name: the pattern {pattern!r} matches none of the {len(named)} "
                f"parameters: {_some(list(named))}"
            )
        for name in names:
            if name in claimed:
                raise ValueError(
                    f"groups_by_name: the patterns {claimed[name]!r} and {pattern!r} both match "
                    f"{name!r}; each parameter may belong to one only"
                )
            claimed[name] = pattern
        members[pattern] = [named[name] for name in names]
    rest = [parameter for name, parameter in named.items() if name not in claimed]
    groups = [{**options, "params": members[pattern]} for pattern, options in patterns.items()]
    return [*groups, {**others, "params": rest}] if rest else groups


def _check_options(whose: str, options: Any) -> None:
    if not isinstance(options, Mapping):
        raise TypeError(
            f"groups_by_name: the options of {whose} must be a dictionary, got {options!r}"
        )
    if "params" in options:
        raise ValueError(f"groups_by_name: 'params' is no option, but stands in those of {whose}")


def _some(names: list[str]) -> str:
    return ", ".join([*names[:6], "…"] if len(names) > 6 else names)
