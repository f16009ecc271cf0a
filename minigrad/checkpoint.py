"""Saving and loading: files that are written whole or not at all, and looked at before use.

Arrays go into safetensors files, all else into JSON: names, shapes, dtypes, numbers and text, and
no code. Nothing is pickled. Each file carries the version of its format and a checksum, so that one
that was damaged, or written by a later version, is refused and not misunderstood.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from minigrad import device

FORMAT = 1  # of what is written here
CHECKSUM, VERSION = "sha256", "format"
OURS = "minigrad"  # what our metadata is called: one text, since the order of several is by chance


def save(
    path: str | Path, state: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a `state_dict` to a safetensors file.

    Parameters
    ----------
    path : path
    state : mapping of name to array
        On any device: the file is the same.
    metadata : mapping of str to str, optional
        Kept in the file's header.

    Raises
    ------
    OSError
        If it cannot be written; what was there before still is.
    """
    # Not np.ascontiguousarray: it would give a single number an axis.
    arrays = {n: np.asarray(device.put(a, "cpu"), order="C") for n, a in state.items()}
    known = {VERSION: FORMAT, "metadata": dict(metadata or {})}
    text = json.dumps({**known, CHECKSUM: _digest(arrays, known)})
    write_whole(path, to_bytes(arrays, {OURS: text}))


def load(path: str | Path, foreign: bool = False) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save` wrote: (state, metadata).

    Parameters
    ----------
    path : path
    foreign : bool
        Also take a safetensors file of somebody else, which has no checksum of ours.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file, or not as it was written.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load: there is no file {str(path)!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except OSError:
        raise
    except Exception as error:  # damaged headers give errors of many kinds
        raise ValueError(f"load: {str(path)!r} is not a whole safetensors file ({error})") from None
    if foreign and OURS not in metadata:
        return state, metadata
    known = _object("load", path, metadata.get(OURS, "{}"))
    _check_version("load", path, known.get(VERSION))
    checksum = known.pop(CHECKSUM, None)
    if checksum != _digest(state, known):
        raise ValueError(_damaged("load", path, checksum))
    found = known.get("metadata")
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f"load: {str(path)!r} has no metadata: it is none of ours, or damaged")
    return state, found


def save_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, with its format and checksum.

    Raises
    ------
    OSError
        If it cannot be written; what was there before still is.
    """
    known = {**content, VERSION: FORMAT}
    text = json.dumps({**known, CHECKSUM: _digest_of_json(known)}, indent=2, ensure_ascii=False)
    write_whole(path, (text + "\n").encode())


def load_json(path: str | Path) -> dict[str, Any]:
    """Read what `save_json` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or not as it was written.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load_json: there is no file {str(path)!r}")
    content = _object("load_json", path, path.read_bytes())
    _check_version("load_json", path, content.get(VERSION))
    checksum = content.pop(CHECKSUM, None)
    if checksum != _digest_of_json(content):
        raise ValueError(_damaged("load_json", path, checksum))
    content.pop(VERSION)
    return content


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part.

    The content is written aside, forced to the disk, and renamed; the folder's new entry is forced
    to the disk too.

    Raises
    ------
    OSError
        If it cannot be written; what was there before still is.
    """
    path = Path(path)
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        _force_entries(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f"the disk is full: {len(content) / 2**20:.1f} MiB for {str(path)!r} do not fit. "
                "What was written before is whole",
            ) from None
        raise


def _force_entries(folder: Path) -> None:
    """Force a folder's list of files to the disk: else a crash may forget that one was renamed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _object(name: str, path: Path, text: str | bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {str(path)!r} is not whole JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name}: {str(path)!r} holds no JSON object")
    return content


def _digest(arrays: Mapping[str, np.ndarray], known: Mapping[str, Any]) -> str:
    """Sum up names, dtypes, shapes and numbers of all arrays, and what is known of them."""
    checksum = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        checksum.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        checksum.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return checksum.hexdigest()


def _digest_of_json(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_version(name: str, path: Path, version: Any) -> None:
    try:
        written = int(version)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{name}: {str(path)!r} does not say its format: it is none of ours, or damaged"
        ) from None
    if written > FORMAT:
        raise ValueError(
            f"{name}: {str(path)!r} was written by a newer version (format {written}; this one "
            f"reads up to {FORMAT}): upgrade minigrad"
        )


def _damaged(name: str, path: Path, checksum: Any) -> str:
    if checksum is None:
        return f"{name}: {str(path)!r} has no checksum: it is none of ours, or damaged"
    return f"{name}: {str(path)!r} is damaged: it is not what its checksum says was written"


def _umask() -> int:
    """Return the process's umask (which can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
