"""Fetching a published file: verified, continued after an interruption, never half there.

What arrives is written to ``name.part`` beside its destination. Only when the whole file has the
expected SHA-256 is it synced to the disk and renamed, so that the name holds all of the file or
does not exist. A ``.part`` that an interrupted run left is continued where it ends. (pooch, the
usual library for this, starts such a file again.)
"""

import fcntl
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import FileIO
from pathlib import Path

__all__ = ["DownloadError", "Progress", "download"]

CHUNK = 2**18  # bytes
MOST_CUTS = 100  # of one address, each after new bytes
# OSError: refused, reset, timed out, no such host. ValueError: an address that cannot be one, to
# which a server may send us.
NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)

Progress = Callable[[str, int, int], object]  # name, bytes so far, bytes in all


class DownloadError(OSError):
    """A file could not be fetched. The sentence names it and what each address answered."""


def download(
    urls: Sequence[str],
    path: str | os.PathLike[str],
    size: int,
    sha256: str,
    progress: Progress | None = None,
    timeout: float = 20,
) -> Path:
    """Fetch a file, unless it is there already.

    Of several processes that want the same file one fetches it, and the others wait.

    Parameters
    ----------
    urls
        Where it can be had over http or https, the best address first. One that breaks off is asked
        again for the rest as long as it brings new bytes; then the next one goes on.
    path
        Where it goes. Missing folders are made.
    size, sha256
        Its length in bytes and its checksum in hexadecimal digits, which alone decide whether it is
        the right file.
    progress
        Called as ``progress(name, bytes so far, bytes in all)`` after every piece.
    timeout
        Seconds without a byte after which an address is given up.

    Returns
    -------
    path

    Raises
    ------
    DownloadError
        When no address has the right file, or it cannot be written. What has arrived of it is kept
        in ``name.part``, and the next call continues there.
    """
    path = Path(path)
    wanted = _Wanted(path.name, size, sha256, progress, timeout)
    try:
        if wanted.is_all_of(path):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.with_name(path.name + ".part")) as part:
            if not wanted.is_all_of(path):  # another process may have been faster
                _fetch(part, urls, wanted)
                os.fsync(part.fileno())
                os.replace(part.name, path)
                _sync_folder(path.parent)
    except DownloadError as error:
        raise DownloadError(f"download: {str(path)!r} could not be fetched: {error}") from None
    except OSError as error:
        raise DownloadError(
            f"download: {str(path)!r} ({size:,} bytes) could not be written: {error.strerror}; "
            f"what has arrived is kept, and the next try continues there"
        ) from error
    return path


@dataclass
class _Wanted:
    """The file that is wanted, and how to go about it."""

    name: str
    size: int
    sha256: str
    progress: Progress | None
    timeout: float

    def is_all_of(self, path: Path) -> bool:
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with open(path, "rb", buffering=0) as file:
            return self.matches(file)

    def matches(self, file: FileIO) -> bool:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def _fetch(part: FileIO, urls: Sequence[str], wanted: _Wanted) -> None:
    """Fill `part` with the right file, from wherever it can be had."""
    troubles = []
    for url in urls:
        trouble = _take_all(part, url, wanted)
        if not trouble:
            return
        troubles.append(f"{url} {trouble}")
    raise DownloadError("; ".join(troubles))


def _take_all(part: FileIO, url: str, wanted: _Wanted) -> str:
    """Go on with one address until the file is right; otherwise return what is the trouble."""
    furthest = _length(part)
    afresh = furthest == 0
    for _ in range(MOST_CUTS):
        trouble = _append(part, url, wanted) if _length(part) < wanted.size else ""
        if not trouble:
            if wanted.matches(part):
                return ""
            part.truncate(0)
            trouble = f"sends a file whose SHA-256 is not {wanted.sha256}"
        have = _length(part)
        if have == 0 and not afresh:  # what an earlier run left may have been at fault
            afresh = True
        elif have <= furthest:
            return trouble
        furthest = have
    return "breaks off again and again"


def _append(part: FileIO, url: str, wanted: _Wanted) -> str:
    """Ask one address once for what is missing in `part`; return what went wrong, if anything."""
    have = _length(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=wanted.timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.truncate(0)
        return f"answers {error.code} {error.reason}"
    except NETWORK_ERRORS as error:
        return f"cannot be reached: {_reason(error)}"
    with response:
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not (response.status == HTTPStatus.PARTIAL_CONTENT and goes_on):
            if response.status != HTTPStatus.OK:
                return f"answers {response.status}, and not with what was asked for"
            part.truncate(0)  # it sends all of the file
            have = 0
        while have <= wanted.size:
            try:
                piece = response.read(min(CHUNK, wanted.size + 1 - have))
            except NETWORK_ERRORS as error:
                return f"breaks off after {have:,} of {wanted.size:,} bytes: {_reason(error)}"
            if not piece:
                break
            _write(part, piece)
            have += len(piece)
            if wanted.progress is not None:
                wanted.progress(wanted.name, have, wanted.size)
    if have > wanted.size:
        part.truncate(0)
        return f"sends more than the {wanted.size:,} bytes of the file"
    return f"breaks off after {have:,} of {wanted.size:,} bytes" if have < wanted.size else ""


@contextmanager
def _alone(path: Path) -> Iterator[FileIO]:
    """Open a file to append to, once no other process has it open in this way.

    What is empty in the end is removed.
    """
    while True:
        with open(path, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file, path):  # it was renamed or removed while we waited
                continue
            try:
                yield file
            finally:
                if _is_at(file, path) and _length(file) == 0:
                    os.unlink(path)
            return


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _length(file: FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it: a raw file may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)
