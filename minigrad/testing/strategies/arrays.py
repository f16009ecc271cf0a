"""Shapes, and arrays made from a shape and a seed."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import DTypeLike

from minigrad.autograd import Array

Shape = tuple[int, ...]
Maker = Callable[[np.random.Generator, Shape], Array]

# -- numbers -------------------------------------------------------------------------------------


def _normal(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.standard_normal(shape))


def _integers(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.integers(-4, 5, shape))


def _ties(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.integers(-2, 2, shape))


def _signs(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.integers(0, 2, shape) * 2 - 1)


def _distinct(rng: np.random.Generator, shape: Shape) -> Array:
    """Draw half-integers in random order, each moved by less than 1/5."""
    size = math.prod(shape)
    halves = rng.permutation(size) - (size + 1) // 2 + 0.5
    return (halves + rng.uniform(-0.2, 0.2, size)).reshape(shape)


def _positive(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.uniform(0.5, 2, shape))


def _probabilities(rng: np.random.Generator, shape: Shape) -> Array:
    numbers = np.asarray(rng.uniform(0.05, 1, shape))
    return numbers / numbers.sum(min(1, numbers.ndim - 1), keepdims=True) if shape else numbers**0


VALUES: dict[str, Maker] = {
    "normal": _normal,
    "integers": _integers,
    "ties": _ties,
    "signs": _signs,
    "distinct": _distinct,
    "positive": _positive,
    "probabilities": _probabilities,
}


def numbers(
    rng: np.random.Generator, shape: Shape, values: str = "normal", dtype: DTypeLike = np.float64
) -> Array:
    """Make an array of one kind of `values` (see `random_array`) with a generator."""
    if values not in VALUES:
        raise ValueError(f"random_array: values must be one of {', '.join(VALUES)}, got {values!r}")
    return VALUES[values](rng, tuple(shape)).astype(dtype)


def random_array(
    shape: Sequence[int],
    values: str = "normal",
    dtype: DTypeLike = np.float64,
    seed: int = 0,
    layout: str = "contiguous",
) -> Array:
    """Make an array of random numbers: the same arguments give the same array.

    Parameters
    ----------
    shape : sequence of int
    values : str
        ``"normal"``: standard normal.
        ``"integers"``: −4 … 4. Sums of their products are exact in float32, whatever their order,
        as long as they stay below 2²⁴.
        ``"ties"``: −2 … 1, so that most windows of a pooling hold equal numbers.
        ``"signs"``: −1 or 1.
        ``"distinct"``: no two nearer than 0.6, none nearer than 0.3 to an integer. So no small
        step makes another number the largest, or crosses a kink at 0 or 1. Half of them are
        negative (a single number is), and the largest is about half the array's size.
        ``"positive"``: from 0.5 to 2, for logarithms, roots and divisors.
        ``"probabilities"``: positive, and adding up to 1 along the axis of the classes, which is
        the second, or the only one.
    dtype
    seed : int
    layout : {"contiguous", "scrambled"}
        How the numbers lie in memory: row by row, or in another order of the axes with gaps.

    Raises
    ------
    ValueError
        If there are no such values or no such layout.

    Examples
    --------
    >>> from minigrad.testing.strategies import random_array
    >>> random_array((2, 3), "integers", seed=1)
    array([[ 0.,  0.,  2.],
           [ 4., -4., -3.]])
    """
    if layout not in ("contiguous", "scrambled"):
        raise ValueError(f"random_array: layout must be contiguous or scrambled, got {layout!r}")
    rng = np.random.default_rng(seed)
    array = numbers(rng, tuple(shape), values, dtype)
    return scrambled(rng, array) if layout == "scrambled" else array


def scrambled(rng: np.random.Generator, array: Array) -> Array:
    """Return equal numbers that lie elsewhere in memory: axes in another order, steps of 2.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses the order of the axes.
    array : array, on any device

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing.strategies import scrambled
    >>> x = np.arange(6.0).reshape(2, 3)
    >>> y = scrambled(np.random.default_rng(0), x)
    >>> np.array_equal(x, y), y.flags.c_contiguous
    (True, False)
    """
    if array.ndim == 0:
        return array.copy()
    order = rng.permutation(array.ndim)
    lengths = [2 * array.shape[axis] for axis in order]
    wide = np.zeros_like(array, order="C", shape=lengths)  # beside it, if it lies on a GPU
    view = wide[tuple(slice(None, None, 2) for _ in order)].transpose(np.argsort(order).tolist())
    view[...] = array
    return view


# -- strategies ----------------------------------------------------------------------------------


def seeds() -> SearchStrategy[int]:
    """Draw a seed for ``np.random.default_rng``: 0 … 2³² − 1. Shrinks towards 0.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.seeds(), lambda seed: True)
    0
    """
    return st.integers(0, 2**32 - 1)


def dtypes() -> SearchStrategy[Any]:
    """Draw ``np.float32`` or ``np.float64``. Shrinks towards float32.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.dtypes(), lambda dtype: True)
    <class 'numpy.float32'>
    """
    return st.sampled_from([np.float32, np.float64])


def shapes(
    min_axes: int = 0, max_axes: int = 4, lengths: Sequence[int] = (1, 2, 3, 4)
) -> SearchStrategy[Shape]:
    """Draw a shape: a number of axes, and for each one of `lengths`.

    Shrinks towards few axes, and each axis towards the first of `lengths`.

    Parameters
    ----------
    min_axes, max_axes : int
    lengths : sequence of int
        Put 0 among them (last, say) to have empty arrays too.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.shapes(min_axes=2), lambda shape: 3 in shape)
    (1, 3)
    """
    return st.lists(st.sampled_from(lengths), min_size=min_axes, max_size=max_axes).map(tuple)


@st.composite
def broadcastable_shapes(
    draw: st.DrawFn,
    count: int = 2,
    max_axes: int = 3,
    lengths: Sequence[int] = (1, 2, 3, 4, 0),
) -> tuple[Shape, ...]:
    """Draw shapes that broadcast together: from a common one, leading axes cut off and some made 1.

    Shrinks towards empty shapes, and each axis towards the first of `lengths`.

    Parameters
    ----------
    count : int
        How many shapes.
    max_axes : int
    lengths : sequence of int
        Of the axes of the common shape.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.broadcastable_shapes(count=3), lambda shapes: True)
    ((), (), ())
    """
    common = draw(st.lists(st.sampled_from(lengths), max_size=max_axes), label="common shape")
    drawn = []
    for i in range(count):
        cut = draw(st.integers(0, len(common)), label=f"axes cut off shape {i}")
        drawn.append(tuple(draw(st.sampled_from([n, 1])) for n in common[cut:]))
    return tuple(drawn)


def arrays(
    shape: Sequence[int] | SearchStrategy[Shape] | None = None,
    dtype: DTypeLike | SearchStrategy[Any] = np.float64,
    values: str | SearchStrategy[str] = "normal",
    layout: str | SearchStrategy[str] = "contiguous",
) -> SearchStrategy[Array]:
    """Draw an array: a shape and a seed by hypothesis, the numbers from them by NumPy.

    It prints as the call of `random_array` that makes it again. Shrinks with its shape, and towards
    seed 0.

    Parameters
    ----------
    shape : sequence of int, or strategy of shapes
        Left out, what `shapes` draws.
    dtype : dtype, or strategy of dtypes
    values : str, or strategy of str
        Which kind of numbers: see `random_array`.
    layout : {"contiguous", "scrambled"}, or strategy of these
        How they lie in memory.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.arrays((2, 2), values="integers"), lambda x: True)
    array([[ 3.,  1.],
           [ 0., -2.]])
    """

    def strategy(value: Any) -> SearchStrategy[Any]:
        return value if isinstance(value, SearchStrategy) else st.just(value)

    return st.builds(
        random_array,
        shape=shapes() if shape is None else strategy(shape),
        values=strategy(values),
        dtype=strategy(dtype),
        seed=seeds(),
        layout=strategy(layout),
    )


def permutations(length: int | SearchStrategy[int]) -> SearchStrategy[list[int]]:
    """Draw an order of 0 … length − 1, as a list that indexes an array. Shrinks towards no change.

    Parameters
    ----------
    length : int, or strategy of int

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.permutations(3), lambda order: order != [0, 1, 2])
    [0, 2, 1]
    """
    if isinstance(length, SearchStrategy):
        return length.flatmap(permutations)
    return st.permutations(range(length))
