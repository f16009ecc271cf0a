"""Print what the judges judge: ``python -m tests.conformance.report``.

One table for each judge and one line for each operation: how many cases it has, how many of them
ours passes, and how many are left out and why. A reason in brackets leaves out one output of a
case, and the rest is judged. Ends with an error if a case fails.
"""

import sys
import warnings
from collections.abc import Iterable
from importlib.util import find_spec

from tests.conformance import onnx_cases, torch_samples
from tests.conformance.verdicts import Tally, Verdict, tally

JUDGES = {
    "ONNX node cases": (("onnx",), onnx_cases.cases, onnx_cases.verdict),
    "PyTorch sample inputs": (
        ("torch", "expecttest"),
        torch_samples.samples,
        torch_samples.verdict,
    ),
}


def table(title: str, tallies: dict[str, Tally]) -> str:
    """Write the table.

    >>> from collections import Counter
    >>> relu = Tally(3, 2, Counter({"float16": 1}), Counter({"mask": 2}))
    >>> print(table("A judge", {"relu": relu}))
    A judge
    operation  cases  passed  left out
    relu           3       2  1: float16; (2: mask)
    1 in all       3       2  1
    """
    width = max(len("operation"), *map(len, tallies))
    lines = [title, f"{'operation':{width}}  cases  passed  left out"]
    for operation, t in tallies.items():
        reasons = [f"{n}: {reason}" for reason, n in sorted(t.left_out.items())]
        reasons += [f"({n}: {reason})" for reason, n in sorted(t.parts_left_out.items())]
        line = f"{operation:{width}}  {t.cases:5}  {t.passed:6}  {'; '.join(reasons)}"
        lines.append(line.rstrip())
    cases, passed = (
        sum(getattr(t, what) for t in tallies.values()) for what in ("cases", "passed")
    )
    left_out = sum(t.left_out.total() for t in tallies.values())
    lines.append(f"{f'{len(tallies)} in all':{width}}  {cases:5}  {passed:6}  {left_out}")
    return "\n".join(lines)


def failures(verdicts: Iterable[Verdict]) -> list[str]:
    return [f"FAILED {v.case}: {v.error!r}" for v in verdicts if v.error is not None]


def main() -> int:
    """Print the tables; return 1 if a case fails, else 0."""
    failed: list[str] = []
    for title, (needs, cases, verdict) in JUDGES.items():
        missing = [package for package in needs if find_spec(package) is None]
        if missing:
            print(f"{title}: not run, {' and '.join(missing)} not installed\n")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the logarithm of 0, as some cases want it
            verdicts = [verdict(name) for name in cases()]
        print(table(title, tally(verdicts)), "\n")
        failed += failures(verdicts)
    print("\n".join(failed) or "Nothing failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
