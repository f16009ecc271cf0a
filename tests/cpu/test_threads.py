"""Threads: every task once, errors come through, forks and callers side by side are fine."""

import os
import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.cpu import run
from minigrad.cpu import threads as pool


@pytest.fixture
def threads():
    before = minigrad.get_num_threads()
    yield minigrad.set_num_threads
    minigrad.set_num_threads(before)


@given(st.integers(0, 100), st.integers(1, 5))
def test_every_task_runs_once(tasks, count):
    done = np.zeros(tasks, int)

    def kernel(first, last, done):
        assert 0 <= first < last <= tasks
        done[first:last] += 1

    before = minigrad.get_num_threads()
    try:
        minigrad.set_num_threads(count)
        run(kernel, tasks, done)
    finally:
        minigrad.set_num_threads(before)
    assert (done == 1).all()


@given(st.integers(1, 3000), st.integers(2, 8))
def test_shares_are_large_first_and_small_last(tasks, count):
    """So that in the end nobody waits long for another."""
    shares = pool._shares(tasks, count)
    assert [first for first, _ in shares] == [0, *(last for _, last in shares[:-1])]
    assert shares[-1][1] == tasks
    sizes = [last - first for first, last in shares]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= max(1, tasks // (2 * count))
    assert sizes[-1] <= max(1, tasks // (16 * count))


def test_several_threads_take_part(threads):
    threads(3)
    meeting = threading.Barrier(3, timeout=20)  # passes only if three are there at once
    run(lambda first, last: first < 3 and meeting.wait(), 3)


def test_an_error_in_any_thread_comes_through(threads):
    threads(2)

    def kernel(first, last):
        if last == 50:
            raise ZeroDivisionError("task 49")

    with pytest.raises(ZeroDivisionError, match="task 49"):
        run(kernel, 50)


def test_an_interrupt_while_waiting_leaves_threads_that_work(threads, monkeypatch):
    """Ctrl-C may come while a helper is still at its share: the next kernel gets new helpers."""
    threads(2)
    begun, go_on, done = threading.Event(), threading.Event(), []

    def kernel(first, last):
        if threading.current_thread() is threading.main_thread():
            begun.wait(20)
        else:
            begun.set()
            go_on.wait(20)
            done.append(last)

    def interrupted(member):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool._Member, "end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(kernel, 2)
    assert not done
    meeting = threading.Barrier(2, timeout=20)
    run(lambda first, last: first < 2 and meeting.wait(), 2)  # while the old helper still works
    go_on.set()
    threads(3)  # would wait for ever if nobody had let go of the threads
    run(lambda first, last: None, 10)


def test_threads_that_cannot_be_started_are_no_end(threads, monkeypatch):
    threads(2)
    with monkeypatch.context() as patch:

        def refuse(*arguments):
            raise RuntimeError("can't start new thread")

        patch.setattr(pool, "_Member", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            run(lambda first, last: None, 10)
    meeting = threading.Barrier(2, timeout=20)
    run(lambda first, last: first < 2 and meeting.wait(), 2)


def test_callers_side_by_side(threads):
    """Two threads of the user's may compute at once."""
    threads(2)
    results = []

    def work(seed):
        rng = np.random.default_rng(seed)
        x = minigrad.tensor(rng.standard_normal((4, 8, 9, 9), dtype=np.float32))
        w = minigrad.tensor(rng.standard_normal((8, 8, 3, 3), dtype=np.float32))
        first = minigrad.functional.conv2d(x, w).data
        same = [minigrad.functional.conv2d(x, w).data for _ in range(20)]
        results.append(all((other == first).all() for other in same))

    callers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [True] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_starts_its_own_threads(threads):
    threads(2)
    run(lambda first, last: None, 10)  # the parent's threads are running
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)  # so as not to wait for ever for threads that are not there
            done = np.zeros(10, int)

            def kernel(first, last):
                done[first:last] += 1

            run(kernel, 10)
            os._exit(0 if (done == 1).all() else 1)
        finally:
            os._exit(2)  # whatever happens, the child is no second test run
    assert os.waitpid(child, 0)[1] == 0


def test_threads_that_were_forgotten_are_started_anew(threads):
    """What happens in a forked child, looked at from inside."""
    threads(2)
    run(lambda first, last: None, 10)
    lost = pool._team
    assert lost.members
    pool._forget_threads()
    try:
        done = np.zeros(10, int)

        def kernel(first, last):
            done[first:last] += 1

        run(kernel, 10)
        assert (done == 1).all()
        assert pool._team is not lost
    finally:
        lost.dismiss()


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True, None])
def test_bad_counts(count):
    with pytest.raises(ValueError, match="count must be a positive integer"):
        minigrad.set_num_threads(count)
