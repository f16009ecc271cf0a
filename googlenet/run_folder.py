"""What a training run leaves behind, and what of it is needed to go on with it or to use it.

A run folder holds

- ``config.json``: the recipe, the data, and what it ran on;
- ``metrics.csv``, ``curves.png``: the figures of every epoch, and a picture of them;
- ``checkpoint.safetensors``: while the run is not finished, all that it takes to go on;
- ``model.safetensors``: when it is, the weights, and all that it takes to use them.

Every file is written aside and renamed: whenever a run is killed, each of them is the old one or
the new one, and whole.
"""

import csv
import fcntl
import hashlib
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from googlenet.anomaly import check_arrays
from googlenet.model import GoogLeNet
from googlenet.place import check_place
from googlenet.recipes import Recipe
from googlenet.sentences import in_one_line
from googlenet.train import Metrics, RunningMean, Training
from minigrad import checkpoint
from minigrad.data import Transform, transform_from_dict

ARCHITECTURE = "googlenet"
CONFIG, METRICS, CURVES = "config.json", "metrics.csv", "curves.png"
CHECKPOINT, MODEL, LOCK = "checkpoint.safetensors", "model.safetensors", ".lock"
ASKED = ("data", "test_data", "channels")  # by which a run opens its pictures again


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
            self._lock.close()
            (self.path / LOCK).unlink(missing_ok=True)
            self._lock = None

    def discard(self) -> None:
        """Take a new folder away again, if nothing was learned in it yet."""
        if any((self.path / name).exists() for name in (METRICS, CHECKPOINT, MODEL)):
            return
        self.close()
        (self.path / CONFIG).unlink(missing_ok=True)
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
        versions = {name: version(name) for name in ("numpy", "numba")}
        content = {"recipe": asdict(recipe), **facts, "versions": versions}
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
            "architecture": ARCHITECTURE,
            "run": self._identity(),
            "training": json.dumps(state["values"]),
        }
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
        metadata = {
            "architecture": ARCHITECTURE,
            "run": self._identity(),
            "recipe": json.dumps(asdict(training.recipe)),
            "classes": json.dumps(list(classes)),
            "in_channels": str(training.net.in_channels),
            "transform": json.dumps(transform.to_dict()),  # type: ignore[attr-defined]
        }
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
        return config

    def recipe(self) -> Recipe:
        """Read the recipe of the run."""
        return recipe_from(self.config().get("recipe"), self.path / CONFIG)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over and the model written."""
        return (self.path / MODEL).is_file()

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
        _check_architecture(path, metadata)
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
        self._lock = open(self.path / LOCK, "w")  # noqa: SIM115 (held until the end)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"another process is training in {str(self.path)!r}") from None


@dataclass
class Model:
    """A trained network, and what it takes to use it.

    Attributes
    ----------
    net : GoogLeNet
    recipe : Recipe
    classes : tuple of str
    transform : Transform
        From a picture (C, H, W) of bytes to what the network takes.
    """

    net: GoogLeNet
    recipe: Recipe
    classes: tuple[str, ...]
    transform: Transform


def load_model(path: str | Path) -> Model:
    """Read the model of a finished run.

    Parameters
    ----------
    path : path
        Of the run folder, or of its ``model.safetensors``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the file is damaged, of another architecture, or its parts do not fit each other.
    """
    path = Path(path)
    file = path / MODEL if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        if (path / CONFIG).is_file():
            raise FileNotFoundError(
                f"the run {str(path)!r} is not finished: googlenet train --resume {path}"
            )
        raise FileNotFoundError(f"{str(path)!r} is no run folder: there is no {MODEL} in it")
    state, metadata = checkpoint.load(file)
    _check_architecture(file, metadata)
    if path.is_dir() and (path / CONFIG).is_file():
        RunFolder(path).check_own(file, metadata)
    try:
        parts = {name: json.loads(metadata[name]) for name in ("recipe", "classes", "transform")}
        channels = int(metadata["in_channels"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} does not say what it is a model of ({error!r})") from None
    recipe, classes = recipe_from(parts["recipe"], file), parts["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"{str(file)!r}: the classes must be a list of names, got {classes!r}")
    try:
        if channels not in (1, 3):
            raise ValueError(f"in_channels must be 1 or 3, got {channels}")
        transform = transform_from_dict(parts["transform"])
        _try(transform, channels, recipe.image_size)
        net = network(recipe, len(classes), channels)
        net.load_state_dict(state)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(file)!r}: {in_one_line(error)}") from None
    return Model(net.eval(), recipe, tuple(classes), transform)


def _try(transform: Transform, channels: int, size: int) -> None:
    """Make sure that a transform gives what a network takes, before anybody counts on it."""
    blank = np.zeros((channels, 48, 64), np.uint8)
    given, needed = transform(blank, np.random.default_rng(0)), (channels, size, size)
    if given.shape != needed or given.dtype != np.float32 or not np.isfinite(given).all():
        raise ValueError(
            f"the transform gives {given.dtype} of shape {given.shape}; the network takes finite "
            f"float32 of shape {needed}"
        )


def network(recipe: Recipe, classes: int, channels: int) -> GoogLeNet:
    """Build the network that a recipe trains."""
    return GoogLeNet(
        num_classes=classes,
        in_channels=channels,
        image_size=recipe.image_size,
        aux_heads=recipe.aux_heads,
        dropout=recipe.dropout,
        aux_dropout=recipe.aux_dropout,
        batch_norm=recipe.batch_norm,
        init="he",
    )


def recipe_from(content: Any, file: Path) -> Recipe:
    """Make a recipe of what a file says.

    Raises
    ------
    ValueError
        Naming the file and what is wrong in it.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{str(file)!r} holds no recipe")
    known = {field.name for field in fields(Recipe)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(f"{str(file)!r}: the recipe has unknown options {', '.join(unknown)}")
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in content.items()}
    try:
        return Recipe(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(file)!r}: {error}") from None


def _check_architecture(file: Path, metadata: Mapping[str, str]) -> None:
    found = metadata.get("architecture")
    if found != ARCHITECTURE:
        what = f"is of the architecture {found!r}" if found else "does not say its architecture"
        raise ValueError(f"{str(file)!r} {what}; {ARCHITECTURE!r} was needed")


def _fresh() -> Path:
    """Name a folder after the time, with a number behind it if that one exists."""
    base = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = [base, *(base.with_name(f"{base.name}_{i}") for i in range(2, 1000))]
    return next(path for path in names if not path.exists())
