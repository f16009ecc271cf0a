"""A stand-in for the few things that are asked of CuPy, on the host: no GPU, no CuPy.

Its arrays hold NumPy arrays that nobody else can reach: as CuPy's, they refuse to become NumPy
arrays by themselves, and to be mixed with them. Kernels are compiled for the host and run there
(`tests.gpu.host`), so that a wrong shape, dtype or order of arguments fails on a laptop. What it
does not show: speed, races within a kernel, and whatever CuPy does otherwise than NumPy. Streams
are in `tests.gpu.streams`.

    with standin.installed():
        minigrad.tensor([1.0], device="cuda")
"""

import contextlib
import ctypes
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minigrad.gpu import cublas
from minigrad.gpu.launch import NAMES
from minigrad.gpu.signature import Parameter, kernels, sum_dtype
from tests.gpu import host, streams, taping

launched: set[str] = set()  # names of kernels that ran

# What of NumPy's may be asked for: CuPy 14.2 has it, with this meaning. Look there before adding.
FUNCTIONS = {
    "all", "allclose", "any", "argmax", "argmin", "argsort", "argwhere", "array_equal",
    "broadcast_to", "clip", "concatenate", "copy", "cumsum", "einsum", "empty_like",
    "expand_dims", "flip", "full_like", "max", "mean", "min", "moveaxis", "nonzero",
    "ones_like", "pad", "prod", "ravel", "repeat", "reshape", "roll", "shares_memory", "split",
    "squeeze", "stack", "std", "sum", "swapaxes", "take", "take_along_axis", "tensordot",
    "tile", "transpose", "tril", "triu", "var", "where", "zeros_like",
}  # fmt: skip
METHODS = {
    "T", "all", "any", "argmax", "argmin", "astype", "clip", "copy", "cumsum", "diagonal",
    "dot", "dtype", "fill", "flatten", "imag", "itemsize", "max", "mean", "min", "nbytes",
    "ndim", "nonzero", "prod", "ravel", "real", "repeat", "reshape", "round", "shape", "size",
    "sort", "squeeze", "std", "strides", "sum", "swapaxes", "take", "trace", "transpose",
    "var", "view",
}  # fmt: skip


class Flags:
    """CuPy's flags know three words."""

    def __init__(self, array: np.ndarray) -> None:
        self.c_contiguous, self.f_contiguous = array.flags.c_contiguous, array.flags.f_contiguous
        self.owndata = not isinstance(array.base, np.ndarray)


def wrap(value: Any) -> Any:
    """Make arrays of ours of NumPy's, inside tuples and lists as well."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    if isinstance(value, tuple | list):
        return type(value)(map(wrap, value))
    return value


def unwrap(value: Any) -> Any:
    """Take the NumPy arrays out of ours; refuse those that came from elsewhere."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        return type(value)(map(unwrap, value))
    return value


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801 (CuPy's name)
    """An array on the device that is not there."""

    def __init__(self, array: np.ndarray) -> None:
        self._host, self._made_on = array, getattr(streams.local, "device", 0)

    @property
    def device(self) -> SimpleNamespace:
        held = streams.lease(self._host)
        return SimpleNamespace(id=held.device if held else self._made_on)

    @property
    def __cuda_array_interface__(self) -> dict:
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3,
                "data": (self._host.ctypes.data, False)}  # fmt: skip

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        options = {name: unwrap(value) for name, value in options.items()}
        if out is not None:
            options["out"] = tuple(unwrap(array) for array in out)
        arguments = [unwrap(x) for x in inputs]
        if out is not None:
            taping.do(lambda: getattr(ufunc, method)(*arguments, **options))
            return out[0]
        return wrap(taping.make(lambda: getattr(ufunc, method)(*arguments, **options)))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ not in FUNCTIONS:
            return NotImplemented
        return called(function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"{name} is not among the METHODS of CuPy's stand-in")
        value = getattr(self._host, name)
        if not callable(value):
            return wrap(value)
        return lambda *args, **kwargs: called(value, args, kwargs, self._host)

    def fill(self, value: Any) -> None:
        taping.do(lambda: self._host.fill(value))

    def item(self) -> Any:
        taping.refuse("a copy to the host")
        return self._host.item()

    def tolist(self) -> Any:
        taping.refuse("a copy to the host")
        return self._host.tolist()

    def get(self) -> np.ndarray:
        taping.refuse("a copy to the host")
        return self._host.copy()

    def __deepcopy__(self, memo: Any) -> "ndarray":
        return self.copy()

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        assert type(array) is np.ndarray
        assert (self.shape, self.dtype) == (array.shape, array.dtype)
        assert self._host.flags.c_contiguous
        assert array.flags.c_contiguous
        streams.copy(self._host, array, stream or streams.current())

    def __dlpack__(self, **_: Any) -> Any:
        return self

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    @property
    def flags(self) -> Flags:
        return Flags(self._host)

    @property
    def base(self) -> Any:
        return ndarray(self._host.base) if isinstance(self._host.base, np.ndarray) else None

    @property
    def data(self) -> Any:
        owner = self._host
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return SimpleNamespace(mem=owner, ptr=self._host.ctypes.data)

    def __getitem__(self, index: Any) -> "ndarray":
        return wrap(taping.make(lambda: self._host[unwrap(index)], self._host))

    def __setitem__(self, index: Any, value: Any) -> None:
        index, value = unwrap(index), unwrap(value)
        taping.do(lambda: self._host.__setitem__(index, value))

    def __len__(self) -> int:
        return len(self._host)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._host.__index__()


class RawModule:
    """Kernels, compiled for the host."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        reals = [option[len("-DReal=") :] for option in options if option.startswith("-DReal=")]
        assert len(reals) == 1, options
        self.real, self.code = reals[0], code
        self.dtype = next(np.dtype(name) for name, real in NAMES.items() if real == self.real)
        assert f"-DSum={NAMES[sum_dtype(self.dtype).name]}" in options

    def get_function(self, name: str) -> Any:
        wanted = kernels(self.code)[name]

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple) -> None:
            assert len(arguments) == len(wanted)
            values = [
                _as_ctype(parameter, value, self.dtype)
                for parameter, value in zip(wanted, arguments, strict=True)
            ]
            function = getattr(host.compiled(self.code, self.real), f"launch_{name}")
            size = ctypes.c_longlong(grid[0]), ctypes.c_longlong(block[0])
            kept = arguments  # as long as the launch may be played
            taping.do(lambda: (function(*size, *values), kept))
            launched.add(f"{name}<{self.real}>")

        return launch


def _as_ctype(parameter: Parameter, value: Any, real: np.dtype) -> Any:
    """Turn what goes to a kernel into C's; CuPy would hand on the bits whatever they mean."""
    if parameter.is_array:
        if isinstance(value, np.uint64) and value == 0:
            return ctypes.c_void_p(None)
        assert isinstance(value, ndarray)
        assert value.dtype == parameter.dtype(real)
        return ctypes.c_void_p(value._host.ctypes.data)
    assert value.dtype == parameter.dtype(real)
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())


class CuBLAS:
    """What stands behind cuBLAS's calls. Arrays that a recorded one names are kept by the tape."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(host.cublas(), name)
        if name != "cublasGemmStridedBatchedEx" or not taping.capturing():
            return function

        def recorded(*arguments: Any) -> int:
            def play() -> None:
                assert function(*arguments) == 0

            taping.do(play)
            return 0

        return recorded


class MemoryHook:
    """CuPy's; nothing is told to it."""

    def __enter__(self) -> "MemoryHook":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


class OutOfMemoryError(MemoryError):
    """CuPy's."""


def _maker(name: str) -> Any:
    function = getattr(np, name)
    return lambda *args, **kwargs: called(function, args, kwargs)


def called(function: Any, args: Any, kwargs: dict[str, Any], *sources: np.ndarray) -> Any:
    """Call NumPy's function, on the arrays in ours; `sources` are others that it may look at."""
    arguments, options = unwrap(args), {name: unwrap(value) for name, value in kwargs.items()}
    if kwargs.get("out") is not None:
        taping.do(lambda: function(*arguments, **options))
        return kwargs["out"]
    arrays = [x for x in arguments if isinstance(x, np.ndarray)]
    return wrap(taping.make(lambda: function(*arguments, **options), *arrays, *sources))


def asarray(values: Any, dtype: Any = None) -> ndarray:
    """From the host, or what is here already."""
    if isinstance(values, ndarray):
        return values if dtype is None or values.dtype == dtype else values.astype(dtype)
    taping.refuse("a copy from the host")
    return ndarray(np.array(values, dtype))  # a copy: another memory


def module() -> ModuleType:
    """Make a module that goes by the name of cupy."""
    made: Any = ModuleType("cupy")
    made.ndarray, made.RawModule, made.asarray, made.array = ndarray, RawModule, asarray, asarray
    made.from_dlpack = lambda array: array.__dlpack__()
    made.asnumpy = lambda array: array.get()
    made.empty = lambda shape, dtype=float: ndarray(streams.empty(shape, dtype))
    for name in ("zeros", "ones", "full", "arange", "ascontiguousarray", "matmul",
                 "concatenate", "stack", "where", "empty_like", "zeros_like", "take",
                 "broadcast_to", "moveaxis", "add", "maximum", "tensordot", "sum"):  # fmt: skip
        setattr(made, name, _maker(name))
    made.add = SimpleNamespace(
        at=lambda array, index, values: np.add.at(unwrap(array), unwrap(index), unwrap(values))
    )
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1, getDevice=streams.device_id,
        memGetInfo=lambda: (1 << 30, 1 << 31),
        driverGetVersion=lambda: 12040, runtimeGetVersion=lambda: 13000,
        getDeviceProperties=lambda index: {
            "name": b"no GPU", "totalGlobalMem": 1 << 31, "multiProcessorCount": 2, "major": 9,
            "minor": 0,
        },
    )  # fmt: skip
    none: Any = lambda: 0  # noqa: E731
    pool = SimpleNamespace(free_all_blocks=none, used_bytes=none, total_bytes=none)
    made.get_default_memory_pool, made.__version__ = lambda: pool, "none"
    made._core = SimpleNamespace(
        _routines_linalg=SimpleNamespace(COMPUTE_TYPE_TF32=7, COMPUTE_TYPE_DEFAULT=1),
        set_compute_type=lambda dtype, kind: setattr(made, "compute_type", (dtype, kind)),
    )
    made.cuda = SimpleNamespace(
        runtime=runtime,
        Device=streams.Device,
        MemoryHook=MemoryHook,
        MemoryPool=lambda: SimpleNamespace(malloc=None),
        using_allocator=lambda allocator: contextlib.nullcontext(),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        get_current_stream=streams.current,
        Stream=streams.Stream,
        Event=streams.Event,
        alloc_pinned_memory=streams.alloc_pinned_memory,
    )
    return made


@contextlib.contextmanager
def installed() -> Any:
    """Let `import cupy` give the stand-in."""
    from minigrad.gpu import launch

    before, library = sys.modules.get("cupy"), cublas.library
    sys.modules["cupy"] = module()
    cublas.library = CuBLAS
    launch._compiled.cache_clear()
    cublas._handle.cache_clear()
    try:
        yield
    finally:
        launch._compiled.cache_clear()
        cublas._handle.cache_clear()
        cublas.library = library
        streams.reset()
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before
