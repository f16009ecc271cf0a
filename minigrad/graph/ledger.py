"""`ledger`: what every operation of a model costs, forward and backward, in work, memory and time.

Work and memory are counted, see `minigrad.graph.counting`. Time is measured in the model's own run:

* forward, the time of an operation is from when the node before it was made to when its own was:
  what Python does in between is in it;
* backward, it is the time in its rules. What the walk itself takes, and the adding up where
  gradients meet, is in no rule; it is told apart as "between operations".

Asking the clock takes time too. So every other round runs without any clock inside, and the ledger
says how much longer the watched rounds took.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from minigrad import autograd, cuda, device
from minigrad.autograd import Leaf, Node, Vjp
from minigrad.graph.accounts import Account, Ledger, Row
from minigrad.graph.branching import branches
from minigrad.graph.counting import kept_arrays, multiply_adds, owner
from minigrad.graph.modules import Calls, Path, calls
from minigrad.graph.recorded import Recorded, read
from minigrad.graph.watching import rules_wrapped, seed, stand_ins
from minigrad.nn import Module
from minigrad.tensor import Tensor, tensor

LOSS = "loss"


class Round(NamedTuple):
    """One run forward and backward, in seconds; the times of operations if it was watched."""

    forward: float
    backward: float
    forward_of: dict[int, float]
    backward_of: dict[int, float]


def ledger(
    model: Module,
    batch: Any,
    loss: Callable[[Any], Tensor] | None = None,
    rounds: int = 3,
) -> Ledger:
    """Run a model forward and backward, and account for every operation.

    Parameters
    ----------
    model : Module
        Runs in the mode it is in. Its gradients and running statistics are afterwards what they
        were; the default stream of random numbers moves on, as dropout draws from it.
    batch : Tensor or array
        What the model is given. If it requires_grad, the gradient of the batch is accounted for
        too; in training it is not needed, and the first layer's backward costs less.
    loss : callable, optional
        Makes one number of what the model returns. The sum of all of it, if not given.
    rounds : int
        Times are medians of as many; one more goes before, for what happens only once.

    Returns
    -------
    Ledger
        Print it for a table by stage; ``.table("operation")`` and ``.table("branch")`` for others.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import graph, nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> costs = graph.ledger(net, np.ones((5, 4), np.float32), rounds=1)
    >>> [(row.operation, row.forward_adds, row.backward_adds) for row in costs.rows[:3]]
    [('linear', 60, 60), ('relu', 0, 0), ('linear', 30, 60)]
    """
    if not isinstance(model, Module):
        raise TypeError(f"ledger: model must be a Module, got {type(model).__name__}")
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 1:
        raise ValueError(f"ledger: rounds must be an integer of at least 1, got {rounds!r}")
    x = batch if isinstance(batch, Tensor) else tensor(batch)
    made = loss or _sum
    with _buffers_kept(model):
        with calls(model) as seen:
            out = model(x)
            border = next(autograd._numbers)
            total = made(out)
        if not isinstance(total, Tensor) or total.size != 1:
            what = f"shape {total.shape}" if isinstance(total, Tensor) else type(total).__name__
            raise ValueError(f"ledger: loss must return a Tensor of one number, got {what}")
        graph = read(total, model=model)
        rows = list(_counted(graph, seen, border, model))
        plain, watched = [], []
        _walk(total)  # for what happens only once
        del out, total
        for _ in range(rounds):
            plain.append(_plain(model, x, made))
            watched.append(_watched(model, x, made, graph))
    forward = _medians(round.forward_of for round in watched)
    backward = _medians(round.backward_of for round in watched)
    timed = [
        row._replace(
            account=row.account._replace(
                forward_s=forward[row.number], backward_s=backward[row.number]
            )
        )
        for row in rows
    ]
    return Ledger(
        type(model).__name__, x.shape, timed, rounds,
        plain_s=(_middle(r.forward for r in plain), _middle(r.backward for r in plain)),
        watched_s=(_middle(r.forward for r in watched), _middle(r.backward for r in watched)),
        between_s=_middle(r.backward - sum(r.backward_of.values()) for r in watched),
    )  # fmt: skip


def _counted(graph: Recorded, seen: Calls, border: int, model: Module) -> Iterator[Row]:
    """Count work and memory of every operation, before backward frees what is kept."""
    paths: Sequence[Path] = seen.paths(graph)
    names = branches(graph, paths)
    known = {
        id(owner(t.data)) for t in [*model.parameters(), *(b for _, b in model.named_buffers())]
    }
    known |= {
        id(owner(leaf.data))
        for entry in graph.entries
        if isinstance(entry.node, Leaf) and (leaf := entry.node.tensor()) is not None
    }
    alive: list[Any] = []  # so that no address is used again while addresses are compared
    for entry in graph.entries:
        if isinstance(entry.node, Leaf):
            continue
        kept = 0
        for array in kept_arrays(entry.node):
            if id(array) not in known:
                known.add(id(array))
                alive.append(array)
                kept += array.nbytes
        path = paths[entry.index]
        outside = LOSS if entry.node.number > border else type(model).__name__
        adds = multiply_adds(entry.node)
        yield Row(
            entry.index, entry.name, path[-1].name if path else "",
            path[0].name if path else outside, names.get(entry.index, ""),
            entry.shape, Account(1, *adds, entry.nbytes, kept, 0.0, 0.0),
        )  # fmt: skip


def _plain(model: Module, x: Tensor, made: Callable[[Any], Tensor]) -> Round:
    """Run without a clock inside."""
    wait = _waiting(x)
    start = _now(wait)
    total = made(model(x))
    middle = _now(wait)
    _walk(total)
    return Round(middle - start, _now(wait) - middle, {}, {})


def _watched(model: Module, x: Tensor, made: Callable[[Any], Tensor], graph: Recorded) -> Round:
    """Run with a clock at every node and every rule."""
    wait = _waiting(x)
    with _stamped(wait) as stamps:
        begin = _now(wait)
        total = made(model(x))
        middle = _now(wait)
    again = read(total, model=model)
    if [e.name for e in again.entries] != [e.name for e in graph.entries]:
        raise ValueError(
            "ledger: the model recorded other operations than the run before; its medians would "
            "be of different things"
        )
    forward_of, before = {}, begin
    place = {entry.node.number: entry.index for entry in again.entries}
    for number, moment in stamps:
        if number in place:
            forward_of[place[number]] = moment - before
        before = moment
    backward_of = dict.fromkeys(place.values(), 0.0)

    def around(node: Node, i: int, vjp: Vjp) -> Vjp:
        index = place[node.number]

        def timed(gradient: Any, **into: Any) -> Any:
            start = _now(wait)
            part = vjp(gradient, **into)
            backward_of[index] += _now(wait) - start
            return part

        return timed

    nodes = [entry.node for entry in again.entries]
    with stand_ins(nodes), rules_wrapped(nodes, around, restore=False):
        start = _now(wait)
        autograd.backward(nodes[-1], seed("ledger", total, None))
        end = _now(wait)
    return Round(middle - begin, end - start, forward_of, backward_of)


def _walk(total: Tensor) -> None:
    """Go backward, into gradients that nobody keeps."""
    assert total.node is not None
    nodes = autograd.descendants_first(total.node)
    with stand_ins(nodes):
        autograd.backward(total.node, seed("ledger", total, None))


def _sum(outputs: Any) -> Tensor:
    """Add up all that a model returns."""
    sums = [found.sum() for found in _tensors(outputs)]
    if not sums:
        raise ValueError(
            f"ledger: the model returned {type(outputs).__name__} with no tensor to add up: give a "
            "loss that makes one number of it"
        )
    return reduce(add, sums)


def _tensors(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, Iterable) and not isinstance(outputs, str):
        for value in outputs.values() if isinstance(outputs, dict) else outputs:
            yield from _tensors(value)


@contextmanager
def _stamped(wait: Callable[[], None]) -> Iterator[list[tuple[int, float]]]:
    """Note when each node was made: whoever numbers nodes looks at the clock."""
    numbers = autograd._numbers
    stamps: list[tuple[int, float]] = []

    def stamped() -> Iterator[int]:
        while True:
            number = next(numbers)
            stamps.append((number, _now(wait)))
            yield number

    autograd._numbers = stamped()  # type: ignore[assignment]
    try:
        yield stamps
    finally:
        autograd._numbers = numbers


@contextmanager
def _buffers_kept(model: Module) -> Iterator[None]:
    """Leave running statistics as they are, whatever layers do to them meanwhile."""
    before = [(buffer, buffer.data.copy()) for _, buffer in model.named_buffers()]
    try:
        yield
    finally:
        for buffer, data in before:
            buffer.data[...] = data


def _waiting(x: Tensor) -> Callable[[], None]:
    """Return what makes a device finish: a GPU computes while Python goes on."""
    return (lambda: None) if device.of(x.data) == "cpu" else cuda.synchronize


def _now(wait: Callable[[], None]) -> float:
    wait()
    return time.perf_counter()


def _medians(rounds: Iterable[dict[int, float]]) -> dict[int, float]:
    several = list(rounds)
    return {key: _middle(one[key] for one in several) for key in several[0]}


def _middle(values: Iterable[float]) -> float:
    return float(np.median(list(values)))
