"""A run as the doctor sees it: what can be read of its folder, and what is damaged."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from googlenet.health import WINDOW, patience
from googlenet.recipes import Recipe
from googlenet.run_folder import CONFIG, METRICS, RunFolder
from googlenet.runs import find_runs, read_metrics
from googlenet.sentences import sentence
from googlenet.train import HEADS
from googlenet.vitals import VITALS, read_vitals


@dataclass
class Case:
    """What is known of a run.

    Attributes
    ----------
    path : Path
    state : {"finished", "stopped", "training", "damaged"}
    note : str
        How far a stopped run is.
    recipe : Recipe
        The default one if ``config.json`` cannot be read.
    classes : int
    epochs : list of dict
        The rows of ``metrics.csv``.
    vitals : dict or None
        What was recorded, see `googlenet.vitals.Recorder`; None if nothing was.
    damage : list of str
        What cannot be read, a sentence each.
    """

    path: Path
    state: str = "finished"
    note: str = ""
    recipe: Recipe = field(default_factory=Recipe)
    classes: int = 0
    epochs: list[dict[str, float]] = field(default_factory=list)
    vitals: dict[str, Any] | None = None
    damage: list[str] = field(default_factory=list)

    # -- what follows from it --------------------------------------------------------------------

    @property
    def probes(self) -> list[dict[str, Any]]:
        """What was seen inside the network, in order; perhaps nothing."""
        return self.vitals["probes"] if self.vitals else []

    @property
    def curve(self) -> list[dict[str, float]]:
        """The training loss over windows of steps, in order; perhaps nothing."""
        return self.vitals["curve"] if self.vitals else []

    @property
    def steps_of_epoch(self) -> int | None:
        """Steps in an epoch, if it is known."""
        return self.vitals["steps_of_epoch"] if self.vitals else None

    @property
    def steps(self) -> int | None:
        """Steps that were taken, if it is known."""
        if not self.vitals:
            return None
        last = self.curve[-1]["step"] if self.curve else 0
        return max(int(last), len(self.epochs) * self.vitals["steps_of_epoch"])

    @property
    def patience(self) -> int | None:
        """Steps before which no head is called stuck, as while it trained; None if not known."""
        if not self.vitals:
            return None
        return patience(self.recipe, self.vitals["steps_of_epoch"], self.classes)

    @property
    def guess(self) -> float:
        """The training loss of guessing; of classes of one size, if no more is known."""
        return self.vitals["guess"]["training"] if self.vitals else math.log(max(2, self.classes))

    @property
    def test_guess(self) -> float:
        """The test loss of guessing, likewise."""
        return self.vitals["guess"]["test"] if self.vitals else math.log(max(2, self.classes))

    @property
    def chance(self) -> float:
        """The largest share of a class among the test pictures: the accuracy of naming that one."""
        return max(self.vitals["test_shares"]) if self.vitals else 1 / max(2, self.classes)

    @property
    def tested(self) -> int | None:
        """How many pictures the test has, if it is known."""
        return self.vitals["pictures"]["test"] if self.vitals else None

    @property
    def heads(self) -> list[str]:
        """The heads that the run has figures of, the main one first."""
        rows = self.curve or self.epochs
        return [n.removeprefix("loss_") for n in (rows[-1] if rows else ()) if n[:5] == "loss_"]

    def last_loss(self, head: str) -> float:
        """Return a head's training loss over the last 100 steps; over the last epoch, if not known.

        Of a run that was stopped for its numbers it is that of the last that were recorded.
        """
        if not self.curve:
            return self.epochs[-1][f"loss_{head}"]
        rows, steps = [], 0
        for row in reversed(self.curve):
            rows.append(row)
            steps += int(row["steps"])
            if steps >= WINDOW:
                break
        total = sum(row["steps"] for row in rows)
        return sum(row["steps"] * row[f"loss_{head}"] for row in rows) / total

    def per_stage(self, name: str) -> np.ndarray:
        """Return a column of the probes as an array (probes, stages), with NaN for None."""
        assert self.vitals is not None
        rows = [[math.nan if v is None else v for v in row[name]] for row in self.probes]
        return np.array(rows, float).reshape(len(rows), len(self.vitals["stages"]))

    def epoch_of(self, step: float) -> float | None:
        """Return how many epochs had gone by at a step."""
        return step / self.steps_of_epoch if self.steps_of_epoch else None


def called(head: str) -> str:
    """Return what people call a head."""
    return HEADS.get(head, head.removeprefix("aux_"))


def short(stage: str) -> str:
    """Return what people call a stage."""
    return stage.removeprefix("inception_")


def open_case(path: Path) -> Case:
    """Read what can be read of a run.

    Raises
    ------
    FileNotFoundError
        If the folder is not that of a run.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"there is no run {str(path)!r}")
    if not any((path / name).is_file() for name in (CONFIG, METRICS, VITALS)):
        raise FileNotFoundError(f"{str(path)!r} is no run folder: there is no {CONFIG} in it")
    case = Case(path)
    found = [run for run in find_runs(path) if Path(run.path) == path]
    if found:
        case.state, case.note = found[0].state, found[0].note
    if case.state == "damaged":
        case.damage.append(case.note)
    folder = RunFolder(path)
    try:
        case.recipe, case.classes = folder.recipe(), len(folder.config()["classes"])
    except (ValueError, OSError) as error:
        _add(case.damage, error)
    try:
        if (path / METRICS).is_file():
            case.epochs = list(read_metrics(path / METRICS))
            _check_rows(case.epochs, path / METRICS)
    except (ValueError, OSError) as error:
        case.epochs = []
        _add(case.damage, error)
    try:
        if (path / VITALS).is_file():
            case.vitals = read_vitals(path / VITALS)
            case.classes = case.classes or int(case.vitals["classes"])
    except (ValueError, OSError) as error:
        _add(case.damage, error)
    if case.damage:
        case.state = "damaged"
    return case


def _check_rows(rows: list[dict[str, float]], file: Path) -> None:
    needed = {"learning_rate", "loss_logits", "train_accuracy", "test_loss", "test_accuracy"}
    missing = sorted(needed - set(rows[0])) if rows else []
    if missing:
        raise ValueError(f"{str(file)!r} is not the table of a run: no {', '.join(missing)}")


def _add(damage: list[str], error: Exception) -> None:
    if sentence(error) not in damage:
        damage.append(sentence(error))
