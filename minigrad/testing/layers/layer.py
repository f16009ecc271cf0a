"""A layer under examination. The user's own object never runs: only copies of it do."""

import copy
import random as python_random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import device as devices
from minigrad.autograd import Array, no_grad
from minigrad.nn import Module, Parameter
from minigrad.tensor import Tensor
from minigrad.testing.laws.comparison import compare, same_random_numbers
from minigrad.testing.layers.inputs import argument_names
from minigrad.testing.place import compared, fetch, here, of_tensors, on_device, put

COTANGENTS = 0x636F74  # makes their stream another than that of the seed alone
ROUNDINGS = 1000.0  # how far two orders of summation may differ, in eps of the largest number


class BrokenError(Exception):
    """The property that is examined does not hold. The message says how.

    Attributes
    ----------
    report : GradcheckReport or None
    anywhere : bool
        It has nothing to do with the input.
    """

    def __init__(self, message: str, report: Any = None, anywhere: bool = False) -> None:
        super().__init__(message)
        self.report, self.anywhere = report, anywhere


class NotApplicableError(Exception):
    """The property that is examined says nothing about this layer. The message says why."""


@dataclass
class Example:
    """What was drawn: arrays, and a seed for random numbers inside the layer and for cotangents."""

    arrays: list[Array]
    seed: int

    def cast(self, dtype: Any) -> list[Array]:
        """Give the arrays row by row in memory, the floating ones with a dtype, as new arrays."""
        return [np.array(a, dtype if a.dtype.kind == "f" else None, order="C") for a in self.arrays]


@dataclass
class Run:
    """What one forward and backward gave."""

    outputs: list[Array]
    gradients: dict[str, Array | None]
    size: float  # of the largest number that went in


class Layer:
    """A module or a function, and how to run it.

    Attributes
    ----------
    is_module : bool
    dtype : dtype
        In which it runs as it is: that of its parameters.
    sharp : dtype
        In which it is compared with itself: float64, where it can.
    device : str
        Where it runs: where its parameters are, or the device of `on_device`.
    rungs, threads : tuple
        What to compare.
    mode : str
        ``"training"``, ``"eval"``, or empty for a function. What `modes` is at.
    running : dtype
        That of the last copy.
    reached : set of str
        The parameters that have been seen to get a gradient.
    repeatable : bool
        Whether two copies give the same, with all streams of random numbers seeded.
    """

    def __init__(
        self, layer: Any, rungs: Sequence[str] | None = None, threads: Sequence[int] = (1, 2, 3)
    ) -> None:
        if not callable(layer):
            raise TypeError(
                "check_layer: layer must be a Module or a function of Tensors, got "
                f"{type(layer).__name__}"
            )
        if isinstance(layer, type):
            raise TypeError(f"check_layer: layer must be made first: {layer.__name__}(...)")
        try:
            self._kept = copy.deepcopy(layer)
        except Exception as error:
            raise TypeError(
                "check_layer: layer must allow a copy, on which it is checked, but copy.deepcopy "
                f"raised {type(error).__name__}: {error}"
            ) from None
        self.is_module = isinstance(layer, Module)
        self.device = of_tensors(self.tensors(layer).values())
        self._cast: dict[tuple[np.dtype, str], Any] = {}
        floats = [t.data.dtype for t in self.tensors(layer).values() if t.data.dtype.kind == "f"]
        self.dtype = np.dtype(floats[0] if floats else np.float32)
        self.sharp = np.dtype(np.float64)
        if self.is_module:
            self._kept.to(self.device)
        self.rungs, self.threads = tuple(rungs or self._rungs()), tuple(threads)
        self.mode = ""
        self.running = self.dtype
        self.reached: set[str] = set()
        self.repeatable = True

    def _rungs(self) -> tuple[str, ...]:
        """List what to compare. A function is not moved: what it closes over would stay."""
        with on_device(self.device):
            return compared() if self.is_module or self.device == "cpu" else (self.device,)

    # -- what it is --------------------------------------------------------------------------

    def title(self) -> str:
        """Give its repr, or its name if that is too long; and the device, if it is a GPU."""
        return self._name() + ("" if self.device == "cpu" else f" on {self.device}")

    def _name(self) -> str:
        if not self.is_module:
            name = getattr(self._kept, "__name__", type(self._kept).__name__)
            return "a function" if name == "<lambda>" else name
        try:
            written = repr(self._kept)
        except Exception:  # the property `repr` reports it
            written = ""
        plain = 0 < len(written) < 80 and "\n" not in written and " at 0x" not in written
        return written if plain else self.class_name

    @property
    def class_name(self) -> str:
        """Of the layer."""
        return type(self._kept).__name__

    def names(self, count: int) -> list[str]:
        """Name its inputs."""
        return argument_names(self._kept.forward if self.is_module else self._kept, count)

    @staticmethod
    def tensors(it: Any) -> dict[str, Tensor]:
        """Find all parameters and buffers of a copy."""
        if not isinstance(it, Module):
            return {}
        return {**dict(it.named_parameters()), **dict(it.named_buffers())}

    @staticmethod
    def parameters(it: Any) -> dict[str, Parameter]:
        """Find the parameters of a copy that want gradients."""
        if not isinstance(it, Module):
            return {}
        return {name: p for name, p in it.named_parameters() if p.requires_grad}

    # -- copies ------------------------------------------------------------------------------

    def modes(self) -> Iterator[str]:
        """Go through the modes a module has; `fresh` gives copies in that mode."""
        for mode in ("training", "eval") if self.is_module else ("",):
            self.mode = mode
            yield mode
        self.mode = ""

    def fresh(self, dtype: Any = None) -> Any:
        """Make a copy, in the mode that `modes` is at, on the device where we are."""
        self.running = wanted = np.dtype(dtype or self.dtype)
        if (wanted, here()) not in self._cast:
            it = copy.deepcopy(self._kept)
            self._cast[wanted, here()] = it.astype(wanted).to(here()) if self.is_module else it
        it = copy.deepcopy(self._cast[wanted, here()])
        if self.is_module and self.mode:
            it.train(self.mode == "training")
        return it

    def settle(self, example: Example) -> None:
        """Move away from first values: weights of 1, biases and statistics of 0 hide mistakes.

        Parameters are multiplied by ½ … 1½ (zeros: made small numbers), and training takes a step,
        so that running statistics are those of some batch.
        """
        if self.is_module:
            training = [(module, module.training) for _, module in self._kept.named_modules()]
            kept = copy.deepcopy(self._kept)
            try:
                self.forward(self._kept.train(), example.cast(self.dtype), example.seed)
            except Exception:
                self._kept = kept
            else:
                for module, mode in training:
                    module.training = mode
            rng = np.random.default_rng(example.seed)
            for parameter in self.parameters(self._kept).values():
                move(parameter, rng)
        self._cast.clear()
        try:
            for _ in self.modes():
                same_runs(self.run(example), self.run(example), "", "")
        except BrokenError:
            self.repeatable = False

    # -- running it --------------------------------------------------------------------------

    def outputs(self, it: Any, inputs: Sequence[Any]) -> list[Tensor]:
        """Run a copy forward. A list of its outputs."""
        result = it(*inputs)
        outs = list(result) if isinstance(result, tuple | list) else [result]
        outs = [out for out in outs if out is not None]  # a head that is used in training only
        for out in outs:
            if not isinstance(out, Tensor):
                raise BrokenError(
                    f"it returned {type(out).__name__}, not a Tensor or a tuple of them"
                )
        if not outs:
            raise BrokenError("it returned no Tensor")
        return outs

    def forward(self, it: Any, arrays: Sequence[Array], seed: int) -> list[Array]:
        """Run a copy forward, unrecorded, on copies of some arrays."""
        with seeded(seed), no_grad():
            return [fetch(out).copy() for out in self.outputs(it, leaves_of(arrays))]

    def run(
        self,
        example: Example,
        dtype: Any = None,
        it: Any = None,
        turn: Callable[[Array], Array] = np.copy,
        seeds: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> Run:
        """Run forward and backward, on copies of the inputs.

        Parameters
        ----------
        example : Example
        dtype
            Of the computation; left out, the layer's own.
        it
            The copy of the layer; left out, a fresh one.
        turn : callable
            Copies an array, laid out in memory in its own way.
        seeds : callable
            Starts streams of random numbers; left out, all of them.
        """
        it = self.fresh(dtype) if it is None else it
        arrays = example.cast(dtype or self.dtype)
        leaves = leaves_of(arrays, turn)
        with (seeds or seeded)(example.seed):
            outs = self.outputs(it, leaves)
            outputs = [fetch(out).copy() for out in outs]
            pull_back(outs, example.seed, turn)
        named = [
            *zip(self.names(len(leaves)), leaves, strict=True),
            *((f"parameter {name}", p) for name, p in self.parameters(it).items()),
        ]
        gradients = {
            name: None if t.grad is None else fetch(t.grad)
            for name, t in named
            if isinstance(t, Tensor)
        }
        return Run(outputs, gradients, max(map(largest, arrays)))


def leaves_of(arrays: Sequence[Array], turn: Callable[[Array], Array] = np.copy) -> list[Any]:
    """Make a leaf of a copy of each floating array; copies of the others stay arrays."""
    return [
        Tensor(turn(put(a)), requires_grad=True) if a.dtype.kind == "f" else turn(a) for a in arrays
    ]


def pull_back(outs: Sequence[Tensor], seed: int, turn: Callable[[Array], Array] = np.copy) -> None:
    """Send a random cotangent back from each output that has come from a leaf."""
    rng = np.random.default_rng((seed, COTANGENTS))
    for out in outs:
        cotangent = np.asarray(rng.standard_normal(out.shape), out.dtype)
        if out.node is not None:
            out.backward(turn(put(cotangent)), retain_graph=True)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start all streams of random numbers at `seed`: minigrad's, NumPy's global one, Python's."""
    numpy_state, python_state = np.random.get_state(), python_random.getstate()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    python_random.seed(seed)
    try:
        with same_random_numbers(seed):
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        python_random.setstate(python_state)


def move(tensor: Tensor, rng: np.random.Generator) -> None:
    """Multiply a tensor's numbers by ½ … 1½, in place; zeros become small numbers."""
    data = fetch(tensor)
    factor, small = rng.uniform(0.5, 1.5, data.shape), 0.1 * rng.standard_normal(data.shape)
    if data.dtype.kind == "f":
        moved = np.where(data == 0, small, data * factor).astype(data.dtype)
        tensor.data[...] = devices.put_like(moved, tensor.data)


def largest(array: Array) -> float:
    """Give the size of the largest number."""
    return float(np.abs(array.astype(np.float64)).max(initial=0.0))


def same(what: str, got: Array, want: Array, left: str, right: str, **rounding: float) -> None:
    """Insist that two arrays are equal, to the bit or to `roundings` (see `laws`)."""
    if got.dtype != want.dtype:
        raise BrokenError(f"{what} is {got.dtype} {left} but {want.dtype} {right}")
    try:
        compare("", got, want, f"{what} {left}", right, **rounding)
    except AssertionError as error:
        raise BrokenError(str(error).removeprefix(": ")) from None


def same_runs(got: Run, want: Run, left: str, right: str, roundings: float = 0.0) -> None:
    """Insist that two runs gave the same outputs and gradients."""
    rounding = {"roundings": roundings, "size": 0.01 * max(want.size, 1.0)} if roundings else {}
    if len(got.outputs) != len(want.outputs):
        raise BrokenError(f"it gave {len(got.outputs)} outputs {left}, {len(want.outputs)} {right}")
    for i, (a, b) in enumerate(zip(got.outputs, want.outputs, strict=True)):
        same(output_name(i, len(want.outputs)), a, b, left, right, **rounding)
    for name, wanted in want.gradients.items():
        gradient = got.gradients[name]
        if gradient is None or wanted is None:
            if gradient is not wanted:
                with_, without = (left, right) if wanted is None else (right, left)
                raise BrokenError(f"{name} got a gradient {with_}, and none {without}")
            continue
        same(f"the gradient of {name}", gradient, wanted, left, right, **rounding)


def output_name(i: int, count: int) -> str:
    """Say which of some outputs."""
    return f"output {i}" if count > 1 else "the output"
