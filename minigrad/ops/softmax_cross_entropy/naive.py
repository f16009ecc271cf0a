"""Softmax and cross entropy, rung 1: row by row, class by class. The specification."""

import numpy as np


def softmax_forward(x):
    """Probabilities of each row: (R, C) → (R, C)."""
    out = np.empty_like(x)
    for r in range(len(x)):
        shifted = _shifted(x[r])
        total = sum(np.exp(z) for z in shifted)
        for c, z in enumerate(shifted):
            out[r, c] = np.exp(z) / total
    return out


def softmax_input_gradient(gradient, out):
    """p·(G − Σ G·p): (R, C), (R, C) → (R, C)."""
    x_gradient = np.empty_like(out)
    for r in range(len(out)):
        inner = sum(g * p for g, p in zip(gradient[r], out[r], strict=True))
        for c in range(out.shape[1]):
            x_gradient[r, c] = out[r, c] * (gradient[r, c] - inner)
    return x_gradient


def log_softmax_forward(x):
    """Logarithms of the probabilities of each row: (R, C) → (R, C)."""
    out = np.empty_like(x)
    for r in range(len(x)):
        shifted = _shifted(x[r])
        total = sum(np.exp(z) for z in shifted)
        for c, z in enumerate(shifted):
            out[r, c] = z - np.log(total)
    return out


def log_softmax_input_gradient(gradient, out):
    """G − p·Σ G, where p = exp(out): (R, C), (R, C) → (R, C)."""
    x_gradient = np.empty_like(out)
    for r in range(len(out)):
        total = sum(gradient[r])
        for c in range(out.shape[1]):
            x_gradient[r, c] = gradient[r, c] - np.exp(out[r, c]) * total
    return x_gradient


def cross_entropy_forward(logits, target, weight, ignore_index, label_smoothing):
    """Loss of each row, and its probabilities: (R, C), (R,), (C,) → (R,), (R, C)."""
    logs = log_softmax_forward(logits)
    losses = np.zeros(len(logits), logits.dtype)
    for r, y in enumerate(target):
        if y == ignore_index:
            continue
        losses[r] = -(1 - label_smoothing) * weight[y] * logs[r, y]
        if label_smoothing > 0:
            for c in range(len(weight)):
                losses[r] -= label_smoothing / len(weight) * weight[c] * logs[r, c]
    return losses, softmax_forward(logits)


def cross_entropy_input_gradient(
    gradient, probabilities, target, weight, ignore_index, label_smoothing
):
    """(p·Σ q − q) times the gradient of the row's loss: (R,), (R, C), … → (R, C)."""
    x_gradient = np.zeros_like(probabilities)
    for r, y in enumerate(target):
        if y == ignore_index:
            continue
        q = label_smoothing / len(weight) * weight
        q[y] += (1 - label_smoothing) * weight[y]
        for c in range(len(weight)):
            x_gradient[r, c] = gradient[r] * (probabilities[r, c] * sum(q) - q[c])
    return x_gradient


def nll_forward(log_probabilities, target, weight, ignore_index):
    """−w[y]·l[y] of each row: (R, C), (R,), (C,) → (R,)."""
    losses = np.zeros(len(log_probabilities), log_probabilities.dtype)
    for r, y in enumerate(target):
        if y != ignore_index:
            losses[r] = -weight[y] * log_probabilities[r, y]
    return losses


def nll_input_gradient(gradient, target, weight, ignore_index):
    """−w[y] at the target, times the gradient of the row's loss: (R,), (R,), (C,) → (R, C)."""
    x_gradient = np.zeros((len(target), len(weight)), gradient.dtype)
    for r, y in enumerate(target):
        if y != ignore_index:
            x_gradient[r, y] = -weight[y] * gradient[r]
    return x_gradient


def _shifted(row):
    """Subtract the largest number; what is left of −∞ … −∞ is NaN, as it should be."""
    with np.errstate(invalid="ignore"):
        return row - np.max(row, initial=-np.inf)
