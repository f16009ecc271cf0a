"""Training: the loop, told without the screen. What happens on the screen is in `googlenet.screen`.

One step is `googlenet.step`'s. One epoch: every training picture once in a new order, then the
accuracy on the test pictures, with the weights as they are and, if the recipe has them averaged,
with their average as well.

A `Training` can be stopped after any step, kept, and gone on with later: everything that decides
the next number is in its `state_dict`. The numbers are then those of a run that was never stopped,
to the bit.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

import minigrad
from googlenet import architecture
from googlenet.finetuning import freeze, keep_statistics
from googlenet.model import Network, in_precision
from googlenet.optimization import average_for, groups, optimizer_for, schedule_for
from googlenet.pictures import transforms
from googlenet.recipes import Recipe
from googlenet.step import Batch, Step, accuracy
from minigrad import Tensor
from minigrad import functional as F
from minigrad.data import DataLoader, Dataset

Metrics = dict[str, float]
HEADS = {"logits": "main", "aux_4a": "4a", "aux_4d": "4d", "aux": "aux"}  # what people call them


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
        self.read()
        return {name: total / self.count for name, total in self.sums.items()}

    def read(self) -> Metrics:
        """Wait for the numbers, and return their sums."""
        for count, values in self.unread:
            for name, value in values.items():
                self.sums[name] = self.sums.get(name, 0.0) + count * value.item()
        self.unread.clear()
        return self.sums


class Training:
    """A network being trained by a recipe, from the first step to the last.

    Parameters
    ----------
    net : Network
        Where it lies, the training runs. Parameters that the recipe freezes are frozen.
    recipe : Recipe
    training, test : Dataset
        Pictures (C, H, W) of uint8, and labels.
    cuda_graph : bool
        Record the step, if the network is on a GPU (`minigrad.cuda_graph`): the same numbers.
    detect_anomaly : bool
        On a GPU too, look after every step whether its numbers are finite, which waits for it. On
        the CPU that costs next to nothing and is always done.
    **reading
        How pictures are read: `workers` and `on_error` of `DataLoader`.

    Attributes
    ----------
    history : list of dict
        For each epoch: epoch, learning_rate, loss and loss_<head> (means over the epoch),
        train_accuracy, test_loss, test_accuracy, images_per_second, seconds (since the start); with
        averaged weights also test_loss_averaged and test_accuracy_averaged.
    average : WeightAverage, optional
        Of the weights, if the recipe wants one.
    transform : Compose
        What pictures go through in use, from bytes to what the network takes.

    Raises
    ------
    ValueError
        If the recipe does not fit these pictures: a batch of one that could not be normalised, a
        schedule that does not fit into the steps, patterns that freeze nothing, or everything.
    """

    def __init__(
        self,
        net: Network,
        recipe: Recipe,
        training: Dataset,
        test: Dataset,
        cuda_graph: bool = False,
        detect_anomaly: bool = False,
        **reading: Any,
    ) -> None:
        minigrad.manual_seed(recipe.seed)
        self.net, self.recipe = net, recipe
        changed, self.transform = transforms(recipe, training, reading.get("on_error", "raise"))
        reading["device"] = next(net.parameters()).device
        self.batches = DataLoader(
            training, recipe.batch_size, shuffle=True, seed=recipe.seed, transform=changed,
            **reading,
        )  # fmt: skip
        self.test_batches = DataLoader(
            test, 4 * recipe.batch_size, transform=self.transform, **reading
        )
        freeze(net, recipe.freeze)
        _check_smallest_batch(net, recipe.batch_size, len(training))
        per_epoch = math.ceil(len(self.batches) / recipe.accumulate)
        self.optimizer = optimizer_for(recipe, groups(net, recipe))
        self.schedule = schedule_for(recipe, self.optimizer, per_epoch)
        self.average = average_for(recipe, net, per_epoch)
        look = detect_anomaly or reading["device"] == "cpu"
        self.step = Step(net, recipe, self.optimizer, self.schedule, cuda_graph, look, self.average)
        self.history: list[Metrics] = []
        self.stopping = False
        # Of the epoch that is going on:
        self.means, self.rate, self.seconds_of_epoch = RunningMean(), 0.0, 0.0
        self._fetched = 0  # batches of a step that has not all of its batches yet
        self.seconds = 0.0  # of all
        self._clock = time.perf_counter()

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over."""
        return len(self.history) == self.recipe.epochs

    def stop(self) -> None:
        """Let `run` return after the step that is going on. May be called by a signal's handler."""
        self.stopping = True

    def run(self, *watchers: Watcher) -> bool:
        """Train until the last epoch is over, or `stop` is called.

        Parameters
        ----------
        *watchers : Watcher
            Told after every step and every epoch.

        Returns
        -------
        bool
            Whether the training is finished.
        """
        self.stopping, self._clock = False, time.perf_counter()
        while not self.finished:
            self._learn(watchers)
            if self.stopping or not self._test(watchers):
                break
        self._time()
        return self.finished

    def _learn(self, watchers: tuple[Watcher, ...]) -> None:
        """Go through what is left of this epoch's pictures."""
        self.net.train()
        keep_statistics(self.net)
        if self.means.count == 0:
            self.rate = self.optimizer.groups[0]["lr"]
        place = self.batches.state_dict()
        if place["epoch"] > len(self.history):  # they are through: it was stopped in the test
            return
        for batches in self._steps():
            images = 0
            for (_, labels), numbers in zip(batches, self.step(batches), strict=True):
                self.means.add(len(labels), **numbers)
                images += len(labels)
            self._time()
            for watcher in watchers:
                watcher.step(images, self.means, self.optimizer.groups[0]["lr"])
            if self.stopping:
                return

    def _steps(self) -> Iterator[list[Batch]]:
        """Gather the batches of each step. The last step of an epoch may have fewer.

        All of them before the first is learned from: if one cannot be read the error comes up
        between two steps, and what is kept then is whole.
        """
        batches: list[Batch] = []
        for batch in self.batches:
            batches.append(batch)
            self._fetched = len(batches)
            if self._fetched == self.recipe.accumulate:
                self._fetched = 0
                yield batches
                batches = []
        if batches:
            self._fetched = 0
            yield batches

    def _test(self, watchers: tuple[Watcher, ...]) -> bool:
        """End the epoch with the test. Returns whether there was time for it."""
        row: Metrics = {"epoch": len(self.history) + 1, "learning_rate": self.rate}
        row |= self.means.means()
        self._time()
        row["images_per_second"] = self.means.count / self.seconds_of_epoch
        tested = self._tested("")
        if self.average is not None and tested is not None:
            with self.average.swapped():
                averaged = self._tested("_averaged")
            tested = None if averaged is None else tested | averaged
        if tested is None:
            return False
        row |= tested
        self._time()
        row["seconds"] = self.seconds
        self.history.append(row)
        self.means, self.seconds_of_epoch = RunningMean(), 0.0
        for watcher in watchers:
            watcher.epoch(row)
        return True

    def _tested(self, suffix: str) -> Metrics | None:
        """Test the network as it is now; None if there was no time for it."""
        how = self.recipe.precision, lambda: self.stopping
        found = evaluate(self.net, self.test_batches, *how)
        if found is None:
            return None
        return {f"test_loss{suffix}": found[0], f"test_accuracy{suffix}": found[1]}

    def _time(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self.seconds_of_epoch += now - self._clock
        self._clock = now

    # -- to be kept --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how this training goes on.

        Returns
        -------
        dict
            "arrays" by name, as they are: the next step changes them. "values": the rest, which
            JSON can hold.
        """
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in self.net.state_dict().items()}
        arrays |= {f"optimizer.{name}": array for name, array in optimizer["arrays"].items()}
        place = self.batches.state_dict()
        values: dict[str, Any] = {
            "optimizer": optimizer["values"],
            "schedule": self.schedule.state_dict()["values"],
            "scaler": self.step.scaler.state_dict(),
            "loader": {**place, "batches": place["batches"] - self._fetched},
            "keys": {"seed": minigrad.random.default.seed, "drawn": minigrad.random.default.drawn},
            "means": {"sums": self.means.read(), "count": self.means.count},
            "rate": self.rate,
            "seconds": self.seconds,
            "seconds_of_epoch": self.seconds_of_epoch,
            "history": self.history,
        }
        if self.average is not None:
            average = self.average.state_dict()
            arrays |= {f"average.{name}": array for name, array in average["arrays"].items()}
            values["average"] = average["values"]
        return {"arrays": arrays, "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where another training was, of an equal network by an equal recipe.

        Raises
        ------
        ValueError
            If the state does not fit; the training is then of no use.
        """
        arrays, values = state["arrays"], state["values"]
        try:
            self.net.load_state_dict(_part(arrays, "model."))
            self.optimizer.load_state_dict(
                {"arrays": _part(arrays, "optimizer."), "values": values["optimizer"]}
            )
            self.schedule.load_state_dict({"arrays": {}, "values": values["schedule"]})
            if self.average is not None:
                self.average.load_state_dict(
                    {"arrays": _part(arrays, "average."), "values": values["average"]}
                )
            self.step.scaler.load_state_dict(values["scaler"])
            self.batches.load_state_dict(values["loader"])
            keys = minigrad.random.default
            keys.seed, keys.drawn = values["keys"]["seed"], values["keys"]["drawn"]
            self.means = RunningMean(dict(values["means"]["sums"]), values["means"]["count"])
            self.rate, self.seconds = values["rate"], values["seconds"]
            self.seconds_of_epoch, self.history = values["seconds_of_epoch"], values["history"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Training: the state is not that of a training ({type(error).__name__}: {error})"
            ) from None


def _check_smallest_batch(net: Network, batch_size: int, pictures: int) -> None:
    """Refuse batches that batch normalisation would fail on at the end of the first epoch.

    A single picture whose maps are 1×1 has one value for each channel, and no variance. (In PyTorch
    a loader is told to drop such a batch; here every picture is learned from.)
    """
    smallest = min(batch_size, pictures % batch_size or batch_size)
    layer = _normalised_pixel(net) if smallest == 1 else None
    if layer is None:
        return
    fitting = [size for size in range(2, pictures + 1) if pictures % size != 1]
    near = min(fitting, key=lambda size: abs(size - batch_size), default=None)
    cure = "at least two pictures" if near is None else f"batch_size {near}"
    raise ValueError(
        f"batch_size: of {pictures} pictures in batches of {batch_size} the last has one alone, "
        f"and batch normalisation needs more than one value for each channel: maps of {layer} are "
        f"1×1. Take {cure}, or a larger image_size"
    )


def _normalised_pixel(net: Network) -> str | None:
    """Name a layer that normalises maps of 1×1 over the batch, if there is one that is trained."""
    design, modules = net.design, dict(net.named_modules())
    heads = {head.name: head for head in design.heads}
    layers: list[architecture.Placed] = []
    for step in architecture.walk(design.stages, net.in_channels, net.image_size):
        layers += architecture.placed(step.stage, step.in_channels, step.in_size)
        if step.stage.name in net.heads:
            head = heads[net.heads[step.stage.name]]
            _, side = architecture.head_pool(head, step.out_size)
            for conv in head.convs:
                found = next(architecture.placed(conv, 0, side, f"{head.name}."))
                layers.append(found)
                side = found.out_size
    for layer in layers:
        norm = modules.get(f"{layer.name}.bn")
        trained = norm is not None and any(p.requires_grad for p in norm.parameters())
        if layer.out_size == 1 and trained:
            return layer.name
    return None


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Pick the arrays whose names begin with a prefix, and take it off."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def train(
    net: Network,
    recipe: Recipe,
    training: Dataset,
    test: Dataset,
    *watchers: Watcher,
    cuda_graph: bool = False,
) -> list[Metrics]:
    """Train a network by a recipe. Returns the history of a `Training`, which explains the rest."""
    run = Training(net, recipe, training, test, cuda_graph)
    run.run(*watchers)
    return run.history


def evaluate(
    net: Network,
    batches: DataLoader,
    precision: str = "float32",
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[float, float] | None:
    """Return (mean cross-entropy, accuracy) of the main head, or None if it was stopped."""
    net.eval()
    means = RunningMean()
    with minigrad.no_grad():
        for images, labels in batches:
            logits = net(in_precision(images, precision))
            entropy = F.cross_entropy(logits, labels)
            means.add(len(labels), loss=entropy, correct=accuracy(logits, labels))
            if stopped():
                return None
    return means.means()["loss"], means.means()["correct"]
