"""What the kernels on a GPU stand on: CuPy, and launching CUDA C.

CuPy lends arrays on the device, memory, and cuBLAS's matrix product; what NumPy's functions do on
such arrays it does as well. All that is the subject of this project is our own CUDA C, one file
`kernels.cu` in the folder of each operation. Nothing here is imported before a GPU is asked for.
"""

from minigrad.gpu.launch import Source, contiguous, copied, empty
from minigrad.gpu.library import DeviceError, check_device, cupy, device_count, is_gpu_array

__all__ = [
    "DeviceError",
    "Source",
    "check_device",
    "contiguous",
    "copied",
    "cupy",
    "device_count",
    "empty",
    "is_gpu_array",
]
