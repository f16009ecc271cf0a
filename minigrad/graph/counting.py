"""What an operation costs, read from what autograd keeps of it: multiply-adds, and bytes.

**Multiply-adds.** Counted are the products that networks consist of, as is the custom:
convolutions, linear layers and `matmul`. An output of a convolution is a sum over all that its
window sees, C/groups · kh · kw numbers, so forward takes as many for each output. Backward takes
as many again for each factor that wants its gradient: the gradient of one factor of a product is a
product with the other. That is how it is told here which rules multiply: a rule that keeps one of
the factors does; that of a bias keeps none, and adds.

**Bytes kept.** What a rule needs later it has in its closure. Arrays found there are what backward
keeps alive; one that several operations keep is there once, and is counted with the first. What a
view looks at is kept as a whole. Parameters would be there anyway and do not count.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from types import FunctionType
from typing import Any

import numpy as np

from minigrad.autograd import Adding, Node, Once
from minigrad.gpu import is_gpu_array

# Of each product, the names under which its rules keep the two factors.
FACTORS = {
    "conv2d": ("filters", "image"),
    "linear": ("matrix", "rows"),
    "matmul": ("columns", "rows"),
}


def multiply_adds(node: Node) -> tuple[int, int]:
    """Return the multiply-adds of an operation, (forward, backward).

    Raises
    ------
    ValueError
        If only a bias wants its gradient: then no factor is kept, and none can be looked at.

    Examples
    --------
    >>> import minigrad
    >>> a = minigrad.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    >>> multiply_adds((a @ minigrad.tensor([[1.0], [1.0], [1.0]])).node)
    (3, 3)
    """
    if node.name not in FACTORS or node.vjps is None:
        return 0, 0
    kept = [dict(_variables(vjp)) for vjp in node.vjps]
    rules = sum(any(factor in own for factor in FACTORS[node.name]) for own in kept)
    known = {name: value for own in kept for name, value in own.items()}
    try:
        forward = prod(node.shape) * _length(node, known)
    except KeyError:
        raise ValueError(
            f"ledger: of {node.name} (shape {node.shape}) only the bias wants a gradient, and "
            "nothing is kept that tells how much it multiplied; let its weight or its input "
            "require one too"
        ) from None
    return forward, forward * rules


def _length(node: Node, known: Mapping[str, Any]) -> int:
    """Return how many products are added up for one output."""
    if node.name == "conv2d":
        weight = known["filters"].shape if "filters" in known else known["weight_shape"]
        return prod(weight[1:])
    if node.name == "linear":
        return int((known["matrix"] if "matrix" in known else known["rows"]).shape[1])
    return int(known["columns"].shape[-2] if "columns" in known else known["rows"].shape[-1])


def kept_arrays(node: Node) -> Iterator[Any]:
    """Yield the memory that the rules of an operation keep alive: arrays that own theirs."""
    for vjp in node.vjps or ():
        yield from _arrays(vjp, set())


def owner(array: Any) -> Any:
    """Return the array that holds the memory which an array looks at."""
    while isinstance(getattr(array, "base", None), type(array)):
        array = array.base
    return array


def _arrays(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Find arrays in a rule: in its variables, and in what those hold."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray) or is_gpu_array(thing):
        yield owner(thing)
    elif isinstance(thing, FunctionType):
        for _, value in _variables(thing):
            yield from _arrays(value, seen)
    elif isinstance(thing, Adding):
        yield from _arrays(thing.vjp, seen)
    elif isinstance(thing, partial):
        yield from _arrays([thing.func, *thing.args, *thing.keywords.values()], seen)
    elif isinstance(thing, Once):  # its result is of a gradient, not of the forward pass
        yield from _arrays(thing.function, seen)
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from _arrays(item, seen)
    elif isinstance(thing, dict):
        for item in thing.values():
            yield from _arrays(item, seen)


def _variables(vjp: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables that a rule keeps from the operation that made it."""
    function = vjp.vjp if isinstance(vjp, Adding) else vjp
    if not isinstance(function, FunctionType):
        return
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned: never used either
            continue
    yield from zip(
        function.__code__.co_varnames[: function.__code__.co_argcount][::-1],
        (function.__defaults__ or ())[::-1],
        strict=False,
    )
