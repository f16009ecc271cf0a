"""All that is wrong with a run, the most important first."""

from googlenet.doctor import inside, outside
from googlenet.doctor.case import Case
from googlenet.doctor.finding import SEVERITIES, Finding

# What follows from something else is not said beside it.
IMPLIED = {
    "not-finite": {"diverged", "spikes", "underfitting", "overfitting"},
    "diverged": {"spikes", "underfitting", "overfitting", "noisy-test", "heads-ahead"},
    "collapsed": {"constant", "overfitting", "noisy-test"},
}


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
    found = [each for check in (*outside.CHECKS, *inside.CHECKS) for each in check(case)]
    implied = set().union(*(IMPLIED.get(each.kind, set()) for each in found))
    return sorted(
        (each for each in found if each.kind not in implied),
        key=lambda each: SEVERITIES.index(each.severity),
    )
