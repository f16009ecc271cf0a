"""Where arrays live, and which rung of an operation's kernels runs on them. Decided here alone.

Devices are named as in PyTorch: ``"cpu"``, ``"cuda"`` (the first GPU), ``"cuda:1"`` (the second).

Every operation with kernels has them in rungs, each a module with the same functions: ``naive``
(loops, the specification), ``vectorized`` (NumPy), ``cpu`` (Numba, the default) and ``gpu`` (CUDA,
for arrays that lie there).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

from minigrad import gpu
from minigrad.dtypes import is_small
from minigrad.gpu import DeviceError, is_gpu_array
from minigrad.widened import widened

RUNGS = ("naive", "vectorized", "cpu")

_forced: ContextVar[str | None] = ContextVar("forced", default=None)


def choose(
    rungs: Mapping[str, ModuleType], gpu_rung: ModuleType | None = None, array: Any = None
) -> Any:
    """Pick the kernels to run on an array from an operation's rungs; one for the CPU without."""
    if gpu_rung is not None and is_gpu_array(array):
        gpu.check_current(array)
        return gpu_rung
    rung = rungs[_forced.get() or "cpu"]
    return widened(rung) if array is not None and is_small(array.dtype) else rung


@contextmanager
def kernels(rung: str) -> Iterator[None]:
    """Run one rung of every operation's kernels on the CPU, to read, to debug, to compare.

    Parameters
    ----------
    rung : {"naive", "vectorized", "cpu"}

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[-1.0, 2.0]])
    >>> with minigrad.kernels("naive"):
    ...     y = minigrad.functional.relu(x)
    """
    if rung not in RUNGS:
        raise ValueError(f"kernels: rung must be one of {', '.join(RUNGS)}, got {rung!r}")
    token = _forced.set(rung)
    try:
        yield
    finally:
        _forced.reset(token)


# -- names of devices, and arrays that move between them -----------------------------------------


def check_name(device: Any) -> str:
    """Read the name of a device, in full: "cuda" is "cuda:0".

    Raises
    ------
    ValueError
        If it is no name of a device.
    DeviceError
        If there is no such GPU, or nothing to use it with.
    """
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", device) if isinstance(device, str) else None
    if found is None:
        raise ValueError(f'device must be "cpu", "cuda" or "cuda:1", … , got {device!r}')
    if device == "cpu":
        return device
    index = int(found[1] or 0)
    gpu.check_device(index)
    return f"cuda:{index}"


def of(array: Any) -> str:
    """Name the device that an array lies on."""
    return f"cuda:{array.device.id}" if is_gpu_array(array) else "cpu"


def put(array: Any, device: str) -> Any:
    """Return the array on a device (by its full name): itself if it is there, else a copy.

    Raises
    ------
    DeviceError
        If the memory there does not suffice.
    """
    here = of(array)
    if here == device:
        return array
    if here != "cpu":
        array = gpu.cupy().asnumpy(array)
    return array if device == "cpu" else gpu.copied(array, int(device.split(":")[1]))


def put_like(array: Any, model: Any) -> Any:
    """Return the array on the device of another."""
    return array if type(array) is type(model) is np.ndarray else put(array, of(model))


def library(array: Any) -> Any:
    """Return the module whose functions make arrays on the same device: NumPy or CuPy."""
    return gpu.cupy() if is_gpu_array(array) else np


__all__ = [
    "RUNGS", "DeviceError", "check_name", "choose", "kernels", "library", "of", "put", "put_like",
]  # fmt: skip
