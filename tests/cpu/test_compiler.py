"""Compiling kernels: told when it happens, kept on disk, dropped when any kernel file changes."""

import os
import subprocess
import sys

import numba
import pytest

from minigrad.cpu import compiler

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


@needs_compiler
def test_kernels_of_all_files_share_one_stamp(monkeypatch):
    """A kernel takes in helpers from other files: its cache must know when those change."""
    from minigrad.ops.conv import cpu

    stamp = compiler._stamp_of_all_kernels()
    assert cpu._forward._cache._cache_file._source_stamp == stamp
    read = compiler.Path.read_bytes
    changed = compiler.PACKAGE / "cpu" / "gemm.py"
    monkeypatch.setattr(
        compiler.Path, "read_bytes", lambda p: read(p) + (b"#" if p == changed else b"")
    )
    assert compiler._stamp_of_all_kernels.__wrapped__() != stamp
