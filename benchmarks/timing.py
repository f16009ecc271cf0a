"""How anything here is timed: in turns, warmed up, and told by the median and its spread.

Ours and the peer take turns inside one process, so that a machine that slows down slows both. A
turn begins with runs that are not counted, for two reasons. Idle threads of OpenMP spin for some
ten milliseconds after their work is done, on a core that the next side needs. And threads that
slept are sometimes woken on the core of the one that waits for them: until the system moves them,
after a few ticks of its clock, a team of two takes the time of one. Both are a matter of the change
of turns and not of the work, and nobody pays for them, nor for what the other left in the cache.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Step = Callable[[], object]

WARM = 0.03  # s: so long a turn runs uncounted,
SHORT = 0.5  # s: unless one run takes so long that this hardly matters
BURST = 0.02  # s: so long it runs counted, once at least
GRAIN = 1e-4  # s: shorter runs are timed several together


@dataclass(frozen=True)
class Spread:
    """Seconds of some runs: least, lower quartile, median, upper quartile, most, and how many."""

    least: float
    lower: float
    median: float
    upper: float
    most: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        if not seconds:
            raise ValueError("Spread: needs at least one time")
        ordered = sorted(seconds)
        lower, median, upper = ordered[0], ordered[0], ordered[0]
        if len(ordered) > 1:
            lower, median, upper = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(ordered[0], lower, median, upper, ordered[-1], len(ordered))


def ratio(ours: Spread, theirs: Spread) -> float:
    """Return how many times as fast ours is: the peer's median divided by ours."""
    return theirs.median / ours.median


def alternate(
    steps: Mapping[str, Step],
    rounds: int,
    warm: float = WARM,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Spread]:
    """Time steps in turns, after one run of each that compiles and makes what is made once.

    Parameters
    ----------
    steps : dict of name to callable
    rounds : int
        Turns of each.
    warm : float
        Seconds of a turn that are not counted.
    clock : callable
        Tells the seconds.
    """
    last = {name: _timed(step, 1, clock) for name, step in steps.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    gc.collect()
    for _ in range(rounds):
        for name, step in steps.items():
            if warm and last[name] < SHORT:
                _until(warm, step, last[name], clock)
            burst = _until(BURST, step, last[name], clock)
            times[name] += burst
            last[name] = min(burst)
    return {name: Spread.of(seconds) for name, seconds in times.items()}


def _until(seconds: float, step: Step, expected: float, clock: Callable[[], float]) -> list[float]:
    """Run a step for so long, at least once; return the seconds of each run."""
    grain = max(1, round(GRAIN / max(expected, 1e-9)))
    times: list[float] = []
    while sum(times) * grain < seconds:
        times.append(_timed(step, grain, clock))
    return times


def _timed(step: Step, count: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(count):
        step()
    return (clock() - started) / count
