"""How anything on a GPU is timed: in turns, many steps queued before anybody waits.

A GPU works through a queue while Python fills it. Waiting after each step would measure that the
queue runs empty, which no training does. So a turn queues some steps, waits once, and divides: what
comes out is the GPU's time for a step, or Python's time to ask for it, whichever is longer.
"""

import time
from collections.abc import Callable, Mapping

import minigrad
from benchmarks.peers import OURS, torch
from benchmarks.timing import Spread

Step = Callable[[], object]

FIRST = 4  # runs before anything is timed: kernels are compiled, chosen, recorded
TURN = 0.05, 0.1  # s: a turn runs uncounted, since the other side had the GPU, and then counted
MOST = 500  # steps of one turn


def wait(side: str) -> None:
    """Wait until the GPU has done all that a side asked for."""
    if side.startswith(OURS):
        minigrad.cuda.synchronize()
    else:
        torch.cuda.synchronize()


def alternate(
    steps: Mapping[str, Step],
    rounds: int,
    turn: tuple[float, float] = TURN,
    wait: Callable[[str], None] = wait,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Spread]:
    """Time steps in turns, as `benchmarks.timing.alternate` does. Returns seconds of one step.

    Parameters
    ----------
    steps : dict of side to callable
        They ask the GPU for something, and do not wait for it.
    rounds : int
        Turns of each.
    turn : (float, float)
        Seconds of a turn, uncounted and counted.
    wait : callable
        Waits for what a side asked for.
    """

    def timed(side: str, count: int) -> float:
        started = clock()
        for _ in range(count):
            steps[side]()
        wait(side)
        return (clock() - started) / count

    last = {side: min(timed(side, 1) for _ in range(FIRST)) for side in steps}
    times: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(rounds):
        for side in steps:
            timed(side, _count(turn[0], last[side]))
            last[side] = timed(side, _count(turn[1], last[side]))
            times[side].append(last[side])
    return {side: Spread.of(seconds) for side, seconds in times.items()}


def _count(seconds: float, each: float) -> int:
    return min(max(1, round(seconds / max(each, 1e-9))), MOST)
