"""Where checks run: on the CPU, or on a GPU. Said here for all of `minigrad.testing`.

What is drawn, and what is due, are NumPy's arrays. There are two crossings: what an operation is
given goes to the device (`put`, `tensor`), and what came of it comes back to be compared (`fetch`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

import minigrad
from minigrad import cuda
from minigrad import device as devices
from minigrad.autograd import Array
from minigrad.device import RUNGS, kernels
from minigrad.tensor import Tensor

_here: ContextVar[str] = ContextVar("here", default="cpu")


@contextmanager
def on_device(device: str) -> Iterator[str]:
    """Let `gradcheck`, `check_layer` and the `laws` run on a device. Gives its full name.

    The arrays they are given, and what they compare, stay NumPy's: they are copied to the device,
    and results back. Where rungs are compared, the device is held against the definition, the rung
    ``naive`` on the CPU.

    Parameters
    ----------
    device : str
        "cpu", "cuda" (the first GPU) or "cuda:1".

    Raises
    ------
    ValueError, DeviceError
        If there is no such device.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import gradcheck, on_device
    >>> with on_device("cpu"):
    ...     report = gradcheck(F.relu, [np.array([-1.0, 2.0])])
    """
    name = devices.check_name(device)
    token = _here.set(name)
    try:
        with cuda.device(name):
            yield name
    finally:
        _here.reset(token)


def here() -> str:
    """Name the device that checks run on."""
    return _here.get()


def of_tensors(values: Iterable[Any]) -> str:
    """Name the GPU that one of some tensors lies on; if none does, the device we are on."""
    away = (v.device for v in values if isinstance(v, Tensor) and v.device != "cpu")
    return next(away, here())


def compared() -> tuple[str, ...]:
    """List what is compared where rungs are: those of the CPU, or the definition and a device."""
    return RUNGS if here() == "cpu" else (RUNGS[0], here())


@contextmanager
def at(place: str) -> Iterator[None]:
    """Run on a rung of the CPU, or on a device: whichever has this name."""
    if place in RUNGS:
        with on_device("cpu"), kernels(place):
            yield
    else:
        with on_device(place):
            yield


def put(array: Any) -> Any:
    """Return an array on the device: itself if it is there, else a copy."""
    return devices.put(array, here())


def tensor(values: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of a copy of some numbers, as `minigrad.tensor` does, on the device."""
    return minigrad.tensor(values, dtype, requires_grad, here())


def fetch(values: Any) -> Array:
    """Return the numbers of a tensor, or of an array on any device, as an array of NumPy's."""
    return np.asarray(devices.put(values.data if isinstance(values, Tensor) else values, "cpu"))
