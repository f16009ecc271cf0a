import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minigrad.data import (
    CenterCrop,
    Compose,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToFloat,
    to_float,
)

shapes = arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
byte_images = arrays.arrays(np.uint8, shapes)
float_images = arrays.arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))
images = byte_images | float_images
seeds = st.integers(0, 2**32)


def rng(seed=0):
    return np.random.default_rng(seed)


EVERY_KIND = [
    ToFloat(),
    Normalize(0.5, 0.25),
    Resize(5),
    Resize((4, 7)),
    Resize(5, interpolation="lanczos"),
    Pad(2),
    CenterCrop(1),
    RandomCrop(1),
    RandomCrop((2, 1), padding=2),
    RandomHorizontalFlip(),
    RandomResizedCrop((4, 3)),
    RandomResizedCrop(4, interpolation="random"),
    Compose([RandomHorizontalFlip(), RandomCrop(1, padding=1), ToFloat()]),
]


@settings(deadline=None)
@given(image=float_images, seed=seeds)
@pytest.mark.parametrize("transform", EVERY_KIND, ids=repr)
def test_the_image_is_left_alone_and_the_same_rng_gives_the_same_image(transform, image, seed):
    before = image.copy()
    image.flags.writeable = False
    once, again = transform(image, rng(seed)), transform(image, rng(seed))
    assert once.dtype == np.float32
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "transform", [ToFloat(), Normalize(0.5, 0.25), Resize(5), Pad(2), CenterCrop(3)], ids=repr
)
def test_transforms_without_chance_do_not_touch_the_rng(transform):
    transform(np.ones((1, 4, 4), np.float32), rng=None)


@settings(deadline=None)
@given(image=byte_images)
def test_to_float_divides_bytes_by_255(image):
    result = ToFloat()(image, rng())
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, image / np.float32(255))
    np.testing.assert_array_equal(np.rint(result * 255), image)


@settings(deadline=None)
@given(image=float_images)
def test_to_float_keeps_the_values_of_floating_point(image):
    np.testing.assert_array_equal(to_float(image.astype(np.float64)), image)
    assert to_float(image) is image


@settings(deadline=None)
@given(image=float_images, data=st.data())
def test_normalize_is_x_minus_mean_over_std_in_each_channel(image, data):
    channels = len(image)
    means = data.draw(st.lists(st.floats(-1, 1), min_size=channels, max_size=channels))
    stds = data.draw(st.lists(st.floats(0.1, 2), min_size=channels, max_size=channels))
    result = Normalize(means, stds)(image, rng())
    assert result.dtype == np.float32
    for c in range(channels):
        np.testing.assert_allclose(result[c], (image[c] - means[c]) / stds[c], atol=2e-5)
    one_for_all = Normalize(means[0], stds[0])(image, rng())
    np.testing.assert_allclose(one_for_all, (image - means[0]) / stds[0], atol=2e-5)


def triangle_weights(old, new):
    """(new, old): each new pixel is the mean of the old ones under a triangle around its centre."""
    step = old / new
    centres = (np.arange(new) + 0.5) * step
    distances = np.abs(centres[:, None] - (np.arange(old) + 0.5)) / max(step, 1)
    weights = np.maximum(1 - distances, 0)
    return weights / weights.sum(axis=1, keepdims=True)


@settings(deadline=None)
@given(image=images, height=st.integers(1, 20), width=st.integers(1, 20))
def test_resize_weighs_pixels_by_a_triangle(image, height, width):
    result = Resize((height, width))(image, rng())
    rows = triangle_weights(image.shape[1], height)
    columns = triangle_weights(image.shape[2], width)
    expected = rows @ image.astype(np.float64) @ columns.T
    assert result.shape == expected.shape
    assert result.dtype == image.dtype
    # Bytes are rounded twice, once along each axis.
    np.testing.assert_allclose(result, expected, atol=1.01 if image.dtype == np.uint8 else 1e-6)


@settings(deadline=None)
@given(image=images, size=st.integers(1, 20))
def test_resize_to_one_number_sets_the_shorter_side_and_keeps_the_proportions(image, size):
    height, width = Resize(size)(image, rng()).shape[1:]
    assert min(height, width) == size
    shorter, longer = sorted(image.shape[1:])
    assert max(height, width) == int(size * longer / shorter + 1e-9)
    assert (height < width) <= (image.shape[1] < image.shape[2])


@settings(deadline=None)
@given(image=images, padding=st.integers(0, 4))
def test_pad_is_numpys_pad_of_height_and_width(image, padding):
    result = Pad(padding)(image, rng())
    around = ((0, 0), (padding, padding), (padding, padding))
    np.testing.assert_array_equal(result, np.pad(image, around))
    assert result.dtype == image.dtype


def windows(padded, height, width):
    """Every window of the padded image."""
    view = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    return view.transpose(1, 2, 0, 3, 4).reshape(-1, len(padded), height, width)


@settings(deadline=None)
@given(image=images, padding=st.integers(0, 3), seed=seeds, data=st.data())
def test_random_crop_is_one_of_the_windows(image, padding, seed, data):
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    height = data.draw(st.integers(1, padded.shape[1]))
    width = data.draw(st.integers(1, padded.shape[2]))
    result = RandomCrop((height, width), padding)(image, rng(seed))
    assert result.dtype == image.dtype
    assert any(np.array_equal(result, window) for window in windows(padded, height, width))


def test_random_crop_takes_every_window_about_equally_often():
    image = np.arange(1, 13, dtype=np.uint8).reshape(1, 3, 4)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    crop, generator = RandomCrop((3, 4), padding=1), rng()
    found = [crop(image, generator).tobytes() for _ in range(900)]
    counts = [found.count(window.tobytes()) for window in windows(padded, 3, 4)]
    assert len(counts) == 9
    assert sum(counts) == 900
    assert 60 < min(counts) <= max(counts) < 140  # four standard deviations around 100


@settings(deadline=None)
@given(image=images, seed=seeds)
def test_random_flip_mirrors_left_and_right_or_does_nothing(image, seed):
    np.testing.assert_array_equal(RandomHorizontalFlip(p=1)(image, rng(seed)), np.flip(image, 2))
    np.testing.assert_array_equal(RandomHorizontalFlip(p=0)(image, rng(seed)), image)


def test_random_flip_happens_with_probability_p():
    image = np.array([[[0, 1]]], np.uint8)
    generator = rng()
    flips = sum(RandomHorizontalFlip(p=0.2)(image, generator)[0, 0, 0] for _ in range(1000))
    assert 150 < flips < 250  # four standard deviations around 200


@settings(deadline=None)
@given(image=float_images, seed=seeds)
def test_compose_goes_from_first_to_last_with_one_rng(image, seed):
    flip, shift = RandomHorizontalFlip(), RandomCrop(image.shape[1:], padding=1)
    generator = rng(seed)
    expected = shift(flip(image, generator), generator)
    np.testing.assert_array_equal(Compose([flip, shift])(image, rng(seed)), expected)
    assert Compose([])(image, rng(seed)) is image


def test_a_transform_prints_as_it_was_made():
    text = (
        "Compose(transforms=[RandomCrop(size=28, padding=2), RandomHorizontalFlip(p=0.5), "
        "Pad(padding=1), Resize(size=(96, 96), interpolation='bilinear'), ToFloat(), "
        "CenterCrop(size=28), RandomResizedCrop(size=8, scale=(0.5, 1.0), ratio=(0.75, 1.5), "
        "interpolation='box'), Normalize(mean=0.286, std=0.353)])"
    )
    assert repr(eval(text)) == text


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Normalize(0.5, 0), "Normalize: std must be greater than 0, but is 0"),
        (lambda: Normalize((0.5, 0.5), (1, -1)), "std must be greater than 0"),
        (lambda: Normalize(float("nan"), 1), "mean must be a finite number"),
        (lambda: Normalize((), 1), "mean must be a finite number or a sequence"),
        (lambda: Resize(0), "Resize: size must be a positive integer .* but is 0"),
        (lambda: Resize((1, 2, 3)), "Resize: size must be"),
        (lambda: Resize((5, 2.5)), "Resize: size must be"),
        (lambda: RandomCrop(-1), "RandomCrop: size must be"),
        (lambda: RandomCrop(28, padding=-1), "RandomCrop: padding must be an integer, 0 or more"),
        (lambda: Pad(1.5), "Pad: padding must be an integer, 0 or more, but is 1.5"),
        (lambda: Normalize("grey", 1), "mean must be .* but is 'grey'"),
        (lambda: Normalize(0, [[1], [2, 3]]), "std must be a finite number or a sequence"),
        (lambda: Resize(5, "cubic"), "interpolation must be one of nearest, .* but is 'cubic'"),
        (lambda: CenterCrop(0), "CenterCrop: size must be a positive integer"),
        (lambda: RandomResizedCrop(0), "RandomResizedCrop: size must be"),
        (lambda: RandomResizedCrop(8, scale=(0, 1)), "scale must be two numbers above 0"),
        (lambda: RandomResizedCrop(8, scale=(0.5, 1.1)), "the lower first, at most 1, but is"),
        (lambda: RandomResizedCrop(8, scale=0.5), "scale must be two numbers .* but is 0.5"),
        (
            lambda: RandomResizedCrop(8, ratio=(2, 1)),
            "ratio must be two numbers above 0, the lower",
        ),
        (lambda: RandomResizedCrop(8, ratio=(1, float("inf"))), "ratio must be two numbers"),
        (lambda: RandomResizedCrop(8, interpolation=None), "interpolation must be one of"),
        (lambda: Compose(Resize(5)), "Compose: transforms must be a sequence"),
        (lambda: Compose([Resize(5), 5]), "Compose: transforms must be a sequence"),
        (lambda: RandomHorizontalFlip("half"), "p must lie from 0 to 1, but is 'half'"),
        (lambda: RandomHorizontalFlip(1.5), "p must lie from 0 to 1, but is 1.5"),
        (lambda: RandomHorizontalFlip(float("nan")), "p must lie from 0 to 1, but is nan"),
    ],
)
def test_bad_parameters_are_refused_in_a_sentence(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


@pytest.mark.parametrize(
    ("transform", "image", "complaint"),
    [
        (Normalize(0.5, 1), np.zeros((1, 2, 2), np.int64), "Normalize: image has type int64"),
        (
            Normalize((0.5, 0.5), 1),
            np.zeros((3, 2, 2), np.float32),
            r"mean has 2 numbers but image has 3 channels \(shape \(3, 2, 2\)\)",
        ),
        (
            RandomCrop(5, padding=1),
            np.zeros((1, 9, 2), np.uint8),
            r"size 5 does not fit into image of shape \(1, 9, 2\) with padding 1",
        ),
        (
            CenterCrop(5),
            np.zeros((3, 9, 4), np.uint8),
            r"size 5 does not .* \(3, 9, 4\); put Resize",
        ),
        (RandomResizedCrop(5), np.zeros((3, 9, 4)), "RandomResizedCrop: image has .* type float64"),
        (Resize(224), np.zeros((1, 1, 10**6), np.uint8), "would become 224×224,000,000 pixels"),
        (Resize(5), np.zeros((1, 2, 2), np.float64), "Resize: image has .* type float64"),
        (Resize(5), np.zeros((1, 2, 0), np.uint8), r"Resize: image has shape \(1, 2, 0\)"),
        (ToFloat(), np.zeros((1, 2, 2), np.int64), "to_float: array has type int64"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_a_sentence(transform, image, complaint):
    with pytest.raises(ValueError, match=complaint):
        transform(image, rng())


@pytest.mark.parametrize(
    "transform", [kind for kind in EVERY_KIND if not isinstance(kind, Compose)], ids=repr
)
def test_an_image_without_its_channel_axis_is_refused(transform):
    with pytest.raises(ValueError, match=r"image must be \(C, H, W\), but has shape \(9, 9\)"):
        transform(np.zeros((9, 9), np.float32), rng())


@settings(deadline=None)
@given(image=byte_images, data=st.data())
def test_normalize_of_bytes_is_normalize_after_to_float_bit_for_bit(image, data):
    several = st.lists(st.floats(0.05, 2), min_size=len(image), max_size=len(image))
    normalize = Normalize(data.draw(several), data.draw(several))
    for laid in (image, np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1)):
        result = normalize(laid, rng())
        np.testing.assert_array_equal(result, normalize(to_float(image), rng()))
        assert result.dtype == np.float32
        assert result.flags.c_contiguous


@settings(deadline=None)
@given(
    image=st.tuples(st.integers(2, 5), st.integers(1, 9), st.integers(1, 9), seeds).map(
        lambda drawn: rng(drawn[3]).integers(0, 256, drawn[:3], np.uint8)
    ),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    interpolation=st.sampled_from(["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]),
)
def test_channels_are_resized_together_as_each_by_itself(image, height, width, interpolation):
    resize = Resize((height, width), interpolation)
    alone = [resize(image[c : c + 1], rng()) for c in range(len(image))]
    np.testing.assert_array_equal(resize(image, rng()), np.concatenate(alone))
    how = Image.Resampling[interpolation.upper()]
    pillows = Image.fromarray(image[0]).resize((width, height), how)
    np.testing.assert_array_equal(alone[0][0], np.asarray(pillows))


@settings(deadline=None)
@given(image=images, data=st.data())
def test_center_crop_leaves_as_much_on_both_sides(image, data):
    height = data.draw(st.integers(1, image.shape[1]))
    width = data.draw(st.integers(1, image.shape[2]))
    result = CenterCrop((height, width))(image, rng())
    room, side_room = image.shape[1] - height, image.shape[2] - width
    matching = [
        (top, left)
        for top in {room // 2, -(-room // 2)}
        for left in {side_room // 2, -(-side_room // 2)}
        if np.array_equal(image[:, top : top + height, left : left + width], result)
    ]
    assert matching


def test_center_crop_rounds_halves_to_even_as_torchvision_does():
    for size, first in ((5, 0), (7, 2), (9, 2), (11, 4)):  # rooms of 1, 3, 5 and 7
        image = np.arange(size, dtype=np.uint8).reshape(1, 1, size)
        assert CenterCrop((1, 4))(image, rng())[0, 0, 0] == first


@settings(deadline=None)
@given(
    H=st.integers(1, 60),
    W=st.integers(1, 60),
    seed=seeds,
    scale=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(lambda p: tuple(sorted(p))),
    ratio=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)).map(lambda p: tuple(sorted(p))),
)
def test_a_random_window_lies_in_the_image(H, W, seed, scale, ratio):
    crop = RandomResizedCrop(8, scale, ratio)
    top, left, height, width = crop.window(H, W, rng(seed))
    assert 0 <= top < top + height <= H
    assert 0 <= left < left + width <= W
    image = rng(seed).integers(0, 256, (3, H, W), np.uint8)
    expected = Resize((8, 8))(image[:, top : top + height, left : left + width], None)
    np.testing.assert_array_equal(crop(image, rng(seed)), expected)


def test_random_windows_have_the_areas_and_proportions_asked_for():
    crop, generator = RandomResizedCrop(8, scale=(0.2, 0.6), ratio=(0.8, 1.6)), rng()
    drawn = [crop.window(400, 400, generator) for _ in range(1000)]
    areas = np.array([height * width for _, _, height, width in drawn]) / 400**2
    ratios = np.log([width / height for _, _, height, width in drawn])
    assert 0.19 < areas.min() < 0.22
    assert 0.58 < areas.max() < 0.61
    assert abs(areas.mean() - 0.4) < 0.015  # four standard deviations, 0.4/√12/√1000 each
    assert math.log(0.79) < ratios.min() < math.log(0.82)
    assert math.log(1.57) < ratios.max() < math.log(1.62)
    assert abs(ratios.mean() - math.log(0.8 * 1.6) / 2) < 0.026  # log 2 / √12 / √1000 each
    for way, room in ((0, 400), (1, 400)):
        places = [w[way] / (room - w[way + 2]) for w in drawn if w[way + 2] < room]
        assert abs(np.mean(places) - 0.5) < 0.04


@pytest.mark.parametrize(
    ("H", "W", "window"),
    [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10)), (1, 1, (0, 0, 1, 1))],
)
def test_where_no_window_fits_the_middle_is_taken(H, W, window):
    crop = RandomResizedCrop(8, scale=(1, 1), ratio=(3 / 4, 4 / 3))
    assert crop.window(H, W, rng()) == window
