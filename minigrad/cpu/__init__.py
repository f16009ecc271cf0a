"""What every compiled kernel stands on: the compiler, the threads, the matrix product.

A kernel of the CPU rung is a plain loop over a *range of tasks*, compiled by Numba; `run` shares
the range out among threads. Nothing here knows a Tensor, an operation or a layer.
"""

from minigrad.cpu.compiler import kernel, on_compile
from minigrad.cpu.gemm import gemm
from minigrad.cpu.memory import empty_cache
from minigrad.cpu.threads import get_num_threads, run, set_num_threads

__all__ = [
    "empty_cache",
    "gemm",
    "get_num_threads",
    "kernel",
    "on_compile",
    "run",
    "set_num_threads",
]
