"""Kill a run again and again and see what changes: ``python -m tests.googlenet.killed``.

A run is trained without a disturbance. A second one is killed (SIGKILL) at random moments and
resumed after each, until it is finished; some moments are chosen while a checkpoint is being
written. Then the weights must be the same, byte for byte, and so must all figures but those of
time.

    python -m tests.googlenet.killed --kills 100 --seed 1
    python -m tests.googlenet.killed --kills 20 --options="--set average=ema --set accumulate=3"
"""

import argparse
import csv
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TIMES = {"seconds", "images_per_second"}
TRAIN = ("--pictures", "256", "--batch-size", "32", "--checkpoint-every", "0")


def start(*arguments: str) -> subprocess.Popen:
    """Start the command, silently."""
    command = [sys.executable, "-m", "googlenet", "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def figures(run: Path) -> list[dict[str, str]]:
    """Read the table of a run, without what depends on the clock."""
    with open(run / "metrics.csv") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def writing(run: Path) -> bool:
    """Tell whether a checkpoint is being written aside."""
    return any(run.glob(".checkpoint.safetensors.*"))


def ready(run: Path, process: subprocess.Popen, patience: float, wait_for_write: bool) -> None:
    """Wait for the moment: so many seconds, and then perhaps for a checkpoint being written."""
    end = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    end = time.monotonic() + 5
    while wait_for_write and process.poll() is None and time.monotonic() < end:
        if writing(run):
            return
        time.sleep(0.001)


def main() -> int:
    """Run it; 0 if nothing changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=7.0, help="seconds that a part may run")
    parser.add_argument("--options", default="", help="of googlenet train, for both runs")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    seen: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        length = ("--epochs", str(options.epochs), *shlex.split(options.options))
        undisturbed = start(*TRAIN, *length, "--run", str(whole))
        print(undisturbed.communicate()[0])
        process = start(*TRAIN, *length, "--run", str(killed))
        kills = 0
        while kills < options.kills:
            while_writing = rng.random() < 0.4
            ready(killed, process, rng.uniform(0, options.longest), while_writing)
            if process.poll() is not None or (killed / "model.safetensors").exists():
                break
            caught = writing(killed)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            seen["while a checkpoint was being written" if caught else "at another moment"] += 1
            known = os.path.exists(killed / "config.json")
            seen["before there was a run"] += not known
            again = ("--resume", str(killed), "--checkpoint-every", "0")
            process = start(*again) if known else start(*TRAIN, *length, "--run", str(killed))
        last = process.communicate()[0]
        print(last)
        print(f"killed {kills} times: {dict(seen)}")
        if kills < options.kills:
            print("it was finished before that: more --epochs")
        files = sorted(path.name for path in whole.glob("*.safetensors"))
        same = all((whole / n).read_bytes() == (killed / n).read_bytes() for n in files)
        print(*files, "identical" if same else "DIFFERENT")
        alike = figures(whole) == figures(killed)
        print("figures:", "identical" if alike else "DIFFERENT")
        print("left behind:", sorted(path.name for path in killed.iterdir()))
    done = kills == options.kills and process.returncode == 0
    return 0 if same and alike and done else 1


if __name__ == "__main__":
    sys.exit(main())
