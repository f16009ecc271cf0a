"""The paper's network in use: logits of the main head, nothing recorded."""

from collections.abc import Callable, Iterator
from typing import Any

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, MISSING, OURS, torch
from benchmarks.report import TIMED, Column, Table, decimals, milliseconds
from benchmarks.timing import alternate
from benchmarks.training import check, compile_step, rows
from googlenet import GoogLeNet

COLUMNS = (Column("batch", "batch"), *TIMED[:1], Column("rate", "images/s", decimals(1)),
           Column("per_image", "ms/image", milliseconds), *TIMED[1:])  # fmt: skip


def tables(options: Options) -> Iterator[Table]:
    """Yield the table of all batch sizes, and one of what an image costs in a large batch."""
    table = Table("inference", "GoogLeNet in use, 224 pixels, float32", COLUMNS)
    table.notes = ["eval(), under no_grad (PyTorch: inference_mode); the main head only."]
    if not torch:
        table.notes.append(MISSING)
    elif not options.compiled:
        table.notes.append("torch.compile is left out; --compiled adds it.")
    batches = (1, 2) if options.quick else (1, 8, 32, 64)
    for batch in batches:
        steps = inference_steps(batch, options.compiled, table.notes)
        check(steps, f"inference, batch {batch}")
        times = alternate(steps, options.turns({1: 11, 8: 9}.get(batch, 4)))
        for row in rows(times, batch, {"batch": batch}):
            table.rows.append({**row, "per_image": row["times"].median / batch})
    yield table
    yield scaling(table, *batches[-3::2] if len(batches) > 2 else batches)


def inference_steps(batch: int, compiled: bool, notes: list[str]) -> dict[str, Callable[[], Any]]:
    """Make the step of each side, all with the same weights and images."""
    minigrad.manual_seed(0)
    net = GoogLeNet()
    images, _ = peers.data(net, batch)
    net.eval()
    steps: dict[str, Callable[[], Any]] = {OURS: peers.our_inference(net, images)}
    for name, layout in peers.layouts().items():
        steps[name] = peers.inference(peers.build(net, layout), images, layout)
    if torch and compiled:
        layout = peers.layouts()[CHANNELS_LAST]
        step = peers.inference(peers.build(net, layout), images, layout, compiled=True)
        compile_step(steps, step, batch, notes)
    return steps


def scaling(table: Table, small: int, large: int) -> Table:
    """Compare what an image costs in two batch sizes."""
    costs = {(row["side"], row["batch"]): row["per_image"] for row in table.rows}
    found = [
        {
            "side": side,
            "small": cost,
            "large": costs[side, large],
            "ratio": cost / costs[side, large],
        }
        for (side, batch), cost in costs.items()
        if batch == small and (side, large) in costs
    ]
    columns = (
        Column("side", "side"),
        Column("small", f"ms/image, batch {small}", milliseconds),
        Column("large", f"ms/image, batch {large}", milliseconds),
        Column("ratio", f"batch {small} / batch {large}", decimals(2)),
    )
    title = f"What an image costs: batch {large} against batch {small}"
    return Table("inference/scaling", title, columns, found)
