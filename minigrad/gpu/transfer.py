"""Copying batches to a GPU while it computes: page-locked memory, a stream of its own, and events.

A *stream* is a queue of the GPU: what stands in it is done in order, while the host goes on. Copies
from page-locked ("pinned") memory can stand in a queue beside that of the kernels, and both are
worked on at once. An *event* is a mark in a queue that another queue, or the host, can wait for::

    host      fill 3     fill 4     fill 5        (a thread in the background)
    copies       copy 2     copy 3     copy 4
    kernels   step 1     step 2     step 3

Three things must not happen, and an event stands before each:

- *Kernels read a batch that is not there yet.* `receive` lets their stream wait for the mark behind
  the copy. The host does not wait.
- *Pinned memory is filled again while its last copy still reads it.* `send` waits for the mark
  behind that copy; here, and only here and in `close`, it is the host that waits.
- *A copy overwrites numbers that kernels are still reading.* CuPy's pool hands memory on as soon as
  no Python object holds it, and kernels that are to read it may not even have begun. That is safe
  where its next user stands behind them in the same stream, and so the pool keeps memory apart by
  the stream that was current when it was allocated. A copy in another stream overtakes. So
  `reserve` allocates in the stream of the kernels, where the memory can be theirs again when the
  batch is let go, and sets a mark there right behind; the copy waits for it. What was queued before
  the mark, all earlier users of this memory included, is then done.

The last mark is set early, a batch or more ahead of the copy. Set when the copy is asked for, it
would stand behind every step that the host has queued until then, and nothing would overlap.

CuPy's current device and stream belong to a thread. `reserve` and `receive` are for the thread that
computes: its current stream is the kernels'. `send` may run in any other; it names the stream it
means, and allocates nothing on the GPU.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minigrad.gpu.launch import empty
from minigrad.gpu.library import cupy

ALIGNMENT = 256  # bytes: where an array of a batch may begin
BUFFERS = 2  # of pinned memory: one is filled while the other is copied

Layout = Sequence[tuple[tuple[int, ...], DTypeLike]]  # shape and dtype of each array of a batch


@dataclass
class Place:
    """Memory on the GPU for a batch to come; from the mark `free` on it may be written to."""

    stream: Any
    memory: Any = None  # bytes; None as long as nobody knows how many
    free: Any = None


@dataclass
class Sent:
    """A batch on its way: in pinned memory, or from the mark `arrived` on in that of the GPU."""

    layout: Layout
    size: int
    pinned: Any
    place: Place
    held_up: bool  # whether pinned memory had to be waited for: the GPU has work in plenty
    arrived: Any = None


class Uploader:
    """Brings batches to a GPU: `reserve`, `send`, `receive` for each, and `close` after the last.

    Batches are received in the stream that was current when their place was reserved.

    Parameters
    ----------
    index : int
        The number of the GPU.
    """

    def __init__(self, index: int) -> None:
        self._device = cupy().cuda.Device(index)
        with self._device:
            # One that does not block: CUDA's default stream, which CuPy computes in, would
            # otherwise wait for the copies and they for it.
            self._copies = cupy().cuda.Stream(non_blocking=True)
        self._size = 0  # of the largest batch so far
        self._leaving: deque[tuple[Any, Any]] = deque()  # pinned memory, and the mark behind it
        self._closed = False

    def reserve(self) -> Place:
        """Set memory aside for a batch like the largest so far. As early as it can be afforded.

        Raises
        ------
        DeviceError
            If there is not enough memory.
        """
        with self._device:
            return self._place(self._size)

    def send(
        self, layout: Layout, fill: Callable[[Sequence[np.ndarray]], object], place: Place
    ) -> Sent:
        """Fill pinned memory with a batch, and queue its copy.

        Parameters
        ----------
        layout
            Shape and dtype of each array of the batch.
        fill
            Called with those arrays, contiguous and holding no numbers in particular; writes them.
        place
            From `reserve`. If it is too small, `receive` will have to find another.
        """
        size = _starts(layout)[-1]
        self._size = max(self._size, size)
        pinned, held_up = self._pinned(size)
        sent = Sent(layout, size, pinned, place, held_up)
        fill(_arrays(sent.pinned, layout))
        if place.memory is not None and place.memory.size >= size:
            self._copy(sent)
        return sent

    def receive(self, sent: Sent) -> tuple[Any, ...]:
        """Return the arrays of a batch; kernels launched from now on find its numbers there.

        Raises
        ------
        RuntimeError
            If another stream is current than when the place was reserved.
        DeviceError
            If there was no place yet, and there is not enough memory for one.
        """
        with self._device:
            stream = cupy().cuda.get_current_stream()
            if stream != sent.place.stream:
                raise RuntimeError(
                    f"Uploader: a batch must be received in the stream it was reserved in, "
                    f"{sent.place.stream}, but {stream} is current; keep to one stream within an "
                    f"iteration"
                )
            if sent.arrived is None:
                sent.place = self._place(sent.size)
                self._copy(sent)
            stream.wait_event(sent.arrived)
        return _arrays(sent.place.memory, sent.layout)

    def close(self) -> None:
        """Wait for the copies still queued. Only then may the memory at both ends be let go.

        Both would go back to a pool of CuPy's, which hands it on at once: pinned memory to be
        filled by somebody else, memory on the GPU to kernels that do not wait for these copies.
        """
        self._closed = True
        while self._leaving:
            self._leaving.popleft()[1].synchronize()

    def _place(self, size: int) -> Place:
        stream = cupy().cuda.get_current_stream()
        if size == 0:
            return Place(stream)
        return Place(stream, empty((size,), np.uint8), _mark(stream))

    def _copy(self, sent: Sent) -> None:
        with self._device:
            self._copies.wait_event(sent.place.free)
            sent.place.memory[: sent.size].set(sent.pinned[: sent.size], stream=self._copies)
            sent.arrived = _mark(self._copies)
        self._leaving.append((sent.pinned, sent.arrived))
        sent.pinned = None
        if self._closed:  # while this was being prepared: nobody else will wait for it
            sent.arrived.synchronize()

    def _pinned(self, size: int) -> tuple[np.ndarray, bool]:
        """Return pinned memory of at least so many bytes, and whether it had to be waited for."""
        held_up = False
        if len(self._leaving) >= BUFFERS:
            memory, left = self._leaving.popleft()
            held_up = not left.done
            left.synchronize()
            if memory.size >= size:
                return memory, held_up
        with self._device:
            memory = np.frombuffer(cupy().cuda.alloc_pinned_memory(size), np.uint8, size)
        return memory, held_up


def _mark(stream: Any) -> Any:
    """Set a mark behind all that stands in a stream so far."""
    # The host sleeps while it waits for one; that of CUDA's default would keep a core busy.
    event = cupy().cuda.Event(block=True, disable_timing=True)
    event.record(stream)
    return event


def _starts(layout: Layout) -> list[int]:
    """Lay arrays one behind the other: where each starts, in bytes, and where the last ends."""
    starts = [0]
    for shape, dtype in layout:
        starts.append(starts[-1] + -(-_bytes(shape, dtype) // ALIGNMENT) * ALIGNMENT)
    return starts


def _arrays(memory: Any, layout: Layout) -> tuple[Any, ...]:
    """Look at bytes, on either side, as the arrays of a batch."""
    return tuple(
        memory[start : start + _bytes(shape, dtype)].view(dtype).reshape(shape)
        for start, (shape, dtype) in zip(_starts(layout), layout, strict=False)
    )


def _bytes(shape: tuple[int, ...], dtype: DTypeLike) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize
