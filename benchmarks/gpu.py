"""GoogLeNet on a GPU, beside PyTorch with cuDNN: training steps and use, and the memory of each.

Both sides have their data on the GPU already and wait for it at the end of each step. PyTorch runs
with TF32 off, as ours does, in each memory layout, with cuDNN choosing its algorithms by trial
(``torch.backends.cudnn.benchmark``). Without a GPU the table is empty and says so.
"""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, torch
from benchmarks.report import TIMED, Column, Row, Table, decimals
from benchmarks.timing import alternate
from benchmarks.training import rows
from googlenet import GoogLeNet, architecture
from googlenet.model import loss

COLUMNS = (Column("step", "step"), Column("batch", "batch"), *TIMED[:1],
           Column("rate", "images/s", decimals(0)), *TIMED[1:],
           Column("memory", "MiB at most", decimals(0)))  # fmt: skip
NONE = (
    "No GPU here: minigrad.cuda.is_available() is False. Where there is one, "
    "`python -m benchmarks --only gpu` fills this table."
)


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: a training step and inference, each side, each batch."""
    table = Table("gpu", "GoogLeNet on a GPU, 224 pixels, float32, TF32 off", COLUMNS)
    if not minigrad.cuda.is_available():
        table.notes = [NONE]
        yield table
        return
    if not torch:
        table.notes.append(MISSING)
    for batch in (2, 4) if options.quick else (32, 128, 256):
        for kind, make in (("training", training_steps), ("inference", inference_steps)):
            table.rows += measured(kind, batch, make, options)
    yield table


def measured(kind: str, batch: int, make: Callable, options: Options) -> list[Row]:
    """Return a row for each side, after making sure that they agree."""
    minigrad.manual_seed(0)
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0)
    steps = make(net, batch)
    ours = steps[OURS]()
    for name, step in steps.items():
        peers.agree(f"{kind}, batch {batch}, {name}", ours, step(), tolerance=1e-2)
    found = rows(alternate(steps, options.turns(7)), batch, {"step": kind, "batch": batch})
    for row in found:
        row["memory"] = peak(row["side"], steps[row["side"]])
    return found


def training_steps(net: GoogLeNet, batch: int) -> dict[str, Callable[[], Any]]:
    """Make forward, the loss of three heads and backward; each returns the loss, on the CPU."""
    images, labels = peers.data(net, batch)
    peer_nets = {name: peers.build(net, layout) for name, layout in peers.layouts().items()}
    net.to("cuda")
    x, target = (minigrad.tensor(array, device="cuda") for array in (images, labels))

    def ours() -> Any:
        net.zero_grad()
        total, _ = loss(net(x), target)
        total.backward()
        minigrad.cuda.synchronize()
        return total.cpu().data

    steps = {OURS: ours}
    for name, layout in peers.layouts().items():
        steps[name] = _torch_training(peer_nets[name], images, labels, layout)
    return steps


def _torch_training(peer: Any, images: Any, labels: Any, layout: Any) -> Callable[[], Any]:
    peer = _on_gpu(peer)
    x = torch.from_numpy(images).cuda().to(memory_format=layout)
    target = torch.from_numpy(labels).cuda()

    def step() -> Any:
        peer.zero_grad()
        parts = [torch.nn.functional.cross_entropy(logits, target) for logits in peer(x)]
        total = parts[0] + architecture.AUX_WEIGHT * (parts[1] + parts[2])
        total.backward()
        torch.cuda.synchronize()
        return total.detach().cpu().numpy()

    return step


def inference_steps(net: GoogLeNet, batch: int) -> dict[str, Callable[[], Any]]:
    """Make the main head's logits, nothing recorded; each returns them, on the CPU."""
    net.eval()
    images, _ = peers.data(net, batch)
    peer_nets = {name: peers.build(net, layout) for name, layout in peers.layouts().items()}
    net.to("cuda")
    x = minigrad.tensor(images, device="cuda")

    def ours() -> Any:
        with minigrad.no_grad():
            return net(x).cpu().data

    steps = {OURS: ours}
    for name, layout in peers.layouts().items():
        steps[name] = _torch_inference(peer_nets[name], images, layout)
    return steps


def _torch_inference(peer: Any, images: Any, layout: Any) -> Callable[[], Any]:
    peer = _on_gpu(peer)
    x = torch.from_numpy(images).cuda().to(memory_format=layout)

    def step() -> Any:
        with torch.inference_mode():
            return peer(x).cpu().numpy()

    return step


def _on_gpu(peer: Any) -> Any:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return peer.cuda()


def peak(side: str, step: Callable[[], Any]) -> float:
    """Return the most MiB that a library's own pool held during a step."""
    gc.collect()
    if side == OURS:
        from minigrad.gpu import cupy

        pool = cupy().get_default_memory_pool()
        pool.free_all_blocks()
        step()
        return pool.total_bytes() / 2**20
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_reserved() / 2**20
