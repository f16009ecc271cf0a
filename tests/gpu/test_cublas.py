"""Products by cuBLAS: how matrices may lie, what is asked for, what is refused.

Without a GPU another library stands behind the same calls (`cublas.cpp`), which checks what cuBLAS
checks: whether the rows are as long as they are said to be, types that do not go together, memory
to work in.
"""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.gpu import DeviceError, cublas, cupy, empty, matmul
from tests.gpu import host
from tests.gpu.rungs import on_cpu, on_gpu
from tests.ops.rungs import integers

pytestmark = pytest.mark.usefixtures("gpu")


def product(a, b, dtype=None):
    """Multiply arrays that lie on the GPU."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = empty((*batch, a.shape[-2], b.shape[-1]), dtype or a.dtype)
    assert matmul(a, b, out) is out
    return on_cpu(out)


@st.composite
def matrices(draw):
    """Draw two batches of matrices that can be multiplied, row by row or column by column."""
    lengths = st.integers(0, 4)
    m, k, n, outer, inner = (draw(lengths) for _ in range(5))
    batch, turned = draw(st.sampled_from([(), (inner,), (outer, inner)])), st.booleans()
    made = []
    for rows, columns in ((m, k), (k, n)):
        own = tuple(draw(st.sampled_from([length, 1])) for length in batch)
        own = own[draw(st.integers(0, len(own))) :] if len(own) else own
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        lying = on_gpu(integers(rng, *own, columns, rows)).swapaxes(-1, -2)
        made.append(lying if draw(turned) else on_gpu(integers(rng, *own, rows, columns)))
    return made


def test_as_numpy_multiplies():
    @given(matrices())
    def holds(pair):
        wanted = np.matmul(*map(on_cpu, pair))
        np.testing.assert_array_equal(product(*pair), wanted)

    holds()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_dtypes(dtype):
    rng = np.random.default_rng(0)
    a, b = integers(rng, 3, 2, 4, dtype=dtype), integers(rng, 3, 4, 5, dtype=dtype)
    made = product(on_gpu(a), on_gpu(b))
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, a @ b)


def test_sums_of_16_bits_are_float32():
    a, b = np.ones((1, 1, 4097), np.float16), np.ones((1, 4097, 1), np.float16)
    assert product(on_gpu(a), on_gpu(b), np.float32).item() == 4097
    assert product(on_gpu(a), on_gpu(b)).item() == 4096  # rounded once, at the end


def test_rows_with_gaps_between_them():
    a, b = integers(np.random.default_rng(0), 6, 4), integers(np.random.default_rng(1), 4, 6)
    np.testing.assert_array_equal(product(on_gpu(a)[::2], on_gpu(b)[:, 1:3]), a[::2] @ b[:, 1:3])


def test_gaps_along_both_axes_are_refused():
    a, b = (on_gpu(np.zeros((4, 4), np.float32)) for _ in range(2))
    with pytest.raises(ValueError, match="the matrices of b have gaps along both axes"):
        matmul(a[:2, :2], b[:4:2, ::2], empty((2, 2), np.float32))
    with pytest.raises(ValueError, match="the matrices of a have gaps along both axes"):
        matmul(a[::2, ::2], b[:2, :2], empty((2, 2), np.float32))


def test_one_call_for_the_longer_axis_of_a_batch(gpu):
    if gpu != "stand-in":
        pytest.skip("the calls are counted in the stand-in")
    library = host.cublas()
    for outer, inner in ((2, 7), (7, 2)):
        a, b = (
            on_gpu(np.ones((inner, 3, 4), np.float32)),
            on_gpu(np.ones((outer, inner, 4, 5), np.float32)),
        )
        before = _read(library, "calls")
        assert (product(a, b) == 4).all()
        assert _read(library, "calls") - before == 2
        assert _read(library, "last_count") == 7


def test_tf32_only_when_asked(gpu):
    if gpu != "stand-in":
        pytest.skip("what is asked for is seen in the stand-in")
    library = host.cublas()
    numbers = {kind: on_gpu(np.ones((2, 2), kind)) for kind in (np.float32, np.float64, np.float16)}

    def computed_in(kind):
        product(numbers[kind], numbers[kind])
        return _read(library, "last_compute")

    try:
        assert computed_in(np.float32) == cublas.FLOAT32
        minigrad.allow_tf32(True)
        assert computed_in(np.float32) == cublas.TF32
        assert computed_in(np.float16) == cublas.FLOAT32
        assert computed_in(np.float64) == cublas.FLOAT64
    finally:
        minigrad.allow_tf32(False)
    assert computed_in(np.float32) == cublas.FLOAT32


def test_a_refusal_is_an_error():
    a = on_gpu(np.ones((2, 2), np.float32))
    with pytest.raises(DeviceError, match="cuBLAS failed, with status 15"):
        matmul(a, a, empty((2, 2), np.float16))


def _read(library, name):
    return ctypes.c_int.in_dll(library, name).value


def test_it_is_opened_once_for_a_stream_with_memory_to_work_in():
    stream = cupy().cuda.get_current_stream().ptr
    handle, workspace = cublas._handle(0, stream)
    assert cublas._handle(0, stream)[0] is handle
    assert workspace.nbytes == cublas.WORKSPACE
