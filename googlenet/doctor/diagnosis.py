"""All that is wrong with a run, the most important first."""

from collections.abc import Iterable

from googlenet.doctor import inside, outside
from googlenet.doctor.case import Case
from googlenet.doctor.finding import SEVERITIES, Finding

# Causes stand before what they may cause.
CHECKS = (
    outside.damaged, outside.not_finite, inside.activations, inside.gradients, inside.update_ratio,
    outside.diverged, outside.spikes, outside.stuck, outside.collapsed, inside.dead_heads,
    inside.dead_relus, outside.below_guessing, outside.heads_ahead, outside.underfitting,
    outside.overfitting, outside.vague_test, inside.heads_help, outside.young, outside.unfinished,
)  # fmt: skip

# What follows from something else is not said beside it.
IMPLIED = {
    "not-finite": {"diverged", "spikes", "underfitting", "overfitting"},
    "diverged": {"spikes", "underfitting", "overfitting", "noisy-test", "heads-ahead"},
    "collapsed": {"constant", "overfitting", "noisy-test", "heads-idle"},
    "activation-vanishing": {"rate-high", "heads-idle"},
    "gradient-vanishing": {"rate-high", "heads-idle"},
    "stuck": {"heads-idle"},
}
IMPLIED_BY_STUCK_MAIN = {"collapsed", "constant", "heads-ahead", "overfitting", "noisy-test"}


def diagnose(case: Case) -> list[Finding]:
    """Say what is wrong with a run.

    Parameters
    ----------
    case : Case

    Returns
    -------
    list of Finding
        Serious ones first, remarks last, and among equals the causes before what they may cause.
    """
    found = [finding for check in CHECKS for finding in check(case)]
    implied = _implied(found)
    return sorted(
        (finding for finding in found if finding.kind not in implied),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )


def _implied(found: Iterable[Finding]) -> set[str]:
    """Return the kinds of findings that follow from others."""
    kinds: set[str] = set()
    for finding in found:
        kinds |= IMPLIED.get(finding.kind, set())
        if finding.kind == "stuck" and "logits" in finding.numbers["heads"]:
            kinds |= IMPLIED_BY_STUCK_MAIN
    return kinds
