"""The whole paper network at 224 pixels in float64 against PyTorch: outputs and all gradients."""

import numpy as np
import pytest

import minigrad
from googlenet import GoogLeNet
from googlenet.model import loss

torch = pytest.importorskip("torch")
from tests.googlenet.torch_googlenet import TorchGoogLeNet  # noqa: E402

CLASSES = 1000


def relative(ours, theirs):
    """Return the largest difference, relative to the largest number."""
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.fixture(scope="module")
def compared():
    """Run both networks forward and backward once. Without dropout, with LRN that matters."""
    net = GoogLeNet(CLASSES, dropout=0.0, aux_dropout=0.0, generator=np.random.default_rng(0))
    net.astype(np.float64)
    rng = np.random.default_rng(1)
    for name, array in net.state_dict().items():
        if name.endswith("bias"):
            array[...] = rng.normal(0, 0.1, array.shape)
        elif name.endswith("classifier.weight"):
            array[...] = rng.normal(0, 0.05, array.shape)
    judge = TorchGoogLeNet(CLASSES).double()
    state = {n: torch.from_numpy(a.copy()) for n, a in net.state_dict().items()}
    judge.load_state_dict(state)  # which also holds the names against each other

    images = rng.normal(0, 60, (2, 3, 224, 224))  # as large as pixels less their mean
    labels = np.array([3, 700])
    outputs = net(minigrad.tensor(images))
    total, _ = loss(outputs, labels)
    total.backward()

    theirs = judge(torch.from_numpy(images))
    target = torch.from_numpy(labels)
    parts = [torch.nn.functional.cross_entropy(logits, target) for logits in theirs]
    wanted = parts[0] + 0.3 * parts[1] + 0.3 * parts[2]
    wanted.backward()
    return net, judge, outputs, theirs, total, wanted


@pytest.mark.parametrize("head", [0, 1, 2])
def test_logits_of_each_head(compared, head):
    _, _, outputs, theirs, *_ = compared
    error = relative(outputs[head].data, theirs[head].detach().numpy())
    print(f"logits of {outputs._fields[head]}: largest relative difference {error:.1e}")
    assert error < 1e-9


def test_weighted_loss(compared):
    *_, total, wanted = compared
    error = abs(total.item() / wanted.item() - 1)
    print(f"weighted loss: relative difference {error:.1e}")
    assert error < 1e-9


def test_every_gradient(compared):
    net, judge, *_ = compared
    theirs = {name: parameter.grad.numpy() for name, parameter in judge.named_parameters()}
    ours = {name: parameter.grad.data for name, parameter in net.named_parameters()}
    assert set(ours) == set(theirs)
    assert len(ours) == 2 * (3 + 9 * 6 + 2 * 3 + 1)
    errors = {name: relative(ours[name], theirs[name]) for name in ours}
    worst = max(errors, key=errors.get)
    print(f"largest relative difference of {len(errors)} gradients: {errors[worst]:.1e} ({worst})")
    assert errors[worst] < 1e-9, worst
