"""The folder of a run: what is written into it, and what is read to go on."""

import csv
import fcntl
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from googlenet.anomaly import check_arrays
from googlenet.architecture import ARCHITECTURES
from googlenet.place import check_place
from googlenet.recipes import Recipe, from_mapping
from googlenet.sentences import in_one_line
from googlenet.train import Metrics, RunningMean, Training
from minigrad import checkpoint
from minigrad.data import Transform

VERSIONED = ("minigrad-googlenet", "numpy", "numba")
CONFIG, METRICS, CURVES = "config.json", "metrics.csv", "curves.png"
CHECKPOINT, MODEL, LOCK = "checkpoint.safetensors", "model.safetensors", ".lock"
AVERAGED = "averaged.safetensors"
REPORT, EVENTS = "report.html", "events.out.tfevents.*"  # of who watched
ASKED = ("data", "test_data", "channels")  # by which a run opens its pictures again
PATHS = ("test_data", "class_names", "finetune")  # of what was asked for: text, or nothing


class RunFolder:
    """The folder of one run. As a `Watcher` of the training it keeps what there is to keep.

    Make one with `create` or `open`.

    Parameters
    ----------
    path : Path
    every : float
        Seconds from one checkpoint to the next, at least.
    """

    def __init__(self, path: Path, every: float = 30.0) -> None:
        self.path, self.every = path, every
        self.training: Training | None = None  # whose checkpoints are written
        self.beside: list[Callable[[], None]] = []  # what writes its own file with each of them
        self._written = time.monotonic()
        self._lock: io.TextIOWrapper | None = None

    @classmethod
    def create(cls, path: str | Path | None = None) -> "RunFolder":
        """Make a new folder; without a path, ``runs/`` and the time.

        Raises
        ------
        FileExistsError
            If there is something in the folder already.
        OSError
            If it cannot be made.
        """
        folder = cls(Path(path) if path is not None else _fresh())
        path = folder.path
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(
                f"run folder {str(path)!r} already holds something; name another, leave the name "
                "out, or go on with it: --resume"
            )
        path.mkdir(parents=True, exist_ok=True)
        folder._lock_it()
        return folder

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Open the folder of a run that was stopped, to go on with it.

        Raises
        ------
        FileNotFoundError
            If it is no run folder.
        BlockingIOError
            If another process is training in it.
        """
        folder = cls(Path(path))
        if not (folder.path / CONFIG).is_file():
            raise FileNotFoundError(f"{str(path)!r} is no run folder: there is no {CONFIG} in it")
        folder._lock_it()
        for left in folder.path.glob(".*.safetensors.*"):  # written aside, when it was killed
            left.unlink(missing_ok=True)
        return folder

    def close(self) -> None:
        """Let another process write here."""
        if self._lock is not None:
            (self.path / LOCK).unlink(missing_ok=True)  # as long as nobody else can hold it
            self._lock.close()
            self._lock = None

    def discard(self) -> None:
        """Take a new folder away again, if nothing was learned in it yet."""
        if any((self.path / name).exists() for name in (METRICS, CHECKPOINT, MODEL)):
            return
        self.close()
        for written in (self.path / CONFIG, self.path / REPORT, *self.path.glob(EVENTS)):
            written.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    # -- writing ---------------------------------------------------------------------------------

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step: write a checkpoint if the last one was some time ago."""
        if time.monotonic() - self._written >= self.every:
            self.keep()

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch: write the table anew, and perhaps a checkpoint."""
        assert self.training is not None
        self.write_metrics(self.training.history)
        self.step(0, self.training.means, 0.0)

    def write_config(self, recipe: Recipe, **facts: Any) -> None:
        """Write what was asked for, and what it ran on."""
        content = {"recipe": asdict(recipe), **facts, "versions": versions()}
        checkpoint.save_json(self.path / CONFIG, content)

    def write_metrics(self, history: Sequence[Metrics]) -> None:
        """Write the table of all epochs."""
        if history:
            text = io.StringIO()
            writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
            checkpoint.write_whole(self.path / METRICS, text.getvalue().encode())

    def keep(self) -> None:
        """Write a checkpoint of the training.

        Raises
        ------
        NotFiniteError
            If nothing good could come of it. The checkpoint before it stays.
        """
        assert self.training is not None
        state = self.training.state_dict()
        check_arrays(state["arrays"], "the checkpoint")
        metadata = {
            "architecture": self.training.recipe.architecture,
            "run": self._identity(),
            "training": json.dumps(state["values"]),
        }
        for write in self.beside:
            write()
        checkpoint.save(self.path / CHECKPOINT, state["arrays"], metadata)
        self._written = time.monotonic()

    def finish(self, classes: Sequence[str], transform: Transform) -> None:
        """Draw the curves, write the model, and let go of the checkpoint."""
        assert self.training is not None
        from googlenet.curves import draw  # Matplotlib takes half a second to import

        training = self.training
        check_arrays(training.net.state_dict(), "the model")
        self.write_metrics(training.history)
        checkpoint.write_whole(self.path / CURVES, draw(training.history))
        metadata = model_metadata(training.recipe, classes, training.net.in_channels, transform)
        metadata["run"] = self._identity()
        if training.average is not None:  # first: a run with a model is finished
            averaged = training.average.weights()
            check_arrays(averaged, "the averaged model")
            checkpoint.save(self.path / AVERAGED, averaged, {**metadata, "weights": "averaged"})
        checkpoint.save(self.path / MODEL, training.net.state_dict(), metadata)
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    # -- reading ---------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Read ``config.json``.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is damaged, or lacks what it takes to open the data again.
        """
        config = checkpoint.load_json(self.path / CONFIG)
        parts = {"recipe": dict, "asked": dict, "fingerprints": dict, "classes": list}
        for name, kind in parts.items():
            if not isinstance(config.get(name), kind):
                raise ValueError(f"{str(self.path / CONFIG)!r} is not that of a run: no {name!r}")
        missing = [name for name in ASKED if name not in config["asked"]]
        if missing:
            raise ValueError(
                f"{str(self.path / CONFIG)!r} does not say what was asked for: {', '.join(missing)}"
            )
        wrong = _wrongly_asked(config["asked"])
        if wrong is not None:
            raise ValueError(f"{str(self.path / CONFIG)!r} is not that of a run: {wrong}")
        return config

    def recipe(self) -> Recipe:
        """Read the recipe of the run."""
        return from_mapping(self.config().get("recipe"), self.path / CONFIG)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over and the model written."""
        return (self.path / MODEL).is_file()

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.path / CHECKPOINT).is_file()

    def resume(self, training: Training) -> bool:
        """Go to where the run was when its last checkpoint was written.

        Returns
        -------
        bool
            Whether there was one.

        Raises
        ------
        ValueError
            If it is damaged, or is that of another network or recipe.
        """
        path = self.path / CHECKPOINT
        if not path.is_file():
            return False
        arrays, metadata = checkpoint.load(path)
        check_architecture(path, metadata)
        self.check_own(path, metadata)
        if "training" not in metadata:
            raise ValueError(f"{str(path)!r} is no checkpoint: it does not say how far it is")
        try:
            values = json.loads(metadata["training"])
            check_place(values, training.recipe)
            training.load_state_dict({"arrays": arrays, "values": values})
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise ValueError(f"{str(path)!r} does not fit this run: {in_one_line(error)}") from None
        return True

    def check_own(self, file: Path, metadata: Mapping[str, str]) -> None:
        """Refuse a file of weights of another run: it would be taken for what it is not.

        One that does not say of which run it is was written before they did, and is taken.

        Raises
        ------
        ValueError
            Naming the file.
        """
        if metadata.get("run", self._identity()) != self._identity():
            raise ValueError(f"{str(file)!r} is of another run than the {CONFIG} beside it")

    def _identity(self) -> str:
        """Sum up what makes this run another than others: recipe, pictures, classes."""
        config = self.config()
        parts = [config[name] for name in ("recipe", "fingerprints", "classes")]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _lock_it(self) -> None:
        """Keep other processes out until this one ends, however it does."""
        path = self.path / LOCK
        while self._lock is None:
            lock = open(path, "w")  # noqa: SIM115 (held until the end)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                where = repr(str(self.path))
                raise BlockingIOError(f"another process is training in {where}") from None
            # Who held it may have taken it away in between: then it keeps nobody out.
            if _is_there(path, lock):
                self._lock = lock
            else:
                lock.close()


def _is_there(path: Path, file: io.TextIOWrapper) -> bool:
    """Tell whether an open file is the one that goes by this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _wrongly_asked(asked: Mapping[str, Any]) -> str | None:
    """Say what cannot have been asked for: a file may have been written by anybody."""
    pictures, channels = asked.get("pictures"), asked["channels"]
    right = {
        "data": isinstance(asked["data"], str),
        "channels": channels is None or channels in ("1", "3", 1, 3),
        "pictures": pictures is None or type(pictures) is int,
        **{name: isinstance(asked.get(name), str | None) for name in PATHS},
    }
    wrong = next((name for name, fits in right.items() if not fits), None)
    return None if wrong is None else f"{wrong} cannot be {asked[wrong]!r}"


def model_metadata(
    recipe: Recipe, classes: Sequence[str], channels: int, transform: Transform
) -> dict[str, str]:
    """Put down what it takes to use the weights of a network, and what they were written by."""
    return {
        "architecture": recipe.architecture,
        "recipe": json.dumps(asdict(recipe)),
        "classes": json.dumps(list(classes)),
        "in_channels": str(channels),
        "transform": json.dumps(transform.to_dict()),  # type: ignore[attr-defined]
        "versions": json.dumps(versions()),
    }


def versions() -> dict[str, str]:
    """Return the versions of what computes; of what is not installed but only there, "unknown"."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def check_architecture(file: Path, metadata: Mapping[str, str]) -> None:
    """Refuse a file of weights of another network.

    Raises
    ------
    ValueError
        Naming the file.
    """
    found = metadata.get("architecture")
    if found not in ARCHITECTURES:
        what = f"is of the architecture {found!r}" if found else "does not say its architecture"
        raise ValueError(f"{str(file)!r} {what}; one of {', '.join(ARCHITECTURES)} was needed")


def _fresh() -> Path:
    """Name a folder after the time, with a number behind it if that one exists."""
    base = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = [base, *(base.with_name(f"{base.name}_{i}") for i in range(2, 1000))]
    return next(path for path in names if not path.exists())
