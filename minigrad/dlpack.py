"""Exchanging arrays with other libraries without a copy, through DLPack."""

from typing import Any

import numpy as np

from minigrad import gpu
from minigrad.ops.arguments import real_dtype
from minigrad.tensor import Tensor

CPU, CUDA = 1, 2  # DLPack's numbers


def from_dlpack(x: Any) -> Tensor:
    """Make a tensor of the memory of another library's array, on the CPU or a GPU.

    Nothing is copied: what is written to the one is seen in the other.

    Parameters
    ----------
    x : object with ``__dlpack__`` and ``__dlpack_device__``
        An array of NumPy or CuPy, a tensor of PyTorch or of ours, …

    Raises
    ------
    TypeError
        If `x` is no such array, lies on another kind of device, or does not hold real numbers.
    DeviceError
        If it lies on a GPU and CuPy is not installed.

    Examples
    --------
    >>> import minigrad, numpy
    >>> numbers = numpy.zeros(3)
    >>> tensor = minigrad.from_dlpack(numbers)
    >>> numbers[0] = 5.0
    >>> tensor
    tensor([5., 0., 0.], dtype=float64, device=cpu)
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(
            f"from_dlpack: x must have __dlpack__ and __dlpack_device__, got {type(x).__name__}"
        )
    kind = int(x.__dlpack_device__()[0])
    if kind not in (CPU, CUDA):
        raise TypeError(f"from_dlpack: x lies on a device of DLPack's kind {kind}, not CPU or CUDA")
    data = np.from_dlpack(x) if kind == CPU else gpu.cupy().from_dlpack(x)
    real_dtype("from_dlpack", data.dtype)
    return Tensor(data)
