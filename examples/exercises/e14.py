"""The properties of lesson 14: a step of training, the loss of an epoch, a schedule."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases
from minigrad import nn, optim

__all__ = ["epoch_loss", "rate", "train_step"]

LR = 0.125


class _Watched:
    """An optimizer that notes what it is asked to do, and in what order."""

    def __init__(self, parameters: list[Any]) -> None:
        self.inner, self.parameters = optim.SGD(parameters, lr=LR), parameters
        self.asked: list[str] = []
        self.took = False

    def step(self) -> None:
        self.asked.append("step")
        self.inner.step()

    def zero_grad(self) -> None:
        self.asked.append("zero_grad")
        self.took = any(parameter.grad is not None for parameter in self.parameters)
        for parameter in self.parameters:
            parameter.grad = None


def train_step(answer: Callable) -> None:
    """Follow (w − c)²: each step takes w to w − lr·2·(w − c), whatever steps there were before."""

    @cases(start=st.integers(-3, 3), targets=st.lists(st.integers(1, 5), min_size=1, max_size=3))
    def holds(start: int, targets: list[int]) -> None:
        w = nn.parameter(np.array([float(start)]))
        optimizer = _Watched([w])

        def loss_of(batch: float) -> Any:
            optimizer.asked.append("loss")
            return ((w - batch) * (w - batch)).sum()

        needed, gathered, slope = float(start), float(start), 0.0
        for i, target in enumerate(targets):
            case = (
                f"for w = {start} and the loss (w − batch)², batches {targets}: after step {i + 1}"
            )
            optimizer.asked.clear()
            optimizer.took = False
            try:
                answer([w], optimizer, loss_of, float(target))
            except NotImplementedError:
                raise
            except Exception as error:
                raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
            slope += 2 * (gathered - target)
            gathered -= LR * slope
            before, move = needed, LR * 2 * (needed - target)
            needed -= move
            agree(f"{case} (you called {', '.join(optimizer.asked)})", "w", w.numpy()[0], needed, [
                (gathered, "The gradients of earlier steps are still there: backward adds to them. "
                           "Call zero_grad before it."),
                (before, _still(optimizer)),
                (before + move, "That walks uphill."),
            ])  # fmt: skip

    holds()


def _still(optimizer: _Watched) -> str:
    if "step" not in optimizer.asked:
        return "w did not move: optimizer.step() was not called."
    if optimizer.took:
        return "w did not move: zero_grad came between backward and step, and took the gradient."
    return "w did not move: when step came there was no gradient yet. Backward comes first."


def epoch_loss(answer: Callable) -> None:
    """Weigh each batch by its pictures: the last one is often smaller."""
    some = st.tuples(st.integers(1, 4).map(float), st.integers(1, 3))

    @cases(batches=st.lists(some, min_size=2, max_size=3))
    def holds(batches: list[tuple[float, int]]) -> None:
        means, counts = zip(*batches, strict=True)
        weighed = sum(mean * count for mean, count in batches)
        case = f"for the batches {batches}"
        came = ask(answer, case, batches)
        agree(case, "the mean loss of a picture", came, weighed / sum(counts), [
            (sum(means) / len(means),
             "Batches of different sizes count alike there: a picture in a small batch counts more "
             "than others. Weigh each mean by its pictures."),
            (weighed / len(means), "Divide by the number of pictures, not of batches."),
            (sum(means) / sum(counts),
             "Each mean must be multiplied by its pictures before they are added."),
            (weighed, "That is the sum over the pictures; the mean is asked for."),
            (means[-1], "That is the last batch's."),
            *([(sum(m * n for m, n in batches[:-1]) / sum(counts[:-1]),
                "The last batch is missing.")] if len(batches) > 1 else []),
        ])  # fmt: skip

    holds()


def rate(answer: Callable) -> None:
    """Hold the whole schedule against its formula, the first step where it leaves it first."""

    @cases(warmup=st.integers(2, 4), rest=st.integers(4, 7), peak=st.sampled_from([1.0, 0.5]))
    def holds(warmup: int, rest: int, peak: float) -> None:
        steps = warmup + rest
        for step in range(steps):
            case = f"for {steps} steps, {warmup} of them warm-up, peak {peak}: at step {step}"
            came = ask(answer, case, step, steps, warmup, peak)
            if step < warmup:
                agree(case, "the rate", came, peak * (step + 1) / warmup, [
                    (peak * step / warmup, "Step 0 would not move at all: count from 1."),
                    (peak, "Warm-up climbs up to the peak, it does not begin there."),
                    (_cosine(peak, step / steps), "The cosine begins after the warm-up."),
                ])  # fmt: skip
                continue
            after = step + 1 - warmup
            agree(case, "the rate", came, _cosine(peak, after / (rest + 1)), [
                (_cosine(peak, step / steps),
                 "The cosine begins where the warm-up ends: count its steps from there."),
                (_cosine(peak, 2 * after / (rest + 1)),
                 "That is a whole cosine: it climbs again. Half of one goes down, from 0 to π."),
                (_cosine(peak, after / rest), "The last step would not move: 0 comes one later."),
                (_cosine(peak, (after - 1) / rest), "Step warmup − 1 had the peak: go on from it."),
                (peak * (1 - after / (rest + 1)), "That falls along a line."),
                (peak * math.cos(math.pi * after / (rest + 1)),
                 "cos goes from 1 to −1: lift it, (1 + cos) / 2."),
            ])  # fmt: skip

    holds()


def _cosine(peak: float, way: float) -> float:
    return peak / 2 * (1 + math.cos(math.pi * way))
