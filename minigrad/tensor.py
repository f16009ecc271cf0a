"""`Tensor`: an array, its gradient, and the operation that made it.

This is the face: every method hands on to the operation of its name in `minigrad.ops`, where the
derivation stands.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minigrad import autograd
from minigrad import device as devices
from minigrad.autograd import Array, Leaf, Variable
from minigrad.dtypes import is_floating
from minigrad.gpu import is_gpu_array
from minigrad.ops import elementwise, matmul, reduce, shape
from minigrad.ops.arguments import real_dtype, real_numbers
from minigrad.ops.reduce import Axis


def tensor(
    array_like: ArrayLike,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> "Tensor":
    """Make a tensor from numbers, nested lists of numbers, or an array (which is copied).

    Parameters
    ----------
    array_like
        An array keeps its dtype; Python floats become float32, integers int64.
    dtype
        Of the tensor, if it is to be another.
    requires_grad : bool
        Whether `backward` is to gather a gradient for it. Only floating tensors can.
    device : str, optional
        "cpu", "cuda" (the first GPU) or "cuda:1". Where the array is, if not given; lists of
        numbers go to the CPU.

    Raises
    ------
    TypeError
        If the values are not numbers, or a gradient is wanted for integers.
    ValueError, DeviceError
        If there is no such device, or not enough memory on it.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y
    tensor(5., dtype=float32, device=cpu, op=sum)
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32, device=cpu)
    """
    if isinstance(array_like, Tensor):
        array_like = array_like.data
    typed = isinstance(array_like, np.ndarray | np.generic) or is_gpu_array(array_like)
    values = real_numbers("tensor", array_like)
    wanted = values.dtype if dtype is None else real_dtype("tensor", dtype)
    data = values.astype(wanted)
    if not typed and dtype is None and data.dtype == np.float64:
        data = data.astype(np.float32)
    if device is not None:
        data = devices.put(data, devices.check_name(device))
    return Tensor(data, requires_grad)


class Tensor(Variable):
    """An array that remembers how it was computed.

    Make one with `minigrad.tensor`; the class itself takes an array as it is, without a copy.

    Attributes
    ----------
    data : numpy.ndarray
    grad : Tensor or None
        What `backward` has gathered: same shape and dtype. Each `backward` adds to it.
    requires_grad : bool
        Whether gradients flow to (a leaf) or through it (a result).
    """

    __slots__ = ()
    __array_ufunc__ = None  # array + tensor is ours to compute, not NumPy's

    def new(self, data: Array) -> "Tensor":
        """Make a plain tensor of `data`."""
        return Tensor(data)

    def __reduce__(self) -> Any:
        # For copy and pickle: the numbers, with a leaf of their own. A copied node would still
        # send its gradient to the tensor it was copied from.
        return type(self), (self.data, isinstance(self.node, Leaf))

    # -- what it is --------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.data.size

    @property
    def device(self) -> str:
        """Where the numbers are: "cpu", "cuda:0", …"""
        return devices.of(self.data)

    @property
    def T(self) -> "Tensor":  # noqa: N802
        """The tensor with its axes reversed."""
        return shape.transpose(self)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor. Leaves may be switched."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.node is not None and not isinstance(self.node, Leaf):
            raise RuntimeError(
                f"requires_grad: this tensor was made by {self.node.name!r} and passes gradients "
                "on; use detach() to get one that does not"
            )
        if wanted != self.requires_grad:
            self.node = Leaf(self) if wanted else None

    def __repr__(self) -> str:
        values = np.array2string(self._on_cpu(), separator=", ", prefix="tensor(")
        notes = [f"dtype={self.dtype}", f"device={self.device}"]
        if isinstance(self.node, Leaf):
            notes.append("requires_grad=True")
        elif self.node is not None:
            notes.append(f"op={self.node.name}")
        return f"tensor({values}, {', '.join(notes)})"

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: a tensor without axes has no length")
        return len(self.data)

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.data.__index__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype, copy=copy)

    def numpy(self) -> Array:
        """Return the array itself, not a copy: writing to it changes the tensor.

        Raises
        ------
        TypeError
            If it lies on a GPU: ``x.cpu().numpy()`` copies it.
        """
        if self.device != "cpu":
            raise TypeError(f"numpy: this tensor lies on {self.device}; use x.cpu().numpy()")
        return self.data

    def _on_cpu(self) -> Array:
        return devices.put(self.data, "cpu")

    def to(self, device: str) -> "Tensor":
        """Return the tensor on a device: itself if it is there, else a copy.

        Gradients come back to where this one is.

        Parameters
        ----------
        device : str
            "cpu", "cuda" (the first GPU) or "cuda:1".

        Raises
        ------
        ValueError, DeviceError
            If there is no such device, or not enough memory on it.
        """
        name, here = devices.check_name(device), self.device
        if name == here:
            return self
        moved = devices.put(self.data, name)
        return autograd.record("to", moved, (self, lambda gradient: devices.put(gradient, here)))

    def cpu(self) -> "Tensor":
        """Return the tensor on the CPU."""
        return self.to("cpu")

    def cuda(self) -> "Tensor":
        """Return the tensor on the first GPU."""
        return self.to("cuda")

    def item(self) -> float | int | bool:
        """Return the only number as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: needs a tensor of one number, this has shape {self.shape}")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the numbers as nested lists."""
        return self.data.tolist()

    def astype(self, dtype: DTypeLike) -> "Tensor":
        """Return the tensor with another dtype; gradients come back in this one's."""
        wanted = real_dtype("astype", dtype)
        if is_floating(wanted):
            return elementwise.cast(self, wanted)
        return Tensor(self.data.astype(wanted))

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("__dlpack__: this tensor needs a gradient; hand out x.detach()")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    # -- gradients ---------------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add to the `.grad` of every leaf this was computed from.

        Parameters
        ----------
        gradient : Tensor or array, of this tensor's shape
            The gradient of whatever is to be differentiated with respect to this tensor. May be
            left out where the tensor is one number: then that number is differentiated.
        retain_graph : bool
            Keep what a second backward through the same graph needs. Otherwise it is freed.

        Raises
        ------
        RuntimeError
            If nothing here needs a gradient, or the graph has been freed.
        TypeError, ValueError
            If `gradient` is missing, does not hold numbers or has another shape.
        """
        if self.node is None:
            raise RuntimeError("backward: this tensor does not depend on one that requires_grad")
        if gradient is None:
            if self.size != 1:
                raise ValueError(
                    f"backward: a result of shape {self.shape} is not one number; give the "
                    "gradient, an array of that shape, or reduce the result first"
                )
            gradient = devices.library(self.data).ones(self.shape, self.dtype)
        given = gradient.data if isinstance(gradient, Tensor) else gradient
        values = real_numbers("backward: gradient", given)
        seed = devices.put_like(values, self.data).astype(self.dtype)
        if seed.shape != self.shape:
            raise ValueError(
                f"backward: gradient must have the tensor's shape {self.shape}, got {seed.shape}"
            )
        autograd.backward(self.node, seed, retain_graph)

    def detach(self) -> "Tensor":
        """Return a tensor of the same data that no gradient flows through."""
        return Tensor(self.data)

    # -- arithmetic --------------------------------------------------------------------------

    def __add__(self, other: Any) -> "Tensor":
        return elementwise.add(self, other)

    def __radd__(self, other: Any) -> "Tensor":
        return elementwise.add(other, self)

    def __sub__(self, other: Any) -> "Tensor":
        return elementwise.subtract(self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        return elementwise.subtract(other, self)

    def __mul__(self, other: Any) -> "Tensor":
        return elementwise.multiply(self, other)

    def __rmul__(self, other: Any) -> "Tensor":
        return elementwise.multiply(other, self)

    def __truediv__(self, other: Any) -> "Tensor":
        return elementwise.divide(self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return elementwise.divide(other, self)

    def __pow__(self, other: Any) -> "Tensor":
        return elementwise.power(self, other)

    def __rpow__(self, other: Any) -> "Tensor":
        return elementwise.power(other, self)

    def __matmul__(self, other: Any) -> "Tensor":
        return matmul.matmul(self, other)

    def __rmatmul__(self, other: Any) -> "Tensor":
        return matmul.matmul(other, self)

    def __neg__(self) -> "Tensor":
        return elementwise.negative(self)

    def __abs__(self) -> "Tensor":
        return elementwise.absolute(self)

    def exp(self) -> "Tensor":
        """See `minigrad.ops.elementwise.exp`."""
        return elementwise.exp(self)

    def log(self) -> "Tensor":
        """See `minigrad.ops.elementwise.log`."""
        return elementwise.log(self)

    def sqrt(self) -> "Tensor":
        """See `minigrad.ops.elementwise.sqrt`."""
        return elementwise.sqrt(self)

    def tanh(self) -> "Tensor":
        """See `minigrad.ops.elementwise.tanh`."""
        return elementwise.tanh(self)

    def sigmoid(self) -> "Tensor":
        """See `minigrad.ops.elementwise.sigmoid`."""
        return elementwise.sigmoid(self)

    def abs(self) -> "Tensor":
        """See `minigrad.ops.elementwise.absolute`."""
        return elementwise.absolute(self)

    def clip(self, min: float | None = None, max: float | None = None) -> "Tensor":
        """See `minigrad.ops.elementwise.clip`."""
        return elementwise.clip(self, min, max)

    # -- comparison: tensors of booleans, which no gradient flows through ----------------------

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return _compare("equal", operator.eq, self, other)

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return _compare("not_equal", operator.ne, self, other)

    def __lt__(self, other: Any) -> "Tensor":
        return _compare("less", operator.lt, self, other)

    def __le__(self, other: Any) -> "Tensor":
        return _compare("less_equal", operator.le, self, other)

    def __gt__(self, other: Any) -> "Tensor":
        return _compare("greater", operator.gt, self, other)

    def __ge__(self, other: Any) -> "Tensor":
        return _compare("greater_equal", operator.ge, self, other)

    __hash__ = object.__hash__

    # -- reductions --------------------------------------------------------------------------

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """See `minigrad.ops.reduce.sum`."""
        return reduce.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """See `minigrad.ops.reduce.mean`."""
        return reduce.mean(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> "Tensor":
        """See `minigrad.ops.reduce.var`."""
        return reduce.var(self, axis, keepdims, correction)

    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """See `minigrad.ops.reduce.max`."""
        return reduce.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """See `minigrad.ops.reduce.min`."""
        return reduce.min(self, axis, keepdims)

    def argmax(self, axis: int | None = None) -> "Tensor":
        """See `minigrad.ops.reduce.argmax`."""
        return reduce.argmax(self, axis)

    # -- shapes ------------------------------------------------------------------------------

    def reshape(self, *shape_: Any) -> "Tensor":
        """See `minigrad.ops.shape.reshape`."""
        return shape.reshape(self, *shape_)

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> "Tensor":
        """See `minigrad.ops.shape.flatten`."""
        return shape.flatten(self, start_axis, end_axis)

    def permute(self, *axes: Any) -> "Tensor":
        """See `minigrad.ops.shape.permute`."""
        return shape.permute(self, *axes)

    def transpose(self, axis0: int | None = None, axis1: int | None = None) -> "Tensor":
        """See `minigrad.ops.shape.transpose`."""
        return shape.transpose(self, axis0, axis1)

    def squeeze(self, axis: int | tuple[int, ...] | None = None) -> "Tensor":
        """See `minigrad.ops.shape.squeeze`."""
        return shape.squeeze(self, axis)

    def unsqueeze(self, axis: int) -> "Tensor":
        """See `minigrad.ops.shape.unsqueeze`."""
        return shape.unsqueeze(self, axis)

    def broadcast_to(self, *shape_: Any) -> "Tensor":
        """See `minigrad.ops.shape.broadcast_to`."""
        return shape.broadcast_to(self, *shape_)

    def __getitem__(self, index: Any) -> "Tensor":
        return shape.getitem(self, index)


def _compare(name: str, function: Callable[..., Any], x: Tensor, other: Any) -> Tensor:
    other = other.data if isinstance(other, Variable) else other
    if is_gpu_array(x.data) and isinstance(other, np.ndarray):
        other = devices.put_like(other, x.data)
    return Tensor(autograd.as_array(elementwise.combine(name, function, x.data, other)))
