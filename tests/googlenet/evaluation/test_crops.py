"""Where crops lie: beside loops that follow the papers' words, and cut out by plain slices."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from googlenet.drawing import plt
from googlenet.evaluation.crops import centre, crops_of, distinct, paper, ten
from googlenet.evaluation.sheet import draw_crops
from googlenet.evaluation.views import Viewer, cut, sees_whole
from minigrad.data import CenterCrop, Compose, Normalize, Pad, RandomCrop, Resize, ToFloat
from tests.googlenet.tiny import call

RNG = np.random.default_rng(0)
LENGTHS = st.integers(1, 700)
SIZES = st.sampled_from([4, 28, 32, 64, 96, 224, 299])


def half(room):
    """Half of it; of an odd number, the even one of the two beside it."""
    return room // 2 if room % 2 == 0 or room // 2 % 2 == 0 else room // 2 + 1


def naive(height, width, size, sides, squares, with_whole):
    """The boxes as the paper's sentences have them, one after the other."""
    boxes = []
    for side in sides:
        short = int(np.floor(side * size / 224 + 0.5))
        if height <= width:
            high, wide = short, int(short * width // height)
        else:
            high, wide = int(short * height // width), short
        long = max(high, wide)
        for square in squares:
            along = {0: 0, 1: half(long - short), 2: long - short}[square]
            top, left = (along, 0) if height > width else (0, along)
            for mirrored in (False, True):
                for y in (0, short - size):
                    for x in (0, short - size):
                        boxes.append((high, wide, top + y, left + x, size, mirrored))
                middle = half(short - size)
                boxes.append((high, wide, top + middle, left + middle, size, mirrored))
                if with_whole:
                    boxes.append((high, wide, top, left, short, mirrored))
    return boxes


@given(LENGTHS, LENGTHS, SIZES)
def test_the_144_of_the_paper(height, width, size):
    found = paper(height, width, size)
    assert len(found) == 144
    expected = naive(height, width, size, (256, 288, 320, 352), (0, 1, 2), True)
    assert Counter(crop.pixels for crop in found) == Counter(expected)
    for crop in found:  # all of them lie in the picture, and in their square
        assert 0 <= crop.square.top <= crop.top <= crop.top + crop.side
        assert crop.top + crop.side <= crop.square.top + crop.square.side <= crop.square.height
        assert 0 <= crop.square.left <= crop.left <= crop.left + crop.side
        assert crop.left + crop.side <= crop.square.left + crop.square.side <= crop.square.width


@given(LENGTHS, LENGTHS, SIZES)
def test_the_ten_of_krizhevsky(height, width, size):
    found = ten(height, width, size)
    assert len(found) == 10
    expected = naive(height, width, size, (256,), (1,), False)
    assert Counter(crop.pixels for crop in found) == Counter(expected)


@given(LENGTHS, LENGTHS, SIZES)
def test_distinct_crops_keep_the_number(height, width, size):
    for count in (1, 10, 144):
        found = crops_of(count, height, width, size)
        kept = distinct(found)
        assert sum(number for _, number in kept) == count == len(found)
        assert len({crop.pixels for crop, _ in kept}) == len(kept)
        assert Counter(c.pixels for c in found) == {crop.pixels: n for crop, n in kept}


def test_by_hand():
    """A photograph of 4:3 at 224, and a square one at 32."""
    found = paper(300, 400, 224)
    assert {(crop.square.height, crop.square.width) for crop in found} == {
        (256, 341), (288, 384), (320, 426), (352, 469)
    }  # fmt: skip
    assert [s.left for s in dict.fromkeys(c.square for c in found)][:3] == [0, 42, 85]
    views = [crop.view for crop in found[:6]]
    assert views == ["top left", "top right", "bottom left", "bottom right", "centre", "whole"]
    assert [(crop.top, crop.left, crop.side) for crop in found[:6]] == [
        (0, 0, 224), (0, 32, 224), (32, 0, 224), (32, 32, 224), (16, 16, 224), (0, 0, 256)
    ]  # fmt: skip
    assert {crop.square.name for crop in paper(400, 300, 224)} == {"top", "centre", "bottom"}
    small = paper(28, 28, 32)
    assert sorted({crop.square.shorter for crop in small}) == [37, 41, 46, 50]
    assert [number for _, number in distinct(small)] == [3] * 48


def texture(height, width, channels=3):
    return np.random.default_rng(5).integers(0, 256, (channels, height, width), np.uint8)


@given(st.integers(20, 90), st.integers(20, 90), st.sampled_from([8, 32]))
def test_one_crop_is_the_one_of_training(height, width, size):
    """`centre` is Resize and CenterCrop, whatever the proportions."""
    image = texture(height, width)
    transform = Compose([Resize(round(size * 256 / 224)), CenterCrop(size)])
    (found,) = cut(image, centre(height, width, size), size)
    np.testing.assert_array_equal(found, transform(image, RNG))


@pytest.mark.parametrize("shape", [(45, 60), (60, 45), (50, 50), (33, 200)])
@pytest.mark.parametrize("channels", [1, 3])
def test_cut_beside_slices(shape, channels):
    """Each of the 144: resize, slice, resize what is whole, mirror, and only then normalise."""
    image, size = texture(*shape, channels), 32
    values = Normalize([0.4] * channels, [0.2] * channels)
    found = paper(*shape, size)
    images = cut(image, found, size, values, "bicubic")
    assert len(images) == 144
    for crop, seen in zip(found, images, strict=True):
        picture = Resize(crop.pixels[:2], "bicubic")(image, RNG)
        rows, columns = (slice(at, at + crop.side) for at in (crop.top, crop.left))
        picture = picture[:, rows, columns]
        if crop.view == "whole":
            picture = Resize((size, size), "bicubic")(picture, RNG)
        if crop.mirrored:
            picture = np.flip(picture, 2)
        np.testing.assert_array_equal(seen, values(np.ascontiguousarray(picture), RNG))


def test_memory_is_that_of_the_squares():
    """Views share: 144 crops of 224 would take 83 MiB; they stand on 24 arrays of a quarter."""
    found = paper(300, 400, 224)
    images = cut(texture(300, 400), found, 224, Normalize(0.5, 0.5))
    below = {}
    for image in images:
        while image.base is not None:
            image = image.base
        below[id(image)] = image.nbytes
    assert len(below) == 24
    assert sum(below.values()) < sum(image.nbytes for image in images) / 3


def test_the_viewer_replaces_what_places_and_keeps_what_values():
    image = texture(30, 30, 1)
    own = Compose([Resize((32, 32), "nearest"), Normalize(0.3, 0.5)])
    (alone,), counts = Viewer(own, 32)(image)
    np.testing.assert_array_equal(alone, own(image, RNG))
    assert counts.tolist() == [1]
    for transform in (own, Compose([Compose([Resize((32, 32), "nearest")]), own.transforms[1]])):
        views = Viewer(transform, 32, 10)(image)
        expected = cut(image, ten(30, 30, 32), 32, Normalize(0.3, 0.5), "nearest")
        for seen, picture in zip(views.images, expected, strict=True):
            np.testing.assert_array_equal(seen, picture)
    views = Viewer(Compose([Resize(40), CenterCrop(32), ToFloat()]), 32, 144)(image)
    assert views.counts.tolist() == [3] * 48
    assert all(0 <= seen.min() <= seen.max() <= 1 for seen in views.images)


@pytest.mark.parametrize("step", [Pad(2), RandomCrop(32)])
def test_what_crops_cannot_stand_for_is_refused(step):
    with pytest.raises(ValueError, match=f"crops: .* but this one has {type(step).__name__}"):
        Viewer(Compose([Resize((32, 32)), step, Normalize(0.3, 0.5)]), 32, 10)
    with pytest.raises(ValueError, match=r"crops must be one of 1, 10, 144, got 12"):
        Viewer(Compose([Resize((32, 32))]), 32, 12)
    with pytest.raises(ValueError, match="height must be at least 1 pixel, got 0"):
        crops_of(10, 0, 5, 32)


def test_who_sees_pictures_whole():
    assert sees_whole(Compose([Resize((32, 32)), ToFloat()]))
    assert not sees_whole(Compose([Compose([Resize(37), CenterCrop(32)]), ToFloat()]))


@pytest.mark.parametrize(("count", "shape"), [(144, (60, 45)), (10, (40, 40)), (1, (45, 60))])
def test_all_crops_are_drawn(count, shape, monkeypatch):
    """As many pictures as crops, and one of each scale."""
    from matplotlib.axes import Axes

    drawn = []
    monkeypatch.setattr(Axes, "imshow", lambda axes, image, **how: drawn.append(image.shape))
    monkeypatch.setattr("googlenet.evaluation.sheet.png", lambda figure, dpi: plt.close(figure))
    draw_crops(texture(*shape), crops_of(count, *shape, 32), 32)
    scales = 4 if count == 144 else 1
    assert Counter(drawn) == Counter([(32, 32, 3)] * count + [(*shape, 3)] * scales)


def test_the_command(tmp_path):
    Image.fromarray(texture(45, 60).transpose(1, 2, 0)).save(tmp_path / "a.png")
    file = tmp_path / "crops.png"
    done = call("crops", tmp_path / "a.png", "--crops", 144, "--image-size", 32, "--output", file)
    assert done.code == 0, done.err
    assert "144 crops of 32×32 from 60×45" in done.out
    with Image.open(file) as drawn:
        assert min(drawn.size) > 1000
    done = call("crops", tmp_path / "a.png", "--crops", "10", "--json")
    said = json.loads(done.out)
    assert len(said["crops"]) == said["distinct"] == 10
    first = said["crops"][0]
    assert first == {
        "height": 256, "width": 341, "square": "centre", "view": "top left",
        "top": 0, "left": 42, "side": 224, "mirrored": False,
    }  # fmt: skip
    done = call("crops", tmp_path / "none.png")
    assert done.code == 2
    assert "there is no picture" in done.err
    (tmp_path / "b.png").write_bytes(b"nothing")
    done = call("crops", tmp_path / "b.png", "--output", tmp_path / "no.png")
    assert done.code == 1
    assert "b.png" in done.err
    assert not (tmp_path / "no.png").exists()
