"""Whole networks in float64 against PyTorch: outputs, all gradients, statistics of batches.

torchvision judges GoogLeNet in its dialect, and Inception v3; modules written for the purpose judge
the dialect ``cifar`` and Inception-BN. Weights are copied, statistics made up, nothing is dropped.
"""

from typing import NamedTuple

import numpy as np
import pytest

import minigrad
from googlenet import GoogLeNet, InceptionBN, InceptionV3
from googlenet.model import loss
from googlenet.torchvision_weights import TORCHVISION, names
from tests.googlenet.test_like_pytorch import relative
from tests.judges import torchvision

torch = pytest.importorskip("torch")
from tests.googlenet.torch_cifar_googlenet import TorchCifarGoogLeNet, our_names  # noqa: E402
from tests.googlenet.torch_inception_bn import TorchInceptionBN  # noqa: E402

CLASSES = 10
CLOSE = 1e-9
# In our order; torchvision's GoogLeNet returns the head on 4d first.
HEADS = {"googlenet": ("aux_logits1", "aux_logits2"), "inception_v3": ("aux_logits",)}


class Compared(NamedTuple):
    """What both sides said, each by our names."""

    outputs: dict[str, tuple]  # logits, and "in use"
    losses: tuple[float, float]
    gradients: dict[str, tuple]
    statistics: dict[str, tuple]


def made_up(net, seed=1):
    """Give a network in float64 weights and statistics that a trained one may have."""
    rng = np.random.default_rng(seed)
    net.astype(np.float64)
    for name, array in net.state_dict().items():
        if name.endswith("running_mean"):
            array[...] = rng.normal(0, 0.2, array.shape)
        elif name.endswith(("running_var", "bn.weight")):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
        elif name.endswith("bias"):
            array[...] = rng.normal(0, 0.2, array.shape)
        else:
            fan_in = array[0].size
            array[...] = rng.normal(0, np.sqrt(2 / fan_in), array.shape)
    return net


def compare(net, judge, ours_to_theirs, size, heads=(), weight=0.3, batch=2):
    """Run both forward and backward in training, then forward in use."""
    rng = np.random.default_rng(2)
    state = net.state_dict()
    judge.double().load_state_dict(
        {theirs: torch.from_numpy(state[ours].copy()) for ours, theirs in ours_to_theirs.items()}
        | {n: a for n, a in judge.state_dict().items() if n.endswith("num_batches_tracked")}
    )
    images = rng.normal(0, 1, (batch, 3, size, size))
    labels = np.arange(3, 3 + batch)

    outputs = net.train()(minigrad.tensor(images))
    total, _ = loss(outputs, labels, aux_weight=weight)
    total.backward()
    theirs = judge.train()(torch.from_numpy(images))
    each = [theirs.logits, *(getattr(theirs, name) for name in heads)] if heads else [theirs]
    target = torch.from_numpy(labels)
    parts = [torch.nn.functional.cross_entropy(logits, target) for logits in each]
    wanted = parts[0] + weight * sum(parts[1:])
    wanted.backward()

    assert all(logits is None for logits in outputs[len(each) :])
    said = {
        field: (getattr(outputs, field).data, logits.detach().numpy())
        for field, logits in zip(outputs._fields, each, strict=False)
    }
    parameters, buffers = dict(judge.named_parameters()), dict(judge.named_buffers())
    gradients = {
        ours: (p.grad.data, parameters[ours_to_theirs[ours]].grad.numpy())
        for ours, p in net.named_parameters()
    }
    statistics = {
        ours: (b.data.copy(), buffers[ours_to_theirs[ours]].numpy().copy())
        for ours, b in net.named_buffers()
    }
    with minigrad.no_grad(), torch.no_grad():
        in_use = net.eval()(minigrad.tensor(images)), judge.eval()(torch.from_numpy(images))
    said["in use"] = in_use[0].data, in_use[1].numpy()
    return Compared(said, (total.item(), wanted.item()), gradients, statistics)


def against_torchvision(name, net, size, weight):
    models = torchvision("models")
    judge = getattr(models, name)(
        weights=None, num_classes=CLASSES, aux_logits=True, init_weights=False,
        transform_input=False, dropout=0.0, **({"dropout_aux": 0.0} if name == "googlenet" else {}),
    )  # fmt: skip
    return compare(made_up(net), judge, names(net, TORCHVISION[name]), size, HEADS[name], weight)


def torchvision_dialect():
    net = GoogLeNet(CLASSES, dropout=0.0, aux_dropout=0.0, dialect="torchvision", init="default")
    return against_torchvision("googlenet", net, 224, 0.3)


def inception_v3():
    return against_torchvision("inception_v3", InceptionV3(CLASSES, dropout=0.0), 299, 0.4)


def cifar():
    net = made_up(GoogLeNet(CLASSES, image_size=32, dropout=0.0, dialect="cifar"))
    judge = TorchCifarGoogLeNet(CLASSES)
    names = our_names({name: name for name in judge.state_dict()})
    theirs = {ours: name for ours, name in names.items() if ours in net.state_dict()}
    return compare(net, judge, theirs, 32, batch=4)


def inception_bn():
    net = made_up(InceptionBN(CLASSES, image_size=96))
    judge = TorchInceptionBN(CLASSES)
    theirs = {name: name for name in net.state_dict()}
    return compare(net, judge, theirs, 96, batch=4)


@pytest.fixture(scope="module", params=[torchvision_dialect, inception_v3, cifar, inception_bn])
def compared(request):
    return request.param()


def test_logits_of_each_head(compared):
    for name, (ours, theirs) in compared.outputs.items():
        error = relative(ours, theirs)
        print(f"{name}: largest relative difference {error:.1e}")
        assert error < CLOSE, name


def test_weighted_loss(compared):
    ours, theirs = compared.losses
    print(f"weighted loss: relative difference {abs(ours / theirs - 1):.1e}")
    assert abs(ours / theirs - 1) < CLOSE


@pytest.mark.parametrize("what", ["gradients", "statistics"])
def test_every(compared, what):
    pairs = getattr(compared, what)
    errors = {name: relative(*pair) for name, pair in pairs.items()}
    for name in pairs:
        norm = name.removesuffix(".bias") + ".bn.bias"
        if norm in pairs and name.endswith(
            ".bias"
        ):  # what comes before a normalisation has no gradient, but for rounding
            scale = np.abs(pairs[norm][1]).max()
            errors[name] = np.abs(pairs[name]).max() / scale
    worst = max(errors, key=errors.get)
    print(f"largest relative difference of {len(errors)} {what}: {errors[worst]:.1e} ({worst})")
    assert errors[worst] < CLOSE, worst
