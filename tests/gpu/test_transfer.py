"""Batches on their way to a GPU: they arrive whole, whatever is done when, and nobody waits."""

import random
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.gpu import cupy
from minigrad.gpu.transfer import Uploader
from tests.gpu import streams

pytestmark = pytest.mark.usefixtures("gpu")


@pytest.fixture
def only_standin(gpu):
    if gpu != "stand-in":
        pytest.skip("only the stand-in's streams can be looked into")
    yield
    streams.chance = None
    streams.reset()


def batch(number, count):
    """Numbers that no other batch has, nor any other place of this one."""
    images = np.arange(number * 1000, number * 1000 + count * 6, dtype=np.float32)
    return images.reshape(count, 2, 1, 3), np.arange(count) - number


def send(uploader, arrays, place):
    def fill(into):
        for to, array in zip(into, arrays, strict=True):
            to[...] = array

    return uploader.send([(array.shape, array.dtype) for array in arrays], fill, place)


def same(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_arrive(ahead):
    """Of one size, of a smaller one (the last of an epoch), of a larger one."""
    uploader, on_the_way, got = Uploader(0), deque(), []
    batches = [batch(i, count) for i, count in enumerate([40, 40, 40, 40, 40, 3, 3, 90, 90, 40])]
    for arrays in batches:
        on_the_way.append(send(uploader, arrays, uploader.reserve()))
        if len(on_the_way) > ahead:
            got.append(uploader.receive(on_the_way.popleft()))
    got += map(uploader.receive, on_the_way)
    uploader.close()
    for arrays, wanted in zip(got, batches, strict=True):
        assert all(array.device.id == 0 and array.flags.c_contiguous for array in arrays)
        same(map(cupy().asnumpy, arrays), wanted)


def test_arrays_begin_where_kernels_can_read_them():
    uploader = Uploader(0)
    arrays = np.arange(3, dtype=np.uint8), np.arange(2.0)
    got = uploader.receive(send(uploader, arrays, uploader.reserve()))
    uploader.close()
    assert got[1].data.ptr % 8 == 0
    same(map(cupy().asnumpy, got), arrays)


@pytest.mark.usefixtures("only_standin")
@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    haste=st.sampled_from([0, 0.3, 0.8]),
    counts=st.lists(st.sampled_from([1, 1, 1, 20, 40]), min_size=1, max_size=12),
    ahead=st.integers(0, 3),
    kept=st.integers(0, 2),
    stop=st.integers(0, 12),
)
def test_whatever_is_done_when_kernels_see_their_own_batch(seed, haste, counts, ahead, kept, stop):
    """Kernels that run late read what they were given, though its memory was let go long ago.

    The consumer holds on to the last batches, stops somewhere, and leaves the rest on its way.
    After that all memory goes to somebody else, and nothing may be written into it.
    """
    streams.reset()
    streams.chance, streams.haste = random.Random(seed), haste
    batches = [batch(i, count) for i, count in enumerate(counts)]
    seen, on_the_way, held = [], deque(), deque()

    def consume(uploader, kernels):
        arrays = uploader.receive(on_the_way.popleft())
        streams.launch(kernels, lambda *seen_by_it: seen.append([a.copy() for a in seen_by_it]),
                       *arrays)  # fmt: skip
        held.append(arrays)
        while len(held) > kept:
            held.popleft()

    with streams.Stream(non_blocking=True) as kernels:
        uploader = Uploader(0)
        for arrays in batches[:stop]:
            on_the_way.append(send(uploader, arrays, uploader.reserve()))
            if len(on_the_way) > ahead:
                consume(uploader, kernels)
        while on_the_way and stop >= len(batches):
            consume(uploader, kernels)
        uploader.close()
        on_the_way.clear()
        held.clear()
        foreign = [streams.alloc_pinned_memory(512 * i) for i in (1, 2, 3, 4) for _ in range(8)]
        for array in foreign:
            array[:] = 77
        theirs = [streams.empty(512 * i, np.uint8) for i in (1, 2, 3, 4) for _ in range(8)]
        for array in theirs:
            streams.launch(kernels, lambda memory: memory.fill(88), array)
    for stream in [kernels, *streams.streams]:
        stream.synchronize()
    expected = batches if stop >= len(batches) else batches[: max(0, stop - ahead)]
    for got, wanted in zip(seen, expected, strict=True):
        same(got, wanted)
    assert all((array == 77).all() for array in foreign)
    assert all((array == 88).all() for array in theirs)


@pytest.mark.usefixtures("only_standin")
def test_the_host_waits_for_pinned_memory_alone(monkeypatch):
    waited = []
    for kind in (streams.Event, streams.Stream):
        sound = kind.synchronize
        monkeypatch.setattr(kind, "synchronize", lambda it, f=sound: waited.append(it) or f(it))
    uploader, on_the_way = Uploader(0), deque()
    for i in range(8):
        on_the_way.append(send(uploader, batch(i, 4), uploader.reserve()))
        assert not waited or waited.pop().stream is uploader._copies
        assert not waited
        if len(on_the_way) > 1:
            uploader.receive(on_the_way.popleft())
        assert not waited


@pytest.mark.usefixtures("only_standin")
def test_a_copy_waits_for_what_was_queued_when_its_place_was_reserved():
    done = []
    with streams.Stream(non_blocking=True) as kernels:
        uploader = Uploader(0)
        uploader.receive(send(uploader, batch(0, 4), uploader.reserve()))
        kernels.put(lambda: done.append("before"))
        place = uploader.reserve()
        kernels.put(lambda: done.append("behind"))
        sent = send(uploader, batch(1, 4), place)
    sent.arrived.synchronize()
    assert done == ["before"]


@pytest.mark.usefixtures("only_standin")
def test_another_stream_in_between_is_refused():
    uploader = Uploader(0)
    sent = send(uploader, batch(0, 4), uploader.reserve())
    refused = pytest.raises(RuntimeError, match="received in the stream it was reserved in")
    with streams.Stream(non_blocking=True), refused:
        uploader.receive(sent)
    same(map(cupy().asnumpy, uploader.receive(sent)), batch(0, 4))


def test_what_is_sent_after_the_end_is_waited_for():
    """The garbage collector may close an iteration while the last batch is being prepared."""
    uploader = Uploader(0)
    uploader.receive(send(uploader, batch(0, 4), uploader.reserve()))
    place = uploader.reserve()
    uploader.close()
    assert send(uploader, batch(1, 4), place).arrived.done
