"""What options may be: each check says whose option it is, what came, and what it may be.

An option means the same wherever it occurs, so its name says what it may be.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

Rule = tuple[Callable[[Any], bool], str]


def _number(
    low: float, high: float = math.inf, *, with_low: bool = True, inf: bool = False
) -> Callable[[Any], bool]:
    """Tell numbers from `low` to below `high`; whether these are among them may be said."""

    def right(value: Any) -> bool:
        above = is_number(value) and (low <= value if with_low else low < value)
        return above and (value < high or (inf and value == math.inf))

    return right


def _whole(low: int) -> Callable[[Any], bool]:
    return lambda value: is_whole(value) and value >= low


def _pair_of_shares(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_number(0, 1), value))


def _increasing(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and all(map(_whole(0), value))
        and all(a < b for a, b in pairwise(value))
    )


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number (True and False are none)."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number (True and False are none)."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


AT_LEAST_0: Rule = _number(0), "a number of at least 0"
ABOVE_0: Rule = _number(0, with_low=False), "a number above 0"
SHARE: Rule = _number(0, 1), "a number in [0, 1)"
FLAG: Rule = _is_flag, "True or False"

RULES: dict[str, Rule] = {
    **dict.fromkeys(("lr", "momentum", "weight_decay", "eps"), AT_LEAST_0),
    **dict.fromkeys(("alpha", "rho"), SHARE),
    "betas": (_pair_of_shares, "two numbers in [0, 1)"),
    **dict.fromkeys(("nesterov", "centered"), FLAG),
    # of schedules
    "warmup": (_whole(0), "0 or more steps"),
    "step_size": (_whole(1), "a whole number of at least 1"),
    "milestones": (_increasing, "whole numbers, each larger than the one before"),
    **dict.fromkeys(("gamma", "power", "floor"), AT_LEAST_0),
    "pct_start": (lambda value: is_number(value) and 0 <= value <= 1, "a number in [0, 1]"),
    **dict.fromkeys(("div_factor", "final_div_factor"), ABOVE_0),
    **dict.fromkeys(("base_momentum", "max_momentum"), SHARE),
    **dict.fromkeys(("cycle_momentum", "three_phase"), FLAG),
    "anneal_strategy": (lambda value: value in ("cos", "linear"), '"cos" or "linear"'),
    # of clipping
    **dict.fromkeys(("max_norm", "clip_value"), (_number(0, inf=True), "a number of at least 0")),
    "norm_type": (_number(0, with_low=False, inf=True), "a number above 0"),
}


def check_options(owner: str, **options: Any) -> None:
    """Insist on values that mean something. Options that have no rule may be anything.

    Raises
    ------
    ValueError
        Naming the owner, the option, its value and what it may be.
    """
    for option, value in options.items():
        if option in RULES:
            check(owner, option, value, RULES[option])


def check(owner: str, option: str, value: Any, rule: Rule) -> None:
    """Hold one value against a rule."""
    right, words = rule
    if not right(value):
        raise ValueError(f"{owner}: {option} must be {words}, got {value!r}")


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Make Python's own numbers of NumPy's: they compute alike before and after JSON."""
    return {name: _plain(value) for name, value in options.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value
