"""Checks at the door of operations: each says which argument, what came and what was needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import Variable, as_array
from minigrad.dtypes import as_dtype, is_floating, is_small
from minigrad.ops.window import Padding, Pair, fitting_windows

FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})

_complex_allowed: ContextVar[bool] = ContextVar("complex_allowed", default=False)


@contextmanager
def allow_complex() -> Iterator[None]:
    """Let complex128 tensors into operations: for derivatives by a complex step, nothing else."""
    token = _complex_allowed.set(True)
    try:
        yield
    finally:
        _complex_allowed.reset(token)


def complex_allowed() -> bool:
    """Tell whether complex tensors may pass (inside `allow_complex`)."""
    return _complex_allowed.get()


def real_numbers(name: str, values: Any) -> np.ndarray:
    """Read an array of real numbers or booleans from whatever NumPy makes one of."""
    try:
        array = as_array(values)
    except ValueError as error:  # lists of unequal lengths
        raise TypeError(f"{name}: cannot make an array of these values ({error})") from None
    real_dtype(name, array.dtype)
    return array


def real_dtype(name: str, dtype: Any) -> np.dtype:
    """Insist on a dtype that tensors may have."""
    try:
        wanted = as_dtype(dtype)
    except TypeError as error:
        raise TypeError(f"{name}: dtype is none that NumPy knows ({error})") from None
    if not is_floating(wanted) and wanted.kind not in ("iubc" if complex_allowed() else "iub"):
        raise TypeError(f"{name}: values must be real numbers or booleans, got dtype {wanted}")
    return wanted


def check_tensor(name: str, argument: str, value: Any, *ndims: int) -> None:
    """Insist on a floating Tensor, of one of `ndims` axes if any are given."""
    if not isinstance(value, Variable):
        raise TypeError(
            f"{name}: {argument} must be a Tensor, got {type(value).__name__} "
            "(minigrad.tensor makes one)"
        )
    data = value.data
    if data.dtype not in FLOATS and not (
        is_small(data.dtype) or (data.dtype == np.complex128 and complex_allowed())
    ):
        raise TypeError(f"{name}: {argument} must be float32 or float64, got {data.dtype}")
    if ndims and data.ndim not in ndims:
        axes = " or ".join(str(n) for n in ndims)
        layout = " (N, C, H, W)" if ndims == (4,) else ""
        raise ValueError(
            f"{name}: {argument} must have {axes} axes{layout}, got shape {data.shape}"
        )


def check_same_dtype(name: str, **tensors: Any) -> None:
    """Insist that all tensors given have the dtype of the first, and lie on its device.

    Where the first has 16 bits, the others may be float32: these are parameters.
    """
    first, x = next(iter(tensors.items()))
    for argument, t in tensors.items():
        if t is None:
            continue
        if t.data.dtype != x.data.dtype and not (
            t.data.dtype == np.float32 and is_small(x.data.dtype)
        ):
            raise TypeError(
                f"{name}: {argument} has dtype {t.data.dtype} but {first} has {x.data.dtype}"
            )
        if not (type(t.data) is type(x.data) is np.ndarray):
            check_same_device(name, argument, t, first, x)


def parameters(image: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
    """Give kernels a layer's parameters as they want them: arrays, and the bias may be None.

    For images of 16 bits, the weight has 16 too, as a factor; the bias, which is added to sums of
    float32, is one of these.
    """
    start = None if bias is None else bias.data
    if not is_small(image.dtype):
        return weight.data, start
    rounded = weight.data.astype(image.dtype, copy=False)
    return rounded, None if start is None else start.astype(np.float32, copy=False)


def check_same_device(name: str, argument: str, t: Any, first: str, x: Any) -> None:
    """Insist that two tensors lie on one device, and name both if not."""
    here, there = device.of(x.data), device.of(t.data)
    if here != there:
        raise ValueError(
            f"{name}: {argument} (shape {t.data.shape}) lies on {there} but {first} (shape "
            f"{x.data.shape}) on {here}; Tensor.to brings them together"
        )


def check_axis(name: str, axis: Any, ndim: int) -> int:
    """Insist that an axis exists, and count it from the start."""
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
        raise TypeError(f"{name}: axis must be an integer, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise IndexError(f"{name}: axis {axis} does not exist in a tensor of {ndim} axes")
    return int(axis) % ndim


def pair(name: str, argument: str, value: Any, least: int) -> Pair:
    """Read an integer, or a pair of integers for height and width, each at least `least`."""
    if type(value) is int and value >= least:
        return value, value
    if type(value) is tuple and [*map(type, value)] == [int, int] and min(value) >= least:
        return value
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    right = len(both) == 2 and all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in both
    )
    if not right:
        raise ValueError(
            f"{name}: {argument} must be an integer of at least {least} or a pair of them, "
            f"got {value!r}"
        )
    return int(both[0]), int(both[1])


def window_padding(
    name: str, padding: Any, kernel_size: Pair, stride: Pair, dilation: Pair
) -> Padding:
    """Read a convolution's padding: an integer, a pair, ``"valid"`` (none) or ``"same"``.

    ``"same"`` keeps the size; where the kernel needs an odd number, the end gets the extra one.
    """
    if isinstance(padding, str):
        return _named_padding(name, padding, kernel_size, stride, dilation)
    h, w = pair(name, "padding", padding, 0)
    return (h, h), (w, w)


def _named_padding(
    name: str, padding: str, kernel_size: Pair, stride: Pair, dilation: Pair
) -> Padding:
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f'{name}: padding "same" needs stride 1, got stride {stride}')
        totals = [d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True)]
        (h, w) = ((total // 2, total - total // 2) for total in totals)
        return h, w
    raise ValueError(f'{name}: padding must be "same", "valid" or numbers, got {padding!r}')


def output_size(
    name: str,
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool = False,
    *,
    image: str = "x",
) -> Pair:
    """Give the (height, width) of the output, or say that the window does not fit the image."""
    size = fitting_windows(shape, kernel_size, stride, padding, dilation, ceil_mode)
    if min(size) < 1:
        spread = tuple(d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True))
        padded = tuple(n + sum(p) for n, p in zip(shape[-2:], padding, strict=True))
        raise ValueError(
            f"{name}: the window covers {spread[0]}×{spread[1]} but the padded input is only "
            f"{padded[0]}×{padded[1]} ({image} has shape {shape})"
        )
    return size
