"""Transforms written down as JSON and made again, from files that are not trusted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import Compose, Normalize, ToFloat, transform_from_dict
from tests.data.test_transforms import EVERY_KIND, rng


@pytest.mark.parametrize("transform", EVERY_KIND, ids=repr)
def test_a_transform_is_made_again_from_what_was_written_down_of_it(transform):
    written = json.loads(json.dumps(transform.to_dict()))
    again = transform_from_dict(written)
    assert again == transform
    assert again.to_dict() == transform.to_dict()
    image = np.linspace(0, 1, 3 * 9 * 7, dtype=np.float32).reshape(3, 9, 7)
    np.testing.assert_array_equal(again(image, rng(3)), transform(image, rng(3)))


@settings(deadline=None)
@given(mean=st.lists(st.floats(-3, 3), min_size=1), std=st.floats(1e-3, 3))
def test_numbers_survive_being_written_down(mean, std):
    for normalize in (Normalize(mean, std), Normalize(np.array(mean), np.float32(std))):
        again = transform_from_dict(json.loads(json.dumps(normalize.to_dict())))
        assert list(again.mean) == mean
        assert again.std == normalize.std


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (
            None,
            "a dict was needed whose .* one of CenterCrop, ColorJitter, Compose, .*but it is None",
        ),
        ({}, "but it is {}"),
        ({"transform": "Rotate"}, "one of CenterCrop.* but it is {'transform': 'Rotate'}"),
        ({"transform": ["Resize"]}, "one of CenterCrop"),
        ({"transform": "Recorded"}, "one of CenterCrop"),
        ({"transform": "Resize"}, "Resize needs the option 'size'"),
        ({"transform": "Resize", "size": 5, "colour": 1}, "has no option 'colour'; it has size, "),
        ({"transform": "Resize", "size": "big"}, "Resize: size must be .* but is 'big'"),
        ({"transform": "Resize", "size": [5, [6]]}, "Resize: size must be"),
        ({"transform": "ToFloat", "known": {}}, "ToFloat has no option 'known'; it has none"),
        ({"transform": "Compose", "transforms": {"a": 1}}, "transforms of Compose must be a list"),
        ({"transform": "Compose", "transforms": [print]}, "but it is <built-in function print>"),
    ],
)
def test_what_no_to_dict_wrote_is_refused_in_a_sentence(written, complaint):
    with pytest.raises(ValueError, match=complaint):
        transform_from_dict(written)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)
OPTIONS = ["size", "interpolation", "mean", "std", "scale", "ratio", "p", "padding", "transforms"]


@settings(deadline=None)
@given(
    kind=st.sampled_from([type(transform).__name__ for transform in EVERY_KIND]),
    options=st.dictionaries(st.sampled_from(OPTIONS), json_values, max_size=3),
)
def test_any_json_is_refused_or_a_transform(kind, options):
    written = {"transform": kind, **options}
    try:
        transform = transform_from_dict(written)
    except ValueError:
        with pytest.raises(ValueError, match=kind):
            transform_from_dict(written)
    else:
        assert transform_from_dict(transform.to_dict()).to_dict() == transform.to_dict()


def test_rows_nested_without_end_are_refused():
    written = ToFloat().to_dict()
    for _ in range(200):
        written = {"transform": "Compose", "transforms": [written]}
    with pytest.raises(ValueError, match="nested at most 16 deep"):
        transform_from_dict(written)


def test_a_function_of_ones_own_cannot_be_written_down():
    def darken(image, rng):
        return image

    with pytest.raises(ValueError, match="darken.* is not one of minigrad's transforms"):
        Compose([ToFloat(), darken]).to_dict()
