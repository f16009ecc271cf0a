"""The stand-in's streams see what must not happen: each of these is a mistake, and does harm."""

import random

import numpy as np
import pytest

from tests.gpu import streams
from tests.gpu.streams import Event, Stream, alloc_pinned_memory, bare, copy, empty, launch


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    streams.chance = None
    streams.reset()


def pinned(*numbers):
    array = np.frombuffer(alloc_pinned_memory(8 * len(numbers)), np.int64)
    array[:] = numbers
    return array


def test_a_copy_that_nobody_waits_for_is_not_there():
    there, source, copies = empty(2, np.int64), pinned(1, 2), Stream(non_blocking=True)
    copy(there, source, copies)
    assert there.tolist() == [-1, -1]
    arrived = Event()
    arrived.record(copies)
    source[:] = 0  # too early
    arrived.synchronize()
    assert there.tolist() == [0, 0]


def test_a_stream_waits_for_a_mark_and_for_no_more():
    one, other = Stream(non_blocking=True), Stream(non_blocking=True)
    done = []
    one.put(lambda: done.append("before"))
    mark = Event()
    mark.record(one)
    one.put(lambda: done.append("behind"))
    other.wait_event(mark)
    other.put(lambda: done.append("other"))
    assert not mark.done
    other.synchronize()
    assert done == ["before", "other"]
    assert mark.done
    streams.null.wait_event(mark)
    assert streams.null.length == streams.null.finished


def test_memory_is_handed_on_within_its_stream_though_kernels_may_still_read_it():
    one, other = Stream(non_blocking=True), Stream(non_blocking=True)
    seen = []
    with one:
        first = empty(2, np.int64)
        first[:] = 7
        launch(one, lambda array: seen.extend(array), first)
        piece = bare(first)
        del first
        with other:
            assert not np.shares_memory(empty(2, np.int64), piece)
        second = empty(2, np.int64)
    assert np.shares_memory(second, piece)
    copy(second, pinned(1, 2), other)
    other.synchronize()
    one.synchronize()
    assert seen == [1, 2]


def test_page_locked_memory_is_handed_on_though_a_copy_may_still_read_it():
    there, copies = empty(2, np.int64), Stream(non_blocking=True)
    copy(there, pinned(1, 2), copies)
    pinned(8, 9)
    copies.synchronize()
    assert there.tolist() == [8, 9]


def test_memory_that_is_not_page_locked_is_refused():
    with pytest.raises(AssertionError, match="not page-locked"):
        copy(empty(2, np.int64), np.zeros(2, np.int64), Stream(non_blocking=True))


def test_an_event_belongs_to_a_gpu():
    stream = Stream(non_blocking=True)
    with streams.Device(1), pytest.raises(AssertionError, match="event of cuda:1 in a .* cuda:0"):
        Event().record(stream)


def test_by_chance_everything_that_can_happen_does():
    seen = set()
    for seed in range(50):
        streams.chance = random.Random(seed)
        one, other = Stream(non_blocking=True), Stream(non_blocking=True)
        done = []
        one.put(lambda done=done: done.append(1))
        mark = Event()
        mark.record(one)
        other.put(lambda done=done: done.append(2))
        other.wait_event(mark)
        other.put(lambda done=done: done.append(3))
        other.synchronize()
        seen.add(tuple(done))
    assert seen == {(1, 2, 3), (2, 1, 3)}
