"""What a summary says of memory, held against the arrays that there are."""

from contextlib import contextmanager

import numpy as np
import pytest

from googlenet import GoogLeNet, InceptionBN, InceptionV3
from googlenet.summary import rows
from minigrad import Tensor, tensor
from minigrad.nn import BatchNorm2d
from tests.googlenet.tiny import narrow_networks


@contextmanager
def counting_arrays():
    """Note the bytes of every array that a tensor is made of; views of one array are one."""
    found, sound = {}, Tensor.__init__

    def noting(self, *given, **options):
        sound(self, *given, **options)
        whole = self.data
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        found[id(whole)] = whole, self.data.nbytes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "__init__", noting)
        yield found


@pytest.mark.parametrize(
    ("kind", "size", "options"),
    [
        (GoogLeNet, 64, {}),
        (GoogLeNet, 64, {"aux_heads": False}),
        (GoogLeNet, 64, {"batch_norm": True}),
        (GoogLeNet, 32, {"dropout": 0.0, "aux_dropout": 0.0}),
        (GoogLeNet, 64, {"dialect": "torchvision"}),
        (GoogLeNet, 16, {"dialect": "cifar", "variant": "naive"}),
        (InceptionBN, 64, {}),
        (InceptionV3, 75, {"aux_heads": False}),
        (InceptionV3, 299, {}),
    ],
)
def test_activations_are_all_arrays_of_a_pass_in_training(kind, size, options):
    with narrow_networks():
        net = kind(10, 3, size, **options).train()
    for _, module in net.named_modules():  # one picture's maps of 1×1 cannot be normalised anew
        if isinstance(module, BatchNorm2d):
            module.training = False
    x = tensor(np.zeros((1, 3, size, size), np.float32))
    x.requires_grad = True
    with counting_arrays() as found:
        outputs = net(x)
    assert outputs.logits.shape == (1, 10)
    stages, heads = rows(net)
    assert sum(row.activations for row in stages + heads) == sum(n for _, n in found.values())
