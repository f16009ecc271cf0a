"""Operations that are wrong in one respect, and how a law must say so."""

import re
from contextlib import contextmanager

import pytest

from minigrad.autograd import record


def through(t, change):
    """Hand a tensor on as it is, and `change` the gradient that comes back."""
    return record("through", t.data, (t, change))


def with_gradient(f, change, argument=0):
    """Make f wrong only in the gradient of one argument."""

    def wrong(*inputs, **options):
        inputs = list(inputs)
        inputs[argument] = through(inputs[argument], change)
        return f(*inputs, **options)

    return wrong


@contextmanager
def violation(law, *words):
    """Expect a law to be violated, in a sentence with its name, two numbers, and all `words`."""
    with pytest.raises(AssertionError) as error:
        yield
    sentence = str(error.value)
    assert re.match(rf"{law}(, .*)?: .* is \S+ but .* is \S+", sentence), sentence
    for word in words:
        assert word in sentence, sentence
