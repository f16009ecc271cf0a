"""Which module an operation belongs to, watched and found afterwards."""

from itertools import pairwise

import numpy as np
import pytest

import minigrad
from minigrad import functional as F
from minigrad import graph, nn
from minigrad.graph.modules import Group, contained
from minigrad.graph.recorded import read
from tests.graph.graphs import Inception, Net, images


def held(recorded, paths, name):
    """List the operations inside a module, in the order they were recorded."""
    return [
        entry.name
        for entry, path in zip(recorded.entries, paths, strict=True)
        if entry.parents and name in [group.name for group in path]
    ]


def both(net, x):
    """Return the graph behind a network's output, the groups watched, and those found."""
    with minigrad.kernels("vectorized"), graph.calls(net) as seen:
        out = net(x)
    recorded = read(out, model=net)
    return recorded, seen.paths(recorded), contained(recorded, net)


@pytest.mark.parametrize("grad", [True, False])
def test_an_inception_module_is_found_from_its_parameters(grad):
    recorded, watched, found = both(Net(), images(grad))
    wanted = ["conv2d", "relu", "conv2d", "conv2d", "max_pool2d", "conv2d", "concat"]
    for name in ("a", "b"):
        assert held(recorded, watched, name) == wanted
        assert held(recorded, found, name) == wanted
    assert held(recorded, watched, "pool") == ["max_pool2d"]
    assert held(recorded, found, "pool") == []  # it has no parameters: nothing tells
    assert held(recorded, found, "a.three") == ["conv2d"]


def test_groups_are_nested():
    recorded, watched, found = both(Net(), images())
    for paths in (watched, found):
        for path in paths:
            names = [group.name for group in path]
            for outer, inner in pairwise(names):
                assert inner.startswith(f"{outer}.")


def test_no_way_leaves_a_group_and_comes_back():
    recorded, *both_ways = both(Net(), images())
    for paths in both_ways:
        for name in ("a", "b"):
            inside = {i for i, path in enumerate(paths) if name in [g.name for g in path]}
            left = set()  # what was computed from the group, outside
            for entry in recorded.entries:
                came = set(entry.parents)
                if entry.index in inside:
                    assert not came & left
                elif came & (inside | left):
                    left.add(entry.index)


def test_branches_on_the_plain_input():
    net = Inception(1)
    recorded, watched, found = both(nn.Sequential(net), images(grad=False))
    # The pool of an image that needs no gradient is not recorded.
    wanted = ["conv2d", "relu", "conv2d", "conv2d", "conv2d", "concat"]
    assert held(recorded, watched, "0") == held(recorded, found, "0") == wanted


class Crossed(nn.Module):
    """Two modules, each of which uses what the other made."""

    def __init__(self):
        self.a = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.b = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))

    def forward(self, x):
        first, second = self.a[0](x), self.b[0](x)
        return F.relu(self.a[1](second)) + F.relu(self.b[1](first))


def test_groups_that_would_make_a_circle_are_not_drawn():
    net = Crossed()
    x = minigrad.tensor(np.ones((1, 2), np.float32), requires_grad=True)
    drawing = graph.draw(net(x), model=net, names={"x": x})
    titles = [box.title for box in drawing.scene.boxes]
    assert "a" not in titles
    assert "b" not in titles
    assert len(drawing.graph.entries) == 1 + 8 + 4 + 2 + 1


def test_a_module_called_twice_is_two_boxes():
    class Twice(nn.Module):
        def __init__(self):
            self.layer = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

        def forward(self, x):
            return self.layer(self.layer(x))

    net = Twice()
    with graph.calls(net) as seen:
        out = net(minigrad.tensor([[1.0, 2.0]]))
    titles = [box.title for box in graph.draw(out, model=seen).scene.boxes]
    assert titles[-2:] == ["layer", "layer (call 2)"]
    assert {call.group for call in seen.made} >= {Group("layer", 0), Group("layer", 1)}


def test_watching_leaves_modules_as_they_were():
    net = Net()
    own = net.a.forward
    net.b.forward = own  # somebody's own
    before = [dict(vars(module)) for _, module in net.named_modules()]
    with graph.calls(net) as seen:
        assert [name for name, _ in net.named_modules()]
    assert [dict(vars(module)) for _, module in net.named_modules()] == before
    assert not seen.made
    with pytest.raises(ZeroDivisionError), graph.calls(net):
        raise ZeroDivisionError
    assert [dict(vars(module)) for _, module in net.named_modules()] == before
    with pytest.raises(TypeError, match="model must be a Module, got int"), graph.calls(3):
        pass


def test_modules_in_lists_and_dictionaries():
    class Listed(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
            self.more = {"x": nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))}

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return self.more["x"](x)

    x = minigrad.tensor([[1.0, 2.0]], requires_grad=True)
    recorded, watched, found = both(Listed(), x)
    assert held(recorded, watched, "more.x") == ["linear", "relu", "linear"]
    assert held(recorded, found, "more.x") == ["linear", "relu", "linear"]
    assert held(recorded, found, "layers.1") == ["linear"]
