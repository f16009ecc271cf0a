"""CUDA's graphs in the stand-in: what is asked for is written down, not done, and played later.

As on a real device, while a stream is captured no kernel runs and nothing can be read back or
brought there. Arrays are made all the same, to know their shapes, and are filled with NaN until the
graph is launched.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

_tape: list[Callable[[], Any]] | None = None


class CapturingError(RuntimeError):
    """CuPy's answer to what a captured stream cannot do."""


def capturing() -> bool:
    """Tell whether a graph is being recorded."""
    return _tape is not None


def refuse(what: str) -> None:
    """Stop where host and device would have to wait for each other."""
    if capturing():
        raise CapturingError(f"the current stream is capturing, so {what} is disallowed")


def do(action: Callable[[], Any]) -> None:
    """Do what changes memory, or write it down."""
    if _tape is not None:
        _tape.append(action)
        return
    with np.errstate(all="ignore"):  # a GPU does not warn
        action()


def make(function: Callable[[], Any], *sources: Any) -> Any:
    """Return what a function computes; on the tape, an array that will hold it."""
    with np.errstate(all="ignore"):  # a GPU does not warn
        result = function()
    if _tape is None:
        return result
    parts = result if isinstance(result, tuple | list) else [result]
    arrays = [np.asarray(part) for part in parts if isinstance(part, np.ndarray | np.generic)]
    if not arrays or any(np.shares_memory(a, s) for a in arrays for s in sources):
        return result  # a view: nothing is computed
    if isinstance(result, tuple | list):
        raise CapturingError("several results at once are not written down by the stand-in")
    made = np.array(result)
    if made.dtype.kind == "f":
        made.fill(np.nan)

    def play() -> None:
        made[...] = function()

    _tape.append(play)
    return made


class Graph:
    """What was recorded."""

    def __init__(self, actions: list[Callable[[], Any]]) -> None:
        self.actions = actions

    def launch(self, stream: Any = None) -> None:
        """Do it all."""
        refuse("launching a graph")
        with np.errstate(all="ignore"):
            for action in self.actions:
                action()


def begin_capture() -> None:
    """Write down from here on."""
    global _tape
    refuse("capturing")
    _tape = []


def end_capture() -> Graph:
    """Stop, and return what was written down."""
    global _tape
    assert _tape is not None
    recorded, _tape = Graph(_tape), None
    return recorded
