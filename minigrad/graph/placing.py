"""From scenes to coordinates: how large boxes are, where labels stand, what stands inside what."""

import textwrap
from dataclasses import dataclass
from typing import NamedTuple

from minigrad.graph.layout import Item, Layout, Link, layout
from minigrad.graph.recorded import Recorded
from minigrad.graph.scene import PORT, WRAP, Box, Scene, value_text

TITLE, LINE, LABEL = 13.0, 11.0, 10.5  # sizes of letters
PAD, HEAD, STEP = 11.0, 26.0, 16.0
FRAME = 16.0  # around what stands in an open module
SMALLEST = 76.0
NARROW, WIDE = set("iIjl.,:;|!'·()[]ft r-"), set("mwMW@%")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Guess how wide a text is in a common sans-serif: rather too wide than too narrow.

    Examples
    --------
    >>> text_width("conv2d", 10.0) < text_width("conv2d", 10.0, bold=True)
    True
    """
    widths = (0.4 if c in NARROW else 0.86 if c in WIDE else 0.62 for c in text)
    return sum(widths) * size * (1.06 if bold else 1.0)


class Line(NamedTuple):
    """A line of text in a box, and what it is about."""

    kind: str
    text: str


@dataclass
class Placed:
    """A box with its place: its top left corner, within the scene around it."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    lines: list[Line]
    inside: "Plan | None" = None  # of an open module; it begins FRAME and HEAD further


class Curve(NamedTuple):
    """An edge: the vertical pieces it runs through, as in `Layout.routes`."""

    value: int
    pieces: list[tuple[float, float, float]]
    arrow: bool


class Label(NamedTuple):
    """What an edge carries, written beside where it begins."""

    value: int
    text: str
    x: float
    y: float


@dataclass
class Plan:
    """A scene with coordinates."""

    boxes: list[Placed]
    curves: list[Curve]
    labels: list[Label]
    width: float
    height: float


def plan(graph: Recorded, scene: Scene, alone: bool = True) -> Plan:
    """Give a scene coordinates.

    Parameters
    ----------
    graph : Recorded
    scene : Scene
    alone : bool
        Whether the scene stands by itself, so that values that come in and leave are labelled in
        it, and not in what is around it.
    """
    shapes = [_sized(graph, box) for box in scene.boxes]
    values: list[list[int]] = [[] for _ in scene.boxes]  # what leaves each box
    for edge in scene.edges:
        towards_border = scene.boxes[edge.target].kind == PORT and not alone
        if edge.value not in values[edge.source] and not towards_border:
            values[edge.source].append(edge.value)
    texts = [
        value_text(graph.entries[own[0]]) if len(own) == 1 and (alone or box.kind != PORT) else ""
        for box, own in zip(scene.boxes, values, strict=True)
    ]
    items = []
    for placed, text in zip(shapes, texts, strict=True):
        half, port = placed.width / 2, placed.box.side
        right = max(half, 8 + text_width(text, LABEL)) if text else half
        items.append(Item(half, right, placed.height, port == "in", port == "out"))
    links = [
        Link(
            edge.source, edge.target,
            _port_offset(shapes[edge.source], "out", edge.value),
            _port_offset(shapes[edge.target], "in", edge.value),
        )
        for edge in scene.edges
    ]  # fmt: skip
    where = layout(items, links)
    for k, placed in enumerate(shapes):
        placed.x, placed.y = where.x[k] - placed.width / 2, where.y[k]
    curves = _curves(scene, shapes, where)
    labels = [
        Label(
            values[k][0],
            text,
            where.x[k] + 6,
            where.y[k] + shapes[k].height + (17 if shapes[k].box.folded else 14),
        )
        for k, text in enumerate(texts)
        if text
    ]
    return Plan(shapes, curves, labels, where.width, where.height)


def _sized(graph: Recorded, box: Box) -> Placed:
    """Find out how large a box is."""
    if box.kind == PORT:
        return Placed(box, 0, 0, 8, 0, [])
    lines = [
        Line(kind, part)
        for kind, text in box.lines
        for part in (_wrapped(text) if not kind else [text])
    ]
    title = text_width(box.title, TITLE, bold=True)
    if box.inside is not None:
        inside = plan(graph, box.inside, alone=False)
        width = max(inside.width + 2 * FRAME, title + 2 * PAD)
        # Values pass through the border: above and below are curves, not boxes.
        return Placed(box, 0, 0, width, inside.height + HEAD + FRAME, lines, inside)
    texts = [text_width(line.text, LINE) + (16 if line.kind else 0) for line in lines]
    width = max(SMALLEST, title + 2 * PAD, *(text + 2 * PAD for text in texts))
    return Placed(box, 0, 0, round(width), 14 + STEP + STEP * len(lines), lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WRAP, break_on_hyphens=False) or [text]


def inside_offset(placed: Placed) -> tuple[float, float]:
    """Return where the inside of an open module begins, from its corner."""
    assert placed.inside is not None
    return (placed.width - placed.inside.width) / 2, HEAD


def _port_offset(placed: Placed, side: str, value: int) -> float:
    """Return how far from a box's axis a value passes its border."""
    if placed.inside is None:
        return 0.0
    for inner in placed.inside.boxes:
        if inner.box.side == side and inner.box.entry == value:
            start = inside_offset(placed)[0] + inner.x + inner.width / 2
            return start - placed.width / 2
    return 0.0


def _curves(scene: Scene, shapes: list[Placed], where: Layout) -> list[Curve]:
    """Let the edges that come to one box arrive side by side."""
    arriving: dict[int, list[int]] = {}
    for k, edge in enumerate(scene.edges):
        placed = shapes[edge.target]
        if placed.inside is None and placed.box.kind != PORT:
            arriving.setdefault(edge.target, []).append(k)
    shift = [0.0] * len(scene.edges)
    for target, edges in arriving.items():
        edges.sort(key=lambda n: (where.routes[n][-2][0], n))
        apart = min(16.0, (shapes[target].width - 24) / len(edges))
        for rank, k in enumerate(edges):
            shift[k] = (rank - (len(edges) - 1) / 2) * apart
    curves = []
    for number, edge in enumerate(scene.edges):
        *pieces, (x, top, bottom) = where.routes[number]
        goal = shapes[edge.target]
        # Into an open module a value goes on to its port, and only from there to a box.
        arrow = goal.box.kind != PORT and goal.inside is None
        curves.append(Curve(edge.value, [*pieces, (x + shift[number], top, bottom)], arrow))
    return curves
