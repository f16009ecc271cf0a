"""One pool of threads for all kernels, and the rule that keeps results independent of it.

A kernel is a function ``kernel(first, last, *arrays)`` that does the tasks ``first … last - 1``.
No two tasks write to the same place, and what a task computes does not depend on who runs it. So
the tasks may be dealt out in any way, and the bits of the result are the same for any number of
threads. How the work is cut into tasks must therefore never look at the number of threads.
"""

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from minigrad.cpu.memory import empty
from minigrad.cpu.signals import JOB, watch_for_end, watch_for_job

FINEST = 16  # shares of so small a size for each thread: none is waited for much longer

# How often to look for the next job, about a millisecond long, and how many seconds to sleep, at
# most, after looking in vain for the end of a job. Without compilation each look is slow.
LOOKS = 1 if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0" else 2_000_000
PATIENCE = 5e-4


def _processors() -> int:
    there = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return len(there)


_num_threads = _processors()
_own = threading.local()


def get_num_threads() -> int:
    """Return how many threads kernels run on."""
    return _num_threads


def set_num_threads(count: int) -> None:
    """Run kernels on `count` threads. The numbers they give stay the same, bit for bit.

    Raises
    ------
    ValueError
        If `count` is not a positive integer.
    """
    global _num_threads, _team
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"set_num_threads: count must be a positive integer, got {count!r}")
    before, _num_threads, _team = _team, count, _Team(count - 1)
    before.dismiss()


def run(
    kernel: Callable, tasks: int, *arguments: Any, scratch: tuple[int, Any] | None = None
) -> None:
    """Run ``kernel(first, last, *arguments)`` over all `tasks`, spread over the threads.

    Each thread, the calling one among them, takes the next share of the tasks until none is left.
    If another caller keeps the threads busy, the calling one does all.

    Parameters
    ----------
    scratch : (int, dtype), optional
        So many numbers for each thread to work with, handed to the kernel as its last argument: a
        flat array with no values in particular.
    """
    threads = min(get_num_threads(), tasks)
    shares = iter(_shares(tasks, threads))  # drawing from it is atomic under the GIL

    def take_shares() -> None:
        own = () if scratch is None else (_scratch(*scratch),)
        for first, last in shares:
            kernel(first, last, *arguments, *own)

    if threads > 1:
        _team.work(take_shares, threads - 1)
    elif tasks:
        take_shares()


@lru_cache(1024)
def _shares(tasks: int, threads: int) -> list[tuple[int, int]]:
    """Cut the tasks into shares: large ones first, for speed, and small ones last, for balance."""
    if threads < 2:
        return [(0, tasks)]
    shares, first, least = [], 0, max(1, tasks // (FINEST * threads))
    while first < tasks:
        size = max(least, (tasks - first) // (2 * threads))
        shares.append((first, min(first + size, tasks)))
        first += size
    return shares


def _scratch(count: int, dtype: Any) -> np.ndarray:
    """Return the first numbers of this thread's own memory, the same at every call."""
    size = count * np.dtype(dtype).itemsize
    memory = getattr(_own, "memory", None)
    if memory is None or memory.nbytes < size:
        memory = _own.memory = empty(size, np.uint8)
    return memory[:size].view(dtype)


class _Member(threading.Thread):
    """A thread that does a job, watches for the next for a while, and else sleeps until woken.

    Lists stand for rights: whoever takes the only element has it, and nobody else does.
    """

    def __init__(self, looks: int) -> None:
        super().__init__(name="minigrad-kernel", daemon=True)
        self.looks = looks
        self.signals = np.zeros(16, np.int64)  # the numbers of the last job, and of the last done
        self.jobs: list[Callable[[], None] | None] = []  # the right to do it, or to call it off
        self.sleeper: list[bool] = []  # the right to wake the sleeping member
        self.waiter: list[bool] = []  # the right to wake who waits for the end
        self.awake, self.ended = threading.Lock(), threading.Lock()  # held until somebody is woken
        self.awake.acquire()
        self.ended.acquire()
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        last = 0
        while True:
            if not watch_for_job(self.signals, last, self.looks):
                self.sleeper.append(True)
                # A job may have come just now, from someone who took this thread to be awake.
                if self.signals[JOB] == last or not _take(self.sleeper):
                    self.awake.acquire()
            last = int(self.signals[JOB])
            if not self.jobs:
                continue
            try:
                job = self.jobs.pop()
            except IndexError:  # called off
                continue
            if job is None:
                return
            try:
                job()
            except BaseException as error:
                self.error = error
            if _take(self.waiter):
                self.ended.release()

    def give(self, job: Callable[[], None] | None) -> None:
        self.jobs.append(job)
        self.signals[JOB] += 1
        if _take(self.sleeper):
            self.awake.release()

    def end(self) -> BaseException | None:
        """Call the job off if it has not begun, or wait for its end; return its error."""
        if _take(self.jobs):
            return None
        job = int(self.signals[JOB])
        while not watch_for_end(self.signals, job, self.looks):
            self.waiter.append(True)
            if not self.ended.acquire(timeout=PATIENCE) and not _take(self.waiter):
                self.ended.acquire()  # it is being released, or was since
        error, self.error = self.error, None
        return error


def _take(right: list) -> bool:
    """Take the only element, if it is there."""
    try:
        right.pop()
    except IndexError:
        return False
    return True


class _Team:
    """The threads that help whoever calls `run`, one caller at a time."""

    def __init__(self, size: int) -> None:
        self.size, self.members = size, list[_Member]()
        self.busy = threading.Lock()

    def work(self, job: Callable[[], None], helpers: int) -> None:
        """Do a job in this thread and in so many helpers; raise what one of them raised."""
        if not self.busy.acquire(blocking=False):
            job()
            return
        ended = False
        try:
            called = self._members()[:helpers]
            for member in called:
                member.give(job)
            try:
                job()
            finally:
                errors = [member.end() for member in called]
                ended = True
        finally:
            if not ended:  # interrupted while waiting, say: nobody knows what the threads are at
                self._let_go()
            self.busy.release()
        for error in errors:
            if error is not None:
                raise error

    def _members(self) -> list[_Member]:
        while len(self.members) < self.size:
            # More threads than processors had better sleep than watch.
            self.members.append(_Member(LOOKS if self.size < _processors() else 1))
        return self.members

    def _let_go(self) -> None:
        for member in self.members:
            member.give(None)
        self.members = []

    def dismiss(self) -> None:
        """Let the threads end, after the job they are at."""
        with self.busy:
            self._let_go()


_team = _Team(get_num_threads() - 1)


def _forget_threads() -> None:
    """Threads do not survive a fork: let the child start its own."""
    global _team
    _team = _Team(get_num_threads() - 1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
