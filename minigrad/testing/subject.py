"""What a gradient check looks at: a function, at a point, as numbers in and numbers out.

All outputs are laid end to end as one row of float64 numbers, so that a cotangent is a row of the
same length. f runs on the device of its inputs, or of `on_device`; the numbers here are NumPy's.
Nothing here judges; `minigrad.testing.gradients` does.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.autograd import Array, no_grad
from minigrad.device import kernels
from minigrad.ops.arguments import allow_complex
from minigrad.tensor import Tensor
from minigrad.testing.place import fetch, of_tensors, on_device, put

COMPLEX_STEP = 1e-20  # so small that its square is lost beside 1


class Subject:
    """A function and the arrays at which it is checked.

    Parameters
    ----------
    f : callable
        Takes one argument for each input; returns a Tensor, or a tuple or list of Tensors.
    inputs : sequence
        Floating arrays, Tensors and numbers are checked, in float64. Arrays of integers or
        booleans are handed over as they are.
    names : sequence of str, optional
        What to call the inputs; else the names of f's parameters.
    """

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str] | None = None
    ) -> None:
        if not callable(f):
            raise TypeError(f"gradcheck: f must be callable, got {type(f).__name__}")
        if isinstance(inputs, np.ndarray | Tensor) or not isinstance(inputs, Sequence):
            raise TypeError(
                "gradcheck: inputs must be a list or tuple with one array for each argument of f, "
                f"got {type(inputs).__name__}"
            )
        self.f = f
        self.arrays = [_array(i, value) for i, value in enumerate(inputs)]
        self.checked = [i for i, a in enumerate(self.arrays) if a.dtype == np.float64]
        self.device = of_tensors(inputs)
        self.names = list(names or _names_of(f, len(self.arrays)))
        self.output_shapes: list[tuple[int, ...]] = []
        self.output_dtypes: set[np.dtype] = set()

    # -- forward -----------------------------------------------------------------------------

    def values(self, i: int | None = None, offset: Any = 0.0) -> Array:
        """Compute all outputs, with `offset` added to input i, as one row."""
        with no_grad():
            outs = self._call(self._tensors(self._moved(i, offset)))
        return _row(outs)

    def complex_slope(self, i: int, direction: Array) -> Array:
        """Compute the slope of all outputs along `direction` by a step along the imaginary axis.

        f(x + ih·v) = f(x) + ih·f′·v + O(h²): the imaginary part holds the slope, and nothing is
        subtracted, so that h may be as small as it likes. Only where f is analytic, and made of
        operations that let complex numbers through; else anything may happen.
        """
        moved = [
            a.astype(np.complex128) if k in self.checked else a for k, a in enumerate(self.arrays)
        ]
        moved[i] += 1j * COMPLEX_STEP * direction
        with no_grad(), allow_complex(), kernels("vectorized"), np.errstate(all="ignore"):
            outs = self._call(self._tensors(moved))
        return _row(outs).imag / COMPLEX_STEP

    # -- backward ----------------------------------------------------------------------------

    @contextmanager
    def graph(self) -> Iterator[Callable[[Array], list[Array | None]]]:
        """Run f once, recorded. Gives a function from cotangents to the gradients of all inputs.

        None stands for a gradient that never came.
        """
        leaves = self._tensors([a.copy() for a in self.arrays], requires_grad=True)
        outs = self._call(leaves)

        def pull_back(cotangent: Array) -> list[Array | None]:
            for leaf in leaves:
                leaf.grad = None
            start = 0
            for out in outs:
                part = cotangent[start : start + out.size].reshape(out.shape)
                start += out.size
                if out.node is not None and out.size:
                    out.backward(part, retain_graph=True)
            return [None if leaf.grad is None else fetch(leaf.grad) for leaf in leaves]

        yield pull_back

    # -- inside ------------------------------------------------------------------------------

    def _moved(self, i: int | None, offset: Any) -> list[Array]:
        """Copy the inputs, input i with an offset: what f does to them is lost."""
        # NumPy's sum of 0-d arrays is a scalar, and no array.
        return [np.asarray(a + offset if k == i else a.copy()) for k, a in enumerate(self.arrays)]

    def _tensors(self, arrays: list[Array], requires_grad: bool = False) -> list[Tensor]:
        """Make tensors of the inputs: of those that are checked, on the device."""
        with on_device(self.device):
            return [
                Tensor(put(a), requires_grad) if k in self.checked else Tensor(a)
                for k, a in enumerate(arrays)
            ]

    def _call(self, tensors: list[Tensor]) -> list[Tensor]:
        before = [t.data for t in tensors]
        copies = [a.copy() for a in before]
        with on_device(self.device):
            result = self.f(*(t if k in self.checked else t.data for k, t in enumerate(tensors)))
        outs = list(result) if isinstance(result, tuple | list) else [result]
        for out in outs:
            if not isinstance(out, Tensor):
                raise TypeError(
                    "gradcheck: f must return a Tensor or a tuple of Tensors, got "
                    f"{type(out).__name__}"
                )
        for name, array, copy in zip(self.names, before, copies, strict=True):
            if not np.array_equal(fetch(array), fetch(copy), equal_nan=array.dtype.kind in "fc"):
                raise ValueError(f"gradcheck: f changed its argument {name} in place")
        self.output_shapes = [out.shape for out in outs]
        self.output_dtypes = {out.dtype for out in outs}
        return outs

    def output_index(self, j: int) -> str:
        """Say which output number j of the row is: ``[0, 2]``, or ``out 1 [0, 2]``."""
        for k, shape in enumerate(self.output_shapes):
            size = int(np.prod(shape, dtype=int))
            if j < size:
                index = index_of(j, shape)
                return str(index) if len(self.output_shapes) == 1 else f"out {k} {index}"
            j -= size
        raise IndexError(j)


def index_of(number: int, shape: tuple[int, ...]) -> list[int]:
    """Give the index of entry `number`, counted row by row. The only number of no axes has []."""
    return [int(n) for n in np.unravel_index(number, shape)] if shape else []


def _row(outs: list[Tensor]) -> Array:
    return np.concatenate([np.ravel(fetch(out)) for out in outs])


def _array(i: int, value: Any) -> Array:
    if isinstance(value, Tensor):
        value = fetch(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iub":
        return value.copy()
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"gradcheck: inputs[{i}] must be an array of numbers ({error})") from None


def _names_of(f: Callable[..., Any], count: int) -> list[str]:
    """Take the names of f's parameters, if it has one for each input."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(plain) < count or len(plain) != len(parameters):
        return [f"input {i}" for i in range(count)]
    return plain[:count]
