"""How long from the command to the first trained batch, cold (nothing compiled yet) and warm.

    python -m benchmarks.startup [runs]

Times whole processes from outside: from the start of ``googlenet train`` to its line "first batch".
Cold starts get an empty folder for compiled kernels; the system's file cache stays as it is.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time


def first_batch(cache: str, runs: str) -> tuple[float, str]:
    """Start a training, wait for its first batch, end it. Returns seconds and the line."""
    command = [sys.executable, "-u", "-m", "googlenet", "train", "--run", os.path.join(runs, "run")]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NUMBA_CACHE_DIR": cache}
    )
    for line in process.stdout:
        if line.startswith("first batch"):
            seconds = time.perf_counter() - started
            process.kill()
            process.wait()
            return seconds, line.strip()
    raise RuntimeError("googlenet train ended before its first batch")


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = {"cold": [], "warm": []}
        for i in range(runs):
            cache = os.path.join(folder, f"cache{i}")
            for kind in ("cold", "warm"):
                runs_folder = os.path.join(folder, f"{kind}{i}")
                os.makedirs(runs_folder)
                times[kind].append(first_batch(cache, runs_folder)[0])
    print(f"{os.cpu_count()} cores, {runs} runs each: seconds to the first batch, min median max")
    for kind, seconds in times.items():
        print(f"{kind}: {min(seconds):.1f} {statistics.median(seconds):.1f} {max(seconds):.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
