"""Tensors on a GPU: where they lie, how they move, and plain operations with their gradients."""

import numpy as np
import pytest

import minigrad
from minigrad import DeviceError, device, tensor
from minigrad import functional as F
from minigrad.gpu import Source, cupy, is_gpu_array
from minigrad.gpu.signature import Parameter, kernels
from minigrad.testing import gradcheck, on_device
from tests.gpu import standin

pytestmark = pytest.mark.usefixtures("gpu")

UNARY = {
    "negative": lambda x: -x,
    "exp": lambda x: x.exp(),
    "log": lambda x: (x * x + 1).log(),
    "sqrt": lambda x: (x * x + 1).sqrt(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "abs": lambda x: x.abs(),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "clip below": lambda x: x.clip(min=0.1),
    "power": lambda x: x**3,
    "numbers": lambda x: 2 * x + 1 - x / 4,
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean((0, 2), keepdims=True),
    "var": lambda x: x.var(1, correction=1),
    "max": lambda x: x.max(2),
    "min": lambda x: x.min(),
    "reshape": lambda x: x.reshape(6, -1),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 2),
    "T": lambda x: x.T,
    "flatten": lambda x: x.flatten(1),
    "unsqueeze": lambda x: x.unsqueeze(1).squeeze(1),
    "broadcast": lambda x: x.broadcast_to(5, 2, 3, 4),
    "slice": lambda x: x[:, 1:, ::2],
    "index": lambda x: x[[0, 1, 0], :, [3, 3, 1]],
    "mask": lambda x: x[x > 0],
    "newaxis": lambda x: x[None, ..., 0],
    "pad": lambda x: F.pad(x, (1, 2, -1, 0), value=3.0),
    "stack": lambda x: minigrad.stack([x, x * 2], axis=1),
    "concat": lambda x: minigrad.concat([x, x * 2], axis=2),
    "where": lambda x: minigrad.where(x > 0, x, 0.5 * x),
    "where with a mask of NumPy's": lambda x: minigrad.where(np.eye(3, 4) > 0, x, 1.0),
    "maximum": lambda x: minigrad.maximum(x, 0.2),
    "matmul": lambda x: x @ x.transpose(1, 2),
    "used twice": lambda x: x * x + x,
    "a view of the gradient": lambda x: x.reshape(24) + x.reshape(24),
}  # fmt: skip


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_gradient(function, array, where):
    """Run forward and backward on a device; give both results back on the CPU."""
    x = tensor(array, requires_grad=True, device=where)
    out = function(x)
    out.backward(numbers(*out.shape, seed=1))
    assert out.device == x.grad.device == x.device
    return device.put(out.data, "cpu"), device.put(x.grad.data, "cpu")


@pytest.mark.parametrize("name", UNARY)
def test_operations_and_gradients_are_those_of_the_cpu(name):
    array = numbers(2, 3, 4)
    for got, wanted in zip(
        with_gradient(UNARY[name], array, "cuda"),
        with_gradient(UNARY[name], array, "cpu"),
        strict=True,
    ):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


def test_where_a_tensor_lies():
    x = tensor([1.0, 2.0])
    there = x.to("cuda")
    assert (x.device, there.device, there.cpu().device) == ("cpu", "cuda:0", "cpu")
    assert is_gpu_array(there.data)
    assert x.to("cpu") is x
    assert there.to("cuda:0") is there
    assert x.cuda().device == "cuda:0"
    assert tensor(there).device == "cuda:0"
    assert repr(there) == "tensor([1., 2.], dtype=float32, device=cuda:0)"
    np.testing.assert_array_equal(np.asarray(there.cpu()), x.data)


def test_gradients_come_back_to_where_the_tensor_lies():
    x = tensor([1.0, -2.0], requires_grad=True)
    (x.to("cuda") ** 2).cpu().sum().backward()
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.data, [2, -4])


def test_gradients_of_several_backwards_are_added():
    x = tensor([1.0, -2.0], device="cuda", requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.cpu().tolist() == [6, -12]


def test_gradients_in_shared_memory_are_not_changed():
    """a + b hands one array to both: to add more to that of a must not change that of b."""
    a, b = (tensor([1.0, 1.0], device="cuda", requires_grad=True) for _ in range(2))
    (a + b + a).sum().backward()
    assert (a.grad.cpu().tolist(), b.grad.cpu().tolist()) == ([2, 2], [1, 1])


def test_two_devices_in_one_operation():
    x, w = tensor(numbers(1, 1, 3, 3), device="cuda"), tensor(numbers(1, 1, 2, 2))
    said = r"weight \(shape \(1, 1, 2, 2\)\) lies on cpu but x \(shape \(1, 1, 3, 3\)\) on cuda:0"
    with pytest.raises(ValueError, match=f"conv2d: {said}"):
        F.conv2d(x, w)
    with pytest.raises(
        ValueError, match="add: operand 1 .* lies on cuda:0 but operand 0 .* on cpu"
    ):
        w + x
    with pytest.raises(ValueError, match="concat: operand 1 .* lies on cpu"):
        minigrad.concat([x, w])


def test_what_is_not_numpys():
    x = tensor([1.0], device="cuda")
    with pytest.raises(TypeError, match=r"numpy: this tensor lies on cuda:0; use x.cpu\(\)"):
        x.numpy()
    assert x.item() == float(x) == 1.0


def test_anomalies_are_found_there_too():
    x = tensor([0.0, 1.0], device="cuda", requires_grad=True)
    found = pytest.raises(minigrad.AnomalyError, match="log: its output has 1 of 2 numbers")
    with minigrad.detect_anomaly(), np.errstate(divide="ignore"), found:
        x.log()


def test_names_that_are_none():
    for name in ("gpu", "cuda:", "cuda:-1", "CUDA", 0, None):
        with pytest.raises(ValueError, match='device must be "cpu", "cuda" or "cuda:1"'):
            tensor([1.0]).to(name)
    with pytest.raises(DeviceError, match=r"there is no cuda:99; the GPUs here are: cuda:0"):
        tensor([1.0]).to("cuda:99")


def test_arguments_that_a_kernel_refuses():
    source = Source(minigrad.ops.relu.gpu.__file__)
    x = tensor(numbers(4, 4), device="cuda").data
    wrong = {
        "relu_forward: x must be contiguous": (16, x.T, x),
        "relu_forward: out must hold float32, got float64": (16, x, x.astype(np.float64)),
        "relu_forward: out must be an array on the GPU, got str": (16, x, "x"),
        "relu_forward: out must be an array on the GPU, got ndarray": (16, x, numbers(2)),
        "relu_forward: count must be a number of int64, got 1.5": (1.5, x, x),
        "relu_forward takes 3 arguments, got 2": (16, x),
        "relu_forward: no array tells what Real is": (16, 1, 2),
    }
    for message, (count, *arguments) in wrong.items():
        with pytest.raises(TypeError, match=message):
            source.launch("relu_forward", count, *arguments)


def test_kernels_that_cannot_be_read():
    kernel = 'extern "C" __global__ void scale(Index count, const Real* x) {'
    assert kernels(kernel) == {
        "scale": (Parameter("count", "Index", False), Parameter("x", "Real", True))
    }
    with pytest.raises(ValueError, match="scale: cannot read the parameter 'const float. x'"):
        kernels(kernel.replace("Real", "float"))
    with pytest.raises(ValueError, match="a kernel is not written as"):
        kernels(kernel.replace("__global__ ", "__global__ static "))


def test_memory_that_runs_out(gpu, monkeypatch):
    if gpu != "stand-in":
        pytest.skip("not with real memory")
    import cupy

    def none(*arguments, **options):
        raise standin.OutOfMemoryError("Out of memory allocating 8,192 bytes")

    monkeypatch.setattr(cupy, "empty", none)
    said = (
        r"out of memory: an array of shape \(2, 3\) and dtype float32 .*Of 2048 MiB, 1024 MiB are"
    )
    with pytest.raises(DeviceError, match=said):
        F.relu(tensor(numbers(2, 3), device="cuda"))
    monkeypatch.setattr(cupy, "asarray", none)
    with pytest.raises(DeviceError, match="out of memory: an array of 0 MiB"):
        tensor(numbers(2, 3)).to("cuda")


def test_a_driver_that_is_missing(gpu, monkeypatch):
    if gpu != "stand-in":
        pytest.skip("the driver is there")
    import cupy

    def none():
        raise RuntimeError("cudaErrorNoDevice")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", none)
    assert not minigrad.cuda.is_available()
    assert minigrad.cuda.preferred_device() == "cpu"
    with pytest.raises(DeviceError, match="finds no usable driver .cudaErrorNoDevice."):
        tensor([1.0], device="cuda")
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(DeviceError, match="the GPUs here are: none"):
        tensor([1.0], device="cuda")


def test_rounding_to_tf32_is_asked_for(gpu):
    if gpu != "stand-in":
        pytest.skip("the stand-in tells what was asked")
    import cupy

    minigrad.allow_tf32(True)
    assert cupy.compute_type == (np.float32, 7)
    minigrad.allow_tf32(False)
    assert cupy.compute_type == (np.float32, 1)
    with pytest.raises(TypeError, match="allow_tf32: allowed must be a bool, got 1"):
        minigrad.allow_tf32(1)


def test_cuda():
    assert minigrad.cuda.is_available()
    assert minigrad.cuda.device_count() >= 1
    assert minigrad.cuda.preferred_device() == "cuda:0"
    minigrad.cuda.synchronize()


@pytest.fixture
def second(gpu, monkeypatch):
    """Have a second GPU."""
    if gpu == "stand-in":
        monkeypatch.setattr(cupy().cuda.runtime, "getDeviceCount", lambda: 2)
    elif minigrad.cuda.device_count() < 2:
        pytest.skip("there is one GPU")


@pytest.mark.usefixtures("second")
def test_a_second_gpu_computes_where_kernels_are_sent_to_it():
    x = tensor(numbers(2, 3), device="cuda:1", requires_grad=True)
    assert x.device == "cuda:1"
    refusal = (
        r"cuda: an array of shape \(2, 3\) lies on cuda:1, but kernels go to cuda:0. Compute "
        r'inside `with minigrad.cuda.device\("cuda:1"\)`, or move it'
    )
    with pytest.raises(minigrad.DeviceError, match=refusal):
        F.relu(x)
    with minigrad.cuda.device("cuda:1"):
        y = F.relu(x)
        y.sum().backward()
        with pytest.raises(minigrad.DeviceError, match="lies on cuda:0, but kernels go to cuda:1"):
            F.relu(tensor(numbers(2), device="cuda"))
    assert y.device == x.grad.device == "cuda:1"
    assert y.cpu().tolist() == F.relu(x.cpu()).tolist()
    with pytest.raises(minigrad.DeviceError, match="cuda: there is no cuda:2; .*cuda:0 … cuda:1"):
        tensor([1.0], device="cuda:2")


@pytest.mark.usefixtures("second")
def test_checks_run_on_a_second_gpu():
    with on_device("cuda:1") as name:
        report = gradcheck(F.relu, [numbers(2, 3).astype(np.float64) + 0.25])
    assert name == "cuda:1"
    assert report.ok
