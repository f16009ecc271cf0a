"""Means over a few steps, and how fast they went."""

import pytest

import minigrad
from googlenet.train import RunningMean
from googlenet.windows import Points, Window
from tests.googlenet.test_vitals import training
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)


def means_of(*losses, count=4):
    means = RunningMean()
    for loss in losses:
        means.add(count, loss=minigrad.tensor(float(loss)))
    return means


def test_an_epoch_that_was_begun_before_counts_from_where_it_goes_on():
    means = means_of(5, 7)
    knowing, guessing = Window(means), Window()
    for loss in (1, 3):
        means.add(4, loss=minigrad.tensor(float(loss)))
        knowing.step(4, means)
        guessing.step(4, means)
    taken = knowing.take()
    assert (taken.steps, taken.pictures, taken.means()) == (2, 8, {"loss": 2.0})
    # Without knowing what was before, the first step is not told apart from it.
    assert guessing.take() == (1, 4, {"loss": 12.0})


def test_a_new_epoch_counts_from_its_beginning():
    window = Window()
    window.step(4, means_of(5))
    window.take()
    window.step(4, means_of(1))
    assert window.take().means() == {"loss": 1.0}
    assert window.take() is None
    assert Window().take() is None


@pytest.mark.usefixtures("tiny")
def test_the_speed_is_that_of_the_steps_without_what_came_between():
    run = training()
    points, means = Points(run, every=0.0), means_of()
    speeds = []
    for seconds in (2.0, 4.0):  # of the epoch, by its clock
        means.add(8, loss=minigrad.tensor(1.0))
        run.seconds_of_epoch = seconds
        speeds.append(points.step(8, means, 0.1)["images_per_second"])
    run.seconds_of_epoch = 9.0  # the test took 5
    means = means_of()
    means.add(8, loss=minigrad.tensor(1.0))
    run.seconds_of_epoch = 1.0  # the next epoch
    speeds.append(points.step(8, means, 0.1)["images_per_second"])
    assert speeds == [4.0, 4.0, 8.0]


@pytest.mark.usefixtures("tiny")
def test_points_come_no_more_often_than_wanted():
    run = training()
    points, means = Points(run, every=1e9), means_of()
    told = []
    for _ in range(3):
        means.add(8, loss=minigrad.tensor(1.0))
        told.append(points.step(8, means, 0.1))
    assert [point is not None for point in told] == [True, False, False]
    point = points.point(0.1)
    assert (point["step"], point["steps"]) == (3, 2)
    assert points.point(0.1) is None
