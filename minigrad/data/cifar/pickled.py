"""Read the pickles of CIFAR's Python archives without unpickling: nothing in them is ever called.

A pickle is a program for a small machine with a stack, and two of its instructions, GLOBAL and
REDUCE, name any function and call it: to load one is to run it. So the program is only looked at
here, instruction by instruction (`pickletools.genops` takes it apart), and what it would have built
is built by this module. That is dicts, lists, tuples, text, bytes, whole numbers, and arrays of
bytes, written as NumPy writes them::

    GLOBAL  'numpy.core.multiarray _reconstruct'    which array: not made before its state is known
            (ndarray, (0,), 'b')
    REDUCE
            (1, (10000, 3072), dtype, False, '…')   version, shape, type, Fortran order, elements
    BUILD
    GLOBAL  'numpy dtype'                           which type: 'u1', nothing else
            ('u1', 0, 1)
    REDUCE
            (3, '|', None, None, None, -1, -1, 0)
    BUILD

Every other name, every other call and every other instruction is refused. The format is told by the
comments of Python's own `pickletools`. The archives were written by Python 2 (protocol 2, whose
strings are bytes); what Python 3 writes up to protocol 4 is understood as well.
"""

import math
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["read_pickled"]

MOST_INSTRUCTIONS = 2_000_000  # CIFAR-100's training file has 400,000
MOST_AXES = 4
RECONSTRUCT, NDARRAY, DTYPE = "_reconstruct", "ndarray", "dtype"
NAMES = {
    "numpy.core.multiarray _reconstruct": RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": RECONSTRUCT,  # since NumPy 2
    "numpy ndarray": NDARRAY,
    "numpy dtype": DTYPE,
}
VALUES = {
    "BININT", "BININT1", "BININT2", "LONG1", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES",
    "BINBYTES", "SHORT_BINUNICODE", "BINUNICODE",
}  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
LONGEST = 8  # bytes of a whole number
LONGEST_KEY = 100  # letters: a long one that stands on a few bytes could be decoded many times


@dataclass
class _Named:
    """One of `NAMES`; not the thing that has it."""

    what: str


@dataclass
class _Unfinished:
    """An array or an element type that REDUCE has announced and BUILD is to complete."""

    what: str
    places: list[int]  # of the memo


class _Mark:
    """Where on the stack a list of things begins."""


class _RefusedError(ValueError):
    """What is wrong with an instruction."""


def read_pickled(content: bytes, name: str) -> dict[str, Any]:
    """Return the dict that a pickle describes, without running it.

    Parameters
    ----------
    content
        The pickle.
    name
        How the file is called, for errors.

    Returns
    -------
    dict
        By text: strings of Python 2 that are keys are decoded. Arrays are uint8; their memory is
        that of `content` and cannot be written to.

    Raises
    ------
    ValueError
        When it does not describe a dict, holds anything but the types above, or is damaged. The
        sentence names the file, the instruction and its position.

    Examples
    --------
    >>> import pickle
    >>> read_pickled(pickle.dumps({"labels": [6, 9]}, protocol=2), "batch")
    {'labels': [6, 9]}
    >>> read_pickled(pickle.dumps({"x": print}, protocol=2), "batch")
    Traceback (most recent call last):
    ValueError: read_pickled: 'batch' is refused at the instruction GLOBAL at position 13: it names
    '__builtin__ print', which has no place in a file of pictures; it was not run
    """
    machine, position, instruction = _Machine(), 0, "PROTO"
    try:
        for count, (code, argument, place) in enumerate(pickletools.genops(content)):
            instruction, position = code.name, place or 0
            if count >= MOST_INSTRUCTIONS:
                raise _RefusedError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            machine.step(instruction, argument)
    except _RefusedError as error:
        raise ValueError(
            f"read_pickled: {name!r} is refused at the instruction {instruction} at position "
            f"{position}: {error}"
        ) from None
    except (ValueError, OverflowError, MemoryError) as error:  # genops could not go on
        raise ValueError(
            f"read_pickled: {name!r} is damaged or cut short after the instruction {instruction} "
            f"at position {position}: {error}"
        ) from None
    return machine.result(name)


class _Machine:
    """The stack and the memo of the pickle machine, with instructions that only put together."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, instruction: str, argument: Any) -> None:
        """Carry out one instruction."""
        if instruction in VALUES:
            if instruction == "LONG1" and not -(2 ** (8 * LONGEST)) < argument < 2 ** (8 * LONGEST):
                raise _RefusedError(f"a whole number of more than {LONGEST} bytes")
            # genops decodes strings of Python 2 as Latin-1, byte by byte.
            python2 = instruction in ("SHORT_BINSTRING", "BINSTRING")
            self.stack.append(argument.encode("latin-1") if python2 else argument)
        elif instruction in CONSTANTS:
            self.stack.append(CONSTANTS[instruction])
        elif instruction in TUPLES:
            self.stack.append(self._taken(TUPLES[instruction]))
        else:
            method = getattr(self, f"_{instruction.lower()}", None)
            if method is None or instruction not in KNOWN:
                raise _RefusedError("it has no place in a file of pictures; it was not run")
            method(argument)

    def result(self, name: str) -> dict[str, Any]:
        """Return the dict, once STOP has come."""
        left = self.stack[-1] if len(self.stack) == 1 else None
        if not isinstance(left, dict):
            many, kind = len(self.stack), type(left).__name__.strip("_").lower()
            what = f"{many} things" if many != 1 else f"something of type {kind}"
            raise ValueError(f"read_pickled: {name!r} holds {what}, but one dict was needed")
        return left

    # -- the instructions, each named as in pickletools --------------------------------------------

    def _proto(self, version: int) -> None:
        if version > 4:
            raise _RefusedError(f"protocol {version} is newer than 4")

    def _frame(self, length: int) -> None: ...

    def _stop(self, _: None) -> None: ...

    def _mark(self, _: None) -> None:
        self.stack.append(_Mark())

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _append(self, _: None) -> None:
        (item,) = self._taken(1)
        self._top(list).append(item)

    def _appends(self, _: None) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def _setitem(self, _: None) -> None:
        self._set(list(self._taken(2)))

    def _setitems(self, _: None) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise _RefusedError("a key has no value")
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes):  # a tuple could be nested too deep to be hashed
                raise _RefusedError(f"the key of a dict is of type {type(key).__name__}, not text")
            if len(key) > LONGEST_KEY:
                raise _RefusedError(f"the key of a dict has {len(key):,} letters")
            target[key if isinstance(key, str) else key.decode("latin-1")] = value

    def _binput(self, place: int) -> None:
        top = self.memo[place] = self._top(object)
        if isinstance(top, _Unfinished):
            top.places.append(place)

    _long_binput = _binput

    def _memoize(self, _: None) -> None:
        self._binput(len(self.memo))

    def _binget(self, place: int) -> None:
        if place not in self.memo:
            raise _RefusedError(f"there is nothing at place {place} of the memo")
        self.stack.append(self.memo[place])

    _long_binget = _binget

    def _global(self, name: str) -> None:
        if name not in NAMES:
            raise _RefusedError(
                f"it names {name[:80]!r}, which has no place in a file of pictures; it was not run"
            )
        self.stack.append(_Named(NAMES[name]))

    def _stack_global(self, _: None) -> None:
        module, name = self._taken(2)
        if not (isinstance(module, str) and isinstance(name, str)):
            raise _RefusedError("it names something by what is not text")
        self._global(f"{module} {name}")

    def _reduce(self, _: None) -> None:
        function, arguments = self._taken(2)
        what = function.what if isinstance(function, _Named) else ""
        if what == RECONSTRUCT and _is_empty_array(arguments):
            self.stack.append(_Unfinished(NDARRAY, []))
        elif what == DTYPE and _is_bytes(arguments):
            self.stack.append(_Unfinished(DTYPE, []))
        else:
            raise _RefusedError(
                "it calls something, and not as NumPy writes an array of bytes; it was not run"
            )

    def _build(self, _: None) -> None:
        (state,) = self._taken(1)
        unfinished = self._top(_Unfinished)
        if unfinished.what == NDARRAY:
            array = _array(state)
            self.stack[-1] = array
            for place in unfinished.places:
                if self.memo[place] is unfinished:
                    self.memo[place] = array
        elif not isinstance(state, tuple):
            raise _RefusedError("the state of an element type is not a tuple")

    # -- the stack ---------------------------------------------------------------------------------

    def _taken(self, count: int) -> tuple[Any, ...]:
        """Take so many things off the stack."""
        if len(self.stack) < count:
            raise _RefusedError("there is too little on the stack")
        taken = tuple(self.stack[len(self.stack) - count :])
        if any(isinstance(item, _Mark) for item in taken):
            raise _RefusedError("there is too little on the stack")
        del self.stack[len(self.stack) - count :]
        return taken

    def _since_mark(self) -> list[Any]:
        """Take off the stack what lies above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[place], _Mark):
                taken = self.stack[place + 1 :]
                del self.stack[place:]
                return taken
        raise _RefusedError("there is no mark on the stack")

    def _top(self, kind: type) -> Any:
        """Return what lies on top of the stack, which must be of one kind."""
        if not self.stack or isinstance(self.stack[-1], _Mark):
            raise _RefusedError("there is too little on the stack")
        if not isinstance(self.stack[-1], kind):
            raise _RefusedError(
                f"it goes with something of type {kind.__name__.strip('_').lower()}, but here is "
                f"one of type {type(self.stack[-1]).__name__.strip('_').lower()}"
            )
        return self.stack[-1]


KNOWN = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "EMPTY_DICT", "TUPLE", "APPEND", "APPENDS",
    "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET", "GLOBAL",
    "STACK_GLOBAL", "REDUCE", "BUILD",
}  # fmt: skip


def _is_empty_array(arguments: Any) -> bool:
    """Tell whether these are (ndarray, (0,), 'b'), with which NumPy begins an array."""
    if type(arguments) is not tuple or len(arguments) != 3:
        return False
    kind, shape, code = arguments
    array = isinstance(kind, _Named) and kind.what == NDARRAY
    return array and _lengths(shape) == [0] and _text(code) == "b"


def _is_bytes(arguments: Any) -> bool:
    """Tell whether these begin the element type of bytes: ('u1', 0, 1) or ('u1', False, True)."""
    if type(arguments) is not tuple or len(arguments) != 3:
        return False
    code, *flags = arguments
    return _text(code) == "u1" and all(isinstance(flag, int) for flag in flags)


def _array(state: Any) -> np.ndarray:
    """Make an array of (version, shape, type, Fortran order, elements)."""
    if type(state) is not tuple or len(state) != 5:
        raise _RefusedError("the state of an array is not five things")
    version, shape, kind, fortran, elements = state
    lengths = _lengths(shape)
    if type(version) is not int or version != 1 or lengths is None or len(lengths) > MOST_AXES:
        raise _RefusedError("the shape of an array is not a few whole numbers")
    if not (isinstance(kind, _Unfinished) and kind.what == DTYPE):
        raise _RefusedError("the elements of an array are not bytes")
    if not isinstance(elements, bytes) or not isinstance(fortran, int):
        raise _RefusedError("the elements of an array are not a string of bytes")
    size = math.prod(lengths)
    if size != len(elements):
        raise _RefusedError(
            f"an array of shape {shape} takes {size:,} bytes, but has {len(elements):,}"
        )
    return np.frombuffer(elements, np.uint8).reshape(lengths, order="F" if fortran else "C")


def _lengths(shape: Any) -> list[int] | None:
    """Return the lengths of an array's axes, if that is what a value is."""
    good = type(shape) is tuple and all(type(length) is int and length >= 0 for length in shape)
    return list(shape) if good else None


def _text(value: Any) -> str | None:
    """Return a string as text, also one of Python 2."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None
