"""Two implementations in step: `lockstep` runs a model and stops where they part.

Rungs, or devices, that disagree at the end of a network disagree somewhere first. Compared at the
end, rounding hides small mistakes and blows up harmless ones. So every operation is run on both
from the *same* inputs, the ones that the first computed, forward and backward, and compared by
itself. How much is too much follows from the same operation in double precision.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from minigrad import device as devices
from minigrad import functional, nn, random
from minigrad.device import kernels
from minigrad.tensor import Tensor

FACTOR = 32  # times the smaller rounding error of the two that they may differ by
SHOWN = 48  # numbers of an array that is written out in a reproduction


class LockstepError(AssertionError):
    """An operation whose results differ by more than rounding explains."""


class Call(NamedTuple):
    """One operation that was called, and with what."""

    name: str
    function: Callable[..., Tensor]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    key: int  # how many random keys had been drawn before


def lockstep(
    model: Callable[..., Any], *inputs: Any, first: str = "cpu", second: str = "vectorized"
) -> list[str]:
    """Run a model, and each of its operations on a second rung or device from the same inputs.

    Parameters
    ----------
    model : callable
        A Module, or any function of tensors. Runs where its parameters are.
    *inputs : Tensor
        What it is called with.
    first, second : str
        A rung ("naive", "vectorized", "cpu") or a device ("cuda", "cuda:1").

    Returns
    -------
    list of str
        The operations that were compared, in their order.

    Raises
    ------
    LockstepError
        At the first operation that differs, forward or backward: which, by how much, where, and
        code that shows it.
    TypeError, ValueError, DeviceError
        If there is no such rung or device.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    >>> minigrad.testing.lockstep(net, minigrad.tensor([[[[1.0] * 4] * 4]]))
    ['conv2d', 'relu']
    """
    for place in (first, second):
        _at(place)
    compared: list[str] = []
    busy = False

    def watch(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def watched(*arguments: Any, **options: Any) -> Tensor:
            nonlocal busy
            if busy:  # an operation made of others is compared as a whole
                return function(*arguments, **options)
            busy = True
            try:
                copied, kept = _copies(arguments, None), _copies(options, None)
                call = Call(name, function, copied, kept, random.default.drawn)
                result = function(*arguments, **options)
                drawn = random.default.drawn
                try:
                    _compare(call, first, second)
                finally:
                    random.default.drawn = drawn
                compared.append(name)
            finally:
                busy = False
            return result

        return watched

    with _replaced(watch):
        model(*inputs)
    return compared


@contextmanager
def _replaced(watch: Callable[[str, Callable], Callable]) -> Iterator[None]:
    """Put watched operations wherever the originals are held by name."""
    watched = {id(f): watch(n, f) for n in functional.__all__ for f in [getattr(functional, n)]}
    holders = [
        (module, name, value)
        for module in list(sys.modules.values())
        for name, value in list(getattr(module, "__dict__", {}).items())
        if id(value) in watched and callable(value)
    ]
    for module, name, value in holders:
        setattr(module, name, watched[id(value)])
    try:
        yield
    finally:
        for module, name, value in holders:
            setattr(module, name, value)


def _at(place: str) -> tuple[str, AbstractContextManager]:
    """Read a place: the device that tensors go to, and the rung that runs there."""
    if isinstance(place, str) and place in devices.RUNGS:
        return "cpu", kernels(place)
    return devices.check_name(place), nullcontext()


def _copies(value: Any, device: str | None, dtype: Any = None) -> Any:
    """Copy every tensor in nested arguments, as a leaf of its own."""
    if isinstance(value, tuple | list):
        return type(value)(_copies(part, device, dtype) for part in value)
    if isinstance(value, dict):
        return {name: _copies(part, device, dtype) for name, part in value.items()}
    if not isinstance(value, Tensor):
        return value
    data = value.data.copy(order="K")
    floating = data.dtype.kind == "f"
    data = data.astype(dtype) if dtype and floating else data
    wants = floating and not isinstance(value, nn.module.Buffer)
    return Tensor(devices.put(data, device) if device else data, requires_grad=wants)


def _results(call: Call, place: str, dtype: Any = None) -> dict[str, np.ndarray]:
    """Run an operation somewhere, forward and backward. Returns arrays by what they are."""
    device, rung = _at(place)
    arguments = _copies(call.arguments, device, dtype)
    options = _copies(call.options, device, dtype)
    random.default.drawn = call.key
    with rung:
        out = call.function(*arguments, **options)
        found = {"output": devices.put(out.data, "cpu")}
        if out.requires_grad:
            cotangent = np.random.default_rng(len(call.name)).standard_normal(out.shape)
            out.backward(cotangent.astype(np.float32))
            for what, tensor in _named(arguments, options):
                if tensor.grad is not None:
                    found[f"gradient of {what}"] = devices.put(tensor.grad.data, "cpu")
    return found


def _named(arguments: tuple[Any, ...], options: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Walk over the tensors among arguments, named by their place."""
    for i, value in enumerate(arguments):
        many = value if isinstance(value, tuple | list) else [value]
        for k, part in enumerate(many):
            if isinstance(part, Tensor):
                yield f"argument {i}" + (f"[{k}]" if part is not value else ""), part
    yield from ((name, value) for name, value in options.items() if isinstance(value, Tensor))


def _difference(call: Call, first: str, second: str) -> str | None:
    """Say what of an operation differs by more than rounding explains, if anything does."""
    here, there = _results(call, first), _results(call, second)
    exact = _results(call, first, np.float64)
    if here.keys() != there.keys():
        return f"{first} gives {', '.join(here)}; {second} gives {', '.join(there)}"
    for what, a in here.items():
        b, judge = there[what], exact[what]
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{what}: {a.dtype} {a.shape} on {first}, {b.dtype} {b.shape} on {second}"
        if not a.size:
            continue
        with np.errstate(invalid="ignore"):
            size = np.abs(judge[np.isfinite(judge)]).max(initial=0.0)
            # Of the smaller error of the two: one of them may be wrong, and even the judge.
            own = min(np.nan_to_num(np.abs(part - judge)).max() for part in (a, b))
            error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        error = np.where(np.isnan(error), np.inf, error)
        allowed = FACTOR * max(own, np.finfo(a.dtype).eps * size)
        if error.max() > allowed:
            place = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
            return (
                f"{what} differs by {error.max():.3g} at {place}: {a[place]!r} on {first}, "
                f"{b[place]!r} on {second}; rounding explains {allowed:.3g} "
                f"({(error > allowed).sum()} of {error.size} numbers differ by more)"
            )
    return None


def _compare(call: Call, first: str, second: str) -> None:
    found = _difference(call, first, second)
    if found is None:
        return
    smaller = _shrunk(call, first, second)
    shown = _difference(_written_out(smaller), first, second)
    promise = "to see it:" if shown else "the call, whose random numbers do not show it:"
    raise LockstepError(
        f"{call.name}: {found}\n\n{promise}\n\n{_reproduction(smaller, first, second)}"
    )


def _is_drawn(tensor: Tensor) -> bool:
    """Tell whether a reproduction draws this tensor's numbers, since they are too many to write."""
    return tensor.size > SHOWN and tensor.dtype.kind == "f"


def _written_out(call: Call) -> Call:
    """Return the call that the code of a reproduction makes: the same draws, in the same order."""
    rng = np.random.default_rng(0)

    def drawn(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(map(drawn, value))
        if isinstance(value, Tensor) and _is_drawn(value):
            return Tensor(rng.standard_normal(value.shape).astype(value.dtype))
        return value

    arguments = drawn(call.arguments)
    options = {name: drawn(value) for name, value in call.options.items()}
    return call._replace(arguments=arguments, options=options)


def _shrunk(call: Call, first: str, second: str) -> Call:
    """Keep one example of the batch alone, if one differs by itself."""
    tensors = [tensor for _, tensor in _named(call.arguments, call.options)]
    if not tensors or tensors[0].ndim < 2:
        return call
    count = len(tensors[0])

    def part(value: Any, i: int) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(part(v, i) for v in value)
        if isinstance(value, Tensor) and value.ndim == tensors[0].ndim and len(value) == count:
            return Tensor(value.data[i : i + 1])
        return value

    for i in range(count if count > 1 else 0):
        arguments = (part(call.arguments[0], i), *call.arguments[1:])
        smaller = call._replace(arguments=arguments)
        try:
            if _difference(smaller, first, second):
                return smaller
        except (TypeError, ValueError, IndexError):  # it cannot be cut so
            return call
    return call


def _reproduction(call: Call, first: str, second: str) -> str:
    """Write a call as code to paste: small arrays in full, large ones by their shape."""
    lines = ["import numpy as np", "import minigrad", "from minigrad import functional as F"]
    lines += ["from minigrad.testing import lockstep", "", "rng = np.random.default_rng(0)"]

    def written(value: Any) -> str:
        if isinstance(value, tuple | list):
            inside = ", ".join(map(written, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
        if not isinstance(value, Tensor):
            return repr(value)
        if _is_drawn(value):
            drawn = f"rng.standard_normal({value.shape}).astype({value.dtype.name!r})"
            return f"minigrad.tensor({drawn})"
        data = devices.put(value.data, "cpu")
        return f"minigrad.tensor({data.tolist()}, dtype={data.dtype.name!r})"

    values = [written(value) for value in call.arguments]
    values += [f"{name}={written(value)}" for name, value in call.options.items()]
    call_text = f"lambda: F.{call.name}({', '.join(values)})"
    lines += [f"lockstep({call_text},", f"         first={first!r}, second={second!r})"]
    return "\n".join("    " + line if line else "" for line in lines)
