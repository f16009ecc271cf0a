"""One thread and all of them: what the second core is worth.

What is called two cores may be less: two threads of one core, or cores lent to others as well. So
the machine itself is timed in turns with the rest: arithmetic in registers, cut into equal parts
for threads that share nothing and wait for nothing. No program gains more than that.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

import minigrad
from benchmarks import peers
from benchmarks.inference import inference_steps
from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, torch
from benchmarks.report import TIMED, Column, Table, times
from benchmarks.timing import alternate, ratio
from benchmarks.training import check, training_steps

MACHINE = "the machine: arithmetic in registers"
PARTS = 8  # so that up to eight threads have equal shares
COLUMNS = (Column("step", "step"), Column("threads", "threads"), *TIMED[:3],
           Column("speedup", "speed-up", times), *TIMED[3:])  # fmt: skip


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: a training step and inference, each side, each number of threads."""
    batch, counts = options.batch, sorted({1, options.threads})
    table = Table("threads", f"One thread and {counts[-1]}, GoogLeNet, batch {batch}", COLUMNS)
    table.notes = [
        "The speed-up is that over one thread of the same side.",
        "The machine's own, beside each: what threads gain that share nothing. Cores "
        "that are threads of one core, or are lent to others too, are worth less.",
    ]
    if not torch:
        table.notes.append(MISSING)
    kinds = {"training": training_steps(batch, False, False, []),
             "inference": inference_steps(batch, False, [])}  # fmt: skip
    for kind, steps in kinds.items():
        check(steps, f"threads, {kind}")
        each = {(n, name): with_threads(n, step) for n in counts for name, step in steps.items()}
        each |= {(n, MACHINE): arithmetic(n, options) for n in counts}
        spreads = alternate(each, options.turns(5))
        for (count, name), spread in spreads.items():
            table.rows.append({
                "step": kind, "threads": count, "side": name, "times": spread,
                "speedup": ratio(spread, spreads[1, name]),
                "ratio": None if name in (OURS, MACHINE) else ratio(spreads[count, OURS], spread),
            })  # fmt: skip
    peers.set_threads(options.threads)
    yield table


def with_threads(count: int, step: Callable[[], Any]) -> Callable[[], Any]:
    """Make a step that first sees to the number of threads of both sides."""

    def counted() -> Any:
        if minigrad.get_num_threads() != count:
            peers.set_threads(count)
        return step()

    return counted


def arithmetic(count: int, options: Options) -> Callable[[], None]:
    """Make a step of arithmetic alone, in equal parts on so many threads of Python's own."""
    rounds = 50 if options.quick else 5_000
    _roots(1)

    def step() -> None:
        with ThreadPoolExecutor(count) as pool:
            for total in pool.map(_roots, [rounds] * PARTS):
                assert np.isfinite(total)

    return step


@numba.njit(nogil=True, fastmath=True)
def _roots(rounds):  # type: ignore[no-untyped-def]
    """Take roots and divide: what keeps the arithmetic of a core busy, and no memory."""
    total = np.float32(0)
    for _ in range(rounds):
        for i in range(1000):
            x = np.float32(i)
            total += np.sqrt(np.sqrt(x)) / (np.float32(1) + x)
    return total
