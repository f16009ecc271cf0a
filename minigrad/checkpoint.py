"""Saving and loading weights: safetensors files, written whole or not at all.

Nothing is pickled: a safetensors file holds names, shapes, dtypes and numbers, and no code.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from minigrad import device


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part.

    The content is written aside, forced to the disk, and renamed.
    """
    path = Path(path)
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
    """
    # Not np.ascontiguousarray: it would give a single number an axis.
    arrays = {n: np.asarray(device.put(a, "cpu"), order="C") for n, a in state.items()}
    write_whole(path, to_bytes(arrays, dict(metadata) if metadata else None))


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save` wrote: (state, metadata).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load: there is no file {str(path)!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"load: {str(path)!r} is not a whole safetensors file ({error})") from None


def _umask() -> int:
    """Return the process's umask (which can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
