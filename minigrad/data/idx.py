"""Read and write IDX, the file format of MNIST and its descendants.

An IDX file is a header of big-endian numbers followed by the bytes of one array, compressed with
gzip::

    0  0  code  axes        two zero bytes, the element type, the number of axes
    length of axis 0        four bytes
    ...
    length of the last axis four bytes
    the elements            row by row, the last axis fastest

The format was published with MNIST by LeCun, Cortes and Burges (1998). A file is not trusted: the
header must account for every byte that follows, and no more than a stated number of bytes is ever
decompressed.
"""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

__all__ = ["read_idx", "write_idx"]

# The element types of the format, by their code in the header.
DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MOST_AXES = 32


def read_idx(path: str | os.PathLike[str], max_bytes: int = 2**30) -> np.ndarray:
    """Return the array held by the gzip IDX file at `path`.

    Parameters
    ----------
    path
        The file.
    max_bytes
        The largest array accepted, in bytes; the 60,000 images of Fashion-MNIST take 47 million.

    Returns
    -------
    array
        Shape and element type as the header says, in the byte order of this machine.

    Raises
    ------
    ValueError
        When the file is not a gzip IDX file, is cut short, damaged or too long, or holds more than
        `max_bytes`. The sentence names the file.
    OSError
        When the file cannot be opened or read, for instance because it is not there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(folder + "/labels.gz", np.array([9, 0, 3], np.uint8))
    ...     read_idx(folder + "/labels.gz")
    array([9, 0, 3], dtype=uint8)
    """
    with gzip.open(path, "rb") as file:
        try:
            return _read_array(file, path, max_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"read_idx: {path} is not a whole gzip file: {error}") from error


def _read_array(file: gzip.GzipFile, path: str | os.PathLike[str], max_bytes: int) -> np.ndarray:
    magic = _read_exactly(file, 4, path)
    code, axes = magic[2], magic[3]
    if magic[:2] != b"\0\0" or code not in DTYPES or not 1 <= axes <= MOST_AXES:
        raise ValueError(
            f"read_idx: {path} starts with the bytes {magic.hex(' ')}, but an IDX file starts with "
            f"00 00, an element type out of {', '.join(f'{known:02x}' for known in DTYPES)}, and "
            f"a number of axes from 1 to {MOST_AXES}"
        )

    dtype = DTYPES[code]
    shape = tuple(np.frombuffer(_read_exactly(file, 4 * axes, path), ">u4").tolist())
    size = math.prod(shape) * dtype.itemsize
    # An empty axis must not hide an absurd one: NumPy refuses the shape (0, 2**32 - 1, 2**32 - 1).
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > max_bytes:
        raise ValueError(
            f"read_idx: {path} announces an array of shape {shape} and type {dtype.name}, more "
            f"than the {max_bytes:,} bytes that max_bytes allows"
        )

    elements = _read_exactly(file, size, path)
    if file.read(1):
        raise ValueError(
            f"read_idx: {path} goes on after the {size:,} bytes of its array of shape {shape} and "
            f"type {dtype.name}"
        )
    return np.frombuffer(elements, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_exactly(file: gzip.GzipFile, size: int, path: str | os.PathLike[str]) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(
            f"read_idx: {path} ends early: {size:,} bytes were needed, {len(data):,} were left"
        )
    return data


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write `array` to `path` as a gzip IDX file.

    The same array gives the same bytes: the gzip header carries neither a time nor a name. The file
    is written aside and then renamed, so `path` holds either its old content or all of the new.

    Parameters
    ----------
    path
        The file to create or replace.
    array
        1 to 32 axes of uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    ValueError
        When the format has no place for such an array.
    """
    codes = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None or not 1 <= array.ndim <= MOST_AXES or max(array.shape) >= 2**32:
        raise ValueError(
            f"write_idx: array has shape {array.shape} and type {array.dtype.name}, but IDX holds "
            f"1 to {MOST_AXES} axes of {', '.join(dtype.name for dtype in DTYPES.values())}, each "
            f"shorter than 2**32"
        )

    target = Path(path)
    aside = target.with_name(target.name + ".part")
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    try:
        with (
            aside.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed,
        ):
            packed.write(header)
            packed.write(array.astype(DTYPES[code]).tobytes())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
