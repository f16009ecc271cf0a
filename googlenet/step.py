"""One step of training: forward, loss of the heads, backward, the optimiser, next learning rate."""

from collections.abc import Callable, Sequence

import numpy as np

import minigrad
from googlenet.anomaly import Lookout, NotFiniteError
from googlenet.model import Network, in_precision, loss
from googlenet.recipes import Recipe
from minigrad import Tensor, optim

Batch = tuple[Tensor, Tensor]  # pictures and labels
Numbers = dict[str, Tensor]  # the losses and the accuracy of a batch


class Step:
    """One step of training: forward, the losses of the heads, backward, and the optimiser.

    A step may have several batches: then it is that of one batch of all their pictures, see
    `minigrad.optim.GradientAccumulator`.

    Parameters
    ----------
    net : Network
    recipe : Recipe
    optimizer : Optimizer
    schedule : Schedule
    cuda_graph : bool
        Record what is done with each batch, on a GPU; not the optimiser.
    look : bool
        Before the optimiser uses them, look whether the numbers are finite. Waits for a GPU.
    average : WeightAverage, optional
        To be told of every step that changed the weights.
    """

    def __init__(
        self,
        net: Network,
        recipe: Recipe,
        optimizer: optim.Optimizer,
        schedule: optim.Schedule,
        cuda_graph: bool = False,
        look: bool = False,
        average: optim.WeightAverage | None = None,
    ) -> None:
        self.net, self.recipe, self.optimizer, self.schedule = net, recipe, optimizer, schedule
        self.average = average
        self.accumulator = optim.GradientAccumulator(net.parameters())
        self.scaler = optim.GradScaler(enabled=recipe.precision == "mixed")
        self.lookout = Lookout(net, gradients=not self.scaler.enabled) if look else None
        self.gradients: Callable[..., Numbers] = self._gradients
        if cuda_graph:
            self.gradients = minigrad.cuda_graph(self._gradients, net.parameters())

    def __call__(self, batches: Sequence[Batch]) -> list[Numbers]:
        """Learn from batches. Returns the losses and the accuracy, means over each of them.

        Raises
        ------
        NotFiniteError
            If it was to look, and a number is not finite. It names the operation that gave it; the
            parameters are as they were before the step.
        """
        told = []
        for images, labels in batches:
            told.append(self._learn(images, labels))
            if len(batches) > 1:
                self.accumulator.add(len(labels))
        if len(batches) > 1:
            self.accumulator.finish()
        if self.recipe.clip_grad_norm:
            self.scaler.unscale_(self.optimizer)
            optim.clip_grad_norm_(self.net.parameters(), self.recipe.clip_grad_norm)
        if self.scaler.step(self.optimizer) and self.average is not None:
            self.average.update()
        self.scaler.update()
        self.schedule.step()
        return told

    def _learn(self, images: Tensor, labels: Tensor) -> Numbers:
        """Compute the gradients of a batch, and look at them."""
        drawn = minigrad.random.default.drawn
        numbers = self.gradients(images, labels)
        if self.lookout and (seen := self.lookout.sees(numbers["loss"])):
            cause = self.lookout.cause(lambda: self._gradients(images, labels), drawn)
            raise NotFiniteError(f"{seen}; {cause}")
        return numbers

    def _gradients(self, images: Tensor, labels: Tensor) -> Numbers:
        """Compute all gradients; nothing of it depends on how many steps there were."""
        outputs = self.net(in_precision(images, self.recipe.precision))
        total, heads = loss(outputs, labels, self.recipe.label_smoothing, self.recipe.aux_weight)
        self.net.zero_grad()
        self.scaler.scale(total).backward()
        losses = {f"loss_{name}": head for name, head in heads.items()}
        correct = accuracy(outputs.logits, labels)
        return {"loss": total, **losses, "train_accuracy": correct}


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of pictures whose largest logit is that of their label."""
    return (logits.argmax(1) == labels.to(logits.device)).astype(np.float64).mean()
