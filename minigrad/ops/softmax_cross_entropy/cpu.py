"""Softmax and cross entropy, rung 3: rung 2 in place, a few rows at a time, by all threads.

What it gains: the numbers of a block stay in the cache from the first step to the last, no array
is made between the steps, and threads share the blocks.

There is nothing to compile here. The time goes into the exponential; NumPy's fills whole vector
registers (23 µs for 64 rows of 1,000 classes), the one that Numba calls from the C library takes
one number after the other (120 µs). NumPy holds no lock while it computes, so threads run side by
side all the same. Rows do not see each other: how they are cut changes no bit.
"""

import numpy as np

from minigrad.cpu import run

BLOCK = 1 << 16  # numbers in one task, about: 256 KiB of float32


def softmax_forward(x):
    """Probabilities of each row: (R, C) → (R, C)."""
    return _over_rows(_softmax, np.empty_like(x), x)


def softmax_input_gradient(gradient, out):
    """p·(G − Σ G·p): (R, C), (R, C) → (R, C)."""
    return _over_rows(_softmax_input_gradient, np.empty_like(out), gradient, out)


def log_softmax_forward(x):
    """Logarithms of the probabilities of each row: (R, C) → (R, C)."""
    return _over_rows(_log_softmax, np.empty_like(x), x)


def log_softmax_input_gradient(gradient, out):
    """G − p·Σ G, where p = exp(out): (R, C), (R, C) → (R, C)."""
    return _over_rows(_log_softmax_input_gradient, np.empty_like(out), gradient, out)


def cross_entropy_forward(logits, target, weight, ignore_index, label_smoothing):
    """Loss of each row, and its probabilities: (R, C), (R,), (C,) → (R,), (R, C)."""
    probabilities, losses = np.empty_like(logits), np.empty(len(logits), logits.dtype)

    def task(probabilities, losses, logits, target):
        _cross_entropy(probabilities, losses, logits, target, weight, ignore_index, label_smoothing)

    _over_rows(task, probabilities, losses, logits, target)
    return losses, probabilities


def cross_entropy_input_gradient(
    gradient, probabilities, target, weight, ignore_index, label_smoothing
):
    """(p·Σ q − q) times the gradient of the row's loss: (R,), (R, C), … → (R, C)."""
    counts = target != ignore_index
    y, slope = np.where(counts, target, 0), np.where(counts, gradient, 0)
    truth = (1 - label_smoothing) * weight[y]
    spread = label_smoothing / len(weight) * weight
    total = truth + spread.sum()

    def task(out, probabilities, slope, total, truth, y, counts):
        np.multiply(probabilities, (slope * total)[:, np.newaxis], out=out)
        if label_smoothing > 0:
            out -= slope[:, np.newaxis] * spread
        out[np.arange(len(out)), y] -= slope * truth
        out[~counts] = 0  # even where p is NaN

    arrays = probabilities, slope, total, truth, y, counts
    return _over_rows(task, np.empty_like(probabilities), *arrays)


def nll_forward(log_probabilities, target, weight, ignore_index):
    """−w[y]·l[y] of each row: (R, C), (R,), (C,) → (R,)."""
    losses = np.zeros(len(target), log_probabilities.dtype)
    rows = np.flatnonzero(target != ignore_index)
    losses[rows] = -weight[target[rows]] * log_probabilities[rows, target[rows]]
    return losses


def nll_input_gradient(gradient, target, weight, ignore_index):
    """−w[y] at the target, times the gradient of the row's loss: (R,), (R,), (C,) → (R, C)."""
    x_gradient = np.zeros((len(target), len(weight)), gradient.dtype)
    rows = np.flatnonzero(target != ignore_index)
    x_gradient[rows, target[rows]] = -weight[target[rows]] * gradient[rows]
    return x_gradient


# -- blocks of rows ------------------------------------------------------------------------------


def _over_rows(task, out, *arrays):
    """Call ``task`` for one block of rows after the other, of `out` and of all arrays."""
    step = max(1, BLOCK // max(out.shape[1], 1))

    def tasks(first, last):
        # These settings belong to a thread. −∞ − −∞ is NaN; the logarithm of no class is −∞.
        with np.errstate(invalid="ignore", divide="ignore"):
            for t in range(first, last):
                task(*(a[t * step : (t + 1) * step] for a in (out, *arrays)))

    run(tasks, -(-len(out) // step))
    return out


def _shift(out, x):
    """Subtract each row's largest number."""
    np.subtract(x, x.max(axis=1, keepdims=True, initial=-np.inf), out=out)


def _softmax(out, x):
    _shift(out, x)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)


def _softmax_input_gradient(x_gradient, gradient, out):
    np.multiply(gradient, out, out=x_gradient)
    np.subtract(gradient, x_gradient.sum(axis=1, keepdims=True), out=x_gradient)
    x_gradient *= out


def _log_softmax(out, x):
    _shift(out, x)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))


def _log_softmax_input_gradient(x_gradient, gradient, out):
    np.exp(out, out=x_gradient)
    x_gradient *= gradient.sum(axis=1, keepdims=True)
    np.subtract(gradient, x_gradient, out=x_gradient)


def _cross_entropy(out, losses, logits, target, weight, ignore_index, label_smoothing):
    """Fill `losses`, and `out` with the probabilities: −l[c] is log Σ exp, less the score c."""
    counts = target != ignore_index
    y = np.where(counts, target, 0)
    _shift(out, logits)
    scores = out[np.arange(len(out)), y]
    spread = label_smoothing / len(weight) * weight
    spread_scores = (out * spread).sum(axis=1) if label_smoothing > 0 else 0
    np.exp(out, out=out)
    total = out.sum(axis=1)
    log_total = np.log(total)
    out /= total[:, np.newaxis]
    losses[:] = (1 - label_smoothing) * weight[y] * (log_total - scores)
    if label_smoothing > 0:
        losses += log_total * spread.sum() - spread_scores
    losses[~counts] = 0
