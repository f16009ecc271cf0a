"""Drawings: everything once, well-formed whatever things are called, clear where they cannot be."""

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from examples import graphs as examples
from minigrad import graph, nn
from minigrad.graph.placing import plan
from minigrad.graph.scene import PORT
from tests.graph.graphs import STEPS, Net, computed, images, leaves, read_html

SVG = "{http://www.w3.org/2000/svg}"
FOLDS = st.sampled_from(
    [True, False, "a", ["b", "classifier"], "nothing", lambda name: "a" in name]
)
HOSTILE = [
    '<script>alert("x")</script>',
    "a & b",
    "]]>",
    "'; DROP",
    'quo"te',
    "back\\slash\nnext",
    "é×→",
    "bell\x07\ud800",
]


def network(watched=True, fold=True, **options):
    net, x = Net(), images()
    with minigrad.kernels("vectorized"), graph.calls(net) as seen:
        out = net(x).sum()
    options.setdefault("names", {"images": x})
    return graph.draw(out, model=seen if watched else net, fold=fold, **options)


def drawn_entries(scene):
    """List the entries that a scene shows, each as often as it does."""
    for box in scene.boxes:
        if box.kind == PORT:
            continue
        if box.inside is not None:
            yield from drawn_entries(box.inside)
        else:
            if box.folded is not None:
                assert sorted(drawn_entries(box.folded)) == sorted(box.members)
            yield from box.members


def parsed(drawing):
    root = ElementTree.fromstring(drawing.svg)
    assert root.tag == f"{SVG}svg"
    return root


@given(STEPS, st.sampled_from(["beside", "inside", None]))
def test_every_node_is_drawn_once(steps, parameters):
    drawing = graph.draw(computed(steps, *leaves(0)), parameters=parameters)
    entries = [entry.index for entry in drawing.graph.entries]
    assert sorted(drawn_entries(drawing.scene)) == entries
    edges = sum(len(entry.parents) for entry in drawing.graph.entries)
    assert len(drawing.scene.edges) == edges
    assert drawing.dot.count(" -> ") == edges
    parsed(drawing)


@given(st.booleans(), FOLDS, st.sampled_from(["beside", "inside"]))
def test_every_node_is_drawn_once_folded_or_not(watched, fold, parameters):
    drawing = network(watched, fold, parameters=parameters)
    shown = sorted(drawn_entries(drawing.scene))
    hidden = {e.index for e in drawing.graph.entries if e.kind == "parameter"}
    wanted = [
        e.index for e in drawing.graph.entries if parameters == "beside" or e.index not in hidden
    ]
    assert shown == wanted
    parsed(drawing)
    dot_is_right(drawing.dot)


def boxes_of(drawn, x=0.0, y=0.0):
    """Yield the rectangles of a plan, those in open modules within theirs."""
    for placed in drawn.boxes:
        left, top = x + placed.x, y + placed.y
        yield placed, (left, top, left + placed.width, top + placed.height)


@given(FOLDS)
def test_boxes_lie_in_their_modules_and_apart(fold):
    drawing = network(fold=fold)

    def check(drawn):
        rectangles = [(p, r) for p, r in boxes_of(drawn) if p.box.kind != PORT]
        for k, (_, (left, top, right, bottom)) in enumerate(rectangles):
            assert 0 <= left < right <= drawn.width + 1
            assert 0 <= top < bottom <= drawn.height + 1
            for _, other in rectangles[:k]:
                apart = right <= other[0] or other[2] <= left
                assert apart or bottom <= other[1] or other[3] <= top
        for placed, _ in rectangles:
            if placed.inside is not None:
                assert placed.inside.width <= placed.width
                assert placed.inside.height <= placed.height
                check(placed.inside)

    check(plan(drawing.graph, drawing.scene))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(name):
    x = minigrad.tensor([1.0], requires_grad=True)
    layers = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    setattr(layers, name, nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    with graph.calls(layers) as seen:
        out = layers(x)
    drawing = graph.draw(out, model=seen, names={name: x}, title=name)
    root = parsed(drawing)
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    shown = name.replace("\x07", "\ufffd").replace("\ud800", "\ufffd").split("\n")[0]
    assert any(shown in text for text in texts)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "style",
        "defs",
        "marker",
        "path",
        "rect",
        "text",
        "g",
        "a",
        "polygon",
        "circle",
    }
    dot_is_right(drawing.dot)


def test_links_lead_somewhere_and_no_name_is_taken_twice():
    root = parsed(network())
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    links = [element.get("href") for element in root.iter(f"{SVG}a")]
    assert len(links) == 4  # to unfold and fold each of two modules
    assert {link.removeprefix("#") for link in links} <= set(names)


def test_two_drawings_on_a_page_share_no_names():
    first, second = network(), network(title="another")
    names = [set(re.findall(r'id="([^"]+)"', drawing.svg)) for drawing in (first, second)]
    assert not names[0] & names[1]


@pytest.mark.parametrize("fold", [True, False])
def test_a_value_goes_into_a_module_once(fold):
    drawing = network(fold=fold)
    place = [box.title for box in drawing.scene.boxes].index("a")
    assert [edge.target for edge in drawing.scene.edges].count(place) == 1
    inside = drawing.scene.boxes[place].inside or drawing.scene.boxes[place].folded
    ports = [k for k, box in enumerate(inside.boxes) if box.side == "in"]
    assert len(ports) == 1
    assert [edge.source for edge in inside.edges].count(ports[0]) == 3  # its branches


@pytest.mark.parametrize("fold", [True, False])
def test_a_module_that_gives_several_values(fold):
    class Two(nn.Module):
        def __init__(self):
            self.pair = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
            self.pair.forward = lambda x: (self.pair[0](x), self.pair[1](x))

        def forward(self, x):
            first, second = self.pair(x)
            return first.sum() + second.sum()

    net = Two()
    with graph.calls(net) as seen:
        out = net(minigrad.tensor([[1.0, 2.0]], requires_grad=True))
    drawing = graph.draw(out, model=seen, fold=fold)
    parsed(drawing)
    dot_is_right(drawing.dot)
    place = [box.title for box in drawing.scene.boxes].index("pair")
    assert len({edge.value for edge in drawing.scene.edges if edge.source == place}) == 2


def test_nothing_is_fetched():
    drawn = network().svg
    assert set(re.findall(r'(?:href|src|url)\s*[=(]\s*"?([^")]*)', drawn)) <= {
        *re.findall(r"#g[0-9a-f]+-\w+", drawn)
    }
    assert "<script" not in drawn


TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z_]\w*)|(\d+)|(->|[{}\[\];,=]))')


def dot_is_right(text):
    """Read DOT by its grammar, as far as it is used here, and see that edges join known nodes."""
    tokens, place = [], 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        assert found, text[place : place + 40]
        tokens.append(found.group().strip())
        place = found.end()
    assert tokens[:2] == ["digraph", "minigrad"]
    depth, known, joined, k = 0, set(), set(), 2
    while k < len(tokens):
        depth += {"{": 1, "}": -1}.get(tokens[k], 0)
        if tokens[k] == "[":
            end = tokens.index("]", k)
            inner = tokens[k + 1 : end]
            assert len(inner) % 4 == 3
            assert all(re.fullmatch(r"\w+", name) for name in inner[::4])
            assert set(inner[1::4]) == {"="}
            assert set(inner[3::4]) <= {","}
            if tokens[k - 2] == "->":
                joined |= {tokens[k - 3], tokens[k - 1]}
            else:
                known.add(tokens[k - 1])
            k = end
        k += 1
    assert depth == 0
    assert joined <= known


def test_dtypes_are_told_where_there_are_several():
    x = minigrad.tensor([1.0], requires_grad=True)
    assert "float64" in graph.draw(x.astype(np.float64) * 2).svg
    assert "float32 throughout" in graph.draw(x * 2).svg


def test_shapes_and_bytes_are_on_the_edges():
    drawn = network().svg
    assert "2×6×4×4 · 768 B" in drawn


def test_text_of_a_network():
    lines = network().text.splitlines()
    assert lines[0] == "Net: the graph behind sum (one number)"
    assert any(
        re.search(r"a \(4 conv2d, relu, max_pool2d, concat; \d+ parameters\)", line)
        for line in lines
    )
    unfolded = network(fold=False).text
    assert re.search(r"^ +a:\n\d+ +three_reduce \(conv2d", unfolded, re.MULTILINE)


def test_a_released_graph_is_drawn_and_says_so():
    x, y = leaves(0)
    out = computed([(1, 0, 1)], x, y)
    before = graph.draw(out)
    out.backward()
    after = graph.draw(out)
    assert "freed" not in before.note
    assert after.note.endswith("a backward went through and freed what was kept for it")
    assert before.dot == after.dot


def test_leaves_that_are_gone_are_still_drawn():
    out = minigrad.tensor([1.0], requires_grad=True) * 2
    assert "input 0" in graph.draw(out).text


def test_a_leaf_by_itself():
    x = minigrad.tensor([1.0], requires_grad=True)
    assert "x" in graph.draw(x, names={"x": x}).text
    parsed(graph.draw(x))


def test_a_tensor_used_twice_by_one_operation_has_two_edges():
    x = minigrad.tensor([1.0], requires_grad=True)
    assert graph.draw(x * x).dot.count("n0 -> n1") == 2


def test_a_parameter_that_two_operations_use_is_a_box():
    layer = nn.Linear(2, 2)
    out = layer(layer(minigrad.tensor([[1.0, 2.0]])))
    kinds = [box.kind for box in graph.draw(out, model=layer).scene.boxes]
    assert kinds.count("parameter") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "png"}, "format must be one of svg, dot, text, got 'png'"),
        ({"fold": 3}, "fold must be True, False, names of modules"),
        ({"fold": [3]}, "fold must be True, False, names of modules"),
        ({"parameters": "out"}, "parameters must be 'beside' or 'inside', got 'out'"),
        ({"model": 3}, "model must be a Module, or what graph.calls"),
        ({"names": {"x": 3}}, r"names\['x'\] must be a Tensor, got int"),
        ({"names": {3: minigrad.tensor(1.0)}}, "names must be called by strings, got 3"),
        ({"highlight": "x"}, "highlight must be a Tensor or a Node, or several, got str"),
        ({"highlight": [3]}, "highlight must be a Tensor or a Node, or several, got int"),
        ({"highlight": 3}, "highlight must be a Tensor or a Node, or several, got int"),
    ],
)
def test_mistakes_are_told(options, said):
    x = minigrad.tensor([1.0], requires_grad=True)
    with pytest.raises((TypeError, ValueError), match=said):
        graph.draw(x * 2, **options)


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(TypeError, match="tensor must be a Tensor, got list"):
        graph.draw([1.0])
    with minigrad.no_grad(), pytest.raises(ValueError, match=r"computed inside no_grad\(\)"):
        graph.draw(minigrad.tensor([1.0], requires_grad=True) * 2)


def test_whatever_holds_them_several_stand_out():
    x = minigrad.tensor([1.0], requires_grad=True)
    y = x * 2
    for several in ([x, y], (x, y.node), {x.node, y}, dict.fromkeys((x, y)), iter((x, y))):
        assert graph.draw(y, highlight=several).svg.count(' hot"') == 2


def test_drawings_on_one_page_have_names_of_their_own():
    """Or a click into one would unfold what is in another."""
    net = Net()
    out = net(images()).sum()
    ways = {"fold": True}, {"fold": ["a"]}, {"highlight": out}, {"parameters": "beside"}
    drawn = [graph.draw(out, model=net, title="The same", **options).svg for options in ways]
    names = [set(re.findall(r'id="([^"]+)"', svg)) for svg in drawn]
    assert all(names)
    assert len(set.union(*names)) == sum(map(len, names))


def test_formats_and_files(tmp_path):
    x = minigrad.tensor([1.0], requires_grad=True)
    for format, ending in (("svg", "svg"), ("dot", "gv"), ("text", "txt")):
        drawing = graph.draw(x * 2, format)
        path = tmp_path / f"graph.{ending}"
        drawing.save(path)
        assert path.read_text() == str(drawing)
        assert (drawing._repr_svg_() is None) == (format != "svg")
        shown = f"<Drawing: {drawing.title}; {drawing.note}>" if format == "svg" else str(drawing)
        assert repr(drawing) == shown
    with pytest.raises(ValueError, match=r"must end in \.svg, \.dot, \.gv, \.txt, got"):
        drawing.save(tmp_path / "graph.png")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_notebook_shows_what_unfolds_in_a_frame(name):
    drawing = network(title=name)
    (((tag, attributes),), texts) = read_html(drawing._repr_html_())
    assert (tag, texts) == ("iframe", [])
    assert not set(attributes) - {"src", "title", "style"}
    kind, _, encoded = attributes["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    framed, alone = ElementTree.fromstring(base64.b64decode(encoded)), parsed(drawing)
    width, height = alone.attrib.pop("width"), alone.attrib.pop("height")
    assert ElementTree.tostring(framed) == ElementTree.tostring(alone)  # but as large as its frame
    assert f"max-width:{width}px;" in attributes["style"]
    assert f"aspect-ratio:{width}/{height}" in attributes["style"]


def test_what_cannot_unfold_needs_no_frame():
    assert network(fold=False)._repr_html_() is None
    for format in ("dot", "text"):
        assert network(format=format)._repr_html_() is network(format=format)._repr_svg_() is None


def test_deep_graphs_are_drawn():
    x = minigrad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1500):  # deeper than Python's stack
        y = y * 1.0
    assert graph.draw(y).svg.count("<rect") == 1500 + 1


def test_the_drawings_of_the_examples_are_what_their_command_writes(tmp_path):
    for path in examples.draw(tmp_path):
        assert path.stat().st_size < 60_000
        assert path.read_text() == (examples.FOLDER / path.name).read_text(), (
            "run python -m examples.graphs examples"
        )
