"""Laws of local response normalisation and batch normalisation."""
# ruff: noqa: D401
# (the first line of a law states it)

import numpy as np

from minigrad.autograd import Array
from minigrad.tensor import Tensor
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


def lrn_of_size_one(
    lrn: Operation,
    x: Array,
    *,
    alpha: float = 1.0,
    beta: float = 0.75,
    k: float = 1.0,
    seed: int = 0,
    roundings: float = 16.0,
) -> None:
    """Of a window of one channel the formula can be written down: x·(k + alpha·x²)^(−beta).

    Parameters
    ----------
    lrn : callable
        Takes a Tensor (N, C, ...), and the keywords size, alpha, beta and k.
    x : array (N, C, ...)
    alpha, beta, k : float
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest: there are some ten operations.

    Raises
    ------
    AssertionError
        Says in the output or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.lrn_of_size_one(F.local_response_norm, np.array([[1.0, -2.0, 3.0]]))
    """

    def f(t: Tensor) -> Tensor:
        return lrn(t, size=1, alpha=alpha, beta=beta, k=k)

    got = run(f, [x], seed=seed)
    (c,) = draw_cotangents(got.outputs, None, seed)
    wide = x.astype(np.float64)
    scale = k + alpha * wide**2
    slope = scale**-beta - 2 * alpha * beta * wide**2 * scale ** (-beta - 1)
    want = Run([(wide * scale**-beta).astype(x.dtype)], {0: (c * slope).astype(x.dtype)})
    names = "of size 1", "by hand"
    terms = largest(c * scale**-beta)  # less another, which may be nearly as large
    compare_runs("lrn_of_size_one", got, want, *names, roundings, (0.0, terms))


def lrn_damps_its_neighbours(
    lrn: Operation, x: Array, size: int, *, roundings: float = 0.0
) -> None:
    """A channel that gets louder damps those whose window holds it, and no other.

    The window of channel c reaches from c − ⌊size/2⌋ to c + ⌊(size − 1)/2⌋.

    Parameters
    ----------
    lrn : callable
        Takes a Tensor (N, C, ...). Its alpha is large enough to be felt: 1, not 1e-4.
    x : array (N, C, ...)
        Without zeros.
    size : int
        Of the window.
    roundings : float
        How far channels that are not damped may move, in eps of the largest number.

    Raises
    ------
    AssertionError
        Says which channel was made louder, where that is felt, or not felt, and both numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> f = lambda x: F.local_response_norm(x, size=4, alpha=1.0)
    >>> laws.lrn_damps_its_neighbours(f, np.ones((1, 7)), size=4)
    """
    law, before = "lrn_damps_its_neighbours", forward(lrn, x)
    for i in range(x.shape[1]):
        louder = x.copy()
        louder[:, i] *= 2
        after = forward(lrn, louder)
        reached = [
            c for c in range(x.shape[1]) if c != i and c - size // 2 <= i <= c + (size - 1) // 2
        ]
        others = [c for c in range(x.shape[1]) if c != i and c not in reached]
        names = f"with channel {i} twice as loud, an output that it does not reach", "before"
        compare(law, after[:, others], before[:, others], *names, roundings)
        loud, soft = np.abs(before[:, reached]), np.abs(after[:, reached])
        names = f"with channel {i} twice as loud, the size of an output that it reaches", "before"
        refuse(law, ~(soft < loud), soft, loud, *names, "are not damped")


def batch_norm_normalises(
    f: Operation,
    x: Array,
    weight: Array,
    bias: Array,
    *,
    eps: float = 0.0,
    roundings: float = 64.0,
) -> None:
    """What comes out of a channel has the mean `bias` and the variance weight²·v / (v + eps).

    v is the channel's own variance, over the batch and all pixels.

    Parameters
    ----------
    f : callable
        Takes Tensors x, weight and bias: batch normalisation in training, with this eps.
    x : array (N, C) or (N, C, ...)
    weight, bias : arrays (C,)
    eps : float
    roundings : float
        How far the two may differ, in eps of the largest output, or of its square.

    Raises
    ------
    AssertionError
        Says in which channel, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> f = lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=0.1)
    >>> x = np.arange(6.0).reshape(3, 2)
    >>> laws.batch_norm_normalises(f, x, np.array([2.0, 3.0]), np.array([0.0, 1.0]), eps=0.1)
    """
    axes = (0, *range(2, x.ndim))
    out, var = forward(f, x, weight, bias), x.var(axes, dtype=np.float64)
    most = largest(out)
    mean = out.mean(axes, dtype=np.float64).astype(x.dtype)
    law, spread = "batch_norm_normalises", out.var(axes, dtype=np.float64).astype(x.dtype)
    compare(law, mean, bias, "the mean of what comes out", "bias", roundings, most)
    want = (weight.astype(np.float64) ** 2 * var / (var + eps)).astype(x.dtype)
    names = "the variance of what comes out", "weight²·v / (v + eps)"
    compare(law, spread, want, *names, roundings, most**2)


def invariant_to_scale_and_shift(
    f: Operation,
    x: Array,
    *,
    scale: float = 4.0,
    shift: float = 3.0,
    seed: int = 0,
    roundings: float = 64.0,
) -> None:
    """f(scale·x + shift) = f(x), and the gradient is 1/scale of what it was.

    And so the gradient of a channel has the sum 0, and is at right angles to x: these are the
    directions in which x may move without being seen.

    Parameters
    ----------
    f : callable
        Takes a Tensor (N, C, ...): batch normalisation in training, with eps = 0.
    x : array (N, C, ...)
        No channel is constant.
    scale, shift : float
        scale > 0.
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest that goes into them.

    Raises
    ------
    AssertionError
        Says in the output or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> f = lambda x: F.batch_norm(x, None, None, training=True, eps=0.0)
    >>> laws.invariant_to_scale_and_shift(f, np.array([[1.0], [2.0], [4.0]]))
    """
    law, axes = "invariant_to_scale_and_shift", (0, *range(2, x.ndim))
    plain, moved = (run(f, [a], seed=seed) for a in (x, (scale * x + shift).astype(x.dtype)))
    (c,), gradient = draw_cotangents(plain.outputs, None, seed), plain.gradients[0]
    # An output moves by the roundings of x over its deviation; a gradient is as large as c over it.
    deviation = float(x.std(axes).min(initial=np.inf))
    size = (largest(x) + abs(shift) / scale) / deviation
    steepness = size * largest(c) / deviation
    names = "the output of scale·x + shift", "that of x"
    compare(law, moved.outputs[0], plain.outputs[0], *names, roundings, size)
    names = "scale · the gradient at scale·x + shift", "that at x"
    compare(law, scale * moved.gradients[0], gradient, *names, roundings, steepness)
    centred = x - x.mean(axes, keepdims=True)
    terms = steepness * gradient.size
    for name, products in (("gradient", gradient), ("gradient·(x − mean)", gradient * centred)):
        sums = products.sum(axes)
        names = f"the sum of {name} over a channel", "what it must be"
        compare(law, sums, np.zeros_like(sums), *names, roundings, terms)
        terms *= largest(centred)


def running_statistics_follow_the_batch(
    f: Operation,
    x: Array,
    running_mean: Array,
    running_var: Array,
    *,
    momentum: float,
    roundings: float = 64.0,
) -> None:
    """Each running statistic moves by the share `momentum` towards that of the batch.

    The variance of the batch is here the unbiased one, Σ (x − mean)² / (M − 1).

    Parameters
    ----------
    f : callable
        Takes Tensors x, running_mean and running_var, and writes into the last two: batch
        normalisation in training, with this momentum.
    x : array (N, C, ...)
        With more than one value for each channel.
    running_mean, running_var : arrays (C,)
        Before. They are copied.
    momentum : float
    roundings : float
        How far numbers may differ, in eps of the largest number of x, or of its square.

    Raises
    ------
    AssertionError
        Says which statistic, in which channel, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> f = lambda x, mean, var: F.batch_norm(x, mean, var, training=True, momentum=0.3)
    >>> x = np.array([[1.0], [2.0], [6.0]])
    >>> laws.running_statistics_follow_the_batch(f, x, np.ones(1), np.ones(1), momentum=0.3)
    """
    mean, var = tensor(running_mean), tensor(running_var)
    f(tensor(x), mean, var)
    axes, wide = (0, *range(2, x.ndim)), x.astype(np.float64)
    most = largest(x)
    for name, running, old, batch, size in (
        ("running_mean", mean, running_mean, wide.mean(axes), most),
        ("running_var", var, running_var, wide.var(axes, ddof=1), most**2),
    ):
        want = ((1 - momentum) * old + momentum * batch).astype(x.dtype)
        names = f"{name} after the batch", "(1 − momentum)·before + momentum·batch"
        law = "running_statistics_follow_the_batch"
        compare(law, running.data, want, *names, roundings, size)


def batch_norm_uses_running_statistics(
    f: Operation,
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array,
    bias: Array,
    *,
    eps: float,
    seed: int = 0,
    roundings: float = 64.0,
) -> None:
    """In use, out = weight·(x − running_mean) / √(running_var + eps) + bias; statistics stay.

    Parameters
    ----------
    f : callable
        Takes Tensors x, running_mean, running_var, weight and bias: batch normalisation, not in
        training, with this eps.
    x : array (N, C, ...)
    running_mean, running_var, weight, bias : arrays (C,)
    eps : float
    seed : int
        Of the cotangent.
    roundings : float
        How far numbers may differ, in eps of the largest.

    Raises
    ------
    AssertionError
        Says in the output, a statistic or the gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> f = lambda *tensors: F.batch_norm(*tensors, eps=0.1)
    >>> x, ones = np.arange(6.0).reshape(3, 2), np.ones(2)
    >>> laws.batch_norm_uses_running_statistics(f, x, ones, 2 * ones, ones, 3 * ones, eps=0.1)
    """
    law, statistics = "batch_norm_uses_running_statistics", (running_mean, running_var)
    mean, var = (tensor(a) for a in statistics)
    got = run(lambda x, w, b: f(x, mean, var, w, b), [x, weight, bias], seed=seed)
    (c,) = draw_cotangents(got.outputs, None, seed)
    shape, axes = (-1, *(1,) * (x.ndim - 2)), (0, *range(2, x.ndim))
    m, v, w, b = (a.astype(np.float64).reshape(shape) for a in (*statistics, weight, bias))
    normal = (x - m) / np.sqrt(v + eps)
    size = float(np.abs(x).max(initial=0) + np.abs(m).max(initial=0)) / float(
        np.sqrt(v + eps).min()
    )
    size *= float(np.abs(w).max(initial=0))
    names = "the output", "by hand"
    compare(law, got.outputs[0], (w * normal + b).astype(x.dtype), *names, roundings, size)
    terms = float(np.abs(c * normal).sum())
    for i, want in enumerate((c * w / np.sqrt(v + eps), (c * normal).sum(axes), c.sum(axes))):
        names = f"the gradient of {('x', 'weight', 'bias')[i]}", "by hand"
        compare(law, got.gradients[i], want.astype(x.dtype), *names, roundings, terms)
    for name, now, old in zip(("mean", "var"), (mean, var), statistics, strict=True):
        compare(law, now.data, old, f"running_{name} after use", "before")
