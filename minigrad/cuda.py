"""What there is of GPUs: `minigrad.cuda.is_available()`."""

from minigrad import gpu

__all__ = ["device_count", "is_available", "preferred_device", "synchronize"]


def is_available() -> bool:
    """Tell whether ``device="cuda"`` can be used: CuPy, a driver and a GPU are there."""
    return gpu.device_count() > 0


def device_count() -> int:
    """Return how many GPUs can be used."""
    return gpu.device_count()


def preferred_device() -> str:
    """Name the device that programs use unless told otherwise: a GPU if there is one."""
    return "cuda:0" if is_available() else "cpu"


def synchronize() -> None:
    """Wait until the GPU has done all it was asked to. For timing: kernels run on their own.

    Raises
    ------
    DeviceError
        If there is no CuPy.
    """
    gpu.cupy().cuda.get_current_stream().synchronize()
