"""Which module an operation belongs to.

Autograd records operations and knows nothing of modules. There are two ways to find out, and both
give *convex* groups: no path leaves one and comes back, so that a group can be drawn as one box
without a circle.

**By watching** (`calls`): while a model runs, each call of a module is an interval of node numbers,
since nodes are numbered as they are made. An operation belongs to the innermost call whose interval
holds its number. Nothing made later can be a parent of what was made earlier: intervals are convex.

**By containment**, afterwards, from the parameters alone. Let S be the operations that use a
parameter of module M or of a module inside it. Take

* the *entry* of M: the nearest operation that every way from the inputs to any of S goes through
  (their nearest common dominator);
* the *exit* of M: the nearest operation that every way from any of S to the output goes through
  (their nearest common post-dominator): where all that M computes has flowed together.

M holds S, its exit, and everything that lies on a way from its entry to its exit; the entry itself
only if it is one of S. For an Inception module the entry is what all four branches take in, the
exit is the concatenation, and the pool of the fourth branch lies between them. If this would take
in operations with parameters of other modules, M holds only what lies on a way between two of S.

Dominators by Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001: in a graph
without circles one pass is enough.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from minigrad import autograd
from minigrad.autograd import Leaf
from minigrad.graph.recorded import PARAMETER, Recorded
from minigrad.nn import Module


class Group(NamedTuple):
    """A module as part of a graph.

    Attributes
    ----------
    name : str
        Of the module, in full: ``inception_3a.conv_1x1``.
    call : int
        Which of its calls, from 0. Other than 0 only if it was watched, and called again.
    """

    name: str
    call: int = 0

    @property
    def title(self) -> str:
        """Its own name, without those of the modules around it."""
        again = f" (call {self.call + 1})" if self.call else ""
        return self.name.rsplit(".", 1)[-1] + again


Path = tuple[Group, ...]  # the groups around an operation, outermost first


class Call(NamedTuple):
    """One call of a module: the numbers of the nodes made meanwhile are start … end − 1."""

    group: Group
    start: int
    end: int


class Calls:
    """What `calls` saw: a model, and which nodes each of its modules made."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.made: list[Call] = []

    def paths(self, graph: Recorded) -> list[Path]:
        """Return the groups around each entry of a graph."""
        inner_last = sorted(self.made, key=lambda call: (call.start, -call.end))
        found = []
        for entry in graph.entries:
            number = -1 if isinstance(entry.node, Leaf) else entry.node.number
            found.append(tuple(c.group for c in inner_last if c.start <= number < c.end))
        return found


def module_of(asking: str, model: Any) -> Module | None:
    """Return the module of the argument `model`: a Module, what `calls` yielded, or None."""
    if model is not None and not isinstance(model, Module | Calls):
        raise TypeError(
            f"{asking}: model must be a Module, or what graph.calls(model) yielded, "
            f"got {type(model).__name__}"
        )
    return model.model if isinstance(model, Calls) else model


@contextmanager
def calls(model: Module) -> Iterator[Calls]:
    """Watch which module of a model makes which node, while it runs.

    Give the result to `draw` as ``model=``: then pools, dropout and activations stand in their own
    modules too, which their lack of parameters otherwise hides.

    Parameters
    ----------
    model : Module
        Is as it was afterwards.

    Yields
    ------
    Calls

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import graph, nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> with graph.calls(net) as seen:
    ...     out = net(minigrad.tensor([[1.0, 2.0, 3.0, 4.0]]))
    >>> [call.group.name for call in seen.made]
    ['0', '1', '2']
    """
    if not isinstance(model, Module):
        raise TypeError(f"calls: model must be a Module, got {type(model).__name__}")
    seen, before = Calls(model), []
    counts: dict[str, int] = {}

    def watched(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*inputs: Any, **options: Any) -> Any:
            group = Group(name, counts.get(name, 0))
            counts[name] = group.call + 1
            start = next(autograd._numbers)
            try:
                return forward(*inputs, **options)
            finally:
                seen.made.append(Call(group, start, next(autograd._numbers)))

        return run

    done: set[int] = set()
    for name, module in model.named_modules():
        if name and id(module) not in done:
            before.append((module, vars(module).get("forward")))
            vars(module)["forward"] = watched(name, module.forward)
            done.add(id(module))
    try:
        yield seen
    finally:
        for module, forward in before:
            del vars(module)["forward"]
            if forward is not None:
                vars(module)["forward"] = forward


def contained(graph: Recorded, model: Module) -> list[Path]:
    """Return the groups around each entry of a graph, found from the parameters alone."""
    real = {name for name, _ in model.named_modules() if name}
    users: dict[str, set[int]] = {}  # for each module, the operations that use its parameters
    owner: dict[int, set[str]] = {}
    for entry in graph.entries:
        if entry.kind != PARAMETER or not entry.name:
            continue
        for name in _around(entry.name):
            if name in real:
                users.setdefault(name, set()).update(graph.uses[entry.index])
        for use in graph.uses[entry.index]:
            owner.setdefault(use, set()).add(entry.name.rpartition(".")[0])
    flow = _Flow(graph)
    held: dict[str, set[int]] = {}
    paths: list[list[Group]] = [[] for _ in graph.entries]
    for name in sorted(users, key=lambda name: (name.count("."), min(users[name]))):
        own = users[name]
        strangers = {
            i
            for i, names in owner.items()
            if any(not f"{n}.".startswith(f"{name}.") for n in names)
        }
        outer = next((held[around] for around in _around(name) if around in held), None)
        for mine in (flow.region(own), flow.ways(own), own):
            if not mine & (strangers - own):
                break
        held[name] = mine if outer is None else mine & outer
        for i in held[name]:
            if not paths[i] or f"{name}.".startswith(f"{paths[i][-1].name}."):
                paths[i].append(Group(name))
    return [tuple(path) for path in paths]


def _around(name: str) -> list[str]:
    """List what stands around a name, the nearest first: of a.b.c, a.b and a."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(len(parts) - 1, 0, -1)]


class _Flow:
    """What lies between operations: a graph without its parameters, with one source and one sink.

    Places are those of the entries, + 1; 0 is the source, the last is the sink. Sets of places are
    integers, bit by bit.
    """

    def __init__(self, graph: Recorded) -> None:
        entries = graph.entries
        shown = [entry.kind != PARAMETER for entry in entries]
        before: list[list[int]] = [[]]
        for entry in entries:
            came = [p + 1 for p in entry.parents if shown[p]]
            before.append((came or [0]) if shown[entry.index] else [])
        before.append([len(entries)])
        count = len(before)
        after: list[list[int]] = [[] for _ in before]
        for place, came in enumerate(before):
            for parent in came:
                after[parent].append(place)
        places = range(count)
        self.above = _reached(places, before)
        self.below = _reached(reversed(places), after)
        self.entry = _dominators(places, before)
        self.exit = {
            count - 1 - a: count - 1 - b
            for a, b in _dominators(
                places, [[count - 1 - p for p in after[count - 1 - i]] for i in places]
            ).items()
        }

    def region(self, own: set[int]) -> set[int]:
        """Return all from the entry of some operations to their exit."""
        places = sorted(i + 1 for i in own)
        entry = leave = places[0]
        for place in places[1:]:
            entry = _common(self.entry, entry, place, larger_is_farther=True)
            leave = _common(self.exit, leave, place, larger_is_farther=False)
        held = self.below[entry] & self.above[leave]
        if entry - 1 not in own:
            held &= ~(1 << entry)
        return self._entries(held)

    def ways(self, own: set[int]) -> set[int]:
        """Return all that lies on a way from one of some operations to another."""
        below = above = 0
        for i in own:
            below |= self.below[i + 1]
            above |= self.above[i + 1]
        return self._entries(below & above)

    def _entries(self, places: int) -> set[int]:
        last = len(self.above) - 1
        return {i - 1 for i in range(1, last) if places >> i & 1}


def _reached(places: Iterable[int], steps: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return for each place the set of those that steps lead to, itself among them."""
    found: dict[int, int] = {}
    for place in places:
        found[place] = 1 << place
        for step in steps[place]:
            found[place] |= found[step]
    return found


def _dominators(places: Iterable[int], before: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return the nearest dominator of each place; places are in the order of the flow."""
    found = {0: 0}
    for place in places:
        came = [p for p in before[place] if p in found]
        if place and came:
            nearest = came[0]
            for other in came[1:]:
                nearest = _common(found, nearest, other, larger_is_farther=True)
            found[place] = nearest
    return found


def _common(tree: dict[int, int], a: int, b: int, larger_is_farther: bool) -> int:
    """Climb from two places of a tree of dominators to where they meet."""
    while a != b:
        if (a > b) is larger_is_farther:
            a = tree[a]
        else:
            b = tree[b]
    return a
