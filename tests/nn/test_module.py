"""Modules: what belongs to them, their state, their modes, how they read."""

import numpy as np
import pytest

import minigrad
from minigrad import nn, tensor


class Block(nn.Module):
    def __init__(self, width: int, scale: float = 1.0) -> None:
        self.width, self.scale = width, scale
        self.layers = [nn.Linear(width, width), nn.BatchNorm2d(3)]
        self.heads = {"left": nn.Linear(width, 1), "right": nn.Dropout(0.3)}
        self.gain = nn.parameter([1.0])
        self.seen = nn.Buffer(np.zeros(2, np.float32))


NAMES = [
    "gain",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.weight",
    "layers.1.bias",
    "heads.left.weight",
    "heads.left.bias",
]
BUFFERS = ["seen", "layers.1.running_mean", "layers.1.running_var"]


def test_parameters_are_found_in_lists_and_dictionaries():
    block = Block(4)
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert [name for name, _ in block.named_buffers()] == BUFFERS
    assert list(block.state_dict()) == NAMES + BUFFERS
    assert len(list(block.parameters())) == len(NAMES)


def test_a_shared_parameter_is_named_once():
    block = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    block[1].weight = block[0].weight
    assert [name for name, _ in block.named_parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_train_and_eval_reach_everything():
    block = Block(4)
    assert all(module.training for _, module in block.named_modules())
    assert block.eval() is block
    assert not any(module.training for _, module in block.named_modules())
    block.train()
    assert all(module.training for _, module in block.named_modules())


def test_zero_grad():
    layer = nn.Linear(3, 2)
    layer(tensor(np.ones((1, 3), np.float32))).sum().backward()
    assert layer.weight.grad.shape == (2, 3)
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


def test_state_round_trip():
    one, other = Block(4), Block(4)
    for _, array in one.state_dict().items():
        array[...] = np.random.default_rng(0).standard_normal(array.shape)
    other.load_state_dict(one.state_dict())
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
        assert not np.shares_memory(other.state_dict()[name], array)


def test_load_lists_all_that_does_not_fit_and_changes_nothing():
    block = Block(4)
    state = {name: array.copy() for name, array in block.state_dict().items()}
    before = {name: array.copy() for name, array in state.items()}
    for array in state.values():
        array += 1
    del state["gain"]
    state["extra"] = np.zeros(1)
    state["heads.left.weight"] = np.zeros((4, 1))
    state["seen"] = np.array(["a", "b"])
    with pytest.raises(ValueError, match="state does not fit Block") as error:
        block.load_state_dict(state)
    message = str(error.value)
    assert "missing: gain" in message
    assert "unexpected: extra" in message
    assert "mis-shaped: heads.left.weight has shape (4, 1), needs (1, 4)" in message
    assert "not numbers: seen has dtype <U1" in message
    for name, array in block.state_dict().items():
        np.testing.assert_array_equal(array, before[name], name)


def test_astype_changes_parameters_gradients_and_results():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 1))
    assert net.astype(np.float64) is net
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype(np.float64)}
    out = net(tensor(np.random.default_rng(0).standard_normal((2, 2, 3, 3))))
    out.sum().backward()
    assert out.dtype == np.float64
    assert all(p.grad.dtype == np.float64 for p in net.parameters())
    with pytest.raises(TypeError, match="must be floating, not int64"):
        net.astype(int)


def test_astype_leaves_whole_numbers_alone():
    block = Block(4)
    block.seen = nn.Buffer(np.array([1, 2]))
    block.astype(np.float64)
    assert block.seen.dtype == np.int64
    assert block.gain.dtype == np.float64


def test_results_of_parameters_are_plain_tensors():
    layer = nn.Linear(2, 2)
    made = layer.weight * 2
    assert type(made) is minigrad.Tensor
    made.sum().backward()
    assert type(layer.weight.grad) is minigrad.Tensor


def test_repr_is_a_tree():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=(1, 2), bias=False),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Sequential(nn.ReLU(), nn.Dropout(0.2)),
        nn.Linear(8, 2),
    )
    assert repr(net) == (
        "Sequential() {\n"
        "  (0): Conv2d(3, 8, (5, 5), stride=(2, 2), padding=(1, 2), bias=False)\n"
        "  (1): MaxPool2d(3, stride=2, ceil_mode=True)\n"
        "  (2): Sequential() {\n"
        "    (0): ReLU()\n"
        "    (1): Dropout(p=0.2)\n"
        "  }\n"
        "  (3): Linear(8, 2)\n"
        "}"
    )
    assert repr(Block(4, scale=2.0)).startswith("Block(4, scale=2.0) {\n  (layers.0): Linear(4, 4)")


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Block does not define forward"):
        Block(4)(1)


def test_sequential_is_a_sequence_of_its_layers():
    layers = [nn.ReLU(), nn.Dropout(0.5), nn.Flatten()]
    net = nn.Sequential(*layers)
    assert len(net) == 3
    assert len(nn.Sequential()) == 0
    assert [net[0], net[1], net[-1]] == layers
    x = tensor(np.ones((1, 2, 2), np.float32))
    assert nn.Sequential()(x) is x


def test_sequential_takes_modules_only():
    with pytest.raises(TypeError, match="Sequential: layer 1 must be a Module"):
        nn.Sequential(nn.ReLU(), abs)
