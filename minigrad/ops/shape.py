"""Operations that move numbers and change none: reshape, permute, index, concat, pad.

Each is a linear map with one 1 in every row, and its gradient is the transpose of that map: what
was moved there is moved back, what was read twice is added up, what was not read gets zero.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.autograd import Array, Variable, record
from minigrad.ops.arguments import check_axis
from minigrad.ops.elementwise import operands, unbroadcast

if TYPE_CHECKING:
    from minigrad.tensor import Tensor


def reshape(x: "Tensor", *shape: Any) -> "Tensor":
    """Return the same numbers in another shape, read row by row; one length may be −1."""
    wanted = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    before = x.data.shape
    try:
        result = x.data.reshape(wanted)
    except ValueError:
        raise ValueError(
            f"reshape: cannot give shape {wanted} to {x.data.size} numbers of shape {before}"
        ) from None
    return record("reshape", result, (x, lambda gradient: gradient.reshape(before)))


def flatten(x: "Tensor", start_axis: int = 0, end_axis: int = -1) -> "Tensor":
    """Return `x` with the axes from `start_axis` to `end_axis`, both included, made into one."""
    ndim, shape = x.data.ndim, x.data.shape
    if ndim == 0:
        return reshape(x, 1)
    first, last = check_axis("flatten", start_axis, ndim), check_axis("flatten", end_axis, ndim)
    if first > last:
        raise ValueError(f"flatten: start_axis {start_axis} comes after end_axis {end_axis}")
    length = int(np.prod(shape[first : last + 1], dtype=int))
    return reshape(x, *shape[:first], length, *shape[last + 1 :])


def permute(x: "Tensor", *axes: Any) -> "Tensor":
    """Return `x` with its axes in the order given: axis i of the result is ``axes[i]`` of x."""
    order = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], Sequence) else axes
    ndim = x.data.ndim
    order = tuple(check_axis("permute", axis, ndim) for axis in order)
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute: axes must name each of the {ndim} axes once, got {axes}")
    back = tuple(int(i) for i in np.argsort(order))
    return record(
        "permute", x.data.transpose(order), (x, lambda gradient: gradient.transpose(back))
    )


def transpose(x: "Tensor", axis0: int | None = None, axis1: int | None = None) -> "Tensor":
    """Return `x` with two axes exchanged, or with all axes reversed if none is named."""
    order = list(range(x.data.ndim))
    if axis0 is None and axis1 is None:
        return permute(x, *order[::-1])
    if axis0 is None or axis1 is None:
        raise ValueError("transpose: name two axes to exchange, or none to reverse them all")
    a, b = (check_axis("transpose", axis, x.data.ndim) for axis in (axis0, axis1))
    order[a], order[b] = b, a
    return permute(x, *order)


def squeeze(x: "Tensor", axis: int | tuple[int, ...] | None = None) -> "Tensor":
    """Return `x` without its axes of length one, or without those named in `axis`."""
    shape = x.data.shape
    named = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [check_axis("squeeze", a, len(shape)) for a in named]
    for a in axes:
        if axis is not None and shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {shape} has length {shape[a]}, not 1")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes or n != 1))


def unsqueeze(x: "Tensor", axis: int) -> "Tensor":
    """Return `x` with a new axis of length one, so that it stands at `axis` in the result."""
    shape = list(x.data.shape)
    shape.insert(check_axis("unsqueeze", axis, len(shape) + 1), 1)
    return reshape(x, tuple(shape))


def broadcast_to(x: "Tensor", *shape: Any) -> "Tensor":
    """Return `x` repeated to `shape` (a view: the numbers are not copied)."""
    wanted = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    before = x.data.shape
    try:
        result = np.broadcast_to(x.data, wanted)
    except ValueError:
        raise ValueError(f"broadcast_to: shape {before} does not broadcast to {wanted}") from None
    return record("broadcast_to", result, (x, lambda gradient: unbroadcast(gradient, before)))


def getitem(x: "Tensor", index: Any) -> "Tensor":
    """Return ``x[index]``: slices, integers, None, …, integer and boolean arrays.

    Where an index occurs twice, both gradients are added up.
    """
    index = tuple(_plain(i) for i in index) if isinstance(index, tuple) else _plain(index)
    shape, dtype = x.data.shape, x.data.dtype
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(i is None or i is Ellipsis or isinstance(i, int | slice) for i in parts)

    def vjp(gradient: Array) -> Array:
        full = np.zeros(shape, dtype)
        if basic:
            full[index] = gradient
        else:
            np.add.at(full, index, gradient)
        return full

    return record("getitem", x.data[index], (x, vjp))


def _plain(index: Any) -> Any:
    """Turn Tensors, lists and NumPy integers in an index into what NumPy knows best."""
    if isinstance(index, Variable):
        index = index.data
    if isinstance(index, list):
        index = np.asarray(index, dtype=None if index else np.intp)
    if isinstance(index, np.integer) or (isinstance(index, np.ndarray) and index.ndim == 0):
        index = index.item()
    if isinstance(index, np.ndarray) and index.dtype.kind not in "iub":
        raise TypeError(
            f"indexing: an index array must hold integers or booleans, not {index.dtype}"
        )
    return index


def stack(tensors: Sequence["Tensor"], axis: int = 0) -> "Tensor":
    """Join tensors of one shape along a new axis.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.stack([minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    if not tensors:
        raise ValueError("stack: needs at least one tensor")
    tensors = operands("stack", *tensors)
    shapes = {t.data.shape for t in tensors}
    if len(shapes) > 1:
        raise ValueError(f"stack: all tensors must have one shape, got {sorted(shapes)}")
    axis = check_axis("stack", axis, tensors[0].data.ndim + 1)
    rules = [(t, lambda gradient, i=i: np.take(gradient, i, axis)) for i, t in enumerate(tensors)]
    return record("stack", np.stack([t.data for t in tensors], axis), *rules)


def pad(x: "Tensor", padding: Sequence[int], value: float = 0.0) -> "Tensor":
    """Surround `x` with a border of `value`.

    Parameters
    ----------
    padding : sequence of int
        Pairs (before, after), the last axis first, as in PyTorch:
        ``(left, right, top, bottom)`` for images. Negative widths cut off instead.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.functional.pad(minigrad.tensor([[1.0, 2.0]]), (1, 0, 0, 1))
    tensor([[0., 1., 2.],
            [0., 0., 0.]], dtype=float32)
    """
    padding, data = tuple(padding), x.data
    shape, dtype = data.shape, data.dtype
    if len(padding) % 2 or len(padding) > 2 * data.ndim:
        raise ValueError(
            f"pad: padding must hold a pair (before, after) for some of the last axes of a tensor "
            f"of {data.ndim} axes, got {padding}"
        )
    pairs = [(0, 0)] * (data.ndim - len(padding) // 2)
    pairs += [(padding[i], padding[i + 1]) for i in range(len(padding) - 2, -1, -2)]
    if any(n + min(a, 0) + min(b, 0) < 0 for n, (a, b) in zip(shape, pairs, strict=True)):
        raise ValueError(f"pad: padding {padding} cuts more off shape {shape} than there is")
    after = tuple(n + a + b for n, (a, b) in zip(shape, pairs, strict=True))
    # The part of x that stays, and where it lies in the result.
    kept = tuple(slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(shape, pairs, strict=True))
    place = tuple(slice(max(a, 0), m - max(b, 0)) for m, (a, b) in zip(after, pairs, strict=True))
    result = np.full(after, value, dtype)
    result[place] = data[kept]

    def vjp(gradient: Array) -> Array:
        full = np.zeros(shape, dtype)
        full[kept] = gradient[place]
        return full

    return record("pad", result, (x, vjp))
