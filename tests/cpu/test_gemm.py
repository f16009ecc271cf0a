"""The matrix product inside kernels: exact on integers at all edges of tiles, no number beyond."""

import runpy
import sys
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding
from numba import types

from minigrad.cpu import gemm, kernel, microkernel, vectors
from minigrad.cpu.matmul import add_slabs
from minigrad.cpu.vectors import lanes as vectors_lanes
from tests.ops.rungs import integers

tiling = import_module("minigrad.cpu.gemm")  # the package has its function under this name


@kernel
def call_gemm(a, b, c, transpose_a, accumulate):
    gemm(a, b, c, transpose_a, accumulate)


ROWS, COLUMNS = microkernel.ROWS, microkernel.columns(4)
LANES, TALL = COLUMNS // 2, microkernel.NARROW_ROWS
lengths = st.sampled_from(
    [
        *(1, 0, 2, ROWS - 1, ROWS, ROWS + 1, TALL + 1),
        *(LANES, LANES + 1, COLUMNS - 1, COLUMNS, COLUMNS + 1, COLUMNS + LANES),
    ]
)
depths = st.sampled_from([1, 0, 2, 3, tiling.DEPTH, tiling.DEPTH + 1, 2 * tiling.DEPTH + 5])


def framed(array):
    """View an array in the middle of a larger one, so that its rows lie apart."""
    frame = np.full((array.shape[0] + 2, array.shape[1] + 3), 77, array.dtype)
    frame[1:-1, 1:-2] = array
    return frame, frame[1:-1, 1:-2]


def products(function, m, n, k, transpose_a, accumulate, dtype, seed):
    """Hold a product of integers, which is exact, against NumPy's; its surroundings to nothing."""
    rng = np.random.default_rng(seed)
    a, b, c = (integers(rng, *shape, dtype=dtype) for shape in ((m, k), (k, n), (m, n)))
    _, left = framed(a.T if transpose_a else a)
    _, right = framed(b)
    frame, out = framed(c)
    function(left, right, out, transpose_a, accumulate)
    np.testing.assert_array_equal(out, a @ b + (c if accumulate else 0), strict=True)
    frame[1:-1, 1:-2] = 77
    assert (frame == 77).all()


@given(
    m=lengths, n=lengths, k=depths, transpose_a=st.booleans(), accumulate=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_product(m, n, k, transpose_a, accumulate, dtype, seed):
    products(call_gemm, m, n, k, transpose_a, accumulate, dtype, seed)


# -- the pieces, in plain Python -----------------------------------------------------------------


def stand_in(transpose_a, height, vectors):
    """Do what one call of an innermost loop does."""

    def tile_product(a, a_step, b, b_step, depth, c, c_step, rows, cols, accumulate):
        for array, step in ((a, a_step), (b, b_step), (c, c_step)):
            assert array.strides == (step * array.itemsize, array.itemsize)
        assert 0 < rows <= height
        assert 0 < cols <= vectors * vectors_lanes(c.itemsize)
        part = a[:depth, :rows].T if transpose_a else a[:rows, :depth]
        tile = c[:rows, :cols]
        tile[...] = part @ b[:depth, :cols] + (tile if accumulate else 0)

    return tile_product


@given(
    m=lengths, n=lengths, k=depths, transpose_a=st.booleans(), accumulate=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_tiles_cover_the_product(m, n, k, transpose_a, accumulate, dtype, seed):
    """The loop over tiles, which is else only ever run compiled."""
    matrix = types.Array(types.float32 if dtype is np.float32 else types.float64, 2, "A")
    with pytest.MonkeyPatch.context() as patch:
        for name, height, width in (("tile", ROWS, 2), ("narrow", TALL, 1)):
            patch.setattr(tiling, f"{name}_product", stand_in(False, height, width))
            patch.setattr(tiling, f"{name}_product_transposed", stand_in(True, height, width))
        loop = tiling._compiled(matrix, matrix, matrix, types.boolean, types.boolean)
        products(loop, m, n, k, transpose_a, accumulate, dtype, seed)


@pytest.mark.parametrize(
    ("features", "width", "registers"),
    [({"avx512f": True, "avx2": True}, 64, 32), ({"avx2": True}, 32, 16), ({}, 16, 16)],
)
def test_a_tile_fits_into_the_registers(features, width, registers, monkeypatch):
    """With a row of b, and one number of a in all lanes, for each kind of processor."""
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    monkeypatch.setitem(
        sys.modules, "minigrad.cpu.vectors", SimpleNamespace(**runpy.run_path(vectors.__file__))
    )
    there = runpy.run_path(microkernel.__file__)
    assert there["BYTES"] == width
    assert there["columns"](4) * 4 == there["columns"](8) * 8 == there["VECTORS"] * width
    assert there["ROWS"] * there["VECTORS"] + there["VECTORS"] + 1 <= registers


@pytest.mark.parametrize("slabs", [1, 2, 5])
@pytest.mark.parametrize("shape", [(1,), (3, 7), (2, 5000), (4, 1, 4097)])
def test_slabs_are_added_in_their_order(slabs, shape):
    """To the bit as NumPy adds along the first axis, whatever the number of threads."""
    partial = np.random.default_rng(slabs).standard_normal((slabs, *shape), dtype=np.float32)
    np.testing.assert_array_equal(add_slabs(partial), partial.sum(axis=0))
