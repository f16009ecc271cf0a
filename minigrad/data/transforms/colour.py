"""Transforms of colour: brighter, paler, of another tint; every pixel stays where it is.

All of them take bytes and return bytes, so they stand before `Normalize`. Names, options and their
meaning are torchvision's. Brightness, contrast and saturation are blends of the picture with a
black one, an evenly grey one and its own grey one, done by Pillow as its `ImageEnhance` does them;
a pixel's blend is cut down to a whole number. Grey pictures have no colour to change: what concerns
it leaves them as they are.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from minigrad.data.transforms.base import Recorded, check_image, check_number

__all__ = [
    "ColorJitter",
    "RandomGrayscale",
    "RandomLighting",
    "RandomPhotometricDistort",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
]

BLOCK = 8192  # pixels whose hues are turned at once: what is computed stays in the cache

Range = float | tuple[float, float]

# The principal components of ImageNet's colours, one a column, and how far colours vary along them,
# on the scale 0 … 1. Krizhevsky and others (2012) do not print theirs; these came with Facebook's
# residual networks (2016), and everyone has used them since.
COMPONENTS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
VARIATIONS = np.array([0.2175, 0.0188, 0.0045])


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Return the picture (C, H, W) blended with black: 0 is black, 1 the picture.

    Examples
    --------
    >>> adjust_brightness(np.array([[[10, 200]]], np.uint8), 1.5).tolist()
    [[[15, 255]]]
    """
    pillow = _pillow("adjust_brightness", image)
    return _planes(Image.blend(Image.new(pillow.mode, pillow.size, 0), pillow, factor))


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Return the picture (C, H, W) blended with its mean grey: 0 is that grey, 1 the picture.

    Examples
    --------
    >>> adjust_contrast(np.array([[[90, 110]]], np.uint8), 2.0).tolist()
    [[[80, 120]]]
    """
    pillow = _pillow("adjust_contrast", image)
    mean = int(np.asarray(pillow.convert("L")).mean() + 0.5)
    even = Image.new(pillow.mode, pillow.size, (mean,) * len(pillow.mode))
    return _planes(Image.blend(even, pillow, factor))


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Return the picture (C, H, W) blended with its grey one: 0 is grey, 1 the picture.

    Examples
    --------
    >>> adjust_saturation(np.array([[[200]], [[100]], [[100]]], np.uint8), 0.0)[:, 0, 0].tolist()
    [130, 130, 130]
    """
    if len(image) == 1:
        return image
    pillow = _pillow("adjust_saturation", image)
    return _planes(Image.blend(pillow.convert("L").convert("RGB"), pillow, factor))


def adjust_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Return the picture (C, H, W) with its hues turned round the colour wheel.

    The lightest and the darkest channel of a pixel keep their values, which change places, and the
    third moves between them. So black, white and grey stay as they are. Computed in float32 and
    rounded to the nearest; Pillow's own way there, in bytes of hue, moves colours by several levels
    even for no turn at all.

    Parameters
    ----------
    image
        (3, H, W) or (1, H, W), uint8.
    turns
        −0.5 to 0.5; a third turns red to green, green to blue and blue to red.

    Examples
    --------
    >>> adjust_hue(np.array([[[200]], [[100]], [[0]]], np.uint8), 1 / 3)[:, 0, 0].tolist()
    [0, 200, 100]
    """
    if len(image) == 1:
        return image
    _check_pixels("adjust_hue", image)
    result = np.empty(image.shape, np.uint8)
    pixels, turned = np.ascontiguousarray(image).reshape(3, -1), result.reshape(3, -1)
    for start in range(0, pixels.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        _turn_hues(pixels[:, part], turned[:, part], 6 * turns)
    return result


def _turn_hues(pixels: np.ndarray, turned: np.ndarray, sixths: float) -> None:
    """Write into `turned` the colours `pixels`, (3, N), with their hues turned."""
    red, green, blue = pixels.astype(np.float32)
    lightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    range_ = lightest - darkest
    # The hue in sixths of a turn: −1 to 1 about red, 2 is green, 4 is blue.
    is_red, is_green = lightest == red, lightest == green
    hue = np.where(is_red, green - blue, np.where(is_green, blue - red, red - green))
    hue /= np.maximum(range_, 1)  # where the range is 0, so is what is divided
    start = np.array([sixths, 2 + sixths, 4 + sixths], np.float32)
    hue += np.where(is_red, start[0], np.where(is_green, start[1], start[2]))
    hue -= 6 * np.floor(hue * np.float32(1 / 6))
    darkest += 0.5  # to round, when bytes are cut down to whole numbers
    shares = np.abs(hue - 3) - 1, 2 - np.abs(hue - 2), 2 - np.abs(hue - 4)
    for channel, share in zip(turned, shares, strict=True):
        np.minimum(np.maximum(share, 0, out=share), 1, out=share)
        share *= range_
        share += darkest
        channel[:] = share


@dataclass
class ColorJitter(Recorded):
    """Change brightness, contrast, saturation and hue by random amounts, in a random order.

    Parameters
    ----------
    brightness, contrast, saturation
        The factor is drawn evenly from ``max(0, 1 − x)`` to ``1 + x``; or two numbers, from the
        first to the second. 1 changes nothing.
    hue
        The part of a turn is drawn evenly from −x to x, at most half a turn; or two numbers.

    Examples
    --------
    >>> jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    >>> jitter(np.zeros((3, 8, 8), np.uint8), np.random.default_rng(0)).shape
    (3, 8, 8)
    """

    brightness: Range = 0.0
    contrast: Range = 0.0
    saturation: Range = 0.0
    hue: Range = 0.0

    def __post_init__(self) -> None:
        self._ranges = (
            *(_factors("ColorJitter", n, getattr(self, n)) for n in ADJUSTMENTS if n != "hue"),
            _turns("ColorJitter", self.hue),
        )

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), uint8."""
        _check_pixels("ColorJitter", image)
        ways = list(zip(ADJUSTMENTS.values(), self._ranges, strict=True))
        for place in rng.permutation(len(ways)):
            adjust, (lowest, highest) = ways[place]
            amount = rng.uniform(lowest, highest)
            if lowest != highest or lowest != UNCHANGED[place]:
                image = adjust(image, amount)
        return image


@dataclass
class RandomPhotometricDistort(Recorded):
    """Distort colours as the detector SSD does: each in its turn, with probability `p`.

    Brightness; contrast, either now or after the others; saturation; hue; and the three channels in
    another order.

    Parameters
    ----------
    brightness, contrast, saturation
        The least and the greatest factor; 1 changes nothing.
    hue
        The least and the greatest part of a turn, −0.5 to 0.5.
    p
        The probability of each.

    Source
    ------
    Liu and others, "SSD: Single Shot MultiBox Detector" (2016); options and their order are
    torchvision's.

    Examples
    --------
    >>> distort = RandomPhotometricDistort()
    >>> distort(np.zeros((3, 8, 8), np.uint8), np.random.default_rng(0)).shape
    (3, 8, 8)
    """

    brightness: tuple[float, float] = (0.875, 1.125)
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: tuple[float, float] = (-0.05, 0.05)
    p: float = 0.5

    def __post_init__(self) -> None:
        name = type(self).__name__
        for option in ADJUSTMENTS:
            if not isinstance(getattr(self, option), tuple):
                raise ValueError(
                    f"{name}: {option} must be two numbers, but is {getattr(self, option)!r}"
                )
        for option in ("brightness", "contrast", "saturation"):
            _factors(name, option, getattr(self, option))
        _turns(name, self.hue)
        _check_probability(name, self.p)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), uint8."""
        _check_pixels("RandomPhotometricDistort", image)
        # All is drawn at first, so that what one does depends on no other.
        amounts = {option: rng.uniform(*getattr(self, option)) for option in ADJUSTMENTS}
        happens = dict(zip((*ADJUSTMENTS, "order"), rng.random(5) < self.p, strict=True))
        contrast_first, order = rng.random() < 0.5, rng.permutation(3)
        now = ("brightness", "contrast", "saturation", "hue")
        later = ("brightness", "saturation", "hue", "contrast")
        for option in now if contrast_first else later:
            if happens[option]:
                image = ADJUSTMENTS[option](image, amounts[option])
        return image[order] if happens["order"] and len(image) == 3 else image


@dataclass
class RandomGrayscale(Recorded):
    """Take the colour out with probability `p`: all channels become 0.299 R + 0.587 G + 0.114 B."""

    p: float = 0.1

    def __post_init__(self) -> None:
        _check_probability("RandomGrayscale", self.p)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), uint8."""
        _check_pixels("RandomGrayscale", image)
        return adjust_saturation(image, 0.0) if rng.random() < self.p else image


@dataclass
class RandomLighting(Recorded):
    """Add one colour to all pixels, drawn as the light varies over the photographs of ImageNet.

    Along each of the three principal components of its colours, a normal number times how far they
    vary. A grey picture is as a coloured one that is grey: it gets the grey of the colour.

    Parameters
    ----------
    alpha_std
        The standard deviation of the normal numbers.

    Source
    ------
    Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks" (2012), section 4.1.

    Examples
    --------
    >>> light = RandomLighting()
    >>> light(np.full((3, 1, 1), 100, np.uint8), np.random.default_rng(6))[:, 0, 0].tolist()
    [97, 97, 96]
    """

    alpha_std: float = 0.1

    def __post_init__(self) -> None:
        if not check_number(self.alpha_std) or self.alpha_std < 0:
            raise ValueError(
                f"RandomLighting: alpha_std must be a number, 0 or more, but is {self.alpha_std!r}"
            )

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image (C, H, W), uint8."""
        _check_pixels("RandomLighting", image)
        colour = 255 * COMPONENTS @ (self.alpha_std * rng.standard_normal(3) * VARIATIONS)
        if len(image) == 1:
            colour = np.array([0.299, 0.587, 0.114]) @ colour[:, np.newaxis]
        levels = np.clip(np.rint(np.arange(256) + colour[:, np.newaxis]), 0, 255).astype(np.uint8)
        return np.stack([table[plane] for table, plane in zip(levels, image, strict=True)])


ADJUSTMENTS = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}
UNCHANGED = (1.0, 1.0, 1.0, 0.0)


def _pillow(name: str, image: np.ndarray) -> Image.Image:
    """Return the picture as Pillow has it. One that was decoded lies in memory as it needs it."""
    _check_pixels(name, image)
    if len(image) == 1:
        return Image.fromarray(np.ascontiguousarray(image[0]))
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def _planes(pillow: Image.Image) -> np.ndarray:
    pixels = np.asarray(pillow)
    return pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _check_pixels(name: str, image: np.ndarray) -> None:
    check_image(name, image)
    if image.dtype != np.uint8 or len(image) not in (1, 3) or image.size == 0:
        raise ValueError(
            f"{name}: image has shape {image.shape} and type {image.dtype}, but pixels in uint8 "
            f"with 3 channels or 1 were needed; put {name} before ToFloat and Normalize"
        )


def _check_probability(name: str, p: float) -> None:
    if not check_number(p) or not 0 <= p <= 1:
        raise ValueError(f"{name}: p must lie from 0 to 1, but is {p!r}")


def _factors(name: str, option: str, given: Range) -> tuple[float, float]:
    """Return the least and the greatest factor."""
    if isinstance(given, tuple):
        if len(given) == 2 and all(map(check_number, given)) and 0 <= given[0] <= given[1]:
            return given
    elif check_number(given) and given >= 0:
        return max(0.0, 1.0 - given), 1.0 + given
    raise ValueError(
        f"{name}: {option} must be a number, 0 or more, or two such numbers, the lower first, but "
        f"is {given!r}"
    )


def _turns(name: str, given: Range) -> tuple[float, float]:
    """Return the least and the greatest part of a turn."""
    if isinstance(given, tuple):
        if (
            len(given) == 2
            and all(map(check_number, given))
            and -0.5 <= given[0] <= given[1] <= 0.5
        ):
            return given
    elif check_number(given) and 0 <= given <= 0.5:
        return -float(given), float(given)
    raise ValueError(
        f"{name}: hue must be a number from 0 to 0.5, or two from -0.5 to 0.5, the lower first, "
        f"but is {given!r}"
    )
