"""Operations that fold axes away: sum, mean, max, min, var.

`axis` is an int, a tuple of ints or None for all axes, `keepdims` keeps the folded axes with
length one: as in NumPy. Going back, the gradient is stretched again over the folded axes.
Anything else for `axis` or `keepdims` is a TypeError, an axis that does not exist an IndexError,
one named twice a ValueError.
"""

from typing import TYPE_CHECKING

import numpy as np

from minigrad.autograd import Array, as_array, record
from minigrad.ops.arguments import check_axis
from minigrad.ops.elementwise import floating

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

Axis = int | tuple[int, ...] | None


def _folded(name: str, axis: Axis, ndim: int, keepdims: bool) -> tuple[int, ...]:
    """Name the folded axes as non-negative numbers; check `keepdims` along the way."""
    if not isinstance(keepdims, bool | np.bool_):
        raise TypeError(
            f"{name}: keepdims must be True or False, got {keepdims!r} (to fold several axes, give "
            "axis as a tuple)"
        )
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(a, int | np.integer) for a in axes):
        raise TypeError(
            f"{name}: axis must be an integer, a tuple of integers or None, got {axis!r}"
        )
    folded = tuple(check_axis(name, a, ndim) for a in axes)
    if len(set(folded)) < len(folded):
        raise ValueError(f"{name}: axis {axis} names an axis twice")
    return folded


def _unfold(gradient: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Repeat `gradient` along the folded `axes`: the transpose of summing over them."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return np.broadcast_to(gradient.reshape(kept), shape)


def sum(x: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the sum over `axis`."""
    axes, shape = _folded("sum", axis, x.data.ndim, keepdims), x.data.shape
    result = x.data.sum(axis=axes, keepdims=keepdims)
    return record("sum", result, (x, lambda gradient: _unfold(gradient, axes, shape)))


def mean(x: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the mean over `axis`: the sum divided by how many were summed."""
    x = floating(x)
    axes, shape = _folded("mean", axis, x.data.ndim, keepdims), x.data.shape
    count = int(np.prod([shape[a] for a in axes], dtype=int))  # NumPy's would make it float64
    result = x.data.mean(axis=axes, keepdims=keepdims)
    return record("mean", result, (x, lambda gradient: _unfold(gradient / count, axes, shape)))


def var(x: "Tensor", axis: Axis = None, keepdims: bool = False, correction: int = 0) -> "Tensor":
    """Return the variance over `axis`.

    Parameters
    ----------
    correction : int
        What is subtracted from the number of elements in the divisor: 0 as in NumPy, 1 for the
        unbiased estimate (PyTorch's default).

    Raises
    ------
    TypeError, ValueError
        If `correction` is not an integer, or there are no more elements than it says.

    Notes
    -----
    With m the mean over n elements and v = Σ(x − m)²/(n − c): dv/dx = 2(x − m)/(n − c). That m
    depends on x too does not matter, since Σ(x − m) is zero.
    """
    if not isinstance(correction, int | np.integer) or isinstance(correction, bool):
        raise TypeError(f"var: correction must be an integer, got {correction!r}")
    x = floating(x)
    axes, shape = _folded("var", axis, x.data.ndim, keepdims), x.data.shape
    count = int(np.prod([shape[a] for a in axes], dtype=int)) - correction
    if count <= 0:
        raise ValueError(
            f"var: needs more than correction = {correction} elements along axis {axis}, "
            f"got {count + correction} (shape {shape})"
        )
    deviation = x.data - x.data.mean(axis=axes, keepdims=True)
    result = (deviation * deviation).sum(axis=axes, keepdims=keepdims) / count

    def vjp(gradient: Array) -> Array:
        return _unfold(gradient * (2 / count), axes, shape).astype(gradient.dtype) * deviation

    return record("var", result, (x, vjp))


def max(x: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the largest element over `axis`. Equal largest elements share the gradient evenly."""
    return _extreme("max", np.max, x, axis, keepdims)


def min(x: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the smallest element over `axis`. Equal smallest ones share the gradient evenly."""
    return _extreme("min", np.min, x, axis, keepdims)


def argmax(x: "Tensor", axis: int | None = None) -> "Tensor":
    """Return where the largest element is, over `axis` or counted row by row over all.

    Of equal ones it is the first. The result holds integers, and no gradient flows through it.
    """
    if axis is not None:
        axis = check_axis("argmax", axis, x.data.ndim)
    shape = x.data.shape
    if (x.data.size if axis is None else shape[axis]) == 0:
        raise ValueError(f"argmax: nothing to choose from along axis {axis} of shape {shape}")
    return x.new(as_array(x.data.argmax(axis)))


def _extreme(name: str, choose, x: "Tensor", axis: Axis, keepdims: bool) -> "Tensor":  # type: ignore[no-untyped-def]
    data, axes = x.data, _folded(name, axis, x.data.ndim, keepdims)
    if any(data.shape[a] == 0 for a in axes):
        raise ValueError(f"{name}: nothing to choose from along axis {axis} of shape {data.shape}")
    chosen = choose(data, axis=axes, keepdims=True)

    def vjp(gradient: Array) -> Array:
        winners = data == chosen
        share = winners / winners.sum(axis=axes, keepdims=True, dtype=data.dtype)
        return _unfold(gradient, axes, data.shape) * share.astype(data.dtype)

    return record(name, chosen if keepdims else chosen.squeeze(axes), (x, vjp))
