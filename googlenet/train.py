"""Training: the loop, told without the screen. What happens on the screen is in `googlenet.screen`.

One step: forward, loss of the three heads, backward, Adam, next learning rate. One epoch: every
training picture once in a new order, then the accuracy on the test pictures.

A `Training` can be stopped after any step, kept, and gone on with later: everything that decides
the next number is in its `state_dict`. The numbers are then those of a run that was never stopped,
to the bit.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

import minigrad
from googlenet.anomaly import Lookout, NotFiniteError
from googlenet.model import GoogLeNet, in_precision, loss
from googlenet.pictures import transforms
from googlenet.recipes import Recipe
from minigrad import Tensor, optim
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
    look : bool
        Before the optimiser uses them, look whether the numbers are finite. Waits for a GPU.
    """

    def __init__(
        self,
        net: GoogLeNet,
        recipe: Recipe,
        optimizer: optim.Optimizer,
        schedule: optim.Schedule,
        cuda_graph: bool = False,
        look: bool = False,
    ) -> None:
        self.net, self.recipe, self.optimizer, self.schedule = net, recipe, optimizer, schedule
        self.scaler = optim.GradScaler(enabled=recipe.precision == "mixed")
        self.lookout = Lookout(net, gradients=not self.scaler.enabled) if look else None
        self.gradients: Callable[..., dict[str, Tensor]] = self._gradients
        if cuda_graph:
            self.gradients = minigrad.cuda_graph(self._gradients, net.parameters())

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Learn from a batch. Returns the losses and the accuracy, means over it.

        Raises
        ------
        NotFiniteError
            If it was to look, and a number is not finite. It names the operation that gave it; the
            parameters are as they were before the step.
        """
        drawn = minigrad.random.default.drawn
        numbers = self.gradients(images, labels)
        if self.lookout and (seen := self.lookout.sees(numbers["loss"])):
            cause = self.lookout.cause(lambda: self._gradients(images, labels), drawn)
            raise NotFiniteError(f"{seen}; {cause}")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return numbers

    def _gradients(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute all gradients; nothing of it depends on how many steps there were."""
        outputs = self.net(in_precision(images, self.recipe.precision))
        total, heads = loss(
            outputs, labels, self.recipe.label_smoothing, self.net.design.aux_weight
        )
        self.net.zero_grad()
        self.scaler.scale(total).backward()
        losses = {f"loss_{name}": head for name, head in heads.items()}
        correct = accuracy(outputs.logits, labels)
        return {"loss": total, **losses, "train_accuracy": correct}


class Training:
    """A network being trained by a recipe, from the first step to the last.

    Parameters
    ----------
    net : GoogLeNet
        Where it lies, the training runs.
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
        train_accuracy, test_loss, test_accuracy, images_per_second, seconds (since the start).
    transform : Compose
        What pictures go through in use, from bytes to what the network takes.
    """

    def __init__(
        self,
        net: GoogLeNet,
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
        self.optimizer = optim.Adam(
            net.parameters(), recipe.lr, recipe.betas, weight_decay=recipe.weight_decay
        )
        steps = recipe.epochs * len(self.batches)
        self.schedule = optim.CosineLR(self.optimizer, steps, warmup=int(recipe.warmup * steps))
        look = detect_anomaly or reading["device"] == "cpu"
        self.step = Step(net, recipe, self.optimizer, self.schedule, cuda_graph, look)
        self.history: list[Metrics] = []
        self.stopping = False
        # Of the epoch that is going on:
        self.means, self.rate, self.seconds_of_epoch = RunningMean(), 0.0, 0.0
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
        if self.means.count == 0:
            self.rate = self.optimizer.groups[0]["lr"]
        place = self.batches.state_dict()
        if place["epoch"] > len(self.history):  # they are through: it was stopped in the test
            return
        for images, labels in self.batches:
            self.means.add(len(labels), **self.step(images, labels))
            self._time()
            for watcher in watchers:
                watcher.step(len(labels), self.means, self.optimizer.groups[0]["lr"])
            if self.stopping:
                return

    def _test(self, watchers: tuple[Watcher, ...]) -> bool:
        """End the epoch with the test. Returns whether there was time for it."""
        row: Metrics = {"epoch": len(self.history) + 1, "learning_rate": self.rate}
        row |= self.means.means()
        self._time()
        row["images_per_second"] = self.means.count / self.seconds_of_epoch
        tested = evaluate(self.net, self.test_batches, self.recipe.precision, lambda: self.stopping)
        if tested is None:
            return False
        row["test_loss"], row["test_accuracy"] = tested
        self._time()
        row["seconds"] = self.seconds
        self.history.append(row)
        self.means, self.seconds_of_epoch = RunningMean(), 0.0
        for watcher in watchers:
            watcher.epoch(row)
        return True

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
        values = {
            "optimizer": optimizer["values"],
            "schedule": self.schedule.state_dict()["values"],
            "scaler": self.step.scaler.state_dict(),
            "loader": self.batches.state_dict(),
            "keys": {"seed": minigrad.random.default.seed, "drawn": minigrad.random.default.drawn},
            "means": {"sums": self.means.read(), "count": self.means.count},
            "rate": self.rate,
            "seconds": self.seconds,
            "seconds_of_epoch": self.seconds_of_epoch,
            "history": self.history,
        }
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


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Pick the arrays whose names begin with a prefix, and take it off."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def train(
    net: GoogLeNet,
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
    net: GoogLeNet,
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


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of pictures whose largest logit is that of their label."""
    return (logits.argmax(1) == labels.to(logits.device)).astype(np.float64).mean()
