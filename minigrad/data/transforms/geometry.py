"""Transforms of place: pixels are moved, cut off and weighed, and keep their scale."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from minigrad.data.transforms.base import (
    Recorded,
    check_image,
    check_number,
    check_padding,
    check_size,
)

__all__ = [
    "CenterCrop",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
]

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
# What the paper draws from: bilinear, area, nearest neighbour and cubic, as Pillow calls them.
RANDOM: tuple[Interpolation, ...] = ("bilinear", "box", "nearest", "bicubic")
MOST_PIXELS = 2**27  # of a resized image; a file of 1×100,000 must not become 224×22,400,000
TRIES = 10  # to fit a random window into an image, as torchvision does


@dataclass
class Resize(Recorded):
    """Resize the image with one of Pillow's filters, which average when they shrink.

    Parameters
    ----------
    size
        (height, width), or one number: the new length of the shorter side, with the proportions of
        the image kept.
    interpolation
        How pixels are weighed: "bilinear" (a triangle), "bicubic", "lanczos", "hamming" or "box".
        All of them grow with the step when they shrink, so that no pixel of the image is passed
        over; only "nearest" picks single pixels.

    Examples
    --------
    >>> Resize(96)(np.zeros((1, 28, 56), np.uint8), np.random.default_rng(0)).shape
    (1, 96, 192)
    """

    size: int | tuple[int, int]
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        check_size("Resize", self.size)
        _check_interpolation("Resize", self.interpolation)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, height, width) in its own type, uint8 or float32."""
        _check_pixels("Resize", image)
        _, old_height, old_width = image.shape
        if isinstance(self.size, tuple):
            height, width = self.size
        else:
            shorter = min(old_height, old_width)
            height, width = self.size * old_height // shorter, self.size * old_width // shorter
        if height * width > MOST_PIXELS:
            raise ValueError(
                f"Resize: image of shape {image.shape} would become {height:,}×{width:,} pixels, "
                f"more than {MOST_PIXELS:,}"
            )
        return _resized(image, height, width, self.interpolation)


@dataclass
class CenterCrop(Recorded):
    """Cut a window out of the middle.

    Parameters
    ----------
    size
        (height, width) of the window, or one number for a square.

    Examples
    --------
    >>> CenterCrop(1)(np.arange(9).reshape(1, 3, 3), np.random.default_rng(0))
    array([[[4]]])
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        check_size("CenterCrop", self.size)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the window (C, height, width)."""
        check_image("CenterCrop", image)
        height, width = _pair(self.size)
        rooms = image.shape[1] - height, image.shape[2] - width
        if min(rooms) < 0:
            raise ValueError(
                f"CenterCrop: size {self.size} does not fit into image of shape {image.shape}; "
                f"put Resize before it"
            )
        top, left = (round(room / 2) for room in rooms)  # halves to even, as torchvision does
        return image[:, top : top + height, left : left + width]


@dataclass
class Pad(Recorded):
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
        check_padding("Pad", self.padding)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H + 2·padding, W + 2·padding)."""
        check_image("Pad", image)
        return _pad(image, self.padding)


@dataclass
class RandomCrop(Recorded):
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
        check_size("RandomCrop", self.size)
        check_padding("RandomCrop", self.padding)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the window (C, height, width)."""
        check_image("RandomCrop", image)
        height, width = _pair(self.size)
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
class RandomResizedCrop(Recorded):
    """Cut out a window of random area and proportions at a random place, and resize it.

    This is how the paper drew its training images: 8 to 100 % of the area, sides from 3:4 to 4:3.

    Parameters
    ----------
    size
        (height, width) of the result, or one number for a square.
    scale
        The least and the greatest share of the area; a share is drawn evenly between them.
    ratio
        The least and the greatest width / height; its logarithm is drawn evenly. Where no such
        window fits in ten tries, the largest one in the middle is taken.
    interpolation
        As in `Resize`; or "random", one of bilinear, box (area), nearest and bicubic for each
        image, all equally likely, as in the paper.

    Source
    ------
    Szegedy et al., "Going Deeper with Convolutions", section 6; the order of the draws is ours.

    Examples
    --------
    >>> crop = RandomResizedCrop(224)
    >>> crop(np.zeros((3, 375, 500), np.uint8), np.random.default_rng(0)).shape
    (3, 224, 224)
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation | Literal["random"] = "bilinear"

    def __post_init__(self) -> None:
        check_size("RandomResizedCrop", self.size)
        _check_interpolation("RandomResizedCrop", self.interpolation, "random")
        _check_range("RandomResizedCrop", "scale", self.scale, most=1.0)
        _check_range("RandomResizedCrop", "ratio", self.ratio, most=math.inf)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, height, width) in its own type, uint8 or float32."""
        _check_pixels("RandomResizedCrop", image)
        top, left, height, width = self.window(image.shape[1], image.shape[2], rng)
        window = image[:, top : top + height, left : left + width]
        random = self.interpolation == "random"
        interpolation = RANDOM[rng.integers(len(RANDOM))] if random else self.interpolation
        return _resized(window, *_pair(self.size), interpolation)

    def window(self, H: int, W: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draw (top, left, height, width) in an image of H×W pixels."""
        lowest, highest = math.log(self.ratio[0]), math.log(self.ratio[1])
        for _ in range(TRIES):
            area = rng.uniform(*self.scale) * H * W
            ratio = math.exp(rng.uniform(lowest, highest))
            height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < height <= H and 0 < width <= W:
                top, left = rng.integers(H - height + 1), rng.integers(W - width + 1)
                return int(top), int(left), height, width
        ratio = min(max(W / H, self.ratio[0]), self.ratio[1])
        height, width = min(H, max(1, round(W / ratio))), min(W, max(1, round(H * ratio)))
        return (H - height) // 2, (W - width) // 2, height, width


@dataclass
class RandomHorizontalFlip(Recorded):
    """Swap left and right with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        if not check_number(self.p) or not 0 <= self.p <= 1:
            raise ValueError(f"RandomHorizontalFlip: p must lie from 0 to 1, but is {self.p!r}")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), flipped or not."""
        check_image("RandomHorizontalFlip", image)
        return image[:, :, ::-1] if rng.random() < self.p else image


def _resized(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """Return the image (C, height, width). Colours go through Pillow together, which is faster."""
    size, how = (width, height), Image.Resampling[interpolation.upper()]
    if len(image) == 3 and image.dtype == np.uint8:
        # A decoded picture lies as (H, W, C), which is what Pillow wants: nothing is moved.
        together = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        return np.asarray(together.resize(size, how)).transpose(2, 0, 1)
    # One plane at a time: Pillow knows no image of two channels, nor of three in float32; and of
    # four channels it would take the last for alpha.
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, how)) for plane in image])


def _pad(image: np.ndarray, padding: int) -> np.ndarray:
    if padding == 0:
        return image
    C, H, W = image.shape
    padded = np.zeros((C, H + 2 * padding, W + 2 * padding), image.dtype)  # np.pad is far slower
    padded[:, padding : padding + H, padding : padding + W] = image
    return padded


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)


def _check_pixels(name: str, image: np.ndarray) -> None:
    check_image(name, image)
    if image.dtype not in (np.uint8, np.float32) or image.size == 0:
        raise ValueError(
            f"{name}: image has shape {image.shape} and type {image.dtype}, but pixels in uint8 or "
            f"float32 were needed"
        )


def _check_interpolation(name: str, interpolation: str, *more: str) -> None:
    known = (*get_args(Interpolation), *more)
    if interpolation not in known:
        raise ValueError(
            f"{name}: interpolation must be one of {', '.join(known)}, but is {interpolation!r}"
        )


def _check_range(name: str, option: str, pair: tuple[float, float], most: float) -> None:
    good = isinstance(pair, tuple) and len(pair) == 2 and all(map(check_number, pair))
    if not good or not 0 < pair[0] <= pair[1] <= most:
        bound = "" if most == math.inf else f", at most {most:g}"
        raise ValueError(
            f"{name}: {option} must be two numbers above 0, the lower first{bound}, but is {pair!r}"
        )
