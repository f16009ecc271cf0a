"""Modules that move to a GPU and back, with their state and their files."""

import re

import numpy as np
import pytest

import minigrad
from minigrad import checkpoint, device, nn, optim, tensor
from minigrad.gpu import DeviceError, cupy, is_gpu_array
from minigrad.nn import init
from tests.gpu.rungs import on_cpu, on_gpu

pytestmark = pytest.mark.usefixtures("gpu")


class Net(nn.Module):
    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [nn.Linear(5, 4, generator=rng), nn.Linear(4, 3, generator=rng)]
        self.norm = nn.BatchNorm2d(3)
        self.gain = nn.parameter(2.0)  # one number, without axes
        self.frozen = nn.Parameter(np.ones(2, np.float32), requires_grad=False)
        self.count = nn.Buffer(np.array([1, 2]))

    def forward(self, x):
        return self.layers[1](self.layers[0](x).tanh()) * self.gain


def values(net):
    return {name: on_cpu(array) for name, array in net.state_dict().items()}


def assert_same(got, wanted):
    assert list(got) == list(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, name, strict=True)  # shape, dtype too


def devices_of(net):
    return {device.of(array) for array in net.state_dict().values()}


def test_there_and_back():
    net = Net()
    tensors = [*net.parameters(), *(b for _, b in net.named_buffers())]
    before = {name: array.copy() for name, array in values(net).items()}
    assert net.to("cuda") is net
    assert devices_of(net) == {"cuda:0"}
    assert all(array.flags.c_contiguous for array in net.state_dict().values())
    assert_same(values(net), before)
    now = [*net.parameters(), *(b for _, b in net.named_buffers())]
    assert all(a is b for a, b in zip(tensors, now, strict=True))  # moved in place
    assert net.to("cpu") is net
    assert devices_of(net) == {"cpu"}
    assert_same(values(net), before)
    assert devices_of(net.cuda()) == {"cuda:0"}
    assert devices_of(net.cpu()) == {"cpu"}


def test_what_moves_forgets_its_gradient_and_what_stays_keeps_it():
    net = Net()
    x = tensor(np.ones((2, 5), np.float32))
    net(x).sum().backward()
    gradient, node = net.gain.grad, net.gain.node
    net.to("cpu")
    assert net.gain.grad is gradient
    assert net.gain.node is node
    net.to("cuda:0")
    assert all(p.grad is None for p in net.parameters())
    assert net.gain.node is not node
    assert net.gain.requires_grad
    assert not net.frozen.requires_grad
    net(x.cuda()).sum().backward()
    assert net.gain.grad.device == "cuda:0"
    kept = net.gain.grad
    assert net.to("cuda").gain.grad is kept
    net.zero_grad()
    assert net.gain.grad is None


def test_a_shared_parameter_stays_shared():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net.to("cuda")
    assert net[1].weight is net[0].weight
    assert devices_of(net) == {"cuda:0"}


@pytest.mark.parametrize(
    ("place", "error", "sentence"),
    [
        ("gpu", ValueError, "device must be"),
        (0, ValueError, "device must be"),
        ("cuda:99", DeviceError, "there is no cuda:99"),
    ],
)
def test_errors(place, error, sentence):
    net = Net()
    with pytest.raises(error, match=re.escape(sentence)):
        net.to(place)
    assert devices_of(net) == {"cpu"}


@pytest.mark.parametrize("allowed", [0, 1, 4])
def test_nothing_moves_unless_there_is_room_for_everything(monkeypatch, allowed):
    net, put, moved = Net(), device.put, []

    def full(array, place):
        if len(moved) == allowed:
            raise DeviceError("cuda: out of memory")
        moved.append(array)
        return put(array, place)

    net(tensor(np.ones((2, 5), np.float32))).sum().backward()
    gradient, before = net.gain.grad, values(net)
    monkeypatch.setattr(device, "put", full)
    with pytest.raises(DeviceError, match="out of memory"):
        net.to("cuda")
    assert devices_of(net) == {"cpu"}
    assert net.gain.grad is gradient
    assert_same(values(net), before)


def test_astype_where_it_lies():
    net = Net().to("cuda").astype(np.float64)
    assert devices_of(net) == {"cuda:0"}
    dtypes = {name: array.dtype for name, array in net.state_dict().items()}
    assert dtypes.pop("count") == np.int64
    assert set(dtypes.values()) == {np.dtype(np.float64)}
    net(tensor(np.ones((2, 5)), device="cuda")).sum().backward()
    assert net.layers[0].weight.grad.dtype == np.float64


def test_state_is_given_where_it_lies_and_is_no_copy():
    net = Net().to("cuda")
    state = net.state_dict()
    assert all(is_gpu_array(array) for array in state.values())
    assert state["gain"] is net.gain.data


@pytest.mark.parametrize("target", ["cpu", "cuda"])
@pytest.mark.parametrize("source", ["cpu", "cuda"])
def test_load_from_and_to_any_device(source, target):
    one, other = Net(1).to(source), Net(2).to(target)
    arrays = other.state_dict()
    other.load_state_dict(one.state_dict())
    assert_same(values(other), values(one))
    for name, array in other.state_dict().items():
        assert array is arrays[name]  # copied into, not replaced
    assert devices_of(other) == {device.check_name(target)}
    one.load_state_dict({n: a * 0 for n, a in one.state_dict().items()})
    assert on_cpu(other.gain.data) == 2  # nothing is shared


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_load_tensors_lists_and_other_dtypes(target):
    net = Net().to(target)
    state = {name: np.asarray(array, np.float64) + 1 for name, array in values(net).items()}
    given = {name: tensor(array, device="cuda") for name, array in state.items()}
    given["count"], given["gain"] = [7, 8], 3
    state["count"], state["gain"] = np.array([7, 8]), np.array(3.0)
    net.load_state_dict(given)
    kinds = {name: array.dtype for name, array in net.state_dict().items()}
    assert_same(values(net), {name: array.astype(kinds[name]) for name, array in state.items()})


def test_load_changes_nothing_unless_everything_fits():
    net = Net().to("cuda")
    before = values(net)
    state = {name: array + 1 for name, array in net.state_dict().items()}
    state["gain"] = on_gpu(np.ones((1, 1), np.float32))
    with pytest.raises(ValueError, match=r"mis-shaped: gain has shape \(1, 1\), needs \(\)"):
        net.load_state_dict(state)
    assert_same(values(net), before)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_checkpoint_is_the_same_file_from_any_device(tmp_path, target):
    net = Net(1)
    here, there = tmp_path / "cpu.safetensors", tmp_path / "cuda.safetensors"
    checkpoint.save(here, net.state_dict(), {"made": "here"})
    turned = net.to("cuda").state_dict()
    turned["layers.0.weight"] = on_gpu(on_cpu(turned["layers.0.weight"]).T.copy()).T
    checkpoint.save(there, turned, {"made": "here"})
    assert here.read_bytes() == there.read_bytes()
    loaded, _ = checkpoint.load(there)
    assert {type(array) for array in loaded.values()} == {np.ndarray}
    other = Net(2).to(target)
    other.load_state_dict(loaded)
    assert_same(values(other), values(net))


@pytest.mark.parametrize(
    "make", [lambda p: optim.SGD(p, 0.05, 0.9, 1e-3, True), lambda p: optim.Adam(p, 0.01)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_goes_as_on_the_cpu(make, dtype):
    rng = np.random.default_rng(0)
    x, wanted = rng.standard_normal((8, 5)).astype(dtype), rng.standard_normal((8, 3)).astype(dtype)
    seen = []
    for place in ("cpu", "cuda"):
        net, losses = Net().astype(dtype).to(place), []
        optimizer = make(net.parameters())
        inputs, targets = tensor(x, device=place), tensor(wanted, device=place)
        for _ in range(10):
            optimizer.zero_grad()
            loss = ((net(inputs) - targets) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert devices_of(net) == {device.check_name(place)}
        assert losses[-1] < losses[0]
        seen.append((losses, values(net)))
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(seen[1][0], seen[0][0], rtol=tolerance)
    for name, array in seen[0][1].items():
        np.testing.assert_allclose(seen[1][1][name], array, tolerance, tolerance, err_msg=name)


def test_a_module_on_the_gpu_refuses_inputs_on_the_cpu():
    net = Net().to("cuda")
    with pytest.raises(ValueError, match="linear: weight .* lies on cuda:0 but x"):
        net(tensor(np.ones((2, 5), np.float32)))
    with minigrad.no_grad():
        assert isinstance(
            net(tensor(np.ones((2, 5), np.float32), device="cuda")).data, cupy().ndarray
        )


def test_first_values_are_the_same_on_every_device():
    fills = init.xavier_uniform_, init.xavier_normal_, init.he_uniform_, init.he_normal_
    for fill in fills:
        here, there = (tensor(np.empty((4, 3), np.float32), device=d) for d in ("cpu", "cuda"))
        for weight in (here, there):
            assert fill(weight, np.random.default_rng(0)) is weight
        np.testing.assert_array_equal(there.cpu().data, here.data, fill.__name__)
