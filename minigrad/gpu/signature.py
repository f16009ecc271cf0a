"""What a kernel takes, read from its source: a wrong argument is an error, and not a crash."""

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np

KERNEL = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)\s*\{')
PARAMETER = re.compile(r"(const )?([\w ]+?)\s*(\*?)\s*(?:__restrict__ )?(\w+)")
NUMBERS = {"Index": np.int64, "Bits": np.uint64}  # by value, besides Real and Sum
POINTED = {
    "Index": np.int64, "Bits": np.uint64, "unsigned char": np.uint8, "int": np.int32,
    "bool": np.bool_, "double": np.float64,
}  # fmt: skip


class Parameter(NamedTuple):
    """What a kernel wants at one place: a number of a dtype, or an array of it."""

    name: str
    type: str  # in the words of the source
    is_array: bool

    def dtype(self, real: np.dtype) -> np.dtype:
        """Return the dtype, where ``Real`` is `real`."""
        if self.type == "Sum":
            return sum_dtype(real)
        known = POINTED if self.is_array else NUMBERS
        return real if self.type == "Real" else np.dtype(known[self.type])


def sum_dtype(real: np.dtype) -> np.dtype:
    """Return what ``Sum`` is, where ``Real`` is `real`: float32 for numbers of 16 bits."""
    return real if real.itemsize > 2 else np.dtype(np.float32)


@cache
def kernels(code: str) -> dict[str, tuple[Parameter, ...]]:
    """List the kernels of a source, and what each takes.

    Raises
    ------
    ValueError
        If one is written in a way that this cannot read.
    """
    found = {
        name: tuple(_parameter(name, text.strip()) for text in listed.split(","))
        for name, listed in KERNEL.findall(code)
    }
    if len(found) != code.count('extern "C"'):
        raise ValueError('a kernel is not written as `extern "C" __global__ void name(...) {`')
    return found


def _parameter(kernel: str, text: str) -> Parameter:
    words = PARAMETER.fullmatch(text)
    if not words or words[2] not in {"Real", "Sum", *(POINTED if words[3] else NUMBERS)}:
        raise ValueError(f"{kernel}: cannot read the parameter {text!r}")
    return Parameter(words[4], words[2], bool(words[3]))


def passed(kernel: str, parameter: Parameter, value: Any, real: np.dtype) -> Any:
    """Give an argument the form in which it goes to a kernel.

    Raises
    ------
    TypeError
        If it is not what the kernel takes.
    """
    place, dtype = f"{kernel}: {parameter.name}", parameter.dtype(real)
    if not parameter.is_array:
        is_number = isinstance(value, bool | int | float | np.number)
        if not is_number or (dtype.kind != "f" and isinstance(value, float | np.floating)):
            raise TypeError(f"{place} must be a number of {dtype}, got {value!r}")
        return dtype.type(value)
    if value is None:
        return np.uint64(0)  # a null pointer
    if not hasattr(value, "__cuda_array_interface__"):
        raise TypeError(f"{place} must be an array on the GPU, got {type(value).__name__}")
    if value.dtype != dtype:
        raise TypeError(f"{place} must hold {dtype}, got {value.dtype}")
    if not value.flags.c_contiguous:
        raise TypeError(f"{place} must be contiguous, got strides {value.strides}")
    return value
