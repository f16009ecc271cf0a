"""Where boxes and curves go: a drawing in layers, after Sugiyama, Tagawa and Toda (1981).

Four steps, each the simplest that gives a good picture:

1. **Layers** by the longest path: a box stands one layer below the lowest of its parents, so every
   edge goes down. Boxes without parents then sink to just above the first that needs them.
2. **Places for edges**: an edge that spans several layers gets a narrow place of its own in each
   layer between, and the boxes there make room: no edge runs behind a box.
3. **Order** in each layer by barycentres: each box is put where the mean of its neighbours in the
   layer above stands, then below, back and forth; the order with the fewest crossings wins, and the
   order in which the operations were recorded is kept where it is as good.
4. **Coordinates**: each box would like to stand under its parents and above its children. For a
   given order the positions nearest to all wishes, with nothing overlapping, are a regression with
   one constraint for each pair of neighbours; pooling those that push each other solves it exactly
   (Ayer and others, 1955: "pool adjacent violators"). At last, long edges are pulled straight: each
   runs down as far as nothing stands in its way.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

GAP_X, GAP_Y = 22.0, 40.0
LANE = 4.0  # half the width of an edge's place in a layer
TRUNK = 100.0  # how much more straight the longest way is to be than others
SWEEPS, ROUNDS = 8, 30


class Item(NamedTuple):
    """A box to be placed: what it takes left and right of its axis, and its height."""

    left: float
    right: float
    height: float
    top: bool = False  # belongs into the first layer
    bottom: bool = False  # belongs into the last


class Link(NamedTuple):
    """An edge: which boxes it joins, and how far from their axes it leaves and arrives."""

    source: int
    target: int
    leaves: float = 0.0
    arrives: float = 0.0


class Layout(NamedTuple):
    """Where everything stands.

    Attributes
    ----------
    x, y : list of float
        The axis and the top of each item.
    layers : list of int
    routes : list of list of (x, y, y)
        For each link the vertical pieces it consists of, downwards: at x, from y to y. Curves join
        one to the next.
    width, height : float
    """

    x: list[float]
    y: list[float]
    layers: list[int]
    routes: list[list[tuple[float, float, float]]]
    width: float
    height: float


def layout(items: Sequence[Item], links: Sequence[Link]) -> Layout:
    """Place items so that all links go down and nothing overlaps.

    Raises
    ------
    ValueError
        If the links form a circle.
    """
    if not items:
        return Layout([], [], [], [], 0.0, 0.0)
    layers = _layers(items, links)
    places = list(items)
    depth = list(layers)
    first: list[float] = list(range(len(items)))  # boxes come in the order they were recorded
    chains: list[list[int]] = []
    for link in links:
        chain = [link.source]
        for layer in range(layers[link.source] + 1, layers[link.target]):
            chain.append(len(places))
            places.append(Item(LANE, LANE, 0.0))
            depth.append(layer)
            first.append(link.source + 0.5)
        chains.append([*chain, link.target])
    weights = _weights(len(items), links)
    near = _Neighbours(len(places))
    for link, chain, weight in zip(links, chains, weights, strict=True):
        for a, b in pairwise(chain):
            leaves = link.leaves if a == link.source else 0.0
            arrives = link.arrives if b == link.target else 0.0
            near.join(a, b, leaves - arrives, weight)
    rows = _ordered(depth, first, near)
    x = _coordinates(rows, places, near)
    _straighten(chains, rows, places, x)
    shift = min(x[i] - places[i].left for i in range(len(places)))
    x = [value - shift for value in x]
    width = max(x[i] + places[i].right for i in range(len(places)))
    heights = [max(places[i].height for i in row) for row in rows]
    tops = [sum(heights[:i]) + GAP_Y * i for i in range(len(rows))]
    y = [tops[depth[i]] + (heights[depth[i]] - places[i].height) / 2 for i in range(len(items))]
    routes = []
    for link, chain in zip(links, chains, strict=True):
        upper, last = tops[layers[link.source]], tops[layers[link.target]]
        start = x[link.source] + link.leaves
        foot = upper + heights[layers[link.source]]
        route = [(start, y[link.source] + items[link.source].height, foot)]
        for place in chain[1:-1]:
            row = depth[place]
            route.append((x[place], tops[row], tops[row] + heights[row]))
        route.append((x[link.target] + link.arrives, last, y[link.target]))
        routes.append(route)
    return Layout(x[: len(items)], y, layers, routes, width, tops[-1] + heights[-1])


def _layers(items: Sequence[Item], links: Sequence[Link]) -> list[int]:
    """Give each item its layer: one below its lowest parent."""
    count = len(items)
    after: list[list[int]] = [[] for _ in items]
    waiting = [0] * count
    for link in links:
        after[link.source].append(link.target)
        waiting[link.target] += 1
    has_parents = [n > 0 for n in waiting]
    ready = [i for i in range(count) if not waiting[i]]
    layers = [0] * count
    order = []
    while ready:
        item = ready.pop()
        order.append(item)
        for child in after[item]:
            layers[child] = max(layers[child], layers[item] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(order) < count:
        raise ValueError("layout: the links form a circle")
    if any(item.top for item in items):
        for i in range(count):
            if not items[i].top and not has_parents[i]:
                layers[i] = max(layers[i], 1)
        for i in order:
            for child in after[i]:
                layers[child] = max(layers[child], layers[i] + 1)
    last = max(layers)
    if any(item.bottom for item in items):
        last = max(layers[i] + (0 if items[i].bottom else 1) for i in range(count))
    for i in range(count):
        if items[i].bottom:
            layers[i] = last
        elif not has_parents[i] and not items[i].top and after[i]:
            layers[i] = min(layers[child] for child in after[i]) - 1
    used = sorted(set(layers))
    return [used.index(layer) for layer in layers]


def _weights(count: int, links: Sequence[Link]) -> list[float]:
    """Weigh edges: those of the longest way through the graph are to be straight.

    And more so where a box has one parent that has one child than where many fan out.
    """
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        after[link.source].append(link.target)
        before[link.target].append(link.source)
    height, depth = _longest(after), _longest(before)
    whole = max(map(sum, zip(height, depth, strict=True)))
    weights = []
    for link in links:
        on_trunk = depth[link.source] + 1 + height[link.target] == whole
        fan = len(after[link.source]) * len(before[link.target])
        weights.append((TRUNK if on_trunk else 1.0) / fan**2)
    return weights


def _longest(steps: Sequence[Sequence[int]]) -> list[int]:
    """Return how many steps the longest way from each place takes."""
    found: dict[int, int] = {}
    for start in range(len(steps)):
        stack = [start]
        while stack:
            here = stack[-1]
            missing = [step for step in steps[here] if step not in found]
            if here not in found and missing:
                stack.extend(missing)
                continue
            found[here] = max((found[step] + 1 for step in steps[here]), default=0)
            stack.pop()
    return [found[i] for i in range(len(steps))]


class _Neighbours:
    """Who is joined to whom, one layer up and one layer down: (other, its offset, weight)."""

    def __init__(self, count: int) -> None:
        self.up: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]
        self.down: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]

    def join(self, a: int, b: int, offset: float, weight: float) -> None:
        """Join a to b below it: straight if b stands at a's axis + offset."""
        self.down[a].append((b, -offset, weight))
        self.up[b].append((a, offset, weight))


def _ordered(depth: Sequence[int], first: Sequence[float], near: _Neighbours) -> list[list[int]]:
    """Order each layer so that few edges cross, beginning with the order of `first`."""
    rows: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for i in sorted(range(len(depth)), key=lambda i: (first[i], i)):
        rows[depth[i]].append(i)
    best, fewest = [list(row) for row in rows], _crossings(rows, near)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            beside = near.up if down else near.down
            place = {i: k for others in rows for k, i in enumerate(others)}
            mean = {
                i: sum(place[other] for other, *_ in beside[i]) / len(beside[i])
                if beside[i]
                else place[i]
                for i in row
            }
            row.sort(key=mean.__getitem__)
        crossing = _crossings(rows, near)
        if crossing < fewest:
            best, fewest = [list(row) for row in rows], crossing
    return best


def _crossings(rows: Sequence[Sequence[int]], near: _Neighbours) -> int:
    """Count how many pairs of edges between neighbouring layers cross."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {i: k for k, i in enumerate(lower)}
        ends: list[int] = []  # ordered by where edges begin; an inversion is a crossing
        for i in upper:
            mine = sorted(place[other] for other, *_ in near.down[i])
            total += sum(sum(1 for end in ends if end > other) for other in mine)
            ends.extend(mine)
    return total


def _coordinates(
    rows: Sequence[Sequence[int]], places: Sequence[Item], near: _Neighbours
) -> list[float]:
    """Find positions near to where everything would like to stand, in the given order."""
    x = [0.0] * len(places)
    gaps = [[places[a].right + places[b].left + GAP_X for a, b in pairwise(row)] for row in rows]
    for row, gap in zip(rows, gaps, strict=True):
        for i, value in zip(row, settled([0.0] * len(row), [1.0] * len(row), gap), strict=True):
            x[i] = value
    for turn in range(ROUNDS):
        down = turn % 2 == 0
        for r in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            row = rows[r]
            wanted, weights = [], []
            for i in row:
                pulls = [*near.up[i], *near.down[i]] if turn >= ROUNDS - 4 else (
                    near.up[i] if down else near.down[i]
                )  # fmt: skip
                total = sum(weight for *_, weight in pulls)
                mean = sum((x[j] + offset) * weight for j, offset, weight in pulls)
                wanted.append(mean / total if pulls else x[i])
                weights.append(total if pulls else 0.1)
            for i, value in zip(row, settled(wanted, weights, gaps[r]), strict=True):
                x[i] = value
    return x


def _straighten(
    chains: Sequence[Sequence[int]],
    rows: Sequence[Sequence[int]],
    places: Sequence[Item],
    x: list[float],
) -> None:
    """Let long edges run straight down, with as few bends as what stands beside them allows."""
    beside = {}
    for row in rows:
        for k, i in enumerate(row):
            beside[i] = (row[k - 1] if k else None, row[k + 1] if k + 1 < len(row) else None)

    def room(lane: int) -> tuple[float, float]:
        before, after = beside[lane]
        low = -inf if before is None else x[before] + places[before].right + LANE + GAP_X
        high = inf if after is None else x[after] - places[after].left - LANE - GAP_X
        return min(low, x[lane]), max(high, x[lane])  # rounding aside, it stands in its room

    for chain in chains:
        at, run, low, high = x[chain[0]], list[int](), -inf, inf
        for lane in [*chain[1:-1], None]:
            least, most = room(lane) if lane is not None else (inf, -inf)
            if max(low, least) > min(high, most):  # a bend
                at = min(max(at, low), high)
                for i in run:
                    x[i] = at
                run, low, high = [], -inf, inf
            if lane is not None:
                run.append(lane)
                low, high = max(low, least), min(high, most)


def settled(
    wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """Return the positions nearest to the wanted ones, each at least a gap after the one before.

    Parameters
    ----------
    wanted, weights : sequence of float
        Positions, and how much each counts: what is minimised is Σ weight · (position − wanted)².
    gaps : sequence of float
        One less.

    Examples
    --------
    >>> settled([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [4.0, 4.0])
    [-2.0, 2.0, 9.0]
    """
    starts = [0.0]
    for gap in gaps:
        starts.append(starts[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # (mean, weight, how many)
    for want, weight, start in zip(wanted, weights, starts, strict=True):
        mean, many = want - start, 1
        while blocks and blocks[-1][0] > mean:
            other, heavy, more = blocks.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, many = weight + heavy, many + more
        blocks.append((mean, weight, many))
    means = [mean for mean, _, many in blocks for _ in range(many)]
    return [mean + start for mean, start in zip(means, starts, strict=True)]
