"""A property: a named statement about one operation, that raises where it does not hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

CPU_THREADS = "the threads are those of the CPU"


@dataclass(frozen=True)
class Property:
    """A statement about an operation. Calling it looks whether it holds.

    Attributes
    ----------
    operation, name : str
    check : callable
        Raises AssertionError where the statement does not hold.
    strategies : dict of hypothesis strategies, by the names of check's parameters
        What the statement is about; empty if it says it itself.
    cpu_only : str
        Why it says nothing about a GPU; empty if it holds there too.

    Examples
    --------
    >>> from minigrad.testing.suite import SUITE
    >>> prop = SUITE["relu"]["positive_and_negative_parts"]
    >>> prop()
    """

    operation: str
    name: str
    check: Callable[..., None] = field(repr=False)
    strategies: Mapping[str, SearchStrategy[Any]] = field(default_factory=dict, repr=False)
    cpu_only: str = field(default="", repr=False)

    def __call__(self, profile: settings | None = None) -> None:
        """Check it, with hypothesis' settings of this moment unless others are given."""
        if not self.strategies:
            self.check()
            return
        # Made anew for each call: a test keeps the settings of the moment when it was made.
        run = given(**self.strategies)(self.check)
        settings(profile or settings(), database=None)(run)()

    @property
    def story(self) -> str:
        """The first line of what check says about itself."""
        return (self.check.__doc__ or self.name.replace("_", " ")).strip().splitlines()[0]


def holds(
    operation: str, *, cpu_only: str = "", **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Property]:
    """Make a `Property` of a function, about an operation, with what hypothesis is to draw."""

    def make(check: Callable[..., None]) -> Property:
        return Property(operation, check.__name__, check, strategies, cpu_only)

    return make


def properties_of(*modules: ModuleType) -> list[Property]:
    """List the properties that modules define, in the order in which they stand there."""
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Property)
    ]
