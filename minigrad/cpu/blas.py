"""The BLAS that compiled kernels call: SciPy's, with the right instructions, one thread a call."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from llvmlite import binding
from threadpoolctl import ThreadpoolController

AVX512 = ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")


@cache
def libraries() -> list[Any]:
    """Load the BLAS that Numba calls, and list all that are loaded.

    OpenBLAS takes AMD processors it does not know for small ones and uses half the width of their
    vectors. It can be told otherwise, but only while it loads.
    """
    choice = "OPENBLAS_CORETYPE"
    features = binding.get_host_cpu_features()
    misread = binding.get_host_cpu_name().startswith("znver") and all(map(features.get, AVX512))
    helped = misread and choice not in os.environ
    if helped:
        os.environ[choice] = "SkylakeX"
    try:
        import scipy.linalg.cython_blas  # noqa: F401
    finally:
        if helped:
            del os.environ[choice]
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread: kernels call it from several threads at once.

    A BLAS that starts threads of its own inside each of ours has them wait for one another, and
    small products become tens of times slower.
    """
    before = [(library, library.num_threads) for library in libraries()]
    for library, _ in before:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in before:
            library.set_num_threads(count)
