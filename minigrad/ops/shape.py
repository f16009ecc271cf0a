"""Operations that move numbers and change none: reshape, permute, index, concat, pad.

Each is a linear map with one 1 in every row, and its gradient is the transpose of that map: what
was moved there is moved back, what was read twice is added up, what was not read gets zero.
"""

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, Variable, record
from minigrad.ops.arguments import check_axis, real_dtype
from minigrad.ops.elementwise import operands, unbroadcast

if TYPE_CHECKING:
    from minigrad.tensor import Tensor


def _integers(name: str, argument: str, values: tuple[Any, ...]) -> tuple[int, ...]:
    """Read integers: each by itself, ``f(x, 2, 3)``, or in one list, tuple or array."""
    given: Any = values
    if len(values) == 1:
        given = values[0].data if isinstance(values[0], Variable) else values[0]
        many = (isinstance(given, Sequence) and not isinstance(given, str)) or (
            isinstance(given, np.ndarray) and given.ndim == 1
        )
        values = tuple(given) if many else (given,)
    kinds = set(map(type, values))
    if kinds <= {int}:
        return values
    try:
        if kinds & {bool, np.bool_}:
            raise TypeError
        return tuple(map(operator.index, values))
    except TypeError:
        raise TypeError(f"{name}: {argument} must hold integers, got {given!r}") from None


def reshape(x: "Tensor", *shape: Any) -> "Tensor":
    """Return the same numbers in another shape, read row by row; one length may be −1."""
    wanted = _integers("reshape", "shape", shape)
    before = x.data.shape
    try:
        if min(wanted, default=0) < -1:  # NumPy takes every negative length for −1
            raise ValueError
        result = x.data.reshape(wanted)
    except (ValueError, OverflowError):
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
    named, ndim = _integers("permute", "axes", axes), x.data.ndim
    order = tuple(check_axis("permute", axis, ndim) for axis in named)
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute: axes must name each of the {ndim} axes once, got {named}")
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
    if len(set(axes)) < len(axes):
        raise ValueError(f"squeeze: axis {axis} names an axis twice")
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
    wanted = _integers("broadcast_to", "shape", shape)
    before = x.data.shape
    try:
        result = np.broadcast_to(x.data, wanted)
    except (ValueError, OverflowError):
        raise ValueError(f"broadcast_to: shape {before} does not broadcast to {wanted}") from None
    return record("broadcast_to", result, (x, lambda gradient: unbroadcast(gradient, before)))


def getitem(x: "Tensor", index: Any) -> "Tensor":
    """Return ``x[index]``: slices, integers, None, …, integer and boolean arrays.

    Where an index occurs twice, both gradients are added up.

    Raises
    ------
    IndexError, TypeError, ValueError
        In NumPy's words, and with the shape of x.
    """
    shape, dtype, library = x.data.shape, x.data.dtype, device.library(x.data)
    index = tuple(_plain(i) for i in index) if isinstance(index, tuple) else _plain(index)
    index = _beside(index, x.data)
    try:
        result = x.data[index]
    except (IndexError, TypeError, ValueError) as error:
        raise type(error)(f"indexing: {error} (the tensor has shape {shape})") from None
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(i is None or i is Ellipsis or isinstance(i, int | slice) for i in parts)

    def vjp(gradient: Array) -> Array:
        full = library.zeros(shape, dtype)
        if basic:
            full[index] = gradient
        else:
            library.add.at(full, index, gradient)
        return full

    return record("getitem", result, (x, vjp))


def _plain(index: Any) -> Any:
    """Turn Tensors, lists and NumPy integers in an index into what NumPy knows best."""
    if isinstance(index, Variable):
        index = index.data
    if isinstance(index, list):
        try:
            index = np.asarray(index, dtype=None if index else np.intp)
        except ValueError as error:  # lists of unequal lengths
            raise TypeError(f"indexing: a list must make an array of integers ({error})") from None
    if isinstance(index, np.integer) or (isinstance(index, np.ndarray) and index.ndim == 0):
        index = index.item()
    if isinstance(index, np.ndarray) and index.dtype.kind not in "iub":
        raise TypeError(
            f"indexing: an index array must hold integers or booleans, not {index.dtype}"
        )
    return index


def _beside(index: Any, data: Array) -> Any:
    """Put the arrays of an index on the device of what they index."""
    if isinstance(index, tuple):
        return tuple(_beside(part, data) for part in index)
    return device.put_like(index, data) if hasattr(index, "dtype") else index


def stack(tensors: Sequence["Tensor"], axis: int = 0) -> "Tensor":
    """Join tensors of one shape along a new axis.

    Raises
    ------
    TypeError, ValueError, IndexError
        If there is nothing to join, one of them is no tensor or has another shape, or the axis
        does not exist.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.stack([minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    if isinstance(tensors, Variable) or not isinstance(tensors, Sequence):
        raise TypeError(
            f"stack: tensors must be a list or a tuple of Tensors, got {type(tensors).__name__}"
        )
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
    x : Tensor, any shape and dtype
    padding : sequence of int
        Pairs (before, after), the last axis first, as in PyTorch:
        ``(left, right, top, bottom)`` for images. Negative widths cut off instead.
    value : float
        Takes the dtype of x.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.functional.pad(minigrad.tensor([[1.0, 2.0]]), (1, 0, 0, 1))
    tensor([[0., 1., 2.],
            [0., 0., 0.]], dtype=float32, device=cpu)
    """
    if not isinstance(x, Variable):
        raise TypeError(
            f"pad: x must be a Tensor, got {type(x).__name__} (minigrad.tensor makes one)"
        )
    padding, data = _integers("pad", "padding", (padding,)), x.data
    shape, dtype = data.shape, real_dtype("pad: x", data.dtype)
    if not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"pad: value must be a number, got {type(value).__name__}")
    if not _holds(dtype, value):
        raise ValueError(f"pad: value {value} cannot stand in a tensor of {dtype}")
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
    library = device.library(data)
    result = library.full(after, value, dtype)
    result[place] = data[kept]

    def vjp(gradient: Array) -> Array:
        full = library.zeros(shape, dtype)
        full[kept] = gradient[place]
        return full

    return record("pad", result, (x, vjp))


def _holds(dtype: np.dtype, value: Any) -> bool:
    """Tell whether a number survives a cast to `dtype`, but for rounding to its digits."""
    if dtype.kind not in "iub":
        return True
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return bool(least <= value <= most) and value == int(value)
