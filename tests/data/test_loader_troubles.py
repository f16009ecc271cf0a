"""Samples that cannot be prepared, or take very long, and how long the loader was waited for."""

import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import DataLoader
from minigrad.data import loader as loader_module
from minigrad.data import samples as samples_module
from tests.data.test_loader import AUGMENT, numbered

WAYS = [{"prefetch": 0}, {"prefetch": 2}, {"prefetch": 1, "workers": 3}]


class Troubled:
    """A dataset of which some samples cannot be read; they are files of names."""

    classes = ("only",)

    def __init__(self, size, broken, error=OSError):
        self.whole, self.broken, self.error = numbered(size), broken, error

    def __len__(self):
        return len(self.whole)

    def __getitem__(self, index):
        if index in self.broken:
            raise self.error("image file is truncated")
        return self.whole[index]

    def describe(self, index):
        return f"pictures/{index}.jpg"


def said_by(batches):
    """Go through batches; return them, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [(images.tolist(), labels.tolist()) for images, labels in batches]
    assert all(warning.category is RuntimeWarning for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)
    return found, [str(warning.message) for warning in caught]


def name(index):
    return f"DataLoader: sample {index} of Troubled (pictures/{index}.jpg)"


@settings(deadline=None)
@given(
    size=st.integers(1, 30),
    batch_size=st.integers(1, 8),
    broken=st.sets(st.integers(0, 29)),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    way=st.sampled_from(WAYS),
)
def test_broken_samples_are_left_out_and_named_once(
    size, batch_size, broken, shuffle, drop_last, way
):
    options = {"shuffle": shuffle, "drop_last": drop_last, "transform": AUGMENT}
    plain = DataLoader(numbered(size), batch_size, **options)
    loader = DataLoader(Troubled(size, broken), batch_size, on_error="skip", **options, **way)
    named = set()
    for epoch in range(2):
        wanted, met = [], []
        for images, labels in plain:
            kept = [i for i, label in enumerate(labels.tolist()) if label not in broken]
            met += [label for label in labels.tolist() if label in broken]
            if kept:
                wanted.append((images[kept].tolist(), labels[kept].tolist()))
        if met and not wanted:
            with pytest.raises(RuntimeError, match=rf"none of the {len(met)} samples of epoch "):
                said_by(loader)
            return
        found, said = said_by(loader)
        assert found == wanted
        end = f"DataLoader: samples left out of epoch {epoch}: {len(met)}"
        assert said == [
            f"{name(i)} could not be prepared: OSError: image file is truncated; it is left out"
            for i in met
            if i not in named
        ] + [end] * bool(set(met) - named)
        named |= set(met)
        assert loader.left_out == named


@pytest.mark.filterwarnings("ignore:DataLoader")
@pytest.mark.parametrize("way", WAYS)
def test_an_epoch_of_broken_samples_is_an_error(way):
    loader = DataLoader(Troubled(6, range(6)), 4, on_error="skip", **way)
    said = "none of the 6 samples of epoch 0 could be prepared. The first: DataLoader: sample 0 of"
    with pytest.raises(RuntimeError, match=said) as caught:
        list(loader)
    assert isinstance(caught.value.__cause__.__cause__, OSError)


@pytest.mark.parametrize("way", WAYS)
def test_an_error_says_where_the_sample_is_and_how_to_go_on(way):
    with pytest.raises(RuntimeError) as caught:
        list(DataLoader(Troubled(6, [3]), 4, **way))
    assert str(caught.value) == (
        f"{name(3)} could not be prepared: OSError: image file is truncated; "
        'on_error="skip" leaves such samples out'
    )


def test_a_description_that_fails_hides_nothing(monkeypatch):
    monkeypatch.delattr(Troubled, "describe")
    with pytest.raises(RuntimeError, match=r"sample 3 of Troubled could not be prepared: OSError"):
        list(DataLoader(Troubled(6, [3])))
    monkeypatch.setattr(Troubled, "describe", lambda dataset, index: 1 / 0, raising=False)
    with pytest.raises(RuntimeError, match=r"sample 3 of Troubled could not be prepared: OSError"):
        list(DataLoader(Troubled(6, [3])))


@pytest.mark.parametrize("way", WAYS)
def test_memory_that_runs_out_is_no_fault_of_the_sample(way):
    loader = DataLoader(Troubled(6, [3], MemoryError), 4, on_error="skip", **way)
    with pytest.raises(RuntimeError, match=r"sample 3 of .* MemoryError: image file is truncated$"):
        list(loader)


def test_on_error_is_one_of_two():
    with pytest.raises(ValueError, match='on_error must be "raise" or "skip", but is \'ignore\''):
        DataLoader(numbered(4), on_error="ignore")


# -- time -----------------------------------------------------------------------------------------


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch, *modules):
        self.now = 1000.0
        for module in modules:
            monkeypatch.setattr(module, "clock", lambda: self.now)


class Timed(Troubled):
    """A dataset whose samples take so many seconds, each."""

    def __init__(self, clock, seconds):
        super().__init__(len(seconds), ())
        self.clock, self.seconds = clock, seconds

    def __getitem__(self, index):
        self.clock.now += self.seconds[index]
        return super().__getitem__(index)


def slow(index, seconds, average):
    return (
        f"DataLoader: sample {index} of Timed (pictures/{index}.jpg) has taken {seconds} seconds; "
        f"others take {average} on average"
    )


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize(
    ("seconds", "named"),
    [
        ([0.5, 0.5, 10.5, 0.5], [slow(2, 10, 0.5)]),  # rounded to even
        ([0.1, 0.1, 9.5, 0.1], []),  # not 10 seconds
        ([2, 2, 39, 2], []),  # not 20 times the average
        ([2, 2, 2, 41], [slow(3, 41, 2)]),
        ([11, 11, 11], [slow(0, 11, 0)]),
    ],
)
def test_a_sample_that_takes_very_long_is_named(monkeypatch, seconds, named, prefetch):
    clock = Clock(monkeypatch, samples_module)
    loader = DataLoader(Timed(clock, seconds), 2, prefetch=prefetch)
    assert said_by(loader)[1] == named


def test_a_sample_that_takes_very_long_in_every_epoch_is_named_once(monkeypatch):
    clock = Clock(monkeypatch, samples_module)
    loader = DataLoader(Timed(clock, [0.0] * 99 + [12]), 2)
    assert said_by(loader)[1] == [slow(99, 12, 0)]
    loader.dataset.seconds[98] = 13
    assert said_by(loader)[1] == [slow(98, 13, 0.061)]  # 12 of 197


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sample_that_does_not_end_is_named_meanwhile(monkeypatch, workers):
    clock, released, looks = Clock(monkeypatch, samples_module), threading.Event(), []

    class Stuck(Timed):
        def __getitem__(self, index):
            if index == 5:
                self.clock.now += 100
                assert released.wait(timeout=60)
            return super().__getitem__(index)

    def look(samples):
        found = list(slow_ones(samples))
        looks.append(found)
        if sum(map(len, looks)) > 0 and len(looks) > 10:
            released.set()
        return found

    slow_ones = samples_module.Samples.slow
    monkeypatch.setattr(samples_module.Samples, "slow", look)
    monkeypatch.setattr(loader_module, "LOOK", 0.01)
    loader = DataLoader(Stuck(clock, [0.0] * 8), 4, workers=workers)
    found, said = said_by(loader)
    assert [len(labels) for _, labels in found] == [4, 4]
    assert said == [slow(5, 100, 0).replace("Timed", "Stuck")]


def test_seconds_waited_are_those_until_batches_are_ready(monkeypatch):
    clock = Clock(monkeypatch, loader_module)
    loader = DataLoader(Timed(clock, [1, 2, 3, 4, 5, 6]), 2, prefetch=0)
    assert loader.seconds_waited == 0
    waited = []
    for _ in loader:
        clock.now += 100  # a step
        waited.append(loader.seconds_waited)
    assert waited == [3, 10, 21]
    loader.seconds_waited = 0
    list(loader)
    assert loader.seconds_waited == 21


def test_seconds_waited_in_vain_count_too(monkeypatch):
    clock = Clock(monkeypatch, loader_module)
    dataset = Timed(clock, [1, 2, 3, 4])
    dataset.broken = {0, 1}

    def late(index):
        clock.now += dataset.seconds[index]
        return Troubled.__getitem__(dataset, index)

    monkeypatch.setattr(Timed, "__getitem__", lambda dataset, index: late(index))
    loader = DataLoader(dataset, 2, prefetch=0, on_error="skip")
    said_by(loader)
    assert loader.seconds_waited == 10


@pytest.mark.filterwarnings("ignore:DataLoader")
def test_a_batch_without_a_sample_has_a_row_less():
    ((images, labels),) = DataLoader(Troubled(4, [2]), 4, on_error="skip")
    assert (images.shape, labels.tolist()) == ((3, 1, 4, 4), [0, 1, 3])
    assert images.dtype == np.float32
