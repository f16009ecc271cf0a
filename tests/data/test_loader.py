from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import (
    ArrayDataset,
    Compose,
    DataLoader,
    FashionMNIST,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    ToFloat,
    collate,
)
from minigrad.data.randomness import EpochRandomness

AUGMENT = Compose(
    [RandomCrop(4, padding=1), RandomHorizontalFlip(), ToFloat(), Normalize(0.3, 0.4)]
)


def numbered(size):
    """A dataset whose label at index i is i, so that a batch tells which samples it holds."""
    images = np.random.default_rng(0).integers(0, 256, (size, 1, 4, 4)).astype(np.uint8)
    return ArrayDataset(images, np.arange(size), classes=[str(i) for i in range(size)])


def samples_of(loader):
    """The samples of one epoch, in order: labels (N,) and images (N, C, H, W)."""
    batches = list(loader)
    return (
        np.concatenate([labels for _, labels in batches]),
        np.concatenate([images for images, _ in batches]),
    )


sizes = st.integers(1, 40)
words = st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(size=sizes, batch_size=st.integers(1, 50), drop_last=st.booleans(), shuffle=st.booleans())
@pytest.mark.parametrize("prefetch", [0, 2])
def test_batches_cover_the_dataset(size, batch_size, drop_last, shuffle, prefetch):
    loader = DataLoader(
        numbered(size),
        batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        prefetch=prefetch,
    )
    lengths = [len(labels) for _, labels in loader]
    full, rest = size // batch_size, size % batch_size
    assert lengths == [batch_size] * full + ([rest] if rest and not drop_last else [])
    assert len(loader) == len(lengths)
    if lengths:
        labels, images = samples_of(loader)
        seen = sorted(labels) if shuffle else list(labels)
        assert len(set(seen)) == sum(lengths)
        if rest == 0 or not drop_last or not shuffle:
            assert seen == list(range(sum(lengths)))
        np.testing.assert_array_equal(images * 255, loader.dataset.images[labels])


def test_a_batch_is_contiguous_float32_and_int64():
    flip = RandomHorizontalFlip(p=1)  # a view with its last axis backwards
    for images, labels in DataLoader(numbered(10), 4, transform=flip):
        assert images.dtype == np.float32
        assert images.data.flags.c_contiguous
        assert labels.dtype == np.int64
        assert images.shape == (len(labels), 1, 4, 4)


def test_an_empty_dataset_gives_no_batch():
    loader = DataLoader(numbered(0), batch_size=4, shuffle=True)
    assert len(loader) == 0
    assert list(loader) == []


def test_collate_scales_bytes_and_keeps_floating_point():
    images, _ = collate([(np.full((1, 2, 2), 51, np.uint8), 3)])
    np.testing.assert_array_equal(images, np.full((1, 1, 2, 2), 0.2, np.float32))
    images, labels = collate([(np.full((1, 2, 2), value), 0) for value in (51.0, 52.0)])
    assert images[:, 0, 0, 0].tolist() == [51.0, 52.0]
    assert labels.tolist() == [0, 0]
    fortran = [(np.asfortranarray(np.ones((2, 3, 4), np.float32)), 0)] * 2
    assert collate(fortran)[0].data.flags.c_contiguous


def test_collate_refuses_images_of_several_shapes():
    samples = [(np.zeros((1, 4, side), np.uint8), 0) for side in (4, 5, 4)]
    with pytest.raises(ValueError, match=r"one shape.*\(1, 4, 4\) and \(1, 4, 5\)"):
        collate(samples)


@settings(deadline=None)
@given(
    size=sizes,
    seed=words,
    epoch=st.integers(0, 2**64 - 2),
    shuffle=st.booleans(),
    batch_size=st.integers(1, 50),
    prefetch=st.integers(0, 4),
)
def test_the_numbers_depend_on_seed_and_epoch_alone(
    size, seed, epoch, shuffle, batch_size, prefetch
):
    make = partial(DataLoader, numbered(size), shuffle=shuffle, seed=seed, transform=AUGMENT)
    plain = make(batch_size=1, prefetch=0)
    other = make(batch_size=batch_size, prefetch=prefetch)
    plain.set_epoch(epoch)
    other.set_epoch(epoch)
    for expected, found in zip(samples_of(plain), samples_of(other), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_shuffling_changes_the_order_but_not_what_happens_to_a_sample():
    straight_labels, straight = samples_of(DataLoader(numbered(40), transform=AUGMENT))
    labels, images = samples_of(DataLoader(numbered(40), transform=AUGMENT, shuffle=True))
    assert straight_labels.tolist() == list(range(40)) != labels.tolist()
    np.testing.assert_array_equal(images, straight[labels])


@settings(deadline=None)
@given(size=st.integers(0, 200), seed=words, epoch=words)
def test_an_order_is_a_permutation(size, seed, epoch):
    assert sorted(EpochRandomness(seed, epoch).order(size)) == list(range(size))


def test_every_permutation_of_three_is_about_equally_likely():
    orders = [tuple(EpochRandomness(7, epoch).order(3).tolist()) for epoch in range(600)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert 63 < min(counts) <= max(counts) < 137  # four standard deviations around 100


@settings(deadline=None)
@given(seed=words, epoch=words, index=words)
def test_the_generator_of_a_sample_is_philox_at_its_key_and_counter(seed, epoch, index):
    randomness = EpochRandomness(seed, epoch)
    randomness.order(3)
    randomness.of_sample(5).integers(10, dtype=np.uint32)  # leaves half a word in the buffer
    philox = np.random.Philox(
        key=np.array([seed, epoch], np.uint64), counter=np.array([0, index, 1, 0], np.uint64)
    )
    expected, found = np.random.Generator(philox), randomness.of_sample(index)
    for _ in range(3):
        assert found.integers(10, dtype=np.uint32) == expected.integers(10, dtype=np.uint32)
        np.testing.assert_array_equal(found.random(3), expected.random(3))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_transform_is_handed_the_generator_of_its_sample(prefetch):
    def paint(image, rng):
        return np.full(image.shape, rng.random(), np.float32)

    loader = DataLoader(numbered(10), 4, shuffle=True, seed=3, transform=paint, prefetch=prefetch)
    loader.set_epoch(5)
    labels, images = samples_of(loader)
    randomness = EpochRandomness(seed=3, epoch=5)
    expected = [randomness.of_sample(index).random() for index in labels]
    assert len(set(expected)) == 10
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.array(expected, np.float32))


def test_samples_epochs_seeds_and_purposes_have_streams_of_their_own():
    draws = [EpochRandomness(0, 0).order(2).tobytes()]
    draws += [
        EpochRandomness(seed, epoch).of_sample(index).bytes(64)
        for seed in range(4)
        for epoch in range(4)
        for index in range(16)
    ]
    assert len(set(draws)) == len(draws)
    order_words = EpochRandomness(0, 0)
    words = order_words._at(order_words.ORDER, 0).bit_generator.random_raw(8)
    assert words.tobytes() not in draws


def test_the_numbers_of_a_seed_are_these_for_ever():
    randomness = EpochRandomness(seed=2014, epoch=3)
    assert randomness.order(10).tolist() == [2, 7, 8, 1, 0, 9, 4, 6, 3, 5]
    bits = randomness.of_sample(9).bit_generator.random_raw(2)
    assert bits.tolist() == [0x17B9B99ED5EB790, 0xE99F49C65E2D46E4]


def test_each_iteration_is_the_next_epoch_even_one_that_is_broken_off():
    loader = DataLoader(numbered(40), 8, shuffle=True)
    first = samples_of(loader)[0].tolist()
    assert loader.epoch == 1
    for _ in loader:
        break
    assert loader.epoch == 2
    third = samples_of(loader)[0].tolist()
    assert first != third
    loader.set_epoch(0)
    assert samples_of(loader)[0].tolist() == first
    loader.set_epoch(2)
    assert samples_of(loader)[0].tolist() == third


def test_an_iteration_keeps_its_epoch_while_others_begin():
    loader = DataLoader(numbered(40), 8, shuffle=True, transform=AUGMENT)
    alone = [samples_of(loader)[0], samples_of(loader)[0]]
    loader.set_epoch(0)
    together = zip(iter(loader), iter(loader), strict=True)
    pairs = [(first[1], second[1]) for first, second in together]
    for labels, expected in zip(zip(*pairs, strict=True), alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(labels), expected)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_a_transform_names_the_sample(prefetch):
    loader = DataLoader(numbered(4), 4, transform=Normalize((0, 0), 1), prefetch=prefetch)
    with pytest.raises(RuntimeError, match=r"sample 0 of ArrayDataset .*ValueError: Normalize"):
        list(loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_transform_that_writes_into_the_dataset_is_stopped(prefetch):
    def careless(image, rng):
        image += 1
        return image

    loader = DataLoader(numbered(4), 4, transform=careless, prefetch=prefetch)
    with pytest.raises(RuntimeError, match=r"sample 0 of ArrayDataset .*read-only"):
        list(loader)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"batch_size": 0}, "batch_size must be an integer from 1 .* but is 0"),
        ({"batch_size": True}, "batch_size must be .* but is True"),
        ({"batch_size": 2.0}, "batch_size must be .* but is 2.0"),
        ({"seed": -1}, "seed must be an integer from 0 .* but is -1"),
        ({"seed": 2**64}, "seed must be an integer"),
        ({"prefetch": -1}, "prefetch must be an integer from 0 .* but is -1"),
        ({"transform": 3}, "transform must be called as .* but 3 cannot be called"),
    ],
)
def test_bad_parameters_are_refused_in_a_sentence(parameters, complaint):
    with pytest.raises(ValueError, match=f"DataLoader: {complaint}"):
        DataLoader(numbered(4), **parameters)


def test_a_bad_epoch_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"epoch must be an integer from 0 .* but is -1"):
        DataLoader(numbered(4)).set_epoch(-1)


def test_the_whole_way_from_the_files_to_a_batch():
    transform = Compose([ToFloat(), Normalize(0.286, 0.353)])
    _, images = samples_of(DataLoader(FashionMNIST(), 500, transform=transform))
    assert images.shape == (5000, 1, 28, 28)
    assert abs(images.mean()) < 0.02
    assert abs(images.std() - 1) < 0.02
