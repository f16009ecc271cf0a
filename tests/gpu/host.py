"""Running CUDA C on a CPU: the same source, compiled by the host's compiler, thread by thread.

A thin shim gives the names that CUDA builds in: blockIdx and its kin are variables, and a launch is
a loop over blocks and threads, one after the other. That shows what each thread computes, to the
bit; it does not show races, and kernels that share memory or wait for each other need more.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from minigrad.gpu.launch import COMMON
from minigrad.gpu.signature import KERNEL, kernels

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
SHIM = """
#include <math.h>
#include <stdint.h>
#define __global__
#define __device__ inline
#define __restrict__
#define __forceinline__ inline
static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}
struct Three { unsigned x, y, z; };
static Three blockIdx, threadIdx, blockDim, gridDim;
"""


@cache
def compiled(code: str, real: str) -> ctypes.CDLL:
    """Compile a source for the host, where `real` is what ``Real`` is."""
    launchers = []
    for name, parameters in kernels(code).items():
        listed = next(text for found, text in KERNEL.findall(code) if found == name)
        names = ", ".join(p.name for p in parameters)
        launchers.append(
            f'extern "C" void launch_{name}(long long blocks, long long threads, {listed}) {{\n'
            "    gridDim = {(unsigned)blocks, 1, 1}; blockDim = {(unsigned)threads, 1, 1};\n"
            "    for (long long b = 0; b < blocks; b++)\n"
            "        for (long long t = 0; t < threads; t++) {\n"
            "            blockIdx = {(unsigned)b, 0, 0}; threadIdx = {(unsigned)t, 0, 0};\n"
            f"            {name}({names});\n        }}\n}}\n"
        )
    return built(SHIM + code + "\n" + "\n".join(launchers), real)


@cache
def cublas() -> ctypes.CDLL:
    """Compile what the project calls of cuBLAS, for the host."""
    return built(SHIM + COMMON.read_text() + Path(__file__).with_name("cublas.cpp").read_text())


def built(text: str, real: str = "float") -> ctypes.CDLL:
    """Compile C++ for the host, or find it compiled by an earlier run."""
    if COMPILER is None:
        raise RuntimeError("no C++ compiler was found")
    folder = _own_folder()
    stem = hashlib.sha256((text + real).encode()).hexdigest()[:24]
    library = folder / f"{stem}.so"
    if not library.exists():
        source = folder / f"{stem}.cpp"
        source.write_text(text)
        made = folder / f"{stem}.{id(text)}.so"
        sums = "double" if real == "double" else "float"
        subprocess.run(
            [COMPILER, "-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC",
             f"-DReal={real}", f"-DSum={sums}", "-Wall", "-Wno-unknown-pragmas",
             "-Wno-unused-function", str(source), "-o", str(made)],
            check=True,
        )  # fmt: skip
        made.replace(library)
    return ctypes.CDLL(str(library))


def _own_folder() -> Path:
    """Make a folder for compiled kernels that nobody else can put anything into."""
    folder = Path(tempfile.gettempdir()) / f"minigrad-host-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to someone else, or others may write to it")
    return folder
