"""Where a loader stands: what it says of it, and how another goes on from there."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import DataLoader
from tests.data.test_loader import AUGMENT, numbered
from tests.data.test_loader_thread import Watched

WAYS = [{"prefetch": 0}, {"prefetch": 1}, {"prefetch": 3}, {"prefetch": 2, "workers": 2}]


def numbers(batches):
    return [(images.tolist(), labels.tolist()) for images, labels in batches]


@settings(deadline=None)
@given(
    size=st.integers(0, 30),
    batch_size=st.integers(1, 8),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 5),
    ways=st.tuples(st.sampled_from(WAYS), st.sampled_from(WAYS)),
    data=st.data(),
)
def test_another_loader_goes_on_where_one_stood(
    size, batch_size, shuffle, drop_last, seed, epoch, ways, data
):
    make = partial(DataLoader, numbered(size), batch_size, shuffle, seed, drop_last, AUGMENT)
    whole = make()
    whole.set_epoch(epoch)
    wanted = [numbers(whole), numbers(whole)]
    first, second = (make(**way) for way in ways)
    first.set_epoch(epoch)
    batches = iter(first)
    taken = data.draw(st.integers(0, len(first)), label="batches taken")
    before = numbers(next(batches) for _ in range(taken))
    assert first.state_dict() == {"epoch": epoch, "batches": taken}
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert second.epoch == epoch
    assert before + numbers(second) == wanted[0]
    assert second.state_dict() == {"epoch": epoch + 1, "batches": 0}
    assert numbers(second) == wanted[1]
    batches.close()
    assert first.state_dict() == {"epoch": epoch, "batches": taken}


def test_a_batch_counts_when_it_is_handed_out():
    loader = DataLoader(numbered(10), 4, prefetch=2)
    assert loader.state_dict() == {"epoch": 0, "batches": 0}
    states = [loader.state_dict() for _ in loader]
    assert states == [{"epoch": 0, "batches": count} for count in (1, 2, 3)]
    assert loader.state_dict() == {"epoch": 1, "batches": 0}
    loader.set_epoch(7)
    assert loader.state_dict() == {"epoch": 7, "batches": 0}


def test_the_iteration_that_began_last_is_told_of():
    loader = DataLoader(numbered(10), 4)
    first, second = iter(loader), iter(loader)
    next(second)
    next(first)
    next(first)
    assert loader.state_dict() == {"epoch": 1, "batches": 1}
    list(first)
    assert loader.state_dict() == {"epoch": 1, "batches": 1}


def test_what_lies_before_is_not_read():
    dataset = Watched(20)
    loader = DataLoader(dataset, 4, prefetch=0)
    loader.load_state_dict({"epoch": 2, "batches": 3})
    assert len(list(loader)) == 2
    assert dataset.fetched == list(range(12, 20))
    assert len(loader) == 5


def test_setting_the_epoch_goes_to_its_beginning():
    loader = DataLoader(numbered(10), 4)
    loader.load_state_dict({"epoch": 2, "batches": 2})
    loader.set_epoch(2)
    assert len(list(loader)) == 3


@pytest.mark.filterwarnings("ignore:DataLoader")
def test_batches_passed_over_count_like_the_others():
    def fail(index):
        if index in (4, 5, 6, 7):
            raise OSError("broken")

    loader = DataLoader(Watched(16, fail), 4, on_error="skip")
    states = [loader.state_dict()["batches"] for _ in loader]
    assert states == [1, 3, 4]
    loader.load_state_dict({"epoch": 0, "batches": 1})
    assert len(list(loader)) == 2


@pytest.mark.filterwarnings("ignore:DataLoader")
def test_a_rest_of_broken_samples_is_no_epoch_of_them():
    def fail(index):
        if index >= 4:
            raise OSError("broken")

    loader = DataLoader(Watched(8, fail), 4, on_error="skip")
    loader.load_state_dict({"epoch": 0, "batches": 1})
    assert list(loader) == []


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"epoch": 1}, "state must be a dict of epoch and batches, .* but is {'epoch': 1}"),
        ({"epoch": 1, "batches": 0, "x": 2}, "state must be a dict of epoch and batches"),
        (None, "state must be a dict .* but is None"),
        ({"epoch": -1, "batches": 0}, r"state\['epoch'\] must be an integer from 0 .* but is -1"),
        ({"epoch": 1, "batches": 1.0}, r"state\['batches'\] must be an integer .* but is 1.0"),
        ({"epoch": 1, "batches": 4}, "state has 4 batches .* epochs have 3; are dataset and"),
    ],
)
def test_states_that_do_not_fit_are_refused(state, complaint):
    loader = DataLoader(numbered(10), 4)
    with pytest.raises(ValueError, match=f"DataLoader: {complaint}"):
        loader.load_state_dict(state)
    assert loader.state_dict() == {"epoch": 0, "batches": 0}
