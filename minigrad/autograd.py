"""Reverse-mode automatic differentiation, whole.

An operation computes an array from arrays and, if any of them needs a gradient, records a `Node`:
its name, the nodes of its parents, and for each of these a *vector-Jacobian product* (vjp), the
function that turns the gradient of the result into the gradient of that parent::

    return record("multiply", a.data * b.data,
                  (a, lambda gradient: gradient * b.data),
                  (b, lambda gradient: gradient * a.data))

`backward` visits the nodes against the order in which they were made, each once, when all of its
gradient has arrived. The form is that of HIPS autograd (Maclaurin, Duvenaud and Adams, 2015).
"""

import itertools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.dtypes import is_floating

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

Array = np.ndarray
Vjp = Callable[[Array], Array]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_anomalies: ContextVar[bool] = ContextVar("anomalies", default=False)
_numbers = itertools.count()


class AnomalyError(FloatingPointError):
    """Inside `detect_anomaly`, an operation or its gradient gave a number that is not finite."""


class Adding:
    """A vjp that can also add its gradient to what others gave: ``vjp(gradient, into=total)``.

    Where several operations use one tensor, that saves an array and a pass over two.
    """

    __slots__ = ("vjp",)

    def __init__(self, vjp: Callable[..., Array]) -> None:
        self.vjp = vjp

    def __call__(self, gradient: Array, **into: Array) -> Array:
        """Return the gradient, or add it to `into`."""
        return self.vjp(gradient, **into)


class Once:
    """What several vjps of a node make of their gradient first: computed for the first to ask."""

    __slots__ = ("function", "gradient", "result")

    def __init__(self, function: Callable[[Array], Any]) -> None:
        self.function = function
        self.gradient: Array | None = None
        self.result: Any = None

    def __call__(self, gradient: Array) -> Any:
        """Return what the function makes of this gradient."""
        if self.gradient is not gradient:
            self.gradient, self.result = gradient, self.function(gradient)
        return self.result


class Node:
    """One recorded operation, or (a `Leaf`) one tensor that gradients are wanted for.

    A node keeps no tensor and no array. Its vjps keep what they need, and let go of it when
    backward has passed.

    Attributes
    ----------
    name : str
        The operation.
    number : int
        Nodes are numbered as they are made, so a node's parents have smaller numbers.
    parents : tuple of Node
        Only the parents that need a gradient.
    vjps : tuple of callable, or None
        One for each parent. None once backward has passed.
    shape, dtype
        Of the result, and so of its gradient.
    """

    __slots__ = ("__weakref__", "dtype", "name", "number", "parents", "shape", "vjps")

    def __init__(self, name: str, result: Array, parents: tuple["Node", ...], vjps: Any) -> None:
        self.name = name
        self.number = next(_numbers)
        self.parents = parents
        self.vjps: tuple[Vjp, ...] | None = vjps
        self.shape = result.shape
        self.dtype = result.dtype

    def __repr__(self) -> str:
        return f"<{self.name} {self.shape} {self.dtype}>"


class Variable:
    """What the engine itself knows of a tensor; `minigrad.Tensor` gives it a face.

    Attributes
    ----------
    data : array
    grad : Tensor or None
        The gradient that backward has gathered here, for leaves.
    node : Node or None
        The operation that made it; a `Leaf` if gradients are wanted for it; None if nothing
        needs to be known.
    """

    __slots__ = ("__weakref__", "data", "grad", "node")

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self.data = data
        self.grad: Tensor | None = None
        self.node: Node | None = Leaf(self) if requires_grad else None

    def new(self, data: Array) -> "Tensor":
        """Make a tensor, of the plain class whatever class this one is."""
        raise NotImplementedError


class Leaf(Node):
    """Where a gradient comes to rest: it is added to the `.grad` of a tensor."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Variable) -> None:
        if not is_floating(tensor.data.dtype):
            raise TypeError(
                f"requires_grad: only floating tensors can have one, not {tensor.data.dtype}"
            )
        super().__init__("leaf", tensor.data, (), ())
        self.tensor = weakref.ref(tensor)  # the tensor holds its node; a circle would keep both

    def accumulate(self, gradient: Array, fresh: bool) -> None:
        """Add `gradient` to the tensor's. A `fresh` array may be kept, any other is copied."""
        tensor = self.tensor()
        if tensor is None:
            return
        if tensor.grad is None:
            tensor.grad = tensor.new(gradient if fresh else gradient.copy(order="K"))
        else:
            total = as_array(tensor.grad.data + gradient)
            if _anomalies.get():
                _check_finite(total, "leaf: the sum with the gradient of an earlier backward")
            tensor.grad = tensor.new(total)


def record(name: str, result: Any, *rules: tuple[Variable, Vjp]) -> "Tensor":
    """Make the tensor that an operation returns.

    Parameters
    ----------
    name : str
        What the operation is called in graphs and messages.
    result : array
        What it computed.
    *rules : (parent, vjp)
        For each tensor the result depends on, how the gradient of the result (an array of its
        shape) becomes the gradient of the parent (an array of the parent's shape). A vjp returns
        a new array, or its argument or a view of it; never an array that someone else holds, and
        it never writes into its argument.
    """
    if type(result) is not np.ndarray:
        result = as_array(result)
    if _anomalies.get():
        _check_finite(result, f"{name}: its output")
    made = rules[0][0].new(result)
    if _recording.get():
        parents, vjps = [], []
        for parent, vjp in rules:
            if parent.node is not None:
                parents.append(parent.node)
                vjps.append(vjp)
        if parents:
            made.node = Node(name, result, tuple(parents), tuple(vjps))
    return made


def backward(root: Node, gradient: Array, retain_graph: bool = False) -> None:
    """Send `gradient`, that of the root's result, back to every leaf it was computed from.

    Parameters
    ----------
    root : Node
    gradient : array of the root's shape
    retain_graph : bool
        Keep what the vjps hold, for another backward. Otherwise it is freed node by node.
    """
    order = descendants_first(root)
    if None in map(attrgetter("vjps"), order):
        raise RuntimeError(
            f"backward: the graph behind this {root.name!r} was already used by an earlier "
            "backward, which freed what it kept. Call backward(retain_graph=True) the first time "
            "if you need to go through it twice, or compute the result again."
        )
    watched = _anomalies.get()
    if watched:
        _check_finite(gradient, "backward: the gradient it starts from")
    pending: dict[Node, tuple[Array, bool]] = {root: (gradient, False)}
    nothing: Any = (None, False)
    for node in order:
        gradient, fresh = pending.pop(node)
        if isinstance(node, Leaf):
            node.accumulate(gradient, fresh)
            continue
        for parent, vjp in zip(node.parents, node.vjps or (), strict=True):
            total, total_is_fresh = pending.get(parent, nothing)
            if total_is_fresh and isinstance(vjp, Adding) and not watched:
                vjp(gradient, into=total)
                continue
            part = vjp(gradient)
            usual = type(part) is np.ndarray and part.dtype is parent.dtype and not watched
            if not usual or part.shape != parent.shape:
                part = _checked(node, parent, part, watched)
            if total is None:
                pending[parent] = part, _is_new(part, gradient)
            elif total_is_fresh:
                total += part
            else:
                total = as_array(total + part)  # NumPy's 0-d sum is no array
                pending[parent] = total, True
            if watched and total is not None:
                _check_finite(total, f"{parent.name}: the sum of the gradients sent to it")
        if not retain_graph:
            node.vjps = None


def descendants_first(root: Node) -> list[Node]:
    """List all nodes that `root` was made from, itself first, every node before its parents.

    Each node once, however many paths lead to it: nine Inception modules of four branches have
    4⁹ paths and some hundred nodes. No recursion, so a graph may be deeper than Python's stack.
    """
    seen = {root}
    stack = [root]
    while stack:
        for parent in stack.pop().parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("number"), reverse=True)


def _checked(node: Node, parent: Node, gradient: Any, watched: bool) -> Array:
    """Hold a vjp to its contract: the parent's shape and dtype."""
    gradient = as_array(gradient)
    if gradient.shape != parent.shape:
        raise RuntimeError(
            f"backward: the vjp of {node.name!r} gave a gradient of shape {gradient.shape} for "
            f"its parent {parent.name!r}, whose shape is {parent.shape}"
        )
    if gradient.dtype != parent.dtype:
        gradient = gradient.astype(parent.dtype)
    if watched:
        _check_finite(gradient, f"{node.name}: the gradient it sends to {parent.name!r}")
    return gradient


def as_array(values: Any) -> Array:
    """Make an array of what is none, NumPy's scalars say. Arrays on a GPU stay where they are."""
    if type(values) is np.ndarray or hasattr(values, "__cuda_array_interface__"):
        return values
    return np.asarray(values)


def _is_new(part: Any, gradient: Any) -> bool:
    """Tell whether a part was made for us alone, so that more may be added to it in place.

    Not if it shares memory with the gradient it was made of; nor if its numbers share memory among
    themselves: a broadcast view, which NumPy does not let us write to.
    """
    if part is gradient:
        return False
    if type(part) is not np.ndarray:  # on a GPU
        shared = type(part) is type(gradient) and part.data.mem is gradient.data.mem
        return 0 not in part.strides and not shared
    if not part.flags.writeable:
        return False
    return part.base is None or _owner(part) is not _owner(gradient)


def _owner(array: Array) -> object:
    """Return the array that holds the memory which `array` looks at."""
    while isinstance(base := array.base, np.ndarray):
        array = base
    return array


def _check_finite(array: Array, what: str) -> None:
    if not is_floating(array.dtype):
        return
    wrong = ~np.isfinite(array)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise AnomalyError(
            f"{what} has {int(wrong.sum())} of {array.size} numbers that are not finite, "
            f"the first at {first}: {array[first]}"
        )


def is_recording() -> bool:
    """Tell whether operations are being recorded (not inside `no_grad`)."""
    return _recording.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: no graph, no gradients, no memory kept.

    A context manager, and a decorator.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> with minigrad.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first operation whose output, or whose gradient, is not finite.

    Looked at are the output of every operation, what each sends back to its parents, and, where
    several gradients meet, their sum.

    Raises
    ------
    AnomalyError
        Names the operation and the first number that is infinite or NaN.

    Examples
    --------
    >>> import minigrad
    >>> with minigrad.detect_anomaly():
    ...     minigrad.tensor([1.0, 0.0]).log()
    Traceback (most recent call last):
        ...
    minigrad.autograd.AnomalyError: log: its output has 1 of 2 numbers that are not finite, ...
    """
    token = _anomalies.set(True)
    try:
        yield
    finally:
        _anomalies.reset(token)
