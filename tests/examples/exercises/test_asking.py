"""What every exercise tells a reader whose function is not one yet."""

from importlib import import_module

import numpy as np
import pytest

# Those of lessons 10 and 11, and `train_step`, have no result of their own to ask for.
PROPERTIES = [
    (number, name)
    for number in (*range(1, 10), *range(12, 18))
    for name in import_module(f"examples.exercises.e{number:02}").__all__
    if name not in ("Node", "train_step", "occlusion")
]


@pytest.mark.parametrize(("number", "name"), PROPERTIES)
def test_a_missing_return_is_told(number, name):
    holds = getattr(import_module(f"examples.exercises.e{number:02}"), name)
    with pytest.raises(AssertionError, match="your function returns None: is its return missing"):
        holds(lambda *arguments: None)


@pytest.mark.parametrize("number", [7, 8, 9])
def test_an_error_is_told_with_its_case(number):
    module = import_module(f"examples.exercises.e{number:02}")
    for name in module.__all__:
        with pytest.raises(AssertionError, match=r"(?s)^(for|with) .* your code raises IndexError"):
            getattr(module, name)(lambda first, *rest: np.asarray(first).ravel()[10_000])
