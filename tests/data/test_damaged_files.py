"""Files with flipped bits, cut ends and foreign bytes are read or refused: nothing else happens."""

import io

import numpy as np
import pytest
from PIL import Image

from minigrad.data import ImageError, read_idx, read_image, write_idx

CASES = 100  # of each kind of file


def picture(mode="RGB"):
    ramp = Image.radial_gradient("L").resize((40, 30))
    noise = Image.effect_noise((40, 30), 60)
    colours = Image.merge("RGB", (ramp, noise, ramp.rotate(90)))
    if mode == "RGBA":
        colours.putalpha(noise)
        return colours
    if mode == "I;16":
        return Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    return colours.convert(mode)


def orientation():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture of nothing"
    return exif


FRAMES = {"save_all": True, "append_images": [picture("L"), picture("L").rotate(180)]}
KINDS = {
    "jpeg": ("JPEG", "RGB", {"exif": orientation()}),
    "jpeg-progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg-grey": ("JPEG", "L", {}),
    "jpeg-cmyk": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {"exif": orientation(), "compress_level": 0}),
    "png-rgba": ("PNG", "RGBA", {}),
    "png-palette": ("PNG", "P", {"transparency": bytes(range(256)), "compress_level": 0}),
    "png-16": ("PNG", "I;16", {"transparency": 0}),
    "png-animated": ("PNG", "L", FRAMES),
    "gif": ("GIF", "P", {"transparency": 3}),
    "gif-animated": ("GIF", "L", FRAMES),
    "bmp": ("BMP", "P", {}),
    "webp": ("WEBP", "RGBA", {"lossless": True, "exif": orientation()}),
    "webp-animated": ("WEBP", "RGB", FRAMES),
    "tiff": ("TIFF", "RGB", {"exif": orientation()}),
    "tiff-lzw": ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    "tiff-jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff-deflate": ("TIFF", "I;16", {"compression": "tiff_adobe_deflate"}),
    "ppm": ("PPM", "RGB", {}),
    "pgm-16": ("PPM", "I;16", {}),
}


def damaged(whole, rng):
    """The file with something wrong with it, most often near its start, where headers are."""
    data = bytearray(whole)
    reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(reach))
        way = rng.integers(6)
        if way < 3:  # single bits
            for each in rng.integers(0, reach, rng.integers(1, 4)):
                data[each % len(data)] ^= 1 << rng.integers(8)
        elif way == 3:  # a run of other bytes
            data[place : place + 8] = rng.bytes(int(rng.integers(0, 12)))
        elif way == 4:  # extreme numbers
            data[place : place + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"])
        else:  # cut short
            del data[max(1, int(rng.integers(len(data) + 1))) :]
        reach = min(reach, len(data))
    return bytes(data)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # as minigrad.data does
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_picture_is_read_or_refused(kind, tmp_path, capfd):
    form, mode, options = KINDS[kind]
    whole = io.BytesIO()
    picture(mode).save(whole, form, **options)
    file = tmp_path / "picture"
    file.write_bytes(whole.getvalue())
    assert read_image(file).shape in {(3, 30, 40), (3, 40, 30)}  # the kind itself is good
    rng = np.random.default_rng(sum(kind.encode()))
    refused = 0
    for case in range(CASES):
        file.write_bytes(damaged(whole.getvalue(), rng))
        channels, min_side = int(rng.choice([1, 3])), [None, 8][rng.integers(2)]
        try:
            image = read_image(file, channels=channels, min_side=min_side, max_pixels=10**6)
        except ImageError as error:
            refused += 1
            assert str(error).startswith(f"read_image: {str(file)!r} "), case  # noqa: PT017
        else:
            assert image.dtype == np.uint8, case
            assert image.ndim == 3, case
            assert image.shape[0] == channels, case
            assert 0 < image.size <= 10**6 * channels, case
            # Nothing is said on the screen only. (After what it prints of a JPEG inside a TIFF,
            # libtiff goes on, and Pillow does not hear of it.)
            assert kind == "tiff-jpeg" or capfd.readouterr() == ("", ""), case
        printed = capfd.readouterr()
        assert form == "TIFF" or printed == ("", "")  # libtiff prints what it is refused for
    assert refused > 0


def test_a_damaged_idx_file_is_read_or_refused(tmp_path):
    file = tmp_path / "array.gz"
    write_idx(file, np.arange(600, dtype=np.int16).reshape(20, 30))
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(CASES):
        file.write_bytes(damaged(whole, rng))
        try:
            read_idx(file, max_bytes=10**6)
        except ValueError as error:
            refused += 1
            assert str(error).startswith("read_idx: ")  # noqa: PT017
    assert refused > 0
