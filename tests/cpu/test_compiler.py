"""Compiling kernels: told when it happens, kept on disk, dropped when any kernel file changes."""

import os
import subprocess
import sys
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
