"""How errors and names are put into words, for a screen."""


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


def printable(name: str) -> str:
    r"""Return a name as text for a screen: a file may be called anything.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb\nc·ü"))
    a\x1b[2Jb\nc·ü
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
