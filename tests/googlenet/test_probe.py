"""A look inside a network: what is seen is right, and looking leaves no trace."""

import math

import numpy as np
import pytest

import minigrad
from googlenet.model import GoogLeNet, loss
from googlenet.probe import Seen, look_inside
from minigrad import functional as F
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")


def batch(count=6, seed=1):
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 1, (count, 1, 32, 32)).astype(np.float32)
    return minigrad.tensor(images), rng.integers(0, 3, count)


def wide(batch_norm=False, **options):
    """Not so narrow that whole stages are dead by chance, and with weights that let signals by."""
    return GoogLeNet(3, 1, 32, batch_norm=batch_norm, init="he", **options)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradients_are_those_of_the_whole_network(batch_norm):
    """Against the same network, uncut: the gradient of the first stage's own bias or weights."""
    net = wide(batch_norm)
    images, labels = batch()
    look = look_inside(net, images, labels, 0.1)
    net.train()
    for _, each in net.named_modules():
        if isinstance(each, minigrad.nn.Dropout):
            each.training = False
    for name, chosen in (("gradient", "total"), ("gradient_main", "logits")):
        for place, stage in ((0, "conv1"), (len(net.stages) - 1, net.stages[-1])):
            seen = {}
            inner, forward = getattr(net, stage), getattr(net, stage).forward

            def noted(x, forward=forward, seen=seen):
                out = forward(x)
                # A factor of ones, whose gradient is that of the output, times the output.
                seen["out"] = out.detach()
                seen["one"] = minigrad.tensor(np.ones(out.shape, np.float32), requires_grad=True)
                return out * seen["one"]

            inner.forward = noted
            total, heads = loss(net(images), labels, 0.1)
            (total if chosen == "total" else heads[chosen]).backward()
            del inner.forward
            out = seen["out"].numpy()
            product = seen["one"].grad.numpy()
            gradient = np.divide(product, out, out=np.zeros_like(out), where=out != 0)
            zero = look.stages["zero"][place]
            assert zero is not None
            measured = look.stages[name][place] / math.sqrt(len(labels))
            # Behind ReLU the gradient at zeros is not in the product: it is at most the whole.
            assert np.linalg.norm(gradient) <= measured * (1 + 1e-4)
            assert np.linalg.norm(gradient) >= 0.2 * measured


def test_scales_are_those_of_the_outputs():
    net = wide()
    images, labels = batch()
    look = look_inside(net, images, labels)
    with minigrad.no_grad():
        out = net.conv1(images).numpy()
    assert look.stages["activation"][0] == pytest.approx(np.sqrt((out**2).mean()), rel=1e-5)
    assert look.stages["mean"][0] == pytest.approx(out.mean(), rel=1e-5)
    assert look.stages["zero"][0] == pytest.approx((out == 0).mean(), abs=1e-6)
    assert look.stages["dead"][0] == (out == 0).all((0, 2, 3)).mean()
    assert look.stages["dead"][net.stages.index("pool1")] is None


def test_a_channel_that_is_shut_off_is_dead():
    net = wide()
    before = look_inside(net, *batch()).stages["dead"][0]
    net.conv1.weight.data[1], net.conv1.bias.data[1] = 0, -1
    after = look_inside(net, *batch()).stages["dead"]
    assert after[0] == before + 1 / 4
    net.aux_4a.fc.bias.data[...] = -1e6
    assert look_inside(net, *batch()).heads["aux_4a"]["dead"] == 1.0


def test_a_channel_is_dead_only_if_it_never_speaks():
    seen = Seen([(30, minigrad.tensor([0.0, 0.01, 0.5])), (10, minigrad.tensor([1.0]))])
    zero, dead = seen.shares()
    assert dead == 1 / 4
    assert zero == pytest.approx(1 - (30 * 0.17 + 10) / 40)


def test_behind_the_heads_both_gradients_are_the_same():
    net = wide()
    look = look_inside(net, *batch())
    place = net.stages.index("inception_4d")
    assert look.stages["gradient"][place + 1 :] == look.stages["gradient_main"][place + 1 :]
    assert all(a != b for a, b in zip(look.stages["gradient"][:3], look.stages["gradient_main"][:3],
                                      strict=True))  # fmt: skip
    alone = look_inside(wide(aux_heads=False), *batch())
    assert alone.stages["gradient"] == alone.stages["gradient_main"]
    assert set(alone.heads) == {"logits"}


def test_what_heads_say_is_counted():
    net = wide()
    net.classifier.weight.data[...] = 0
    net.classifier.bias.data[...] = [0, 3, 0]
    seen = look_inside(net, *batch()).heads["logits"]
    images, labels = batch()
    assert seen["classes"] == 1
    assert seen["largest"] == 1
    assert seen["spread"] == 0
    logits = minigrad.tensor(np.tile(np.float32([0, 3, 0]), (6, 1)))
    assert seen["loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)


@pytest.mark.parametrize("mode", [True, False])
def test_looking_leaves_no_trace(mode):
    net = wide(batch_norm=True).train(mode)
    total, _ = loss(net.train()(batch()[0]), batch()[1])
    total.backward()
    net.train(mode)
    net.conv2.training = not mode
    before = {name: array.copy() for name, array in net.state_dict().items()}
    gradients = {name: p.grad for name, p in net.named_parameters()}
    kept = {name: g.numpy().copy() for name, g in gradients.items()}
    modes = [m.training for _, m in net.named_modules()]
    drawn, forward = minigrad.random.default.drawn, net.conv1.forward

    def drawing(x):
        minigrad.random.default.next_key()
        return forward(x)

    net.conv1.forward = drawing
    look_inside(net, *batch(seed=7))
    del net.conv1.forward
    assert minigrad.random.default.drawn == drawn
    assert [m.training for _, m in net.named_modules()] == modes
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name], name)
    for name, parameter in net.named_parameters():
        assert parameter.grad is gradients[name]
        assert parameter.requires_grad
        np.testing.assert_array_equal(parameter.grad.numpy(), kept[name], name)
    assert not any("forward" in vars(m) for _, m in net.named_modules())


def test_a_look_that_fails_leaves_no_trace_either():
    net = wide()
    drawn = minigrad.random.default.drawn
    with pytest.raises(ValueError, match="images must"):
        look_inside(net, minigrad.tensor(np.zeros((2, 1, 8, 8), np.float32)), np.zeros(2, int))
    assert all(p.requires_grad for p in net.parameters())
    assert not any("forward" in vars(m) for _, m in net.named_modules())
    assert minigrad.random.default.drawn == drawn
