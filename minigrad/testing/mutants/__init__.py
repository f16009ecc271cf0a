"""A corpus of broken operations: mistakes that a test suite for this engine must notice.

Each `Mutant` is a mistake that someone made, or might make, with its story. Planted, it breaks the
engine, as a rule in every rung of an operation's kernels alike, as when the author misunderstood
the operation: then comparing the rungs reveals nothing, and gradient checks, laws and definitions
have to. Some are planted in one rung only: a lost update, a sum in float32, bits that depend on
the number of threads. `minigrad.testing.hunt` tells which of them a suite notices.
"""

from difflib import get_close_matches

from minigrad.testing.mutants import (
    arithmetic,
    axes,
    clipping,
    conv,
    dense,
    engine,
    layers,
    loss,
    norm,
    optim,
    pool,
    schedules,
)
from minigrad.testing.mutants.mutant import Mutant, Patch, mutants_of

__all__ = ["CORPUS", "Mutant", "Patch", "find", "of_operation"]

CORPUS: tuple[Mutant, ...] = mutants_of(
    conv, pool, norm, dense, loss, arithmetic, axes, engine, layers, optim, schedules, clipping
)


def find(name: str) -> Mutant:
    """Look a mutant up.

    Raises
    ------
    ValueError
        If there is none of this name; suggests near ones.
    """
    by_name = {mutant.name: mutant for mutant in CORPUS}
    if name not in by_name:
        raise ValueError(f"no mutant is called {name!r}{_near(name, by_name)}")
    return by_name[name]


def of_operation(operation: str) -> tuple[Mutant, ...]:
    """List the mutants of one operation.

    Raises
    ------
    ValueError
        If there are none; suggests operations of near names.
    """
    found = tuple(mutant for mutant in CORPUS if mutant.operation == operation)
    if not found:
        operations = {mutant.operation: None for mutant in CORPUS}
        raise ValueError(
            f"no mutant breaks an operation {operation!r}{_near(operation, operations)}"
        )
    return found


def _near(name: str, names: dict) -> str:
    near = get_close_matches(name, names)
    return f"; did you mean {' or '.join(near)}?" if near else ""
