"""Streams, events and memory of the stand-in: what CUDA may do late is done late here.

What is put in a stream stands in a queue; it is done when somebody waits for it, or when `chance`
says so. So a copy that nobody waits for leaves its target as it was, and one whose source is
written to too early copies the wrong numbers. The default stream alone does everything at once,
since kernels of the stand-in do.

Memory is handed on as CuPy's pools do it: as soon as no Python object holds it, to whoever asks
next; that of a GPU only within the stream that was current when it was allocated. Memory that is
new holds ones in every bit: as floats they are NaN.
"""

import contextlib
import ctypes
import random
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.gpu import taping

LOCK = threading.RLock()
POOLED = 1 << 20  # bytes: larger pieces of memory are not kept

chance: random.Random | None = None  # if set, decides after every call what is done next
HASTE = 0.7
haste = HASTE  # how likely anything is then: with 0 all is done as late as can be
streams: list["Stream"] = []
used: set[int] = set()  # the GPUs that anything was asked of
local = threading.local()  # a thread's current stream and GPU


class Event:
    """A mark in a stream; one that was never set is done."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.device, self.stream, self.place = device_id(), null, 0

    def record(self, stream=None):
        with LOCK:
            self.stream = current() if stream is None else stream
            self.place = self.stream.length
            at = device_id() if self.stream is null else self.stream.device_id
            assert self.device == at, f"an event of cuda:{self.device} in a stream of cuda:{at}"
            happen()

    @property
    def done(self):
        return self.stream.finished >= self.place

    def synchronize(self):
        with LOCK:
            self.stream.run_to(self.place)


class Stream:
    """A queue of work, in which marks of other streams may have to be waited for."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        assert null or non_blocking, "a blocking stream and the default one wait for each other"
        self.queue: deque[Callable[[], object] | Event] = deque()
        self.length = self.finished = 0
        self.device_id = -1 if null else device_id()
        streams.append(self)

    def put(self, work):
        with LOCK:
            self.queue.append(work)
            self.length += 1
            if self is null:
                self.run_to(self.length)
            happen()

    def run_to(self, place):
        while self.finished < place:
            self.run_one()

    def run_one(self):
        work = self.queue.popleft()
        work.stream.run_to(work.place) if isinstance(work, Event) else work()
        self.finished += 1

    def ready(self):
        """Tell whether there is something that can be done before anything else is."""
        return self.queue and (not isinstance(self.queue[0], Event) or self.queue[0].done)

    # -- what CuPy's have -------------------------------------------------------------------------

    @property
    def ptr(self):
        return 0 if self is null else id(self)

    def synchronize(self):
        taping.refuse("waiting for it")
        with LOCK:
            self.run_to(self.length)

    def is_capturing(self):
        return taping.capturing()

    def begin_capture(self):
        assert self is not null, "cannot capture on the default (legacy) stream"
        taping.begin_capture()

    def end_capture(self):
        return taping.end_capture()

    def wait_event(self, event):
        mark = Event()  # as it is set now, whatever becomes of it
        mark.stream, mark.place = event.stream, event.place
        self.put(mark)

    def __enter__(self):
        stack().append(self)
        return self

    def __exit__(self, *_):
        stack().pop()


null = Stream(null=True)


def stack():
    if not hasattr(local, "stack"):
        local.stack = [null]
    return local.stack


def current():
    return stack()[-1]


def device_id():
    """Return the GPU that a thread uses unless it says otherwise."""
    index = getattr(local, "device", 0)
    used.add(index)
    return index


@contextlib.contextmanager
def on_device(index):
    before, local.device = getattr(local, "device", 0), index
    try:
        yield
    finally:
        local.device = before


class Device:
    """CuPy's: may be entered by several threads, and again."""

    def __init__(self, index=None):
        self.index = self.id = device_id() if index is None else index
        self.entered = threading.local()

    def __enter__(self):
        self.entered.__dict__.setdefault("stack", []).append(on_device(self.index))
        self.entered.stack[-1].__enter__()

    def __exit__(self, *error):
        self.entered.stack.pop().__exit__(*error)


def happen():
    """Let streams go on by chance, as far as none has to wait."""
    while chance is not None and chance.random() < haste:
        ready = [stream for stream in streams if stream.ready()]
        if not ready:
            return
        chance.choice(ready).run_one()


# -- memory ---------------------------------------------------------------------------------------


class Lease:
    """Holds a piece of memory, and gives it back when no array looks at it any more."""

    def __init__(self, piece: np.ndarray, size: int, free: list[np.ndarray]) -> None:
        self.piece, self.free, self.device = piece, free, device_id()
        self.__array_interface__ = piece[:size].__array_interface__

    def __del__(self) -> None:
        if self.piece.size <= POOLED:
            self.free.append(self.piece)


def lease(array: Any) -> Lease | None:
    """Return the lease of the memory that an array looks at, if it is from here."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, Lease) else None


free: dict[tuple[Any, int], list[np.ndarray]] = defaultdict(list)  # by owner and size


def allocated(owner: Any, shape: Any, dtype: Any) -> np.ndarray:
    count = int(np.prod(shape))
    size = count * np.dtype(dtype).itemsize
    rounded = max(1, -(-size // 512)) * 512
    with LOCK:
        pieces = free[owner, rounded]
        piece = pieces.pop() if pieces else np.full(rounded, 255, np.uint8)
    return np.asarray(Lease(piece, size, pieces)).view(dtype).reshape(shape)


def empty(shape, dtype=float):
    """Allocate memory of the current GPU, in the current stream; as an array of NumPy's."""
    return allocated((current(), device_id()), shape, dtype)


def alloc_pinned_memory(size):
    """Allocate page-locked memory: something with a buffer, as CuPy's pointers are."""
    device_id()  # it is asked of one
    return allocated("pinned", size, np.uint8)


def bare(array: np.ndarray) -> np.ndarray:
    """Look at the same memory without holding it, as work in a queue does."""
    held = lease(array)
    if held is None:
        return array
    offset = array.ctypes.data - held.piece.ctypes.data
    return np.ndarray(array.shape, array.dtype, held.piece, offset, array.strides)


def copy(target: np.ndarray, source: np.ndarray, stream: Stream) -> None:
    """Put a copy to a GPU in a stream."""
    assert lease(source) is not None, "the source of the copy is not page-locked"
    to, at = bare(target), bare(source)
    stream.put(lambda: ctypes.memmove(to.ctypes.data, at.ctypes.data, at.nbytes))


def launch(stream: Stream, kernel: Callable[..., object], *arrays: Any) -> None:
    """Put a kernel in a stream: a function that is called with NumPy's arrays."""
    looked_at = [bare(getattr(array, "_host", array)) for array in arrays]
    stream.put(lambda: kernel(*looked_at))


def reset() -> None:
    """Forget what is queued, and all memory; leave nothing to chance."""
    global chance, haste
    chance, haste = None, HASTE
    free.clear()
    used.clear()
    streams[:] = [null]
