"""How the properties of exercises draw their cases: few, the same each time, and shrunk."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy, tuples

__all__ = ["for_all"]

FEW = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def for_all(check: Callable[..., None], *strategies: SearchStrategy[Any]) -> None:
    """Call a check with what the strategies draw, and let the smallest failing case speak.

    Parameters
    ----------
    check : function
        Takes one value of each strategy, and raises AssertionError if something is wrong.
    *strategies
        As many as `check` has arguments.

    Raises
    ------
    AssertionError
        That of the smallest case found; or whatever else the check raised.
    """
    FEW(given(tuples(*strategies))(lambda drawn: check(*drawn)))()
