"""One thread and all of them: what the second core is worth."""

from collections.abc import Callable, Iterator
from typing import Any

import minigrad
from benchmarks import peers
from benchmarks.inference import inference_steps
from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, torch
from benchmarks.report import TIMED, Column, Table, times
from benchmarks.timing import alternate, ratio
from benchmarks.training import check, training_steps

COLUMNS = (Column("step", "step"), Column("threads", "threads"), *TIMED[:3],
           Column("speedup", "speed-up", times), *TIMED[3:])  # fmt: skip


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: a training step and inference, each side, each number of threads."""
    batch, counts = options.batch, sorted({1, options.threads})
    table = Table("threads", f"One thread and {counts[-1]}, GoogLeNet, batch {batch}", COLUMNS)
    table.notes = ["The speed-up is that over one thread of the same side."]
    if not torch:
        table.notes.append(MISSING)
    kinds = {"training": training_steps(batch, False, False, []),
             "inference": inference_steps(batch, False, [])}  # fmt: skip
    for kind, steps in kinds.items():
        check(steps, f"threads, {kind}")
        each = {(n, name): with_threads(n, step) for n in counts for name, step in steps.items()}
        spreads = alternate(each, options.turns(5))
        for (count, name), spread in spreads.items():
            table.rows.append({
                "step": kind, "threads": count, "side": name, "times": spread,
                "speedup": ratio(spread, spreads[1, name]),
                "ratio": None if name == OURS else ratio(spreads[count, OURS], spread),
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
