"""Peak memory of a step, each side in a process of its own.

The process imports, builds network and input, and notes how much memory it holds; then it takes
three steps, and the system tells the most it held. Asked for is the peak of the process since it
began to run Python, not what it inherited from the one that started it (``VmHWM`` rather than
``ru_maxrss``, where Linux gives it).
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 3
SIDES = {"minigrad": None, "PyTorch, default layout": "contiguous_format",
         "PyTorch, channels last": "channels_last"}  # fmt: skip


def tables(options: Any) -> Iterator[Any]:
    """Yield one table: training and inference, each side."""
    from benchmarks.peers import MISSING, OURS, torch
    from benchmarks.report import Column, Table, decimals

    mib = decimals(0)
    columns = (
        Column("step", "step"), Column("batch", "batch"), Column("side", "side"),
        Column("before", "MiB before", mib), Column("peak", "MiB at most", mib),
        Column("added", "MiB the step added", mib), Column("ratio", "peer / ours", _times),
    )  # fmt: skip
    table = Table("memory", "Peak memory of a step, GoogLeNet, 224 pixels", columns)
    table.notes = [
        f"Before: imports, weights, input. At most: over {STEPS} steps. The ratio is of what the "
        "step added: above 1, ours needs less."
    ]
    if not torch:
        table.notes.append(MISSING)
    cases = [("training", 2)] if options.quick else [
        ("training", 8), ("training", 32), ("inference", 32)
    ]  # fmt: skip
    for kind, batch in cases:
        ours = None
        for side in SIDES if torch else [OURS]:
            row = child(side, kind, batch, options.threads)
            ours = ours or row["added"]
            table.rows.append(
                {"step": kind, "batch": batch, "side": side, **row,
                 "ratio": None if side == OURS else row["added"] / ours}
            )  # fmt: skip
    yield table


def _times(value: float) -> str:
    return f"{value:.2f}×"


def child(side: str, kind: str, batch: int, threads: int) -> dict[str, float]:
    """Measure in a process of its own. Returns MiB."""
    command = [sys.executable, "-m", "benchmarks.memory", side, kind, str(batch), str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(side: str, kind: str, batch: int, threads: int) -> dict[str, float]:
    """Take the steps in this process, and tell what it held."""
    step = make_step(side, kind == "training", batch, threads)
    before = held("VmRSS")
    for _ in range(STEPS):
        step()
    peak = held("VmHWM")
    return {"before": before, "peak": peak, "added": peak - before}


def make_step(side: str, training: bool, batch: int, threads: int) -> Callable[[], Any]:
    """Make one side's step. Only ours does without importing PyTorch, so nothing is shared."""
    import minigrad
    from googlenet import GoogLeNet

    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, 224, 224), np.float32)
    labels = rng.integers(0, 1000, batch)
    if SIDES[side]:
        return _their_step(SIDES[side], training, images, labels, threads)
    minigrad.set_num_threads(threads)
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0)
    net.train(training)
    x = minigrad.Tensor(images)

    def step() -> None:
        from googlenet.model import loss

        if training:
            net.zero_grad()
            loss(net(x), labels)[0].backward()
        else:
            with minigrad.no_grad():
                net(x)

    return step


def _their_step(
    layout: str, training: bool, images: np.ndarray, labels: np.ndarray, threads: int
) -> Callable[[], Any]:
    import torch

    from benchmarks import peers
    from benchmarks.peer_network import PeerGoogLeNet

    torch.set_num_threads(threads)
    form = getattr(torch, layout)
    peer = PeerGoogLeNet(1000, 3, 224, 0.0, 0.0).to(memory_format=form).train(training)
    if training:
        return peers.training_step(peer, images, labels, form)
    return peers.inference(peer, images, form)


def held(what: str) -> float:
    """Return MiB of memory: held now (VmRSS), or at most since the process began (VmHWM)."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return int(found[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(measure(given[0], given[1], int(given[2]), int(given[3]))))
