"""Gradients and precision of a layer: properties that compare it with itself nearby."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.autograd import Array, descendants_first
from minigrad.tensor import Tensor
from minigrad.testing.gradients import gradcheck
from minigrad.testing.layers.layer import (
    ROUNDINGS,
    BrokenError,
    Example,
    Layer,
    NotApplicableError,
    Run,
    largest,
    leaves_of,
    output_name,
    same,
    seeded,
)
from minigrad.testing.place import fetch, tensor

TINY = 2.0**-26  # a relative change that float32 rounds away
COARSE = 2.0**15  # so many tiny changes make one that float32 sees well
AMPLIFIED = 30.0  # how much more than a change of the input by its rounding may make

# -- gradients -----------------------------------------------------------------------------------


def input_gradients(layer: Layer, example: Example) -> None:
    """Check the gradient of every floating input, with the parameters as they are."""
    if all(a.dtype.kind != "f" for a in example.arrays):
        raise NotApplicableError("it has no floating input")
    arrays = example.cast(np.float64)
    names = layer.names(len(arrays))
    for _ in layer.modes():
        _check(lambda *xs: _call(layer, example, list(xs), []), arrays, names, example.seed)


def parameter_gradients(layer: Layer, example: Example) -> None:
    """Check the gradient of every parameter, with the inputs as they are."""
    parameters = layer.parameters(layer.fresh(np.float64))
    if not parameters:
        raise NotApplicableError("it has no parameters")
    arrays, names = example.cast(np.float64), [f"parameter {name}" for name in parameters]
    for _ in layer.modes():
        values = [fetch(p) for p in parameters.values()]
        _check(lambda *ps: _call(layer, example, _constants(arrays), list(ps)), values, names,
               example.seed)  # fmt: skip


def _check(f: Callable[..., Any], arrays: list[Array], names: list[str], seed: int) -> None:
    try:
        report = gradcheck(f, arrays, seed=seed, names=names, raise_error=False)
    except (TypeError, ValueError) as error:
        if not str(error).startswith("gradcheck: "):
            raise
        raise BrokenError(str(error)) from None
    if report.failures:
        raise BrokenError("\n\n".join(map(str, report.failures)), report)
    if not report.ok:
        raise NotApplicableError("every output lies at a kink, where there is no gradient")


def _call(layer: Layer, example: Example, inputs: list[Any], parameters: list[Tensor]) -> Any:
    """Run a fresh copy in float64, or complex, with other tensors in place of its parameters."""
    it = layer.fresh(np.float64)
    if any(isinstance(t, Tensor) and t.dtype.kind == "c" for t in [*inputs, *parameters]):
        for own in layer.tensors(it).values():
            if own.data.dtype.kind == "f":
                own.data = own.data.astype(np.complex128)
        inputs = [
            Tensor(t.data.astype(np.complex128)) if isinstance(t, Tensor) else t for t in inputs
        ]
    for own, given in zip(layer.parameters(it).values(), parameters, strict=False):
        own.data, own.node = given.data, given.node
    with seeded(example.seed):
        outs = layer.outputs(it, inputs)
    floating = tuple(out for out in outs if out.dtype.kind in "fc")
    if not floating:
        raise NotApplicableError("its outputs are integers")
    return floating


def _constants(arrays: list[Array]) -> list[Any]:
    return [tensor(a) if a.dtype.kind == "f" else a.copy() for a in arrays]


def connected(layer: Layer, example: Example) -> None:
    """Note which parameters get a gradient."""
    if not layer.parameters(layer.fresh()):
        raise NotApplicableError("it has no parameters")
    for _ in layer.modes():
        gradients = layer.run(example).gradients
        layer.reached.update(name for name, g in gradients.items() if g is not None)


def all_connected(layer: Layer) -> None:
    """Complain about those that never got one."""
    missing = [n for n in layer.parameters(layer.fresh()) if f"parameter {n}" not in layer.reached]
    if missing:
        verb = "never gets a gradient" if len(missing) == 1 else "never get a gradient"
        raise BrokenError(f"{', '.join(missing)} {verb}: forward does not use it, or detached it")


# -- precision -----------------------------------------------------------------------------------


def dtypes(layer: Layer, example: Example) -> None:
    """float32 gives float32, float64 gives float64, to the precision of each."""
    rounded = Example([_single(a) for a in example.arrays], example.seed)
    for _ in layer.modes():
        double, single = (_typed(layer, rounded, np.dtype(d)) for d in (np.float64, np.float32))
        _all_double(layer, example)
        _forward_sees_all_digits(layer, rounded)
        _backward_sees_all_digits(layer, example)
        _agree(single, double, _typed(layer, _shaken(rounded), np.dtype(np.float64)))


def _typed(layer: Layer, example: Example, dtype: np.dtype) -> Run:
    """Run in a dtype; all that comes out must have it."""
    run = layer.run(example, dtype)
    named = [(output_name(i, len(run.outputs)), out) for i, out in enumerate(run.outputs)]
    named += [(f"the gradient of {n}", g) for n, g in run.gradients.items() if g is not None]
    for name, array in named:
        if array.dtype.kind == "f" and array.dtype != dtype:
            raise BrokenError(f"{name} is {array.dtype} but inputs and parameters are {dtype}")
    return run


def _all_double(layer: Layer, example: Example) -> None:
    """No operation on the way from float64 to float64 gives float32."""
    outs = _outputs(layer, example)
    nodes = {node for out in outs if out.node is not None for node in descendants_first(out.node)}
    for node in sorted(nodes, key=lambda node: node.number):
        if node.dtype != np.float64:
            raise BrokenError(
                f"in float64, the operation {node.name!r} (shape {node.shape}) gives {node.dtype}"
            )


def _forward_sees_all_digits(layer: Layer, example: Example) -> None:
    """Where the output follows coarse changes of the inputs, it must follow tiny ones too."""
    rng, arrays = np.random.default_rng(example.seed), example.cast(np.float64)
    tiny = [
        TINY * rng.uniform(0.5, 1, a.shape) * rng.choice([-1, 1], a.shape) * a
        if a.dtype.kind == "f" else np.zeros_like(a)
        for a in arrays
    ]  # fmt: skip

    def at(steps: float) -> list[Array]:
        moved = [a + (steps * d).astype(a.dtype) for a, d in zip(arrays, tiny, strict=True)]
        return layer.forward(layer.fresh(np.float64), moved, example.seed)

    here, near = at(0), at(1)
    try:
        behind, ahead = at(-COARSE), at(COARSE)
    except Exception:  # so far away it may be out of the layer's domain
        return
    for i, (y, y1, left, right) in enumerate(zip(here, near, behind, ahead, strict=True)):
        if y.dtype.kind != "f":
            continue
        back, forth = (y - left) / COARSE, (right - y) / COARSE
        slope = (back + forth) / 2
        straight = np.abs(forth - back) <= 0.1 * np.abs(slope)
        seen = np.abs(slope) * COARSE > 1e-4 * np.abs(y)
        wrong = straight & seen & ~(np.abs(y1 - y - slope) <= 0.5 * np.abs(slope))
        if wrong.any():
            first = [int(n) for n in np.argwhere(wrong)[0]]
            raise BrokenError(
                f"something is computed in float32: in float64, {output_name(i, len(here))} at "
                f"{first} does not follow changes of the input that are smaller than float32's"
            )


def _backward_sees_all_digits(layer: Layer, example: Example) -> None:
    """Backward is linear: what it gives for c must be what it gives for the parts of c."""
    leaves: list[tuple[str, Tensor]] = []
    outs = [out for out in _outputs(layer, example, leaves) if out.node is not None]
    rng = np.random.default_rng(example.seed)
    rows = [np.asarray(rng.standard_normal(out.shape)) for out in outs]

    def back(cotangents: list[Array]) -> dict[str, Array]:
        for _, t in leaves:
            t.grad = None
        for out, c in zip(outs, cotangents, strict=True):
            out.backward(c, retain_graph=True)
        return {name: fetch(t.grad) for name, t in leaves if t.grad is not None}

    coarse = [_single(c) for c in rows]
    fine = [a - b for a, b in zip(rows, coarse, strict=True)]
    whole, most, rest = back(rows), back(coarse), back(fine)
    for name, gradient in whole.items():
        size, off = largest(gradient), largest(gradient - most[name] - rest[name])
        if 1e-10 * size < off < 1e-4 * size:  # more than that is no rounding
            raise BrokenError(
                f"something is computed in float32: in float64, the gradient of {name} has only "
                f"{-np.log10(off / size):.0f} right digits"
            )


def _agree(single: Run, double: Run, shaken: Run) -> None:
    """float32 and float64 agree, as far as rounding the inputs lets them."""
    for i, (a, b, c) in enumerate(zip(single.outputs, double.outputs, shaken.outputs, strict=True)):
        _near(output_name(i, len(double.outputs)), a, b, c, double.size)
    for name, gradient in double.gradients.items():
        other, moved = single.gradients[name], shaken.gradients[name]
        if gradient is not None and other is not None and moved is not None:
            _near(f"the gradient of {name}", other, gradient, moved, double.size)


def _near(what: str, single: Array, double: Array, shaken: Array, size: float) -> None:
    if double.dtype.kind != "f":
        return
    eps = float(np.finfo(np.float32).eps)
    moved = AMPLIFIED * largest(double - shaken) / (ROUNDINGS * eps)
    same(what, single, double.astype(np.float32), "in float32", "in float64",
         roundings=ROUNDINGS, size=max(0.01 * size, moved))  # fmt: skip


def _outputs(layer: Layer, example: Example, named: list[Any] | None = None) -> list[Tensor]:
    """Run forward in float64, recorded. Fills `named` with (name, leaf)."""
    it, leaves = layer.fresh(np.float64), leaves_of(example.cast(np.float64))
    if named is not None:
        given = zip(layer.names(len(leaves)), leaves, strict=True)
        named += [(name, t) for name, t in given if isinstance(t, Tensor)]
        named += [(f"parameter {name}", p) for name, p in layer.parameters(it).items()]
    with seeded(example.seed):
        return layer.outputs(it, leaves)


def _single(array: Array) -> Array:
    """Round to float32, but keep float64."""
    return array.astype(np.float32).astype(np.float64) if array.dtype.kind == "f" else array


def _shaken(example: Example) -> Example:
    """Move every number by a few roundings of float32."""
    rng = np.random.default_rng(example.seed)
    return Example(
        [
            a * (1 + 2.0**-22 * rng.uniform(-1, 1, a.shape)) if a.dtype.kind == "f" else a
            for a in example.arrays
        ],
        example.seed,
    )
