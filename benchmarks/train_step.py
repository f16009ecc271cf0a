"""A training step of the paper's network, beside PyTorch's, in one run.

    python -m benchmarks.train_step [batch size] [rounds]

Needs PyTorch (``pip install ".[bench]"``). GoogLeNet at 224 pixels, both heads, float32: forward,
loss, backward; no dropout, no optimiser. Ours and PyTorch's in both memory layouts take turns, so
that a machine that slows down slows all of them; medians, and the ratio to PyTorch's faster layout.
"""

import os
import statistics
import sys
import time

import numpy as np
import torch

import minigrad
from googlenet import GoogLeNet
from googlenet.model import loss
from tests.googlenet.torch_googlenet import TorchGoogLeNet


def ours(images, labels):
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0)
    x = minigrad.tensor(images)

    def step():
        net.zero_grad()
        loss(net(x), labels)[0].backward()

    return step


def theirs(images, labels, layout):
    net = TorchGoogLeNet(1000).to(memory_format=layout)
    x, target = torch.from_numpy(images).to(memory_format=layout), torch.from_numpy(labels)

    def step():
        net.zero_grad()
        parts = [torch.nn.functional.cross_entropy(logits, target) for logits in net(x)]
        (parts[0] + 0.3 * parts[1] + 0.3 * parts[2]).backward()

    return step


def main(batch, rounds):
    torch.set_num_threads(minigrad.get_num_threads())
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, 224, 224)).astype(np.float32)
    labels = rng.integers(0, 1000, batch)
    steps = {
        "minigrad": ours(images, labels),
        "PyTorch, default layout": theirs(images, labels, torch.contiguous_format),
        "PyTorch, channels last": theirs(images, labels, torch.channels_last),
    }
    times = {name: [] for name in steps}
    for i in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if i:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    print(f"{os.cpu_count()} cores, batch {batch}, {rounds} rounds, torch {torch.__version__}")
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in times.items():
        print(
            f"{name:24} {batch / medians[name]:6.1f} images/s "
            f"(step {min(seconds):.2f} {medians[name]:.2f} {max(seconds):.2f} s, min median max)"
        )
    best = min(median for name, median in medians.items() if name != "minigrad")
    print(f"minigrad / PyTorch's faster layout: {best / medians['minigrad']:.2f}×")


if __name__ == "__main__":
    main(*(int(a) for a in (sys.argv[1:] + ["8", "7"][len(sys.argv) - 1 :])))
