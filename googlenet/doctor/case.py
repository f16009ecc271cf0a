"""A run as the doctor sees it: what can be read of its folder, and what is damaged."""

import fcntl
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from googlenet.recipes import Recipe
from googlenet.run_folder import CHECKPOINT, CONFIG, METRICS, MODEL, RunFolder
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
    recipe : Recipe or None
        None if ``config.json`` cannot be read.
    classes : int
    epochs : list of dict
        The rows of ``metrics.csv``.
    vitals : dict or None
        What was recorded, see `googlenet.vitals.Recorder`. None if nothing was.
    damage : list of str
        What cannot be read, a sentence each.
    """

    path: Path
    state: str = "finished"
    recipe: Recipe | None = None
    classes: int = 0
    epochs: list[dict[str, float]] = field(default_factory=list)
    vitals: dict[str, Any] | None = None
    damage: list[str] = field(default_factory=list)
