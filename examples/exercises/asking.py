"""What the properties share: cases that shrink, and sentences about what an answer gave.

A property draws cases, asks the answer about each, and compares. The first case that fails is
shrunk by hypothesis, so the reader sees the smallest. Where what came is what a known mistake
gives, the sentence says which.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

__all__ = ["agree", "ask", "cases", "digits", "pair", "written"]


def cases(count: int = 30, **strategies: Any) -> Callable[[Callable], Callable[[], None]]:
    """Make a check of one case a check of many, the same ones every time.

    Parameters
    ----------
    count : int
        How many.
    **strategies
        For each parameter of the check, what hypothesis draws it from.
    """
    chosen = settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    return lambda check: chosen(given(**strategies)(check))


def digits(*shape: int, seed: int = 0) -> np.ndarray:
    """Make an array of whole numbers from 1 to 9, easy to add up by hand."""
    return np.random.default_rng([seed, *shape]).integers(1, 10, shape).astype(np.float64)


def written(value: Any) -> str:
    """Write a number or an array in one line, if it is short enough."""
    if np.ndim(value):
        text = np.array2string(np.asarray(value), separator=", ", precision=4, threshold=40)
        return " ".join(text.split())
    return f"{float(value):.6g}"


def ask(answer: Callable, case: str, *arguments: Any) -> Any:
    """Call the answer; say it in a sentence if it raises, returns nothing or spoils an argument.

    Parameters
    ----------
    answer : function
        The reader's.
    case : str
        What it is asked, for the sentence: "for x = 2".
    *arguments
        Arrays are handed over as copies.
    """
    handed = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    try:
        result = answer(*handed)
    except (NotImplementedError, AssertionError):
        raise
    except Exception as error:
        raise AssertionError(f"{case} your code raises {type(error).__name__}: {error}") from error
    assert result is not None, f"{case} your function returns None: is its return missing?"
    for before, after in zip(arguments, handed, strict=True):
        if isinstance(before, np.ndarray):
            assert np.array_equal(before, after), (
                f"{case} your code writes into its argument, which the caller still needs"
            )
    return result


def pair(case: str, came: Any, parts: str) -> tuple[Any, Any]:
    """Take two things out of what came."""
    two = isinstance(came, tuple | list) and len(came) == 2
    assert two, f"{case} two things are asked for, {parts}: return them as a pair"
    return tuple(came)


def agree(
    case: str,
    what: str,
    came: Any,
    needed: Any,
    mistakes: Sequence[tuple[Any, str]] = (),
    tolerance: float = 1e-6,
) -> None:
    """Hold what came against what was needed.

    Parameters
    ----------
    case, what : str
        "for x = 2", "the gradient".
    came, needed : number or array
    mistakes : sequence of (number or array, str)
        What known mistakes give, and what to say to who made them.
    tolerance : float
        Relative, and absolute.
    """
    came, needed = np.asarray(came), np.asarray(needed)
    assert came.dtype.kind in "biuf", f"{case} {what} must be numbers, got {came!r:.80}"

    def same(value: Any) -> bool:
        value = np.asarray(value)
        return value.shape == came.shape and np.allclose(came, value, tolerance, tolerance)

    if same(needed):
        return
    says = next((f". {said}" for value, said in mistakes if same(value)), "")
    if came.shape != needed.shape:
        sizes = f"must have shape {needed.shape}, yours has {came.shape}"
        raise AssertionError(f"{case} {what} {sizes}{says}")
    raise AssertionError(f"{case} {what} is {written(needed)}, yours is {written(came)}{says}")
