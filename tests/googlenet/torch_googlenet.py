"""The paper's network in PyTorch, written from Table 1 and the Caffe model, not from our code.

It judges ours: same weights in, same logits, losses and gradients out.
"""

import torch
from torch import nn
from torch.nn import functional as F

# Table 1, columns #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj; and the input's channels.
TABLE = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class Inception(nn.Module):
    def __init__(self, channels, one, three_reduce, three, five_reduce, five, proj):
        super().__init__()
        self.conv_1x1 = nn.Conv2d(channels, one, 1)
        self.conv_3x3_reduce = nn.Conv2d(channels, three_reduce, 1)
        self.conv_3x3 = nn.Conv2d(three_reduce, three, 3, padding=1)
        self.conv_5x5_reduce = nn.Conv2d(channels, five_reduce, 1)
        self.conv_5x5 = nn.Conv2d(five_reduce, five, 5, padding=2)
        self.pool_proj = nn.Conv2d(channels, proj, 1)

    def forward(self, x):
        a = F.relu(self.conv_1x1(x))
        b = F.relu(self.conv_3x3(F.relu(self.conv_3x3_reduce(x))))
        c = F.relu(self.conv_5x5(F.relu(self.conv_5x5_reduce(x))))
        d = F.relu(self.pool_proj(F.max_pool2d(x, 3, 1, 1)))
        return torch.cat([a, b, c, d], 1)


class Head(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv = nn.Conv2d(channels, 128, 1)
        self.fc = nn.Linear(128 * 4 * 4, 1024)
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x):  # dropout is left out: both sides are compared without it
        x = F.relu(self.conv(F.avg_pool2d(x, 5, 3)))
        return self.classifier(F.relu(self.fc(torch.flatten(x, 1))))


class TorchGoogLeNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.conv2_reduce = nn.Conv2d(64, 64, 1)
        self.conv2 = nn.Conv2d(64, 192, 3, padding=1)
        for name, row in TABLE.items():
            setattr(self, f"inception_{name}", Inception(*row))
        self.aux_4a = Head(512, classes)
        self.aux_4d = Head(528, classes)
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x):
        x, aux_4a, aux_4d = self.features(x)
        return self.classifier(x), aux_4a, aux_4d

    def features(self, x, heads=True):
        """Images → what the classifier sees, and the logits of the heads (or None)."""
        pool = lambda t: F.max_pool2d(t, 3, 2, ceil_mode=True)  # noqa: E731
        norm = lambda t: F.local_response_norm(t, 5, 1e-4, 0.75, 1.0)  # noqa: E731
        x = norm(pool(F.relu(self.conv1(x))))
        x = pool(norm(F.relu(self.conv2(F.relu(self.conv2_reduce(x))))))
        x = pool(self.inception_3b(self.inception_3a(x)))
        x = self.inception_4a(x)
        aux_4a = self.aux_4a(x) if heads else None
        x = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        aux_4d = self.aux_4d(x) if heads else None
        x = pool(self.inception_4e(x))
        x = self.inception_5b(self.inception_5a(x))
        return F.adaptive_avg_pool2d(x, 1).flatten(1), aux_4a, aux_4d
