"""Several workers: samples are prepared side by side, and nothing else changes."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import DataLoader
from minigrad.data.randomness import EpochRandomness
from tests.data.test_loader import AUGMENT, numbered, samples_of
from tests.data.test_loader_thread import Watched, fail_at, loader_threads


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert loader_threads() == []


@settings(deadline=None)
@given(
    size=st.integers(1, 40),
    seed=st.integers(0, 2**64 - 1),
    shuffle=st.booleans(),
    batch_size=st.integers(1, 50),
    prefetch=st.integers(1, 4),
    workers=st.integers(2, 5),
)
def test_the_number_of_workers_changes_nothing(size, seed, shuffle, batch_size, prefetch, workers):
    make = partial(
        DataLoader, numbered(size), batch_size, shuffle, seed, transform=AUGMENT, prefetch=prefetch
    )
    alone, together = make(), make(workers=workers)
    for _ in range(2):
        for expected, found in zip(samples_of(alone), samples_of(together), strict=True):
            np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("workers", [2, 3])
def test_as_many_samples_as_workers_are_prepared_at_once(workers):
    all_here = threading.Barrier(workers)
    dataset = Watched(6 * workers, action=lambda index: all_here.wait(timeout=60))
    loader = DataLoader(dataset, 2 * workers, workers=workers)
    assert [len(labels) for _, labels in loader] == [2 * workers] * 3


def test_each_thread_has_a_generator_of_its_own():
    randomness = EpochRandomness(1, 2)
    alone = randomness.of_sample(3).random(4).tolist()
    here = randomness.of_sample(3)
    found = here.random(2).tolist()
    with ThreadPoolExecutor(1) as other:
        there = other.submit(lambda: randomness.of_sample(5).random(3)).result()
    assert found + here.random(2).tolist() == alone
    np.testing.assert_array_equal(there, randomness.of_sample(5).random(3))


@pytest.mark.parametrize("prefetch", [1, 3])
def test_no_more_batches_are_prepared_ahead_than_asked(prefetch):
    dataset = Watched()
    wanted = set(range((1 + prefetch) * 4))
    ahead = threading.Event()
    dataset.action = lambda index: set(dataset.fetched) == wanted and ahead.set()
    batches = iter(DataLoader(dataset, 4, prefetch=prefetch, workers=2))
    next(batches)
    assert ahead.wait(timeout=60)
    batches.close()
    assert set(dataset.fetched) == wanted


def test_an_error_names_its_sample_and_comes_after_the_good_batches():
    loader = DataLoader(Watched(action=partial(fail_at, 9)), 4, workers=3)
    batches = iter(loader)
    assert [len(next(batches)[1]) for _ in range(2)] == [4, 4]
    with pytest.raises(RuntimeError, match=r"sample 9 of Watched .*KeyError: 'no such"):
        next(batches)
    assert loader_threads() == []
    assert list(batches) == []


def test_break_ends_the_threads_and_drops_the_rest():
    held_up, released = threading.Event(), threading.Event()

    def hold_up(index):
        if index >= 4:
            held_up.set()
            released.wait(timeout=60)

    dataset = Watched(action=hold_up)
    for _ in DataLoader(dataset, 4, prefetch=9, workers=2):
        assert held_up.wait(timeout=60)
        threading.Timer(0.05, released.set).start()
        break  # while two threads are in a sample each, and 34 samples wait
    assert loader_threads() == []
    assert len(dataset.fetched) < 40


def test_an_error_waits_for_those_who_are_in_the_middle_of_a_sample():
    in_the_middle, released = threading.Event(), threading.Event()

    def fail_beside_another(index):
        if index == 8:
            assert in_the_middle.wait(timeout=60)
            threading.Timer(0.1, released.set).start()
            raise KeyError("no such picture")
        if index == 9:
            in_the_middle.set()
            released.wait(timeout=60)

    with pytest.raises(RuntimeError, match="sample 8 of Watched"):
        list(DataLoader(Watched(action=fail_beside_another), 4, workers=2))
    assert loader_threads() == []


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_the_garbage_collector_may_close_an_iterator_inside_a_worker():
    may_collect, collected = threading.Event(), threading.Event()

    def collect(index):
        if index == 4:
            may_collect.wait(timeout=60)
            gc.collect()
            collected.set()

    cycle = [iter(DataLoader(Watched(action=collect), 4, workers=2))]
    cycle.append(cycle)
    next(cycle[0])
    gc.disable()
    try:
        threads = loader_threads()
        assert len(threads) == 3
        del cycle
        may_collect.set()
        assert collected.wait(timeout=60)
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
    finally:
        gc.enable()


def test_workers_without_threads_are_refused():
    with pytest.raises(ValueError, match="workers must be 1 where prefetch is 0, .* but is 2"):
        DataLoader(Watched(), workers=2, prefetch=0)
    with pytest.raises(ValueError, match="workers must be an integer from 1 .* but is 0"):
        DataLoader(Watched(), workers=0)
