"""Lesson 02's exercises: right answers pass, wrong ones are told what is wrong."""

from collections import deque

import pytest

from examples.exercises import e02
from tests.examples.exercises.lesson_code import begins_unsolved, says

LESSON = "02_graph_and_order"


@pytest.mark.parametrize("name", ["order", "gradients", "count_paths"])
def test_the_lesson_begins_unsolved(name):
    begins_unsolved(getattr(e02, name), LESSON, name)


def parents_first(root):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    return order


def right_order(root):
    return parents_first(root)[::-1]


def nearest_first(root):
    order, queue = [root], deque([root])
    while queue:
        for parent in queue.popleft().parents:
            if parent not in order:
                order.append(parent)
                queue.append(parent)
    return order


def as_found(root):
    seen = []

    def visit(node):
        if node not in seen:
            seen.append(node)
            for parent in node.parents:
                visit(parent)

    visit(root)
    return seen


def every_path(root):
    return [root, *(node for parent in root.parents for node in every_path(parent))]


def longest_paths(root):
    """Right where it ends: the last place of each node on any path, found by walking them all."""
    walked = depths(root, 0)
    return sorted(walked, key=walked.get)


def depths(node, depth):
    deepest = {node: depth}
    for parent in node.parents:
        for n, d in depths(parent, depth + 1).items():
            deepest[n] = max(d, deepest.get(n, 0))
    return deepest


def test_an_order():
    e02.order(right_order)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (nearest_first, "which was made from it, so what"),
        (as_found, "comes too late"),
        (parents_first, "backward goes the other way round"),
        (every_path, "has 2 turns"),
        (longest_paths, "would go on for 2⁴⁰ paths"),
        (lambda root: [root], "is missing"),
    ],
)
def test_wrong_orders(answer, words):
    says(e02.order, answer, words)


def test_nearest_first_fails_on_three_nodes():
    says(e02.order, nearest_first, "for a = f(x), b = f(x, a), yours is b, x, a:")


def handing_on(part, add=True):
    def gradients(order):
        total = dict.fromkeys(order, 0)
        total[order[0]] = 1
        for node in order:
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                came = part(total[node], slope)
                total[parent] = total[parent] + came if add else came
        return total

    return gradients


def uses_once(order):
    total = dict.fromkeys(order, 0)
    total[order[0]] = 1
    for node in order:
        for parent, slope in dict(zip(node.parents, node.slopes, strict=True)).items():
            total[parent] += total[node] * slope
    return total


def test_gradients():
    e02.gradients(handing_on(lambda gradient, slope: gradient * slope))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (handing_on(lambda g, slope: g * slope, add=False), "Only the last arrival is left"),
        (handing_on(lambda g, slope: g), "The slopes are missing"),
        (handing_on(lambda g, slope: slope), "times the node's own gradient"),
        (uses_once, "a = 2·x + 2·x"),
        (lambda order: {}, "has no gradient in your dict"),
    ],
)
def test_wrong_gradients(answer, words):
    says(e02.gradients, answer, words)


def paths_in_order(root):
    ways = dict.fromkeys(right_order(root), 0)
    ways[root] = 1
    for node in ways:
        for parent in node.parents:
            ways[parent] += ways[node]
    return {node: n for node, n in ways.items() if not node.parents}


def paths_walked(root):
    if not root.parents:
        return {root: 1}
    total = {}
    for parent in root.parents:
        for leaf, n in paths_walked(parent).items():
            total[leaf] = total.get(leaf, 0) + n
    return total


def users(root):
    order = right_order(root)
    return {
        leaf: sum(node.parents.count(leaf) for node in order) for leaf in order if not leaf.parents
    }


def test_paths():
    e02.count_paths(paths_in_order)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (paths_walked, "would go on for 2⁴⁰ paths"),
        (users, "Those are its uses"),
        (lambda root: {n: 1 for n in right_order(root) if not n.parents}, "seen before still has"),
        (lambda root: dict.fromkeys(right_order(root), 1), "is no leaf"),
    ],
)
def test_wrong_paths(answer, words):
    says(e02.count_paths, answer, words)
