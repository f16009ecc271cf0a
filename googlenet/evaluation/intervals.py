"""How sure a share is: Wilson's interval, and McNemar's exact test for two on the same pictures.

Sources
-------
- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
  the American Statistical Association 22 (1927).
- Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
  percentages", Psychometrika 12 (1947); exact, by the binomial distribution.
"""

import math
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Comparison", "compared", "mcnemar", "wilson"]

Z = 1.959963984540054  # 97.5 % of a standard normal distribution lie below


def wilson(right: int, total: int, z: float = Z) -> tuple[float, float]:
    r"""Return Wilson's interval for a share of which `right` of `total` were seen.

    Were the true share p, the share p̂ that n pictures show would scatter about it with variance
    p(1 − p)/n. The interval holds every p from which p̂ is no farther than z standard deviations::

        (p̂ − p)² ≤ z² p(1 − p)/n

    which is quadratic in p. Its two roots are the ends::

        (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n)

    They lie in [0, 1] also where all or none were right, where the interval by p̂'s own variance
    would shrink to a point.

    Parameters
    ----------
    right, total : int
        Pictures.
    z : float
        Standard deviations; the default is for 95 %.

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If `total` is not positive, or `right` not from 0 to `total`.

    Examples
    --------
    >>> low, high = wilson(81, 263)  # the example of Newcombe (1998), table I: 0.2553 to 0.3662
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if total < 1 or not 0 <= right <= total:
        raise ValueError(
            f"wilson: right must lie from 0 to total, and total be at least 1, got {right!r} of "
            f"{total!r}"
        )
    share = right / total
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    middle, scale = share + z**2 / (2 * total), 1 + z**2 / total
    low = 0.0 if right == 0 else (middle - spread) / scale
    high = 1.0 if right == total else (middle + spread) / scale
    return low, high


def mcnemar(better: int, worse: int) -> float:
    """Return how probable a difference so large would be between two that are equally good.

    Pictures on which both are right, or both wrong, say nothing of which is better. On each of the
    others one is right; were they equally good, it would be either with probability 1/2. So the
    number on which the first is right follows a binomial distribution, and p is the probability of
    what is at least as far from its middle, on both sides: twice the tail, and at most 1.

    Parameters
    ----------
    better, worse : int
        Pictures on which the first is right and the second wrong, and the other way round.

    Examples
    --------
    >>> mcnemar(1, 5)  # 2 · (1 + 6) / 64
    0.21875
    >>> mcnemar(3, 3)
    1.0
    """
    if min(better, worse) < 0:
        raise ValueError(f"mcnemar: counts must be 0 or more, got {better!r} and {worse!r}")
    total, term, tail = better + worse, 1, 0
    for k in range(min(better, worse) + 1):  # whole numbers: exact, however many pictures
        tail += term
        term = term * (total - k) // (k + 1)
    return min(1.0, 2 * tail / 2**total)


class Comparison(NamedTuple):
    """How much better one is than another, on the same pictures.

    Attributes
    ----------
    difference : float
        Of the shares that are right, the first less the second.
    better, worse : int
        Pictures on which only the first is right, and only the second.
    p : float
        See `mcnemar`.
    """

    difference: float
    better: int
    worse: int
    p: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self._asdict()


def compared(first: np.ndarray, second: np.ndarray) -> Comparison:
    """Compare which pictures two got right.

    Parameters
    ----------
    first, second : array (N,) of bool
        Whether each picture was right.

    Examples
    --------
    >>> compared(np.array([True, True, True, False]), np.array([True, False, False, False]))
    Comparison(difference=0.5, better=2, worse=0, p=0.5)
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            f"compared: two arrays of one length, at least 1, were needed, got shapes "
            f"{first.shape} and {second.shape}"
        )
    better, worse = int((first & ~second).sum()), int((second & ~first).sum())
    return Comparison((better - worse) / len(first), better, worse, mcnemar(better, worse))
