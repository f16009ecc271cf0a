"""GoogLeNet and its layers on a GPU, beside PyTorch: ``python -m benchmarks --only gpu``.

In parts, for a machine that is lent for minutes: ``--only gpu-training --precision float16``.
"""

import minigrad
from benchmarks.options import Options
from benchmarks.peers import MISSING, torch
from benchmarks.report import Column, Table

PEER = "cuda"  # where PyTorch computes
NONE = (
    "No GPU here: minigrad.cuda.is_available() is False. Where there is one, "
    "`python -m benchmarks --only gpu` fills these tables."
)


def is_there() -> bool:
    """Tell whether there is a GPU to measure."""
    return minigrad.cuda.is_available()


def nothing(options: Options, section: str) -> list[Table]:
    """Return a table that says that there is no GPU, unless an earlier section has said so."""
    if any(name.startswith("gpu") for name in options.done):
        return []
    return [Table(section, "On a GPU", (Column("side", "side"),), notes=[NONE])]


def missing() -> list[str]:
    """Say that the peer is missing, if it is."""
    return [] if torch else [MISSING]
