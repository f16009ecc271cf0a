"""What all laws need: run an operation and its backward, and compare arrays.

An operation runs on the device of `minigrad.testing.on_device`; all else is done with NumPy.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minigrad import random
from minigrad.autograd import Array
from minigrad.tensor import Tensor
from minigrad.testing.place import fetch, put

Operation = Callable[..., Any]
Inputs = Array | Sequence[Array]


class Run(NamedTuple):
    """What an operation gave: its outputs, and a gradient for each floating input."""

    outputs: list[Array]
    gradients: dict[int, Array]


def as_list(inputs: Any) -> list[Array]:
    """Read one array, or several."""
    return [inputs] if isinstance(inputs, np.ndarray) else [np.asarray(a) for a in inputs]


def floating(array: Array) -> bool:
    """Tell whether gradients are wanted for an input: not for integers and booleans."""
    return array.dtype.kind == "f"


@contextmanager
def same_random_numbers(seed: int) -> Iterator[None]:
    """Start the default stream of random numbers at `seed`, and put it back afterwards."""
    stream = random.default
    before = stream.seed, stream.drawn
    stream.seed, stream.drawn = seed, 0
    try:
        yield
    finally:
        stream.seed, stream.drawn = before


def call(f: Operation, inputs: Sequence[Any], seed: int = 0) -> list[Tensor]:
    """Call f with tensors, and with integer arrays as they are. A list of its outputs."""
    with same_random_numbers(seed):
        result = f(*inputs)
    return list(result) if isinstance(result, tuple | list) else [result]


def leaves_of(arrays: Sequence[Array], wanted: Sequence[int] | None = None) -> list[Any]:
    """Make a leaf of each floating array (or of those in `wanted` only); leave the others."""
    return [
        Tensor(put(a), requires_grad=wanted is None or i in wanted) if floating(a) else a
        for i, a in enumerate(arrays)
    ]


def draw_cotangents(outputs: Sequence[Array], cotangent: Any, seed: int) -> list[Array]:
    """Read the cotangents: one, a tuple of one for each output, or None: draw integers."""
    if cotangent is not None:
        given = list(cotangent) if isinstance(cotangent, tuple) else [cotangent]
        return [np.asarray(c, out.dtype) for c, out in zip(given, outputs, strict=True)]
    # A stream apart from that of the seed itself: inputs drawn with it would be the cotangents. And
    # no zeros, behind which, if the output is one number, all gradients would hide.
    rng = np.random.default_rng([seed, 1])
    return [
        np.asarray(rng.integers(1, 5, out.shape) * rng.choice([-1, 1], out.shape), out.dtype)
        for out in outputs
    ]


def pull_back(outs: Sequence[Tensor], cotangents: Sequence[Array]) -> None:
    """Send each cotangent back from its output."""
    for out, c in zip(outs, cotangents, strict=True):
        if out.node is not None:
            out.backward(c, retain_graph=True)


def gradients_of(leaves: Sequence[Any]) -> dict[int, Array]:
    """Gather the gradients; zeros where none came."""
    return {
        i: np.zeros(t.shape, t.dtype) if t.grad is None else fetch(t.grad)
        for i, t in enumerate(leaves)
        if isinstance(t, Tensor) and t.requires_grad
    }


def run(
    f: Operation,
    arrays: Sequence[Array],
    cotangent: Any = None,
    seed: int = 0,
    wanted: Sequence[int] | None = None,
) -> Run:
    """Run f forward and backward, on copies of its inputs."""
    leaves = leaves_of([a.copy() for a in arrays], wanted)
    outs = call(f, leaves, seed)
    outputs = [fetch(out).copy() for out in outs]
    pull_back(outs, draw_cotangents(outputs, cotangent, seed))
    return Run(outputs, gradients_of(leaves))


def forward(f: Operation, *arrays: Any, seed: int = 0) -> Array:
    """Run f forward only; it has one output."""
    (out,) = call(f, leaves_of([np.asarray(a) for a in arrays], ()), seed)
    return fetch(out)


def largest(*arrays: Array) -> float:
    """Find the largest absolute value."""
    return max(float(np.abs(a).max(initial=0)) for a in arrays)


def show(number: Any) -> str:
    """Write a number so that two that differ look different."""
    return repr(number.item()) if isinstance(number, np.generic) else repr(number)


def compare(
    law: str,
    got: Array,
    want: Array,
    left: str,
    right: str,
    roundings: float = 0.0,
    size: float = 0.0,
) -> None:
    """Raise an AssertionError unless two arrays are equal.

    Parameters
    ----------
    law, left, right : str
        For the sentence: which law, and what the two are.
    got, want : arrays, on any device
    roundings : float
        How far they may differ, in roundings (the machine's eps of the coarser dtype) of the
        largest number in either, or of `size` if that is larger. 0: not at all.
    """
    got, want = fetch(got), fetch(want)
    if got.shape != want.shape:
        raise AssertionError(f"{law}: {left} has shape {got.shape} but {right} has {want.shape}")
    allowed = 0.0
    if roundings and got.size:
        eps = max((np.finfo(a.dtype).eps for a in (got, want) if floating(a)), default=0)
        finite = [float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in (got, want)]
        allowed = roundings * float(eps) * max(*finite, size)
    with np.errstate(invalid="ignore"):
        near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= allowed
    refuse(law, ~((got == want) | near | ((got != got) & (want != want))), got, want, left, right)


def refuse(
    law: str, wrong: Array, got: Array, want: Array, left: str, right: str, verb: str = "differ"
) -> None:
    """Raise an AssertionError about the first place where `wrong` is true, if there is any."""
    wrong = np.asarray(wrong)
    if not wrong.any():
        return
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    got, want = (np.broadcast_to(a, wrong.shape)[first] for a in (got, want))
    place = f"at {list(first)} " if first else ""
    count = f" ({int(wrong.sum())} of {wrong.size} numbers {verb})" if wrong.size > 1 else ""
    raise AssertionError(f"{law}: {place}{left} is {show(got)} but {right} is {show(want)}{count}")


def compare_runs(
    law: str,
    got: Run,
    want: Run,
    left: str,
    right: str,
    roundings: float = 0.0,
    sizes: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Compare all outputs and gradients of two runs.

    `sizes` are those of the terms that an output, and a gradient, is the sum of: they may cancel.
    """
    many = len(want.outputs) > 1
    for i, (a, b) in enumerate(zip(got.outputs, want.outputs, strict=True)):
        name = f"output {i}" if many else "the output"
        compare(law, a, b, f"{name} {left}", f"{name} {right}", roundings, sizes[0])
    for i, gradient in want.gradients.items():
        name = f"the gradient of input {i}"
        names = f"{name} {left}", f"{name} {right}"
        compare(law, got.gradients[i], gradient, *names, roundings, sizes[1])


def inner(a: Array, b: Array) -> tuple[float, float]:
    """Compute ⟨a, b⟩ in float64, and what |a| and |b| would give: the size of what is summed."""
    products = a.astype(np.float64) * b.astype(np.float64)
    return math.fsum(products.ravel()), float(np.abs(products).sum())
