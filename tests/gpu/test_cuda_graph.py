"""A recorded step gives the same numbers as one that is not."""

import numpy as np
import pytest

import minigrad
from googlenet.model import GoogLeNet, loss
from minigrad import functional as F
from minigrad import nn, optim, tensor
from tests.gpu.rungs import on_cpu

pytestmark = pytest.mark.usefixtures("gpu")


class Net(nn.Module):
    """Convolution, batch norm, dropout: what keeps state, and what draws."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.conv = nn.Conv2d(2, 4, 3, padding=1, generator=generator)
        self.bn = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3, generator=generator)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = F.dropout(F.max_pool2d(x, 2), 0.5, self.training)
        return self.head(F.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1), 0.25, self.training))


def batches(count, sizes=(4,)):
    rng = np.random.default_rng(1)
    for i in range(count):
        size = sizes[i % len(sizes)]
        images = rng.standard_normal((size, 2, 6, 6)).astype(np.float32)
        yield tensor(images, device="cuda"), tensor(rng.integers(0, 3, size), device="cuda")


def trained(recorded, make=Net, data=None, dtype=np.float32, scaler=None):
    """Train for some steps; return losses and parameters."""
    minigrad.manual_seed(3)
    net = make().to("cuda")
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    scaler = scaler or optim.GradScaler(enabled=False)
    schedule = optim.CosineLR(optimizer, 9)

    def step(images, labels):
        net.zero_grad()
        entropy = F.cross_entropy(net(images.astype(dtype)), labels, label_smoothing=0.1)
        scaler.scale(entropy).backward()
        return {"loss": entropy, "twice": (entropy * 2, [entropy])}

    run = minigrad.cuda_graph(step, net.parameters()) if recorded else step
    losses = []
    for images, labels in data or batches(8):
        losses.append(run(images, labels))
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
    numbers = [x["loss"].item() for x in losses]  # read at the end: none is overwritten
    assert [x["twice"][0].item() for x in losses] == [2 * n for n in numbers]
    return numbers, {n: on_cpu(a) for n, a in net.state_dict().items()}, run, net


def assert_same(a, b):
    assert a[0] == b[0]
    for name in a[1]:
        np.testing.assert_array_equal(a[1][name], b[1][name], name)


def test_the_same_numbers_to_the_bit():
    usual, recorded = trained(False), trained(True)
    assert recorded[2]._recording is not None
    assert len(set(usual[0])) == 8
    assert_same(usual, recorded)


def test_smaller_batches_run_as_usual():
    sizes = (4, 4, 4, 3)
    data = list(batches(12, sizes))
    usual, recorded = trained(False, data=data), trained(True, data=data)
    assert recorded[2]._recording.inputs[0].shape[0] == 4
    assert_same(usual, recorded)


def test_loss_scaling_goes_on_in_the_recorded_step():
    """The factor overflows at first, and grows later: the recorded step reads what it is now."""

    def scaler():
        return optim.GradScaler(2.0**24, growth_interval=2)

    first, second = scaler(), scaler()
    usual = trained(False, dtype=np.float16, scaler=first)
    recorded = trained(True, dtype=np.float16, scaler=second)
    assert first.get_scale() == second.get_scale() != 2.0**24
    assert_same(usual, recorded)


def test_keys_of_dropout_are_drawn_as_usual():
    trained(False)
    usual = minigrad.random.default.drawn
    trained(True)
    assert minigrad.random.default.drawn == usual == 16
    assert isinstance(minigrad.random.default, minigrad.random.Stream)


def test_a_key_that_is_given_stays():
    x = tensor(np.ones(64, np.float32), device="cuda")
    run = minigrad.cuda_graph(lambda x: F.dropout(x, 0.5, key=7))
    wanted = F.dropout(x, 0.5, key=7).tolist()
    for _ in range(5):
        assert run(x).tolist() == wanted


def test_gradients_are_there_even_if_forgotten_outside():
    *_, run, net = trained(True)
    net.zero_grad()
    run(*next(batches(1)))
    assert all(p.grad is not None for p in net.parameters())


def test_googlenet():
    def losses(recorded):
        minigrad.manual_seed(0)
        net = GoogLeNet(num_classes=10, in_channels=1, image_size=32).to("cuda")
        optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

        def step(images, labels):
            net.zero_grad()
            total, heads = loss(net(images), labels, 0.1)
            total.backward()
            return {"loss": total, **heads}

        run = minigrad.cuda_graph(step, net.parameters(), warmup=1) if recorded else step
        rng, seen = np.random.default_rng(0), []
        for _ in range(3):
            images = tensor(rng.standard_normal((2, 1, 32, 32)).astype(np.float32), device="cuda")
            seen.append(run(images, tensor(rng.integers(0, 10, 2), device="cuda")))
            optimizer.step()
        return [{name: x.item() for name, x in numbers.items()} for numbers in seen]

    assert losses(True) == losses(False)


def test_what_cannot_be_recorded_is_said():
    x = tensor(np.ones(3, np.float32), device="cuda")
    reading = minigrad.cuda_graph(lambda x: x * x.sum().item())
    for _ in range(2):
        reading(x)
    with pytest.raises(RuntimeError, match="cuda_graph: the step cannot be recorded .*capturing"):
        reading(x)
    assert (x * 2).tolist() == [2, 2, 2]  # nothing is being recorded any more


def test_on_the_cpu_nothing_is_recorded():
    run = minigrad.cuda_graph(lambda x: x * x.sum().item(), warmup=1)
    for _ in range(3):
        assert run(tensor([1.0, 2.0])).tolist() == [3.0, 6.0]


def test_arguments():
    with pytest.raises(TypeError, match="cuda_graph: function cannot be called, got 3"):
        minigrad.cuda_graph(3)
    with pytest.raises(ValueError, match="warmup must be an integer of at least 1, got 0"):
        minigrad.cuda_graph(print, warmup=0)
    with pytest.raises(TypeError, match="cuda_graph: input 1 must be a Tensor, got int"):
        minigrad.cuda_graph(print)(tensor(1.0), 2)
