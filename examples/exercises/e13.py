"""The properties of lesson 13: a loss of several heads, and gradients that meet on their way."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import agree, ask, cases, digits

__all__ = ["training_loss", "way_back"]


def training_loss(answer: Callable) -> None:
    """Check the loss and the gradient that each head gets: weight · (softmax − one-hot) / N."""

    @cases(N=st.integers(1, 3), heads=st.integers(0, 2), weight=st.sampled_from([0.3, 0.5, 0.0]))
    def holds(N: int, heads: int, weight: float) -> None:
        target = np.arange(N) % 3
        logits = [digits(N, 3, seed=i) for i in range(1 + heads)]
        tensors = [minigrad.tensor(array, requires_grad=True) for array in logits]
        case = f"for {N} picture(s), {heads} auxiliary head(s) and weight {weight}"
        total = ask(answer, case, tensors[0], tensors[1:], target, weight)
        own = [_cross_entropy(array, target) for array in logits]
        needed = own[0] + weight * sum(own[1:])
        agree(case, "the loss", float(total.item() if hasattr(total, "item") else total), needed, [
            (sum(own), "Every head counts in full there: multiply the auxiliary ones by weight."),
            (needed / len(own), "That is a mean over the heads: the losses are added."),
            (weight * sum(own), "The main loss counts in full: weight is for the others."),
            (_cross_entropy(sum(logits), target),
             "Logits of different heads are added there. Each has a loss of its own; add those."),
            (_cross_entropy(sum(logits) / len(logits), target),
             "Logits of different heads are mixed there. Each has a loss of its own; add those."),
            (own[0], "The auxiliary heads are missing."),
            (needed * N, "cross_entropy is a mean over the pictures already."),
        ])  # fmt: skip
        assert getattr(total, "requires_grad", False), (
            f"{case} the number is right but nothing can go back from it: return a Tensor, made of "
            "Tensors (`.item()`, `float()` and `.numpy()` cut the graph)"
        )
        total.backward()
        for i, tensor in enumerate(tensors):
            share = weight if i else 1.0
            name = f"the gradient of head {i}'s logits" if i else "the gradient of main"
            came = np.zeros((N, 3)) if tensor.grad is None else tensor.grad.numpy()
            agree(case, name, came, share * _gradient(logits[i], target), [
                (np.zeros((N, 3)), "Its loss is in the sum as a number that was cut from the graph "
                                   "(`.item()`, `float()`, `.numpy()`): it trains nothing."),
            ])  # fmt: skip

    holds()


def way_back(answer: Callable) -> None:
    """Check gradient[i] = arriving[i] + matrices[i + 1]ᵀ @ gradient[i + 1]."""

    @cases(stages=st.integers(1, 4), width=st.integers(1, 2), where=st.sets(st.integers(0, 2)))
    def holds(stages: int, width: int, where: set[int]) -> None:
        matrices = [digits(width, width, seed=i) for i in range(stages)]
        at = sorted({i for i in where if i < stages} | {stages - 1})
        arriving = {i: digits(width, seed=10 + i) for i in at}
        case = f"for {stages} stage(s) of width {width}, gradients arriving at {at}:"
        came = ask(answer, case, matrices, arriving)
        assert np.shape(came)[:1] == (stages,), (
            f"{case} a list of {stages} gradients is asked for, one for each stage's output"
        )
        needed = _back(matrices, arriving)
        told = {
            "A head's gradient replaced what came from behind: where ways meet, add.":
                _back(matrices, arriving, add=False),
            "The gradients of the auxiliary heads are missing.":
                _back(matrices, {stages - 1: arriving[stages - 1]}),
            "The matrix must be transposed: column j says what input j gave to all outputs.":
                _back(matrices, arriving, turn=False),
            "That goes back through matrices[i]: the stage after i is i + 1.":
                _back([matrices[0], *matrices[:-1]], arriving),
            "A head's gradient goes into the stage's output, not through the stage first.":
                _back(matrices, arriving, early=True),
            "The list is in the order of the way back: stage 0 comes first.": needed[::-1],
        }  # fmt: skip
        for i in range(stages):
            mistakes = [(wrong[i], words) for words, wrong in told.items()]
            agree(case, f"the gradient at stage {i}", came[i], needed[i], mistakes)

    holds()


def _back(matrices, arriving, add=True, turn=True, early=False):
    gradient, found = np.zeros(len(matrices[0])), []
    for i in reversed(range(len(matrices))):
        if i + 1 < len(matrices):
            gradient = (matrices[i + 1].T if turn else matrices[i + 1]) @ gradient
        if i in arriving:
            last = i == len(matrices) - 1
            comes = matrices[i].T @ arriving[i] if early and not last else arriving[i]
            gradient = gradient + comes if add else comes
        found.append(gradient)
    return found[::-1]


def _softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _cross_entropy(logits, target):
    return float(-np.log(_softmax(logits)[np.arange(len(target)), target]).mean())


def _gradient(logits, target):
    return (_softmax(logits) - np.eye(logits.shape[1])[target]) / len(target)
