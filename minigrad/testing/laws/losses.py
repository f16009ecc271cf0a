"""Laws of softmax and of the losses that follow it."""
# ruff: noqa: D401
# (the first line of a law states it)

from typing import Any

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.laws.comparison import (
    Operation,
    Run,
    compare,
    compare_runs,
    draw_cotangents,
    forward,
    largest,
    refuse,
    run,
)
from minigrad.testing.place import tensor


def softmax_shift_invariant(
    f: Operation, x: Array, constant: float, *, seed: int = 0, roundings: float = 0.0
) -> None:
    """A constant added to all scores changes neither output nor gradient.

    Parameters
    ----------
    f : callable
        Takes a Tensor: softmax or log-softmax along any axis, or a loss after it.
    x : array
        Integers, so that adding the constant does not round.
    constant : float
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest. 0: not at all.

    Raises
    ------
    AssertionError
        Says in the output or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.softmax_shift_invariant(lambda x: F.softmax(x, 1), np.ones((2, 3)), 1000.0)
    """
    moved = run(f, [x + x.dtype.type(constant)], seed=seed)
    names = f"of x + {constant:g}", "of x"
    law = "softmax_shift_invariant"
    compare_runs(law, moved, run(f, [x], seed=seed), *names, roundings)


def rows_sum_to_one(f: Operation, x: Array, axis: int, *, roundings: float = 16.0) -> None:
    """Probabilities are at least 0 and add up to 1 along an axis.

    Parameters
    ----------
    f : callable
        Takes a Tensor: softmax along `axis`.
    x : array
    axis : int
    roundings : float
        How far sums may be from 1, in eps.

    Raises
    ------
    AssertionError
        Says where, and what came.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.rows_sum_to_one(lambda x: F.softmax(x, 1), np.array([[1.0, 1000.0]]), axis=1)
    """
    law, p = "rows_sum_to_one", forward(f, x)
    refuse(law, ~(p >= 0), p, np.zeros_like(p), "the output", "the least it may be", "are negative")
    sums = p.sum(axis)
    compare(law, sums, np.ones_like(sums), "the sum of a row", "that of probabilities", roundings)


def log_softmax_is_log_of_softmax(
    log_softmax: Operation, softmax: Operation, x: Array, *, roundings: float = 64.0
) -> None:
    """exp(log_softmax(x)) = softmax(x).

    Parameters
    ----------
    log_softmax, softmax : callable
        Take a Tensor; along the same axis.
    x : array
    roundings : float
        How far numbers may differ, in eps of the largest number, or of the largest logarithm: what
        a logarithm is rounded by, its exponential is wrong by.

    Raises
    ------
    AssertionError
        Says where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.log_softmax_is_log_of_softmax(
    ...     lambda x: F.log_softmax(x, 1), lambda x: F.softmax(x, 1), np.array([[1.0, 2.0]])
    ... )
    """
    logs, p = forward(log_softmax, x), forward(softmax, x)
    law, names = "log_softmax_is_log_of_softmax", ("exp(log_softmax(x))", "softmax(x)")
    compare(law, np.exp(logs), p, *names, roundings)


def cross_entropy_is_nll_of_log_softmax(
    cross_entropy: Operation,
    nll_loss: Operation,
    log_softmax: Operation,
    logits: Array,
    target: Array,
    *,
    seed: int = 0,
    roundings: float = 64.0,
    **options: Any,
) -> None:
    """In one piece or in two: the same loss, the same gradient.

    Parameters
    ----------
    cross_entropy, nll_loss : callable
        Take scores or logarithms, target, and `options`.
    log_softmax : callable
        Takes a Tensor and an axis.
    logits : array (C,), (N, C) or (N, C, ...)
        Of moderate size.
    target : array of integers
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest: of the scores for the loss, of the
        cotangent for the gradient.
    **options
        For both losses: weight, ignore_index, reduction.

    Raises
    ------
    AssertionError
        Says in the loss or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> functions = F.cross_entropy, F.nll_loss, F.log_softmax
    >>> laws.cross_entropy_is_nll_of_log_softmax(*functions, np.eye(2), np.array([0, 1]))
    """
    axis = min(1, logits.ndim - 1)
    whole = run(lambda t: cross_entropy(t, target, **options), [logits], seed=seed)
    parts = run(lambda t: nll_loss(log_softmax(t, axis), target, **options), [logits], seed=seed)
    law, names = "cross_entropy_is_nll_of_log_softmax", ("of cross_entropy", "of nll_loss")
    compare_runs(law, whole, parts, *names, roundings, _sizes(logits, whole, seed))


def ignored_examples_do_not_count(
    loss: Operation,
    logits: Array,
    target: Array,
    ignore_index: int,
    *,
    seed: int = 0,
    roundings: float = 16.0,
) -> None:
    """The loss is that of the other examples alone; those that are ignored get no gradient.

    Parameters
    ----------
    loss : callable
        Takes scores and target, returns one number, or one for each example.
    logits : array (N, C) or (N, C, ...)
    target : array of integers (N,) or (N, ...)
        One at least is not ignored.
    ignore_index : int
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest: of the scores for the loss, of the
        cotangent for the gradient. Sums are taken in another order.

    Raises
    ------
    AssertionError
        Says in the loss or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.ignored_examples_do_not_count(F.cross_entropy, np.eye(2), np.array([0, -100]), -100)
    """
    law, (rows, classes) = "ignored_examples_do_not_count", _rows(logits, target)
    kept = classes != ignore_index
    whole = run(lambda t: loss(t, target), [logits], seed=seed)
    (out,), (c,) = whole.outputs, draw_cotangents(whole.outputs, None, seed)
    part_c = c if c.ndim == 0 else c.ravel()[kept]
    part = run(lambda t: loss(t, classes[kept]), [rows[kept]], part_c, seed)
    if out.ndim:
        zeros = np.zeros(int((~kept).sum()))
        compare(law, out.ravel()[~kept], zeros, "the loss of an ignored example", "nothing")
        out = out.ravel()[kept]
    sizes = _sizes(logits, whole, seed)
    names = "the loss", "that of the others alone"
    compare(law, out, part.outputs[0], *names, roundings, sizes[0])
    gradient, _ = _rows(whole.gradients[0], target)
    zeros = np.zeros_like(gradient[~kept])
    compare(law, gradient[~kept], zeros, "the gradient of an ignored example", "none")
    names = "the gradient of an example that counts", "without the ignored ones"
    compare(law, gradient[kept], part.gradients[0], *names, roundings, sizes[1])


def class_weights_are_repetition(
    loss: Operation,
    logits: Array,
    target: Array,
    weight: Array,
    *,
    ignore_index: int = -100,
    seed: int = 0,
    roundings: float = 64.0,
) -> None:
    """An example whose class has weight 2 counts like the same example given twice.

    Parameters
    ----------
    loss : callable
        Takes scores, target, and a Tensor of weights or None; returns one number, their mean or
        sum. No label smoothing, which weighs by class, not by example.
    logits : array (N, C) or (N, C, ...)
    target : array of integers (N,) or (N, ...)
    weight : array (C,)
        Positive integers.
    ignore_index : int
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest: of the scores for the loss, of the
        cotangent for the gradient. Sums are taken in another order.

    Raises
    ------
    AssertionError
        Says in the loss or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> weight = np.array([2.0, 1.0])
    >>> laws.class_weights_are_repetition(F.cross_entropy, np.eye(2), np.array([0, 0]), weight)
    """
    law, (rows, classes) = "class_weights_are_repetition", _rows(logits, target)
    counts = np.ones(len(classes), np.intp)
    counts[classes != ignore_index] = weight[classes[classes != ignore_index]]
    origin = np.repeat(np.arange(len(classes)), counts)
    weights = tensor(weight.astype(logits.dtype))
    weighted = run(lambda t: loss(t, target, weights), [logits], seed=seed)
    repeated = run(lambda t: loss(t, classes[origin], None), [rows[origin]], seed=seed)
    names = "the loss with weights", "that of repeated examples"
    sizes = [largest(weight) * size for size in _sizes(logits, weighted, seed)]
    compare(law, weighted.outputs[0], repeated.outputs[0], *names, roundings, sizes[0])
    summed = np.zeros_like(rows)
    np.add.at(summed, origin, repeated.gradients[0])
    gradient, _ = _rows(weighted.gradients[0], target)
    names = "the gradient with weights", "that of all its copies"
    compare(law, gradient, summed, *names, roundings, sizes[1])


def label_smoothing_is_linear(
    loss: Operation,
    logits: Array,
    target: Array,
    smoothing: float,
    *,
    seed: int = 0,
    roundings: float = 64.0,
) -> None:
    """Smoothing ε gives (1 − ε) of the loss without and ε of the loss with smoothing 1.

    And smoothing 1 gives the mean of the losses that each class would give as the target.

    Parameters
    ----------
    loss : callable
        Takes scores, target and the keyword label_smoothing. Classes have no weights, and no
        example is ignored.
    logits : array (N, C) or (N, C, ...)
    target : array of integers (N,) or (N, ...)
    smoothing : float
        ε, 0 … 1.
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest: of the scores for the loss, of the
        cotangent for the gradient.

    Raises
    ------
    AssertionError
        Says in the loss or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.label_smoothing_is_linear(F.cross_entropy, np.eye(2), np.array([0, 1]), 0.1)
    """
    law = "label_smoothing_is_linear"

    def smoothed(share: float, classes: Array = target) -> Run:
        return run(lambda t: loss(t, classes, label_smoothing=share), [logits], seed=seed)

    none, some, full = (smoothed(share) for share in (0.0, smoothing, 1.0))
    sizes = _sizes(logits, some, seed)
    between = _mixed([none, full], [1 - smoothing, smoothing])
    names = f"with smoothing {smoothing:g}", "in between"
    compare_runs(law, some, between, *names, roundings, sizes)
    count = logits.shape[min(1, logits.ndim - 1)]
    each = [smoothed(0.0, np.full_like(target, k)) for k in range(count)]
    names = "with smoothing 1", "on average over all classes"
    compare_runs(law, full, _mixed(each, [1 / count] * count), *names, roundings, sizes)


def _sizes(logits: Array, ran: Run, seed: int) -> tuple[float, float]:
    """Tell what the roundings of a loss, and of its gradient, are roundings of.

    A loss is a difference of scores and the logarithm of a sum of at least 1; a gradient one of
    probabilities, times the cotangent.
    """
    return 1 + largest(logits), largest(*draw_cotangents(ran.outputs, None, seed))


def _mixed(runs: list[Run], shares: list[float]) -> Run:
    """Add up outputs and gradients, each with its share."""

    def mix(arrays: list[Array]) -> Array:
        terms = [share * a.astype(np.float64) for share, a in zip(shares, arrays, strict=True)]
        return np.asarray(sum(terms)).astype(arrays[0].dtype)

    return Run([mix([r.outputs[0] for r in runs])], {0: mix([r.gradients[0] for r in runs])})


def _rows(scores: Array, target: Array) -> tuple[Array, Array]:
    """Lay out (N, C, ...) as one row for each example, and the targets beside them."""
    last = np.moveaxis(scores, 1, -1)
    return last.reshape(-1, last.shape[-1]), np.asarray(target).ravel()
