"""Memory that is used again: when, how much of it is kept, and never while somebody looks."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.cpu import memory

LARGE = memory.SMALLEST  # bytes


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """An empty pool of its own for every test."""
    fresh = memory._Pool()
    monkeypatch.setattr(memory, "_pool", fresh)
    return fresh


def address(array):
    return array.__array_interface__["data"][0]


@given(st.lists(st.integers(0, 70), max_size=4), st.sampled_from(["f4", "f8", "u1", "i8"]))
def test_arrays_are_as_numpy_makes_them(shape, dtype):
    array = memory.empty(shape, dtype)
    assert array.shape == tuple(shape)
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert address(array) % array.itemsize == 0
    array[...] = 1
    assert array.sum() == array.size
    assert not memory.zeros(shape, dtype).any()


def test_large_arrays_begin_at_a_line_of_the_cache():
    for size in range(LARGE, LARGE + 300, 7):
        assert address(memory.empty(size, np.uint8)) % memory.ALIGNMENT == 0


def test_memory_is_used_again_when_nobody_looks_any_more():
    array = memory.empty((LARGE, 2), np.float32)
    first = address(array)
    view = array[5:].T.reshape(2, -1)[:, ::2]
    del array
    other = memory.empty((LARGE, 2), np.float32)
    assert address(other) != first  # the view still looks
    del view
    assert address(memory.empty((LARGE, 2), np.float32)) == first


def test_a_block_that_is_a_little_larger_will_do_but_not_a_much_larger_one():
    kept = memory.empty(200 * LARGE, np.uint8)  # so that half of it may lie idle
    first = address(memory.empty(40 * LARGE, np.uint8))
    assert address(memory.empty(40 * LARGE - 100, np.uint8)) == first
    assert address(memory.empty(20 * LARGE, np.uint8)) != first
    del kept


def test_a_small_block_serves_for_all_that_fits():
    kept = memory.empty(200 * LARGE, np.uint8)
    first = address(memory.empty(memory.SMALL - memory.ALIGNMENT, np.uint8))
    assert address(memory.empty(LARGE, np.uint8)) == first
    del kept


def test_what_is_kept_is_bounded_by_what_was_in_use(pool):
    for size in range(LARGE, 40 * LARGE, LARGE // 3):  # none fits the next
        memory.empty(size, np.uint8)
        pool._settle()
        assert pool.used == 0
        assert pool.idle <= memory.KEPT * pool.most
    assert pool.most < 41 * LARGE


def test_a_second_step_makes_no_new_blocks(pool, monkeypatch):
    def step():
        kept = [memory.empty(n * LARGE, np.uint8) for n in range(1, 9)]
        for n in range(8, 0, -1):
            memory.empty(n * LARGE, np.uint8)
            kept.pop()

    step()
    pool._settle()
    before, taken = pool.idle, []
    monkeypatch.setattr(memory.np, "empty", lambda *a: taken.append(a))
    step()
    pool._settle()
    assert not taken
    assert pool.idle == before


def test_a_second_batch_in_use_makes_no_new_blocks(pool, monkeypatch, request):
    """Without recording nothing is kept, and what is in use at once is little.

    By one thread: of several, it depends on the moment how many hold room for columns at once.
    """
    before = minigrad.get_num_threads()
    minigrad.set_num_threads(1)
    request.addfinalizer(lambda: minigrad.set_num_threads(before))
    net = nn.Sequential(
        nn.Conv2d(3, 64, 7, padding=3), nn.MaxPool2d(2), nn.Conv2d(64, 48, 3), nn.Conv2d(48, 8, 1)
    )
    x = minigrad.tensor(np.zeros((4, 3, 64, 64), np.float32))
    taken = []
    with minigrad.no_grad():
        net(x)
        net(x)
        make = pool._new
        monkeypatch.setattr(pool, "_new", lambda size: taken.append(size) or make(size))
        net(x)
    assert pool.most > 0
    assert not taken


def test_the_cache_can_be_emptied(pool):
    kept, gone = memory.empty(LARGE, np.uint8), memory.empty(LARGE, np.uint8)
    del gone
    assert pool.idle + len(pool.returned) > 0
    minigrad.empty_cache()
    assert pool.idle == len(pool.returned) == 0
    assert pool.used >= kept.nbytes


def test_small_arrays_are_numpys_own(pool):
    array = memory.empty(LARGE - 1, np.uint8)
    assert array.flags.owndata
    assert pool.used == 0


def test_threads_side_by_side(pool):
    wrong = []

    def work(mark):
        for size in range(200):
            array = memory.empty(LARGE + 40 * size, np.uint8)
            array[...] = mark
            if (array != mark).any():
                wrong.append(size)

    workers = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    pool._settle()
    assert not wrong
    assert pool.used == 0


def test_an_array_may_go_while_a_block_is_being_taken(pool, monkeypatch):
    """The garbage collector runs when it likes: here, just when the place of a block is known."""
    kept = memory.empty(200 * LARGE, np.uint8)
    smaller, fitting = (memory.empty(size * LARGE, np.uint8) for size in (5, 20))
    first, gone = address(fitting), [smaller]
    del smaller, fitting
    search = memory.bisect_left

    def collect_then(*arguments):
        place = search(*arguments)
        gone.clear()
        return place

    monkeypatch.setattr(memory, "bisect_left", collect_then)
    assert address(memory.empty(19 * LARGE, np.uint8)) == first
    del kept


def test_when_memory_runs_out_what_lies_idle_is_given_back_first(pool, monkeypatch):
    kept = memory.empty(200 * LARGE, np.uint8)
    memory.empty(10 * LARGE, np.uint8)
    make = np.empty

    def scarce(*arguments):
        if pool.idle:
            raise MemoryError("none left")
        return make(*arguments)

    def none(*arguments):
        raise MemoryError("none left")

    monkeypatch.setattr(memory.np, "empty", scarce)
    assert memory.empty(20 * LARGE, np.uint8).nbytes == 20 * LARGE
    assert pool.idle == 0
    monkeypatch.setattr(memory.np, "empty", none)
    with pytest.raises(MemoryError, match="none left"):
        memory.empty(30 * LARGE, np.uint8)
    del kept
