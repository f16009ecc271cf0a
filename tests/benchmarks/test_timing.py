"""Medians, spread, the sense of the ratio, and whether sides really take turns."""

import pytest

from benchmarks.timing import Spread, alternate, ratio


def test_spread_of_five_times():
    spread = Spread.of([5.0, 1.0, 4.0, 2.0, 3.0])
    assert spread == Spread(1.0, 2.0, 3.0, 4.0, 5.0, 5)


def test_the_median_of_an_even_count_lies_between():
    assert Spread.of([4.0, 1.0, 2.0, 9.0]).median == 3.0


def test_spread_of_a_single_time():
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0, 2.0, 2.0, 1)


def test_spread_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one time"):
        Spread.of([])


def test_a_ratio_above_one_means_that_ours_is_faster():
    ours, theirs = Spread.of([1.0]), Spread.of([3.0])
    assert ratio(ours, theirs) == 3.0


class Laps:
    """A clock that only running steps moves on, and what was run."""

    def __init__(self):
        self.now, self.ran = 0.0, []

    def step(self, name, seconds):
        def run():
            self.ran.append(name)
            self.now += seconds

        return run


def test_sides_take_turns_after_a_run_that_is_not_counted():
    laps = Laps()
    steps = {"ours": laps.step("ours", 1.0), "theirs": laps.step("theirs", 2.0)}
    times = alternate(steps, 3, clock=lambda: laps.now)
    assert laps.ran == ["ours", "theirs"] * 4
    assert times == {"ours": Spread.of([1.0] * 3), "theirs": Spread.of([2.0] * 3)}


def test_a_turn_of_a_short_step_begins_with_runs_that_are_not_counted():
    laps = Laps()
    times = alternate({"ours": laps.step("ours", 0.0078125)}, 1, 0.0625, clock=lambda: laps.now)
    assert times["ours"] == Spread.of([0.0078125] * 3)  # 20 ms of them
    assert len(laps.ran) == 1 + 8 + 3


def test_very_short_runs_are_timed_several_together_and_told_each():
    laps = Laps()
    step = laps.step("ours", 2**-17)  # 7.6 µs, so that 13 make 100 µs
    times = alternate({"ours": step}, 1, warm=0.0, clock=lambda: laps.now)
    assert times["ours"].median == times["ours"].most == 2**-17
    assert len(laps.ran) == 1 + 13 * times["ours"].count
