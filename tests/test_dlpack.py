"""Arrays handed to other libraries and taken from them, without a copy."""

import numpy as np
import pytest

import minigrad
from minigrad import tensor
from tests.gpu import standin


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_numpy_both_ways(dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    ours = minigrad.from_dlpack(array)
    assert ours.dtype == dtype
    array[1, 2] = 77
    assert ours.data[1, 2] == 77
    assert np.shares_memory(np.from_dlpack(ours), array)


def test_pytorch_both_ways():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6.0).reshape(2, 3).T
    ours = minigrad.from_dlpack(theirs)
    theirs[0, 1] = -1
    np.testing.assert_array_equal(ours.data, theirs.numpy())
    back = torch.from_dlpack(ours)
    back[2, 0] = 9
    assert theirs[2, 0] == 9


def test_strides_are_kept():
    ours = minigrad.from_dlpack(np.zeros((2, 5, 4, 3)).transpose(0, 3, 1, 2))
    assert ours.data.strides == np.zeros((2, 5, 4, 3)).transpose(0, 3, 1, 2).strides


def test_what_needs_a_gradient_is_not_handed_out():
    x = tensor([1.0], requires_grad=True)
    with pytest.raises(BufferError, match=r"detach\(\)"):
        np.from_dlpack(x)
    assert np.from_dlpack(x.detach()) == 1


def test_refusals():
    with pytest.raises(TypeError, match="x must have __dlpack__ and __dlpack_device__, got list"):
        minigrad.from_dlpack([1.0])
    with pytest.raises(TypeError, match="real numbers or booleans, got dtype complex128"):
        minigrad.from_dlpack(np.zeros(2, complex))

    class Elsewhere:
        def __dlpack__(self, **options):
            raise AssertionError("not asked for")

        def __dlpack_device__(self):
            return 10, 0

    with pytest.raises(TypeError, match="device of DLPack's kind 10"):
        minigrad.from_dlpack(Elsewhere())


def test_on_the_gpu_cupy_is_asked():
    with standin.installed():
        theirs = standin.asarray(np.ones(3, np.float32))
        ours = minigrad.from_dlpack(theirs)
        assert ours.device == "cuda:0"
        assert ours.data is theirs
        assert ours.__dlpack_device__() == (2, 0)
