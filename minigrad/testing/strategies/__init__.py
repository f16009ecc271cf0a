"""What to test with: shapes, arrays, windows and batches, drawn by hypothesis.

Every strategy is *constructive*: it draws what is free and computes what follows, so that every
draw is a case and none is thrown away. A convolution, say, is drawn from its output's end: how many
windows, which kernel, stride, padding and dilation, and how much is left over behind the last
window; the size of the image follows. So ragged tilings, windows that hang over the end in ceil
mode, C = 1 and N = 0 are not met by luck but belong to what is drawn.

Hypothesis draws a shape and a seed, and NumPy makes the numbers from them (`random_array`). That is
fast, and a failing case still shrinks: to a small geometry, not to small numbers. What is printed
of it can be pasted: arrays print as a call of `random_array`, cases as a call of their class.

Examples
--------
>>> from hypothesis import given
>>> import minigrad
>>> from minigrad import functional as F
>>> from minigrad.testing import gradcheck, strategies
>>> @given(strategies.conv2d_cases())
... def test_gradients_of_conv2d(case):
...     gradcheck(lambda *t: F.conv2d(*t, **case.options), case.arrays(), seed=case.seed)
"""

from minigrad.testing.strategies.arrays import (
    VALUES,
    arrays,
    broadcastable_shapes,
    dtypes,
    permutations,
    random_array,
    scrambled,
    seeds,
    shapes,
)
from minigrad.testing.strategies.batches import ClassificationBatch, classification_batches
from minigrad.testing.strategies.windows import (
    Conv2dCase,
    Pool2dCase,
    conv2d_cases,
    pool2d_cases,
)

__all__ = [
    "VALUES",
    "ClassificationBatch",
    "Conv2dCase",
    "Pool2dCase",
    "arrays",
    "broadcastable_shapes",
    "classification_batches",
    "conv2d_cases",
    "dtypes",
    "permutations",
    "pool2d_cases",
    "random_array",
    "scrambled",
    "seeds",
    "shapes",
]
