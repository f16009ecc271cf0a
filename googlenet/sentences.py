"""How errors and names are put into words, for a screen, and numbers into JSON."""

import math
from typing import Any


def sentence(error: BaseException) -> str:
    """Say in one sentence what went wrong, and with which file.

    Examples
    --------
    >>> sentence(PermissionError(13, "Permission denied", "runs/one"))
    "'runs/one': Permission denied"
    """
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}"
    return str(error)


def in_one_line(error: Exception, most: int = 2) -> str:
    r"""Say what an error says over several lines in one: its first lines, and how many more.

    Examples
    --------
    >>> in_one_line(ValueError("does not fit:\n  missing: a\n  missing: b\n  missing: c"))
    'does not fit: missing: a, missing: b, and 1 more'
    """
    head, *lines = (line.strip() for line in str(error).splitlines() or [""])
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return " ".join([head, ", ".join(lines[:most] + more)]).strip()


def printable(name: str) -> str:
    r"""Return a name as text for a screen: a file may be called anything.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb\nc·ü"))
    a\x1b[2Jb\nc·ü
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def finite(value: Any) -> Any:
    """Put None in the place of numbers that JSON does not know.

    Examples
    --------
    >>> finite({"loss": [1.5, float("nan")], "epochs": 3})
    {'loss': [1.5, None], 'epochs': 3}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value
