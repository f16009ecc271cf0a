"""What is to be drawn: entries and modules as boxes, some of them folded, with what joins them.

A scene is a picture without coordinates. A module that stands open is a box with a scene of its
own; values come into that through ports at its top and leave through ports at its bottom.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from minigrad.graph.modules import Group, Path
from minigrad.graph.recorded import (
    INPUT,
    OPERATION,
    OUTPUT,
    PARAMETER,
    Entry,
    Recorded,
    bytes_text,
    shape_text,
)

MODULE, PORT = "module", "port"
WRAP = 28  # letters in a line
LEGEND = {
    INPUT: "input",
    PARAMETER: "parameter",
    OPERATION: "operation",
    OUTPUT: "output",
    MODULE: "module: click to unfold",
}


@dataclass
class Box:
    """One box of a scene.

    Attributes
    ----------
    kind : str
        One of `LEGEND`, or "port": the place where value `entry` passes a module's border.
    title : str
    lines : list of (kind, text)
        What stands below the title: about parameters, or about the box itself ("").
    tip : str
        All there is to say; shown where the pointer rests.
    entry : int
        The entry it is, or of a module the last inside.
    inside : Scene, optional
        Of a module that stands open.
    folded : Scene, optional
        Of a module that is folded: what is inside.
    hot : bool
        Whether it is to stand out.
    side : str
        Of a port: "in" or "out".
    """

    kind: str
    title: str
    lines: list[tuple[str, str]]
    tip: str
    entry: int
    inside: "Scene | None" = None
    folded: "Scene | None" = None
    hot: bool = False
    side: str = ""
    members: list[int] = field(default_factory=list)


@dataclass
class Edge:
    """A value on its way from one box of a scene to another: the result of entry `value`."""

    source: int
    target: int
    value: int


@dataclass
class Scene:
    """Boxes, and edges between them by their places in the list."""

    boxes: list[Box]
    edges: list[Edge]


Fold = bool | str | Collection[str] | Callable[[str], bool]


def folding(fold: Fold) -> Callable[[str], bool]:
    """Read the argument `fold`: which modules are one box.

    Raises
    ------
    TypeError
        If it is none of what it may be.
    """
    if isinstance(fold, bool):
        return lambda name: bool(fold)
    if callable(fold):
        return fold
    patterns = [fold] if isinstance(fold, str) else fold
    if not isinstance(patterns, Collection) or not all(isinstance(p, str) for p in patterns):
        raise TypeError(
            "draw: fold must be True, False, names of modules (patterns such as 'inception_*' "
            f"too), or a function that tells for a name, got {fold!r}"
        )
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


class Builder:
    """Makes scenes of a recorded graph.

    Parameters
    ----------
    graph : Recorded
    paths : sequence of Path
        The groups around each entry.
    is_folded : callable
        Tells for the name of a module whether it is one box.
    inline : bool
        Whether a parameter that one operation uses is written into that operation's box.
    hot : collection of int
        Entries that are to stand out.
    """

    def __init__(
        self,
        graph: Recorded,
        paths: Sequence[Path],
        is_folded: Callable[[str], bool],
        inline: bool,
        hot: Collection[int] = (),
    ) -> None:
        self.graph, self.is_folded, self.hot = graph, is_folded, set(hot)
        self.paths = list(paths)
        self.inlined: dict[int, list[Entry]] = {}
        self.hidden: set[int] = set()
        self.typed = len({entry.dtype for entry in graph.entries}) > 1
        for entry in graph.entries:
            uses = graph.uses[entry.index]
            if entry.kind == PARAMETER and uses:
                if inline and len(uses) == 1:
                    self.inlined.setdefault(uses[0], []).append(entry)
                    self.hidden.add(entry.index)
                self.paths[entry.index] = _shared([self.paths[use] for use in uses])

    def whole(self) -> Scene:
        """Make the scene of everything."""
        shown = [e.index for e in self.graph.entries if e.index not in self.hidden]
        return self.scene(shown, 0, frozenset())

    def scene(self, members: Sequence[int], depth: int, loose: frozenset[Group]) -> Scene:
        """Make the scene of some entries, all in the same group of this depth.

        `loose` are groups that cannot be boxes, as a way leaves them and comes back.
        """
        inside = set(members)
        units: dict[Any, list[int]] = {}
        unit_of: dict[int, Any] = {}
        for i in members:
            groups = [group for group in self.paths[i][depth:] if group not in loose]
            unit_of[i] = groups[0] if groups else i
            units.setdefault(unit_of[i], []).append(i)
        circle = self._circle(units, unit_of)
        if circle:
            return self.scene(members, depth, loose | circle)
        order = {unit: k for k, unit in enumerate(units)}
        boxes = [self._box(unit, units[unit], loose) for unit in units]
        edges: list[Edge] = []
        drawn: set[tuple[int, Any]] = set()
        ports: dict[tuple[str, int], int] = {}
        for i in members:
            for parent in self.graph.entries[i].parents:
                if parent in self.hidden or (parent in inside and unit_of[parent] == unit_of[i]):
                    continue
                if isinstance(unit_of[i], Group) and len(units[unit_of[i]]) > 1:
                    if (parent, unit_of[i]) in drawn:  # into a module a value goes once
                        continue
                    drawn.add((parent, unit_of[i]))
                if parent in inside:
                    source = order[unit_of[parent]]
                else:
                    source = ports.setdefault(("in", parent), len(boxes))
                    if source == len(boxes):
                        boxes.append(self._port("in", parent))
                edges.append(Edge(source, order[unit_of[i]], parent))
            if depth and any(use not in inside for use in self.graph.uses[i]):
                ports["out", i] = len(boxes)
                boxes.append(self._port("out", i))
                edges.append(Edge(order[unit_of[i]], ports["out", i], i))
        return Scene(boxes, edges)

    def _circle(self, units: dict[Any, list[int]], unit_of: dict[int, Any]) -> frozenset[Group]:
        """Return the groups that ways leave and come back to."""
        after: dict[Any, set[Any]] = {unit: set() for unit in units}
        waiting: Counter[Any] = Counter()
        for i, unit in unit_of.items():
            for parent in self.graph.entries[i].parents:
                other = unit_of.get(parent, unit)
                if other != unit and unit not in after[other]:
                    after[other].add(unit)
                    waiting[unit] += 1
        ready = [unit for unit in units if not waiting[unit]]
        done = set()
        while ready:
            unit = ready.pop()
            done.add(unit)
            for other in after[unit]:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
        return frozenset(unit for unit in units if unit not in done and isinstance(unit, Group))

    def _box(self, unit: Any, members: list[int], loose: frozenset[Group]) -> Box:
        if len(members) == 1:
            title = unit.title if isinstance(unit, Group) else ""
            return self._single(self.graph.entries[members[0]], title)
        depth = 1 + next(k for k, group in enumerate(self.paths[members[0]]) if group == unit)
        entries = [self.graph.entries[i] for i in members]
        scene = self.scene(members, depth, loose)
        folded = self.is_folded(unit.name)
        held = [e for i in members for e in self.inlined.get(i, [])]
        held += [e for e in entries if e.kind == PARAMETER]
        numbers = sum(e.nbytes // e.dtype.itemsize for e in held)
        counts = Counter(e.name for e in entries if e.kind != PARAMETER)
        listed = ", ".join(f"{n} {name}" if n > 1 else name for name, n in counts.items())
        lines = [("", listed)] if folded else []
        if folded and numbers:
            lines.append((PARAMETER, f"{numbers:,} parameters"))
        last = members[-1]
        tip = f"{unit.name}: {listed}; {numbers:,} parameters"
        return Box(
            MODULE, unit.title, lines, tip, last, None if folded else scene,
            scene if folded else None, bool(self.hot & set(members)), members=members,
        )  # fmt: skip

    def _single(self, entry: Entry, title: str) -> Box:
        shape, kind = shape_text(entry.shape), entry.kind
        lines: list[tuple[str, str]] = []
        if title and title != entry.name:
            lines.append(("", entry.name))
        elif not title:
            title = entry.label
        if kind in (INPUT, PARAMETER, OUTPUT) or not self.graph.uses[entry.index]:
            lines.append(("", f"{shape}" + (f" {entry.dtype}" if self.typed else "")))
        elif self.typed:
            lines.append(("", str(entry.dtype)))
        held = ""
        for parameter in self.inlined.get(entry.index, []):
            own = parameter.name.rsplit(".", 1)[-1] or PARAMETER
            own = f"{own} {'×'.join(map(str, parameter.shape)) or 1}"
            if held and len(held) + len(own) > WRAP:
                lines.append((PARAMETER, held))
                held = ""
            held = f"{held}, {own}" if held else own
        if held:
            lines.append((PARAMETER, held))
        tip = f"{entry.label}: {shape} {entry.dtype}, {bytes_text(entry.nbytes)}"
        return Box(
            kind, title, lines, tip, entry.index, hot=entry.index in self.hot,
            members=[entry.index],
        )  # fmt: skip

    def _port(self, side: str, value: int) -> Box:
        entry = self.graph.entries[value]
        return Box(PORT, "", [], f"{entry.label}: {value_text(entry)}", value, side=side)


def value_text(entry: Entry) -> str:
    """Write what an edge carries: the shape and the bytes of a value."""
    return f"{shape_text(entry.shape)} · {bytes_text(entry.nbytes)}"


def _shared(paths: Sequence[Path]) -> Path:
    """Return the groups that all of some paths have in common."""
    common: list[Group] = []
    for groups in zip(*paths, strict=False):
        if len(set(groups)) > 1:
            break
        common.append(groups[0])
    return tuple(common)
