"""One thing that is wrong with a run."""

from dataclasses import asdict, dataclass, field
from typing import Any

# In order of importance. Remarks are worth knowing, and no reason to call a run ill.
SEVERITIES = ("serious", "warning", "remark")


@dataclass(frozen=True)
class Finding:
    """What is wrong, how that is known, and what to do.

    Attributes
    ----------
    kind : str
        One word for programs: "stuck", "dead", "overfitting", …
    severity : {"serious", "warning", "remark"}
    title, evidence, cure : str
        A sentence each; the evidence has the numbers, the cure the options of ``googlenet train``.
        A cure may be empty.
    numbers : dict
        Those of the evidence, for programs.
    epoch : float, optional
        Where in the run it is seen, in epochs since its start, if it is at one place.
    """

    kind: str
    severity: str
    title: str
    evidence: str
    cure: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    epoch: float | None = None

    @property
    def ill(self) -> bool:
        """Whether it is more than a remark."""
        return self.severity != "remark"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return asdict(self)
