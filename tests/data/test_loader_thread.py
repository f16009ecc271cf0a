"""The thread that prepares batches: when it starts, what it passes on, and that it always ends."""

import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from minigrad.data import DataLoader
from minigrad.data.preparation import THREAD_NAME


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert loader_threads() == []


class Watched:
    """A dataset that runs `action(index)` whenever a sample is fetched, and counts them."""

    classes = ("only",)

    def __init__(self, size=40, action=lambda index: None):
        self.size, self.action, self.fetched = size, action, []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.fetched.append(index)
        self.action(index)
        return np.zeros((1, 2, 2), np.uint8), 0


@pytest.mark.parametrize("prefetch", [1, 3])
def test_batches_are_prepared_ahead_but_no_more_than_asked(prefetch):
    dataset = Watched()
    ahead = threading.Event()
    dataset.action = lambda index: index + 1 == (1 + prefetch) * 4 and ahead.set()
    batches = iter(DataLoader(dataset, 4, prefetch=prefetch))
    assert dataset.fetched == []
    next(batches)
    assert ahead.wait(timeout=60)  # the thread goes on without being asked
    batches.close()
    assert dataset.fetched == list(range((1 + prefetch) * 4))


def test_samples_are_fetched_in_the_background_or_with_prefetch_0_here():
    names = set()
    dataset = Watched(action=lambda index: names.add(threading.current_thread().name))
    list(DataLoader(dataset, 4, prefetch=0))
    assert names == {threading.current_thread().name}
    names.clear()
    list(DataLoader(dataset, 4, prefetch=2))
    assert len(names) == 1
    assert names.pop().startswith(THREAD_NAME)


def fail_at(bad, index):
    if index == bad:
        raise KeyError("no such picture")


@pytest.mark.parametrize("prefetch", [0, 1, 2])
def test_an_error_in_a_sample_names_it_and_comes_after_the_good_batches(prefetch):
    loader = DataLoader(Watched(action=partial(fail_at, 9)), 4, prefetch=prefetch)
    batches = iter(loader)
    assert [len(next(batches)[1]) for _ in range(2)] == [4, 4]
    with pytest.raises(RuntimeError, match=r"sample 9 of Watched .*KeyError: 'no such") as caught:
        next(batches)
    assert isinstance(caught.value.__cause__, KeyError)
    assert loader_threads() == []
    assert list(batches) == []


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_stop_iteration_in_a_sample_does_not_end_the_epoch_quietly(prefetch):
    def stop(index):
        raise StopIteration

    with pytest.raises(RuntimeError, match="sample 0 of Watched"):
        list(DataLoader(Watched(action=stop), 4, prefetch=prefetch))


def test_break_ends_the_thread():
    for _ in DataLoader(Watched(), 4):
        break
    assert loader_threads() == []


def test_what_was_ahead_is_dropped_when_the_consumer_stops(monkeypatch):
    closing = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def shutdown_and_tell(worker, wait, cancel_futures):
        shutdown(worker, wait=False, cancel_futures=cancel_futures)
        closing.set()
        shutdown(worker, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown_and_tell)
    held_up = threading.Event()

    def hold_up(index):
        if index == 4:
            held_up.set()
            closing.wait(timeout=60)

    dataset = Watched(action=hold_up)
    for _ in DataLoader(dataset, 4, prefetch=9):
        assert held_up.wait(timeout=60)
        break  # while the thread is in the second batch, and eight more are waiting
    assert dataset.fetched == list(range(8))


def test_an_error_in_the_consumer_ends_the_thread():
    def consume():
        for _ in DataLoader(Watched(), 4):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    gc.collect()
    assert loader_threads() == []


def test_an_iterator_that_is_forgotten_ends_its_thread():
    batches = iter(DataLoader(Watched(), 4))
    next(batches)
    assert len(loader_threads()) == 1
    del batches
    assert loader_threads() == []


def test_an_iterator_never_advanced_starts_no_thread():
    batches = iter(DataLoader(Watched(), 4))
    assert loader_threads() == []
    del batches


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_the_garbage_collector_may_close_an_iterator_inside_its_own_thread():
    # An iterator in a cycle is closed by whichever thread happens to collect garbage; here it is
    # the one thread that the iterator cannot wait for.
    may_collect, collected = threading.Event(), threading.Event()

    def collect(index):
        if index == 4:
            may_collect.wait(timeout=60)
            gc.collect()
            collected.set()

    cycle = [iter(DataLoader(Watched(action=collect), 4))]
    cycle.append(cycle)
    next(cycle[0])
    gc.disable()
    try:
        (thread,) = loader_threads()
        del cycle
        may_collect.set()
        assert collected.wait(timeout=60)
        thread.join(timeout=60)
        assert not thread.is_alive()
    finally:
        gc.enable()


def test_a_program_may_end_in_the_middle_of_an_epoch():
    program = (
        "from minigrad.data import DataLoader, FashionMNIST\n"
        "batches = iter(DataLoader(FashionMNIST(train=False), 10))\n"
        "print(len(next(batches)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")
