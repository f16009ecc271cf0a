"""`step`: backward, one node at a time. `paths`: why it goes by nodes.

Why an order? A node may hand its gradient on only when *all* of it has arrived: the gradient of a
tensor is the sum over all its uses, and what is handed on before the last of them came in is wrong,
or has to be handed on again. Against the order in which the nodes were made, every use of a tensor
comes before the tensor: that is a topological order, and it costs nothing, as it was recorded.

Without an order one can still be right, by following every path from the output by itself and
adding up at the leaves. Each node is then visited once for every path that leads to it, and paths
multiply where nodes only add: `paths` counts both.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minigrad import autograd, device
from minigrad.autograd import Array, Leaf, Node, Variable, Vjp
from minigrad.graph.drawing import Drawing, draw
from minigrad.graph.modules import Calls, module_of
from minigrad.graph.recorded import Entry, Recorded, read, shape_text
from minigrad.graph.tables import table
from minigrad.graph.watching import check_alive, rules_wrapped, seed, stand_ins
from minigrad.nn import Module
from minigrad.tensor import Tensor

TINY = 8  # numbers: an array of as many is written out


class Handed(NamedTuple):
    """What a node hands to one of its parents.

    Attributes
    ----------
    parent : Entry
    gradient : array
        What this node adds to the parent's gradient.
    arrival : int
        Which of the parent's arrivals it is, from 1.
    expected : int
        How many there are: the uses of the parent.
    """

    parent: Entry
    gradient: Array
    arrival: int
    expected: int

    def __str__(self) -> str:
        what = f"to {self.parent.label}: {describe(self.gradient)}"
        if self.expected == 1:
            return f"{what}, all of it"
        how = "first arrival" if self.arrival == 1 else "added to what is there"
        return f"{what}, {how} ({self.arrival} of {self.expected})"


class Frame(NamedTuple):
    """One node's turn.

    Attributes
    ----------
    number : int
        From 1.
    entry : Entry
        Whose turn it is.
    gradient : array
        All that arrived: the gradient of the output by this node's result.
    handed : tuple of Handed
        What it hands on; empty for a leaf.
    arrivals : int
        From how many uses the gradient is the sum. 0 for the output, which is given it.
    waiting : tuple of Entry
        Nodes that some gradient has arrived at, after this turn, and whose turn has not come.
    earlier : array or None
        Of a leaf, the `.grad` that an earlier backward left.
    """

    number: int
    entry: Entry
    gradient: Array
    handed: tuple[Handed, ...]
    arrivals: int
    waiting: tuple[Entry, ...]
    earlier: Array | None = None

    def told(self) -> tuple[str, str, str, list[str]]:
        """Say in words whose turn it is, what arrived, from where, and where it goes."""
        source = "given" if not self.arrivals else f"sum of {self.arrivals}"
        if self.arrivals == 1:
            source = "from its only use"
        onward = [str(handed) for handed in self.handed]
        if isinstance(self.entry.node, Leaf):
            how = "first arrival" if self.earlier is None else (
                f"added to {describe(self.earlier)} of an earlier backward"
            )  # fmt: skip
            onward.append(f"rests in {self.entry.label}.grad: {how}")
        return self.entry.label, describe(self.gradient), source, onward

    def __str__(self) -> str:
        label, gradient, source, onward = self.told()
        lines = [f"{self.number}. {label}", f"gradient {gradient}, {source}", *onward]
        return "\n   ".join(lines)


class Steps:
    """Backward as a row of frames.

    Attributes
    ----------
    frames : list of Frame
    gradients : dict of Entry to array
        What came to rest in each leaf: what `backward` adds to its `.grad`, to the bit.
    graph : Recorded
    """

    def __init__(
        self, graph: Recorded, frames: list[Frame], tensor: Tensor, **options: Any
    ) -> None:
        self.graph, self.frames, self._tensor, self._options = graph, frames, tensor, options
        self.gradients = {
            frame.entry: frame.gradient for frame in frames if isinstance(frame.entry.node, Leaf)
        }

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, k: int) -> Frame:
        return self.frames[k]

    def __str__(self) -> str:
        return "\n".join(map(str, self.frames))

    def _repr_html_(self) -> str:
        rows = []
        for frame in self.frames:
            label, gradient, source, onward = frame.told()
            rows.append((str(frame.number), label, gradient, source, "\n".join(onward)))
        headings = "turn", "whose", "gradient", "which is", "where it goes"
        return table(headings, rows, words=len(headings))

    def draw(self, k: int, **options: Any) -> Drawing:
        """Draw the graph with the node of frame `k` standing out, and say what it does.

        Options as for `draw`; leaves are called as here, if not given.
        """
        frame = self.frames[k]
        title = f"Step {frame.number} of {len(self)}: {frame.entry.label}"
        options = {"title": title, "highlight": frame.entry.node, **self._options, **options}
        drawing = draw(self._tensor, **options)
        drawing.note = "; ".join(line.strip() for line in str(frame).splitlines()[1:])
        return drawing


def step(
    tensor: Any,
    gradient: Any = None,
    model: Module | Calls | None = None,
    names: Mapping[str, Variable] | None = None,
    accumulate: bool = False,
) -> Steps:
    """Go backward through the graph of a tensor, one node at a time.

    What is shown is `Tensor.backward` itself, watched. The graph stays as it is: draw it, step
    through it again, or call `backward` on it.

    Parameters
    ----------
    tensor : Tensor
    gradient : Tensor or array, optional
        What backward starts from; ones if the tensor is a single number.
    model, names
        What leaves are called, as in `draw`.
    accumulate : bool
        Whether to add to the leaves' `.grad`, as `backward` does. If not, they stay as they are.

    Returns
    -------
    Steps
        Iterate over it for frames, or print it.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.
    RuntimeError
        If an earlier backward has freed what the graph kept.

    Notes
    -----
    Every node has one turn, when all that arrives at it has arrived, and that is why the order
    matters. In the example x is used twice; were its turn to come after the first arrival, 2 would
    be handed on, and the 4 that comes later would be missing.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import graph
    >>> x = minigrad.tensor(2.0, requires_grad=True)
    >>> print(graph.step(x * x + x, names={"x": x}))
    1. add
       gradient 1, given
       to multiply: 1, all of it
       to x: 1, first arrival (1 of 3)
    2. multiply
       gradient 1, from its only use
       to x: 2, added to what is there (2 of 3)
       to x: 2, added to what is there (3 of 3)
    3. x
       gradient 5, sum of 3
       rests in x.grad: first arrival
    >>> x.grad is None
    True
    """
    graph = read(tensor, names, module_of("step", model))
    root = graph.entries[-1].node
    nodes = check_alive("step", root)
    start = seed("step", tensor, gradient)
    entries = {entry.node: entry for entry in graph.entries}
    arrived: dict[Node, Array] = {root: _kept(start)}
    handed: dict[Node, list[tuple[int, Array]]] = {node: [] for node in nodes}

    def around(node: Node, i: int, vjp: Vjp) -> Vjp:
        def watched(received: Array, **into: Array) -> Array:
            arrived.setdefault(node, _kept(received))
            if into:  # asked to add, a rule does not say what: ask it for the part by itself
                handed[node].append((i, _kept(vjp(received))))
                return vjp(received, **into)
            part = vjp(received)
            handed[node].append((i, _kept(part)))
            return part

        return watched

    earlier: dict[Node, Array | None] = {}
    for node in nodes:
        leaf = node.tensor() if isinstance(node, Leaf) else None
        earlier[node] = None if leaf is None or leaf.grad is None else _kept(leaf.grad.data)
    with stand_ins(nodes) as resting:
        with rules_wrapped(nodes, around):
            autograd.backward(root, start, retain_graph=True)
        for rests, stand_in in resting.items():
            assert stand_in.grad is not None
            arrived[rests] = stand_in.grad.data
    if accumulate:
        for rests in resting:
            rests.accumulate(arrived[rests], fresh=False)
    frames = list(_frames(nodes, entries, arrived, handed, graph, earlier))
    return Steps(graph, frames, tensor, model=model, names=names)


def _frames(
    nodes: list[Node],
    entries: dict[Node, Entry],
    arrived: dict[Node, Array],
    handed: dict[Node, list[tuple[int, Array]]],
    graph: Recorded,
    earlier: dict[Node, Array | None],
) -> Iterator[Frame]:
    """Tell what was seen, node by node."""
    count = dict.fromkeys(nodes, 0)
    waiting: dict[Node, None] = {}
    for number, node in enumerate(nodes, start=1):
        waiting.pop(node, None)
        told = []
        for i, part in handed[node]:
            parent = node.parents[i]
            count[parent] += 1
            waiting[parent] = None
            uses = len(graph.uses[entries[parent].index])
            told.append(Handed(entries[parent], part, count[parent], uses))
        # In the order of their turns.
        later = sorted((entries[n] for n in waiting), key=lambda entry: -entry.index)
        yield Frame(
            number, entries[node], arrived[node], tuple(told), count[node], tuple(later),
            earlier[node],
        )  # fmt: skip


def _kept(array: Array) -> Array:
    """Copy an array that others may write into later."""
    return np.array(array) if isinstance(array, np.ndarray | np.generic) else array.copy()


def describe(array: Array) -> str:
    """Write a small array out; of a larger one its shape, its norm and where it is zero.

    Examples
    --------
    >>> describe(np.array([1.0, -0.5])), describe(np.ones((3, 4)))
    ('[1, -0.5]', '3×4, norm 3.464')
    """
    values = device.put(array, "cpu")
    if values.ndim == 0:
        return f"{values.item():.4g}"
    if values.size <= TINY:
        return np.array2string(
            values, separator=", ", formatter={"float_kind": lambda value: f"{float(value):.4g}"}
        ).replace("\n", "")
    norm = float(np.linalg.norm(values.astype(np.float64).ravel()))
    zeros = int((values == 0).sum())
    some = f", {100 * zeros / values.size:.0f} % zeros" if zeros else ""
    return f"{shape_text(values.shape)}, norm {norm:.4g}{some}"


class Paths(NamedTuple):
    """How many ways lead through a graph.

    Attributes
    ----------
    nodes, edges : int
    leaves : dict of str to int
        For each leaf, how many paths lead to it from the output.
    total : int
        Paths from the output to any leaf.
    visits : int
        How often nodes are visited by who follows every path by itself.
    """

    nodes: int
    edges: int
    leaves: dict[str, int]
    total: int
    visits: int

    def __str__(self) -> str:
        widest = max(map(len, self.leaves))
        lines = [f"{name.ljust(widest)}  {count:,} paths" for name, count in self.leaves.items()]
        return "\n".join([
            f"{self.nodes:,} nodes, {self.edges:,} edges: backward visits each node once",
            f"{self.total:,} paths: following each by itself takes {self.visits:,} visits",
            *lines,
        ])  # fmt: skip


def paths(
    tensor: Any,
    model: Module | Calls | None = None,
    names: Mapping[str, Variable] | None = None,
) -> Paths:
    """Count the paths from a tensor to its leaves, and the nodes.

    By dynamic programming, in the order of backward itself: as many paths lead to a node as lead
    to all its uses together. Counting paths thus takes one visit for each node, and so does adding
    up gradients; only walking the paths takes more.

    Parameters
    ----------
    tensor : Tensor
    model, names
        What leaves are called, as in `draw`.

    Examples
    --------
    Ten times ``y = y + y``: ten nodes, and a thousand paths.

    >>> import minigrad
    >>> from minigrad import graph
    >>> x = minigrad.tensor(1.0, requires_grad=True)
    >>> y = x
    >>> for _ in range(10):
    ...     y = y + y
    >>> print(graph.paths(y, names={"x": x}))
    11 nodes, 20 edges: backward visits each node once
    1,024 paths: following each by itself takes 2,047 visits
    x  1,024 paths
    """
    graph = read(tensor, names, module_of("paths", model))
    ways = [0] * len(graph.entries)
    ways[-1] = 1
    for entry in reversed(graph.entries):
        for parent in entry.parents:
            ways[parent] += ways[entry.index]
    leaves = {
        entry.label: ways[entry.index] for entry in graph.entries if isinstance(entry.node, Leaf)
    }
    edges = sum(len(entry.parents) for entry in graph.entries)
    return Paths(len(graph.entries), edges, leaves, sum(leaves.values()), sum(ways))
