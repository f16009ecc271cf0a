"""Training steps of GoogLeNet at 224 pixels, and the memory of one, in every precision."""

from collections.abc import Iterator

import minigrad
from benchmarks.gpu import is_there, missing, networks, nothing
from benchmarks.gpu.networks import OURS, RECORDED, Makers
from benchmarks.gpu.precision import Precision, chosen
from benchmarks.gpu.rates import described
from benchmarks.gpu.turns import alternate
from benchmarks.options import Options
from benchmarks.peers import torch
from benchmarks.report import TIMED, Column, Row, Table, decimals, times
from benchmarks.timing import Spread, ratio
from googlenet import GoogLeNet

BATCHES = 32, 128, 256
RATES = (
    Column("batch", "batch"), Column("side", "side"), Column("rate", "images/s", decimals(0)),
    *TIMED[1:3], Column("ratio", "peer /\nours", times),
    Column("recorded", "peer /\nours, graph", times),
)  # fmt: skip
MEMORY = (
    Column("used", "MiB used\nat most", decimals(0)), Column("held", "MiB held", decimals(0)),
)  # fmt: skip


def tables(options: Options) -> Iterator[Table]:
    """Yield a table for each precision."""
    if not is_there():
        yield from nothing(options, "gpu-training")
        return
    for precision in chosen(options.precisions):
        table = Table(
            f"gpu-training/{precision.name}",
            f"A training step of GoogLeNet on a GPU, 224 pixels, {precision.title}",
            (*RATES, *MEMORY),
            notes=[
                described(),
                "Forward, the loss of three heads, backward, SGD with momentum. Steps are queued; "
                "the GPU is waited for once a turn. Memory of a library's own arrays at most "
                "during a step, and what its pool held for them.",
                *missing(),
            ],
        )
        with precision.applied():
            for batch in batches(options):
                table.rows += measured("training", networks.training, batch, precision, table,
                                       options)  # fmt: skip
        yield table


def batches(options: Options) -> tuple[int, ...]:
    """Return the batches that were asked for, or the usual ones."""
    if options.asked_batch:
        return (options.asked_batch,)
    return (2, 4) if options.quick else BATCHES


def measured(
    what: str, sides: networks.Callable[..., Makers], batch: int, precision: Precision,
    table: Table, options: Options,
) -> list[Row]:  # fmt: skip
    """Return a row for each side, after making sure that they agree; none if memory is short."""
    minigrad.manual_seed(0)
    makers = sides(GoogLeNet(dropout=0.0, aux_dropout=0.0), batch, precision)
    try:
        memory = {}
        for name in makers if what == "training" else ():
            if name != RECORDED:  # what is recorded has a pool of its own
                memory[name] = networks.memory(name, makers[name])
                networks.forget()
        made = {name: make() for name, make in makers.items()}
        networks.check(f"{what}, batch {batch}, {precision.name}", made, precision)
        spreads = alternate({name: side.step for name, side in made.items()}, options.turns(5))
    except full() as error:
        table.notes.append(f"Batch {batch} is left out: {error}")
        return []
    finally:
        networks.forget()
    found = rows(spreads, batch)
    for row in found:
        if row["side"] in memory:
            row["used"], row["held"] = (n / 2**20 for n in memory[row["side"]])
    return found


def rows(spreads: dict[str, Spread], batch: int) -> list[Row]:
    """Return a row for each side; the peer's is held against ours, recorded and not."""
    found = []
    for name, spread in spreads.items():
        row: Row = {"batch": batch, "side": name, "rate": batch / spread.median, "times": spread}
        if not name.startswith(OURS):
            row["ratio"] = ratio(spreads[OURS], spread)
            row["recorded"] = ratio(spreads[RECORDED], spread)
        found.append(row)
    return found


def full() -> tuple[type[Exception], ...]:
    """Name the errors of a GPU whose memory is full."""
    return (minigrad.DeviceError, *([torch.OutOfMemoryError] if torch else []))
