"""The engine itself: order, sums, memory, and what it says when it is used wrongly."""

import gc
import re
import sys
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import autograd
from minigrad.autograd import Adding, AnomalyError, Once, record


def spy(x, log, name="spy", factor=1.0):
    """Multiply by `factor`, and note in `log` each time that the vjp is called."""

    def vjp(gradient):
        log.append(name)
        return gradient * factor

    return record(name, x.data * factor, (x, vjp))


class Watched(tuple):
    """A tuple that notes each time that someone goes through it."""

    def __new__(cls, items, looks):
        made = super().__new__(cls, items)
        made.looks = looks
        return made

    def __iter__(self):
        self.looks.append(self)
        return super().__iter__()


# -- order ---------------------------------------------------------------------------------------


def test_nine_modules_of_four_branches_are_walked_by_node_not_by_path():
    calls = []
    x = h = minigrad.tensor(np.array([1.0, -2.0]), requires_grad=True)
    for _ in range(9):
        branches = [spy(h, calls, factor=factor) for factor in (0.1, 0.2, 0.3, 0.6)]
        h = branches[0] + branches[1] + branches[2] + branches[3]
    nodes = autograd.descendants_first(h.node)
    assert len(nodes) == 1 + 9 * (4 + 3)
    looks = []
    for node in nodes:
        node.parents = Watched(node.parents, looks)
    h.backward([1.0, 5.0])
    assert len(looks) <= 2 * len(nodes)  # once to find their order, once to go back
    assert len(calls) == 9 * 4  # of 4⁹ = 262,144 paths
    np.testing.assert_allclose(x.grad.data, np.array([1.0, 5.0]) * 1.2**9, rtol=1e-14)


def test_a_node_waits_for_all_of_its_gradient():
    """Paths of length 1, 2 and 7 from y, so neither depth-first nor breadth-first would do."""
    log = []
    x = minigrad.tensor(np.array([3.0]), requires_grad=True)
    y = spy(x, log, "y")
    short = y * 2
    long = y
    for _ in range(6):
        long = long * 3
    (spy(short, log, "short") * long + y).backward([1.0])
    assert log == ["short", "y"]
    assert x.grad.item() == 2 * 3**6 * 2 * 3 + 1


def test_descendants_first_lists_every_node_before_its_parents():
    x, y = (minigrad.tensor([2.0], requires_grad=True) for _ in range(2))
    out = ((x * y).exp() + x) * (y - x).sum()
    order = autograd.descendants_first(out.node)
    assert order[0] is out.node
    assert {x.node, y.node} <= set(order)
    assert len(set(order)) == len(order) == 8
    place = {node: i for i, node in enumerate(order)}
    assert all(place[node] < place[parent] for node in order for parent in node.parents)


def test_a_long_chain_needs_no_recursion():
    """Neither to go back through it, nor to be let go of, used or unused."""
    x = minigrad.tensor(np.array([1.0, 2.0]), requires_grad=True)
    for used in (True, False):
        out = x
        for _ in range(20_000):
            out = -out
        assert sys.getrecursionlimit() < 20_000
        if used:
            out.backward([3.0, 4.0])
            assert x.grad.tolist() == [3, 4]
        node = weakref.ref(out.node)
        del out
        assert node() is None  # by reference counting alone, there are no circles


# -- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
@pytest.mark.parametrize("uses", [1, 2, 3, 4])
def test_every_use_adds_its_gradient(shape, uses):
    x = minigrad.tensor(np.full(shape, 2.0), requires_grad=True)
    out = x
    for _ in range(uses - 1):
        out = out + x
    out.backward(np.full(shape, 5.0))
    np.testing.assert_array_equal(x.grad.data, np.full(shape, 5.0 * uses), strict=True)
    out = x * x
    for _ in range(uses - 1):
        out = out * x
    x.grad = None
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full(shape, (uses + 1) * 2.0**uses), strict=True)


def test_a_broadcast_gradient_may_be_added_to():
    """The mean's gradient is one number seen many times: it cannot be added to in place."""
    for dtype in (np.float32, np.float64):
        x = minigrad.tensor([1.0, 2.0, 6.0], dtype=dtype, requires_grad=True)
        squares = x * x
        (squares.sum() + x.mean() + x.sum() + x.max()).backward()
        expected = np.array([2, 4, 13], dtype) + dtype(1 / 3) + 1
        np.testing.assert_allclose(x.grad.data, expected, rtol=1e-6)
    x.grad = None
    x.mean().backward()
    x.grad.data[0] = 7.0  # and it is an array of its own
    np.testing.assert_allclose(x.grad.data, [7, 1 / 3, 1 / 3])


def test_backward_adds_to_what_is_there():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).backward([1.0, 10.0])
    first = x.grad
    (x * 3).backward([1.0, 10.0])
    assert x.grad.tolist() == [5, 50]
    assert first.tolist() == [2, 20]  # what was read before did not change
    x.backward([0.5, 0.5])
    assert x.grad.tolist() == [5.5, 50.5]


def test_what_is_added_later_does_not_reach_who_was_told_before():
    """Views of one gradient go to p and y; p gets more, which must not be added into the view."""
    x, y = (minigrad.tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    b = y * 1
    p = x.reshape(4) * 1
    c = p * 10
    (p.reshape(2, 2) + b + c.reshape(2, 2)).backward([[1.0, 2.0], [3.0, 4.0]])
    assert y.grad.tolist() == [[1, 2], [3, 4]]
    assert x.grad.tolist() == [[11, 22], [33, 44]]


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x,
        lambda x, y: x + y,
        lambda x, y: x + x,
        lambda x, y: x.reshape(4) + y.reshape(4),
        lambda x, y: x.T + y.T + x,
        lambda x, y: x.sum(0) + y.sum(0),
        lambda x, y: x.broadcast_to(3, 2, 2) + y,
    ],
)
@pytest.mark.parametrize("direct", [False, True])
def test_gradients_share_memory_with_nothing(f, direct):
    x, y = (minigrad.tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    out = f(x, y)
    cotangent = np.arange(1.0, 1 + out.size).reshape(out.shape)
    given = cotangent.copy()
    autograd.backward(out.node, cotangent) if direct else out.backward(cotangent)
    gradients = [t.grad.data for t in (x, y) if t.grad is not None]
    for i, gradient in enumerate(gradients):
        gradient[...] = 99  # an array to write to, of its own
        for other in (cotangent, out.data, x.data, y.data, *gradients[:i]):
            assert not np.shares_memory(gradient, other)
    np.testing.assert_array_equal(cotangent, given)


def test_a_new_gradient_is_kept_and_not_copied():
    made = np.full(3, 7.0)
    x = minigrad.tensor(np.ones(3), requires_grad=True)
    record("new", x.data, (x, lambda gradient: made)).backward(np.ones(3))
    assert x.grad.data is made


# -- memory and work -----------------------------------------------------------------------------


def test_gradients_that_nobody_needs_are_not_computed():
    def never(gradient):
        raise AssertionError("nobody asked")

    x, constant = minigrad.tensor([2.0], requires_grad=True), minigrad.tensor([3.0])
    behind = record("behind", constant.data, (constant, never))
    out = record("join", x.data, (x, lambda gradient: 4 * gradient), (behind, never))
    assert behind.node is None
    assert out.node.parents == (x.node,)
    out.backward([1.0])
    assert x.grad.tolist() == [4]
    assert constant.grad is behind.grad is out.grad is None


def keeper(x, alive, kept):
    """Keep an array for the vjp, which notes who of `kept` is alive by then."""
    array = np.ones(3)
    kept.append(weakref.ref(array))

    def vjp(gradient):
        alive.append([ref() is not None for ref in kept])
        return gradient * array

    return record("keeper", x.data * 1, (x, vjp))


@pytest.mark.parametrize("retain", [False, True])
def test_memory_is_freed_while_backward_walks(retain):
    alive, kept = [], []
    x = minigrad.tensor(np.ones(3), requires_grad=True)
    out = x
    for _ in range(4):
        out = keeper(out, alive, kept)
    gc.disable()  # reference counts must do
    try:
        out.backward(np.ones(3), retain_graph=retain)
        left = [ref() is not None for ref in kept]
    finally:
        gc.enable()
    if retain:
        assert alive == [[True] * 4] * 4
        assert left == [True] * 4
    else:  # the last is called first; what it kept is gone when the next is called
        assert alive == [[True] * n + [False] * (4 - n) for n in (4, 3, 2, 1)]
        assert left == [False] * 4


def test_an_unused_graph_dies_with_its_result():
    alive, kept = [], []
    x = minigrad.tensor(np.ones(3), requires_grad=True)
    out = keeper(x, alive, kept)
    gc.disable()
    try:
        assert kept[0]() is not None
        del out
        assert kept[0]() is None
    finally:
        gc.enable()


def test_the_graph_keeps_no_tensor():
    x = minigrad.tensor(np.ones(3), requires_grad=True)
    middle = x * 2
    out = middle + 1
    refs = [weakref.ref(x), weakref.ref(middle)]
    del x, middle
    assert all(ref() is None for ref in refs)
    out.backward(np.ones(3))  # the leaf is gone: nobody to tell, no harm


def test_a_second_backward_says_what_happened_and_what_to_do():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    shared = x.exp()
    out = (shared * 2).sum()
    out.backward()
    message = re.escape(
        "backward: the graph behind this 'sum' was already used by an earlier backward, which "
        "freed what it kept. Call backward(retain_graph=True) the first time if you need to go "
        "through it twice, or compute the result again."
    )
    before = x.grad.tolist()
    for again in (out, shared.sum()):
        with pytest.raises(RuntimeError, match=f"^{message}$"):
            again.backward()
    assert x.grad.tolist() == before


def test_retain_graph():
    x = minigrad.tensor(np.array([1.0, 2.0]), requires_grad=True)
    out = (x.exp() * x).sum()
    out.backward(retain_graph=True)
    once = x.grad.data.copy()
    out.backward(retain_graph=True)
    out.backward()
    np.testing.assert_allclose(x.grad.data, 3 * once, rtol=1e-15)
    with pytest.raises(RuntimeError, match="already used"):
        out.backward()


# -- the contract of record ----------------------------------------------------------------------


def test_a_vjp_of_the_wrong_shape_is_named():
    x = minigrad.tensor(np.ones((2, 3)), requires_grad=True).exp()
    out = record("twisted", x.data * 1, (x, lambda gradient: gradient.T))
    message = (
        "backward: the vjp of 'twisted' gave a gradient of shape (3, 2) for its parent 'exp', "
        "whose shape is (2, 3)"
    )
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        out.backward(np.ones((2, 3)))


def test_a_vjp_of_another_dtype_is_cast_to_the_parents():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    record("wide", x.data, (x, lambda gradient: gradient.astype(np.float64))).backward([1.0, 2.0])
    assert (x.grad.dtype, x.grad.tolist()) == (np.float32, [1, 2])


def test_a_variable_without_a_face_makes_no_tensors():
    with pytest.raises(NotImplementedError):
        autograd.Variable(np.ones(2)).new(np.ones(2))


def test_nodes_say_what_they_are():
    x = minigrad.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    assert repr(x.exp().node) == "<exp (2, 3) float32>"
    assert repr(x.node) == "<leaf (2, 3) float32>"


# -- detect_anomaly ------------------------------------------------------------------------------


def quiet():
    return np.errstate(all="ignore")


def test_an_output_that_is_not_finite_is_named():
    x = minigrad.tensor([[1.0, 2.0], [0.0, -1.0]], requires_grad=True)
    message = "log: its output has 2 of 4 numbers that are not finite, the first at (1, 0): -inf"
    with minigrad.detect_anomaly(), pytest.raises(AnomalyError, match=f"^{re.escape(message)}$"):
        (x * 2).log().exp()  # exp would make 0 of it again
    with minigrad.detect_anomaly(), pytest.raises(AnomalyError, match=r"at \(\): inf$"), quiet():
        minigrad.tensor(1e30) * 1e30
    assert issubclass(AnomalyError, FloatingPointError)
    assert minigrad.AnomalyError is AnomalyError


def test_a_gradient_that_is_not_finite_is_named():
    x = minigrad.tensor([4.0, 0.0], requires_grad=True)
    message = (
        "sqrt: the gradient it sends to 'multiply' has 1 of 2 numbers that are not finite, "
        "the first at (1,): inf"
    )
    with minigrad.detect_anomaly(), quiet():
        out = ((x * 4).sqrt() * 2).sum()
        with pytest.raises(AnomalyError, match=f"^{re.escape(message)}$"):
            out.backward()
    assert x.grad is None
    out = (x * 4).sqrt().sum()
    with quiet():
        out.backward()  # outside it is nobody's business
    assert x.grad.tolist() == [0.5, np.inf]


HUGE = np.float32(2e38)  # finite, and so is its negative, but not twice of it


@pytest.mark.parametrize("uses", [2, 3])  # the third is added in place
def test_a_sum_of_gradients_that_is_not_finite_is_named(uses):
    x = minigrad.tensor([1.0, 1.0], requires_grad=True)
    message = (
        "{}: the sum of the gradients sent to it has 1 of 2 numbers that are not finite, "
        "the first at (1,): inf"
    )
    shares = [1.0, *[1.0 / (uses - 1)] * (uses - 1)]
    for start, name in ((x, "leaf"), (x.tanh(), "tanh")):
        parts = [start * share for share in shares]
        out = parts[0]
        for part in parts[1:]:
            out = out + part
        with minigrad.detect_anomaly(), quiet():
            with pytest.raises(AnomalyError, match=f"^{re.escape(message.format(name))}$"):
                out.backward([1.0, HUGE], retain_graph=True)
            assert x.grad is None
            out.backward([1.0, HUGE / 2])  # and no harm where it is finite
        x.grad = None


def test_a_sum_over_two_backwards_that_is_not_finite_is_named():
    x = minigrad.tensor([1.0, 1.0], requires_grad=True)
    message = (
        "leaf: the sum with the gradient of an earlier backward has 1 of 2 numbers that are not "
        "finite, the first at (0,): -inf"
    )
    with minigrad.detect_anomaly(), quiet():
        (x * 1).backward([-HUGE, 1.0])
        with pytest.raises(AnomalyError, match=f"^{re.escape(message)}$"):
            (x * 1).backward([-HUGE, 1.0])
    assert x.grad.tolist() == [-HUGE, 1]


def test_a_gradient_that_is_not_finite_from_the_start_is_named():
    x = minigrad.tensor([1.0, 1.0], requires_grad=True)
    message = "backward: the gradient it starts from has 1 of 2 numbers that are not finite"
    with minigrad.detect_anomaly(), pytest.raises(AnomalyError, match=f"^{message}"):
        (x * 1).backward([np.nan, 1.0])


def test_a_gradient_that_overflows_in_its_parents_dtype_is_named():
    x = minigrad.tensor([1.0], requires_grad=True)
    out = record("wide", x.data, (x, lambda gradient: gradient * np.float64(1e300)))
    message = "wide: the gradient it sends to 'leaf' has 1 of 1 numbers that are not finite"
    with minigrad.detect_anomaly(), quiet(), pytest.raises(AnomalyError, match=f"^{message}"):
        out.backward([1.0])


def test_detect_anomaly_ends_and_nests():
    zero = minigrad.tensor([0.0])
    with minigrad.detect_anomaly():
        with minigrad.detect_anomaly():
            pass
        with pytest.raises(AnomalyError):
            zero.log()
        assert (minigrad.tensor([1, 2]) + 1).tolist() == [2, 3]  # integers are always finite
    assert zero.log().item() == -np.inf


# -- what saves a pass -----------------------------------------------------------------------------


def times(x, factor, calls):
    """x · factor, whose vjp can add to what is there."""

    def to_x(gradient, into=None):
        calls.append(into is not None)
        if into is None:
            return gradient * factor
        into += gradient * factor
        return into

    return record("times", x.data * factor, (x, Adding(to_x)))


def test_gradients_are_added_in_place_where_they_can_be():
    x, calls = minigrad.tensor([1.0, 2.0], requires_grad=True), []
    doubled = times(x, 1, [])  # not a leaf, where gradients meet as well
    sum(
        (times(doubled, factor, calls) for factor in (3, 4, 5)), start=minigrad.tensor(0.0)
    ).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [12, 12])
    assert calls == [False, True, True]


def test_a_gradient_that_someone_else_holds_is_not_added_to():
    x, calls = minigrad.tensor([1.0, 2.0], requires_grad=True), []
    inner = times(x, 1, [])
    cotangent = np.array([1.0, 1.0], np.float32)
    (times(inner, 3, calls) + inner).backward(cotangent)
    np.testing.assert_array_equal(cotangent, [1, 1])
    np.testing.assert_array_equal(x.grad.data, [4, 4])


def test_anomalies_are_looked_for_before_gradients_are_added():
    x, calls = minigrad.tensor([1.0], requires_grad=True), []
    inner = times(x, 1, [])
    out = times(inner, 2, calls) + times(inner, np.inf, calls)
    with minigrad.detect_anomaly(), pytest.raises(minigrad.AnomalyError, match="times"):
        out.backward()
    assert calls[0] is False


def test_once_is_computed_for_the_first_and_again_for_another_gradient():
    calls = []
    shared = Once(lambda gradient: calls.append(1) or gradient * 2)
    first, second = np.ones(2), np.ones(2)
    assert shared(first) is shared(first)
    shared(second)
    assert len(calls) == 2
