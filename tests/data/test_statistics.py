import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minigrad.data import (
    ArrayDataset,
    FashionMNIST,
    Normalize,
    RandomCrop,
    Resize,
    ToFloat,
    channel_statistics,
)

stacks = arrays.array_shapes(min_dims=4, max_dims=4, max_side=5)


def dataset(images):
    return ArrayDataset(images, np.zeros(len(images), int), ["one"])


@settings(deadline=None)
@given(images=stacks.flatmap(lambda shape: arrays.arrays(np.uint8, shape)))
def test_they_are_numpys_over_all_pixels_at_once(images):
    mean, std = channel_statistics(dataset(images))
    np.testing.assert_allclose(mean, images.mean(axis=(0, 2, 3)) / 255, atol=1e-14)
    np.testing.assert_allclose(std, images.std(axis=(0, 2, 3)) / 255, atol=1e-14)
    assert [type(number) for number in mean + std] == [float] * 2 * images.shape[1]
    scaled = channel_statistics(dataset(images), ToFloat())
    np.testing.assert_allclose(scaled, (mean, std), atol=1e-7)


@settings(deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=6),
    far=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 99),
)
def test_images_of_different_sizes_count_by_their_pixels_and_nothing_cancels(sizes, far, seed):
    rng = np.random.default_rng(seed)
    images = [rng.random((2, *size)) + far for size in sizes]

    class Mixed:
        classes = ("one",)

        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return images[index], 0

    pixels = np.concatenate([image.reshape(2, -1) for image in images], axis=1)
    mean, std = channel_statistics(Mixed())
    np.testing.assert_allclose(mean, pixels.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(std, pixels.std(axis=1), atol=1e-8)


def test_images_without_pixels_do_not_count():
    class Some:
        classes = ("one",)

        def __init__(self, *images):
            self.images = images

        def __len__(self):
            return len(self.images)

        def __getitem__(self, index):
            return self.images[index], 0

    empty, full = np.zeros((2, 0, 3), np.uint8), np.array([[[0, 255]], [[51, 51]]], np.uint8)
    for images in ((full, empty), (empty, full), (empty, full, empty)):
        assert channel_statistics(Some(*images)) == ((0.5, 0.2), (0.5, 0.0))
    for images in ((), (empty,), (empty, empty)):
        with pytest.raises(ValueError, match="^channel_statistics: the dataset holds no pixels"):
            channel_statistics(Some(*images))


def test_normalised_with_them_the_mean_is_0_and_the_deviation_1():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 9, 7), np.uint8)
    images[:, 1] //= 4
    fixed = Resize((5, 5))
    normalize = Normalize(*channel_statistics(dataset(images), fixed))
    after = np.stack([normalize(fixed(image, None), None) for image in images])
    np.testing.assert_allclose(after.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(after.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_those_of_the_default_job_are_those_it_always_had():
    # Computed over the stacked images, as googlenet does; Normalize keeps them in float32.
    mean, std = channel_statistics(FashionMNIST(train=True))
    assert np.float32(mean[0]) == np.float32(0.2856664105642257)
    assert np.float32(std[0]) == np.float32(0.3529682246350712)


def test_a_sample_is_drawn_by_the_seed_without_repetition():
    seen = []

    class Noted:
        classes = ("one",)

        def __len__(self):
            return 100

        def __getitem__(self, index):
            seen.append(index)
            return np.full((1, 2, 2), index, np.uint8), 0

    first = channel_statistics(Noted(), sample=30)
    chosen = list(seen)
    assert len(set(chosen)) == 30
    assert first == channel_statistics(Noted(), sample=30)
    assert first != channel_statistics(Noted(), sample=30, seed=1)
    np.testing.assert_allclose(first.mean[0], np.mean(chosen) / 255)
    seen.clear()
    assert channel_statistics(Noted(), sample=100) == channel_statistics(Noted(), sample=1000)
    assert seen == [*range(100)] * 2


def test_a_transform_that_draws_is_seeded_for_each_image():
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 9, 9), np.uint8)
    crop = RandomCrop(3)
    first = channel_statistics(dataset(images), crop)
    assert first == channel_statistics(dataset(images), crop)
    assert first != channel_statistics(dataset(images), crop, seed=1)


@pytest.mark.parametrize("sample", [0, -1, 0.5, "all"])
def test_a_sample_that_is_none_is_refused(sample):
    with pytest.raises(ValueError, match="sample must be 1 or more, but is"):
        channel_statistics(FashionMNIST(False), sample=sample)


def test_images_of_different_channels_and_no_images_are_refused():
    class Mixed:
        classes = ("one",)

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.zeros((1 + 2 * index, 4, 4), np.uint8), 0

    with pytest.raises(ValueError, match=r"image 1 has 3 channels \(shape \(3, 4, 4\)\), but"):
        channel_statistics(Mixed())
    with pytest.raises(ValueError, match="the dataset holds no pixels"):
        channel_statistics(dataset(np.zeros((0, 1, 2, 2), np.uint8)))


def test_images_that_cannot_be_read_are_left_out_if_asked():
    class Damaged:
        classes = ("one",)

        def __len__(self):
            return 10

        def __getitem__(self, index):
            if index % 3 == 0:
                raise OSError("cut short")
            return np.full((1, 2, 2), index, np.uint8), 0

    with pytest.raises(OSError, match="cut short"):
        channel_statistics(Damaged())
    found = channel_statistics(Damaged(), on_error="skip")
    np.testing.assert_allclose(found.mean[0], np.mean([1, 2, 4, 5, 7, 8]) / 255)
    np.testing.assert_allclose(found.std[0], np.std([1, 2, 4, 5, 7, 8]) / 255)
    with pytest.raises(ValueError, match="on_error must be"):
        channel_statistics(Damaged(), on_error="ignore")
    with pytest.raises(ValueError, match="none of 4 images could be read"):
        channel_statistics(Damaged(), lambda image, rng: 1 / 0, sample=4, on_error="skip")
    with pytest.raises(MemoryError):
        channel_statistics(Damaged(), _out_of_memory, on_error="skip")


def _out_of_memory(image, rng):
    raise MemoryError
