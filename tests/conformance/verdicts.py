"""A judge's case has passed, has failed, or is left out for a reason that can be counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numba
import pytest

SMALL = 4000  # numbers in the inputs: up to here plain Python loops are fast enough


class LeftOut(Exception):  # noqa: N818 — it is no error
    """What a case asks for is not among the options of our operation: says what that is.

    Raised, it leaves out the case. Returned in the place of an output, it leaves out that output
    and the rest of the case is judged.
    """

    @property
    def reason(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Verdict:
    """What came of one case: it was left out, it failed with an error, or else it has passed."""

    operation: str
    case: str
    left_out: str | None = None
    parts_left_out: tuple[str, ...] = ()
    error: Exception | None = None

    def show(self) -> None:
        """Tell pytest."""
        if self.error is not None:
            raise self.error
        if self.left_out is not None:
            pytest.skip(self.left_out)


def judge(operation: str, case: str, check: Callable[[], Iterable[LeftOut]]) -> Verdict:
    """Run `check`, which raises if ours is wrong and gives the outputs it had to leave out."""
    try:
        parts = tuple(sorted({part.reason for part in check()}))
    except LeftOut as left_out:
        return Verdict(operation, case, left_out=left_out.reason)
    except Exception as error:
        return Verdict(operation, case, error=error)
    return Verdict(operation, case, parts_left_out=parts)


def rungs(numbers: int, has_rungs: bool) -> Iterator[str]:
    """Name the rungs to run a case on, those that are fast enough for inputs of so many numbers.

    What has no rungs runs once, under the name of the default.
    """
    small = numbers <= SMALL
    if small or not has_rungs or not numba.config.DISABLE_JIT:
        yield "cpu"
    if has_rungs:
        yield "vectorized"
        if small:
            yield "naive"


@dataclass(frozen=True)
class Tally:
    """What came of all cases of one operation."""

    cases: int
    passed: int
    left_out: Counter[str]
    parts_left_out: Counter[str]


def tally(verdicts: Iterable[Verdict]) -> dict[str, Tally]:
    """Count by operation, in alphabetical order."""
    by_operation: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_operation.setdefault(verdict.operation, []).append(verdict)
    return {
        operation: Tally(
            len(some),
            sum(v.left_out is None and v.error is None for v in some),
            Counter(v.left_out for v in some if v.left_out is not None),
            Counter(part for v in some for part in v.parts_left_out),
        )
        for operation, some in sorted(by_operation.items())
    }


def assert_as_pinned(
    verdicts: Iterable[Verdict],
    cases: dict[str, int],
    left_out: dict[str, dict[str, int]],
    parts_left_out: dict[str, dict[str, int]],
) -> None:
    """Insist that the judge has these cases, and that those left out are these and no others."""
    found = tally(verdicts)
    assert {operation: t.cases for operation, t in found.items()} == cases
    assert {o: dict(t.left_out) for o, t in found.items() if t.left_out} == left_out
    assert {o: dict(t.parts_left_out) for o, t in found.items() if t.parts_left_out} == (
        parts_left_out
    )
