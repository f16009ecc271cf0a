"""The properties of lesson 02: an order of nodes, what to do in it, and paths counted.

The graphs are small ones that hypothesis draws, and one of 40 times ``y ← y + y``, which nobody
gets through by following its paths.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases

__all__ = ["Node", "count_paths", "gradients", "order"]


class Node:
    """An operation or a leaf, of numbers.

    Attributes
    ----------
    name : str
    parents : tuple of Node
        What it was made from; empty for a leaf.
    slopes : tuple of float
        How fast it moves with each of its parents.
    """

    left = 0  # looks at parents, of all nodes, before patience ends

    def __init__(self, name: str, *made_from: tuple["Node", float]) -> None:
        self.name = name
        self._parents = tuple(parent for parent, _ in made_from)
        self.slopes = tuple(slope for _, slope in made_from)

    @property
    def parents(self) -> tuple["Node", ...]:
        """What it was made from. Whoever looks too often is stopped."""
        Node.left -= 1
        assert Node.left > 0, (
            "for a graph of 41 nodes, 40 times y ← y + y, your code was stopped: it has looked at "
            "nodes thousands of times and would go on for 2⁴⁰ paths. Remember the nodes you have "
            "been to."
        )
        return self._parents

    def __repr__(self) -> str:
        return self.name


@st.composite
def graphs(draw: Any) -> list[Node]:
    """Draw up to six nodes, the last made from all that matter."""
    nodes = [Node("x")]
    for name in "abcde"[: draw(st.integers(1, 5))]:
        made_from = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=2))
        slopes = [draw(st.integers(2, 4)) for _ in made_from]
        nodes.append(Node(name, *zip(made_from, slopes, strict=True)))
    return newest_first(nodes[-1], nodes)


def newest_first(root: Node, made: list[Node]) -> list[Node]:
    """List what root was made from in the right order, given all nodes as they were made."""
    wanted = {root}
    order = []
    for node in reversed(made):
        if node in wanted:
            order.append(node)
            wanted.update(node._parents)
    return order


def ladder() -> list[Node]:
    """Make 40 times ``y ← y + y``: 41 nodes, a million million paths."""
    nodes = [Node("x")]
    for k in range(40):
        nodes.append(Node(f"y{k + 1}", (nodes[-1], 1), (nodes[-1], 1)))
    return nodes[::-1]


def told(nodes: list[Node], slopes: bool = False) -> str:
    """Write a graph down: ``a = f(x), b = f(a, a)``."""
    made = []
    for node in reversed(nodes):
        if not node._parents:
            continue
        parts = zip(node._parents, node.slopes, strict=True)
        if slopes:
            made.append(f"{node} = {' + '.join(f'{slope}·{parent}' for parent, slope in parts)}")
        else:
            made.append(f"{node} = f({', '.join(parent.name for parent, _ in parts)})")
    return ", ".join(made) or "x alone"


def listed(nodes: Any) -> str:
    """Write the names of nodes in a row."""
    return ", ".join(map(str, nodes))


def order(answer: Callable) -> None:
    """Each node once, and before all it was made from."""

    def check(case: str, nodes: list[Node]) -> None:
        Node.left = 20_000
        came = list(ask(answer, case, nodes[0]))
        yours = f"{case} yours is {listed(came)}:" if len(came) < 12 else f"{case}"
        for node in nodes:
            n = came.count(node)
            assert n < 2, (
                f"{yours} {node} has {n} turns. One is enough: remember whom you have seen"
            )
            assert n, f"{yours} {node} is missing"
        assert len(came) == len(nodes), f"{yours} there are strangers among them"
        place = {node: k for k, node in enumerate(came)}
        for node in nodes:
            for parent in node._parents:
                if place[parent] < place[node]:
                    around = all(place[p] < place[n] for n in nodes for p in n._parents)
                    raise AssertionError(f"{yours} " + (
                        "that is the order of making; backward goes the other way round"
                        if around else
                        f"{parent} has its turn before {node}, which was made from it, so what "
                        f"{node} hands to {parent} comes too late"
                    ))  # fmt: skip

    @cases(count=60, nodes=graphs())
    def holds(nodes: list[Node]) -> None:
        check(f"for {told(nodes)},", nodes)

    holds()
    check("for 40 times y ← y + y,", ladder())


def summed(nodes: list[Node], through: Callable[[float, float], float], add: bool = True) -> dict:
    """Hand on, node by node, what `through` makes of a gradient and a slope."""
    total: dict[Node, float] = dict.fromkeys(nodes, 0.0)
    total[nodes[0]] = 1.0
    for node in nodes:
        for parent, slope in zip(node._parents, node.slopes, strict=True):
            part = through(total[node], slope)
            total[parent] = total[parent] + part if add else part
    return total


def gradients(answer: Callable) -> None:
    """Hold a dict of gradients against sums, over all uses, of gradient times slope."""

    @cases(count=60, nodes=graphs())
    def holds(nodes: list[Node]) -> None:
        Node.left = 20_000
        case = f"for {told(nodes, slopes=True)},"
        came = ask(answer, case, list(nodes))
        needed = summed(nodes, lambda g, slope: g * slope)
        mistakes = [
            (summed(nodes, lambda g, slope: g * slope, add=False),
             "Only the last arrival is left: add to what is there, do not put it in its place."),
            (summed(nodes, lambda g, slope: g),
             "The slopes are missing: what is handed on is the node's gradient times its slope."),
            (summed(nodes, lambda g, slope: slope),
             "Only one slope is in it: hand on the slope times the node's own gradient."),
        ]  # fmt: skip
        for node in nodes:
            assert node in came, f"{case} {node} has no gradient in your dict"
            agree(case, f"the gradient of {nodes[0]} by {node}", came[node], needed[node],
                  [(wrong[node], said) for wrong, said in mistakes])  # fmt: skip

    holds()


def count_paths(answer: Callable) -> None:
    """As many paths lead to a node as lead to all its uses together."""

    def check(case: str, nodes: list[Node]) -> None:
        Node.left = 20_000
        came = ask(answer, case, nodes[0])
        ways = summed(nodes, lambda n, slope: n)
        leaves = [node for node in nodes if not node._parents]
        assert isinstance(came, dict), f"{case} a dict is asked for, yours is {came!r:.60}"
        more = [node for node in came if node not in leaves]
        assert not more, f"{case} {listed(more)} is no leaf: it has parents"
        for leaf in leaves:
            assert leaf in came, f"{case} your dict lacks {leaf}"
            uses = sum(node._parents.count(leaf) for node in nodes)
            agree(case, f"the number of paths to {leaf}", came[leaf], ways[leaf], [
                (uses, "Those are its uses: but as many paths lead to it as to all its users."),
                (1, "A node that was seen before still has more paths through it."),
            ])  # fmt: skip

    @cases(count=60, nodes=graphs())
    def holds(nodes: list[Node]) -> None:
        check(f"for {told(nodes)},", nodes)

    holds()
    check("for 40 times y ← y + y,", ladder())
