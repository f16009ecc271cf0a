"""Types of numbers: which are floating, and the two of 16 bits, in which numbers are only kept.

float16 is NumPy's. bfloat16, the upper half of a float32, comes from the package ml_dtypes, which
is imported when somebody asks for it by name.
"""

from typing import Any

import numpy as np


def as_dtype(name: Any) -> np.dtype:
    """Read a dtype as NumPy does, and "bfloat16" as well.

    Raises
    ------
    TypeError
        If it is none, or ml_dtypes is needed and not installed.
    """
    if isinstance(name, str) and name == "bfloat16":
        try:
            from ml_dtypes import bfloat16
        except ImportError:
            raise TypeError("bfloat16 needs a package: pip install ml_dtypes") from None
        return np.dtype(bfloat16)
    return np.dtype(name)


def is_floating(dtype: np.dtype) -> bool:
    """Tell whether numbers of this type are real and not only whole."""
    return dtype.kind == "f" or (dtype.kind == "V" and dtype.name == "bfloat16")


def is_small(dtype: np.dtype) -> bool:
    """Tell whether it is float16 or bfloat16."""
    return dtype.itemsize == 2 and is_floating(dtype)


def rounded(array: Any, dtype: np.dtype) -> Any:
    """Give an array another dtype. What is too large for it becomes infinite, without a warning.

    Loss scaling counts on it (`minigrad.optim.GradScaler`).
    """
    with np.errstate(over="ignore"):
        return array.astype(dtype)
