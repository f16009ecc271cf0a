"""Accounts: what a ledger holds, added up and laid out."""

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minigrad.graph.recorded import bytes_text, shape_text
from minigrad.graph.tables import table

HEADINGS = (
    "operations", "multiply-adds forward", "backward", "bytes of outputs", "kept", "time forward",
    "backward", "share",
)  # fmt: skip


class Account(NamedTuple):
    """What something costs.

    Attributes
    ----------
    operations : int
    forward_adds, backward_adds : int
        Multiply-adds, of the whole batch.
    output_bytes : int
        Of the arrays that operations return.
    kept_bytes : int
        Of the arrays that wait for backward, each counted where it is kept first.
    forward_s, backward_s : float
        Seconds, medians.
    """

    operations: int
    forward_adds: int
    backward_adds: int
    output_bytes: int
    kept_bytes: int
    forward_s: float
    backward_s: float

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward_s + self.backward_s


class Row(NamedTuple):
    """One operation, where it stands, and what it costs.

    Attributes
    ----------
    number : int
        Its place in the recorded graph.
    operation : str
    module : str
        The innermost module that ran it; "" for the model itself.
    stage : str
        The outermost one.
    branch : str
        Which of the ways side by side through the stage, if there are several.
    shape : tuple of int
    account : Account
    """

    number: int
    operation: str
    module: str
    stage: str
    branch: str
    shape: tuple[int, ...]
    account: Account

    @property
    def forward_adds(self) -> int:
        """Multiply-adds forward."""
        return self.account.forward_adds

    @property
    def backward_adds(self) -> int:
        """Multiply-adds backward."""
        return self.account.backward_adds


class Ledger:
    """What every operation of a model costs.

    Attributes
    ----------
    model : str
    batch : tuple of int
        The shape of what the model was given.
    rows : list of Row
        In the order of computation.
    rounds : int
    plain_s, watched_s : (float, float)
        Seconds of a run (forward, backward), without and with a clock inside; medians.
    between_s : float
        Seconds of backward that are in no operation: the walk, and adding up. Median.
    """

    def __init__(
        self,
        model: str,
        batch: tuple[int, ...],
        rows: list[Row],
        rounds: int,
        plain_s: tuple[float, float],
        watched_s: tuple[float, float],
        between_s: float,
    ) -> None:
        self.model, self.batch, self.rows, self.rounds = model, batch, rows, rounds
        self.plain_s, self.watched_s, self.between_s = plain_s, watched_s, between_s

    @property
    def total(self) -> Account:
        """The sum of all operations."""
        return added([row.account for row in self.rows])

    @property
    def overhead(self) -> float:
        """How much longer a run took with clocks inside, as a share: 0.02 is 2 %."""
        return sum(self.watched_s) / sum(self.plain_s) - 1

    def by(self, what: str) -> list[tuple[str, Account]]:
        """Add up operations.

        Parameters
        ----------
        what : {"operation", "branch", "stage", "kind"}
            Each by itself, or those of one branch, of one stage, or of one name together.

        Returns
        -------
        list of (name, Account)
            In the order of computation.
        """
        if what == "operation":
            return [(self._name(row), row.account) for row in self.rows]
        if what not in KEYS:
            raise ValueError(f"by: what must be one of operation, {', '.join(KEYS)}, got {what!r}")
        groups: dict[str, list[Account]] = {}
        for row in self.rows:
            groups.setdefault(KEYS[what](row), []).append(row.account)
        return [(name, added(accounts)) for name, accounts in groups.items()]

    def _name(self, row: Row) -> str:
        where = row.module or row.stage
        return f"{where}: {row.operation} {shape_text(row.shape)}"

    @property
    def note(self) -> str:
        """How times were measured, and what measuring cost."""
        forward, backward = self.plain_s
        return (
            f"batch {shape_text(self.batch)}; medians of {self.rounds}; kept: arrays that wait for "
            f"backward, counted where first kept; a run without clocks inside: forward "
            f"{_time(forward)}, backward {_time(backward)}; clocks cost {self.overhead:+.1%}; "
            f"backward between operations {_time(self.between_s)}"
        )

    def table(self, what: str = "stage") -> Any:
        """Lay the ledger out as a rich table.

        Parameters
        ----------
        what : {"operation", "branch", "stage", "kind"}
        """
        from rich.markup import escape as plain
        from rich.table import Table

        made = Table(title=plain(f"{self.model}, by {what}"), caption=self.note)
        made.add_column(what, no_wrap=True)
        for heading in HEADINGS:
            made.add_column(heading, justify="right")
        for name, account in self.by(what):
            made.add_row(plain(name), *self._cells(account))
        made.add_section()
        made.add_row("total", *self._cells(self.total), style="bold")
        return made

    def _cells(self, account: Account) -> list[str]:
        share = account.seconds / (self.total.seconds or 1.0)
        return [
            str(account.operations),
            f"{account.forward_adds:,}" if account.forward_adds else "",
            f"{account.backward_adds:,}" if account.backward_adds else "",
            bytes_text(account.output_bytes),
            bytes_text(account.kept_bytes) if account.kept_bytes else "",
            _time(account.forward_s),
            _time(account.backward_s),
            f"{share:.1%}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings, lists and dictionaries, as JSON has them."""
        return {
            "model": self.model,
            "batch": list(self.batch),
            "rounds": self.rounds,
            "rows": [
                {
                    **{k: v for k, v in row._asdict().items() if k != "account"},
                    "shape": list(row.shape),
                    **row.account._asdict(),
                }
                for row in self.rows
            ],
            **{
                f"by_{what}": [{what: name, **account._asdict()} for name, account in self.by(what)]
                for what in ("stage", "branch")
            },
            "total": self.total._asdict(),
            "plain_s": list(self.plain_s),
            "watched_s": list(self.watched_s),
            "overhead": self.overhead,
            "between_s": self.between_s,
        }

    def __rich__(self) -> Any:
        return self.table()

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        # In a notebook rich would show the table there and then, and leave the text empty.
        Console(file=text, width=140, force_jupyter=False).print(self.table())
        return text.getvalue()

    def _repr_html_(self) -> str:
        rows = [*self.by("stage"), ("total", self.total)]
        cells = [[name, *self._cells(account)] for name, account in rows]
        return table(("stage", *HEADINGS), cells, f"{self.model}: {self.note}")


def added(accounts: Sequence[Account]) -> Account:
    """Add accounts up."""
    if not accounts:
        return Account(0, 0, 0, 0, 0, 0.0, 0.0)
    return Account(*(sum(column) for column in zip(*accounts, strict=True)))


KEYS: dict[str, Callable[[Row], str]] = {
    "branch": lambda row: f"{row.stage}: {row.branch}" if row.branch else row.stage,
    "stage": lambda row: row.stage,
    "kind": lambda row: row.operation,
}


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.2f} ms" if seconds >= 1e-4 else f"{1e6 * seconds:.0f} µs"
