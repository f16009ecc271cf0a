"""The whole network on a GPU: a training step, and use, against the CPU's."""

import numba
import numpy as np
import pytest

import minigrad
from googlenet import GoogLeNet
from googlenet.model import loss
from googlenet.recipes import Recipe
from googlenet.train import Training, evaluate, train
from googlenet.vitals import Recorder
from minigrad import nn, optim, tensor
from minigrad.data import ArrayDataset, DataLoader
from tests.gpu import standin

pytestmark = pytest.mark.usefixtures("gpu")


def trained(where, steps=1):
    """Steps of SGD on a network of its own. Returns the losses, the parameters, and logits."""
    minigrad.manual_seed(3)
    net = GoogLeNet(5, in_channels=1, image_size=32).to(where)
    rng = np.random.default_rng(0)
    images = tensor(rng.standard_normal((2, 1, 32, 32), dtype=np.float32), device=where)
    labels = tensor(np.array([1, 4]), device=where)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        total, heads = loss(net(images), labels, 0.1)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses += [total.item(), *(head.item() for head in heads.values())]
    net.eval()
    with minigrad.no_grad():
        logits = net(images)
    assert {p.device for p in net.parameters()} == {logits.device}
    return losses, net.to("cpu").state_dict(), logits.cpu().data


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="takes hours in plain Python")
def test_trains_as_on_the_cpu():
    wanted_losses, wanted, wanted_logits = trained("cpu")
    losses, state, logits = trained("cuda")
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-5)
    np.testing.assert_allclose(logits, wanted_logits, rtol=1e-3, atol=1e-5)
    for name, array in wanted.items():
        scale = np.abs(array).max() + 1e-12
        assert np.abs(state[name] - array).max() / scale < 1e-3, name


def test_nothing_is_read_from_the_gpu_until_somebody_looks(gpu, monkeypatch):
    """A step that waits for its loss leaves the GPU idle while the next is being prepared."""
    if gpu != "stand-in":
        pytest.skip("only the stand-in counts what is read")
    read = []
    for name in ("get", "item", "tolist", "__float__", "__int__", "__bool__", "__index__"):
        sound = getattr(standin.ndarray, name)
        monkeypatch.setattr(
            standin.ndarray, name, lambda array, f=sound, n=name: read.append(n) or f(array)
        )
    recipe = Recipe(batch_size=2, batch_norm=True)
    net = GoogLeNet(5, in_channels=1, image_size=32, batch_norm=True).to("cuda")
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 32, 32), dtype=np.uint8)
    pictures = ArrayDataset(images, np.array([1, 4, 0, 2]), "abcde")
    training = Training(net, recipe, pictures, pictures)
    training._learn(())
    means = training.means
    assert means.count == 4
    assert not read
    assert 0 < means.means()["loss"] < 10
    assert set(read) == {"item"}
    assert len(read) == 2 * 5  # three heads, their sum and the accuracy


def test_evaluates_as_on_the_cpu():
    images = np.random.default_rng(0).standard_normal((5, 1, 32, 32), dtype=np.float32)
    pictures = ArrayDataset(images, np.array([1, 4, 0, 2, 3]), "abcde")
    net = GoogLeNet(5, in_channels=1, image_size=32)
    found = [
        evaluate(net.to(where), DataLoader(pictures, 2, device=where)) for where in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_batch_norm_on_the_way():
    rng = np.random.default_rng(0)
    nets = [
        nn.Sequential(
            nn.Conv2d(2, 4, 3, generator=np.random.default_rng(1)), nn.BatchNorm2d(4), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ).to(where)
        for where in ("cpu", "cuda")
    ]  # fmt: skip
    x = rng.standard_normal((3, 2, 6, 6)).astype(np.float32)
    for _ in range(2):
        outs = [
            net(tensor(x, device=where)) for net, where in zip(nets, ("cpu", "cuda"), strict=True)
        ]
        np.testing.assert_allclose(outs[1].cpu().data, outs[0].data, rtol=1e-5, atol=1e-6)
    for name, array in nets[0].state_dict().items():
        other = nets[1].to("cpu").state_dict()[name]
        np.testing.assert_allclose(other, array, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"precision": "mixed"},
        {"precision": "mixed", "accumulate": 2, "average": "ema", "average_decay": 0.5},
        {"freeze": ("conv*",), "accumulate": 3, "average": "mean", "optimizer": "adadelta"},
    ],
    ids=["float32", "mixed", "accumulated", "frozen"],
)
def test_training_with_a_recorded_step_gives_the_same_numbers(options):
    """Two epochs of three steps, the last of them smaller; every figure of metrics.csv."""
    rng = np.random.default_rng(0)
    data = ArrayDataset(
        rng.integers(0, 256, (5, 1, 28, 28), dtype=np.uint8), rng.integers(0, 3, 5), "abc"
    )
    rows = []
    for cuda_graph in (False, True):
        recipe = Recipe(batch_size=2, epochs=2, **options)
        minigrad.manual_seed(0)
        net = GoogLeNet(3, in_channels=1, image_size=32).to("cuda")
        history = train(net, recipe, data, data, cuda_graph=cuda_graph)
        timed = {"seconds", "images_per_second"}
        rows.append([{k: v for k, v in row.items() if k not in timed} for row in history])
    assert rows[0] == rows[1]
    assert all(np.isfinite(list(row.values())).all() for row in rows[0])


def recorded(where, folder):
    """Train three steps, each of which is looked at."""
    minigrad.manual_seed(3)
    net = GoogLeNet(5, in_channels=1, image_size=32).to(where)
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 32, 32), dtype=np.uint8)
    pictures = ArrayDataset(images, np.array([1, 4, 0, 2, 3, 1]), "abcde")
    recipe = Recipe(batch_size=2, epochs=1, flip=False, dropout=0.0, aux_dropout=0.0)
    training = Training(net, recipe, pictures, pictures)
    folder.mkdir()
    recorder = Recorder(folder, training, pytest.fail)
    recorder.every = 2
    training._learn((recorder,))
    return recorder.content["probes"]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="takes hours in plain Python")
def test_what_is_recorded_is_that_of_the_cpu(tmp_path):
    (wanted,), (found,) = recorded("cpu", tmp_path / "a"), recorded("cuda", tmp_path / "b")
    for name in ("activation", "gradient", "gradient_main", "update"):
        for a, b in zip(found[name], wanted[name], strict=True):
            assert a == (None if b is None else pytest.approx(b, rel=0.05)), name
    assert found["heads"]["logits"]["loss"] == pytest.approx(
        wanted["heads"]["logits"]["loss"], 1e-2
    )
