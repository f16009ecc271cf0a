"""A small deep-learning engine to read: autograd, convolution and layers on NumPy and Numba.

The public face: everything here is defined elsewhere and only named again.
"""

from minigrad.autograd import AnomalyError, detect_anomaly, no_grad
from minigrad.device import kernels
from minigrad.random import manual_seed
from minigrad.tensor import Tensor, tensor

__all__ = [
    "AnomalyError",
    "Tensor",
    "detect_anomaly",
    "kernels",
    "manual_seed",
    "no_grad",
    "tensor",
]
