"""The judge's network of the tests, for images of other sizes and kinds. Needs PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from googlenet.architecture import design, head_pool, walk
from tests.googlenet.torch_googlenet import Head, TorchGoogLeNet


class PeerHead(Head):
    """An auxiliary head with dropout, on maps of any size."""

    def __init__(self, channels, classes, map_size, dropout):
        super().__init__(channels, classes)
        self.pool, self.side = head_pool(design("paper").heads[0], map_size)
        self.fc = nn.Linear(128 * self.side**2, 1024)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        if self.pool is not None:
            x = F.avg_pool2d(x, self.pool.kernel_size, self.pool.stride)
        else:
            x = F.adaptive_avg_pool2d(x, self.side)
        x = F.relu(self.fc(torch.flatten(F.relu(self.conv(x)), 1)))
        return self.classifier(self.dropout(x))


class PeerGoogLeNet(TorchGoogLeNet):
    """GoogLeNet: three logits in training, the main one in use."""

    def __init__(self, classes, in_channels, image_size, dropout, aux_dropout):
        super().__init__(classes)
        if in_channels != 3:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3)
        steps = walk(design("paper").stages, in_channels, image_size)
        sizes = {step.stage.name: step.out_size for step in steps}
        self.aux_4a = PeerHead(512, classes, sizes["inception_4a"], aux_dropout)
        self.aux_4d = PeerHead(528, classes, sizes["inception_4d"], aux_dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x, aux_4a, aux_4d = self.features(x, heads=self.training)
        if self.training:
            return self.classifier(self.dropout(x)), aux_4a, aux_4d
        return self.classifier(x)
