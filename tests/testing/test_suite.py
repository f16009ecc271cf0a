"""Our own properties, each on the sound engine, and that none of the engine is left out."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from minigrad import functional
from minigrad.testing import mutants
from minigrad.testing.suite import CASES, SUITE, Property

PROPERTIES = {f"{p.operation}: {p.name}": p for named in SUITE.values() for p in named.values()}


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=PROPERTIES)
def test_holds(prop):
    prop()


@pytest.mark.parametrize("operation", functional.__all__)
def test_every_operation_has_properties_and_cases(operation):
    assert SUITE[operation]
    assert CASES[operation]


def test_every_operation_with_mutants_has_properties():
    assert {mutant.operation for mutant in mutants.CORPUS} <= set(SUITE)


def test_names_are_told_apart():
    """A property that overwrites another of its name would be lost without a sound."""
    for operation, cases in CASES.items():
        names = [case.name for case in cases]
        assert len(set(names)) == len(names), operation
    assert sum(map(len, SUITE.values())) >= 500


@pytest.mark.parametrize("few", [1, 7])
def test_a_property_draws_with_the_settings_of_the_moment(few):
    drawn = []
    prop = Property("relu", "counted", lambda n: drawn.append(n), {"n": st.integers()})
    prop(settings(max_examples=few, database=None))
    assert len(drawn) == few


def test_a_property_that_draws_nothing_is_called_once():
    calls = []
    Property("relu", "counted", lambda: calls.append(1))(settings(max_examples=5))
    assert calls == [1]
