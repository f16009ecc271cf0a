"""Which rung of an operation's kernels runs. Decided here and nowhere else.

Every operation with kernels has them in rungs, each a module with the same functions:
``naive`` (loops, the specification), ``vectorized`` (NumPy), ``cpu`` (Numba, the default).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

RUNGS = ("naive", "vectorized", "cpu")

_forced: ContextVar[str | None] = ContextVar("forced", default=None)


def choose(rungs: Mapping[str, ModuleType]) -> ModuleType:
    """Pick the kernels to run from an operation's rungs."""
    return rungs[_forced.get() or "cpu"]


@contextmanager
def kernels(rung: str) -> Iterator[None]:
    """Run one rung of every operation's kernels, to read, to debug, to compare.

    Parameters
    ----------
    rung : {"naive", "vectorized", "cpu"}

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[-1.0, 2.0]])
    >>> with minigrad.kernels("naive"):
    ...     y = minigrad.functional.relu(x)
    """
    if rung not in RUNGS:
        raise ValueError(f"kernels: rung must be one of {', '.join(RUNGS)}, got {rung!r}")
    token = _forced.set(rung)
    try:
        yield
    finally:
        _forced.reset(token)
