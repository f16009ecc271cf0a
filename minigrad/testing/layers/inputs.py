"""What a layer is checked on: from whatever a user gives, arrays; from arrays, text to paste."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from minigrad.autograd import Array
from minigrad.tensor import Tensor
from minigrad.testing import strategies
from minigrad.testing.place import fetch

FEW = 100  # so many numbers are written out; of more, the call that makes them, or a part

_NEEDED = (
    "inputs must be a hypothesis strategy of arrays, an array, a shape (a tuple of integers), "
    "or a tuple of these, one for each argument of the layer"
)


def as_strategy(inputs: Any) -> SearchStrategy[Any]:
    """Make a strategy of whatever describes the inputs."""
    if isinstance(inputs, SearchStrategy):
        return inputs
    if isinstance(inputs, Tensor):
        inputs = fetch(inputs)
    if isinstance(inputs, np.ndarray):
        return st.just(inputs)
    if isinstance(inputs, tuple) and all(_is_integer(n) for n in inputs):
        if min(inputs, default=0) < 0:
            raise ValueError(f"check_layer: inputs is the shape {inputs}, with a negative length")
        return strategies.arrays(inputs)
    if isinstance(inputs, tuple | list) and any(not _is_number(item) for item in inputs):
        return st.tuples(*map(as_strategy, inputs))
    raise TypeError(f"check_layer: {_NEEDED}, got {inputs!r}")


def as_arrays(drawn: Any) -> list[Array]:
    """Read what the strategy drew: one array, or several."""
    several = drawn if isinstance(drawn, tuple | list) else (drawn,)
    values = [fetch(value) if isinstance(value, Tensor) else value for value in several]
    for value in values:
        if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "fiub":
            raise TypeError(
                "check_layer: inputs must draw arrays of real numbers, or tuples of arrays, got "
                + (f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value))
            )
    if not values:
        raise TypeError("check_layer: inputs drew an empty tuple; a layer needs an input")
    return [np.asarray(value) for value in values]


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Take the names of f's arguments, if it has one for each of `count` inputs."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return named[:count] if len(named) >= count else [f"input {i}" for i in range(count)]


def as_text(names: Sequence[str], arrays: Sequence[Array], drawn: str) -> str:
    """Write inputs so that they can be pasted.

    Parameters
    ----------
    names, arrays
    drawn : str
        How hypothesis writes them. Wanted where it is a call that makes them again, and not the
        first eight digits of each number.
    """
    if drawn and "..." not in drawn and not re.search(r"\barray\(|\bat 0x", drawn):
        return _tidied(drawn)
    return ", ".join(
        f"{name} = {literal(array)}" for name, array in zip(names, arrays, strict=True)
    )


def _tidied(call: str) -> str:
    """Write a call on one line, without the arguments of `random_array` that are defaults."""
    line = re.sub(r"\s+", " ", call).replace("( ", "(").replace(", )", ")")
    for default in (", values='normal'", ", dtype=numpy.float64", ", layout='contiguous'"):
        line = line.replace(default, "")
    return re.sub(r"\brandom_array\(", "strategies.random_array(", line)


def literal(array: Array) -> str:
    """Write an array as ``array([...])``, with all its digits; of a large one, a part."""
    if array.size > FEW:
        return f"{np.array_repr(array)}, whole in report.failures"
    with np.printoptions(threshold=FEW + 1, floatmode="unique", linewidth=96):
        return np.array_repr(array)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | complex | np.generic)
