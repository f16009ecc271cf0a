"""The functions that a lesson leaves to its reader, taken out of it without running it."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


def starting_code(lesson: str, name: str) -> Any:
    """Return a function or class as the lesson has it before the reader begins.

    With it runs all that the lesson imports, and nothing else of it.
    """
    file = EXAMPLES / f"{lesson}.py"
    body = ast.parse(file.read_text()).body
    imports = [part for part in body if isinstance(part, ast.Import | ast.ImportFrom)]
    found = [part for part in body if getattr(part, "name", None) == name]
    assert len(found) == 1, f"{lesson} defines {name} {len(found)} times"
    names: dict[str, Any] = {"__file__": str(file)}
    exec(compile(ast.Module([*imports, *found], []), str(file), "exec"), names)
    return names[name]


def begins_unsolved(property_: Callable, lesson: str, name: str) -> None:
    with pytest.raises((AssertionError, NotImplementedError)):
        property_(starting_code(lesson, name))


def says(property_: Callable, answer: Callable, *words: str) -> None:
    """Assert that the property refuses an answer in a sentence with these words in it."""
    with pytest.raises(AssertionError) as caught:
        property_(answer)
    sentence = str(caught.value)
    for word in words:
        assert word in sentence, sentence
