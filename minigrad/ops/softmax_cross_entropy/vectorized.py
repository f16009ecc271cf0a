"""Softmax and cross entropy, rung 2: the formulas as operations on whole matrices, in NumPy."""

import numpy as np


def softmax_forward(x):
    """Probabilities of each row: (R, C) → (R, C)."""
    exponentials = np.exp(_shifted(x))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def softmax_input_gradient(gradient, out):
    """p·(G − Σ G·p): (R, C), (R, C) → (R, C)."""
    return out * (gradient - (gradient * out).sum(axis=1, keepdims=True))


def log_softmax_forward(x):
    """Logarithms of the probabilities of each row: (R, C) → (R, C)."""
    shifted = _shifted(x)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_input_gradient(gradient, out):
    """G − p·Σ G, where p = exp(out): (R, C), (R, C) → (R, C)."""
    return gradient - np.exp(out) * gradient.sum(axis=1, keepdims=True)


def cross_entropy_forward(logits, target, weight, ignore_index, label_smoothing):
    """Loss of each row, and its probabilities: (R, C), (R,), (C,) → (R,), (R, C)."""
    logs = log_softmax_forward(logits)
    losses = (1 - label_smoothing) * nll_forward(logs, target, weight, ignore_index)
    if label_smoothing > 0:
        spread = label_smoothing / len(weight) * (logs * weight).sum(axis=1)
        losses -= np.where(target == ignore_index, 0, spread)
    return losses, np.exp(logs)


def cross_entropy_input_gradient(
    gradient, probabilities, target, weight, ignore_index, label_smoothing
):
    """(p·Σ q − q) times the gradient of the row's loss: (R,), (R, C), … → (R, C)."""
    rows, y = np.arange(len(target)), np.where(target == ignore_index, 0, target)
    q = np.tile(label_smoothing / len(weight) * weight, (len(target), 1))
    q[rows, y] += (1 - label_smoothing) * weight[y]
    x_gradient = (probabilities * q.sum(axis=1, keepdims=True) - q) * gradient[:, np.newaxis]
    return np.where((target == ignore_index)[:, np.newaxis], 0, x_gradient)


def nll_forward(log_probabilities, target, weight, ignore_index):
    """−w[y]·l[y] of each row: (R, C), (R,), (C,) → (R,)."""
    rows, y = np.arange(len(target)), np.where(target == ignore_index, 0, target)
    return np.where(target == ignore_index, 0, -weight[y] * log_probabilities[rows, y])


def nll_input_gradient(gradient, target, weight, ignore_index):
    """−w[y] at the target, times the gradient of the row's loss: (R,), (R,), (C,) → (R, C)."""
    rows, y = np.arange(len(target)), np.where(target == ignore_index, 0, target)
    x_gradient = np.zeros((len(target), len(weight)), gradient.dtype)
    x_gradient[rows, y] = np.where(target == ignore_index, 0, -weight[y] * gradient)
    return x_gradient


def _shifted(x):
    """Subtract each row's largest number; what is left of −∞ … −∞ is NaN, as it should be."""
    with np.errstate(invalid="ignore"):
        return x - x.max(axis=1, keepdims=True, initial=-np.inf)
