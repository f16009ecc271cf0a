"""How rows are made of times: who is compared with whom, and in which sense."""

import numpy as np
import pytest

from benchmarks import layers
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, EAGER, OURS, DisagreementError, agree
from benchmarks.timing import Spread
from benchmarks.training import check, rows


def taking(seconds):
    return Spread(*[seconds] * 5, 1)


def test_rows_of_a_step():
    times = {OURS: taking(2.0), EAGER: taking(3.0)}
    ours, theirs = rows(times, 8, {"batch": 8})
    assert (ours["rate"], ours["ratio"], ours["batch"]) == (4.0, None, 8)
    assert (theirs["side"], theirs["ratio"]) == (EAGER, 1.5)


def test_a_layer_is_held_against_the_faster_layout():
    spreads = {OURS: taking(2.0), EAGER: taking(5.0), CHANNELS_LAST: taking(1.0)}
    row = layers.beside(spreads)
    assert (row["peer"], row["layout"], row["ratio"]) == (taking(1.0), "channels last", 0.5)


def test_a_layer_without_pytorch():
    assert layers.beside({OURS: taking(2.0)}) == {"ours": taking(2.0)}


def conv_row(shape, count, ours, peer):
    return {
        "shape": shape, "first": "", "count": count, "flop": 10, "ours": taking(ours),
        "peer": taking(peer), "ratio": peer / ours,
    }  # fmt: skip


def test_the_sum_weighs_shapes_by_how_often_they_occur():
    total = layers.total([conv_row("a", 1, 2.0, 3.0), conv_row("b", 3, 1.0, 1.0)], flops=16.0)
    assert (total["count"], total["flop"], total["ours"].median) == (4, 40, 5.0)
    assert (total["ratio"], total["rate"], total["share"]) == (6 / 5, 8.0, 0.5)


def test_what_is_behind_is_sorted_by_what_it_costs_a_step():
    found = [conv_row("a", 1, 3.0, 2.0), conv_row("b", 4, 1.5, 1.0), conv_row("c", 1, 1.0, 2.0)]
    table = layers.Table("layers/forward", "", (), [*found, layers.total(found, 1.0)])
    behind = layers.behind([table]).rows
    assert [row["what"].strip() for row in behind] == ["b", "a"]
    assert [row["lost"] for row in behind] == [2.0, 1.0]
    assert behind[0]["pass"] == "forward"


@pytest.mark.parametrize(
    "theirs", [[1.0, 2.1], [1.0, np.nan], [1.0, 2.0, 3.0]], ids=["differs", "nan", "shape"]
)
def test_sides_that_compute_different_things_are_not_timed(theirs):
    with pytest.raises(DisagreementError, match="conv1"):
        agree("conv1", [1.0, 2.0], theirs)


def test_rounding_is_no_disagreement():
    agree("conv1", [1.0, 2.0], [1.0, 2.0001])


def test_a_check_compares_every_array_of_a_step():
    steps = {OURS: lambda: (np.ones(2), np.ones(2)), EAGER: lambda: (np.ones(2), np.zeros(2))}
    with pytest.raises(DisagreementError, match=EAGER):
        check(steps, "training")


def test_losses_are_held_closer_together_than_gradients():
    def sides(loss, gradient):
        return {OURS: lambda: (np.ones(1), np.ones(1)), EAGER: lambda: (loss, gradient)}

    near = np.full(1, 1.01)
    check(sides(np.ones(1), near), "training")
    with pytest.raises(DisagreementError, match="training"):
        check(sides(near, np.ones(1)), "training")


def test_turns():
    assert Options().turns(7) == 7
    assert Options(quick=True).turns(7) == 2
    assert Options(quick=True, rounds=3).turns(7) == 3
