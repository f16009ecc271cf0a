"""Keys and streams: the published hash, seeds that matter, state that can be taken up again."""

import numpy as np
import pytest

import minigrad
from minigrad import random
from minigrad.random import GOLDEN, MASK, Stream, mix


def test_mix_is_splitmix64():
    """The first numbers of SplitMix64 seeded with 1234567, as its authors' code gives them."""
    state, drawn = 1234567, []
    for _ in range(5):
        state = (state + GOLDEN) & MASK
        drawn.append(mix(state))
    assert drawn == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_streams_of_one_seed_are_alike_and_of_others_not():
    one, two, other = Stream(3), Stream(3), Stream(4)
    keys = [one.next_key() for _ in range(100)]
    assert keys == [two.next_key() for _ in range(100)]
    assert not set(keys) & {other.next_key() for _ in range(100)}
    assert len(set(keys)) == 100
    assert all(0 <= key <= MASK for key in keys)


def test_a_stream_goes_on_from_its_state():
    stream = Stream(9)
    stream.next_key()
    again = Stream(stream.seed)
    again.drawn = stream.drawn
    assert again.next_key() == stream.next_key()
    assert repr(again) == "Stream(seed=9, drawn=2)"


def test_manual_seed_starts_again():
    minigrad.manual_seed(5)
    first = random.default.next_key(), random.default_generator().standard_normal()
    minigrad.manual_seed(np.int64(5))
    assert first == (random.default.next_key(), random.default_generator().standard_normal())
    minigrad.manual_seed(-6)
    assert random.default.next_key() != first[0]


@pytest.mark.parametrize("seed", [1.5, "1", None, True])
def test_bad_seeds(seed):
    with pytest.raises(TypeError, match="seed must be an integer"):
        minigrad.manual_seed(seed)
