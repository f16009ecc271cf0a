"""Groups of parameters by patterns of their names."""

import numpy as np
import pytest

from minigrad import nn, optim


class Net(nn.Module):
    def __init__(self):
        self.conv1, self.conv2 = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
        self.heads = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.scale = nn.Parameter(np.ones(1))


def names_of(net, groups):
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return [[names[id(parameter)] for parameter in group["params"]] for group in groups]


def test_each_pattern_makes_a_group_and_the_rest_another():
    net = Net()
    patterns = {"*.bias": {"lr": 0.02, "weight_decay": 0}, "heads.?.weight": {"lr": 0.05}}
    groups = optim.groups_by_name(net, patterns, momentum=0.5)
    assert names_of(net, groups) == [
        ["conv1.bias", "conv2.bias", "heads.0.bias", "heads.1.bias"],
        ["heads.0.weight", "heads.1.weight"],
        ["scale", "conv1.weight", "conv2.weight"],
    ]
    optimizer = optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=0.1)
    seen = [[g[o] for o in ("lr", "momentum", "weight_decay")] for g in optimizer.groups]
    assert seen == [[0.02, 0.9, 0], [0.05, 0.9, 0.1], [0.01, 0.5, 0.1]]


def test_patterns():
    net = Net()
    for pattern, first in {
        "scale": ["scale"],
        "conv[12].weight": ["conv1.weight", "conv2.weight"],
        "conv[!1].*": ["conv2.weight", "conv2.bias"],
        "*1*": ["conv1.weight", "conv1.bias", "heads.1.weight", "heads.1.bias"],
    }.items():
        assert names_of(net, optim.groups_by_name(net, {pattern: {}}))[0] == first
    everything = optim.groups_by_name(net, {"*": {"lr": 1}})
    assert len(everything) == 1  # nobody is left
    assert len(everything[0]["params"]) == 9
    (only,) = optim.groups_by_name(net, {}, lr=2)
    assert (len(only["params"]), only["lr"]) == (9, 2)


@pytest.mark.parametrize("pattern", ["*.biases", "Scale", "conv", ""])
def test_a_pattern_that_matches_nothing(pattern):
    names = "scale, conv1.weight, conv1.bias, conv2.weight, conv2.bias, heads.0.weight, …$"
    with pytest.raises(ValueError, match=f"^groups_by_name: the pattern '.*' .* 9 .*: {names}"):
        optim.groups_by_name(Net(), {pattern: {}})


def test_a_parameter_that_two_patterns_match():
    sentence = r"^groups_by_name: the patterns '\*.bias' and 'conv1.\*' both match 'conv1.bias'; ea"
    with pytest.raises(ValueError, match=sentence):
        optim.groups_by_name(Net(), {"*.bias": {}, "conv1.*": {}})


def test_what_has_no_options_or_no_names():
    with pytest.raises(TypeError, match="options of the pattern 'scale' must be a dictionary, got"):
        optim.groups_by_name(Net(), {"scale": 0.1})
    with pytest.raises(ValueError, match="'params' is no option"):
        optim.groups_by_name(Net(), {"scale": {"params": []}})
