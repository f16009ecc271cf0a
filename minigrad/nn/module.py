"""`Module`: parameters with names, layers within layers.

A module finds what belongs to it by looking at its own attributes: `Parameter`s are trained,
`Buffer`s are kept (a running mean, say), and modules are its children, also inside lists, tuples
and dictionaries. There is nothing to register.
"""

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minigrad import device as devices
from minigrad.autograd import as_array
from minigrad.dtypes import as_dtype, is_floating
from minigrad.tensor import Tensor, tensor


class Parameter(Tensor):
    """A tensor that is trained: it wants a gradient, and its module finds it."""

    __slots__ = ()

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not trained."""

    __slots__ = ()


class Module:
    """A layer or a network: parameters, children, and what to do with an input (`forward`).

    Attributes
    ----------
    training : bool
        Whether layers behave as in training (dropout drops) or in use. See `train`, `eval`.

    Examples
    --------
    >>> from minigrad import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.layer = nn.Linear(4, 4)
    ...
    ...     def forward(self, x):
    ...         return self.layer(self.layer(x))
    >>> [name for name, _ in Twice().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    training: bool = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output. Every module says how."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`."""
        return self.forward(*inputs, **options)

    # -- what belongs to it ------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Walk over the modules directly inside this one."""
        for name, value in vars(self).items():
            if isinstance(value, Module | list | tuple | dict):
                yield from _modules_in(name, value)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Walk over this module (named `prefix`) and all modules inside it, outermost first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(_join(prefix, name))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Walk over everything trained, under names like ``inception_3a.conv_1x1.weight``."""
        yield from self._named(Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Walk over everything trained."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Walk over the state that is kept but not trained."""
        yield from self._named(Buffer)

    def _named(self, kind: type) -> Iterator[tuple[str, Any]]:
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(prefix, name), value

    # -- modes -------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set this module and all inside it to training (or not). Returns itself."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set this module and all inside it to use: nothing is dropped, no statistics taken."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients gathered so far."""
        for parameter in self.parameters():
            parameter.grad = None

    def astype(self, dtype: DTypeLike) -> Self:
        """Give all floating parameters and buffers another dtype, in place. Returns itself."""
        wanted = as_dtype(dtype)
        if not is_floating(wanted):
            raise TypeError(f"astype: parameters must be floating, not {wanted}")
        for _, value in [*self.named_parameters(), *self.named_buffers()]:
            if is_floating(value.data.dtype):
                _replace(value, value.data.astype(wanted))  # astype keeps the order in memory
        return self

    def to(self, device: str) -> Self:
        """Move all parameters and buffers to a device, in place. Returns itself.

        What moves forgets its gradient. Nothing moves unless there is room for everything.

        Parameters
        ----------
        device : str
            "cpu", "cuda" (the first GPU) or "cuda:1".

        Raises
        ------
        ValueError, DeviceError
            If there is no such device, or not enough memory on it.

        Examples
        --------
        >>> from minigrad import nn
        >>> nn.Linear(2, 1).to("cpu")
        Linear(2, 1)
        """
        name = devices.check_name(device)
        tensors = [t for _, t in [*self.named_parameters(), *self.named_buffers()]]
        moved = [devices.put(t.data, name) for t in tensors]
        for t, data in zip(tensors, moved, strict=True):
            if data is not t.data:
                _replace(t, data)
        return self

    def cpu(self) -> Self:
        """Move all parameters and buffers to the CPU, in place. Returns itself."""
        return self.to("cpu")

    def cuda(self) -> Self:
        """Move all parameters and buffers to the first GPU, in place. Returns itself."""
        return self.to("cuda")

    # -- state -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all parameters and buffers by name: the arrays themselves, where they are."""
        return {n: t.data for n, t in [*self.named_parameters(), *self.named_buffers()]}

    def load_state_dict(self, state: Mapping[str, ArrayLike | Tensor]) -> None:
        """Copy values into all parameters and buffers. Nothing changes unless everything fits.

        Parameters
        ----------
        state : mapping of name to array
            The names of `state_dict`, all of them and no others, with equal shapes. They may lie
            on any device; each value goes to where its parameter is.

        Raises
        ------
        ValueError
            Lists the names that are missing, unexpected or of another shape.
        """
        own = {n: t.data for n, t in [*self.named_parameters(), *self.named_buffers()]}
        given = {n: v.data if isinstance(v, Tensor) else as_array(v) for n, v in state.items()}
        problems = [f"missing: {name}" for name in own if name not in given]
        problems += [f"unexpected: {name}" for name in given if name not in own]
        problems += [
            f"mis-shaped: {name} has shape {given[name].shape}, needs {array.shape}"
            for name, array in own.items()
            if name in given and given[name].shape != array.shape
        ]
        problems += [
            f"not numbers: {name} has dtype {given[name].dtype}"
            for name in own
            if name in given
            and not (is_floating(given[name].dtype) or given[name].dtype.kind in "iub")
        ]
        if problems:
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ValueError(f"load_state_dict: state does not fit {type(self).__name__}:{listed}")
        values = {name: devices.put_like(given[name], array) for name, array in own.items()}
        for name, array in own.items():
            array[...] = values[name]

    # -- to read -----------------------------------------------------------------------------

    def describe(self) -> str:
        """List the arguments this module was made with, those that differ from their defaults.

        They are looked up among the module's attributes, under their own names.
        """
        shown = []
        for name, argument in signature(type(self)).parameters.items():
            value, default = getattr(self, name, None), argument.default
            if (
                value is None and default is True
            ):  # `bias=True` asked for something, it is not there
                value = False
            if value is None or isinstance(value, Tensor | Module):
                continue
            if default is argument.empty:
                shown.append(repr(value))
            elif value != default and value != (default, default):
                shown.append(f"{name}={value!r}")
        return ", ".join(shown)

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}" for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.describe()})"
        inside = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}({self.describe()}) {{\n  {inside}\n}}"


def parameter(array: ArrayLike, dtype: DTypeLike | None = None) -> Parameter:
    """Make a parameter of numbers or an array (which is copied)."""
    return Parameter(tensor(array, dtype).data)


def _replace(value: Tensor, data: np.ndarray) -> None:
    """Give a parameter or buffer another array: what was known of the old one is forgotten."""
    value.data = data
    value.grad = None
    if value.requires_grad:  # its node knows the old dtype
        value.requires_grad = False
        value.requires_grad = True


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _modules_in(name: str, value: Any) -> Iterator[tuple[str, Module]]:
    """Find modules in an attribute: the module itself, or those in a list or dictionary."""
    if isinstance(value, Module):
        yield name, value
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _modules_in(f"{name}.{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _modules_in(f"{name}.{key}", item)
