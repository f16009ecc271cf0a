"""What the kernels on a GPU stand on: CuPy, and launching CUDA C.

CuPy lends arrays on the device and memory, and what NumPy's functions do on such arrays it does as
well; cuBLAS multiplies matrices. All else that is the subject of this project is our own CUDA C,
one file `kernels.cu` in the folder of each operation. Neither library is loaded before a GPU is
asked for.
"""

from minigrad.gpu.cublas import matmul
from minigrad.gpu.launch import Source, contiguous, copied, empty
from minigrad.gpu.library import (
    DeviceError,
    check_current,
    check_device,
    cupy,
    device_count,
    is_gpu_array,
    is_recording,
)
from minigrad.gpu.signature import sum_dtype

__all__ = [
    "DeviceError",
    "Source",
    "check_current",
    "check_device",
    "contiguous",
    "copied",
    "cupy",
    "device_count",
    "empty",
    "is_gpu_array",
    "is_recording",
    "matmul",
    "sum_dtype",
]
