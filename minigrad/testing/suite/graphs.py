"""The engine itself: what must hold of the walk back, of recording and of memory."""
# ruff: noqa: D401
# (the docstring of a property states it)

import numpy as np
from hypothesis import strategies as st

import minigrad
from minigrad.autograd import Array, record
from minigrad.tensor import Tensor
from minigrad.testing import strategies as our
from minigrad.testing.gradients import gradcheck
from minigrad.testing.place import put, tensor
from minigrad.testing.suite.comparing import same
from minigrad.testing.suite.property import holds


def _leaf(*numbers: float) -> Tensor:
    return tensor(list(numbers), requires_grad=True)


def _grad(leaf: Tensor) -> Array:
    assert leaf.grad is not None, "no gradient came"
    return leaf.grad.data


@holds("autograd")
def uses_add_up() -> None:
    """A tensor that is used twice gets both gradients."""
    x = _leaf(3.0)
    y = x * 2
    (y * y + y).backward()
    same(_grad(x), [2 * 2 * 6 + 2], "the gradient")


@holds("autograd", steps=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=8),
       seed=our.seeds())  # fmt: skip
def any_graph(steps: list[tuple[int, int, int]], seed: int) -> None:
    """However results are used again, gradients are what differences say."""

    def f(a: Tensor, b: Tensor) -> Tensor:
        made = [a, b]
        for kind, i, j in steps:
            x, y = made[-1 - i % len(made)], made[-1 - j % len(made)]
            made.append([x + y, x * y, x.tanh(), x - y * 0.5][kind])
        return made[-1] + a * 0.5 + made[len(made) // 2]

    rng = np.random.default_rng(seed)
    gradcheck(f, [0.5 * rng.standard_normal(3), 0.5 * rng.standard_normal(3)], seed=seed)


@holds("autograd")
def nodes_not_paths() -> None:
    """Every rule is asked once, however many paths lead to it."""
    asked = []

    def rule(gradient: Array) -> Array:
        asked.append(1)
        return gradient

    def counted(x: Tensor) -> Tensor:
        return record("counted", x.data * 1, (x, rule))

    x = _leaf(1.0)
    y = x
    for _ in range(4):
        y = counted(y)
        y = y + y
    y.backward()
    same(_grad(x), [16], "the gradient")
    assert len(asked) == 4, f"4 rules were asked {len(asked)} times"


@holds("autograd")
def a_chain_of_ten_thousand() -> None:
    """A graph may be deeper than Python's stack."""
    x = _leaf(1.0)
    y = x
    for _ in range(10_000):
        y = -y
    y.backward()
    same(_grad(x), [1], "the gradient")


@holds("autograd")
def gradients_are_their_own() -> None:
    """What is done to one gradient does not happen to another, nor to what backward was given."""
    a, b, given = _leaf(1.0, 2.0), _leaf(3.0, 4.0), put(np.array([5.0, 6.0], np.float32))
    (a + b).backward(given)
    assert not np.shares_memory(_grad(a), _grad(b)), "two leaves share their gradient"
    assert not np.shares_memory(_grad(a), given), "a leaf keeps what backward was given"


@holds("autograd")
def nothing_is_added_to_borrowed_arrays() -> None:
    """One array goes to two nodes; what is added for the one does not reach the other."""
    a, b = _leaf(1.0, 2.0), _leaf(3.0, 4.0)
    scaled = a * 3
    ((a + b) + scaled).backward(np.ones(2))
    same(_grad(a), [4, 4], "the gradient of a")
    same(_grad(b), [1, 1], "the gradient of b")


@holds("autograd")
def backwards_add_up() -> None:
    """A second backward adds to .grad, in the leaf's dtype."""
    x = _leaf(1.0, 2.0)
    for factor in (2.0, 3.0):
        (x * factor).backward(np.array([1.0, 10.0]))
    same(_grad(x), [5, 50], "the gradient")
    assert _grad(x).dtype == np.float32, f"the gradient of float32 is {_grad(x).dtype}"


@holds("autograd")
def graphs_are_freed() -> None:
    """A second backward through one graph is refused, unless the first was told to keep it."""
    x = _leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    same(_grad(x), [8], "the gradient")
    try:
        y.backward()
    except RuntimeError:
        return
    raise AssertionError("a graph was used again after it should have been freed")


@holds("autograd")
def recording_can_be_switched_off() -> None:
    """Inside no_grad, and behind detach, nothing is recorded; outside it is again."""
    x = _leaf(2.0)
    with minigrad.no_grad():
        assert not (x * 2).requires_grad, "an operation inside no_grad was recorded"
    assert (x * 2).requires_grad, "an operation after no_grad was not recorded"
    (x.detach() * x).backward()
    same(_grad(x), [2], "the gradient behind detach")
