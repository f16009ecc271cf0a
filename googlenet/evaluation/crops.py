"""Where a picture is cropped for the test: one crop, ten, or the 144 of the paper, as data.

Nothing is cut here: a `Crop` says where, `googlenet.evaluation.views` cuts, and ``googlenet crops``
draws. All lengths are pixels; S is the side of what the network takes. Each protocol takes
`height` and `width` of a picture, and S as `size`.

Sources
-------
- Szegedy et al., "Going Deeper with Convolutions", section 7: shorter sides of 256, 288, 320 and
  352; of each the left, centre and right square (of a portrait top, centre and bottom); of each
  square the four corners and the centre at 224×224, and the whole square resized to 224×224; and
  their mirrored versions: 4 · 3 · 6 · 2 = 144.
- Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", sections 2
  and 4.1: the shorter side 256, the central square, of it the four corners and the centre, and
  their mirrored versions: 10. (torchvision's `TenCrop` takes the corners of the whole picture.)

What the sources leave open is decided here. For another S the sides are those for 224 times S/224,
rounded: 8, 9, 10 and 11 sevenths of S, of which none lies halfway between two integers. The longer
side is rounded down, and a centre that falls between two pixels goes to the even one, as `Resize`
and `CenterCrop` have it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["PROTOCOLS", "Crop", "Square", "centre", "crops_of", "distinct", "paper", "ten"]

SIDES = (256, 288, 320, 352)  # of the paper, for a network that takes
PAPER_SIZE = 224
CORNERS = ("top left", "top right", "bottom left", "bottom right")
WHOLE = "whole"  # the view of a square that is resized, not cut


class Square(NamedTuple):
    """A square of a resized picture.

    Attributes
    ----------
    name : str
        "left", "centre" or "right"; of a portrait "top", "centre" or "bottom".
    height, width : int
        What the picture is resized to.
    top, left, side : int
        Of the square, in the resized picture.
    """

    name: str
    height: int
    width: int
    top: int
    left: int
    side: int

    @property
    def shorter(self) -> int:
        """The length of the resized picture's shorter side."""
        return min(self.height, self.width)


class Crop(NamedTuple):
    """One crop: resize the picture, cut a square out, resize that if it is larger, mirror it.

    Attributes
    ----------
    square : Square
        In which it lies.
    view : str
        "top left", "top right", "bottom left", "bottom right", "centre", or "whole".
    top, left, side : int
        In the resized picture. The side is S, or for "whole" that of the square.
    mirrored : bool
    """

    square: Square
    view: str
    top: int
    left: int
    side: int
    mirrored: bool

    @property
    def pixels(self) -> tuple[int, ...]:
        """What decides its pixels: crops that agree in this are the same picture."""
        _, height, width, *_ = self.square
        return height, width, self.top, self.left, self.side, self.mirrored


def centre(height: int, width: int, size: int) -> list[Crop]:
    """Return the crop from the middle: `Resize` to 8/7 of `size`, then `CenterCrop`.

    Examples
    --------
    >>> [(crop.top, crop.left, crop.side) for crop in centre(375, 500, 224)]
    [(16, 58, 224)]
    """
    high, wide = resized(height, width, _side(SIDES[0], size))
    middle = _squares(high, wide)[1]
    top, left = _middle(high - size), _middle(wide - size)
    return [Crop(middle, "centre", top, left, size, False)]


def ten(height: int, width: int, size: int) -> list[Crop]:
    """Return the ten crops of Krizhevsky et al.: five of the central square, and mirrored.

    Examples
    --------
    >>> found = ten(375, 500, 224)
    >>> len(found), found[0].square
    (10, Square(name='centre', height=256, width=341, top=0, left=42, side=256))
    """
    middle = _squares(*resized(height, width, _side(SIDES[0], size)))[1]
    return [crop for crop in _views(middle, size) if crop.view != WHOLE]


def paper(height: int, width: int, size: int) -> list[Crop]:
    """Return the 144 crops of the paper, scale by scale, square by square.

    There are always 144. Where squares coincide, as all three of a square picture do, so do crops:
    see `distinct`.

    Examples
    --------
    >>> found = paper(375, 500, 224)
    >>> len(found), sorted({crop.square.shorter for crop in found})
    (144, [256, 288, 320, 352])
    >>> len(distinct(paper(500, 500, 224)))
    48
    """
    return [
        crop
        for side in SIDES
        for square in _squares(*resized(height, width, _side(side, size)))
        for crop in _views(square, size)
    ]


PROTOCOLS: dict[int, Callable[[int, int, int], list[Crop]]] = {1: centre, 10: ten, 144: paper}


def crops_of(count: int, height: int, width: int, size: int) -> list[Crop]:
    """Return the crops of a protocol by their number: 1, 10 or 144.

    Parameters
    ----------
    count : {1, 10, 144}
    height, width : int
        Of the picture.
    size : int
        S, the side of what the network takes.

    Raises
    ------
    ValueError
        If there is no protocol of so many crops, or a length is not positive.
    """
    if count not in PROTOCOLS:
        raise ValueError(f"crops must be one of {', '.join(map(str, PROTOCOLS))}, got {count!r}")
    for name, length in (("height", height), ("width", width), ("size", size)):
        if length < 1:
            raise ValueError(f"{name} must be at least 1 pixel, got {length!r}")
    return PROTOCOLS[count](height, width, size)


def distinct(found: Sequence[Crop]) -> list[tuple[Crop, int]]:
    """Return crops that differ, in their order, and how many of `found` each of them stands for.

    A mean over all of them is the mean over these with the numbers as weights, for less work.
    """
    counts: dict[tuple[int, ...], tuple[Crop, int]] = {}
    for crop in found:
        first, count = counts.get(crop.pixels, (crop, 0))
        counts[crop.pixels] = first, count + 1
    return list(counts.values())


def resized(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Return height and width of a picture resized as ``Resize(shorter)`` does."""
    short = min(height, width)
    return shorter * height // short, shorter * width // short


def _side(side: int, size: int) -> int:
    return round(side * size / PAPER_SIZE)


def _middle(room: int) -> int:
    return round(room / 2)  # halves to even, as `CenterCrop`


def _squares(height: int, width: int) -> list[Square]:
    """Return the three squares of a resized picture."""
    side, room = min(height, width), abs(height - width)
    names = ("left", "centre", "right") if width >= height else ("top", "centre", "bottom")
    offsets = (0, _middle(room), room)
    corners = [(0, offset) if width >= height else (offset, 0) for offset in offsets]
    return [
        Square(name, height, width, *corner, side)
        for name, corner in zip(names, corners, strict=True)
    ]


def _views(square: Square, size: int) -> list[Crop]:
    """Return the twelve crops of a square: six views, then the same mirrored."""
    _, _, _, top, left, side = square
    room = side - size
    middle = _middle(room)
    places = zip(CORNERS, ((0, 0), (0, room), (room, 0), (room, room)), strict=True)
    boxes = [(view, top + y, left + x, size) for view, (y, x) in places]
    boxes += [("centre", top + middle, left + middle, size), (WHOLE, top, left, side)]
    return [Crop(square, *box, mirrored) for mirrored in (False, True) for box in boxes]
