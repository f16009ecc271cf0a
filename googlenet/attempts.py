"""What goes on beside a training, and may fail without harm to it."""

from collections.abc import Callable
from typing import Any

import minigrad
from googlenet.labels import Warn


class Attempts:
    """Does things that may fail. After the first failure, which is warned of, nothing more is done.

    Parameters
    ----------
    warn : callable
        Told of the failure.
    kind : str
        Of the warning.
    then : str
        What follows of a failure, before the error itself: "Nothing more is recorded".

    Attributes
    ----------
    going : bool
        Whether nothing has failed yet.

    Examples
    --------
    >>> attempts = Attempts(lambda kind, text: print(text), "notes", "Nothing more is noted")
    >>> attempts(lambda: open("/there/is/no/such/folder/notes", "w"))
    Nothing more is noted: [Errno 2] No such file or directory: '/there/is/no/such/folder/notes'
    >>> attempts(lambda: print("noted"))
    >>> attempts.going
    False
    """

    def __init__(self, warn: Warn, kind: str, then: str) -> None:
        self.warn, self.kind, self.then = warn, kind, then
        self.going = True

    def __call__(self, action: Callable[[], Any]) -> None:
        """Do something, if nothing has failed yet."""
        if not self.going:
            return
        try:
            action()
        except (OSError, ValueError, MemoryError, minigrad.DeviceError) as error:
            self.going = False
            self.warn(self.kind, f"{self.then}: {error}")
