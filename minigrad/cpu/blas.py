"""The BLAS that compiled kernels call: SciPy's, one thread a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def libraries() -> list[Any]:
    """Load the BLAS that Numba calls, and list all that are loaded."""
    import scipy.linalg.cython_blas  # noqa: F401  only when a kernel is about to run

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
