"""What transforms share: how they are written down, and what they ask of images and options."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

__all__ = ["Recorded", "Transform", "check_image", "check_number", "check_padding", "check_size"]

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Recorded:
    """A transform that can be written down: a dataclass whose fields are its options."""

    known: ClassVar[dict[str, type["Recorded"]]] = {}  # every transform, by its name

    def __init_subclass__(cls) -> None:
        Recorded.known[cls.__name__] = cls

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the new image."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return name and options as plain JSON; `transform_from_dict` turns it back.

        Examples
        --------
        >>> from minigrad.data import Resize
        >>> Resize((96, 96)).to_dict()
        {'transform': 'Resize', 'size': [96, 96], 'interpolation': 'bilinear'}
        """
        options = {field.name: plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return {"transform": type(self).__name__, **options}


def plain(value: Any) -> Any:
    """Return an option as JSON has it: sequences are lists, NumPy's numbers are Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def check_image(name: str, image: np.ndarray) -> None:
    """Refuse what is not (C, H, W)."""
    if image.ndim != 3:
        raise ValueError(f"{name}: image must be (C, H, W), but has shape {image.shape}")


def check_size(name: str, size: int | tuple[int, int]) -> None:
    """Refuse what is neither one length nor (height, width)."""
    lengths = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    if not all(type(length) is int and length > 0 for length in lengths):
        raise ValueError(
            f"{name}: size must be a positive integer or a tuple (height, width) of two, but is "
            f"{size!r}"
        )


def check_padding(name: str, padding: int) -> None:
    """Refuse what is not a number of pixels."""
    if type(padding) is not int or padding < 0:
        raise ValueError(f"{name}: padding must be an integer, 0 or more, but is {padding!r}")


def check_number(value: Any) -> bool:
    """Tell whether `value` is a finite real number; a truth value is none."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return bool(real and math.isfinite(value))
