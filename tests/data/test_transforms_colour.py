"""Transforms of colour, against Pillow, the standard library and torchvision."""

import colorsys
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageEnhance

from minigrad.data import (
    ArrayDataset,
    ColorJitter,
    Compose,
    DataLoader,
    Normalize,
    RandomGrayscale,
    RandomLighting,
    RandomPhotometricDistort,
    RandomResizedCrop,
    paper_augmentation,
    transform_from_dict,
)
from minigrad.data.transforms import colour
from minigrad.data.transforms.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from tests.judges import torchvision

EVERY_KIND = [
    ColorJitter(0.4, 0.4, 0.4, 0.1),
    ColorJitter((0.5, 1.5)),
    ColorJitter(hue=(-0.2, 0.5)),
    RandomPhotometricDistort(),
    RandomPhotometricDistort(p=1),
    RandomGrayscale(0.5),
    RandomLighting(0.5),
    Compose(paper_augmentation((5, 4))),
]
ADJUSTMENTS = {
    adjust_brightness: ImageEnhance.Brightness,
    adjust_contrast: ImageEnhance.Contrast,
    adjust_saturation: ImageEnhance.Color,
}
images = st.sampled_from([1, 3]).flatmap(
    lambda channels: hnp.arrays(
        np.uint8,
        st.tuples(st.just(channels), st.integers(1, 9), st.integers(1, 9)),
        elements=st.integers(0, 255) | st.sampled_from([0, 1, 127, 254, 255]),
    )
)
coloured = images.filter(lambda image: len(image) == 3)
seeds = st.integers(0, 2**32)
factors = st.floats(0, 3) | st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0])


def rng(seed=0):
    return np.random.default_rng(seed)


def layouts(image):
    """Lay the same picture out in memory in other ways."""
    C, H, W = image.shape
    wide = np.zeros((C, 2 * H, 3 * W), np.uint8)
    wide[:, ::2, 1::3] = image
    yield np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1)  # as decoded
    yield np.asfortranarray(image)
    yield wide[:, ::2, 1::3]
    yield np.ascontiguousarray(image[:, ::-1, ::-1])[:, ::-1, ::-1]


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", EVERY_KIND, ids=repr)
@settings(deadline=None, max_examples=50)
@given(image=images, seed=seeds)
def test_bytes_come_out_the_same_for_any_layout_and_the_image_is_left_alone(transform, image, seed):
    before = image.copy()
    image.flags.writeable = False
    once = transform(image, rng(seed))
    assert once.dtype == np.uint8
    assert len(once) == len(image)
    assert once.shape == (image.shape if not isinstance(transform, Compose) else (len(image), 5, 4))
    np.testing.assert_array_equal(transform(image, rng(seed)), once)
    for other in layouts(image):
        other.flags.writeable = False
        np.testing.assert_array_equal(transform(other, rng(seed)), once)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("transform", EVERY_KIND, ids=repr)
def test_it_is_made_again_from_what_was_written_down(transform):
    written = json.loads(json.dumps(transform.to_dict()))
    again = transform_from_dict(written)
    assert again.to_dict() == transform.to_dict()
    image = rng(1).integers(0, 256, (3, 20, 20), np.uint8)
    for seed in range(5):
        np.testing.assert_array_equal(again(image, rng(seed)), transform(image, rng(seed)))


@pytest.mark.parametrize("transform", EVERY_KIND[:-1], ids=repr)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 4, 4), np.float32),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 0, 4), np.uint8),
        np.zeros((4, 4), np.uint8),
    ],
    ids=lambda image: f"{image.dtype} {image.shape}",
)
def test_what_is_no_picture_of_bytes_is_refused(transform, image):
    with pytest.raises(ValueError, match=f"^{type(transform).__name__}: image"):
        transform(image, rng())


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        (ColorJitter, {"brightness": -0.1}, "brightness must be a number, 0 or more, or two"),
        (ColorJitter, {"contrast": (1.5, 0.5)}, "contrast must be .* the lower first"),
        (ColorJitter, {"saturation": True}, "saturation must be .* but is True"),
        (ColorJitter, {"saturation": (1, 2, 3)}, "saturation must be"),
        (ColorJitter, {"brightness": float("nan")}, "brightness must be .* nan"),
        (ColorJitter, {"hue": 0.6}, "hue must be a number from 0 to 0.5, or two from -0.5"),
        (ColorJitter, {"hue": (0.1, "x")}, "hue must be"),
        (RandomPhotometricDistort, {"brightness": 0.5}, "brightness must be two numbers"),
        (RandomPhotometricDistort, {"hue": (-1.0, 1.0)}, "hue must be"),
        (RandomPhotometricDistort, {"p": 2}, "p must lie from 0 to 1, but is 2"),
        (RandomGrayscale, {"p": -1}, "p must lie from 0 to 1"),
        (RandomLighting, {"alpha_std": -1}, "alpha_std must be a number, 0 or more"),
        (RandomResizedCrop, {"size": 3, "interpolation": "any"}, "lanczos, random, but is 'any'"),
    ],
)
def test_options_that_do_not_fit_are_refused(kind, options, complaint):
    with pytest.raises(ValueError, match=f"^{kind.__name__}: .*{complaint}"):
        kind(**options)


# -- each against its definition -------------------------------------------------------------------


@settings(deadline=None)
@given(image=images, factor=factors)
@pytest.mark.parametrize("adjust", ADJUSTMENTS, ids=lambda adjust: adjust.__name__)
def test_blends_are_those_of_pillows_image_enhance(adjust, image, factor):
    grey = len(image) == 1
    pillow = Image.fromarray(image[0] if grey else np.ascontiguousarray(image.transpose(1, 2, 0)))
    expected = np.asarray(ADJUSTMENTS[adjust](pillow).enhance(factor))
    expected = expected[np.newaxis] if grey else expected.transpose(2, 0, 1)
    np.testing.assert_array_equal(adjust(image, factor), expected)


@settings(deadline=None)
@given(image=coloured, factor=factors)
def test_blends_are_their_formulas(image, factor):
    values = image.astype(np.float64)
    luma = np.floor((values.T @ [19595, 38470, 7471] + 2**15) / 2**16).T  # Pillow's, in bytes
    for adjust, other in (
        (adjust_brightness, 0.0),
        (adjust_contrast, np.floor(luma.mean() + 0.5)),
        (adjust_saturation, luma),
    ):
        expected = np.clip(other + factor * (values - other), 0, 255)
        found = adjust(image, factor)
        assert np.abs(found - np.floor(expected)).max() <= 1  # float32 within
        assert (np.abs(found - expected) < 1.001).all()


@settings(deadline=None)
@given(image=images)
def test_a_factor_of_one_and_no_turn_change_nothing(image):
    for adjust in ADJUSTMENTS:
        np.testing.assert_array_equal(adjust(image, 1.0), image)
    np.testing.assert_array_equal(adjust_hue(image, 0.0), image)
    for transform in (
        ColorJitter(),
        ColorJitter((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0)),
        RandomPhotometricDistort(p=0),
        RandomGrayscale(0),
        RandomLighting(0),
    ):
        np.testing.assert_array_equal(transform(image, rng()), image)


@settings(deadline=None)
@given(image=coloured, turns=st.floats(-0.5, 0.5))
def test_hue_is_turned_as_the_standard_library_would(image, turns):
    found = adjust_hue(image, turns)
    for place in np.ndindex(image.shape[1:]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(image[:, *place] / 255))
        expected = np.array(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)) * 255
        assert np.abs(found[:, *place] - expected).max() < 0.51


@settings(deadline=None)
@given(image=coloured, turns=st.floats(-0.5, 0.5))
def test_turning_hues_keeps_the_lightest_and_the_darkest(image, turns):
    found = adjust_hue(image, turns)
    np.testing.assert_array_equal(found.max(0), image.max(0))
    np.testing.assert_array_equal(found.min(0), image.min(0))


@settings(deadline=None)
@given(image=coloured)
def test_a_third_of_a_turn_moves_red_to_green_to_blue(image):
    np.testing.assert_array_equal(adjust_hue(image, 1 / 3), image[[2, 0, 1]])
    np.testing.assert_array_equal(adjust_hue(image, -1 / 3), image[[1, 2, 0]])


def test_large_pictures_are_turned_in_blocks_without_seams():
    image = rng().integers(0, 256, (3, 100, 200), np.uint8)
    assert image[0].size > 2 * colour.BLOCK
    once = adjust_hue(image, 0.2)
    parts = [adjust_hue(image[:, row : row + 1], 0.2) for row in range(100)]
    np.testing.assert_array_equal(once, np.concatenate(parts, axis=1))


@settings(deadline=None)
@given(image=coloured, seed=seeds)
def test_lighting_adds_one_colour_to_all_pixels(image, seed):
    found = RandomLighting()(image, rng(seed))
    alpha = 0.1 * rng(seed).standard_normal(3) * [0.2175, 0.0188, 0.0045]
    added = 255 * np.array(
        [
            -0.5675 * alpha[0] + 0.7192 * alpha[1] + 0.4009 * alpha[2],
            -0.5808 * alpha[0] - 0.0045 * alpha[1] - 0.8140 * alpha[2],
            -0.5836 * alpha[0] - 0.6948 * alpha[1] + 0.4203 * alpha[2],
        ]
    )
    expected = np.clip(image + added[:, np.newaxis, np.newaxis], 0, 255)
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


@settings(deadline=None)
@given(image=images.filter(lambda image: len(image) == 1), seed=seeds)
def test_a_grey_picture_changes_as_a_coloured_one_that_is_grey(image, seed):
    three = np.repeat(image, 3, axis=0)
    jitter = ColorJitter(0.5, 0.5, 0.5, 0.5)
    np.testing.assert_array_equal(jitter(image, rng(seed))[0], jitter(three, rng(seed))[0])
    for transform in (RandomPhotometricDistort(), RandomGrayscale(1)):
        np.testing.assert_array_equal(
            transform(image, rng(seed))[0], transform(three, rng(seed))[1]
        )


def test_grayscale_happens_as_often_as_was_said():
    image = np.array([[[200]], [[100]], [[50]]], np.uint8)
    drawn = [RandomGrayscale(0.3)(image, rng(seed))[:, 0, 0].tolist() for seed in range(1000)]
    assert {tuple(each) for each in drawn} == {(200, 100, 50), (124, 124, 124)}
    assert 250 < drawn.count([124, 124, 124]) < 350


# -- chance ----------------------------------------------------------------------------------------


def test_jitter_draws_evenly_from_the_whole_range():
    image = np.full((1, 1, 1), 100, np.uint8)
    drawn = [ColorJitter(brightness=0.4)(image, rng(seed)).item() for seed in range(2000)]
    assert (min(drawn), max(drawn)) == (60, 139)
    assert np.histogram(drawn, 4, (60, 140))[0] == pytest.approx(500, rel=0.2)
    pair = [ColorJitter(brightness=(2.0, 2.5))(image, rng(seed)).item() for seed in range(500)]
    assert (min(pair), max(pair)) == (200, 249)


def test_jitter_goes_in_every_order():
    """Brightness and contrast, each by one factor: their order is seen in the result."""
    image = np.array([[[0, 40, 200]]], np.uint8)
    jitter = ColorJitter(brightness=(1.5, 1.5), contrast=(2.0, 2.0))
    one = adjust_contrast(adjust_brightness(image, 1.5), 2.0).tolist()
    other = adjust_brightness(adjust_contrast(image, 2.0), 1.5).tolist()
    assert one != other
    drawn = [jitter(image, rng(seed)).tolist() for seed in range(400)]
    assert drawn.count(one) + drawn.count(other) == 400
    assert 150 < drawn.count(one) < 250


def test_each_distortion_happens_half_of_the_time():
    image = rng(3).integers(0, 256, (3, 2, 2), np.uint8)
    colours = ("brightness", "contrast", "saturation", "hue")
    only = dict(zip(colours, ((2.0, 2.0), (0.0, 0.0), (0.0, 0.0), (0.5, 0.5)), strict=True))
    same = dict(zip(colours, ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0)), strict=True))
    reordered = {
        image[list(order)].tobytes() for order in np.ndindex(3, 3, 3) if len({*order}) == 3
    }
    for option, value in only.items():
        distort = RandomPhotometricDistort(**{**same, option: value})
        changed = sum(
            np.sort(distort(image, rng(seed)), 0).tobytes() != np.sort(image, 0).tobytes()
            for seed in range(400)
        )
        assert 150 < changed < 250, option
    plain = RandomPhotometricDistort(**same)
    found = [plain(image, rng(seed)).tobytes() for seed in range(600)]
    assert set(found) == reordered  # all six orders of the channels
    assert 300 < found.count(image.tobytes()) < 400  # 1/2 + 1/2 · 1/6


def test_contrast_is_changed_before_saturation_or_after_it():
    image = np.array([[[0, 250]], [[90, 10]], [[200, 90]]], np.uint8)
    fixed = {"brightness": (1.0, 1.0), "contrast": (3.0, 3.0), "saturation": (0.0, 0.0)}
    distort = RandomPhotometricDistort(**fixed, hue=(0.0, 0.0), p=1)
    first = adjust_saturation(adjust_contrast(image, 3.0), 0.0).tolist()
    later = adjust_contrast(adjust_saturation(image, 0.0), 3.0).tolist()
    assert first != later
    drawn = [distort(image, rng(seed)).tolist() for seed in range(400)]  # grey: in any order
    assert drawn.count(first) + drawn.count(later) == 400
    assert 150 < drawn.count(first) < 250


def test_every_interpolation_is_drawn_as_often():
    image = rng(5).integers(0, 256, (3, 40, 40), np.uint8)
    options = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    names = {
        RandomResizedCrop(16, **options, interpolation=name)(image, rng()).tobytes(): name
        for name in ("bilinear", "box", "nearest", "bicubic", "lanczos", "hamming")
    }
    assert len(names) == 6
    crop = RandomResizedCrop(16, **options, interpolation="random")
    drawn = [names[crop(image, rng(seed)).tobytes()] for seed in range(1000)]
    counts = {name: drawn.count(name) for name in set(drawn)}
    assert set(counts) == {"bilinear", "box", "nearest", "bicubic"}
    assert list(counts.values()) == pytest.approx([250] * 4, rel=0.2)


def test_a_fixed_interpolation_draws_nothing_more():
    """What was seeded before there was a choice comes out as it did."""
    one, other = rng(1), rng(1)
    RandomResizedCrop(4)(np.zeros((1, 9, 9), np.uint8), one)
    RandomResizedCrop(4).window(9, 9, other)
    assert one.random() == other.random()


# -- torchvision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.3, 2.0])
def test_torchvision_agrees_to_one_level(factor):
    functional = torchvision("transforms.v2.functional")
    torch = pytest.importorskip("torch")
    image = rng(2).integers(0, 256, (3, 60, 50), np.uint8)
    for adjust, judge, amount in (
        (adjust_brightness, functional.adjust_brightness, factor),
        (adjust_contrast, functional.adjust_contrast, factor),
        (adjust_saturation, functional.adjust_saturation, factor),
        (adjust_hue, functional.adjust_hue, factor / 4),
        (adjust_hue, functional.adjust_hue, -factor / 4),
    ):
        theirs = judge(torch.from_numpy(image), amount).numpy()
        apart = np.abs(adjust(image, amount).astype(int) - theirs)
        # contrast: they blend with the mean of the grey picture, Pillow with that mean rounded
        assert apart.max() <= (2 if adjust is adjust_contrast else 1), adjust.__name__


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.3, 2.0])
def test_torchvision_on_pillows_pictures_agrees_exactly(factor):
    functional = torchvision("transforms.v2.functional")
    image = rng(2).integers(0, 256, (3, 60, 50), np.uint8)
    pillow = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    for adjust, judge in (
        (adjust_brightness, functional.adjust_brightness),
        (adjust_contrast, functional.adjust_contrast),
        (adjust_saturation, functional.adjust_saturation),
    ):
        theirs = np.asarray(judge(pillow, factor)).transpose(2, 0, 1)
        np.testing.assert_array_equal(adjust(image, factor), theirs)


# -- an epoch --------------------------------------------------------------------------------------

AUGMENT = Compose([*paper_augmentation(12), Normalize(0.5, 0.25)])


def epoch_of(loader):
    return [images.numpy() for images, _ in loader]


@settings(deadline=None, max_examples=15)
@given(
    seed=seeds,
    workers=st.integers(2, 4),
    prefetch=st.integers(1, 3),
    stop=st.integers(0, 4),
    channels=st.sampled_from([1, 3]),
)
def test_the_pictures_of_an_epoch_depend_neither_on_workers_nor_on_resuming(
    seed, workers, prefetch, stop, channels
):
    pixels = rng(seed).integers(0, 256, (13, channels, 20, 24), np.uint8)
    dataset = ArrayDataset(pixels, np.zeros(13, int), ("thing",))

    def loader(**options):
        return DataLoader(dataset, 3, shuffle=True, seed=seed, transform=AUGMENT, **options)

    alone, together = loader(), loader(workers=workers, prefetch=prefetch)
    first, second = epoch_of(alone), epoch_of(alone)
    for expected in (first, second):
        for one, other in zip(expected, epoch_of(together), strict=True):
            np.testing.assert_array_equal(one, other)
    assume(stop < len(second))
    begun, resumed = loader(prefetch=0), loader(workers=workers, prefetch=prefetch)
    begun.set_epoch(1)
    for number, _ in enumerate(begun):
        if number == stop:
            break
    resumed.load_state_dict(begun.state_dict())
    for expected, found in zip(second[stop + 1 :], epoch_of(resumed), strict=True):
        np.testing.assert_array_equal(expected, found)
    assert any(not np.array_equal(*pair) for pair in pairwise(second[:-1]))


def test_the_parts_of_the_paper_are_these():
    crop, flip, jitter, light = paper_augmentation(224)
    assert (crop.size, crop.scale, crop.ratio) == (224, (0.08, 1.0), (3 / 4, 4 / 3))
    assert (crop.interpolation, flip.p) == ("random", 0.5)
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.5, 0.5, 0.5, 0)
    assert light.alpha_std == 0.1
    assert paper_augmentation((8, 9), scale=(0.5, 1.0))[0].scale == (0.5, 1.0)
