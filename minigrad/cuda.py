"""What there is of GPUs: `minigrad.cuda.is_available()`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np

from minigrad import device as devices
from minigrad import gpu

__all__ = [
    "allow_tf32",
    "device",
    "device_count",
    "is_available",
    "preferred_device",
    "synchronize",
]


def is_available() -> bool:
    """Tell whether ``device="cuda"`` can be used: CuPy, a driver and a GPU are there."""
    return gpu.device_count() > 0


def device_count() -> int:
    """Return how many GPUs can be used."""
    return gpu.device_count()


def preferred_device() -> str:
    """Name the device that programs use unless told otherwise: a GPU if there is one."""
    return "cuda:0" if is_available() else "cpu"


@contextmanager
def device(name: str) -> Iterator[None]:
    """Send kernels to a GPU: for those besides the first, whose arrays only they can compute with.

    Parameters
    ----------
    name : str
        "cuda:1", or any other; with "cpu" nothing changes.

    Raises
    ------
    ValueError, DeviceError
        If there is no such device.

    Examples
    --------
    >>> import minigrad
    >>> with minigrad.cuda.device("cpu"):
    ...     x = minigrad.tensor([1.0])
    """
    full = devices.check_name(name)
    with nullcontext() if full == "cpu" else gpu.cupy().cuda.Device(int(full.split(":")[1])):
        yield


def synchronize() -> None:
    """Wait until the GPU has done all it was asked to. For timing: kernels run on their own.

    Raises
    ------
    DeviceError
        If there is no CuPy.
    """
    gpu.cupy().cuda.get_current_stream().synchronize()


def allow_tf32(allowed: bool) -> None:
    """Let matrix products of float32 round their factors to 10 bits of fraction, or not.

    They do not at first. With it, GPUs from Ampere on multiply float32 on their tensor cores
    (TF32), several times as fast, with errors of about 1e-3 of the result.

    Parameters
    ----------
    allowed : bool

    Raises
    ------
    TypeError
        If `allowed` is not a bool.
    DeviceError
        If CuPy is not installed, or finds no GPU.
    """
    if not isinstance(allowed, bool):
        raise TypeError(f"allow_tf32: allowed must be a bool, got {allowed!r}")
    gpu.check_device(0)
    gpu.cublas.allow_tf32(allowed)
    core = gpu.cupy()._core  # CuPy's own product, of the operation `matmul`
    kinds = core._routines_linalg
    kind = kinds.COMPUTE_TYPE_TF32 if allowed else kinds.COMPUTE_TYPE_DEFAULT
    core.set_compute_type(np.float32, kind)
