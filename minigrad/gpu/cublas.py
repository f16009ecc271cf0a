"""Products of matrices by cuBLAS: one call for a whole batch, in the precision that is asked for.

CuPy has a matrix product too, which the plain operation `matmul` uses. For convolutions it does not
suffice: over a batch it neither uses tensor cores for float32, nor multiplies 16-bit numbers as
such, nor lets one matrix meet many without writing a list of addresses first; and it refuses to be
recorded in a graph. So the one function of the library that we need is called here directly.

cuBLAS reads matrices column by column, we write them row by row. What one calls C the other calls
Cᵀ, so instead of C = A·B it is asked for Cᵀ = Bᵀ·Aᵀ: the operands change places, nothing is moved.
"""

import ctypes
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from minigrad.gpu.launch import empty
from minigrad.gpu.library import DeviceError, cupy

# cuBLAS's and CUDA's numbers, from cublas_api.h and library_types.h.
KINDS = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}
FLOAT32, TF32, FLOAT64 = 68, 77, 70  # what is computed in
AS_IT_LIES, TURNED = 0, 1
FASTEST = -1  # of its algorithms: cuBLAS chooses
WORKSPACE = 32 << 20  # bytes, what NVIDIA advises for its larger GPUs

_tf32 = False


def allow_tf32(allowed: bool) -> None:
    """See `minigrad.allow_tf32`."""
    global _tf32
    _tf32 = allowed


def matmul(a: Any, b: Any, out: Any) -> Any:
    """Multiply the matrices of two batches: (..., m, k), (..., k, n) → (..., m, n), into `out`.

    Parameters
    ----------
    a, b : arrays of one dtype
        Matrices may lie row by row or column by column (``.swapaxes(-1, -2)`` costs nothing), if
        one of the two axes has no gaps. Axes before the last two broadcast, two at most.
    out : array, contiguous
        Of the same dtype; or float32, where a and b have 16 bits. Sums are float32 for these.

    Raises
    ------
    ValueError
        If an operand's matrices have gaps along both axes.
    DeviceError
        If cuBLAS refuses.
    """
    (m, n), k = out.shape[-2:], a.shape[-1]
    if out.size == 0:
        return out
    if k == 0:
        out.fill(0)
        return out
    outer, inner = (1, 1, *out.shape[:-2])[-2:]
    steps = [_steps(x, out.ndim) for x in (a, b, out)]
    if outer > inner:  # one call covers an axis; Python walks along the other
        outer, inner = inner, outer
        steps = [step[::-1] for step in steps]
    transposed = [(m, n, k), _layout("b", b), _layout("a", a)]
    for i in range(outer):
        pairs = zip((a, b, out), steps, strict=True)
        places = [x.data.ptr + i * step[0] * x.itemsize for x, step in pairs]
        _gemm(transposed, (a, b, out), places, [step[1] for step in steps], inner)
    return out


def open_here() -> None:
    """Open cuBLAS for the current device and stream: what a recording cannot do by itself."""
    cuda = cupy().cuda
    _handle(cuda.Device().id, cuda.get_current_stream().ptr)


def _steps(x: Any, ndim: int) -> tuple[int, int]:
    """Tell how far apart the matrices lie along both axes of the batch, in numbers; 0: the same."""
    axes = [
        0 if length == 1 else stride // x.itemsize
        for length, stride in zip(x.shape[:-2], x.strides[:-2], strict=True)
    ]
    outer, inner = (0, 0, *axes)[-2:]
    return outer, inner


def _layout(name: str, x: Any) -> tuple[int, int]:
    """Tell how cuBLAS is to read a matrix, and how far apart its rows (or columns) lie."""
    rows, columns = x.shape[-2:]
    down, right = (stride // x.itemsize for stride in x.strides[-2:])
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return AS_IT_LIES, columns if rows == 1 else down
    if (down == 1 or rows == 1) and (right >= rows or columns == 1):
        return TURNED, rows if columns == 1 else right
    raise ValueError(f"matmul: the matrices of {name} have gaps along both axes: {x.strides}")


def _gemm(shape: Any, arrays: Any, places: list[int], steps: list[int], count: int) -> None:
    """Call cuBLAS for `count` products, `steps` apart: Cᵀ (n, m) = Bᵀ (n, k) · Aᵀ (k, m)."""
    (m, n, k), (turn_b, lead_b), (turn_a, lead_a) = shape
    (a, b, out), (at_a, at_b, at_out), (step_a, step_b, step_out) = arrays, places, steps
    number = ctypes.c_double if out.dtype == np.float64 else ctypes.c_float
    kind, exact = KINDS[b.dtype.name], FLOAT64 if out.dtype == np.float64 else FLOAT32
    handle, _ = _handle(a.device.id, cupy().cuda.get_current_stream().ptr)
    _check(
        library().cublasGemmStridedBatchedEx(
            handle, turn_b, turn_a, n, m, k, ctypes.byref(number(1)),
            ctypes.c_void_p(at_b), kind, lead_b, ctypes.c_longlong(step_b),
            ctypes.c_void_p(at_a), kind, lead_a, ctypes.c_longlong(step_a),
            ctypes.byref(number(0)),
            ctypes.c_void_p(at_out), KINDS[out.dtype.name], n, ctypes.c_longlong(step_out),
            count, TF32 if _tf32 and kind == KINDS["float32"] else exact, FASTEST,
        )
    )  # fmt: skip


@cache
def library() -> ctypes.CDLL:
    """Load cuBLAS, the one that CuPy uses."""
    version = cupy().cuda.runtime.runtimeGetVersion() // 1000
    try:
        with suppress(ImportError):  # older CuPy does without it, and finds the library itself
            import_module("cuda.pathfinder").load_nvidia_dynamic_lib("cublas")
        return ctypes.CDLL(f"libcublas.so.{version}")
    except (RuntimeError, OSError) as error:
        raise DeviceError(f"cuda: cuBLAS cannot be loaded ({error})") from None


@cache
def _handle(device: int, stream: int) -> tuple[ctypes.c_void_p, Any]:
    """Open cuBLAS on a GPU for a stream, once. Returns what it is called by, and its memory."""
    # Memory of its own, since none can be asked for while a graph is recorded; and in this order,
    # since a new stream makes cuBLAS forget it.
    handle, workspace = ctypes.c_void_p(), empty((WORKSPACE,), np.uint8)
    _check(library().cublasCreate_v2(ctypes.byref(handle)))
    _check(library().cublasSetStream_v2(handle, ctypes.c_void_p(stream)))
    memory = ctypes.c_void_p(workspace.data.ptr), ctypes.c_size_t(WORKSPACE)
    _check(library().cublasSetWorkspace_v2(handle, *memory))
    return handle, workspace


def _check(status: int) -> None:
    if status:
        raise DeviceError(f"cuda: cuBLAS failed, with status {status} of cublasStatus_t")
