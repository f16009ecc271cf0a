"""Inception-BN in PyTorch, written from its paper (figure 5) and the Caffe model, not from ours."""

import torch
from torch import nn
from torch.nn import functional as F

# channels in; 1×1; 3×3 reduce, 3×3; double 3×3 reduce, double 3×3; pool, projection
TABLE = {
    "3a": (192, 64, 64, 64, 64, 96, "avg", 32),
    "3b": (256, 64, 64, 96, 64, 96, "avg", 64),
    "3c": (320, None, 128, 160, 64, 96, "pass", None),
    "4a": (576, 224, 64, 96, 96, 128, "avg", 128),
    "4b": (576, 192, 96, 128, 96, 128, "avg", 128),
    "4c": (576, 160, 128, 160, 128, 160, "avg", 128),
    "4d": (608, 96, 128, 192, 160, 192, "avg", 128),
    "4e": (608, None, 128, 192, 192, 256, "pass", None),
    "5a": (1056, 352, 192, 320, 160, 224, "avg", 128),
    "5b": (1024, 352, 192, 320, 192, 224, "max", 128),
}


class Normalised(nn.Conv2d):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.bn = nn.BatchNorm2d(self.out_channels)

    def forward(self, x):
        return F.relu(self.bn(super().forward(x)))


class Module(nn.Module):
    def __init__(self, channels, one, three_reduce, three, double_reduce, double, pool, proj):
        super().__init__()
        stride = 1 if one else 2
        self.pool = pool
        if one:
            self.conv_1x1 = Normalised(channels, one, 1)
        self.conv_3x3_reduce = Normalised(channels, three_reduce, 1)
        self.conv_3x3 = Normalised(three_reduce, three, 3, stride, padding=1)
        self.double_3x3_reduce = Normalised(channels, double_reduce, 1)
        self.double_3x3_first = Normalised(double_reduce, double, 3, padding=1)
        self.double_3x3_second = Normalised(double, double, 3, stride, padding=1)
        if proj:
            self.pool_proj = Normalised(channels, proj, 1)

    def forward(self, x):
        three = self.conv_3x3(self.conv_3x3_reduce(x))
        double = self.double_3x3_second(self.double_3x3_first(self.double_3x3_reduce(x)))
        if self.pool == "pass":
            return torch.cat([three, double, F.max_pool2d(x, 3, 2, ceil_mode=True)], 1)
        pool = F.avg_pool2d if self.pool == "avg" else F.max_pool2d
        pooled = self.pool_proj(pool(x, 3, 1, 1))
        return torch.cat([self.conv_1x1(x), three, double, pooled], 1)


class TorchInceptionBN(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = Normalised(3, 64, 7, 2, 3)
        self.conv2_reduce = Normalised(64, 64, 1)
        self.conv2 = Normalised(64, 192, 3, padding=1)
        for name, row in TABLE.items():
            setattr(self, f"inception_{name}", Module(*row))
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.conv2(self.conv2_reduce(x)), 3, 2, ceil_mode=True)
        for name in TABLE:
            x = getattr(self, f"inception_{name}")(x)
        return self.classifier(x.mean((2, 3)))
