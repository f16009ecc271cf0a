"""Reading a picture from a file: whatever its mode, size and orientation, out come bytes (C, H, W).

Pillow decodes. What is decided here is what a picture means once all that is left of it are bytes
in one or three channels, and that a file which is not a sound picture is refused in one way,
`ImageError`. A file is not trusted: only well-known formats are tried, whatever its name says, and
its size is known before a pixel is unpacked.
"""

import os
import stat
import warnings
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

__all__ = [
    "MOST_PIXELS",
    "SUFFIXES",
    "SUFFIXES_OF",
    "WHITE",
    "ImageError",
    "check_reading",
    "picture_format",
    "read_image",
]

# The endings of each format, the usual one first. (Phones write a JPEG with more in it as MPO.)
SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "GIF": (".gif",),
    "WEBP": (".webp",), "TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm"),
}  # fmt: skip
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
WHITE = (255, 255, 255)
MOST_PIXELS = 2**26  # 67 million; in three channels, four bytes a pixel inside Pillow, 256 MiB

# Others of Pillow's formats run programs (EPS), or are no pictures of things.
FORMATS = [
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        PpmImagePlugin.PpmImageFile,
    )
]
# What brings a picture with this EXIF orientation upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns of notes in and beside a picture (EXIF, the tags of a TIFF) that it cannot read. What
# matters of them here is looked at: a picture that cannot be read without them is refused.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


class ImageError(ValueError):
    """A file cannot be read as a picture. The sentence names the file.

    Attributes
    ----------
    path
        The file.
    """

    path: str = ""


def read_image(
    path: str | os.PathLike[str],
    channels: int = 3,
    background: Sequence[int] = WHITE,
    min_side: int | None = None,
    max_pixels: int = MOST_PIXELS,
) -> np.ndarray:
    """Return the picture in the file at `path`.

    Grey, palette, black-and-white, CMYK and YCbCr pictures become colours, or colours become grey
    (0.299 R + 0.587 G + 0.114 B); colour profiles are not applied. Grey of 16 bits is scaled to 8.
    Of an animation the first frame counts. A picture that the camera says lies on its side is
    stood up.

    Parameters
    ----------
    path
        A file in JPEG, PNG, GIF, BMP, WebP, TIFF or PPM/PGM, by its content, not by its name.
    channels
        3 (red, green, blue) or 1 (grey).
    background
        (red, green, blue), 0 to 255: what lies behind a picture that is transparent in places.
    min_side
        With a number, a JPEG may be decoded at a half, a quarter or an eighth of its size, as long
        as its shorter side keeps so many pixels: several times faster for large photographs.
    max_pixels
        The largest picture accepted; a small file can unpack to any size.

    Returns
    -------
    image
        (C, H, W), uint8, not to be written to. The memory lies as (H, W, C), the way `Resize` likes
        it.

    Raises
    ------
    ImageError
        When the file cannot be opened, is no picture in one of these formats, is damaged or cut
        short, too large, or of a mode without a scale, such as floating point.
    ValueError
        When another parameter does not fit its description.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(folder + "/red.tif")
    ...     image = read_image(folder + "/red.tif")
    >>> image.shape, image.dtype, image[:, 0, 0].tolist()
    ((3, 3, 4), dtype('uint8'), [255, 0, 0])
    """
    check_reading("read_image", channels, background, min_side, max_pixels)
    try:
        # To open a pipe would wait for someone to write into it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ImageError("is not a file")
        with open(path, "rb") as file:
            image = _identified(file)
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"has {image.width}×{image.height} pixels, more than the {max_pixels:,} that "
                    f"max_pixels allows"
                )
            if min_side is not None:
                image.draft(None, (min_side, min_side))
            image.load()
            return _channels_first(_upright(image), channels, background)
    except Exception as error:
        # On a damaged file Pillow raises whatever its parsers trip over: SyntaxError, IndexError,
        # struct.error, zlib.error, OSError, … Nothing but the file is at fault for any of them.
        raise _refusal(path, error) from (None if isinstance(error, ImageError) else error)


def picture_format(path: str | os.PathLike[str]) -> str | None:
    """Return the format that a file begins in, a key of `SUFFIXES_OF`, whatever its name says.

    None is returned of a file that is in none of them, or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 3)).save(folder + "/picture.jpg", format="PNG")
    ...     picture_format(folder + "/picture.jpg")
    'PNG'
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return _format(file.read(16))
    except OSError:
        return None


def check_reading(
    name: str, channels: int, background: Sequence[int], min_side: int | None, max_pixels: int
) -> None:
    """Refuse options of `read_image` that do not fit their description."""
    if channels not in (1, 3):
        raise ValueError(f"{name}: channels must be 3 (colour) or 1 (grey), but is {channels!r}")
    if (
        not isinstance(background, Sequence)
        or len(background) != 3
        or not all(type(level) is int and 0 <= level <= 255 for level in background)
    ):
        raise ValueError(
            f"{name}: background must be (red, green, blue), each from 0 to 255, but is "
            f"{background!r}"
        )
    for option, value in (("min_side", min_side), ("max_pixels", max_pixels)):
        if (type(value) is not int or value < 1) and (option, value) != ("min_side", None):
            raise ValueError(f"{name}: {option} must be a positive integer, but is {value!r}")


def _identified(file: BinaryIO) -> ImageFile.ImageFile:
    """Return the picture, not decoded yet.

    This is what `PIL.Image.open` does, without its limit on pixels, which warns before it refuses
    and is one for the whole process.
    """
    name = _format(file.read(16))
    if name is None:
        raise ImageError(f"is not a picture in one of the formats {', '.join(FORMATS)}")
    file.seek(0)
    return Image.OPEN[name][0](file, "")


def _format(start: bytes) -> str | None:
    """Return the format that begins with these bytes."""
    for name in FORMATS:
        accept = Image.OPEN[name][1]
        if accept is not None and accept(start) is True:
            return name
    return None


def _upright(image: Image.Image) -> Image.Image:
    """Return the picture as the camera's owner saw it. (A TIFF turns itself when it is loaded.)"""
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a note beside the picture is damaged, not the picture
        turn = None
    return image if turn is None else image.transpose(turn)


def _channels_first(image: Image.Image, channels: int, background: Sequence[int]) -> np.ndarray:
    image = _eight_bits(image)
    # Pillow misses the one colour that a PNG of 2 or 4 bits grey or 16 bits colour declares clear.
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(behind, image.convert("RGBA"))
    mode = "RGB" if channels == 3 else "L"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.transpose(2, 0, 1) if channels == 3 else pixels[np.newaxis]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture with 8 bits a channel, of which Pillow knows how to convert the rest.

    Grey of 16 bits is v / 257, rounded. (Colour of 16 bits comes out of Pillow's decoders as
    ⌊v / 256⌋ already, at most one less.)
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        values = np.asarray(image).astype(
            np.int64
        )  # a PGM of 16 bits is scaled to 65,535 by Pillow
        grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
        transparent = image.info.get("transparency")
        if transparent is not None:
            grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
        return grey
    if image.mode in ("I", "F", "LAB"):
        raise ImageError(
            f"is of mode {image.mode}, for which there is no one way to turn it into bytes"
        )
    return image


def _refusal(path: str | os.PathLike[str], error: Exception) -> ImageError:
    name = os.fspath(path)
    if isinstance(error, ImageError):
        what = str(error)
    elif isinstance(error, OSError) and error.errno is not None:
        what = f"cannot be read: {error.strerror}"
    else:
        what = f"is damaged or cut short: {error or type(error).__name__}"
    refusal = ImageError(f"read_image: {name!r} {what}")
    refusal.path = name
    return refusal
