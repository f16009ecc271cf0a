"""What a hyperparameter may be: how it is held against that, read from text, and written as text.

A rule is made by one of the functions below, and stands beside its field in `Recipe`. Recipes come
from files and command lines, so nothing is believed of a value, not even its type.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = "none"  # how the absence of a value is written in text
MOST_TEXT, MOST_ITEMS = 2000, 64


@dataclass(frozen=True)
class Rule:
    """What a value may be.

    Attributes
    ----------
    words : str
        To follow the name in a sentence: "must be an integer of at least 1".
    right : callable
        Tells whether a value is so.
    read : callable
        Makes a value of text; whether it is right is seen afterwards. May raise a ValueError.
    """

    words: str
    right: Callable[[Any], bool]
    read: Callable[[str], Any]

    def check(self, name: str, value: Any) -> Any:
        """Return a value in its own type: a list becomes a tuple, a whole number a float.

        Raises
        ------
        ValueError
            Naming what came, and what was needed.
        """
        if isinstance(value, list):
            value = tuple(value)
        if not self.right(value):
            raise ValueError(f"{name} {self.words}, got {value!r}")
        return value

    def parse(self, name: str, text: str) -> Any:
        """Make a value of what a command line says.

        Raises
        ------
        ValueError
            As `check`.
        """
        try:
            value = self.read(text.strip())
        except ValueError:
            value = text
        return self.check(name, value)


def whole(least: int, most: int = 2**63 - 1) -> Rule:
    """Ask for an integer from `least` to `most`."""
    upper = "" if most > 2**60 else f" and at most {most}"
    return Rule(
        f"must be an integer of at least {least}{upper}",
        lambda value: type(value) is int and least <= value <= most,
        int,
    )


def number(words: str, right: Callable[[float], bool]) -> Rule:
    """Ask for a finite number of which something is true."""
    return Rule(words, lambda value: is_number(value) and right(value), _number)


def above_zero() -> Rule:
    """Ask for a number above 0."""
    return number("must be a number above 0", lambda value: value > 0)


def at_least_zero() -> Rule:
    """Ask for a number of at least 0."""
    return number("must be a number of at least 0", lambda value: value >= 0)


def share(with_zero: bool = True, with_one: bool = False) -> Rule:
    """Ask for a share, whose ends may be left out."""
    ends = f"{'[' if with_zero else '('}0, 1{']' if with_one else ')'}"
    return number(
        f"must lie in {ends}",
        lambda value: 0 <= value <= 1 and (with_zero or value > 0) and (with_one or value < 1),
    )


def flag(or_nothing: bool = False) -> Rule:
    """Ask for true or false; or perhaps for nothing, where that means: as published."""
    known: dict[str, Any] = {"true": True, "false": False}
    known |= {NOTHING: None} if or_nothing else {}
    return Rule(
        f"must be {_or(list(known))}",
        lambda value: type(value) is bool or (or_nothing and value is None),
        lambda text: _known(known, text.lower()),
    )


def choice(options: Sequence[str] | Mapping[str, Any]) -> Rule:
    """Ask for one of several words."""
    return Rule(
        f"must be one of {', '.join(options)}",
        lambda value: isinstance(value, str) and value in options,
        str,
    )


def text() -> Rule:
    """Ask for a line of text, perhaps empty."""
    return Rule(
        f"must be a line of at most {MOST_TEXT} characters",
        lambda value: isinstance(value, str) and len(value) <= MOST_TEXT and value.isprintable(),
        lambda given: "" if given.lower() == NOTHING else given,
    )


def numbers(words: str, right: Callable[[tuple[float, ...]], bool]) -> Rule:
    """Ask for several finite numbers of which something is true."""
    return Rule(
        words,
        lambda value: _is_tuple(value) and all(map(is_number, value)) and right(value),
        lambda given: tuple(map(_number, _items(given))),
    )


def texts(words: str) -> Rule:
    """Ask for several words."""
    return Rule(
        words,
        lambda value: _is_tuple(value) and all(map(_is_word, value)),
        lambda given: tuple(_items(given)),
    )


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number (True and False are none)."""
    if not isinstance(value, int | float) or type(value) is bool:
        return False
    return abs(value) <= sys.float_info.max  # nor is 10**400, of which no float can be made


def written(value: Any) -> str:
    """Write a value as `Rule.parse` reads it."""
    if value is None or value == () or value == "":
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(written, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _number(given: str) -> float:
    value = float(given)
    return int(value) if value.is_integer() and given.lstrip("+-").isdigit() else value


def _items(given: str) -> list[str]:
    """Take a list apart, with or without brackets."""
    inside = given.strip("()[] ")
    return [] if inside.lower() in ("", NOTHING) else [each.strip() for each in inside.split(",")]


def _known(known: Mapping[str, Any], word: str) -> Any:
    if word not in known:
        raise ValueError
    return known[word]


def _is_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= MOST_ITEMS


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_TEXT and value.isprintable()


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
