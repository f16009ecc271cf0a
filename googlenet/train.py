"""Training: the loop, told without the screen. What happens on the screen is in `googlenet.screen`.

One step: forward, loss of the three heads, backward, Adam, next learning rate. One epoch: every
training picture once in a new order, then the accuracy on the test pictures.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

import minigrad
from googlenet.model import GoogLeNet, loss
from googlenet.recipes import PRECISIONS, Recipe
from minigrad import Tensor, optim
from minigrad import functional as F
from minigrad.data import (
    Compose,
    DataLoader,
    Dataset,
    Normalize,
    RandomHorizontalFlip,
    Resize,
    ToFloat,
    Transform,
)

Metrics = dict[str, float]


class Watcher(Protocol):
    """Who wants to know how training goes."""

    def step(self, images: int, means: "RunningMean", learning_rate: float) -> None:
        """Be told after every step: how many pictures it took, and the epoch's means so far.

        To read the means waits for a GPU to have computed them: better not at every step.
        """

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch: the row of ``metrics.csv``."""


@dataclass
class RunningMean:
    """Means of named numbers, weighted by how many pictures each stands for.

    Numbers may be tensors that a GPU is still computing: they are read when the means are.
    """

    sums: Metrics = field(default_factory=dict)
    count: int = 0
    unread: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)

    def add(self, count: int, **values: Tensor) -> None:
        """Add means over `count` pictures."""
        self.count += count
        self.unread.append((count, {name: value.detach() for name, value in values.items()}))

    def means(self) -> Metrics:
        """Return the means so far."""
        for count, values in self.unread:
            for name, value in values.items():
                self.sums[name] = self.sums.get(name, 0.0) + count * value.item()
        self.unread.clear()
        return {name: total / self.count for name, total in self.sums.items()}


def train(
    net: GoogLeNet,
    recipe: Recipe,
    training: Dataset,
    test: Dataset,
    *watchers: Watcher,
    cuda_graph: bool = False,
) -> list[Metrics]:
    """Train a network by a recipe.

    Parameters
    ----------
    net : GoogLeNet
    recipe : Recipe
    training, test : Dataset
        Pictures (C, H, W) of uint8, and labels.
    *watchers : Watcher
        Told after every step and every epoch.
    cuda_graph : bool
        Record the step, if the network is on a GPU (`minigrad.cuda_graph`): the same numbers.

    Returns
    -------
    list of dict
        For each epoch: epoch, learning_rate, loss and loss_<head> (means over the epoch),
        train_accuracy, test_loss, test_accuracy, images_per_second, seconds (since the start).
    """
    minigrad.manual_seed(recipe.seed)
    mean, std = channel_statistics(training)
    fixed: list[Transform] = [Resize(recipe.image_size), ToFloat(), Normalize(mean, std)]
    changed: list[Transform] = [RandomHorizontalFlip()] if recipe.flip else []
    device = next(net.parameters()).device
    batches = DataLoader(
        training, recipe.batch_size, shuffle=True, seed=recipe.seed,
        transform=Compose([*changed, *fixed]), device=device,
    )  # fmt: skip
    test_batches = DataLoader(test, 4 * recipe.batch_size, transform=Compose(fixed), device=device)
    optimizer = optim.Adam(
        net.parameters(), recipe.lr, recipe.betas, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * len(batches)
    schedule = optim.CosineLR(optimizer, steps, warmup=int(recipe.warmup * steps))

    step = Step(net, recipe, optimizer, schedule, cuda_graph)
    start, history = time.perf_counter(), []
    for epoch in range(1, recipe.epochs + 1):
        row: Metrics = {"epoch": epoch, "learning_rate": optimizer.groups[0]["lr"]}
        epoch_start = time.perf_counter()
        means = RunningMean()
        for images in train_epoch(net, step, batches, means):
            for watcher in watchers:
                watcher.step(images, means, optimizer.groups[0]["lr"])
        row |= means.means()
        row["images_per_second"] = means.count / (time.perf_counter() - epoch_start)
        row["test_loss"], row["test_accuracy"] = evaluate(net, test_batches, recipe.precision)
        row["seconds"] = time.perf_counter() - start
        history.append(row)
        for watcher in watchers:
            watcher.epoch(row)
    return history


class Step:
    """One step of training: forward, the losses of the heads, backward, and the optimiser.

    Parameters
    ----------
    net : GoogLeNet
    recipe : Recipe
    optimizer : Optimizer
    schedule : Schedule
    cuda_graph : bool
        Record all but the optimiser, on a GPU.
    """

    def __init__(
        self,
        net: GoogLeNet,
        recipe: Recipe,
        optimizer: optim.Optimizer,
        schedule: optim.Schedule,
        cuda_graph: bool = False,
    ) -> None:
        self.net, self.recipe, self.optimizer, self.schedule = net, recipe, optimizer, schedule
        self.scaler = optim.GradScaler(enabled=recipe.precision == "mixed")
        self.gradients: Callable[..., dict[str, Tensor]] = self._gradients
        if cuda_graph:
            self.gradients = minigrad.cuda_graph(self._gradients, net.parameters())

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Learn from a batch. Returns the losses and the accuracy, means over it."""
        numbers = self.gradients(images, labels)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return numbers

    def _gradients(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute all gradients; nothing of it depends on how many steps there were."""
        outputs = self.net(images.astype(PRECISIONS[self.recipe.precision]))
        total, heads = loss(outputs, labels, self.recipe.label_smoothing)
        self.net.zero_grad()
        self.scaler.scale(total).backward()
        losses = {f"loss_{name}": head for name, head in heads.items()}
        correct = accuracy(outputs.logits, labels)
        return {"loss": total, **losses, "train_accuracy": correct}


def train_epoch(
    net: GoogLeNet, step: Step, batches: DataLoader, means: RunningMean
) -> Iterator[int]:
    """Go through the pictures once; after each step yield how many pictures it took."""
    net.train()
    for images, labels in batches:
        means.add(len(labels), **step(images, labels))
        yield len(labels)


def evaluate(
    net: GoogLeNet, batches: DataLoader, precision: str = "float32"
) -> tuple[float, float]:
    """Return (mean cross-entropy, accuracy) of the main head."""
    net.eval()
    means = RunningMean()
    with minigrad.no_grad():
        for images, labels in batches:
            logits = net(images.astype(PRECISIONS[precision]))
            entropy = F.cross_entropy(logits, labels)
            means.add(len(labels), loss=entropy, correct=accuracy(logits, labels))
    return means.means()["loss"], means.means()["correct"]


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of pictures whose largest logit is that of their label."""
    return (logits.argmax(1) == labels.to(logits.device)).astype(np.float64).mean()


def channel_statistics(dataset: Dataset) -> tuple[list[float], list[float]]:
    """Return the mean and standard deviation of each channel, over all pictures, as 0 … 1."""
    pictures = np.stack([dataset[i][0] for i in range(len(dataset))])
    axes = (0, 2, 3)
    return (pictures.mean(axes) / 255).tolist(), (pictures.std(axes) / 255).tolist()
