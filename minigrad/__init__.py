"""A small deep-learning engine to read: autograd, convolution and layers on NumPy and Numba.

The public face: everything here is defined elsewhere and only named again.
"""

from minigrad import checkpoint, cuda, data, functional, graph, nn, optim, random
from minigrad.autograd import AnomalyError, detect_anomaly, is_recording, no_grad
from minigrad.cpu import empty_cache, get_num_threads, on_compile, set_num_threads
from minigrad.cuda import allow_tf32
from minigrad.cuda_graph import cuda_graph
from minigrad.device import DeviceError, kernels
from minigrad.dlpack import from_dlpack
from minigrad.ops.concat import concat
from minigrad.ops.conv import allow_winograd
from minigrad.ops.elementwise import maximum, minimum, where
from minigrad.ops.shape import stack
from minigrad.random import manual_seed
from minigrad.tensor import Tensor, tensor

__all__ = [
    "AnomalyError",
    "DeviceError",
    "Tensor",
    "allow_tf32",
    "allow_winograd",
    "checkpoint",
    "concat",
    "cuda",
    "cuda_graph",
    "data",
    "detect_anomaly",
    "empty_cache",
    "from_dlpack",
    "functional",
    "get_num_threads",
    "graph",
    "is_recording",
    "kernels",
    "manual_seed",
    "maximum",
    "minimum",
    "nn",
    "no_grad",
    "on_compile",
    "optim",
    "random",
    "set_num_threads",
    "stack",
    "tensor",
    "where",
]
