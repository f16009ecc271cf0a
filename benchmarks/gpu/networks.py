"""The whole network on a GPU: what one step of each side is, and the memory it takes.

All sides have the same weights and the same batch, which lies on the GPU already. Steps ask for
their work and do not wait for it. Ours is what `googlenet train` does: in mixed precision images
between layers have 16 bits and weights 32. PyTorch's is its own recipe: autocast, a `GradScaler`
for float16, fused SGD.
"""

import copy
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

import minigrad
from benchmarks import gpu as section
from benchmarks import peers
from benchmarks.gpu.precision import Precision
from benchmarks.gpu.turns import wait
from benchmarks.peers import OURS, torch
from googlenet import GoogLeNet, architecture
from googlenet.model import loss
from minigrad import Tensor, optim
from minigrad.data import ArrayDataset, DataLoader
from minigrad.gpu import cupy

RECORDED = f"{OURS}, CUDA graph"
RATE, MOMENTUM = 1e-4, 0.9
SCALE = 1024.0  # of losses in float16, so that their gradients neither vanish nor overflow


class Side(NamedTuple):
    """One side of a comparison.

    Attributes
    ----------
    step : callable
        Asks for one step.
    result : callable
        Returns arrays on the CPU that have to be the same on all sides; trains nothing.
    """

    step: Callable[[], Any]
    result: Callable[[], tuple[np.ndarray, ...]]


Makers = dict[str, Callable[[], Side]]


def training(net: GoogLeNet, batch: int, precision: Precision) -> Makers:
    """Make a step's sides: forward, the loss of three heads, backward, SGD with momentum."""
    data = peers.data(net, batch)
    made: Makers = {
        OURS: lambda: _our_training(net, *data, precision, recorded=False),
        RECORDED: lambda: _our_training(net, *data, precision, recorded=True),
    }
    for name, layout in peers.layouts(precision.dtype).items():
        made[name] = lambda layout=layout: _torch_training(net, *data, precision, layout)
    return made


def inference(net: GoogLeNet, batch: int, precision: Precision) -> Makers:
    """Make the sides of using the network: the logits of the main head, nothing recorded."""
    images, labels = peers.data(net.eval(), batch)
    made: Makers = {
        OURS: lambda: _our_inference(net, images, labels, precision, recorded=False),
        RECORDED: lambda: _our_inference(net, images, labels, precision, recorded=True),
    }
    for name, layout in peers.layouts(precision.dtype).items():
        made[name] = lambda layout=layout: _torch_inference(net, images, precision, layout)
    return made


# -- ours ----------------------------------------------------------------------------------------


def _our_training(
    net: GoogLeNet, images: np.ndarray, labels: np.ndarray, precision: Precision, recorded: bool
) -> Side:
    net = copy.deepcopy(net).to("cuda")
    x, target = _as_loaded(images, labels)
    optimizer = optim.SGD(net.parameters(), RATE, MOMENTUM)
    scaler = optim.GradScaler(SCALE, enabled=precision.needs_scaling)

    def total(x: Tensor, target: Tensor) -> Tensor:
        net.zero_grad()
        return loss(net(_cast(x, precision)), target)[0]

    def gradients(x: Tensor, target: Tensor) -> Tensor:
        value = total(x, target)
        scaler.scale(value).backward()
        return value

    asked = minigrad.cuda_graph(gradients, net.parameters()) if recorded else gradients

    def step() -> None:
        asked(x, target)
        scaler.step(optimizer)
        scaler.update()

    def result() -> tuple[np.ndarray, ...]:
        value = total(x, target)
        (value * SCALE).backward()
        gradient = net.conv1.weight.grad.cpu().data / SCALE
        net.zero_grad()
        return value.cpu().data, gradient

    return Side(step, result)


def _our_inference(
    net: GoogLeNet, images: np.ndarray, labels: np.ndarray, precision: Precision, recorded: bool
) -> Side:
    net = copy.deepcopy(net).to("cuda")
    x, _ = _as_loaded(images, labels)

    def forward(x: Tensor) -> Tensor:
        with minigrad.no_grad():
            return net(_cast(x, precision))

    asked = minigrad.cuda_graph(forward) if recorded else forward
    return Side(lambda: asked(x), lambda: (forward(x).astype("float32").cpu().data,))


def _as_loaded(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    """Bring a batch to the GPU as training does: its labels are known to be classes."""
    dataset = ArrayDataset(images, labels, [str(i) for i in range(labels.max() + 1)])
    return next(iter(DataLoader(dataset, len(labels), prefetch=0, device="cuda")))


def _cast(x: Tensor, precision: Precision) -> Tensor:
    return x.astype(precision.dtype) if precision.is_mixed else x


# -- PyTorch -------------------------------------------------------------------------------------


def _torch_training(
    net: GoogLeNet, images: np.ndarray, labels: np.ndarray, precision: Precision, layout: Any
) -> Side:
    peer = peers.build(net, layout).to(section.PEER)
    x = torch.from_numpy(images).to(section.PEER).to(memory_format=layout)
    target = torch.from_numpy(labels).to(section.PEER)
    optimizer = torch.optim.SGD(peer.parameters(), RATE, momentum=MOMENTUM, fused=True)
    scaler = torch.amp.GradScaler(section.PEER, SCALE, enabled=precision.needs_scaling)

    def total() -> Any:
        peer.zero_grad()
        with _autocast(precision):
            parts = [torch.nn.functional.cross_entropy(logits, target) for logits in peer(x)]
            return parts[0] + architecture.AUX_WEIGHT * (parts[1] + parts[2])

    def step() -> None:
        scaler.scale(total()).backward()
        scaler.step(optimizer)
        scaler.update()

    def result() -> tuple[np.ndarray, ...]:
        value = total()
        (value * SCALE).backward()
        gradient = peer.conv1.weight.grad.float().cpu().numpy() / SCALE
        peer.zero_grad()
        return value.detach().float().cpu().numpy(), gradient

    return Side(step, result)


def _torch_inference(net: GoogLeNet, images: np.ndarray, precision: Precision, layout: Any) -> Side:
    peer = peers.build(net, layout).to(section.PEER)
    x = torch.from_numpy(images).to(section.PEER).to(memory_format=layout)

    def forward() -> Any:
        with torch.inference_mode(), _autocast(precision):
            return peer(x)

    return Side(forward, lambda: (forward().float().cpu().numpy(),))


def _autocast(precision: Precision) -> AbstractContextManager:
    if not precision.is_mixed:
        return nullcontext()
    return torch.autocast(section.PEER, precision.torch_dtype)


# -- agreement, and memory -----------------------------------------------------------------------

# How far the sides may differ, relative to the largest number: the loss or the logits, and the
# gradient that came furthest. For that one see `benchmarks.training.KINKS`: rounding decides which
# way a gradient goes where numbers nearly tie, and the coarser it is the more of them do.
TOLERANCES = {
    "float32": (1e-3, 5e-2), "tf32": (1e-2, 0.1), "float16": (1e-2, 0.1), "bfloat16": (5e-2, 0.3),
}  # fmt: skip


def check(what: str, sides: dict[str, Side], precision: Precision) -> None:
    """Insist that all sides compute the same."""
    ours = sides[OURS].result()
    for name, side in sides.items():
        for mine, theirs, tolerance in zip(
            ours, side.result(), TOLERANCES[precision.name], strict=False
        ):
            peers.agree(f"{what}, {name}", mine, theirs, tolerance)


class Memory(NamedTuple):
    """Bytes that arrays of a library took at most, and that its pool held for them."""

    used: int
    held: int


def memory(name: str, make: Callable[[], Side]) -> Memory:
    """Measure a step of a side that is alone on the GPU."""
    if name.startswith(OURS):
        pool = cupy().get_default_memory_pool()
        pool.free_all_blocks()
        side = make()
        side.step()  # makes what is made once: the optimiser's state
        with watch(pool.used_bytes()) as seen:
            side.step()
            wait(name)
        return Memory(seen.most, pool.total_bytes())
    torch.cuda.empty_cache()
    side = make()
    side.step()
    torch.cuda.reset_peak_memory_stats()
    side.step()
    wait(name)
    return Memory(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())


def watch(used: int) -> Any:
    """Make a hook of CuPy's pool that remembers the most bytes in use, `used` at first."""

    class Watch(cupy().cuda.MemoryHook):
        name = "the most bytes in use"
        now = most = used

        def malloc_postprocess(self, **about: Any) -> None:
            self.now += about["mem_size"]
            self.most = max(self.most, self.now)

        def free_postprocess(self, **about: Any) -> None:
            self.now -= about["mem_size"]

    return Watch()


def forget() -> None:
    """Give all memory back that nothing uses any more."""
    gc.collect()
    cupy().get_default_memory_pool().free_all_blocks()
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
