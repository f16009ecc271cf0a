"""What is asked of every layer, apart from its gradients: one function for each property.

It gets a `Layer` and an `Example`, and returns if the property holds there, with a remark if there
is one to make. Else it raises `BrokenError`; `NotApplicableError` where the property says nothing
about this layer. What the layer itself raises counts as broken too.
"""

import linecache
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import checkpoint
from minigrad.autograd import Array, Leaf, as_array, descendants_first, no_grad
from minigrad.cpu import get_num_threads, set_num_threads
from minigrad.device import RUNGS
from minigrad.nn import Module, Parameter
from minigrad.tensor import Tensor
from minigrad.testing.laws.comparison import same_random_numbers
from minigrad.testing.layers.layer import (
    ROUNDINGS,
    BrokenError,
    Example,
    Layer,
    NotApplicableError,
    leaves_of,
    move,
    output_name,
    pull_back,
    same,
    same_runs,
    seeded,
)
from minigrad.testing.place import at, put
from minigrad.testing.strategies import scrambled


def runs(layer: Layer, example: Example) -> None:
    """Nothing is raised."""
    for _ in layer.modes():
        layer.run(example)


# -- whose arrays they are -----------------------------------------------------------------------


def inputs_unchanged(layer: Layer, example: Example) -> None:
    """Compare the inputs, bit by bit, with what they were; so the gradients handed to rules."""
    for _ in layer.modes():
        leaves = leaves_of(example.cast(layer.dtype))
        arrays = [leaf.data if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        outs = _unchanged(layer, layer.fresh(), example, leaves, layer.names(len(leaves)), arrays)
        for out in outs:
            _gradients_unchanged(out, example.seed)


def _gradients_unchanged(out: Tensor, seed: int) -> None:
    """Ask every rule by itself. An array it writes into may be another branch's as well."""
    rng = np.random.default_rng(seed)
    for node in descendants_first(out.node) if out.node is not None else ():
        for parent, vjp in zip(node.parents, node.vjps or (), strict=True):
            gradient = put(np.asarray(rng.standard_normal(node.shape), node.dtype))
            before = gradient.copy()
            vjp(gradient)
            what = f"the gradient that {node.name!r} gets"
            same(what, gradient, before, f"after its rule for {parent.name!r}", "before")


def parameters_unchanged(layer: Layer, example: Example) -> None:
    """Compare the parameters, bit by bit, with what they were."""
    if not any(True for _ in layer.parameters(layer.fresh())):
        raise NotApplicableError("it has no parameters")
    for _ in layer.modes():
        it = layer.fresh()
        parameters = layer.parameters(it)
        names = [f"parameter {name}" for name in parameters]
        leaves = leaves_of(example.cast(layer.dtype))
        _unchanged(layer, it, example, leaves, names, [p.data for p in parameters.values()])


def _unchanged(
    layer: Layer, it: Any, example: Example, leaves: Any, names: list[str], arrays: list[Array]
) -> list[Tensor]:
    before = [array.copy() for array in arrays]
    with seeded(example.seed):
        outs = layer.outputs(it, leaves)
        for now, old, name in zip(arrays, before, names, strict=True):
            same(name, now, old, "after forward", "before")
        pull_back(outs, example.seed)
    for now, old, name in zip(arrays, before, names, strict=True):
        same(name, now, old, "after backward", "before")
    return outs


# -- the same again ------------------------------------------------------------------------------


def deterministic(layer: Layer, example: Example) -> None:
    """Run one copy twice, with minigrad's own random numbers seeded, and no others."""
    for _ in layer.modes():
        it, gave = layer.fresh(), []
        for _ in range(2):
            for parameter in layer.parameters(it).values():
                parameter.grad = None
            gave.append(layer.run(example, it=it, seeds=same_random_numbers))
        try:
            same_runs(gave[1], gave[0], "the second time", "the first time")
        except BrokenError as error:
            raise BrokenError(
                f"{error}\nRandom numbers must come from the stream of minigrad.manual_seed, and "
                "earlier calls must make no difference."
            ) from None


def evaluation(layer: Layer, example: Example) -> None:
    """In eval, other random numbers make no difference, and state does not change."""
    if not layer.is_module:
        raise NotApplicableError("a function has no modes")
    it = layer.fresh()
    for mode in (True, False):
        it.train(mode)
        for name, module in it.named_modules():
            if module.training is not mode:
                raise BrokenError(
                    f"after {'train' if mode else 'eval'}() the attribute training of "
                    f"{name or 'the layer itself'} is {module.training}",
                    anywhere=True,
                )
    layer.mode = "eval"
    it, arrays = layer.fresh(), example.cast(layer.dtype)
    before = {name: array.copy() for name, array in it.state_dict().items()}
    one = layer.forward(it, arrays, example.seed)
    other = layer.forward(layer.fresh(), arrays, example.seed + 1)
    for name, array in it.state_dict().items():
        same(name, array, before[name], "after forward", "before")
    for i, (a, b) in enumerate(zip(one, other, strict=True)):
        same(output_name(i, len(one)), b, a, "with other random numbers", "at first")


def no_grad_(layer: Layer, example: Example) -> None:
    """Compare what is computed unrecorded with what is computed recorded."""
    for _ in layer.modes():
        recorded = layer.run(example).outputs
        with seeded(example.seed), no_grad():
            outs = layer.outputs(layer.fresh(), leaves_of(example.cast(layer.dtype)))
        for i, (out, want) in enumerate(zip(outs, recorded, strict=True)):
            name = output_name(i, len(outs))
            if not isinstance(out.node, Leaf | None):  # it may be the input itself
                raise BrokenError(f"{name} was recorded: it comes from {out.node.name!r}")
            same(name, out.data, want, "unrecorded", "recorded")


# -- however it is computed ----------------------------------------------------------------------


def memory(layer: Layer, example: Example) -> None:
    """Lay inputs and cotangents out in other ways. Sums may be taken in another order."""
    rng = np.random.default_rng(example.seed)
    layouts = {
        "column by column": lambda a: a.copy(order="F"),
        "back to front": lambda a: as_array(np.flip(np.flip(a).copy())),
        "with gaps and permuted axes": lambda a: scrambled(rng, a),
    }
    for _ in layer.modes():
        plain = layer.run(example, layer.sharp)
        for name, turn in layouts.items():
            other = layer.run(example, layer.sharp, turn=turn)
            same_runs(other, plain, f"with memory {name}", "with contiguous memory", ROUNDINGS)


def rungs(layer: Layer, example: Example) -> str | None:
    """Compare all rungs with the first. Sums may be taken in another order."""
    first, *others = layer.rungs
    if not others:
        raise NotApplicableError(f"there is only {first} to run it on")
    for _ in layer.modes():
        with at(first):
            want = layer.run(example, layer.sharp)
        for rung in others:
            with at(rung):
                got = layer.run(example, layer.sharp)
            same_runs(got, want, f"on rung {rung}", f"on {first}", ROUNDINGS)
    return None if set(layer.rungs) <= set(RUNGS) else f"compared: {', '.join(layer.rungs)}"


def threads(layer: Layer, example: Example) -> None:
    """Compare the bits for some numbers of threads."""
    if layer.device != "cpu":
        raise NotApplicableError("the threads are those of the CPU")
    before = get_num_threads()
    try:
        for _ in layer.modes():
            runs_ = []
            for count in layer.threads:
                set_num_threads(count)
                runs_.append(layer.run(example))
            for count, run in zip(layer.threads[1:], runs_[1:], strict=True):
                first = layer.threads[0]
                same_runs(run, runs_[0], f"on {count} threads", f"on {first}")
    finally:
        set_num_threads(before)


# -- examples in a batch -------------------------------------------------------------------------


def batch(layer: Layer, example: Example) -> None:
    """Choosing examples before is the same as choosing them after: f(x[rows]) = f(x)[rows]."""
    arrays, axis = example.cast(layer.sharp), _batched(layer, example)
    layer.mode = "eval" if layer.is_module else ""
    rng, count = np.random.default_rng(example.seed), len(arrays[0])
    if not count:
        raise NotApplicableError("the batch is empty")

    def of(rows: Array) -> list[Array]:
        chosen = [a[rows] if i in axis else a for i, a in enumerate(arrays)]
        return layer.forward(layer.fresh(layer.sharp), chosen, example.seed)

    whole = of(np.arange(count))
    again = of(rng.integers(0, count, count + 1))
    follow = [
        i for i, (a, b) in enumerate(zip(whole, again, strict=True))
        if a.ndim and (len(a), len(b)) == (count, count + 1)
    ]  # fmt: skip
    if not follow:
        raise NotApplicableError("its output has no axis of examples (a loss?)")
    for rows in (rng.permutation(count), rng.integers(0, count, 1), np.arange(count).repeat(2)):
        for i in follow:
            got = of(rows)[i]
            try:
                same(
                    output_name(i, len(whole)), got, whole[i][rows],
                    f"for examples {rows.tolist()} by themselves", "in the whole batch",
                    roundings=ROUNDINGS, size=0.01,
                )  # fmt: skip
            except BrokenError as error:
                raise BrokenError(
                    f"{error}\nIf examples are meant to see each other, pass skip=('batch',)."
                ) from None


def empty_batch(layer: Layer, example: Example) -> str | None:
    """Run on no examples: output and gradients have the right shapes, or a ValueError says why."""
    axis, refused = _batched(layer, example), []
    nobody = Example([a[:0] if i in axis else a for i, a in enumerate(example.arrays)], 0)
    for mode in layer.modes():
        full = layer.run(example)
        try:
            run = layer.run(nobody)
        except ValueError as error:
            if not _raised_on_purpose(error):
                raise
            refused.append((mode, str(error)))
            continue
        for i, (a, b) in enumerate(zip(run.outputs, full.outputs, strict=True)):
            follows = b.ndim and len(b) == len(example.arrays[0])
            if follows and a.shape not in ((0, *b.shape[1:]), b.shape):
                name = output_name(i, len(run.outputs))
                raise BrokenError(
                    f"{name} has shape {a.shape} for no examples, and {b.shape} for {len(b)}"
                )
        for name, gradient in run.gradients.items():
            if name.startswith("parameter ") and gradient is not None and gradient.any():
                numbers = gradient.ravel()[:3].tolist()
                raise BrokenError(f"the gradient of {name} is not zero for no examples: {numbers}")
    if refused:
        modes = " and ".join(mode for mode, _ in refused if mode)
        return f"refused{' in ' + modes if modes else ''}: {refused[0][1]}"
    return None


def _batched(layer: Layer, example: Example) -> list[int]:
    """Say which inputs have an axis of examples."""
    arrays = example.arrays
    if not layer.is_module and len(arrays) > 1:
        raise NotApplicableError("which inputs of a function have an axis of examples is not known")
    if not arrays[0].ndim:
        raise NotApplicableError("the input has no axes")
    return [i for i, a in enumerate(arrays) if a.ndim and len(a) == len(arrays[0])]


def _raised_on_purpose(error: Exception) -> bool:
    """Tell whether an exception comes from a `raise` in Python, and not from inside NumPy."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or "numpy" in trace.tb_frame.f_globals.get("__name__", "").split("."):
        return False
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return not line or line.lstrip().startswith("raise")


# -- what is kept --------------------------------------------------------------------------------


def state_dict(layer: Layer, example: Example) -> None:
    """Load the state of a copy that was trained into one that was not, also through a file."""
    if not layer.is_module:
        raise NotApplicableError("a function has no state_dict")
    layer.mode = "training"
    trained = layer.fresh()
    _nothing_is_hidden(trained)
    layer.run(example, it=trained)
    rng = np.random.default_rng(example.seed)
    for parameter in layer.parameters(trained).values():
        move(parameter, rng)
    state = {name: array.copy() for name, array in trained.state_dict().items()}
    ways = {"with its state_dict loaded": state}
    with tempfile.TemporaryDirectory() as folder:
        if state:
            path = Path(folder) / "state.safetensors"
            checkpoint.save(path, state)
            ways["with its state_dict saved to a file and loaded"] = checkpoint.load(path)[0]
    for mode in layer.modes():
        want = layer.forward(trained.train(mode == "training"), example.cast(layer.dtype), 0)
        for way, loaded in ways.items():
            other = layer.fresh()
            other.load_state_dict(loaded)
            # After a step of training `trained` has moved on: what it gave is compared, not it.
            got = layer.forward(other, example.cast(layer.dtype), 0)
            for i, (a, b) in enumerate(zip(got, want, strict=True)):
                same(output_name(i, len(want)), a, b, f"of a copy {way}", "of the original")
        trained.load_state_dict(state)


def _nothing_is_hidden(it: Module) -> None:
    """Look for parameters and modules in places where a module does not find them."""
    known = {id(p) for p in it.parameters()} | {id(m) for _, m in it.named_modules()}
    for name, module in it.named_modules():
        for attribute, value in vars(module).items():
            place = f"{name}.{attribute}" if name else attribute
            for found in _inside(value):
                if id(found) not in known:
                    raise BrokenError(
                        f"the {type(found).__name__} inside {place} is not found: parameters must "
                        "be attributes of a module, modules attributes or in a list, tuple or dict",
                        anywhere=True,
                    )


def _inside(value: Any) -> Iterator[Parameter | Module]:
    if isinstance(value, Parameter | Module):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _inside(item)
    elif type(value).__module__ != "builtins" and hasattr(value, "__dict__"):
        for item in vars(value).values():
            if isinstance(item, Parameter | Module):
                yield item


def repr_(layer: Layer, _: Example) -> None:
    """Read the repr."""
    if not layer.is_module:
        raise NotApplicableError("a function prints as Python does it")
    written, name = repr(layer.fresh()), layer.class_name
    if address := re.search(r"0x[0-9a-fA-F]{4,}", written):
        raise BrokenError(
            f"the address {address[0]} tells a reader nothing, and is another each time: {written}"
        )
    if name not in written:
        raise BrokenError(f"it does not name the class {name}: {written!r}")
