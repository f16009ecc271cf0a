"""Compiling kernels with Numba, once per machine: the result is kept on disk.

Set ``NUMBA_DISABLE_JIT=1`` and the same functions run as plain Python, so that a debugger can
step through a kernel. Slow, and every number stays the same up to rounding.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import event

PACKAGE = Path(__file__).parent.parent

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
        compiled._cache._cache_file._source_stamp = _stamp_of_all_kernels()
    return compiled


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
