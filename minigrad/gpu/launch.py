"""Launching kernels: CUDA C from a file, compiled for a dtype when it is first used.

A file ``kernels.cu`` is written for names that are filled in here: ``Real``, the type of the
numbers in memory, ``Sum``, what is computed in, and ``Index``, a signed 64-bit integer (see
`common.cu`). A kernel is one thread's work: ``THREAD`` is the number of the thread, and threads
past the last one return at once::

    extern "C" __global__ void scale(Index count, const Real* x, Sum factor, Real* out) {
        Index i = THREAD;
        if (i >= count) return;
        out[i] = factor * x[i];
    }

    Source(__file__).launch("scale", x.size, x, 2.0, out)

Every argument is held against the kernel's signature (`minigrad.gpu.signature`): numbers take the
type that stands there, arrays must have it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.gpu.library import cupy, is_gpu_array, out_of_memory
from minigrad.gpu.signature import Parameter, kernels, passed, sum_dtype

THREADS = 256  # of one block
COMMON = Path(__file__).parent / "common.cu"
NAMES = {"float32": "float", "float64": "double", "float16": "Half", "bfloat16": "BFloat"}


class Source:
    """The kernels of one operation, in the file ``kernels.cu`` beside `module`.

    Parameters
    ----------
    module : str
        The ``__file__`` of the Python module that launches them.
    small : bool
        Whether they are written for numbers of 16 bits too: whatever is computed is a `Sum`.
    """

    def __init__(self, module: str, small: bool = False) -> None:
        self.path = Path(module).with_name("kernels.cu")
        self.reals = tuple(NAMES.values()) if small else ("float", "double")

    @cache  # noqa: B019 (there are as many as there are files)
    def code(self) -> str:
        """Return the source as it is compiled: the common part, then the file."""
        return COMMON.read_text() + f'#line 1 "{self.path.name}"\n' + self.path.read_text()

    def launch(self, name: str, count: int, *arguments: Any, dtype: Any = None) -> None:
        """Run `count` threads of the kernel `name`, as ``name(count, *arguments)``.

        Parameters
        ----------
        count : int
            How many threads: usually one for each number of the output. Nothing is done for 0.
        *arguments
            Arrays on the GPU, contiguous in the order of their axes; numbers; None for a pointer
            that is null.
        dtype : numpy dtype, optional
            What ``Real`` is; that of the first array of ``Real`` if not given.

        Raises
        ------
        TypeError
            If an argument is not what the kernel takes, or there are too few or too many.
        """
        if count == 0:
            return
        code = self.code()
        parameters, given = kernels(code)[name], (count, *arguments)
        if len(given) != len(parameters):
            raise TypeError(f"{name} takes {len(parameters)} arguments, got {len(given)}")
        real = _real(name, parameters, given) if dtype is None else np.dtype(dtype)
        if NAMES[real.name] not in self.reals:
            raise TypeError(f"{name}: there is no kernel for {real}")
        values = tuple(
            passed(name, parameter, value, real)
            for parameter, value in zip(parameters, given, strict=True)
        )
        _compiled(code, real).get_function(name)((-(-count // THREADS),), (THREADS,), values)


@cache
def _compiled(code: str, real: np.dtype) -> Any:
    # Without fast-math, and without flushing small numbers to zero: as on the CPU.
    names = f"-DReal={NAMES[real.name]}", f"-DSum={NAMES[sum_dtype(real).name]}"
    return cupy().RawModule(code=code, options=(*names, "--std=c++17"))


def _real(name: str, parameters: tuple[Parameter, ...], given: tuple[Any, ...]) -> np.dtype:
    """Find what Real is: the dtype of the first array that is declared so."""
    for parameter, value in zip(parameters, given, strict=True):
        if parameter.is_array and parameter.type == "Real" and is_gpu_array(value):
            if value.dtype.name not in NAMES:
                break
            return np.dtype(value.dtype)
    raise TypeError(f"{name}: no array tells what Real is, of {', '.join(NAMES)}; give dtype")


def contiguous(array: Any) -> Any:
    """Return the array itself if its numbers lie in the order of its axes, or else a copy."""
    return array if array.flags.c_contiguous else cupy().ascontiguousarray(array)


def empty(shape: Any, dtype: Any) -> Any:
    """Make room on the GPU for an array with no values in particular.

    Raises
    ------
    DeviceError
        If there is not enough memory: what was asked for, what is free, what to lower.
    """
    library = cupy()
    try:
        return library.empty(shape, dtype)
    except library.cuda.memory.OutOfMemoryError as error:
        raise out_of_memory(
            error, f"an array of shape {shape} and dtype {np.dtype(dtype)}"
        ) from None


def copied(array: np.ndarray, index: int) -> Any:
    """Copy an array of the CPU to GPU number `index`.

    Raises
    ------
    DeviceError
        If there is not enough memory.
    """
    library = cupy()
    with library.cuda.Device(index):
        try:
            return library.asarray(np.ascontiguousarray(array).reshape(array.shape))
        except library.cuda.memory.OutOfMemoryError as error:
            raise out_of_memory(error, f"an array of {array.nbytes / 2**20:.0f} MiB") from None
