"""Doing something as often as a share of the time allows."""

import time
from collections.abc import Callable


class Pace:
    """Tells when something may be done again, so that it takes no more than its share of the time.

    Parameters
    ----------
    share : float
        Of the time, at most.
    least : float
        Seconds from one time to the next, at least.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> pace = Pace(0.01, least=1.0, clock=lambda: now[0])
    >>> pace.begin()
    >>> now[0] = 0.5  # half a second it took: the next may come after 50
    >>> pace.end()
    >>> now[0] = 50.0
    >>> pace.due()
    False
    >>> now[0] = 50.5
    >>> pace.due()
    True
    """

    def __init__(
        self, share: float, least: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.share, self.least, self.clock = share, least, clock
        self._begun = self._next = -float("inf")

    def due(self) -> bool:
        """Tell whether it may be done now."""
        return self.clock() >= self._next

    def begin(self) -> None:
        """Be told that it begins."""
        self._begun = self.clock()

    def end(self) -> None:
        """Be told that it is done."""
        now = self.clock()
        self._next = now + max(self.least, (now - self._begun) / self.share)
