"""Files of a dataset, out of a folder or out of the ``.tar.gz`` it was published as.

An archive is walked through once, and what is wanted is kept in memory: nothing is unpacked to the
disk, so no name in it can lead anywhere. It is not trusted: only plain files count, each of a
bounded size, and no more than a bounded number of bytes is ever decompressed.
"""

import gzip
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["first_name", "read_files"]

MOST_BYTES = 2**28  # of a file, and of an archive unpacked; the largest published one has 185 MB
# What `tarfile` lets out besides its own: of notes that are no numbers, or in a chain without end.
TRIPPED = EOFError, ValueError, ArithmeticError, LookupError, RecursionError


class _TooLargeError(ValueError):
    """There is more in a file than is read."""


def read_files(place: Path, folder: str, names: Collection[str]) -> dict[str, bytes]:
    """Return the content of files by their names.

    Parameters
    ----------
    place
        A folder in which they lie, or an archive in which they lie in `folder`.
    folder
        How that folder is called in the archive.
    names
        The names of the files.

    Raises
    ------
    FileNotFoundError
        When one of them is not there.
    ValueError
        When the archive is damaged or cut short, or a file too large.
    """
    if place.is_dir():
        return {name: _read(place / name) for name in names}
    wanted = {f"{folder}/{name}": name for name in names}
    found: dict[str, bytes] = {}
    with _opened(place) as archive:
        for member in archive:
            name = wanted.pop(_path(member), None) if member.isreg() else None
            if name is None:
                continue
            if member.size > MOST_BYTES:
                raise _too_large(f"{str(place)!r}: {name}", member.size)
            content = archive.extractfile(member)
            assert content is not None  # of a plain file there is always one
            found[name] = content.read()
            if len(found[name]) != member.size:
                raise EOFError(f"{name} is cut short")
            if not wanted:
                return found
    raise FileNotFoundError(
        f"there is no file {next(iter(wanted))!r} in the archive {str(place)!r}"
    )


def first_name(place: Path) -> str:
    """Return the name of the folder or file that an archive begins with; "" if it is empty."""
    with _opened(place) as archive:
        member = archive.next()
        return "" if member is None else _path(member).split("/")[0]


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {str(file)!r}")
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise _too_large(repr(str(file)), size)
    return file.read_bytes()


def _too_large(what: str, size: int) -> _TooLargeError:
    return _TooLargeError(
        f"{what} has {size:,} bytes, more than the {MOST_BYTES:,} that such a file may have"
    )


@contextmanager
def _opened(place: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive to walk through it; whatever its parsers trip over, the file is at fault."""
    with gzip.open(place, "rb") as file:
        try:
            with tarfile.open(fileobj=_Bounded(file, place), mode="r|") as archive:  # type: ignore
                yield archive
        except _TooLargeError:
            raise
        except (*TRIPPED, tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{str(place)!r} is no .tar.gz archive, or damaged or cut short: {error}"
            ) from error


class _Bounded:
    """A file of which no more than `MOST_BYTES` can be read: a few bytes unpack to any number."""

    def __init__(self, file: gzip.GzipFile, place: Path) -> None:
        self._file, self._place, self._left = file, place, MOST_BYTES

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _TooLargeError(
                f"{str(self._place)!r} unpacks to more than the {MOST_BYTES:,} bytes that such an "
                "archive may have"
            )
        return data
