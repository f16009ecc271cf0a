"""Transforms: what happens to an image between the dataset and the batch.

A transform is called as ``transform(image, rng)``. It takes an image (C, H, W) and a generator of
random numbers, and returns the new image; it never writes to the one it got. The generator belongs
to the sample, so the same sample of the same epoch is always changed in the same way. Any function
with these two parameters is a transform::

    def darken(image, rng):
        return image * rng.uniform(0.5, 1)

The names and the parameters are torchvision's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = [
    "Compose",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "ToFloat",
    "Transform",
    "to_float",
]

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass
class Compose:
    """Apply transforms one after another.

    Examples
    --------
    >>> augment = Compose([RandomCrop(28, padding=2), ToFloat(), Normalize(0.286, 0.353)])
    >>> augment(np.zeros((1, 28, 28), np.uint8), np.random.default_rng(0)).shape
    (1, 28, 28)
    """

    transforms: Sequence[Transform]

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what the last transform returns."""
        for transform in self.transforms:
            image = transform(image, rng)
        return image


@dataclass
class ToFloat:
    """Turn bytes, 0 to 255, into float32 from 0 to 1, as `to_float` does."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W) in float32."""
        _check_image("ToFloat", image)
        return to_float(image)


def to_float(array: np.ndarray) -> np.ndarray:
    """Return `array` in float32: bytes are divided by 255, floating point keeps its values.

    Raises
    ------
    ValueError
        When `array` is neither uint8 nor floating point, for then its scale is unknown.

    Examples
    --------
    >>> to_float(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if array.dtype == np.uint8:
        return array.astype(np.float32) / 255
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    raise ValueError(
        f"to_float: array has type {array.dtype}, but uint8 (0 to 255) or floating point was needed"
    )


@dataclass
class Normalize:
    """Subtract `mean` and divide by `std`: (image − mean) / std.

    Parameters
    ----------
    mean, std
        One number for all channels, or a sequence of C numbers. Those of Fashion-MNIST, scaled to
        0 … 1, are 0.286 and 0.353.

    Examples
    --------
    >>> Normalize(0.5, 0.25)(np.ones((1, 1, 2), np.float32), np.random.default_rng(0))
    array([[[2., 2.]]], dtype=float32)
    """

    mean: float | Sequence[float]
    std: float | Sequence[float]

    def __post_init__(self) -> None:
        self._mean, self._std = _per_channel("mean", self.mean), _per_channel("std", self.std)
        if not (self._std > 0).all():
            raise ValueError(f"Normalize: std must be greater than 0, but is {self.std}")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the normalised image (C, H, W); `image` must be floating point."""
        _check_image("Normalize", image)
        if image.dtype.kind != "f":
            raise ValueError(
                f"Normalize: image has type {image.dtype}, but floating point was needed; put "
                f"ToFloat() before it"
            )
        for name, values in (("mean", self._mean), ("std", self._std)):
            if len(values) not in (1, len(image)):
                raise ValueError(
                    f"Normalize: {name} has {len(values)} numbers but image has {len(image)} "
                    f"channels (shape {image.shape})"
                )
        return (image - self._mean) / self._std


def _per_channel(name: str, values: float | Sequence[float]) -> np.ndarray:
    """Return `values` as a float32 array (C, 1, 1), or (1, 1, 1) when they are one number."""
    array = np.atleast_1d(np.asarray(values, np.float32))
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"Normalize: {name} must be a finite number or a sequence of them, but is {values!r}"
        )
    return array.reshape(-1, 1, 1)


@dataclass
class Resize:
    """Resize the image with Pillow's bilinear filter, which averages when it shrinks.

    Parameters
    ----------
    size
        (height, width), or one number: the new length of the shorter side, with the proportions of
        the image kept.

    Examples
    --------
    >>> Resize(96)(np.zeros((1, 28, 56), np.uint8), np.random.default_rng(0)).shape
    (1, 96, 192)
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        _check_size("Resize", self.size)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, height, width) in its own type, uint8 or float32."""
        _check_image("Resize", image)
        if image.dtype not in (np.uint8, np.float32) or image.size == 0:
            raise ValueError(
                f"Resize: image has shape {image.shape} and type {image.dtype}, but pixels in "
                f"uint8 or float32 were needed"
            )
        _, old_height, old_width = image.shape
        if isinstance(self.size, tuple):
            height, width = self.size
        else:
            shorter = min(old_height, old_width)
            height, width = self.size * old_height // shorter, self.size * old_width // shorter
        # One plane at a time: Pillow knows no image of two channels, nor of three in float32.
        planes = [
            np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
            for plane in image
        ]
        return np.stack(planes)


@dataclass
class Pad:
    """Surround the image with `padding` pixels of zeros on all four sides.

    Examples
    --------
    >>> Pad(1)(np.ones((1, 1, 2), np.uint8), np.random.default_rng(0))
    array([[[0, 0, 0, 0],
            [0, 1, 1, 0],
            [0, 0, 0, 0]]], dtype=uint8)
    """

    padding: int

    def __post_init__(self) -> None:
        _check_padding("Pad", self.padding)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H + 2·padding, W + 2·padding)."""
        _check_image("Pad", image)
        return _pad(image, self.padding)


@dataclass
class RandomCrop:
    """Cut out a window at a random place; with padding, this shifts the image at random.

    Parameters
    ----------
    size
        (height, width) of the window, or one number for a square.
    padding
        Pixels of zeros put around the image first.

    Examples
    --------
    >>> shift = RandomCrop(28, padding=2)  # by up to two pixels, up or down, left or right
    >>> shift(np.zeros((1, 28, 28), np.uint8), np.random.default_rng(0)).shape
    (1, 28, 28)
    """

    size: int | tuple[int, int]
    padding: int = 0

    def __post_init__(self) -> None:
        _check_size("RandomCrop", self.size)
        _check_padding("RandomCrop", self.padding)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the window (C, height, width)."""
        _check_image("RandomCrop", image)
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        padded = _pad(image, self.padding)
        rooms = padded.shape[1] - height, padded.shape[2] - width
        if min(rooms) < 0:
            raise ValueError(
                f"RandomCrop: size {self.size} does not fit into image of shape {image.shape} with "
                f"padding {self.padding}"
            )
        top, left = rng.integers(rooms[0] + 1), rng.integers(rooms[1] + 1)
        return padded[:, top : top + height, left : left + width]


@dataclass
class RandomHorizontalFlip:
    """Swap left and right with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"RandomHorizontalFlip: p must lie from 0 to 1, but is {self.p}")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), flipped or not."""
        _check_image("RandomHorizontalFlip", image)
        return image[:, :, ::-1] if rng.random() < self.p else image


def _pad(image: np.ndarray, padding: int) -> np.ndarray:
    if padding == 0:
        return image
    C, H, W = image.shape
    padded = np.zeros((C, H + 2 * padding, W + 2 * padding), image.dtype)  # np.pad is far slower
    padded[:, padding : padding + H, padding : padding + W] = image
    return padded


def _check_image(name: str, image: np.ndarray) -> None:
    if image.ndim != 3:
        raise ValueError(f"{name}: image must be (C, H, W), but has shape {image.shape}")


def _check_size(name: str, size: int | tuple[int, int]) -> None:
    lengths = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    if not all(type(length) is int and length > 0 for length in lengths):
        raise ValueError(
            f"{name}: size must be a positive integer or a tuple (height, width) of two, but is "
            f"{size!r}"
        )


def _check_padding(name: str, padding: int) -> None:
    if type(padding) is not int or padding < 0:
        raise ValueError(f"{name}: padding must be an integer, 0 or more, but is {padding!r}")
