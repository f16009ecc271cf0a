"""What a mutant is, and how it is planted: by exchanging functions of the engine for broken ones.

A mistake is written as a function that gets the sound one first, then what that one gets::

    @mutant("conv2d", every_rung(conv.RUNGS, "conv2d_forward"))
    def conv2d_kernel_turned(sound, x, weight, *rest):
        '''The kernel is turned by half a turn, …'''
        return sound(x, weight[..., ::-1, ::-1], *rest)

Its name becomes the mutant's, its docstring the story. Where it is planted is said by *places*:
`at` one attribute, in `every_rung` of an operation's kernels, or in one `rule` of the operations
that have their gradients as closures.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any

from minigrad.autograd import Array

Mistake = Callable[..., Any]


@dataclass(frozen=True)
class Patch:
    """One attribute of the engine, and how it is broken.

    Attributes
    ----------
    owner : module or class
    attribute : str
    wrap : callable
        Makes the broken thing from the sound one.
    """

    owner: Any
    attribute: str
    wrap: Callable[[Any], Any] = field(repr=False)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Exchange the attribute, and put it back whatever happens."""
        sound = vars(self.owner)[self.attribute]
        setattr(self.owner, self.attribute, self.wrap(sound))
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, sound)


Place = Callable[[Mistake], list[Patch]]


@dataclass(frozen=True)
class Mutant:
    """A broken operation.

    Attributes
    ----------
    name : str
        In kebab case.
    operation : str
        What is broken: the key under which a suite keeps the properties that should notice.
    story : str
        The mistake, and where it happened if it did.
    patches : tuple of Patch
    historical : bool
        Whether it really happened, in an engine or in the oracle of one.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad.testing import mutants
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> with mutants.find("relu-leaks").planted():
    ...     minigrad.functional.relu(x)
    tensor([-0.01,  2.  ], dtype=float32, device=cpu)
    >>> minigrad.functional.relu(x)
    tensor([0., 2.], dtype=float32, device=cpu)
    """

    name: str
    operation: str
    story: str
    patches: tuple[Patch, ...] = field(repr=False)
    historical: bool = False

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the engine inside the ``with``, for all threads, and mend it afterwards."""
        with ExitStack() as stack:
            for patch in self.patches:
                stack.enter_context(patch.applied())
            yield


def mutant(operation: str, *places: Place, historical: bool = False) -> Callable[[Mistake], Mutant]:
    """Make a mutant of a mistake; see the top of this file."""

    def make(mistake: Mistake) -> Mutant:
        name = mistake.__name__.replace("_", "-")
        story = " ".join((mistake.__doc__ or "").split())
        patches = tuple(patch for place in places for patch in place(mistake))
        return Mutant(name, operation, story, patches, historical)

    return make


def together(*makers: Mutant) -> tuple[Patch, ...]:
    """Gather the patches of several mistakes, for a mutant that makes them all."""
    return tuple(patch for each in makers for patch in each.patches)


def mutants_of(*modules: ModuleType) -> tuple[Mutant, ...]:
    """List the mutants that modules define, in the order in which they stand there."""
    return tuple(
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Mutant) and not name.startswith("_")
    )


# -- places ------------------------------------------------------------------------------------


def at(owner: Any, *attributes: str) -> Place:
    """Plant the mistake in functions of one module, or methods of one class."""

    def place(mistake: Mistake) -> list[Patch]:
        return [Patch(owner, attribute, _calling(mistake)) for attribute in attributes]

    return place


def every_rung(rungs: Mapping[str, ModuleType], *functions: str) -> Place:
    """Plant it in all rungs alike: then comparing rungs reveals nothing."""

    def place(mistake: Mistake) -> list[Patch]:
        return [patch for rung in rungs.values() for patch in at(rung, *functions)(mistake)]

    return place


def instead(owner: Any, attribute: str) -> Place:
    """Plant what the mistake returns, which gets nothing but the sound attribute."""
    return lambda mistake: [Patch(owner, attribute, mistake)]


def rule(module: ModuleType, operation: str, i: int = 0) -> Place:
    """Plant it in the gradient of operand i, where an operation has that as a closure.

    The mistake gets the sound vjp, the gradient, what the operation returned, and its operands,
    as arrays.
    """

    def place(mistake: Mistake) -> list[Patch]:
        def broken_record(record: Any) -> Any:
            @wraps(record)
            def recorded(name: str, result: Any, *rules: Any) -> Any:
                if name == operation:
                    operands = [parent.data for parent, _ in rules]
                    parent, vjp = rules[i]

                    def broken(gradient: Array) -> Array:
                        return mistake(vjp, gradient, result, *operands)

                    rules = (*rules[:i], (parent, broken), *rules[i + 1 :])
                return record(name, result, *rules)

            return recorded

        return [Patch(module, "record", broken_record)]

    return place


def _calling(mistake: Mistake) -> Callable[[Any], Any]:
    """Make the wrapper that puts a mistake in a function's place, under the function's name."""

    def wrap(sound: Any) -> Any:
        @wraps(sound)
        def broken(*arguments: Any, **options: Any) -> Any:
            return mistake(sound, *arguments, **options)

        return broken

    return wrap
