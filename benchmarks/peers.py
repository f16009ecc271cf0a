"""The other side: PyTorch's steps, in each memory layout, and the network they run.

The network is the one that judges ours in the tests, made to fit other images, and without its
auxiliary heads in use, as ours. Weights are always copied from ours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

import minigrad
from googlenet import GoogLeNet, architecture
from googlenet.model import loss
from minigrad import optim

torch: ModuleType | None
try:
    import torch
except ImportError:
    torch = None

MISSING = 'PyTorch is not installed: pip install -e ".[bench]"'
OURS = "minigrad"
EAGER = "PyTorch, default layout"
CHANNELS_LAST = "PyTorch, channels last"
COMPILED = "PyTorch, compiled, channels last"


class DisagreementError(AssertionError):
    """The two sides compute different things: timing them would mean nothing."""


def layouts(dtype: str = "float32") -> dict[str, Any]:
    """Return PyTorch's memory layouts by the name of the side that uses them; none without it.

    For 16 bits only the one that tensor cores want.
    """
    if not torch:
        return {}
    last = {CHANNELS_LAST: torch.channels_last}
    return {EAGER: torch.contiguous_format, **last} if dtype == "float32" else last


def set_threads(count: int) -> None:
    """Let both sides use so many threads."""
    minigrad.set_num_threads(count)
    if torch:
        torch.set_num_threads(count)


def agree(what: str, ours: Any, theirs: Any, tolerance: float = 1e-3) -> None:
    """Insist that two arrays differ little, relative to the largest number in them.

    Raises
    ------
    DisagreementError
        Telling by how much.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise DisagreementError(f"{what}: ours has shape {ours.shape}, PyTorch's {theirs.shape}")
    difference = float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))
    if not difference <= tolerance:
        raise DisagreementError(
            f"{what}: ours and PyTorch's differ by {difference:.1e} of the largest"
        )


def build(net: GoogLeNet, layout: Any) -> Any:
    """Build the network of `net` in PyTorch with the same weights, in a memory layout."""
    from benchmarks.peer_network import PeerGoogLeNet

    peer = PeerGoogLeNet(
        net.num_classes, net.in_channels, net.image_size, net.dropout.p, net.aux_dropout
    )
    state = {name: torch.from_numpy(array.copy()) for name, array in net.state_dict().items()}
    peer.load_state_dict(state)
    peer.train(net.training)
    return peer.to(memory_format=layout)


def data(net: GoogLeNet, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Make images and labels for a network."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, net.in_channels, net.image_size, net.image_size))
    return images.astype(np.float32), rng.integers(0, net.num_classes, batch)


def our_training_step(
    net: GoogLeNet,
    images: np.ndarray,
    labels: np.ndarray,
    optimizer: optim.Optimizer | None = None,
    smoothing: float = 0.0,
) -> Callable[[], Any]:
    """Make a step: forward, loss of the three heads, backward, and the optimiser's if given.

    It returns the loss and the gradient that came furthest, that of conv1: what to compare.
    """
    x = minigrad.tensor(images)

    def step() -> Any:
        net.zero_grad()
        total, _ = loss(net(x), labels, smoothing)
        total.backward()
        if optimizer:
            optimizer.step()
        return total.data, net.conv1.weight.grad.data

    return step


def training_step(
    peer: Any,
    images: np.ndarray,
    labels: np.ndarray,
    layout: Any,
    optimizer: Any = None,
    smoothing: float = 0.0,
    compiled: bool = False,
) -> Callable[[], Any]:
    """Make PyTorch's step, the same as ours."""
    x, target = torch.from_numpy(images).to(memory_format=layout), torch.from_numpy(labels)

    def total(x: Any, target: Any) -> Any:
        entropy = torch.nn.functional.cross_entropy
        parts = [entropy(logits, target, label_smoothing=smoothing) for logits in peer(x)]
        return parts[0] + architecture.AUX_WEIGHT * (parts[1] + parts[2])

    forward = torch.compile(total, dynamic=False) if compiled else total

    def step() -> Any:
        peer.zero_grad()
        result = forward(x, target)
        result.backward()
        if optimizer:
            optimizer.step()
        return result.detach().numpy(), peer.conv1.weight.grad.numpy()

    return step


def our_inference(net: GoogLeNet, images: np.ndarray) -> Callable[[], Any]:
    """Make a step: logits of the main head, nothing recorded. The network must be in eval()."""
    x = minigrad.tensor(images)

    def step() -> Any:
        with minigrad.no_grad():
            return (net(x).data,)

    return step


def inference(
    peer: Any, images: np.ndarray, layout: Any, compiled: bool = False
) -> Callable[[], Any]:
    """Make PyTorch's step, the same as ours."""
    x = torch.from_numpy(images).to(memory_format=layout)
    forward = torch.compile(peer, dynamic=False) if compiled else peer

    def step() -> Any:
        with torch.inference_mode():
            return (forward(x).numpy(),)

    return step


@contextmanager
def evaluating(*networks: Any) -> Iterator[None]:
    """Put networks of either side to use, and back to training after."""
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for network in networks:
            network.train()
