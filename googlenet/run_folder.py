"""What a training run leaves behind: configuration, metrics, curves, weights."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from googlenet.model import GoogLeNet
from googlenet.recipes import Recipe
from googlenet.train import Metrics, RunningMean
from minigrad import checkpoint

FORMAT = 1  # of everything written here; a reader of a later one can say so


class RunFolder:
    """A folder of one run: ``config.json``, ``metrics.csv``, ``curves.png``, ``model.safetensors``.

    Every file is written aside and renamed, so that none is ever half-written. As a `Watcher` of
    the training it writes ``metrics.csv`` anew after every epoch: a run that is stopped keeps what
    it measured.

    Parameters
    ----------
    path : path, optional
        A folder that does not exist yet or is empty. Without one, ``runs/`` and the time.

    Raises
    ------
    FileExistsError
        If there is something in the folder already.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else _fresh()
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise FileExistsError(
                f"run folder {str(self.path)!r} already holds something; name another, or leave "
                "the name out"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.epochs: list[Metrics] = []

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; nothing is written."""

    def epoch(self, metrics: Metrics) -> None:
        """Add a row to ``metrics.csv``."""
        self.epochs.append(metrics)
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(metrics), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.epochs)
        self._write("metrics.csv", text.getvalue())

    def write_config(self, recipe: Recipe, **facts: Any) -> None:
        """Write what was asked for, and what it ran on."""
        versions = {name: version(name) for name in ("numpy", "numba")}
        content = {"format": FORMAT, "recipe": asdict(recipe), **facts, "versions": versions}
        self._write("config.json", json.dumps(content, indent=2) + "\n")

    def write_curves(self) -> None:
        """Draw loss and accuracy against the epoch."""
        from googlenet.curves import draw  # Matplotlib takes half a second to import

        self._write("curves.png", draw(self.epochs))

    def write_model(self, net: GoogLeNet, recipe: Recipe, classes: Sequence[str]) -> None:
        """Write the weights, with what building the network again and naming its classes takes."""
        metadata = {
            "format": str(FORMAT),
            "architecture": "googlenet",
            "recipe": json.dumps(asdict(recipe)),
            "classes": json.dumps(list(classes)),
            "in_channels": str(net.in_channels),
        }
        checkpoint.save(self.path / "model.safetensors", net.state_dict(), metadata)

    def _write(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        checkpoint.write_whole(self.path / name, data)


def _fresh() -> Path:
    """Name a folder after the time, with a number behind it if that one exists."""
    base = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = [base, *(base.with_name(f"{base.name}_{i}") for i in range(2, 1000))]
    return next(path for path in names if not path.exists())
