r"""Batch normalisation: each channel gets mean 0 and variance 1. The derivation, the operation.

**Forward.** A channel c has M values x[i] in the batch, one for each image and pixel::

    μ = Σ x[i] / M        v = Σ (x[i] − μ)² / M        s = 1 / √(v + ε)
        i                     i
    x̂[i] = (x[i] − μ)·s                  out[i] = weight·x̂[i] + bias

Channels do not see each other; μ, v, s, weight and bias have shape (C,), all else has x's.

**Backward.** Let G be the gradient of out. Weight and bias are met once for every i::

    gradient of weight = Σ G[i]·x̂[i]     gradient of bias = Σ G[i]         shapes (C,)

x[j] acts on out in two ways: on its own x̂[j], and, through μ and v, on all others. Derive x̂[i] by
x[j], with δ = 1 if i = j, else 0::

    ∂μ/∂x[j] = 1/M
    ∂v/∂x[j] = 2·(x[j] − μ)/M            (what goes by way of μ is Σ −2(x[i] − μ)/M² = 0)
    ∂s/∂x[j] = −s³/2 · ∂v/∂x[j] = −s²·x̂[j]/M
    ∂x̂[i]/∂x[j] = (δ − 1/M)·s + (x[i] − μ)·∂s/∂x[j] = s·(δ − 1/M − x̂[i]·x̂[j]/M)

The gradient of x̂ is weight·G. Multiply and sum over i::

    gradient of x[j] = weight·s·( G[j]  −  Σ G[i] / M  −  x̂[j]·Σ G[i]·x̂[i] / M )
                                           i                   i

What is taken from G is its mean and its component along x̂: two directions in which x may move
without moving x̂, since μ and v take the step back. And the two sums are the gradients of bias and
weight: two passes over memory give all three, and the three rules share one call of the kernel.

**In use** the statistics are constants, and so ``gradient of x = weight·s·G``.

The *running* statistics are what use takes: after each batch they move by the share `momentum`
towards the batch's. The variance that goes into them is that of the population which the batch
was drawn from, Σ (x[i] − μ)² / (M − 1); the batch itself is normalised with 1/M. So does PyTorch.

Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing
internal covariate shift", 2015.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, Variable, Vjp, record
from minigrad.dtypes import is_small
from minigrad.ops import elementwise
from minigrad.ops.arguments import check_same_dtype, check_tensor
from minigrad.ops.batch_norm import cpu, gpu, naive, vectorized

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def batch_norm(
    x: "Tensor",
    running_mean: "Tensor | None",
    running_var: "Tensor | None",
    weight: "Tensor | None" = None,
    bias: "Tensor | None" = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> "Tensor":
    """Normalise each channel, then scale and shift it.

    Parameters
    ----------
    x : Tensor (N, C) or (N, C, ...)
        float32 or float64, as all the others; or of 16 bits, where the others are float32.
    running_mean, running_var : Tensor (C,), or None
        In use, the statistics to normalise with. In training, they are moved towards those of
        this batch, in place; None where nobody wants them.
    weight, bias : Tensor (C,), optional
        Left out, 1 and 0.
    training : bool
        Whether to normalise with the statistics of this batch.
    momentum : float
        ``running = (1 − momentum)·running + momentum·batch``, 0 … 1.
    eps : float
        Added to the variance, so that a constant channel is not divided by zero.

    Returns
    -------
    Tensor
        Of x's shape; on the CPU channels-last in memory.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[1.0], [3.0]])
    >>> mean, var = minigrad.tensor([0.0]), minigrad.tensor([1.0])
    >>> minigrad.functional.batch_norm(x, mean, var, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]], dtype=float32, device=cpu)
    >>> mean, var
    (tensor([0.2], dtype=float32, device=cpu), tensor([1.1], dtype=float32, device=cpu))
    """
    per_channel = {
        "running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias,
    }  # fmt: skip
    _check(x, per_channel, training, momentum, eps)
    if is_small(x.dtype):  # statistics and parameters are float32
        wide = batch_norm(
            elementwise.widened(x), **per_channel, training=training, momentum=momentum, eps=eps
        )
        return elementwise.cast(wide, x.dtype)
    momentum, eps = float(momentum), float(eps)
    kernel, image, channels = device.choose(RUNGS, gpu, x.data), x.data, x.shape[1]
    library = device.library(image)
    scale = library.ones(channels, x.dtype) if weight is None else weight.data
    shift = library.zeros(channels, x.dtype) if bias is None else bias.data
    if training:
        mean, var = kernel.batch_norm_statistics(image)
        _update(running_mean, running_var, mean, var, x.size // max(channels, 1), momentum)
    else:
        # Copies, since the next training step changes the running statistics in place.
        mean, var = (t.data.copy() for t in (running_mean, running_var) if t is not None)
    out = kernel.batch_norm_forward(image, mean, var, scale, shift, eps)

    def gradients(gradient: Array) -> tuple[Array, ...]:
        return kernel.batch_norm_gradients(gradient, image, mean, var, scale, eps, training)

    parents = [(x, 0), (weight, 1), (bias, 2)]
    return record("batch_norm", out, *_rules(gradients, parents))


def _rules(
    compute: Callable[[Array], tuple[Array, ...]], parents: list[tuple[Any, int]]
) -> list[tuple[Variable, Vjp]]:
    """Make a rule for each parent out of a function that computes the gradients of all.

    Backward asks the rules one after the other, with the same array. The first computes, and the
    results wait for the others, each until it is asked for. So that nothing waits in vain, only
    those are put aside that will be asked for; with the last, the array is forgotten as well.
    """
    wanted = {i for parent, i in parents if parent is not None and parent.node is not None}
    waiting: dict[int, Array] = {}
    asked: list[Array] = []  # the array that `waiting` belongs to, if any

    def give(i: int, gradient: Array) -> Array:
        if i not in waiting or asked[0] is not gradient:
            results = compute(gradient)
            asked[:] = [gradient]
            waiting.update((k, results[k]) for k in wanted)
        mine = waiting.pop(i)
        if not waiting:
            asked.clear()
        return mine

    return [(parent, partial(give, i)) for parent, i in parents if parent is not None]


def _update(
    running_mean: "Tensor | None",
    running_var: "Tensor | None",
    mean: Array,
    var: Array,
    count: int,
    momentum: float,
) -> None:
    """Move the running statistics towards those of a batch of `count` values a channel."""
    if count == 0:
        return
    for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
        if running is not None:
            running.data[...] = (1 - momentum) * running.data + momentum * batch


def _check(
    x: "Tensor",
    per_channel: "dict[str, Tensor | None]",
    training: bool,
    momentum: float,
    eps: float,
) -> None:
    check_tensor("batch_norm", "x", x)
    if x.ndim < 2:
        raise ValueError(
            f"batch_norm: x must have the axes (N, C) or (N, C, ...), got shape {x.shape}"
        )
    for argument, tensor in per_channel.items():
        if tensor is None:
            continue
        check_tensor("batch_norm", argument, tensor, 1)
        if tensor.shape != (x.shape[1],):
            raise ValueError(
                f"batch_norm: {argument} must have shape ({x.shape[1]},), one number for each "
                f"channel of x (shape {x.shape}), got {tensor.shape}"
            )
    check_same_dtype("batch_norm", x=x, **per_channel)
    for argument, number, most in (("momentum", momentum, 1.0), ("eps", eps, math.inf)):
        is_number = isinstance(number, int | float | np.integer | np.floating)
        if not is_number or not 0 <= number <= most:
            bounds = "from 0 to 1" if most == 1 else "of at least 0"
            raise ValueError(f"batch_norm: {argument} must be a number {bounds}, got {number!r}")
    if not training:
        for argument in ("running_mean", "running_var"):
            if per_channel[argument] is None:
                raise ValueError(
                    f"batch_norm: {argument} must be given where training is False: it is what x "
                    "is normalised with"
                )
    elif x.size == x.shape[1] > 0:
        raise ValueError(
            f"batch_norm: training needs more than one value for each channel, but x has shape "
            f"{x.shape}: a single value is its own mean, and its variance says nothing"
        )
