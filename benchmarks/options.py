"""What the command line asked for, as the sections see it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Options:
    """
    Attributes
    ----------
    rounds : int or None
        Turns of each side; None leaves it to the section.
    quick : bool
        Few rounds and small batches, to try the program: the figures mean little.
    compiled : bool
        Whether to time ``torch.compile`` too.
    batch : int
        Images in the batch of the sections that look at single layers.
    asked_batch : int or None
        The same, None if it was not asked for: the sections of the GPU choose their own.
    precisions : tuple of str
        Names of those that a GPU is measured in; empty for all.
    threads : int
    plots : Path
        Beginning of the names of pictures, without their suffix.
    done : dict
        Rows of the tables finished so far, by table: for the sections that draw them.
    """

    rounds: int | None = None
    quick: bool = False
    compiled: bool = False
    batch: int = 8
    threads: int = 1
    plots: Path = Path("plots")
    asked_batch: int | None = None
    precisions: tuple[str, ...] = ()
    done: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def turns(self, usual: int) -> int:
        """Return how many turns to take where `usual` many are usual."""
        return self.rounds or (2 if self.quick else usual)
