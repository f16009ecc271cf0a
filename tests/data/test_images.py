"""Pictures of every mode, format and orientation, held against Pillow's conversions or formulas."""

import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from minigrad.data import ImageError, picture_format, read_image
from minigrad.data.images import SUFFIXES_OF

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
colours = st.tuples(*[st.integers(0, 255)] * 3)


def bytes_of(*depth):
    return sizes.flatmap(lambda size: arrays.arrays(np.uint8, (*size, *depth)))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("images") / "picture"


def read(file, image, form="PNG", **options):
    """What `read_image` makes of the picture in a file of this format."""
    saving = {"lossless": True, "exact": True} if form == "WEBP" else {}
    image.save(file, form, **saving)
    reading = {name: options.pop(name) for name in list(options)}
    return read_image(file, **reading)


def pixels(image):
    """A picture of Pillow's as (C, H, W)."""
    array = np.asarray(image)
    return array[np.newaxis] if array.ndim == 2 else array.transpose(2, 0, 1)


@settings(deadline=None)
@given(array=bytes_of(3))
@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_colours_are_kept_to_the_byte(form, array, file):
    image = read(file, Image.fromarray(array), form)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, array.transpose(2, 0, 1))
    assert not image.flags.writeable


@settings(deadline=None)
@given(array=bytes_of())
@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
def test_grey_is_kept_to_the_byte_in_one_channel_or_three(form, array, file):
    np.testing.assert_array_equal(read(file, Image.fromarray(array), form), np.stack([array] * 3))
    np.testing.assert_array_equal(read_image(file, channels=1), array[np.newaxis])


@settings(deadline=None)
@given(array=bytes_of(3))
def test_colours_become_grey_by_their_brightness(array, file):
    grey = read(file, Image.fromarray(array), channels=1)
    assert grey.shape == (1, *array.shape[:2])
    np.testing.assert_allclose(grey[0], array @ [0.299, 0.587, 0.114], atol=0.51)


@settings(deadline=None)
@given(array=bytes_of())
@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_black_and_white_is_0_and_255(form, array, file):
    image = read(file, Image.fromarray(array > 127), form)
    np.testing.assert_array_equal(image, np.stack([np.where(array > 127, 255, 0)] * 3))


@settings(deadline=None)
@given(indices=bytes_of(), palette=st.binary(min_size=768, max_size=768))
@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "BMP"])
def test_a_palette_is_looked_up(form, indices, palette, file):
    picture = Image.fromarray(indices).convert("L")
    picture.putpalette(palette)
    colours = np.frombuffer(palette, np.uint8).reshape(256, 3)
    image = read(file, picture, form)
    np.testing.assert_array_equal(image, colours[indices].transpose(2, 0, 1))
    expected = pixels(picture.convert("RGB").convert("L"))
    np.testing.assert_allclose(read_image(file, channels=1), expected, atol=1)


@settings(deadline=None)
@given(array=bytes_of(4), background=colours)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_what_is_transparent_shows_the_background(form, array, background, file):
    image = read(file, Image.fromarray(array, "RGBA"), form, background=background)
    alpha = array[..., 3:] / 255
    expected = array[..., :3] * alpha + np.array(background) * (1 - alpha)
    np.testing.assert_allclose(image.transpose(1, 2, 0), expected, atol=1)
    grey = read_image(file, channels=1, background=background)
    np.testing.assert_allclose(grey[0], expected @ [0.299, 0.587, 0.114], atol=1.5)


@settings(deadline=None)
@given(array=bytes_of(2), level=st.integers(0, 255))
def test_transparent_grey_shows_the_background(array, level, file):
    image = read(file, Image.fromarray(array, "LA"), background=(level,) * 3, channels=1)
    alpha = array[..., 1] / 255
    np.testing.assert_allclose(image[0], array[..., 0] * alpha + level * (1 - alpha), atol=1)


@settings(deadline=None)
@given(indices=bytes_of(), alphas=st.binary(min_size=256, max_size=256), background=colours)
def test_a_palette_with_transparent_colours_shows_the_background(indices, alphas, background, file):
    picture = Image.fromarray(indices).convert("L")
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    picture.putpalette(palette.tobytes())
    picture.info["transparency"] = alphas
    picture.save(file, "PNG", transparency=alphas)
    alpha = np.frombuffer(alphas, np.uint8)[indices][..., None] / 255
    expected = palette[indices] * alpha + np.array(background) * (1 - alpha)
    image = read_image(file, background=background)
    np.testing.assert_allclose(image.transpose(1, 2, 0), expected, atol=1)


def test_one_transparent_colour_shows_the_background(file):
    array = np.array([[[255, 0, 7], [7, 0, 0]]], np.uint8)
    Image.fromarray(array).save(file, "PNG", transparency=(255, 0, 7))
    assert read_image(file).transpose(1, 2, 0).tolist() == [[[255, 255, 255], [7, 0, 0]]]
    Image.fromarray(array[..., 0]).save(file, "PNG", transparency=7)
    assert read_image(file, channels=1, background=(9, 9, 9)).tolist() == [[[255, 9]]]
    # In a GIF, one colour of the palette.
    Image.fromarray(array[..., 0]).save(file, "GIF", transparency=7)
    assert read_image(file, channels=1, background=(9, 9, 9)).tolist() == [[[255, 9]]]


@settings(deadline=None)
@given(array=sizes.flatmap(lambda size: arrays.arrays(np.uint16, size)))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_grey_of_16_bits_is_scaled_and_not_clipped(form, array, file):
    image = read(file, Image.fromarray(array), form, channels=1)
    np.testing.assert_array_equal(image[0], np.floor(array / 257 + 0.5))


@settings(deadline=None)
@given(array=bytes_of(), maxval=st.integers(256, 65535))
def test_a_pgm_may_call_any_number_white(array, maxval, file):
    values = np.round(array / 255 * maxval).astype(">u2")
    header = f"P5\n{array.shape[1]} {array.shape[0]}\n{maxval}\n"
    file.write_bytes(header.encode() + values.tobytes())
    np.testing.assert_allclose(read_image(file, channels=1)[0], array, atol=1)


def png(width, height, depth, colour, rows, extra=b""):
    """A PNG file by the letter of its specification."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        + extra
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("depth", "colour", "row", "expected"),
    [
        (2, 0, bytes([0b00011011]), [[0, 0, 0], [85, 85, 85], [170, 170, 170], [255, 255, 255]]),
        (4, 0, bytes([0x0F, 0x3C]), [[0, 0, 0], [255, 255, 255], [51, 51, 51], [204, 204, 204]]),
        (16, 2, struct.pack(">6H", 65535, 0, 514, 257, 256, 65534), [[255, 0, 2], [1, 1, 255]]),
        (16, 4, struct.pack(">4H", 514, 65535, 0, 0), [[2, 2, 2], [255, 255, 255]]),
        (16, 6, struct.pack(">8H", 65535, 0, 514, 65535, 0, 0, 0, 0), [[255, 0, 2], [255] * 3]),
    ],
)
def test_a_png_of_any_depth(depth, colour, row, expected, file):
    file.write_bytes(png(len(expected), 1, depth, colour, [row]))
    assert read_image(file)[:, 0].T.tolist() == expected


def test_16_bits_with_one_transparent_grey(file):
    transparent = struct.pack(">I", 2) + b"tRNS" + struct.pack(">H", 300)
    transparent += struct.pack(">I", zlib.crc32(transparent[4:]))
    file.write_bytes(png(3, 1, 16, 0, [struct.pack(">3H", 300, 301, 65535)], transparent))
    assert read_image(file, channels=1, background=(99, 99, 99)).tolist() == [[[99, 1, 255]]]


@settings(deadline=None)
@given(array=bytes_of(4))
@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_cmyk_is_what_pillow_converts_it_to(form, array, file):
    Image.fromarray(array, "CMYK").save(file, form, **({"quality": 100} if form == "JPEG" else {}))
    with Image.open(file) as opened:
        assert opened.mode == "CMYK"
        expected = opened.convert("RGB")
    np.testing.assert_array_equal(read_image(file), pixels(expected))
    if form == "TIFF":
        ink = 1 - array / 255
        np.testing.assert_allclose(
            read_image(file).transpose(1, 2, 0), ink[..., :3] * ink[..., 3:] * 255, atol=1.01
        )


@settings(deadline=None)
@given(array=bytes_of(3))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_is_what_pillow_decodes(channels, array, file):
    image = read(file, Image.fromarray(array), "JPEG", channels=channels)
    with Image.open(file) as opened:
        expected = opened.convert("RGB" if channels == 3 else "L")
    np.testing.assert_array_equal(image, pixels(expected))


def test_ycbcr_is_what_pillow_converts_it_to(file):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))
    picture = picture.convert("YCbCr")
    picture.save(file, "TIFF")
    try:
        Image.open(file).load()
    except OSError:
        pytest.skip("this Pillow (11 for one) does not read what it writes")
    np.testing.assert_array_equal(read_image(file), pixels(picture.convert("RGB")))


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(form, file):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime", "blue")]
    saving = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(file, form, save_all=True, append_images=frames[1:], **saving)
    with Image.open(file) as opened:
        assert opened.n_frames == 3
    assert read_image(file)[:, 0, 0].tolist() == [255, 0, 0]


# What each orientation did to an upright picture (H, W, C), by the letter of the EXIF standard.
TURNED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: upright.transpose(1, 0, 2)[::-1],
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: upright.transpose(1, 0, 2)[:, ::-1],
}


@settings(deadline=None)
@given(upright=bytes_of(3))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_lies_on_its_side_is_stood_up(orientation, form, upright, file):
    turned = Image.fromarray(np.ascontiguousarray(TURNED[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned.save(file, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    np.testing.assert_array_equal(read_image(file), upright.transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_lies_on_its_side_is_stood_up(orientation, file):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16], upright[:8, 16:], upright[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(TURNED[orientation](upright)))
    turned.save(file, "JPEG", exif=exif, quality=100, subsampling=0)
    np.testing.assert_allclose(read_image(file).transpose(1, 2, 0), upright, atol=8)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_passed_over(orientation, file):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (5, 3)).save(file, "JPEG", exif=exif)
    assert read_image(file).shape == (3, 3, 5)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # as minigrad.data does
def test_notes_that_are_damaged_do_no_harm_to_the_picture(file):
    for note in (b"", b"II", b"XX*\0\x08\0\0\0", b"II*\0\xff\0\0\0", b"II*\0\x08\0\0\0\x09\0"):
        for form in ("PNG", "WEBP", "JPEG"):
            Image.new("RGB", (5, 3)).save(file, form, exif=b"Exif\0\0" + note)
            assert read_image(file).shape == (3, 3, 5)
    # Nor is anybody told: pytest records warnings, so another process says what others would see.
    code = f"from minigrad.data import read_image; print(read_image({str(file)!r}).shape)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("(3, 3, 5)\n", "")


@pytest.mark.parametrize(
    ("size", "min_side", "expected"),
    [
        ((400, 200), None, (200, 400)),
        ((400, 200), 200, (200, 400)),
        ((400, 200), 101, (200, 400)),
        ((400, 200), 100, (100, 200)),
        ((400, 200), 50, (50, 100)),
        ((400, 200), 26, (50, 100)),
        ((400, 200), 1, (25, 50)),
        ((401, 203), 100, (102, 201)),
    ],
)
def test_a_jpeg_may_be_decoded_smaller_but_not_below_min_side(size, min_side, expected, file):
    ramp = Image.linear_gradient("L").resize(size).convert("RGB")
    image = read(file, ramp, "JPEG", min_side=min_side)
    assert image.shape == (3, *expected)
    small = ramp.resize(expected[::-1], Image.Resampling.BOX)
    np.testing.assert_allclose(image, pixels(small).astype(int), atol=8)
    assert read(file, ramp, "PNG", min_side=min_side).shape == (3, size[1], size[0])


def test_a_file_is_known_by_its_content_not_by_its_name(tmp_path):
    file = tmp_path / "picture.jpg"
    Image.new("RGB", (2, 1), "red").save(file, "PNG")
    assert read_image(str(file))[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["a b.png", "ü—猫.png", "line\nbreak.png", "'\".png"])
def test_odd_names_are_fine(name, tmp_path):
    Image.new("RGB", (2, 1), "red").save(tmp_path / name)
    assert read_image(tmp_path / name).shape == (3, 1, 2)


def test_a_name_that_is_not_utf8_is_fine_and_can_be_printed(tmp_path):
    file = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Image.new("RGB", (2, 1)).save(file, "PNG")
    assert read_image(file).shape == (3, 1, 2)
    with open(file, "wb") as emptied:
        emptied.truncate()
    assert "\\udcff.png" in refusal(file).encode("ascii").decode()


def refusal(path, **options):
    """The sentence with which `read_image` refuses the file."""
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    error = caught.value
    assert error.path == os.fspath(path)
    assert str(error).startswith(f"read_image: {os.fspath(path)!r} ")
    return str(error)


def test_files_that_are_no_pictures_are_refused(tmp_path):
    file = tmp_path / "picture.jpg"
    assert "cannot be read: No such file" in refusal(file)
    for content in (
        b"",
        b"\0",
        b"text, and more text than sixteen bytes",
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ):
        file.write_bytes(content)
        assert "is not a picture in one of the formats JPEG, PNG, GIF" in refusal(file)
    assert refusal(tmp_path).endswith("is not a file")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").endswith("is not a file")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    assert "cannot be read: Too many levels of symbolic links" in refusal(loop)


@pytest.mark.parametrize(("mode", "form"), [("F", "TIFF"), ("I", "TIFF"), ("LAB", "TIFF")])
def test_modes_without_a_scale_are_refused(mode, form, file):
    Image.new(mode, (3, 2)).save(file, form)
    assert f"is of mode {mode}, for which there is no one way" in refusal(file)


def test_a_file_cut_short_is_refused(tmp_path):
    image = Image.effect_noise((60, 40), 50)
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        file = tmp_path / f"picture.{form}"
        image.save(file, form)
        whole = file.read_bytes()
        for part in (0.999 if form == "JPEG" else 0.9, 0.5, 0.1):
            file.write_bytes(whole[: int(part * len(whole))])
            assert "is damaged or cut short" in refusal(file)


def test_a_bomb_is_refused_before_it_is_unpacked(file):
    row = zlib.compress(bytes(3751))
    header = png(30_000, 30_000, 1, 0, []).split(b"IDAT")[0][:-4]
    file.write_bytes(header + struct.pack(">I", len(row)) + b"IDAT" + row + bytes(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow would only warn of the smaller ones
        assert "has 30000×30000 pixels, more than the 67,108,864 that max_pixels" in refusal(file)
        for side in (9000, 12_000):
            Image.new("1", (side, side)).save(file, "PNG")
            assert f"has {side}×{side} pixels, more than" in refusal(file)


def test_max_pixels_is_the_last_size_accepted(file):
    Image.new("RGB", (20, 10)).save(file, "PNG")
    assert read_image(file, max_pixels=200).shape == (3, 10, 20)
    assert "has 20×10 pixels, more than the 199 that max_pixels allows" in refusal(
        file, max_pixels=199
    )


def test_pillows_own_limit_does_not_stand_in_the_way_of_a_larger_one(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("RGB", (20, 10)).save(file, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(file).shape == (3, 10, 20)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"channels": 4}, r"channels must be 3 \(colour\) or 1 \(grey\), but is 4"),
        ({"background": 255}, r"background must be \(red, green, blue\).* but is 255"),
        ({"background": (0, 0, 256)}, "background must be"),
        ({"background": (0, 0, 0.5)}, "background must be"),
        ({"min_side": 0}, "min_side must be a positive integer, but is 0"),
        ({"max_pixels": None}, "max_pixels must be a positive integer, but is None"),
        ({"max_pixels": 1e6}, "max_pixels must be a positive integer"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, complaint, file):
    with pytest.raises(ValueError, match=f"^read_image: {complaint}") as caught:
        read_image(file, **options)
    assert not isinstance(caught.value, ImageError)


@pytest.mark.parametrize("format_", SUFFIXES_OF)
def test_the_format_is_known_by_the_content(format_, tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "picture.txt", format=format_)
    assert picture_format(tmp_path / "picture.txt") == format_
    assert read_image(tmp_path / "picture.txt").shape == (3, 3, 4)


def test_what_is_no_picture_has_no_format(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")  # to open it would wait for ever
    for name in ("text.png", "empty.png", "pipe.png", "missing.png", "."):
        assert picture_format(tmp_path / name) is None
