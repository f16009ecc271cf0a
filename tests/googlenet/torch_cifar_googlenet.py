"""The network of the dialect cifar in PyTorch, from what is published of it, not from our code.

weiaicunzai/pytorch-cifar100: a 3×3 convolution to 192 channels, the modules of Table 1 with two 3×3
for the 5×5, pools of 3×3 with stride 2 and padding 1, batch normalisation behind biases, dropout.
"""

import torch
from torch import nn
from torch.nn import functional as F

from tests.googlenet.torch_googlenet import TABLE


class Normalised(nn.Module):
    def __init__(self, channels, width, kernel):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class Module(nn.Module):
    def __init__(self, channels, one, three_reduce, three, five_reduce, five, proj):
        super().__init__()
        self.one = Normalised(channels, one, 1)
        self.three = nn.Sequential(
            Normalised(channels, three_reduce, 1), Normalised(three_reduce, three, 3)
        )
        self.five = nn.Sequential(
            Normalised(channels, five_reduce, 1),
            Normalised(five_reduce, five, 3),
            Normalised(five, five, 3),
        )
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), Normalised(channels, proj, 1))

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class TorchCifarGoogLeNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = Normalised(3, 192, 3)
        self.stages = nn.ModuleDict({name: Module(*row) for name, row in TABLE.items()})
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.stem(x)
        for name, module in self.stages.items():
            if name in ("4a", "5a"):
                x = F.max_pool2d(x, 3, 2, 1)
            x = module(x)
        return self.classifier(x.mean((2, 3)))


def our_names(judge):
    """Return the judge's state under the names of ours."""
    parts = {
        "one.": "conv_1x1.", "three.0.": "conv_3x3_reduce.", "three.1.": "conv_3x3.",
        "five.0.": "conv_5x5_reduce.", "five.1.": "conv_5x5_first.",
        "five.2.": "conv_5x5_second.", "pooled.1.": "pool_proj.",
    }  # fmt: skip
    named = {}
    for name, value in judge.items():
        ours = name.replace("stem.", "conv1.")
        if name.startswith("stages."):
            _, stage, rest = name.split(".", 2)
            for theirs, part in parts.items():
                rest = part + rest.removeprefix(theirs) if rest.startswith(theirs) else rest
            ours = f"inception_{stage}.{rest}"
        named[ours.replace(".conv.", ".").replace(".norm.", ".bn.")] = value
    return named
