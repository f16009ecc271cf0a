"""From the command to the first trained batch, and what importing costs: whole processes.

Cold starts of ``googlenet train`` get an empty folder for compiled kernels, warm ones the folder
that the cold one before them filled; the system's file cache stays as it is in both.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.options import Options
from benchmarks.peers import MISSING, torch
from benchmarks.report import Column, Table, decimals
from benchmarks.timing import Spread

COLUMNS = (
    Column("what", "what"),
    Column("times", "s, median", lambda spread: f"{spread.median:.2f}"),
    Column("times", "least  most", lambda spread: f"{spread.least:.2f}  {spread.most:.2f}"),
    Column("runs", "runs", decimals(0)),
)
IMPORTS = {"Python alone": "", "import numpy": "import numpy", "import minigrad": "import minigrad",
           "import googlenet": "import googlenet", "import torch": "import torch"}  # fmt: skip


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: cold and warm starts, imports."""
    table = Table("startup", "From the command to the first trained batch, and imports", COLUMNS)
    table.notes = ["Whole processes, seen from outside."]
    if not torch:
        table.notes.append(MISSING)
    measured = starts(1 if options.quick else options.turns(3))
    measured |= imports(options.turns(5))
    table.rows = [
        {"what": what, "times": Spread.of(seconds), "runs": len(seconds)}
        for what, seconds in measured.items()
    ]
    yield table


def starts(runs: int) -> dict[str, list[float]]:
    """Time starts of the default job."""
    cold, warm = "googlenet train, cold: nothing compiled yet", "googlenet train, warm"
    times: dict[str, list[float]] = {cold: [], warm: []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(runs):
            for kind in (cold, warm):
                run = Path(folder) / f"run{i}{len(times[kind])}{kind == warm}"
                times[kind].append(first_batch(Path(folder) / f"cache{i}", run))
    return times


def first_batch(cache: Path, run: Path) -> float:
    """Start a training, wait for its first batch, end it. Returns the seconds until then."""
    command = [sys.executable, "-u", "-m", "googlenet", "train", "--run", str(run)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        said = []
        try:
            for line in process.stdout or ():
                if line.startswith("first batch"):
                    return time.perf_counter() - started
                said.append(line)
        finally:
            process.kill()  # it would train on, also after an interrupt
    raise RuntimeError(f"googlenet train ended before its first batch: {''.join(said[-3:])}")


def imports(runs: int) -> dict[str, list[float]]:
    """Time processes that import something and end; one run of each is not counted."""
    wanted = {what: code for what, code in IMPORTS.items() if torch or "torch" not in code}
    times: dict[str, list[float]] = {what: [] for what in wanted}
    for i in range(runs + 1):
        for what, code in wanted.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if i:
                times[what].append(time.perf_counter() - started)
    return times
