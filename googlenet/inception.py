"""The networks that came after GoogLeNet, and every network by its name."""

from inspect import signature
from typing import Any, NamedTuple

from googlenet import architecture
from googlenet.architecture.design import chosen
from googlenet.model import GoogLeNet, Network
from minigrad import Tensor


class InceptionBNOutputs(NamedTuple):
    """What Inception-BN returns in training: logits (N, classes)."""

    logits: Tensor


class InceptionV3Outputs(NamedTuple):
    """What Inception v3 returns in training: logits (N, classes) of both heads.

    The auxiliary one is None if the network was built without that head.
    """

    logits: Tensor
    aux: Tensor | None


class InceptionBN(Network):
    """Inception-BN, also called Inception v2: see `googlenet.architecture.inception_bn`.

    Parameters
    ----------
    num_classes, in_channels
        As in `Network`.
    image_size : int
        From one below a multiple of 32 to six above it: maps of odd sides do not fit through 3c
        and 4e. From 32 on.
    **options
        As in `Network`, all but `design`. There are no auxiliary heads, and nothing is dropped
        unless it is asked for.

    Examples
    --------
    >>> from googlenet import InceptionBN
    >>> sum(p.size for p in InceptionBN().parameters())
    11295240
    """

    outputs = InceptionBNOutputs

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options: Any
    ) -> None:
        design = architecture.inception_bn()
        super().__init__(design, num_classes, in_channels, image_size, **options)


class InceptionV3(Network):
    """Inception v3: see `googlenet.architecture.inception_v3`.

    Parameters
    ----------
    num_classes, in_channels
        As in `Network`.
    image_size : int
        From 75 pixels on; from 299 on with the auxiliary head, whose 5×5 convolution takes what is
        left of 17×17 maps.
    **options
        As in `Network`, all but `design`. Nothing is dropped in the auxiliary head.

    Examples
    --------
    >>> from googlenet import InceptionV3
    >>> sum(p.size for p in InceptionV3().parameters())
    27161264
    """

    outputs = InceptionV3Outputs

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, image_size: int = 299, **options: Any
    ) -> None:
        design = architecture.inception_v3()
        super().__init__(design, num_classes, in_channels, image_size, **options)


NETWORKS: dict[str, type[Network]] = {
    "googlenet": GoogLeNet,
    "inception-bn": InceptionBN,
    "inception-v3": InceptionV3,
}


def build(architecture: str = "googlenet", **options: Any) -> Network:
    """Build a network by its name.

    Parameters
    ----------
    architecture : {"googlenet", "inception-bn", "inception-v3"}
    **options
        Of its class: ``num_classes``, ``image_size``, ``dialect`` of a GoogLeNet.

    Raises
    ------
    ValueError
        If there is no such network, or it has no such option.

    Examples
    --------
    >>> build("inception-bn", num_classes=10, image_size=32).stages[-1]
    'inception_5b'
    """
    kind = chosen("architecture", architecture, NETWORKS)
    own, shared = (list(signature(each).parameters) for each in (kind, Network))
    known = [name for name in dict.fromkeys(own + shared) if name not in ("design", "options")]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"build: {architecture} has no option {unknown[0]!r}; it has {', '.join(known)}"
        )
    return kind(**options)
