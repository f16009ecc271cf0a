"""Softmax, log-softmax, cross entropy and negative log-likelihood: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad.autograd import Array
from minigrad.testing import strategies as our
from minigrad.testing.gradients import gradcheck
from minigrad.testing.place import tensor
from minigrad.testing.strategies import ClassificationBatch, random_array
from minigrad.testing.suite import oracles
from minigrad.testing.suite.comparing import OTHER, near, near_on_all_rungs
from minigrad.testing.suite.property import holds

# -- softmax and log-softmax ---------------------------------------------------------------------

SCORES = our.arrays(our.shapes(1, 3))
EXTREME = np.array([[0.0, 1000.0, -1000.0], [-5000.0, -5001.0, -5000.0]])


@holds("softmax", x=SCORES, seed=our.seeds())
def softmax_as_defined(x: Array, seed: int) -> None:
    """exp(x) over its sum, along the axis that is named; all rungs agree but for roundings."""
    for axis in range(x.ndim):
        exponentials = np.exp(x)
        want = exponentials / exponentials.sum(axis, keepdims=True)
        near(F.softmax(tensor(x), axis).data, want)
    near_on_all_rungs(lambda t: F.softmax(t, -1), [x], seed + OTHER)


@holds("softmax")
def softmax_of_extreme_scores() -> None:
    """Scores of thousands, and rows a thousand apart, give probabilities and not NaN."""
    e = np.exp(-1.0)
    rows = [[0, 1, 0], [1 / (2 + e), e / (2 + e), 1 / (2 + e)]]
    near(F.softmax(tensor(EXTREME), 1).data, rows)


@holds("softmax", x=SCORES, seed=our.seeds())
def softmax_gradients(x: Array, seed: int) -> None:
    """The gradient is what differences say, for random cotangents."""
    gradcheck(lambda t: F.softmax(t, 0), [x], seed=seed + OTHER)


@holds("log_softmax", x=SCORES, seed=our.seeds())
def log_softmax_as_defined(x: Array, seed: int) -> None:
    """The scores less the logarithm of the sum of exponentials, on all rungs."""
    for axis in range(x.ndim):
        near(F.log_softmax(tensor(x), axis).data, oracles.log_softmax(x, axis))
    near_on_all_rungs(lambda t: F.log_softmax(t, -1), [x], seed + OTHER)


@holds("log_softmax")
def log_softmax_of_extreme_scores() -> None:
    """A probability too small for a float has a logarithm all the same."""
    rest = np.log(2 + np.exp(-1.0))
    rows = [[-1000, 0, -2000], [-rest, -1 - rest, -rest]]
    near(F.log_softmax(tensor(EXTREME), 1).data, rows)


@holds("log_softmax", x=SCORES, seed=our.seeds())
def log_softmax_gradients(x: Array, seed: int) -> None:
    """The gradient is what differences say, for random cotangents."""
    gradcheck(lambda t: F.log_softmax(t, 0), [x], seed=seed + OTHER)


# -- losses --------------------------------------------------------------------------------------

BATCHES = our.classification_batches()
HARD = ClassificationBatch(
    logits=(4, 3), target=(2, 0, -1, 1), weight=(0.5, 2.0, 3.0), ignore_index=-1,
    label_smoothing=0.2,
)  # fmt: skip


def _reduced(losses: Array, total: float, reduction: str) -> Any:
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / total}[reduction]


def _check_cross_entropy(batch: ClassificationBatch) -> None:
    logits, target, weight = batch.arrays()
    weights = None if weight is None else tensor(weight)
    options = batch.ignore_index, batch.label_smoothing
    losses, total = oracles.cross_entropy(logits, target, weight, *options)
    out = F.cross_entropy(tensor(logits), target, weights, **batch.options)
    near(out.data, _reduced(losses, total, batch.reduction))


@holds("cross_entropy")
def cross_entropy_with_everything() -> None:
    """Class weights, an ignored row and label smoothing, against the formula."""
    _check_cross_entropy(HARD)


@holds("cross_entropy", batch=BATCHES)
def cross_entropy_as_defined(batch: ClassificationBatch) -> None:
    """− Σ q·w·log p over the classes, and the mean over the weights of what counts."""
    _check_cross_entropy(batch)


def _cross_entropy(batch: ClassificationBatch) -> Any:
    _, target, weight = batch.arrays()

    def f(logits: Any) -> Any:
        weights = None if weight is None else tensor(weight)
        return F.cross_entropy(logits, target, weights, **batch.options)

    return f


@holds("cross_entropy", batch=BATCHES)
def cross_entropy_gradients(batch: ClassificationBatch) -> None:
    """The gradient is what differences say, also behind another operation."""
    f, (logits, _, _) = _cross_entropy(batch), batch.arrays()
    gradcheck(lambda t: f(t) * 0.5, [logits], seed=batch.seed + OTHER)


@holds("cross_entropy", batch=BATCHES)
def cross_entropy_on_all_rungs(batch: ClassificationBatch) -> None:
    """All rungs agree but for roundings."""
    logits = batch.arrays()[0]
    near_on_all_rungs(_cross_entropy(batch), [logits], batch.seed + OTHER)


@holds("cross_entropy")
def cross_entropy_where_most_wrong() -> None:
    """If the truth has a score 2,000 below the best, loss and gradient are exact all the same."""
    t = tensor(EXTREME, requires_grad=True)
    loss = F.cross_entropy(t, np.array([2, 1]), reduction="sum")
    rest = np.log(2 + np.exp(-1.0))
    near(loss.data, 2000 + 1 + rest)
    loss.backward()
    assert t.grad is not None
    near(t.grad.data[0], [0, 1, -1], "the gradient")


@holds("cross_entropy", seed=our.seeds(), smoothing=st.sampled_from([0.0, 0.3]))
def cross_entropy_of_probabilities(seed: int, smoothing: float) -> None:
    """With probabilities as targets: − Σ q·w·log p, over the number of examples."""
    logits, target = (
        random_array((3, 4), values, seed=seed + i)
        for i, values in enumerate(("normal", "probabilities"))
    )
    weight = np.array([0.5, 1.0, 2.0, 3.0])
    options: Any = {"label_smoothing": smoothing}
    truth = (1 - smoothing) * target + smoothing / 4
    want = -(truth * weight * oracles.log_softmax(logits, 1)).sum() / 3
    out = F.cross_entropy(tensor(logits), tensor(target), tensor(weight), **options)
    near(out.data, want)
    f = lambda x, q: F.cross_entropy(x, q, tensor(weight), **options)  # noqa: E731
    gradcheck(f, [logits, target], seed=seed + OTHER)


@holds("cross_entropy")
def one_hot_probabilities_are_classes() -> None:
    """A distribution with all its weight on the target gives the same loss as the target."""
    logits, target = random_array((4, 3)), np.array([2, 0, 1, 1])
    by_class = F.cross_entropy(tensor(logits), target)
    near(F.cross_entropy(tensor(logits), np.eye(3)[target]).data, by_class.data)


def _nll(batch: ClassificationBatch) -> Any:
    _, target, weight = batch.arrays()

    def f(logs: Any) -> Any:
        weights = None if weight is None else tensor(weight)
        return F.nll_loss(logs, target, weights, **batch.nll_options)

    return f


@holds("nll_loss")
def nll_loss_by_hand() -> None:
    """−log p of the target, and its gradient."""
    x = tensor(np.array([[-1.0, -2.0], [-3.0, -4.0]]), requires_grad=True)
    out = F.nll_loss(x, np.array([1, 0]), reduction="sum")
    out.backward()
    assert x.grad is not None
    near(out.data, 5.0)
    near(x.grad.data, [[0, -1], [-1, 0]], "the gradient")


@holds("nll_loss", batch=BATCHES)
def nll_loss_as_defined(batch: ClassificationBatch) -> None:
    """Of log-softmax, it is cross entropy without smoothing; all rungs agree."""
    logits, target, weight = batch.arrays()
    losses, total = oracles.cross_entropy(logits, target, weight, batch.ignore_index, 0.0)
    logs = oracles.log_softmax(logits, 1)
    near(_nll(batch)(tensor(logs)).data, _reduced(losses, total, batch.reduction))
    near_on_all_rungs(_nll(batch), [logs], batch.seed + OTHER)


@holds("nll_loss", batch=BATCHES)
def nll_loss_gradients(batch: ClassificationBatch) -> None:
    """The gradient is what differences say."""
    gradcheck(_nll(batch), [batch.arrays()[0]], seed=batch.seed + OTHER)
