"""One pool of threads for all kernels, and the rule that keeps results independent of it.

A kernel is a function ``kernel(first, last, *arrays)`` that does the tasks ``first … last - 1``.
No two tasks write to the same place, and what a task computes does not depend on who runs it. So
the tasks may be dealt out in any way, and the bits of the result are the same for any number of
threads. How the work is cut into tasks must therefore never look at the number of threads.
"""

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from minigrad.cpu.memory import empty

SHARES_PER_THREAD = 4  # so that a thread that was held up is not waited for

_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
_pool: ThreadPoolExecutor | None = None
_own = threading.local()


def get_num_threads() -> int:
    """Return how many threads kernels run on."""
    return _num_threads or 1


def set_num_threads(count: int) -> None:
    """Run kernels on `count` threads. The numbers they give stay the same, bit for bit.

    Raises
    ------
    ValueError
        If `count` is not a positive integer.
    """
    global _num_threads, _pool
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"set_num_threads: count must be a positive integer, got {count!r}")
    if _pool is not None:
        _pool.shutdown()
    _num_threads, _pool = count, None


def run(
    kernel: Callable, tasks: int, *arguments: Any, scratch: tuple[int, Any] | None = None
) -> None:
    """Run ``kernel(first, last, *arguments)`` over all `tasks`, spread over the threads.

    Each thread, the calling one among them, takes the next share of the tasks until none is left.

    Parameters
    ----------
    scratch : (int, dtype), optional
        So many numbers for each thread to work with, handed to the kernel as its last argument: a
        flat array with no values in particular.
    """
    helpers = min(get_num_threads(), tasks) - 1
    size = -(-tasks // (SHARES_PER_THREAD * (helpers + 1))) if helpers > 0 else tasks
    firsts = itertools.count(0, size)  # drawing from it is atomic under the GIL

    def take_shares() -> None:
        own = () if scratch is None else (_scratch(*scratch),)
        while (first := next(firsts)) < tasks:
            kernel(first, min(first + size, tasks), *arguments, *own)

    if helpers < 1:
        if tasks:
            take_shares()
        return
    waiting = [_threads().submit(take_shares) for _ in range(helpers)]
    try:
        take_shares()
    finally:
        for helper in waiting:
            helper.result()


def _scratch(count: int, dtype: Any) -> np.ndarray:
    """Return the first numbers of this thread's own memory, the same at every call."""
    size = count * np.dtype(dtype).itemsize
    memory = getattr(_own, "memory", None)
    if memory is None or memory.nbytes < size:
        memory = _own.memory = empty(size, np.uint8)
    return memory[:size].view(dtype)


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, get_num_threads() - 1), "minigrad-kernel")
    return _pool


def _forget_threads() -> None:
    """Threads do not survive a fork: let the child start its own."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
