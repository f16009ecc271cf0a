"""What autograd itself costs: per node, and as a share of a training step.

**Per node.** Graphs of operations on four numbers each, where there is next to nothing to compute:
a chain, each node on the one before; and a fan, one leaf that many multiply, and a tree of sums
that gathers them. Forward and backward, divided by the number of operations.

**Share of a step.** Kernels are run by `minigrad.cpu.threads.run`, and the thread that calls it
waits in it. So the time inside, summed over a step, is that of the kernels, and what is left is
Python: checking arguments, recording, walking the graph backward, and the little that NumPy does
directly (it counts as Python here, so that the share is rather too high than too low). Counting
itself costs less than a microsecond a kernel. Beside it the smallest step there is, batch 1 at 32
pixels, where kernels have little to do, on both sides.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, agree, torch
from benchmarks.report import Column, Row, Table, decimals, milliseconds, share, times
from benchmarks.timing import Spread, alternate, ratio
from benchmarks.training import check
from googlenet import GoogLeNet
from minigrad.cpu import threads

hips: ModuleType | None
try:
    import autograd.numpy as hips
except ImportError:
    hips = None

PYTORCH, HIPS = "PyTorch, eager", "HIPS autograd"
MICRO = "µs a node"


def microseconds(value: float | Spread) -> str:
    return f"{1e6 * (value.median if isinstance(value, Spread) else value):.2f}"


def tables(options: Options) -> Iterator[Table]:
    """Yield a table of nodes, one of a step's share, one of the smallest step."""
    columns = (
        Column("graph", "graph"), Column("nodes", "nodes", decimals(0)), Column("side", "side"),
        Column("forward", f"forward, {MICRO}", microseconds),
        Column("both", f"forward + backward, {MICRO}", microseconds),
        Column("range", "quartiles"), Column("ratio", "peer / ours", times),
    )  # fmt: skip
    table = Table("overhead/nodes", "What autograd costs an operation on four numbers", columns)
    if not torch:
        table.notes.append(MISSING)
    if not hips:
        table.notes.append('HIPS autograd is not installed: pip install -e ".[bench]"')
    count = 64 if options.quick else 512
    for graph, nodes in (("chain", count), ("fan", 2 * count - 1)):
        table.rows += node_rows(graph, count, nodes, options)
    yield table
    yield step_shares(options)
    yield smallest_step(options)


def node_rows(graph: str, count: int, nodes: int, options: Options) -> list[Row]:
    """Return a row for each side."""
    sides = node_steps(graph, count)
    ours = sides[OURS][1]()
    for name, (_, whole) in sides.items():
        agree(f"{graph}, {name}", ours, whole())
    forward = alternate({name: pair[0] for name, pair in sides.items()}, options.turns(7))
    both = alternate({name: pair[1] for name, pair in sides.items()}, options.turns(7))
    return [
        {
            "graph": graph, "nodes": nodes, "side": name, "times": both[name],
            "forward": forward[name].median / nodes, "both": both[name].median / nodes,
            "range": f"{microseconds(both[name].lower / nodes)} … "
            f"{microseconds(both[name].upper / nodes)}",
            "ratio": None if name == OURS else ratio(both[OURS], both[name]),
        }
        for name in sides
    ]  # fmt: skip


Pair = tuple[Callable[[], Any], Callable[[], Any]]


def node_steps(graph: str, count: int) -> dict[str, Pair]:
    """Make each side's forward, and its forward with backward, which returns the gradient."""
    numbers = np.linspace(0.1, 0.4, 4, dtype=np.float32)
    half = np.full(4, 0.5, np.float32)
    build = chain if graph == "chain" else fan
    x, factor = minigrad.tensor(numbers, requires_grad=True), minigrad.tensor(half)

    def ours() -> Any:
        x.grad = None
        build(x, factor, minigrad.Tensor.tanh, count).sum().backward()
        return x.grad.data

    sides: dict[str, Pair] = {OURS: (lambda: build(x, factor, minigrad.Tensor.tanh, count), ours)}
    if torch:
        sides[PYTORCH] = _torch_steps(build, numbers, half, count)
    if hips:
        from autograd import make_vjp

        trace = make_vjp(lambda x: build(x, half, hips.tanh, count).sum())
        one = np.float32(1)
        # It records only when asked for a gradient: forward here is recording, as on the others.
        sides[HIPS] = (lambda: trace(numbers), lambda: trace(numbers)[0](one))
    return sides


def _torch_steps(build: Callable, numbers: np.ndarray, half: np.ndarray, count: int) -> Pair:
    x, factor = torch.from_numpy(numbers.copy()).requires_grad_(), torch.from_numpy(half)

    def both() -> Any:
        x.grad = None
        build(x, factor, torch.tanh, count).sum().backward()
        return x.grad.numpy()

    return lambda: build(x, factor, torch.tanh, count), both


def chain(x: Any, factor: Any, tanh: Callable, count: int) -> Any:
    """Make every node from the one before."""
    for _ in range(count):
        x = tanh(x)
    return x


def fan(x: Any, factor: Any, tanh: Callable, count: int) -> Any:
    """Make `count` products of one leaf and add them, two at a time."""
    level = [x * factor for _ in range(count)]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


def step_shares(options: Options) -> Table:
    """Tell what of a training step is not kernels."""
    columns = (
        Column("step", "step"), Column("whole", "ms", milliseconds),
        Column("kernels", "ms in kernels", milliseconds), Column("calls", "kernels", decimals(0)),
        Column("outside", "ms outside", milliseconds), Column("share", "outside", share),
    )  # fmt: skip
    title = "What of a training step is Python and autograd, not kernels"
    table = Table("overhead/step", title, columns)
    table.notes = ["Ours alone, GoogLeNet with both heads; medians. See benchmarks/overhead.py."]
    batch = options.batch
    for size, images in ((32, 1), (224, 1), (224, batch)):
        net = GoogLeNet(dropout=0.0, aux_dropout=0.0, image_size=size)
        pictures, labels = peers.data(net, images)
        step = peers.our_training_step(net, pictures, labels)
        for _ in range(3):
            step()
        runs = [counted(step) for _ in range(5 * options.turns(6))]
        outside = Spread.of([whole - kernels for whole, kernels, _ in runs])
        whole = Spread.of([whole for whole, _, _ in runs])
        table.rows.append({
            "step": f"{size} pixels, batch {images}", "whole": whole,
            "kernels": Spread.of([kernels for _, kernels, _ in runs]), "calls": runs[0][2],
            "outside": outside, "share": outside.median / whole.median,
        })  # fmt: skip
    return table


def counted(step: Callable[[], Any]) -> tuple[float, float, int]:
    """Return the seconds of a step, those in kernels, and how many were run."""
    with counting_kernels() as spent:
        started = time.perf_counter()
        step()
        whole = time.perf_counter() - started
    return whole, sum(spent), len(spent)


@contextmanager
def counting_kernels() -> Iterator[list[float]]:
    """Gather the seconds of each kernel that is run meanwhile."""
    spent: list[float] = []
    run = threads.run

    def timed(*arguments: Any, **options: Any) -> None:
        started = time.perf_counter()
        run(*arguments, **options)
        spent.append(time.perf_counter() - started)

    # Modules hold the function itself, under its name.
    holders = [m for name, m in list(sys.modules.items())
               if name.startswith("minigrad") and getattr(m, "run", None) is run]  # fmt: skip
    for module in holders:
        module.run = timed  # type: ignore[attr-defined]
    try:
        yield spent
    finally:
        for module in holders:
            module.run = run  # type: ignore[attr-defined]


def smallest_step(options: Options) -> Table:
    """Time the smallest training step of the network on both sides."""
    columns = (
        Column("side", "side"), Column("times", "ms, median", milliseconds),
        Column("range", "quartiles"), Column("ratio", "peer / ours", times),
    )  # fmt: skip
    title = "The smallest training step: GoogLeNet, batch 1 at 32 pixels"
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0, image_size=32)
    images, labels = peers.data(net, 1)
    steps = {OURS: peers.our_training_step(net, images, labels)}
    for name, layout in peers.layouts().items():
        steps[name] = peers.training_step(peers.build(net, layout), images, labels, layout)
    check(steps, "smallest step")
    spreads = alternate(steps, options.turns(9))
    rows = [
        {
            "side": name, "times": s, "range": f"{milliseconds(s.lower)} … {milliseconds(s.upper)}",
            "ratio": None if name == OURS else ratio(spreads[OURS], s),
        }
        for name, s in spreads.items()
    ]  # fmt: skip
    return Table("overhead/smallest", title, columns, rows, [] if torch else [MISSING])
