"""Compiling kernels: told when it happens, kept on disk, dropped when any kernel file changes."""

import os
import re
import subprocess
import sys
from functools import partial
from itertools import permutations
from types import SimpleNamespace

import numba
import pytest
from numba.core import event

from minigrad.cpu import compiler
from minigrad.ops.conv import cpu as conv
from minigrad.optim import updates

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="compilation is switched off"
)

PROGRAM = """
import numpy as np, minigrad
told = []
with minigrad.on_compile(told.append):
    x = minigrad.tensor(np.ones((1, 1, 4, 4), np.float32))
    minigrad.functional.conv2d(x, x, padding=1)
print(told)
"""


@needs_compiler
def test_the_first_start_tells_and_the_second_is_silent(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert "conv: forward" in outputs[0]
    assert outputs[1] == "[]"


def test_kernels_are_told_and_their_helpers_are_not():
    """Numba's own events, without the compiler behind them."""

    def helper():
        pass

    def compilation_of(function):
        dispatcher = SimpleNamespace(py_func=getattr(function, "py_func", function))
        return event.trigger_event("numba:compile", data={"dispatcher": dispatcher})

    told = []
    with compiler.on_compile(told.append):
        for function in (conv._forward, helper, updates._sgd):
            with compilation_of(function):
                pass
    with compilation_of(conv._forward):
        pass  # nobody listens any more
    assert told == ["conv: forward", "updates: sgd"]


@needs_compiler
def test_kernels_of_all_files_share_one_stamp():
    stamp = compiler._stamp_of_all_kernels()
    for kernel in (conv._forward, updates._sgd):
        assert kernel._cache._cache_file._source_stamp == stamp


def test_the_stamp_knows_of_every_file(monkeypatch):
    """A kernel takes in helpers from other files: its cache must know when those change."""
    stamp = compiler._stamp_of_all_kernels()
    read = compiler.Path.read_bytes
    changed = compiler.PACKAGE / "cpu" / "gemm.py"
    monkeypatch.setattr(
        compiler.Path, "read_bytes", lambda p: read(p) + (b"#" if p == changed else b"")
    )
    assert compiler._stamp_of_all_kernels.__wrapped__() != stamp


@pytest.mark.parametrize("order", sorted(set(permutations("0011"))))
def test_processes_that_compile_at_the_same_time_do_not_take_each_others_kernels(tmp_path, order):
    """Both have read the index before either writes; what they write comes in any order."""

    def files():
        return compiler.KernelFiles(str(tmp_path), "kernel", b"sources")

    files().save("first", "of first")
    writes = {}
    for who in "01":
        side, seen = files(), files()._load_index()
        writes[who] = []
        side._load_index = partial(dict, seen)
        for name in ("_save_data", "_save_index"):
            write = getattr(side, name)
            later = lambda *what, write=write, who=who: writes[who].append(partial(write, *what))  # noqa: E731
            setattr(side, name, later)
        side.save(who, f"of {who}")
    for who in order:
        writes[who].pop(0)()
    assert files().load("first") == "of first"
    loaded = [files().load(who) for who in "01"]
    assert all(code in (f"of {who}", None) for who, code in zip("01", loaded, strict=True))
    assert any(loaded)


def test_kernels_of_changed_sources_are_neither_found_nor_left(tmp_path):
    before = compiler.KernelFiles(str(tmp_path), "kernel", b"before")
    before.save("types", "old code")
    after = compiler.KernelFiles(str(tmp_path), "kernel", b"after")
    assert after.load("types") is None
    after.save("types", "new code")
    assert after.load("types") == "new code"
    assert len(list(tmp_path.glob("*.nbc"))) == 1


@needs_compiler
def test_every_kernel_is_kept_in_such_files():
    found = [function for function in vars(conv).values() if hasattr(function, "py_func")]
    kept = [f for f in found if f.py_func in compiler._kernels]
    assert kept
    assert all(type(f._cache._cache_file) is compiler.KernelFiles for f in kept)


COUNT = """
import minigrad
from numba.core.bytecode import FunctionIdentity
print(FunctionIdentity.from_function(lambda: 0).unique_id)
"""


@needs_compiler
def test_no_two_processes_call_different_helpers_by_the_same_number():
    """Or else the kernel that one compiled calls the helper of a kernel that the other compiled."""
    numbers = {
        subprocess.run(
            [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(numbers) == 2


FORKED = """
import os
import minigrad
from numba.core.bytecode import FunctionIdentity
child = os.fork()
if child:
    os.waitpid(child, 0)  # or both would write into the same line
print(FunctionIdentity.from_function(lambda: 0).unique_id, flush=True)
"""


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_neither_do_processes_that_were_forked():
    said = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(said) == 2
    assert len(set(said)) == 2


NAMES_ONLY = """
import sys
from itertools import repeat
import numpy as np
from minigrad.ops.conv import winograd
from numba.core.bytecode import FunctionIdentity
FunctionIdentity._unique_ids = repeat(1)

for kernel in sys.argv[1:]:
    formula, size = {"_weights": (winograd.weight_map, 3),
                     "_weight_gradient": (winograd.weight_map_transposed, 6)}[kernel]
    matrix = np.stack(formula(*np.eye(size)))
    x = np.random.default_rng(0).standard_normal((size, size, 16, 16)).astype("f")
    expected = np.einsum("ai,bj,ijco->abco", matrix, matrix, x)
    flat = np.zeros((36, 17, 16), "f")  # 36 points; a row more than there are channels
    if kernel == "_weights":
        winograd._weights(0, 16, x, flat)
        made = flat[:, :16].reshape(expected.shape)
    else:
        flat[:, :16] = x.reshape(36, 16, 16)
        winograd._weight_gradient(0, 16, flat, made := np.zeros(expected.shape, "f"))
    assert np.abs(made - expected).max() < 1e-4, kernel
    hits = sum(getattr(winograd, kernel).stats.cache_hits.values())
    assert hits == (len(sys.argv) > 2), (kernel, hits)
"""


@needs_compiler
def test_kernels_that_different_processes_compiled_go_together(tmp_path):
    """Each compiles one, and the last loads both: by their names alone it tells helpers apart.

    To every function the processes give the number 1, which is the worst that may happen.
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    kernels = ["_weights", "_weight_gradient"]
    for chosen in (*([name] for name in kernels), kernels):
        subprocess.run([sys.executable, "-c", NAMES_ONLY, *chosen], env=environment, check=True)
    kept = [path.read_bytes() for path in sorted(tmp_path.rglob("*.nbc"))]
    helpers = [set(re.findall(rb"_ZN8minigrad3cpu5tiles(\w+?)B2v1B", code)) for code in kept]
    if not all(helpers):
        pytest.skip("nothing is left to confuse: on this processor, helpers melt into the kernels")
    assert helpers[0] != helpers[1]
