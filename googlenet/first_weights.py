"""How weights begin, by name: as each network was published, or as trains well here.

Each function fills the weights of a `googlenet.model.Network`, in place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import nn


def _begin_he(net: Any, generator: np.random.Generator) -> None:
    """Draw weights so that signals stay alive through 22 layers of ReLU without batch norm.

    He's normal distribution. The classifiers begin smaller, so that no class is preferred much
    before anything was learned.
    """
    for name, module in _with_weights(net):
        if name.endswith("classifier"):
            nn.init.normal_(module.weight, 0.0, 0.01, generator)
        else:
            nn.init.he_normal_(module.weight, generator)
        _constant_bias(module, 0.0)


def _begin_xavier(net: Any, generator: np.random.Generator) -> None:
    """Draw weights as Caffe's GoogLeNet does: Xavier's uniform distribution, and biases of 0.2.

    Those of the classifiers are 0.
    """
    for name, module in _with_weights(net):
        nn.init.xavier_uniform_(module.weight, generator)
        _constant_bias(module, 0.0 if name.endswith("classifier") else 0.2)


def _begin_normal(net: Any, generator: np.random.Generator) -> None:
    """Draw weights as torchvision's GoogLeNet does: normally, with a deviation of 0.01.

    Biases stay as the layers drew them.
    """
    for _, module in _with_weights(net):
        nn.init.normal_(module.weight, 0.0, 0.01, generator)


def _begin_default(net: Any, generator: np.random.Generator) -> None:
    """Leave weights as the layers drew them: evenly from ±1/√fan_in, as PyTorch does."""


def _begin_inception(net: Any, generator: np.random.Generator) -> None:
    """Draw weights as torchvision's Inception v3 does: normally, with a deviation of 0.1.

    Of 0.01 and 0.001 in the last two layers of its head. (torchvision cuts the distribution off at
    ±2, which is twenty deviations away; TensorFlow's model, where that is from, at two deviations.)
    """
    heads = net.heads.values()
    deviations = {f"{head}.conv_5x5": 0.01 for head in heads}
    deviations |= {f"{head}.classifier": 0.001 for head in heads}
    for name, module in _with_weights(net):
        nn.init.normal_(module.weight, 0.0, deviations.get(name, 0.1), generator)


INITS: dict[str, Callable[[Any, np.random.Generator], None]] = {
    "xavier": _begin_xavier,
    "he": _begin_he,
    "normal": _begin_normal,
    "default": _begin_default,
    "inception": _begin_inception,
}


def _with_weights(net: nn.Module) -> list[tuple[str, Any]]:
    return [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def _constant_bias(module: Any, value: float) -> None:
    if module.bias is not None:
        nn.init.constant_(module.bias, value)
