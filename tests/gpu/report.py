"""What can be said of the GPU's kernels without a GPU: ``python -m tests.gpu.report``.

Three tables: every kernel compiled by NVIDIA's compiler, with the registers it takes; every kernel
run on the host, by the tests, through CuPy's stand-in; and how many lines of the Python that
launches them ran. None of it is a measurement on a GPU: ``pytest -m gpu`` makes those.
"""

import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.gpu.signature import kernels
from tests.gpu import nvrtc
from tests.gpu.sources import sources

LEAST = 95  # percent of the lines, as of all others (pyproject.toml)


def compiled() -> int:
    """Print what each kernel takes on each target. Returns how many did not compile."""
    if nvrtc.library() is None:
        print("NVRTC is not installed (pip install nvidia-cuda-nvrtc-cu12): nothing compiled")
        return 1
    print(f"{'kernel':64}" + "".join(f"{target:>16}" for target in nvrtc.TARGETS))
    count = spilled = 0
    for room, source in sources().items():
        for real in source.reals:
            usage = [nvrtc.compiled(source.code(), real, target) for target in nvrtc.TARGETS]
            for name in usage[0]:
                texts = [f"{u[name].registers} registers" for u in usage]
                print(f"{f'{room}: {name}<{real}>':64}" + "".join(f"{t:>16}" for t in texts))
                count += len(usage)
                spilled += sum(u[name].spilled > 0 for u in usage)
    print(f"{count} kernels compiled for {', '.join(nvrtc.TARGETS)}; {spilled} spill registers\n")
    return spilled


def ran() -> int:
    """Run the tests on the host, and print what ran. Returns how many kernels did not."""
    import coverage  # of the extra "dev": pytest alone imports this file too, and has only "test"

    launchers = [*Path(minigrad.__file__).parent.rglob("gpu.py")]
    launchers += [*(Path(minigrad.__file__).parent / "gpu").glob("*.py")]
    launchers += [Path(minigrad.__file__).parent / name for name in ("cuda.py", "cuda_graph.py")]
    include = [str(path) for path in launchers]
    lines = coverage.Coverage(include=include, branch=True, data_file=None, config_file=False)
    # They were imported before the measurement began: what runs at import counts as run.
    for name in [name for name in sys.modules if name.startswith(("minigrad", "tests"))]:
        del sys.modules[name]
    lines.start()
    # The packaged properties run with all other tests, and launch nothing that these do not.
    left_out = [f"--ignore=tests/gpu/test_{name}.py" for name in ("suite", "checks", "benchmark")]
    failed = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *left_out, "tests/gpu"])
    lines.stop()
    every = {
        f"{name}<{real}>"
        for source in sources().values()
        for real in source.reals
        for name in kernels(source.code())
    }
    missing = sorted(every - sys.modules["tests.gpu.standin"].launched)
    print(f"\n{len(every) - len(missing)} of {len(every)} kernels ran on the host", *missing)
    share = lines.report(show_missing=True)
    if share < LEAST:
        print(f"only {share:.1f} % of these lines ran; {LEAST} % have to")
    return bool(failed) + len(missing) + (share < LEAST)


if __name__ == "__main__":
    sys.exit(bool(compiled() + ran()))
