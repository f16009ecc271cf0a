"""The layout: everything once, edges down, nothing on top of anything."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.graph.layout import Item, Link, layout, settled

sizes = st.integers(4, 120).map(float)
items = st.tuples(sizes, sizes, st.integers(0, 60).map(float)).map(lambda parts: Item(*parts))


@st.composite
def pictures(draw):
    """Draw boxes, and links from earlier to later ones: some twice, some from nowhere."""
    boxes = draw(st.lists(items, min_size=1, max_size=12))
    pairs = list(itertools.combinations(range(len(boxes)), 2))
    joined = draw(st.lists(st.sampled_from(pairs), max_size=24)) if pairs else []
    return boxes, [Link(*pair) for pair in joined]


@given(pictures())
def test_edges_go_down(picture):
    boxes, links = picture
    made = layout(boxes, links)
    assert len(made.x) == len(made.y) == len(made.layers) == len(boxes)
    for link, route in zip(links, made.routes, strict=True):
        assert made.layers[link.source] < made.layers[link.target]
        heights = [y for _, top, bottom in route for y in (top, bottom)]
        assert heights == sorted(heights)
        assert route[0][:2] == (
            made.x[link.source],
            made.y[link.source] + boxes[link.source].height,
        )
        assert (route[-1][0], route[-1][2]) == (made.x[link.target], made.y[link.target])


@given(pictures())
def test_boxes_do_not_overlap(picture):
    boxes, links = picture
    made = layout(boxes, links)
    for i, j in itertools.combinations(range(len(boxes)), 2):
        beside = (
            made.x[i] + boxes[i].right <= made.x[j] - boxes[j].left + 1e-6
            or made.x[j] + boxes[j].right <= made.x[i] - boxes[i].left + 1e-6
        )
        over = made.layers[i] != made.layers[j]
        if over:
            upper, lower = sorted((i, j), key=lambda k: made.layers[k])
            assert made.y[upper] + boxes[upper].height < made.y[lower]
        assert beside or over
    assert min(x - box.left for x, box in zip(made.x, boxes, strict=True)) >= -1e-6
    assert max(x + box.right for x, box in zip(made.x, boxes, strict=True)) <= made.width + 1e-6


@settings(max_examples=150)
@given(pictures())
def test_edges_do_not_run_behind_boxes(picture):
    boxes, links = picture
    made = layout(boxes, links)
    for link, route in zip(links, made.routes, strict=True):
        for x, top, bottom in route[1:-1]:  # through other layers
            for k, box in enumerate(boxes):
                if k in link[:2] or made.y[k] > bottom or made.y[k] + box.height < top:
                    continue
                assert not made.x[k] - box.left < x < made.x[k] + box.right


@given(pictures())
def test_an_edge_spans_no_more_layers_than_it_must(picture):
    boxes, links = picture
    made = layout(boxes, links)
    for k in range(len(boxes)):
        parents = [made.layers[link.source] for link in links if link.target == k]
        children = [made.layers[link.target] for link in links if link.source == k]
        if parents:
            assert made.layers[k] == max(parents) + 1
        elif children:
            assert made.layers[k] == min(children) - 1


def test_a_chain_is_straight():
    made = layout([Item(30, 90, 20)] * 5, [Link(i, i + 1) for i in range(4)])
    assert max(made.x) - min(made.x) < 1e-6


def test_what_crosses_is_uncrossed():
    #  a b   joined to  d c: recorded in the order that crosses
    made = layout([Item(10, 10, 10)] * 4, [Link(0, 3), Link(1, 2)])
    assert (made.x[0] < made.x[1]) == (made.x[3] < made.x[2])


def test_a_long_edge_runs_straight_beside_the_others():
    links = [Link(0, 1), Link(1, 2), Link(2, 3), Link(3, 4), Link(0, 4)]
    boxes = [Item(half, half, 20) for half in (20, 70, 20, 120, 20)]
    route = layout(boxes, links).routes[-1]
    assert len(route) == 5
    assert len({round(x, 6) for x, _, _ in route[1:-1]}) == 1


def test_ports_stand_first_and_last():
    boxes = [Item(9, 9, 9), Item(9, 9, 9), Item(4, 4, 0, top=True), Item(4, 4, 0, bottom=True)]
    made = layout(boxes, [Link(2, 1), Link(0, 1), Link(0, 3)])
    assert made.layers[2] == 0
    assert made.layers[0] > 0
    assert made.layers[3] == max(made.layers)


def test_circles_are_refused():
    with pytest.raises(ValueError, match="circle"):
        layout([Item(1, 1, 1)] * 2, [Link(0, 1), Link(1, 0)])


def test_nothing_takes_no_room():
    assert layout([], []).width == 0


@given(st.data())
def test_settled_positions_are_the_nearest_allowed(data):
    count = data.draw(st.integers(1, 7))
    numbers = st.floats(-50, 50)
    wanted = data.draw(st.lists(numbers, min_size=count, max_size=count))
    weights = data.draw(st.lists(st.floats(0.1, 9), min_size=count, max_size=count))
    gaps = data.draw(st.lists(st.floats(0, 9), min_size=count - 1, max_size=count - 1))
    found = settled(wanted, weights, gaps)

    for (a, b), gap in zip(itertools.pairwise(found), gaps, strict=True):
        assert b - a >= gap - 1e-6
    # Isotonic regression has a formula, too slow to use: the largest of the smallest means.
    starts = [0.0, *itertools.accumulate(gaps)]
    values = [v - s for v, s in zip(wanted, starts, strict=True)]

    def mean(first, last):
        total = sum(weights[first : last + 1])
        part = zip(weights[first : last + 1], values[first : last + 1], strict=True)
        return sum(w * v for w, v in part) / total

    for i, place in enumerate(found):
        best = max(min(mean(j, k) for k in range(i, count)) for j in range(i + 1))
        assert place == pytest.approx(best + starts[i], abs=1e-6)
