"""The functions that a lesson leaves to its reader, taken out of it without running it."""

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import functional as F

EXAMPLES = Path(__file__).parents[3] / "examples"


def starting_code(lesson: str, name: str) -> Callable:
    """Return the function `name` as the lesson has it before the reader begins."""
    text = (EXAMPLES / f"{lesson}.py").read_text()
    found = [
        part for part in ast.parse(text).body
        if isinstance(part, ast.FunctionDef) and part.name == name
    ]  # fmt: skip
    assert len(found) == 1, f"{lesson} defines {name} {len(found)} times"
    names = {"np": np, "minigrad": minigrad, "F": F}
    exec(compile(ast.Module(found, []), lesson, "exec"), names)
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
