"""The properties of lesson 17: blocks, the place of a thread, and who looks at a pixel."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases

__all__ = ["axes_of", "blocks", "windows_over"]


def blocks(answer: Callable) -> None:
    """Enough blocks, and not one more."""

    @cases(numbers=st.integers(1, 40), threads=st.sampled_from([4, 8]))
    def holds(numbers: int, threads: int) -> None:
        count = numbers
        needed = -(-count // threads)
        case = f"for {count} numbers and blocks of {threads} threads"
        came = ask(answer, case, count, threads)
        missing = count - count // threads * threads
        agree(case, "the number of blocks", came, needed, [
            (count // threads, f"The last {missing} numbers have no thread: round up."),
            (count // threads + 1, "The last block would have nothing to do: they fit exactly."),
            (count / threads, "Blocks are whole."),
            (count, "That is the number of threads; a block has several."),
        ])  # fmt: skip

    holds()


def axes_of(answer: Callable) -> None:
    """Check against NumPy's own, of arrays whose axes all differ."""

    @cases(place=st.integers(60, 119), order=st.permutations([2, 3, 4, 5]))
    def holds(place: int, order: list[int]) -> None:
        N, C, H, W = order
        needed = np.unravel_index(place, order)
        case = f"for number {place} of an array of shape {tuple(order)}"
        backwards = np.unravel_index(place, order[::-1])
        n, c, y, z = (int(k) for k in needed)
        came = ask(answer, case, place, tuple(order))
        agree(case, "the index", came, [n, c, y, z], [
            ([z, y, c, n], "The numbers are right, their order is not: n comes first."),
            (list(backwards)[::-1], "There the first axis runs fastest, as in Fortran."),
            (np.unravel_index(place, [N, C, W, H]), "Rows and columns are exchanged."),
            (list(backwards), "The lengths come in the wrong order: the last axis first."),
            ([place // (C * H * W), place // (H * W), place // W, place % W],
             "What is left after the axes in front is missing: take % of each length."),
            ([place % N, place % C, place % H, place % W],
             "Divide by the length of an axis before you go on to the next."),
        ])  # fmt: skip

    holds()


def windows_over(answer: Callable) -> None:
    """Check that window i is in the list if i·stride − padding ≤ y < i·stride − padding + k."""
    drawn = {"y": st.integers(0, 6), "k": st.integers(2, 4), "windows": st.integers(1, 5)}
    strides, paddings = st.integers(2, 3), st.integers(1, 2)

    @cases(**drawn)
    def ends(y: int, k: int, windows: int) -> None:
        _check(answer, y, k, 1, 0, windows, {
            "A window ends before its start + kernel_size: that row is not in it.":
                _seeing(y, k + 1),
            "A window sees its first row, too.": _seeing(y - 1, k - 1),
            "A window sees its last row, too: start + kernel_size − 1.": _seeing(y, k - 1),
        })  # fmt: skip

    @cases(**drawn, stride=strides)
    def strided(y: int, k: int, windows: int, stride: int) -> None:
        _check(answer, y, k, stride, 0, windows, {
            "That is for stride 1: window i begins at i · stride.": _seeing(y, k),
        })  # fmt: skip

    @cases(**drawn, stride=strides, padding=paddings)
    def padded(y: int, k: int, windows: int, stride: int, padding: int) -> None:
        _check(answer, y, k, stride, padding, windows, {
            "The padding moves every window up by as much: the first begins at −padding.":
                _seeing(y, k, stride),
            "The padding moves windows up, not down: window i begins at i · stride − padding.":
                _seeing(y, k, stride, -padding),
        })  # fmt: skip

    ends()
    strided()
    padded()


def _check(
    answer: Callable, y: int, k: int, stride: int, padding: int, windows: int,
    mistakes: dict[str, list[int]],
) -> None:  # fmt: skip
    endless = _seeing(y, k, stride, padding)
    needed = [i for i in endless if 0 <= i < windows]
    case = f"for row {y}, {stride=}, {padding=}, windows of {k} rows and {windows} of them"
    came = ask(answer, case, y, k, stride, padding, windows)
    assert isinstance(came, list | tuple | range), f"{case} a list is asked for, got {came!r:.60}"
    told = {
        "No window has a negative number.": [i for i in endless if i < windows],
        "There are only `count` windows.": [i for i in endless if i >= 0],
        "There are only the windows 0 … count − 1.": endless,
        **{words: [i for i in wrong if 0 <= i < windows] for words, wrong in mistakes.items()},
    }
    came = list(came)
    says = next((f". {words}" for words, wrong in told.items() if came == wrong), "")
    assert came == needed, f"{case} it is seen by {needed}, yours says {came}{says}"


def _seeing(y: int, kernel_size: int, stride: int = 1, padding: int = 0) -> list[int]:
    """Return which windows see row y, if there were windows without end on both sides."""
    starts = ((i, i * stride - padding) for i in range(-9, 20))
    return [i for i, start in starts if start <= y < start + kernel_size]
