"""Softmax and cross entropy, rung 4: on a GPU, one thread for each row.

A thread walks its row three times, as the loops do: for the largest number, for the exponentials
and their sum, for what is divided by it. Nothing is shared between threads, and every sum is taken
in the order of the classes. Where a number of the output needs no sum, it gets a thread of its own.
"""

from minigrad.gpu import Source, contiguous, empty

source = Source(__file__)


def softmax_forward(x):
    """Probabilities of each row: (R, C) → (R, C)."""
    return _by_rows("softmax_forward", x)


def softmax_input_gradient(gradient, out):
    """p·(G − Σ G·p): (R, C), (R, C) → (R, C)."""
    return _by_rows("softmax_input_gradient", gradient, out)


def log_softmax_forward(x):
    """Logarithms of the probabilities of each row: (R, C) → (R, C)."""
    return _by_rows("log_softmax_forward", x)


def log_softmax_input_gradient(gradient, out):
    """G − p·Σ G, where p = exp(out): (R, C), (R, C) → (R, C)."""
    return _by_rows("log_softmax_input_gradient", gradient, out)


def cross_entropy_forward(logits, target, weight, ignore_index, label_smoothing):
    """Loss of each row, and its probabilities: (R, C), (R,), (C,) → (R,), (R, C)."""
    R, C = logits.shape
    losses, probabilities = empty((R,), logits.dtype), empty((R, C), logits.dtype)
    source.launch(
        "cross_entropy_forward", R, contiguous(logits), contiguous(target), contiguous(weight),
        *_shares(label_smoothing, C), int(ignore_index), C, losses, probabilities,
    )  # fmt: skip
    return losses, probabilities


def cross_entropy_input_gradient(
    gradient, probabilities, target, weight, ignore_index, label_smoothing
):
    """(p·Σ q − q) times the gradient of the row's loss: (R,), (R, C), … → (R, C)."""
    R, C = probabilities.shape
    x_gradient = empty((R, C), probabilities.dtype)
    source.launch(
        "cross_entropy_input_gradient", R, contiguous(gradient), contiguous(probabilities),
        contiguous(target), contiguous(weight), *_shares(label_smoothing, C), int(ignore_index), C,
        x_gradient,
    )  # fmt: skip
    return x_gradient


def nll_forward(log_probabilities, target, weight, ignore_index):
    """−w[y]·l[y] of each row: (R, C), (R,), (C,) → (R,)."""
    R, C = log_probabilities.shape
    losses = empty((R,), log_probabilities.dtype)
    arrays = map(contiguous, (log_probabilities, target, weight))
    source.launch("nll_forward", R, *arrays, int(ignore_index), C, losses)
    return losses


def nll_input_gradient(gradient, target, weight, ignore_index):
    """−w[y] at the target, times the gradient of the row's loss: (R,), (R,), (C,) → (R, C)."""
    R, C = len(target), len(weight)
    x_gradient = empty((R, C), gradient.dtype)
    arrays = map(contiguous, (gradient, target, weight))
    source.launch("nll_input_gradient", R * C, *arrays, int(ignore_index), C, x_gradient)
    return x_gradient


def _by_rows(name, *arrays):
    """Run a kernel with one thread for each row of arrays of one shape: → the same shape."""
    R, C = arrays[0].shape
    out = empty((R, C), arrays[0].dtype)
    source.launch(name, R if C else 0, *map(contiguous, arrays), C, out)
    return out


def _shares(label_smoothing, C):
    """Tell what part of the truth the true class gets, and what each class gets."""
    return float(1 - label_smoothing), float(label_smoothing / C)
