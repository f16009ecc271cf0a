"""A training step of the paper's network at 224 pixels."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, COMPILED, MISSING, OURS, agree, torch
from benchmarks.report import TIMED, Column, Row, Table, decimals
from benchmarks.timing import Spread, alternate, ratio
from googlenet import GoogLeNet
from minigrad import optim

COLUMNS = (Column("batch", "batch"), Column("step", "step"), *TIMED[:1],
           Column("rate", "images/s", decimals(1)), *TIMED[1:])  # fmt: skip
RATE, MOMENTUM = 1e-4, 0.9


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: forward, loss of three heads and backward; with and without SGD."""
    table = Table("training", "A training step of GoogLeNet, 224 pixels, float32", COLUMNS)
    table.notes = [
        "Forward, the loss of the three heads, backward; in the rows that say so also SGD with "
        f"momentum {MOMENTUM} (PyTorch's fused). Dropout off on both sides."
    ]
    if not torch:
        table.notes.append(MISSING)
    elif not options.compiled:
        table.notes.append("torch.compile is left out; --compiled adds it.")
    for batch in (1, 2) if options.quick else (1, 8, 32):
        for sgd in (False, True):
            table.rows += measure(batch, sgd, options, table.notes)
    yield table


def measure(batch: int, sgd: bool, options: Options, notes: list[str]) -> list[Row]:
    """Return the rows of one batch size."""
    steps = training_steps(batch, sgd, options.compiled, notes)
    check(steps, f"training, batch {batch}")
    times = alternate(steps, options.turns({1: 11, 8: 7}.get(batch, 3)))
    kind = "with SGD" if sgd else "without optimiser"
    return rows(times, batch, {"batch": batch, "step": kind})


def training_steps(
    batch: int, sgd: bool, compiled: bool, notes: list[str]
) -> dict[str, Callable[[], Any]]:
    """Make the step of each side, all with the same weights, images and labels."""
    minigrad.manual_seed(0)
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0)
    images, labels = peers.data(net, batch)

    def peer_step(layout: Any, compiled: bool = False) -> Callable[[], Any]:
        peer = peers.build(net, layout)
        theirs = None
        if sgd:
            theirs = torch.optim.SGD(peer.parameters(), RATE, momentum=MOMENTUM, fused=True)
        return peers.training_step(peer, images, labels, layout, theirs, compiled=compiled)

    steps = {name: peer_step(layout) for name, layout in peers.layouts().items()}
    if torch and compiled:
        compile_step(steps, peer_step(peers.layouts()[CHANNELS_LAST], True), batch, notes)
    ours = optim.SGD(net.parameters(), RATE, MOMENTUM) if sgd else None
    return {OURS: peers.our_training_step(net, images, labels, ours), **steps}


def compile_step(
    steps: dict[str, Callable], step: Callable[[], Any], batch: int, notes: list[str]
) -> None:
    """Run a compiled step once, which compiles it, and add it; a failure becomes a note."""
    started = time.perf_counter()
    try:
        first = step()
    except Exception as error:  # whatever the compiler throws, the other sides are still of use
        reason = str(error).strip().splitlines()
        notes.append(f"torch.compile failed at batch {batch}: {reason[0] if reason else error!r}")
        return
    notes.append(f"torch.compile, batch {batch}: {time.perf_counter() - started:.0f} s to compile.")
    pending = [first]
    # What the first call returned is what the sides are compared by: it must not train twice.
    steps[COMPILED] = lambda: pending.pop() if pending else step()


# Of a gradient, relative to its largest number. Where a number of float32 lies on the edge of ReLU
# or of a maximum, rounding decides which way its gradient goes: held against float64, either side
# is off by up to 1e-2 at some pixel. Tests compare the gradients in float64, to 1e-9.
KINKS = 5e-2


def check(steps: dict[str, Callable[[], Any]], what: str) -> None:
    """Run every side once and insist on the same loss or logits, and on the same gradients."""
    ours = steps[OURS]()
    for name, step in steps.items():
        if name != OURS:
            result, *gradients = zip(ours, step(), strict=True)
            agree(f"{what}, {name}", *result)
            for pair in gradients:
                agree(f"{what}, gradient, {name}", *pair, tolerance=KINKS)


def rows(times: dict[str, Spread], images: int, labels: Row) -> list[Row]:
    """Return a row for each side."""
    return [
        {
            **labels,
            "side": name,
            "rate": images / spread.median,
            "times": spread,
            "ratio": None if name == OURS else ratio(times[OURS], spread),
        }
        for name, spread in times.items()
    ]
