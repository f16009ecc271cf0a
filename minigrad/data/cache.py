"""Where files that were downloaded are kept."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(name: str) -> Path:
    """Return the folder of a dataset in ``$XDG_CACHE_HOME``, or in ``~/.cache``.

    Raises
    ------
    RuntimeError
        When there is no such variable and no home either.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "minigrad" / name
