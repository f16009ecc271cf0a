"""Memory for what kernels compute, used again as soon as nobody looks at it any more.

A training step makes the same arrays as the step before. Memory that is new to a process is cleared
by the operating system, page by page, when it is first touched, and that takes longer than many a
kernel. So large arrays are cut from blocks that come back when the last array that looks at them
is gone, and the next step allocates next to nothing. The price: blocks that lie idle. All blocks
together are never more than twice what was once in use.

Arrays begin at a multiple of 64 bytes, the width of a line of the cache and of the widest register.
"""

import math
import os
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

SMALLEST = 1 << 16  # bytes: below, NumPy's own memory is as good
ALIGNMENT = 64
SMALL = 1 << 20  # bytes: a block of so many serves for all that fits
SLACK = 1.5  # how much larger than asked for a block may be
KEPT = 2.0  # how much larger than what was once in use all that is kept may be


def empty(shape: int | Sequence[int], dtype: Any) -> np.ndarray:
    """Return an array with no values in particular, as `numpy.empty` does."""
    shape, dtype = (shape,) if isinstance(shape, int) else tuple(map(int, shape)), np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(shape, dtype.str, _pool, _pool.take(size)))


def zeros(shape: int | Sequence[int], dtype: Any) -> np.ndarray:
    """Return an array of zeros, as `numpy.zeros` does."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def empty_cache() -> None:
    """Give the memory that is kept for later, and not in use, back to the system."""
    _pool.empty()


class _Block(NamedTuple):
    size: int  # bytes
    address: int
    memory: np.ndarray


class _Lease:
    """What an array says its memory belongs to. When it goes, the block returns to the pool."""

    def __init__(self, shape: tuple[int, ...], typestr: str, pool: "_Pool", block: _Block) -> None:
        self.give_back = partial(pool.returned.append, block)
        address = block.address
        data = (address + -address % ALIGNMENT, False)
        self.__array_interface__ = {"shape": shape, "typestr": typestr, "data": data, "version": 3}

    def __del__(self) -> None:
        # An array may go in the middle of anything, even of `take` in this very thread. So its
        # block is only laid down here, which takes no lock and is done in one.
        self.give_back()


class _Pool:
    """The blocks that nobody uses, and how much was ever in use at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.returned: deque[_Block] = deque()  # laid down, not yet put in their place
        self.free: list[_Block] = []  # sorted: no two have one address, so arrays never compare
        self.used = self.idle = self.most = 0  # bytes

    def take(self, size: int) -> _Block:
        """Return a block with room for `size` bytes after its first aligned one."""
        size += ALIGNMENT
        with self.lock:
            self._settle()
            place = bisect_left(self.free, (size,))
            if place < len(self.free) and self.free[place].size <= max(size * SLACK, SMALL):
                block = self.free.pop(place)
                self.idle -= block.size
            else:
                self._shrink(int(max(self.most, self.used + size) * KEPT) - self.used - size)
                block = self._new(size)
            self.used += block.size
            self.most = max(self.most, self.used)
        return block

    def _new(self, size: int) -> _Block:
        try:
            memory = np.empty(size, np.uint8)
        except MemoryError:
            self._shrink(0)
            memory = np.empty(size, np.uint8)
        return _Block(size, memory.ctypes.data, memory)

    def empty(self) -> None:
        """Let go of all idle blocks."""
        with self.lock:
            self._settle()
            self._shrink(0)

    def _settle(self) -> None:
        """Put what came back in its place."""
        while self.returned:
            block = self.returned.popleft()
            insort(self.free, block)
            self.used -= block.size
            self.idle += block.size

    def _shrink(self, limit: int) -> None:
        """Let go of idle blocks, the largest first, until at most `limit` bytes lie idle."""
        while self.free and self.idle > limit:
            self.idle -= self.free.pop().size


_pool = _Pool()


def _forget_lock() -> None:
    """In a forked child, another thread may seem to hold the lock for ever."""
    _pool.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
