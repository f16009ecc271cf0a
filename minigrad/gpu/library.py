"""CuPy, imported when a GPU is first asked for, and what to say where there is none."""

from types import ModuleType
from typing import Any

INSTALL = "pip install cupy-cuda12x (for CUDA 12) or cupy-cuda13x (for CUDA 13)"


class DeviceError(RuntimeError):
    """A device that is asked for cannot be had: not there, not usable, or out of memory."""


def cupy() -> ModuleType:
    """Import CuPy.

    Raises
    ------
    DeviceError
        If it is not installed, with what to install.
    """
    try:
        import cupy as library
    except ImportError as error:
        raise DeviceError(
            f"cuda: CuPy cannot be imported ({error}). Install it: {INSTALL}"
        ) from None
    return library


def device_count() -> int:
    """Return how many GPUs CuPy can use, 0 without CuPy or a driver."""
    try:
        return int(cupy().cuda.runtime.getDeviceCount())
    except Exception:  # no CuPy, no driver, or a driver that is too old
        return 0


def check_device(index: int) -> None:
    """Insist that a GPU of this number is there.

    Raises
    ------
    DeviceError
        Saying what is missing: CuPy, a driver, or the GPU.
    """
    try:
        count = int(cupy().cuda.runtime.getDeviceCount())
    except DeviceError:
        raise
    except Exception as error:
        raise DeviceError(
            f"cuda: CuPy is installed, but finds no usable driver ({error}). Is there an NVIDIA "
            "GPU, and does nvidia-smi show it?"
        ) from None
    if not 0 <= index < count:
        there = f"cuda:0 … cuda:{count - 1}" if count > 1 else "cuda:0" if count else "none"
        raise DeviceError(f"cuda: there is no cuda:{index}; the GPUs here are: {there}")


def check_current(array: Any) -> None:
    """Insist that an array lies on the GPU that kernels go to.

    Raises
    ------
    DeviceError
        Naming both.
    """
    current = int(cupy().cuda.runtime.getDevice())
    if array.device.id != current:
        raise DeviceError(
            f"cuda: an array of shape {array.shape} lies on cuda:{array.device.id}, but kernels go "
            f'to cuda:{current}. Compute inside `with minigrad.cuda.device("cuda:'
            f'{array.device.id}")`, or move it'
        )


def out_of_memory(error: Exception, what: str) -> DeviceError:
    """Say what was asked for, what is free, and what to lower."""
    free, total = cupy().cuda.runtime.memGetInfo()
    return DeviceError(
        f"cuda: out of memory: {what} ({error}). Of {total / 2**20:.0f} MiB, "
        f"{free / 2**20:.0f} MiB are free. Lower the batch size or the size of the images"
    )


def is_recording() -> bool:
    """Tell whether kernels are being recorded, and not run: then nothing can be read back."""
    return cupy().cuda.get_current_stream().is_capturing()


def is_gpu_array(array: Any) -> bool:
    """Tell whether an array lies on a GPU."""
    return hasattr(array, "__cuda_array_interface__")
