"""Past runs: what their folders say of them, without loading a network.

A folder may be damaged in any way; then that is what is said of it, and the others come out.
"""

import csv
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from safetensors import safe_open

from googlenet.run_folder import AVERAGED, CHECKPOINT, CONFIG, LOCK, METRICS, MODEL, RunFolder
from googlenet.sentences import sentence
from minigrad import checkpoint

OURS = (CONFIG, METRICS, CHECKPOINT, MODEL)  # a folder with one of these was a run
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of a state, no parameters


@dataclass
class Run:
    """What is known of a run; None is what is not known (yet).

    Attributes
    ----------
    name, path : str
    when : str
        When it was begun, by the date of its ``config.json``, in ISO 8601, local time.
    state : {"finished", "stopped", "training", "damaged", "imported"}
    note : str
        How far it is, or what is damaged.
    data : str
        As it was asked for.
    epochs_done, epochs : int
        Of the epochs asked for.
    best_accuracy, last_accuracy : float
        On the test pictures, over and after the epochs done.
    seconds : float
        That training took, up to the last epoch done.
    parameters : int
    """

    name: str
    path: str
    when: str
    state: str = "damaged"
    note: str = ""
    data: str | None = None
    epochs_done: int | None = None
    epochs: int | None = None
    best_accuracy: float | None = None
    last_accuracy: float | None = None
    seconds: float | None = None
    parameters: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return asdict(self)


def find_runs(folder: Path, check: bool = False) -> list[Run]:
    """Return the runs in a folder, the newest first; or the one that the folder itself is.

    Parameters
    ----------
    folder : Path
    check : bool
        Read all weights and hold them against their checksums. Otherwise it is only seen to that
        files of weights are whole and ours.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    if _is_run(folder):
        paths = [folder]
    else:
        paths = [p for p in folder.iterdir() if p.is_dir() and _is_run(p)]
    found = sorted(((_begun(path), path.name, path) for path in paths), reverse=True)
    return [_look(path, when, check) for when, _, path in found]


def _is_run(path: Path) -> bool:
    """Tell run folders; one that cannot be looked into may be one."""
    try:
        return any(name in OURS for name in os.listdir(path))
    except PermissionError:
        return True
    except OSError:
        return False


def _begun(path: Path) -> float:
    """Return when a run began: config.json is written once."""
    for file in (path / CONFIG, path):
        try:
            return file.stat().st_mtime
        except OSError:
            continue
    return 0.0


def _look(path: Path, when: float, check: bool) -> Run:
    run = Run(
        path.name or str(path), str(path), datetime.fromtimestamp(when).isoformat(" ", "seconds")
    )
    try:
        os.listdir(path)
        if (path / MODEL).is_file() and not (path / CONFIG).is_file():
            metadata, run.parameters = _header(path / MODEL)
            if "imported" in metadata:  # weights of somebody else's training
                run.state, run.note = "imported", f"from {metadata['imported']}"
                if check:
                    checkpoint.load(path / MODEL)
                return run
        config = RunFolder(path).config()
        run.data, run.epochs = config["asked"]["data"], RunFolder(path).recipe().epochs
        _add_metrics(run, path / METRICS)
        _add_state(run, path, check)
    except (ValueError, OSError) as error:
        run.state, run.note = "damaged", sentence(error)
    return run


def _add_metrics(run: Run, file: Path) -> None:
    """Read the figures of all epochs, of which there may be none yet."""
    run.epochs_done = 0
    if not file.is_file():
        return
    rows = list(read_metrics(file))
    if rows:
        run.epochs_done = len(rows)
        accuracies = [row["test_accuracy"] for row in rows]
        run.best_accuracy, run.last_accuracy = max(accuracies), accuracies[-1]
        run.seconds = rows[-1]["seconds"]


def read_metrics(file: Path) -> Iterator[dict[str, float]]:
    """Read ``metrics.csv``, row by row.

    Raises
    ------
    ValueError
        If it is not the table of a run.
    """
    try:
        rows = csv.DictReader(file.read_text("utf-8").splitlines(), strict=True)
        for number, row in enumerate(rows, 1):
            values = {name: float(value) for name, value in row.items()}
            accuracy, seconds = values["test_accuracy"], values["seconds"]
            if values["epoch"] != number or not 0 <= accuracy <= 1 or not 0 <= seconds < math.inf:
                raise ValueError(f"row {number} is not that of an epoch")
            yield values
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"{str(file)!r} is not the table of a run ({what})") from None


def _add_state(run: Run, path: Path, check: bool) -> None:
    """See how far a run is, by which files of weights it has."""
    training = _is_locked(path / LOCK)
    file = next((path / n for n in (MODEL, CHECKPOINT) if (path / n).is_file()), None)
    metadata: Mapping[str, str] = {}
    if file is not None:
        metadata, run.parameters = _header(file)
        if check:
            checkpoint.load(file)
            if (path / AVERAGED).is_file():
                checkpoint.load(path / AVERAGED)
    if training:
        run.state, run.note = "training", f"in epoch {(run.epochs_done or 0) + 1}"
    elif file is None:
        run.state, run.note = "stopped", "before its first checkpoint, resumable from the start"
    elif file.name == MODEL:
        run.state = "finished"
        if run.epochs_done != run.epochs:
            raise ValueError(
                f"{str(path / METRICS)!r} has {run.epochs_done} epochs, but the run is finished "
                f"and had {run.epochs}"
            )
    else:
        place = _place(file, metadata, RunFolder(path).recipe().accumulate)
        run.state, run.note = "stopped", f"{place}, resumable"


def _header(file: Path) -> tuple[dict[str, str], int]:
    """Read of a file of weights its metadata, and how many parameters there are of the network.

    That the arrays fill the file to its last byte is seen to by safetensors.
    """
    try:
        with safe_open(file, framework="numpy") as opened:
            ours = json.loads((opened.metadata() or {}).get(checkpoint.OURS, "null"))
            sizes = {n: math.prod(opened.get_slice(n).get_shape()) for n in opened.keys()}  # noqa: SIM118
    except OSError:
        raise
    except Exception as error:  # damaged headers give errors of many kinds
        raise ValueError(f"{str(file)!r} is not a whole safetensors file ({error})") from None
    if not isinstance(ours, dict) or not isinstance(ours.get("metadata"), dict):
        raise ValueError(f"{str(file)!r} does not say its format: it is none of ours, or damaged")
    version = ours.get(checkpoint.VERSION)
    if version != checkpoint.FORMAT:
        raise ValueError(
            f"{str(file)!r} was written by another version (format {version!r}; this one reads "
            f"{checkpoint.FORMAT})"
        )
    part = "" if file.name == MODEL else "model."
    parameters = sum(
        size for name, size in sizes.items() if name.startswith(part) and not name.endswith(BUFFERS)
    )
    return ours["metadata"], parameters


def _place(file: Path, metadata: Mapping[str, str], accumulate: int) -> str:
    """Say where a checkpoint was written."""
    try:
        values = json.loads(metadata["training"])
        epoch = len(values["history"])
        steps = math.ceil(int(values["loader"]["batches"]) / accumulate)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{str(file)!r} does not say where it was written") from None
    return f"after epoch {epoch}" + (f" and {steps} steps" if steps else "")


def _is_locked(file: Path) -> bool:
    """Tell whether a process is training: it holds the lock until it ends, however it does.

    To see, a shared lock is taken for a moment; the file is there only while a run is trained, or
    if it was killed.
    """
    try:
        with open(file) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
