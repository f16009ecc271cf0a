"""What the GPU is, and the two rates that its layers are held against: product and copy."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import gpu as section
from benchmarks.gpu import is_there, missing, nothing
from benchmarks.gpu.precision import Precision, chosen
from benchmarks.gpu.turns import alternate
from benchmarks.machine import COPY, MATRIX
from benchmarks.options import Options
from benchmarks.peers import EAGER, OURS, torch
from benchmarks.report import Column, Row, Table, giga, milliseconds, spread
from benchmarks.timing import Spread
from minigrad.dtypes import as_dtype
from minigrad.gpu import copied, cublas, cupy, empty

COLUMNS = (
    Column("what", "what"), Column("size", "size"), Column("side", "library"),
    Column("rate", "rate", giga), Column("unit", ""), Column("times", "ms, median", milliseconds),
    Column("times", "least  quartiles  most", spread), Column("roof", ""),
)  # fmt: skip
SIZES = 8192, 1 << 28  # rows of the matrices, and how many numbers are copied


def tables(options: Options) -> Iterator[Table]:
    """Yield the rates of the device: products in each precision, and a copy."""
    if not is_there():
        yield from nothing(options, "gpu-rates")
        return
    table = Table("gpu-rates", "The GPU's own rates", COLUMNS)
    table.notes = [
        described(),
        "Large square matrices, multiplied by cuBLAS for either side; a copy counts each byte "
        "twice, read and written. The fastest of each is the roof of single layers.",
        *missing(),
    ]
    n, numbers = (64, 1 << 16) if options.quick else SIZES
    for precision in chosen(options.precisions):
        with precision.applied():
            spreads = alternate(products(n, precision), options.turns(5))
        title = f"{MATRIX}, {precision.title}"
        table.rows += best(title, f"{n}²", "GFLOP/s", 2 * n**3, spreads)
    spreads = alternate(copies(numbers), options.turns(5))
    table.rows += best(COPY, f"{numbers >> 18} MiB", "GB/s", 2 * 4 * numbers, spreads)
    yield table


def products(n: int, precision: Precision) -> dict[str, Callable[[], Any]]:
    """Make the product of two matrices of n rows by each side."""
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal((n, n), np.float32) for _ in range(2)]
    a, b = (copied(array, 0).astype(as_dtype(precision.dtype)) for array in drawn)
    out = empty((n, n), a.dtype)
    steps: dict[str, Callable[[], Any]] = {OURS: lambda: cublas.matmul(a, b, out)}
    if torch:
        kind = section.PEER, precision.torch_dtype
        x, y = (torch.from_numpy(array).to(*kind) for array in drawn)
        z = torch.empty_like(x)
        steps[EAGER] = lambda: torch.mm(x, y, out=z)
    return steps


def copies(numbers: int) -> dict[str, Callable[[], Any]]:
    """Make the copy of an array far larger than the caches, by each side."""
    source, target = (empty((numbers,), np.float32) for _ in range(2))
    source.fill(1)

    def ours() -> None:
        target[...] = source

    steps: dict[str, Callable[[], Any]] = {OURS: ours}
    if torch:
        x = torch.ones(numbers, device=section.PEER)
        y = torch.empty_like(x)
        steps[EAGER] = lambda: y.copy_(x)
    return steps


def best(what: str, size: str, unit: str, amount: int, spreads: dict[str, Spread]) -> list[Row]:
    """Return a row for each side, `amount` of work over its time, and mark the fastest."""
    rows: list[Row] = [
        {"what": what, "size": size, "side": side, "rate": amount / taken.median, "unit": unit,
         "times": taken}
        for side, taken in spreads.items()
    ]  # fmt: skip
    max(rows, key=lambda row: row["rate"])["roof"] = "the roof"
    return rows


def described() -> str:
    """Name the GPU and the libraries, in one sentence."""
    runtime = cupy().cuda.runtime
    about = runtime.getDeviceProperties(0)
    memory = about["totalGlobalMem"] / 2**30
    parts = [
        f"{about['name'].decode()}: {about['multiProcessorCount']} multiprocessors, {memory:.0f} "
        f"GiB, compute capability {about['major']}.{about['minor']}",
        f"driver for CUDA {_version(runtime.driverGetVersion())}",
        f"CuPy {cupy().__version__} on CUDA {_version(runtime.runtimeGetVersion())}",
    ]
    if torch:
        cudnn = torch.backends.cudnn.version()
        parts.append(f"PyTorch {torch.__version__} on CUDA {torch.version.cuda}, cuDNN {cudnn}")
    return "; ".join(parts) + "."


def _version(number: int) -> str:
    """Write CUDA's 12040 as 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"
