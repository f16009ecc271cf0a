"""Variants: which Inception modules there are, by name or as a user writes them.

A list of modules is a line of text: ``3a 3b pool 4a 4b 4c 4d 4e pool 5a 5b`` is the paper's. Each
word is a row of Table 1, or ``pool``. A module of another name takes a row, ``5c=5b``, or widths
of its own, in the order of the table's columns: ``6x=64/96/128/16/32/32``.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from googlenet.architecture.table import ROWS, Inception

POOL = "pool"
COLUMNS = Inception._fields[1:]
MOST_STAGES, MOST_WIDTH = 100, 65_536  # what somebody means who writes more is not known


class Variant(NamedTuple):
    """A list of modules that somebody measured.

    Attributes
    ----------
    name, stages : str
    note : str
        What it is.
    naive : bool
        Whether its modules have neither reductions nor projections.
    parameters : dict of int to int
        As published for the dialect ``cifar``, by the number of classes.
    errors : dict of int to float
        Top-1 error on CIFAR-100 and CIFAR-10 after 14 epochs, as published, likewise.
    exact : bool
        Whether it is known which modules the published variant has: then our count is theirs.
    """

    name: str
    stages: str
    note: str
    parameters: Mapping[int, int]
    errors: Mapping[int, float]
    naive: bool = False
    exact: bool = True


_PAPER = "3a 3b pool 4a 4b 4c 4d 4e pool 5a 5b"
_UNKNOWN = "which modules its source does not say; this choice is ours"


def _of(hundred: Any, ten: Any) -> dict[int, Any]:
    return {100: hundred, 10: ten}


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "naive", _PAPER, "no reductions, no projections",
            _of(65_736_148, 65_291_098), _of(0.36, 0.15), naive=True,
        ),
        Variant(
            "googlenet", _PAPER, "the paper's modules",
            _of(6_258_500, 6_166_250), _of(0.34, 0.10),
        ),
        Variant(
            "long", _PAPER + " 5c=5b 5d=5b", f"two modules more; {_UNKNOWN}",
            _of(9_641_924, 9_549_674), _of(0.35, 0.11), exact=False,
        ),
        Variant(
            "short", "3a 3b pool 4a 4d 4e pool 5a 5b", "without 4b and 4c",
            _of(5_271_652, 5_179_402), _of(0.32, 0.10),
        ),
        Variant(
            "short2", "3a 3b pool 4a pool 5a 5b", "without 4b to 4e",
            _of(3_523_556, 3_431_306), _of(0.32, 0.10),
        ),
        Variant(
            "short3", "3a pool 4c pool 5b", f"fewer still; {_UNKNOWN}",
            _of(1_985_220, 1_892_970), _of(0.36, 0.11), exact=False,
        ),
        Variant(
            "short4", "pool 4a pool 5b", f"two modules left; {_UNKNOWN}",
            _of(1_650_084, 1_557_834), _of(0.44, 0.15), exact=False,
        ),
    )
}  # fmt: skip


def parse_stages(text: str | Iterable[str]) -> tuple[Inception | str, ...]:
    """Read a list of modules.

    Parameters
    ----------
    text : str or sequence of str
        Words, see above.

    Returns
    -------
    tuple of Inception and "pool"

    Raises
    ------
    ValueError
        Naming the word and what is wrong with it.

    Examples
    --------
    >>> parse_stages("3a pool x=8/8/8/8/8/8")[1:]
    ('pool', Inception(name='x', conv_1x1=8, conv_3x3_reduce=8, conv_3x3=8, conv_5x5_reduce=8,
     conv_5x5=8, pool_proj=8))
    """
    words = text.split() if isinstance(text, str) else list(text)
    if len(words) > MOST_STAGES:
        raise ValueError(f"stages: at most {MOST_STAGES} can be listed, got {len(words)}")
    found: list[Inception | str] = []
    names: set[str] = set()
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"stages: words were needed, such as '3a', got {word!r}")
        stage = POOL if word == POOL else _module(word)
        if isinstance(stage, Inception):
            if stage.name in names:
                raise ValueError(
                    f"stages: {stage.name!r} stands there twice; give the second another name: "
                    f"{stage.name}2={stage.name}"
                )
            names.add(stage.name)
        found.append(stage)
    if not names:
        raise ValueError(f"stages: at least one Inception module is needed, got {text!r}")
    return tuple(found)


def write_stages(stages: Iterable[Inception | str]) -> str:
    """Write a list of modules as `parse_stages` reads it.

    Examples
    --------
    >>> write_stages(parse_stages("3a pool 5c=5b x=8/8/8/8/8/8"))
    '3a pool 5c=5b x=8/8/8/8/8/8'
    """
    words = []
    for stage in stages:
        if isinstance(stage, str):
            words.append(stage)
            continue
        widths = stage[1:]
        same = [name for name, row in ROWS.items() if row[1:] == widths]
        if stage.name in same:
            words.append(stage.name)
        else:
            words.append(f"{stage.name}={min(same) if same else '/'.join(map(str, widths))}")
    return " ".join(words)


def read_stages(file: str | Path) -> str:
    """Read a list of modules from a TOML file.

    The file has one line ``stages = "…"``, and for each module that is no row of Table 1 a table
    ``[rows.NAME]`` with the widths by the names of the columns.

    Raises
    ------
    ValueError
        Naming the file and what is wrong in it.
    OSError
        If it cannot be read.
    """
    try:
        content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        return _from_toml(content)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r}: {error}") from None


def _from_toml(content: Mapping[str, Any]) -> str:
    unknown = sorted(set(content) - {"stages", "rows"})
    if unknown or not isinstance(content.get("stages"), str):
        what = f"got {unknown[0]!r} beside them" if unknown else "there is no line stages"
        raise ValueError(f'a line stages = "3a 3b …" and tables [rows.NAME] were needed; {what}')
    rows = content.get("rows", {})
    if not isinstance(rows, Mapping) or not all(isinstance(row, Mapping) for row in rows.values()):
        raise ValueError("rows must be tables: [rows.NAME], with a width for each column")
    words = content["stages"].split()
    unused = sorted(set(rows) - set(words))
    if unused:
        raise ValueError(f"rows.{unused[0]} does not stand among the stages")
    for name, row in rows.items():
        if set(row) != set(COLUMNS):
            wrong = sorted(set(row) ^ set(COLUMNS))
            raise ValueError(
                f"rows.{name} needs a width for each of {', '.join(COLUMNS)}, and nothing else; "
                f"see {wrong[0]!r}"
            )
    written = [
        f"{word}={'/'.join(str(rows[word][column]) for column in COLUMNS)}"
        if word in rows
        else word
        for word in words
    ]
    return write_stages(parse_stages(written))


def _module(word: str) -> Inception:
    name, _, row = word.partition("=")
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError(
            f"stages: {word!r} is none; each is pool, a row of Table 1 ({', '.join(ROWS)}), "
            "NAME=ROW, or NAME= and six widths: 6x=64/96/128/16/32/32"
        )
    if "=" not in word:
        row = name
    if row in ROWS:
        return ROWS[row]._replace(name=name)
    widths = row.split("/")
    if len(widths) == 1:
        raise ValueError(
            f"stages: {row!r} is no row of Table 1; these are {', '.join(ROWS)}"
            + ("" if "=" in word else f" (or give widths: {name}=64/96/128/16/32/32)")
        )
    if len(widths) != len(COLUMNS):
        raise ValueError(
            f"stages: {name!r} needs {len(COLUMNS)} widths ({', '.join(COLUMNS)}), "
            f"got {len(widths)}: {row!r}"
        )
    for column, width in zip(COLUMNS, widths, strict=True):
        if not re.fullmatch(r"[0-9]{1,6}", width) or not 1 <= int(width) <= MOST_WIDTH:
            raise ValueError(
                f"stages: {column} of {name!r} must be a width from 1 to {MOST_WIDTH}, "
                f"got {width!r}"
            )
    return Inception(name, *map(int, widths))
