"""Backward in steps is backward, to the bit, and leaves no trace."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import graph
from tests.graph.graphs import STEPS, Net, computed, images, leaves, read_html


@given(STEPS, st.integers(0, 99))
def test_gradients_are_those_of_backward(steps, seed):
    x, y = leaves(seed)
    out = computed(steps, x, y)
    stepped = graph.step(out, names={"x": x, "y": y})
    assert x.grad is None
    assert y.grad is None
    out.backward()
    found = {entry.name: gradient for entry, gradient in stepped.gradients.items()}
    for name, leaf in (("x", x), ("y", y)):
        assert (name in found) == (leaf.grad is not None)
        if name in found:
            assert found[name].dtype == leaf.grad.dtype
            np.testing.assert_array_equal(found[name], leaf.grad.data)


@given(STEPS, st.integers(0, 99))
def test_what_arrives_is_the_sum_of_what_was_handed(steps, seed):
    out = computed(steps, *leaves(seed))
    total: dict[int, np.ndarray] = {}
    seen = set()
    for k, frame in enumerate(graph.step(out)):
        assert frame.number == k + 1
        if k:
            np.testing.assert_allclose(frame.gradient, total[frame.entry.index], rtol=1e-12)
        assert frame.entry.index not in seen
        seen.add(frame.entry.index)
        for handed in frame.handed:
            assert handed.parent.index not in seen, "a gradient came after the node's turn"
            assert 1 <= handed.arrival <= handed.expected
            before = total.get(handed.parent.index, 0)
            total[handed.parent.index] = before + handed.gradient
        assert {entry.index for entry in frame.waiting} == set(total) - seen


def test_convolutions_that_add_in_place_too():
    net, x = Net(), images()
    with minigrad.kernels("vectorized"):  # nothing to compile
        out = net(x).sum()
    stepped = graph.step(out, model=net, names={"images": x})
    again = graph.step(out, model=net, names={"images": x})
    out.backward()
    by_name = {entry.name: gradient for entry, gradient in stepped.gradients.items()}
    assert len(by_name) == len(list(net.parameters())) + 1
    for name, leaf in [*net.named_parameters(), ("images", x)]:
        np.testing.assert_array_equal(by_name[name], leaf.grad.data)
    for entry, gradient in again.gradients.items():
        np.testing.assert_array_equal(gradient, by_name[entry.name])


def test_rules_that_can_add_are_asked_to():
    x = minigrad.tensor([1.0], requires_grad=True)

    def rule(gradient, into=None):
        if into is None:
            return gradient * 1
        into += 10 * gradient  # wrong on purpose: it can be seen
        return into

    def odd():
        return minigrad.autograd.record("odd", x.data * 1, (x, minigrad.autograd.Adding(rule)))

    out = odd() + odd()
    (gradient,) = graph.step(out).gradients.values()
    out.backward()
    assert gradient.tolist() == x.grad.tolist() == [11.0]


def test_accumulating_does_what_backward_does():
    def grads(walk):
        x, y = leaves(1)
        for _ in range(2):
            walk(computed([(1, 0, 1), (2, 0, 0)], x, y))
        return x.grad.data, y.grad.data

    stepped = grads(lambda out: graph.step(out, accumulate=True))
    for mine, theirs in zip(stepped, grads(lambda out: out.backward()), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_earlier_gradient_is_told():
    x = minigrad.tensor(2.0, requires_grad=True)
    (x * x).backward()
    said = str(graph.step(x * x, names={"x": x}))
    assert "rests in x.grad: added to 4 of an earlier backward" in said
    assert x.grad.item() == 4


def test_the_graph_stays_as_it_was():
    x, y = leaves(0)
    out = computed([(1, 0, 1)], x, y)
    before = [(node, node.vjps) for node in minigrad.autograd.descendants_first(out.node)]
    held = x.node.tensor
    graph.step(out)
    assert [(node, node.vjps) for node, _ in before] == before
    assert x.node.tensor is held


def test_a_rule_that_fails_leaves_the_graph_as_it_was():
    x = minigrad.tensor([1.0], requires_grad=True)

    def broken(gradient):
        raise ArithmeticError("broken")

    out = minigrad.autograd.record("odd", x.data * 1, (x, broken))
    with pytest.raises(ArithmeticError):
        graph.step(out)
    assert out.node.vjps == (broken,)
    assert x.node.tensor() is x


def test_after_backward_there_is_nothing_to_step_through():
    x, y = leaves(0)
    out = computed([(1, 0, 1)], x, y)
    out.backward()
    with pytest.raises(RuntimeError, match="used by an earlier backward.*Call step before it"):
        graph.step(out)


def test_retained_graphs_can_be_stepped_through():
    x, y = leaves(0)
    out = computed([(1, 0, 1)], x, y)
    out.backward(retain_graph=True)
    found = {entry.node: gradient for entry, gradient in graph.step(out).gradients.items()}
    np.testing.assert_array_equal(found[x.node], x.grad.data)


def test_a_result_of_several_numbers_needs_a_gradient():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"step: a result of shape \(2,\) is not one number"):
        graph.step(x * 2)
    with pytest.raises(ValueError, match=r"must have the tensor's shape \(2,\), got \(3,\)"):
        graph.step(x * 2, gradient=np.ones(3))
    (gradient,) = graph.step(x * 2, gradient=minigrad.tensor([1.0, 10.0])).gradients.values()
    assert gradient.tolist() == [2.0, 20.0]


def test_nothing_recorded_is_said():
    with pytest.raises(ValueError, match="nothing was recorded behind this tensor"):
        graph.step(minigrad.tensor(1.0))
    with pytest.raises(TypeError, match="must be a Tensor, got float"):
        graph.step(1.0)


@pytest.mark.parametrize("asking", [graph.step, graph.paths])
def test_mistakes_are_told(asking):
    x = minigrad.tensor(1.0, requires_grad=True)
    with pytest.raises(TypeError, match=f"^{asking.__name__}: model must be a Module.* got int"):
        asking(x * 2, model=3)


def test_large_gradients_are_told_by_their_norm():
    x = minigrad.tensor(np.zeros((3, 4)), requires_grad=True)
    assert "3×4, norm 3.464" in str(graph.step(x.sum(), names={"x": x}))


def test_a_frame_can_be_drawn():
    x, y = leaves(0)
    stepped = graph.step(computed([(1, 0, 1)], x, y))
    drawn = stepped.draw(1).svg
    assert drawn.count(' hot"') == 1
    assert f"Step 2 of {len(stepped)}" in drawn
    assert "from its only use" in drawn
    assert ">a name<" in graph.step(x * 2, np.ones(3), names={"a name": x}).draw(0).svg


def test_a_notebook_shows_a_table():
    name = "<img src=x onerror=alert(1)>&amp;"
    x = minigrad.tensor(2.0, requires_grad=True)
    stepped = graph.step(x * x + x, names={name: x})
    elements, texts = read_html(stepped._repr_html_())
    assert {tag for tag, _ in elements} == {"table", "thead", "tbody", "tr", "th", "td", "br"}
    assert sum(tag == "tr" for tag, _ in elements) == 1 + len(stepped)
    assert texts[-4:] == [name, "5", "sum of 3", f"rests in {name}.grad: first arrival"]
    for frame in stepped:
        assert frame.entry.label in texts
        assert {str(handed) for handed in frame.handed} <= set(texts)


def walked(node):
    """Follow every path by itself: (visits, arrivals at leaves)."""
    visits, ends = 1, 0 if node.parents else 1
    for parent in node.parents:
        more = walked(parent)
        visits, ends = visits + more[0], ends + more[1]
    return visits, ends


@given(STEPS)
def test_paths_are_counted_right(steps):
    out = computed(steps[:5], *leaves(0))
    counted = graph.paths(out)
    assert (counted.visits, counted.total) == walked(out.node)
    assert counted.nodes == len(minigrad.autograd.descendants_first(out.node))


def test_paths_explode_where_nodes_do_not():
    x = minigrad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100):
        y = y + y
    counted = graph.paths(y, names={"x": x})
    assert counted.nodes == 101
    assert counted.leaves == {"x": 2**100}
