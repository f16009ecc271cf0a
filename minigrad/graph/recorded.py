"""What autograd recorded, read once into plain entries that can be numbered, grouped and drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minigrad.autograd import Leaf, Node, Variable, descendants_first
from minigrad.nn import Module, Parameter
from minigrad.tensor import Tensor

INPUT, PARAMETER, OPERATION, OUTPUT = "input", "parameter", "operation", "output"


@dataclass(frozen=True, slots=True)
class Entry:
    """One node of the recorded graph.

    Attributes
    ----------
    index : int
        Its place in the order in which the graph was made: parents have smaller ones.
    kind : str
        "input" or "parameter" for leaves; "operation"; "output" for the tensor that was asked for.
    name : str
        The operation, or what the leaf is called; "" if nobody named it.
    parents : tuple of int
        The entries it was computed from, in the order of its arguments; one may stand there twice.
        Only those that a gradient flows to: no others are recorded.
    shape : tuple of int
    dtype : numpy.dtype
    node : Node
        What autograd keeps.
    """

    index: int
    kind: str
    name: str
    parents: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    node: Node

    @property
    def nbytes(self) -> int:
        """Bytes of the result, which are those of its gradient too."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        return self.name or f"{self.kind} {self.index}"


class Recorded(NamedTuple):
    """The graph behind a tensor.

    Attributes
    ----------
    entries : list of Entry
        In the order in which they were made; the last is the tensor that was asked for.
    uses : list of list of int
        For each entry, the entries that take it as an argument: once for each time they do.
    released : bool
        Whether a backward went through and freed what was kept for it.
    """

    entries: list[Entry]
    uses: list[list[int]]
    released: bool


def read(
    tensor: Any, names: Mapping[str, Variable] | None = None, model: Module | None = None
) -> Recorded:
    """Read the graph behind a tensor.

    Parameters
    ----------
    tensor : Tensor
    names : mapping of str to Tensor, optional
        What leaves are to be called.
    model : Module, optional
        Its parameters are called as they are there: ``conv1.weight``.

    Raises
    ------
    TypeError
        If `tensor` is none.
    ValueError
        If nothing was recorded behind it.
    """
    root = root_of("graph", tensor)
    called: dict[Node, str] = {}
    if model is not None:
        called.update((p.node, name) for name, p in model.named_parameters() if p.node)
    for name, leaf in (names or {}).items():
        if not isinstance(leaf, Variable):
            raise TypeError(f"graph: names[{name!r}] must be a Tensor, got {type(leaf).__name__}")
        if not isinstance(name, str):
            raise TypeError(f"graph: names must be called by strings, got {name!r}")
        if leaf.node is not None:
            called[leaf.node] = name
    nodes = descendants_first(root)[::-1]
    index = {node: i for i, node in enumerate(nodes)}
    entries = [
        Entry(
            i, _kind(node, root), called.get(node, "") if isinstance(node, Leaf) else node.name,
            tuple(index[parent] for parent in node.parents), node.shape, node.dtype, node,
        )
        for i, node in enumerate(nodes)
    ]  # fmt: skip
    uses: list[list[int]] = [[] for _ in entries]
    for entry in entries:
        for parent in entry.parents:
            uses[parent].append(entry.index)
    return Recorded(entries, uses, any(node.vjps is None for node in nodes))


def root_of(asking: str, tensor: Any) -> Node:
    """Return the node of a tensor, or say why there is none."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{asking}: tensor must be a Tensor, got {type(tensor).__name__}")
    if tensor.node is None:
        raise ValueError(
            f"{asking}: nothing was recorded behind this tensor of shape {tensor.shape}: it "
            "depends on none that requires_grad, or was computed inside no_grad()"
        )
    return tensor.node


def _kind(node: Node, root: Node) -> str:
    if isinstance(node, Leaf):
        return PARAMETER if isinstance(node.tensor(), Parameter) else INPUT
    return OUTPUT if node is root else OPERATION


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape as people say it.

    Examples
    --------
    >>> shape_text((1, 64, 56, 56)), shape_text((3,)), shape_text(())
    ('1×64×56×56', '3 numbers', 'one number')
    """
    if not shape:
        return "one number"
    return "×".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} numbers"


def bytes_text(count: float) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> bytes_text(4), bytes_text(602_112), bytes_text(3 * 2**20)
    ('4 B', '588 KiB', '3.0 MiB')
    """
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1000 or unit == "GiB":
            break
    whole = count >= 100 or (unit == "KiB" and count == int(count))
    return f"{count:.{0 if whole else 1}f} {unit}"
