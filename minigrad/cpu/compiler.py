"""Compiling kernels with Numba, once per machine: the result is kept on disk.

Set ``NUMBA_DISABLE_JIT=1`` and the same functions run as plain Python, so that a debugger can
step through a kernel. Slow, and every number stays the same up to rounding.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import IndexDataCacheFile

PACKAGE = Path(__file__).parent.parent


def _count_from_elsewhere() -> None:
    """Begin to number functions somewhere that no other process begins.

    Numba tells functions of one name and one type apart by counting them up, in every process from
    1. Kernels on disk bring along the helpers they call. When two of them were compiled by
    different processes, different helpers may have one name and one number, and who loads both
    takes the one for the other: wrong numbers, and no error.
    """
    FunctionIdentity._unique_ids = count(int.from_bytes(os.urandom(6), "big"))


_count_from_elsewhere()
if hasattr(os, "register_at_fork"):  # or children would all count on from where their parent is
    os.register_at_fork(after_in_child=_count_from_elsewhere)

_kernels: set[Callable] = set()


def kernel(function: Callable) -> Callable:
    """Compile `function` when it is first called, for the types it is called with.

    The compiled function releases the GIL, so that threads run it side by side, and may fuse
    ``a * b + c`` into one instruction; no other liberty with floating point is taken.
    """
    _kernels.add(function)
    compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})(
        function
    )
    if hasattr(compiled, "_cache"):  # not with compilation switched off
        # Numba drops a cached kernel when the file that holds it changes. Kernels also take in
        # helpers from other files, so ours are dropped when any kernel file does.
        compiled._cache._cache_file.__class__ = KernelFiles
        compiled._cache._cache_file._source_stamp = _stamp_of_all_kernels()
    return compiled


class KernelFiles(IndexDataCacheFile):
    """Where compiled kernels are kept: each in a file that is named after what it is.

    Numba counts files up: the third kernel that a process compiles goes into file 3, which it notes
    in an index. Two processes that compile at the same time both call a file 3, and then the index
    of one leads to the machine code of the other: wrong numbers, and no error. Named after the
    types, the processor and the sources, a file holds the same whoever wrote it. What may still be
    lost is an entry of the index, and with it one compilation.
    """

    def save(self, key: Any, data: Any) -> None:
        """Keep a kernel; first itself and then its name, so that who finds that finds it."""
        overloads = self._load_index()
        if not overloads:  # the sources have changed: nothing leads to what was compiled from them
            for left in Path(self._cache_path).glob(f"{Path(self._index_name).stem}.*.nbc"):
                left.unlink(missing_ok=True)
        what = repr((key, self._source_stamp, self._version)).encode()
        overloads[key] = f"{self._index_name}.{hashlib.sha256(what).hexdigest()[:20]}.nbc"
        self._save_data(overloads[key], data)
        self._save_index(overloads)


@cache
def _stamp_of_all_kernels() -> bytes:
    """Hash of every file that compiled code can come from."""
    stamp = hashlib.sha256()
    helpers = PACKAGE / "random.py", PACKAGE / "optim" / "updates.py"
    others = "naive.py", "vectorized.py", "gpu.py"  # rungs that nothing is compiled from
    rooms = [path for path in PACKAGE.glob("ops/*/[!_]*.py") if path.name not in others]
    for path in sorted([*helpers, *PACKAGE.glob("cpu/*.py"), *rooms]):
        stamp.update(path.read_bytes())
    return stamp.digest()


@contextmanager
def on_compile(tell: Callable[[str], Any]) -> Iterator[None]:
    """Call ``tell(name)`` whenever a kernel has to be compiled, before it is: "conv: forward".

    A kernel found in the cache on disk is not told: a second start is silent.
    """

    class Listener(event.Listener):
        def on_start(self, started: event.Event) -> None:
            function = started.data["dispatcher"].py_func
            if function in _kernels:  # and not one of the helpers it takes in
                *_, folder, file = function.__module__.split(".")
                room = folder if file == "cpu" else file
                tell(f"{room}: {function.__name__.strip('_')}")

        def on_end(self, ended: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
