"""Backward, watched: the engine's own walk, with something put around every rule.

What is watched is `minigrad.autograd.backward` itself and no copy of it, so its arithmetic is what
it always is, to the last bit. For as long as it is watched, the rules of the nodes are wrapped and,
unless gradients are to be kept, the leaves point to stand-ins instead of their tensors.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import Adding, Array, Leaf, Node, Variable, Vjp, descendants_first
from minigrad.tensor import Tensor

Around = Callable[[Node, int, Vjp], Vjp]


def check_alive(asking: str, root: Node) -> list[Node]:
    """Return the nodes in the order of backward.

    Raises
    ------
    RuntimeError
        If an earlier backward freed what their rules kept.
    """
    nodes = descendants_first(root)
    if any(node.vjps is None for node in nodes):
        raise RuntimeError(
            f"{asking}: the graph behind this {root.name!r} was used by an earlier backward, which "
            f"freed what its rules kept. Call {asking} before it, or backward(retain_graph=True), "
            "or compute the result again."
        )
    return nodes


def seed(asking: str, tensor: Tensor, gradient: Any) -> Array:
    """Return the gradient that backward starts from: ones for a single number."""
    if gradient is None:
        if tensor.size != 1:
            raise ValueError(
                f"{asking}: a result of shape {tensor.shape} is not one number; give the gradient, "
                "an array of that shape, or reduce the result first"
            )
        return device.library(tensor.data).ones(tensor.shape, tensor.dtype)
    given = gradient.data if isinstance(gradient, Variable) else np.asarray(gradient)
    if given.shape != tensor.shape:
        raise ValueError(
            f"{asking}: gradient must have the tensor's shape {tensor.shape}, got {given.shape}"
        )
    return device.put_like(given, tensor.data).astype(tensor.dtype)


@contextmanager
def rules_wrapped(nodes: list[Node], around: Around, restore: bool = True) -> Iterator[None]:
    """Put something around every rule: ``around(node, which parent, rule)`` is called instead.

    A rule that can add to what is there still can: see `Adding`. Without `restore` the rules are
    not put back, and backward can free what they keep as it goes.
    """
    before = [(node, node.vjps) for node in nodes] if restore else []
    for node in nodes:
        wrapped = []
        for i, vjp in enumerate(node.vjps or ()):
            made = around(node, i, vjp)
            wrapped.append(Adding(made) if isinstance(vjp, Adding) else made)
        node.vjps = tuple(wrapped)
    try:
        yield
    finally:
        for node, vjps in before:
            node.vjps = vjps


@contextmanager
def stand_ins(nodes: list[Node]) -> Iterator[dict[Leaf, Variable]]:
    """Let gradients come to rest in tensors made for that, not in the leaves' own."""
    leaves = [node for node in nodes if isinstance(node, Leaf)]
    before = [leaf.tensor for leaf in leaves]
    made: dict[Leaf, Variable] = {leaf: Tensor(np.empty(0)) for leaf in leaves}
    for leaf, stand_in in made.items():
        leaf.tensor = weakref.ref(stand_in)
    try:
        yield made
    finally:
        for leaf, tensor in zip(leaves, before, strict=True):
            leaf.tensor = tensor
