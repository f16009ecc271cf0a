"""What the engine asks of every operation, whatever it computes.

Each law runs f forward and backward, and compares outputs and gradients. f takes a Tensor for each
floating input; arrays of integers are handed over as they are. Before every run the default stream
of random numbers starts again, so that dropout draws the same mask each time.
"""
# ruff: noqa: D401
# (the first line of a law states it)

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Array, Node, Vjp, backward, descendants_first
from minigrad.cpu import get_num_threads, set_num_threads
from minigrad.tensor import Tensor
from minigrad.testing.laws.comparison import (
    Inputs,
    Operation,
    Run,
    as_list,
    call,
    compare,
    compare_runs,
    draw_cotangents,
    floating,
    gradients_of,
    leaves_of,
    pull_back,
    run,
)
from minigrad.testing.place import at, compared, fetch, put
from minigrad.testing.strategies import scrambled


def rungs_agree(
    f: Operation,
    inputs: Inputs,
    cotangent: Any = None,
    *,
    rungs: Sequence[str] | None = None,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """All rungs of the kernels give the same outputs and gradients as the first of `rungs`.

    Parameters
    ----------
    f : callable
        Returns a Tensor, or a tuple of them.
    inputs : array, or sequence of arrays
        With integers in them, sums do not depend on their order: no roundings are needed.
    cotangent : array, or tuple of one for each output, optional
        Left out, integers from −4 to 4 but 0, drawn with `seed`.
    rungs : sequence of str, optional
        Rungs of the CPU, or devices. Left out, all rungs; inside `on_device`, ``naive`` and that
        device. Constants that f uses must lie where its inputs lie.
    roundings : float
        How far rungs may differ, in eps of the largest number of each array. 0: not at all.

    Raises
    ------
    AssertionError
        Says which rung, in which output or gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.rungs_agree(F.relu, np.array([[-1.0, 2.0]]))
    """
    arrays, runs, rungs = as_list(inputs), {}, rungs or compared()
    for rung in rungs:
        with at(rung):
            runs[rung] = run(f, arrays, cotangent, seed)
    first, *others = rungs
    for rung in others:
        names = f"on rung {rung}", f"on {first}"
        compare_runs("rungs_agree", runs[rung], runs[first], *names, roundings)


def threads_agree(
    f: Operation,
    inputs: Inputs,
    cotangent: Any = None,
    *,
    threads: Sequence[int] = (1, 2, 3),
    seed: int = 0,
) -> None:
    """The numbers do not depend on how many threads there are: bit by bit, for any numbers.

    Small arrays are done by one thread in any case: give some that fill several tasks.

    Parameters
    ----------
    f, inputs, cotangent, seed
        As for `rungs_agree`.
    threads : sequence of int

    Raises
    ------
    AssertionError
        Says how many threads, in which output or gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.threads_agree(F.relu, np.array([[-1.0, 2.0]]))
    """
    arrays, before, runs = as_list(inputs), get_num_threads(), []
    try:
        for count in threads:
            set_num_threads(count)
            runs.append(run(f, arrays, cotangent, seed))
    finally:
        set_num_threads(before)
    for count, other in zip(threads[1:], runs[1:], strict=True):
        compare_runs("threads_agree", other, runs[0], f"on {count} threads", f"on {threads[0]}")


def deterministic(
    f: Operation, inputs: Inputs, cotangent: Any = None, *, times: int = 2, seed: int = 0
) -> None:
    """The same inputs and the same seed give the same bits again.

    Parameters
    ----------
    f, inputs, cotangent, seed
        As for `rungs_agree`.
    times : int
        How often f is run.

    Raises
    ------
    AssertionError
        Says in which output or gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.deterministic(F.dropout, np.ones(9))
    """
    arrays = as_list(inputs)
    first = run(f, arrays, cotangent, seed)
    for i in range(1, times):
        names = f"of run {i + 1}", "of run 1"
        compare_runs("deterministic", run(f, arrays, cotangent, seed), first, *names)


def inputs_unchanged(f: Operation, inputs: Inputs, cotangent: Any = None, *, seed: int = 0) -> None:
    """Neither forward nor backward writes into the inputs; backward not into the outputs either.

    Every rule of the way back is asked twice, by itself. It must leave the gradient it is given
    alone, and say the same both times.

    Parameters
    ----------
    f, inputs, cotangent, seed
        As for `rungs_agree`.

    Raises
    ------
    AssertionError
        Says which array was changed by what, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.inputs_unchanged(F.relu, np.array([[-1.0, 2.0]]))
    """
    law, arrays = "inputs_unchanged", as_list(inputs)
    leaves = leaves_of([a.copy() for a in arrays])
    held = [leaf.data if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    outs = call(f, leaves, seed)
    _untouched(law, "input {}", held, arrays, "forward")
    outputs = [out.data.copy() for out in outs]
    for node, parent, vjp in _rules(outs):
        what = f"the gradient that {node.name} sends to {parent.name}"
        drawn = np.random.default_rng(seed).integers(-4, 5, node.shape)
        given = put(np.array(drawn, node.dtype))
        kept = given.copy()
        once = fetch(vjp(given)).copy()
        compare(law, given, kept, f"the gradient of {node.name} after its rule", "before it")
        compare(law, vjp(given), once, f"{what}, asked again,", "the first time")
    pull_back(outs, draw_cotangents(outputs, cotangent, seed))
    _untouched(law, "input {}", held, arrays, "backward")
    _untouched(law, "output {}", [out.data for out in outs], outputs, "backward")


def _rules(outs: Sequence[Tensor]) -> Iterator[tuple[Node, Node, Vjp]]:
    """Give every rule of the graph behind `outs`, once: (node, parent, vjp)."""
    seen = set()
    for out in outs:
        for node in descendants_first(out.node) if out.node is not None else ():
            if node not in seen:
                seen.add(node)
                for parent, vjp in zip(node.parents, node.vjps or (), strict=True):
                    yield node, parent, vjp


def _untouched(law: str, name: str, now: Any, before: Any, what: str) -> None:
    for i, (array, old) in enumerate(zip(now, before, strict=True)):
        compare(law, array, old, f"{name.format(i)} after {what}", "before it")


def gradients_accumulate(
    f: Operation, inputs: Inputs, cotangent: Any = None, *, seed: int = 0
) -> None:
    """Backward twice through one graph gives every gradient twice: a rule may be asked again.

    Parameters
    ----------
    f, inputs, cotangent, seed
        As for `rungs_agree`.

    Raises
    ------
    AssertionError
        Says in which gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.gradients_accumulate(F.relu, np.array([[-1.0, 2.0]]))
    """
    leaves = leaves_of([a.copy() for a in as_list(inputs)])
    outs = call(f, leaves, seed)
    cotangents = draw_cotangents([out.data for out in outs], cotangent, seed)
    pull_back(outs, cotangents)
    once = {i: 2 * gradient for i, gradient in gradients_of(leaves).items()}
    pull_back(outs, cotangents)
    twice = Run([], gradients_of(leaves))
    names = "after two backwards", "after one, doubled,"
    compare_runs("gradients_accumulate", twice, Run([], once), *names)


def gradients_alone(f: Operation, inputs: Inputs, cotangent: Any = None, *, seed: int = 0) -> None:
    """The gradient of one input does not depend on whether others are wanted too.

    Parameters
    ----------
    f, inputs, cotangent, seed
        As for `rungs_agree`.

    Raises
    ------
    AssertionError
        Says in which gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.gradients_alone(F.linear, [np.ones((2, 3)), np.ones((4, 3))])
    """
    arrays = as_list(inputs)
    together = run(f, arrays, cotangent, seed)
    for i, gradient in together.gradients.items():
        alone = run(f, arrays, cotangent, seed, wanted=(i,))
        names = "alone", "with all others"
        compare_runs("gradients_alone", alone, Run(together.outputs, {i: gradient}), *names)


def keeps_dtype(
    f: Operation,
    inputs: Inputs,
    *,
    dtypes: Sequence[Any] = (np.float32, np.float64),
    seed: int = 0,
) -> None:
    """Inputs of one floating dtype give outputs and gradients of the same.

    Every rule on the way back is asked itself: the engine would cast what it gives.

    Parameters
    ----------
    f, inputs, seed
        As for `rungs_agree`.
    dtypes : sequence of dtypes
        What the floating inputs are cast to.

    Raises
    ------
    AssertionError
        Says which output or whose gradient has another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.keeps_dtype(F.relu, np.array([[-1.0, 2.0]]))
    """
    arrays = as_list(inputs)
    for dtype in map(np.dtype, dtypes):
        outs = call(f, leaves_of([a.astype(dtype) if floating(a) else a for a in arrays]), seed)
        for i, out in enumerate(outs):
            if out.dtype != dtype:
                raise AssertionError(
                    f"keeps_dtype: output {i} is {out.dtype} but the inputs are {dtype}"
                )
        for node, parent, vjp in _rules(outs):
            part = fetch(vjp(put(np.zeros(node.shape, node.dtype))))
            if part.dtype != parent.dtype:
                raise AssertionError(
                    f"keeps_dtype: the gradient that {node.name} sends to {parent.name} is "
                    f"{part.dtype} but the inputs are {dtype}"
                )


def same_for_any_memory_layout(
    f: Operation,
    inputs: Inputs,
    cotangent: Any = None,
    *,
    seed: int = 0,
    roundings: float = 0.0,
) -> None:
    """It does not matter how the numbers lie in memory, those of the inputs or of the cotangent.

    Row by row, column by column, with the channels last, backwards, with axes in any order and gaps
    between the numbers.

    Parameters
    ----------
    f, inputs, cotangent, seed, roundings
        As for `rungs_agree`.

    Raises
    ------
    AssertionError
        Says which layout, in which output or gradient, where, and what both numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import functional as F
    >>> from minigrad.testing import laws
    >>> laws.same_for_any_memory_layout(F.relu, np.array([[-1.0, 2.0]]))
    """
    arrays = as_list(inputs)
    wanted = run(f, [a.copy(order="C") for a in arrays], cotangent, seed)
    cotangents = draw_cotangents(wanted.outputs, cotangent, seed)
    for name, lay in _layouts(seed).items():
        leaves = leaves_of([lay(put(a) if floating(a) else a) for a in arrays])
        outs = call(f, leaves, seed)
        outputs = [fetch(out) for out in outs]
        for out, c in zip(outs, cotangents, strict=True):
            if out.node is not None:
                # `Tensor.backward` would make a copy.
                backward(out.node, lay(put(c)), retain_graph=True)
        got = Run(outputs, gradients_of(leaves))
        names = f"with memory {name}", "with memory row by row"
        compare_runs("same_for_any_memory_layout", got, wanted, *names, roundings)


def _layouts(seed: int) -> dict[str, Callable[[Array], Array]]:
    """Ways to lay equal numbers elsewhere in memory."""
    rng = np.random.default_rng(seed)
    return {
        "column by column": lambda a: a.copy(order="F"),
        "channels last": _channels_last,
        "backwards": lambda a: np.flip(np.flip(a).copy()),
        "with gaps": lambda a: scrambled(rng, a),
        "with other gaps": lambda a: scrambled(rng, a),
    }


def _channels_last(array: Array) -> Array:
    if array.ndim < 2:
        return array.copy()
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(order="C"), -1, 1)
