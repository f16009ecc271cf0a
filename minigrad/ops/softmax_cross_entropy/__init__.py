r"""Softmax and cross entropy: from scores to a loss. The derivation, then the operations.

All of it happens within one *row*, the C scores z of one example::

    p[c] = exp(z[c]) / Σ exp(z[k])         softmax
                       k
    l[c] = log p[c] = z[c] − log Σ exp(z[k])         log-softmax

A constant added to all scores cancels. We subtract the largest one: then no exponential is above
1, one of them is 1, and neither overflow nor a division by zero can happen.

**Softmax, backward.** With δ = 1 if c = k, else 0: ``∂p[c]/∂z[k] = p[c]·(δ − p[k])``. Multiply by
the gradient G of p and sum over c::

    gradient of z[k] = p[k]·( G[k] − Σ G[c]·p[c] )
                                     c

**Log-softmax, backward.** ``∂l[c]/∂z[k] = δ − p[k]``, so::

    gradient of z[k] = G[k] − p[k]·Σ G[c]
                                   c

For a G of all ones softmax's is zero: probabilities add up to 1 whatever z is. A check with that G
sees nothing.

**Cross entropy.** The loss of a row with the true class y is −l[y]. More generally it compares p
with a distribution q, and classes may have weights w; label smoothing ε moves that share of the
truth evenly to all classes::

    loss = − Σ q[c]·l[c]         q[c] = (1 − ε)·w[y]·[c = y]  +  ε/C·w[c]
             c

Put G = −q into the rule of log-softmax::

    gradient of z = p·Σ q[c] − q         and without weights, since Σ q = 1:  p − q
                      c

**Why in one piece.** Softmax, logarithm and picking would be three operations, each with an array
to keep and a gradient to pass on. And they would be wrong where it hurts: if the true class has a
score 200 below the best, p[y] is 0 in float32, its logarithm −∞, and backward multiplies 1/0 by 0.
In one piece there is one array to keep, p, and the gradient p − q is a difference of two numbers
between 0 and 1: it can neither overflow nor vanish where the network is most wrong.

**The mean** over rows divides by the sum of w[y] over those that count, so that a loss does not
change when a row is given twice with half the weight.

Source of label smoothing: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception
architecture for computer vision", 2016.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, Variable, as_array, record
from minigrad.dtypes import is_small
from minigrad.gpu import is_gpu_array
from minigrad.ops import elementwise, reduce
from minigrad.ops.arguments import check_axis, check_tensor
from minigrad.ops.softmax_cross_entropy import cpu, gpu, naive, vectorized
from minigrad.ops.softmax_cross_entropy.targets import (
    check_ignore_index,
    check_reduction,
    class_axis,
    class_indices,
    class_probabilities,
    class_weights,
)

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def softmax(x: "Tensor", axis: int) -> "Tensor":
    """Turn scores into probabilities: positive, and adding up to 1 along an axis.

    Parameters
    ----------
    x : Tensor, any shape
    axis : int
        May count from the end.

    Returns
    -------
    Tensor
        Of x's shape.

    Raises
    ------
    TypeError, IndexError
        If `x` is not a floating Tensor or has no such axis.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.functional.softmax(minigrad.tensor([[1000.0, 1000.0]]), axis=1)
    tensor([[0.5, 0.5]], dtype=float32, device=cpu)
    """
    return _along_rows("softmax", x, axis)


def log_softmax(x: "Tensor", axis: int) -> "Tensor":
    """Give the logarithms of `softmax`, exact also where the probability is too small for a float.

    Parameters
    ----------
    x : Tensor, any shape
    axis : int
        May count from the end.

    Returns
    -------
    Tensor
        Of x's shape.

    Raises
    ------
    TypeError, IndexError
        If `x` is not a floating Tensor or has no such axis.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.functional.log_softmax(minigrad.tensor([0.0, 1000.0]), axis=0)
    tensor([-1000.,     0.], dtype=float32, device=cpu)
    """
    return _along_rows("log_softmax", x, axis)


def cross_entropy(
    logits: "Tensor",
    target: Any,
    weight: "Tensor | None" = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> "Tensor":
    """Measure how little probability the scores give to the truth: −log p[target].

    Parameters
    ----------
    logits : Tensor (C,), (N, C) or (N, C, ...)
        Scores, any numbers.
    target : integer Tensor or array (), (N,) or (N, ...)
        The true classes, 0 … C − 1. Or the probabilities of all classes: a floating Tensor or
        array of the shape of `logits`.
    weight : Tensor (C,), optional
        What an example of each class counts.
    ignore_index : int
        Examples with this target count nothing and get no gradient.
    reduction : {"mean", "sum", "none"}
        The mean divides by the sum of the weights of the examples that count (with probabilities
        as targets: by their number). It is NaN if none does.
    label_smoothing : float
        The share of the truth that is spread evenly over all classes, 0 … 1.

    Returns
    -------
    Tensor
        One number, or with reduction "none" one for each example. float32 for logits of 16 bits.

    Raises
    ------
    TypeError, ValueError, IndexError
        Naming the argument that does not fit, or the first target that is not a class.

    Examples
    --------
    >>> import minigrad
    >>> logits = minigrad.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> loss = minigrad.functional.cross_entropy(logits, minigrad.tensor([0, 2]))
    >>> round(loss.item(), 4)  # the mean of 0.2395 and 2.2395
    1.2395
    """
    name = "cross_entropy"
    check_tensor(name, "logits", logits)
    logits = elementwise.widened(logits)
    check_reduction(name, reduction)
    check_ignore_index(name, ignore_index)
    smoothing = _share(name, label_smoothing)
    weights = class_weights(name, "logits", logits, weight)
    if class_probabilities(name, target, logits, ignore_index):
        return _of_probabilities(logits, target, weights, reduction, smoothing)
    shape, axis = logits.shape, class_axis(logits.shape)
    classes = class_indices(name, "logits", target, logits, ignore_index)
    flat, kernel = classes.reshape(-1), device.choose(RUNGS, gpu, logits.data)
    options = flat, weights, ignore_index, smoothing
    losses, probabilities = kernel.cross_entropy_forward(_rows(logits.data, axis), *options)
    divisor = _divisor(reduction, flat, weights, ignore_index)

    def vjp(gradient: Array) -> Array:
        per_row = _per_row(gradient, divisor, flat)
        part = kernel.cross_entropy_input_gradient(per_row, probabilities, *options)
        return _unrow(part, shape, axis)

    return record(name, _reduced(losses, reduction, divisor, classes.shape), (logits, vjp))


def nll_loss(
    log_probabilities: "Tensor",
    target: Any,
    weight: "Tensor | None" = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> "Tensor":
    """Pick −log p[target]: what `cross_entropy` does after `log_softmax`.

    Parameters
    ----------
    log_probabilities : Tensor (C,), (N, C) or (N, C, ...)
    target : integer Tensor or array (), (N,) or (N, ...)
        The true classes, 0 … C − 1.
    weight, ignore_index, reduction
        As in `cross_entropy`.

    Returns
    -------
    Tensor
        One number, or with reduction "none" one for each example.

    Raises
    ------
    TypeError, ValueError, IndexError
        Naming the argument that does not fit, or the first target that is not a class.

    Examples
    --------
    >>> import minigrad
    >>> log_probabilities = minigrad.tensor([[0.25, 0.75]]).log()
    >>> round(minigrad.functional.nll_loss(log_probabilities, minigrad.tensor([1])).item(), 4)
    0.2877
    """
    name = "nll_loss"
    check_tensor(name, "log_probabilities", log_probabilities)
    log_probabilities = elementwise.widened(log_probabilities)
    check_reduction(name, reduction)
    check_ignore_index(name, ignore_index)
    weights = class_weights(name, "log_probabilities", log_probabilities, weight)
    shape, axis = log_probabilities.shape, class_axis(log_probabilities.shape)
    classes = class_indices(name, "log_probabilities", target, log_probabilities, ignore_index)
    flat, kernel = classes.reshape(-1), device.choose(RUNGS, gpu, log_probabilities.data)
    options = flat, weights, ignore_index
    losses = kernel.nll_forward(_rows(log_probabilities.data, axis), *options)
    divisor = _divisor(reduction, flat, weights, ignore_index)

    def vjp(gradient: Array) -> Array:
        per_row = _per_row(gradient, divisor, flat)
        return _unrow(kernel.nll_input_gradient(per_row, *options), shape, axis)

    out = _reduced(losses, reduction, divisor, classes.shape)
    return record(name, out, (log_probabilities, vjp))


def _along_rows(name: str, x: "Tensor", axis: int) -> "Tensor":
    """Run softmax or log-softmax on rows along `axis`: both keep what they return."""
    check_tensor(name, "x", x)
    check_axis(name, axis, x.ndim)
    if is_small(x.dtype):
        return elementwise.cast(_along_rows(name, elementwise.widened(x), axis), x.dtype)
    kernel, shape = device.choose(RUNGS, gpu, x.data), x.shape
    forward = getattr(kernel, f"{name}_forward")
    backward = getattr(kernel, f"{name}_input_gradient")
    out = forward(_rows(x.data, axis))
    return record(
        name,
        _unrow(out, shape, axis),
        (x, lambda gradient: _unrow(backward(_rows(gradient, axis), out), shape, axis)),
    )


def _of_probabilities(
    logits: "Tensor", target: Any, weights: Array, reduction: str, smoothing: float
) -> "Tensor":
    """Cross entropy with a whole distribution as the truth: here q may need a gradient as well.

    Two arrays of equal size meet number by number, so there is nothing to save by fusing.
    """
    axis = class_axis(logits.shape)
    count = logits.shape[axis]
    if not isinstance(target, Variable):
        given = as_array(target).astype(logits.dtype, copy=False)
        target = logits.new(device.put_like(given, logits.data))
    if smoothing:
        target = target * (1 - smoothing) + smoothing / count
    per_class = weights.reshape(-1, *(1,) * (logits.ndim - 1 - axis))
    products = elementwise.multiply(target, log_softmax(logits, axis)) * per_class
    losses = -reduce.sum(products, axis)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.sum() * (1 / losses.size if losses.size else math.nan)


def _share(name: str, label_smoothing: Any) -> float:
    is_number = isinstance(label_smoothing, int | float | np.floating)
    if not is_number or not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"{name}: label_smoothing must be a number from 0 to 1, got {label_smoothing!r}"
        )
    return float(label_smoothing)


def _rows(x: Array, axis: int) -> Array:
    """Lay the numbers along `axis` side by side: (..., C, ...) → contiguous (R, C)."""
    last = np.moveaxis(x, axis, -1)
    rows = device.library(x).ascontiguousarray(last)
    return rows.reshape(math.prod(last.shape[:-1]), last.shape[-1])


def _unrow(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Take `_rows` back: (R, C) → (..., C, ...)."""
    axis %= len(shape)
    others = shape[:axis] + shape[axis + 1 :]
    return np.moveaxis(rows.reshape(*others, shape[axis]), -1, axis)


def _divisor(reduction: str, target: Array, weights: Array, ignore_index: int) -> Any:
    """Sum the weights of the rows that count, if the mean is wanted; else 1."""
    if reduction != "mean":
        return weights.dtype.type(1)
    counts = target != ignore_index
    if is_gpu_array(target):  # to pick some we would have to wait and see how many they are
        return np.where(counts, weights[np.where(counts, target, 0)], 0).sum()
    return weights[target[counts]].sum()


def _reduced(losses: Array, reduction: str, divisor: Any, shape: tuple[int, ...]) -> Array:
    if reduction == "none":
        return losses.reshape(shape)
    with np.errstate(invalid="ignore"):  # no row counts: 0 / 0 is the NaN we mean
        return losses.sum() / divisor


def _per_row(gradient: Array, divisor: Any, target: Array) -> Array:
    """Hand the gradient of the reduced loss on to the rows: each gets the same, or its own."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.broadcast_to(gradient.reshape(-1) / divisor, target.shape)
