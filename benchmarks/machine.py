"""The machine in words, and the two rates that everything else is held against."""

import contextlib
import ctypes
import os
import platform
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.options import Options
from benchmarks.peers import torch
from benchmarks.report import Column, Table, giga, milliseconds, spread
from benchmarks.timing import Spread, alternate

VECTORS = (
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "amx_tile", "asimd", "sve", "sve2",
)  # fmt: skip
ENVIRONMENT = (
    "OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
    "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT", "NUMBA_ENABLE_AVX",
)  # fmt: skip
MATRIX, COPY = "matrix product", "copy"
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "autograd")


def describe(threads: int) -> dict[str, Any]:
    """Return what a reader needs to know of this machine: no names, no paths."""
    cpu = _cpu()
    return {
        "processor": cpu["name"],
        "vector extensions": cpu["vectors"],
        "cores": f"{cores()} usable of {os.cpu_count()}, {threads} used",
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "BLAS of NumPy": _numpy_blas(),
        "BLAS of PyTorch": _torch_blas(),
        "environment": ", ".join(f"{k}={os.environ[k]}" for k in ENVIRONMENT if k in os.environ)
        or "nothing set",
        "load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg())
        + " (over 1, 5 and 15 minutes)",
    }


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def slug() -> str:
    """Name this machine in a file name: 2-cores-amd-epyc."""
    words = re.findall(r"[a-z0-9]+", _cpu()["name"].split(",")[0].lower())
    return "-".join([f"{cores()}-cores", *words[:4]])


def sizes(options: Options) -> tuple[tuple[int, ...], int]:
    """Return the rows of the matrices, and how many numbers are copied."""
    return ((256,), 1 << 22) if options.quick else ((512, 1024, 2048), 1 << 26)


def matrix_rates(n: int, options: Options) -> dict[str, tuple[Spread, float]]:
    """Time the product of two square matrices of n rows. Returns, by library, times and FLOP/s."""
    from minigrad.cpu.matmul import matmul

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    out = np.empty_like(a)
    steps = {"NumPy": lambda: np.dot(a, b, out=out), "minigrad": lambda: matmul(a, b)}
    if torch:
        x, y, z = (torch.from_numpy(array.copy()) for array in (a, b, out))
        # Of the two libraries in PyTorch, torch.mm calls the one, a 1×1 convolution the other.
        pixels = x.T.contiguous().view(1, n, n, 1).to(memory_format=torch.channels_last)
        weights = y.T.contiguous().view(n, n, 1, 1).to(memory_format=torch.channels_last)
        steps["PyTorch, mm"] = lambda: torch.mm(x, y, out=z)
        steps["PyTorch, 1×1 convolution"] = lambda: torch.conv2d(pixels, weights)
    # Threads of OpenBLAS, unlike those of OpenMP, look for work for a tenth of a second and more.
    times = alternate(steps, options.turns(5), warm=0.2)
    return {name: (taken, 2 * n**3 / taken.median) for name, taken in times.items()}


def copy_rates(options: Options) -> dict[str, tuple[Spread, float]]:
    """Time the copy of an array far larger than the caches, read once and written once, bytes/s."""
    n = sizes(options)[1]
    source, target = np.ones(n, np.float32), np.zeros(n, np.float32)
    pool, ends = ThreadPoolExecutor(options.threads), np.linspace(0, n, options.threads + 1)
    parts = [slice(int(i), int(j)) for i, j in pairwise(ends)]

    def numpy_copy() -> None:
        list(pool.map(lambda part: np.copyto(target[part], source[part]), parts))

    steps = {"NumPy": numpy_copy}
    if torch:
        x, y = torch.from_numpy(source.copy()), torch.from_numpy(target.copy())
        steps["PyTorch"] = lambda: y.copy_(x)
    times = alternate(steps, options.turns(7))
    pool.shutdown()
    return {name: (taken, 2 * source.nbytes / taken.median) for name, taken in times.items()}


def roof(options: Options, what: str, section: str = "machine") -> tuple[str, float]:
    """Return the faster library of this run at the matrix product or the copy, and its rate."""
    rows = [row for row in options.done[section] if row["what"] == what]
    fastest = max(rows, key=lambda row: row["rate"])
    return f"{fastest['side']} ({fastest['size']})", fastest["rate"]


class Others:
    """How much of the cores other programs take while something is measured."""

    def __init__(self) -> None:
        self.started, self.busy = time.perf_counter(), _busy()

    def share(self) -> float | None:
        """Return their share of all cores since the beginning.

        None where the system does not tell, or not long enough has passed: it counts hundredths.
        """
        now, passed = _busy(), time.perf_counter() - self.started
        if now is None or self.busy is None or passed < 1:
            return None
        return max(0.0, (now - self.busy) / (passed * (os.cpu_count() or 1)))


def _busy() -> float | None:
    """Return the seconds that all cores worked, for anyone but this process and its children."""
    found = re.search(r"^cpu +(.*)$", _read("/proc/stat"), re.MULTILINE)
    if not found:
        return None
    user, nice, system, _, _, irq, soft, stolen = map(int, found[1].split()[:8])
    all_of_them = (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")
    own = os.times()
    return all_of_them - own.user - own.system - own.children_user - own.children_system


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _cpu() -> dict[str, str]:
    lines = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE))
    name = lines.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in lines:
        name += f", family {lines['cpu family']} model {lines.get('model', '?')}"
    flags = (lines.get("flags") or lines.get("Features") or "").split()
    return {"name": name, "vectors": " ".join(v for v in VECTORS if v in flags) or "unknown"}


def _caches() -> str:
    sizes = []
    for index in range(4):
        folder = f"/sys/devices/system/cpu/cpu0/cache/index{index}"
        if _read(f"{folder}/type").strip() in ("Data", "Unified"):
            sizes.append(f"L{_read(f'{folder}/level').strip()} {_read(f'{folder}/size').strip()}")
    return ", ".join(sizes) or "unknown"


def _memory() -> str:
    found = re.search(r"MemTotal:\s+(\d+) kB", _read("/proc/meminfo"))
    return f"{int(found[1]) / 2**20:.0f} GiB" if found else "unknown"


def _numpy_blas() -> str:
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (TypeError, KeyError):
        return "unknown"
    core = _openblas_core()
    return f"{blas['name']} {blas['version']}" + (f", kernels for {core}" if core else "")


def _openblas_core() -> str | None:
    """Ask the OpenBLAS that is loaded for which core it chose its kernels."""
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    paths = set(re.findall(r"\S*/\S*openblas\S*\.so\S*", _read("/proc/self/maps")))
    for path in paths:
        for symbol in ("scipy_openblas_get_corename64_", "openblas_get_corename64_",
                       "scipy_openblas_get_corename", "openblas_get_corename"):  # fmt: skip
            with contextlib.suppress(OSError, AttributeError):
                ask = getattr(ctypes.CDLL(path), symbol)
                ask.restype = ctypes.c_char_p
                return ask().decode()
    return None


def _torch_blas() -> str:
    if not torch:
        return "PyTorch is not installed"
    found = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{found[1] if found else 'unknown'}, kernels for {capability}"


def tables(options: Options) -> Iterator[Table]:
    """Yield the rates of matrix product and copy that the other tables are held against."""
    rows, numbers = sizes(options)
    measured = [
        (MATRIX, f"{n}²", "GFLOP/s", matrix_rates(n, options)) for n in rows
    ]  # fmt: skip
    measured.append((COPY, f"{numbers >> 18} MiB", "GB/s", copy_rates(options)))
    found = [
        {"what": what, "size": size, "side": name, "rate": rate, "unit": unit, "times": times}
        for what, size, unit, rates in measured
        for name, (times, rate) in rates.items()
    ]
    for what in (MATRIX, COPY):
        fastest = max((row for row in found if row["what"] == what), key=lambda row: row["rate"])
        fastest["roof"] = "the roof"
    columns = (
        Column("what", "what"), Column("size", "size"), Column("side", "library"),
        Column("rate", "rate", giga), Column("unit", ""),
        Column("times", "ms, median", milliseconds),
        Column("times", "least  quartiles  most", spread), Column("roof", ""),
    )  # fmt: skip
    table = Table("machine", "The machine's own rates", columns, found)
    table.notes = [
        "Square float32 matrices; a copy counts each byte twice, read and written. The fastest of "
        "each, by its median, is the roof that single layers are held against."
    ]
    yield table
