"""Our own properties, operation by operation: what `minigrad.testing.hunt` hunts mutants with.

For every operation of `minigrad.functional`, for the arithmetic, reductions and shapes of tensors,
for autograd, layers, modules, optimisers and schedules. They are of four kinds, since each kind is
blind to something:

* *Gradient checks* by random cotangents cannot see a mistake that forward and backward share.
* *Definitions*, small oracles and numbers known by hand, see those.
* *Laws* see both, on numbers of any size, and exactly where these are integers.
* *Comparisons* of rungs, threads, dtypes and memory layouts see what went wrong in one of them.

Inside `minigrad.testing.on_device` they hold a GPU to the same, but for those that say why not
(`Property.cpu_only`).

Examples
--------
>>> from minigrad.testing.suite import SUITE
>>> SUITE["relu"]["relu_by_hand"]()
"""

from itertools import chain

from minigrad.testing.suite import (
    arrays,
    engine_laws,
    folded,
    graphs,
    losses,
    metamorphic,
    networks,
    norms,
    schedules,
    training,
    windows,
)
from minigrad.testing.suite.cases import CASES, Case
from minigrad.testing.suite.property import Property, holds, properties_of

__all__ = ["CASES", "SUITE", "Case", "Property", "holds"]


def _by_operation() -> dict[str, dict[str, Property]]:
    """Sort all properties by operation: those that draw nothing first, since they are quick."""
    found = properties_of(
        arrays, folded, graphs, losses, metamorphic, networks, norms, schedules, training, windows
    )
    made = chain(arrays.TABLE, arrays.FOLDING, arrays.MOVING, engine_laws.OVER_CASES)
    suite: dict[str, dict[str, Property]] = {}
    for prop in sorted([*found, *made, *engine_laws.THREADS], key=lambda p: bool(p.strategies)):
        suite.setdefault(prop.operation, {})[prop.name] = prop
    return suite


SUITE: dict[str, dict[str, Property]] = _by_operation()
