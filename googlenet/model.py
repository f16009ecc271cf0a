"""GoogLeNet, and any network: modules built from the descriptions of `googlenet.architecture`."""

from typing import Any, NamedTuple

import numpy as np

import minigrad
from googlenet import architecture
from googlenet.architecture import (
    AUX_WEIGHT,
    LRN,
    Architecture,
    BatchNorm,
    Branches,
    Conv,
    Head,
    Pool,
    Step,
)
from googlenet.first_weights import INITS
from googlenet.recipes import PRECISIONS
from minigrad import Tensor, nn
from minigrad import functional as F


class Outputs(NamedTuple):
    """What the network returns in training: logits (N, classes) of the main and both other heads.

    The auxiliary ones are None if the network was built without those heads.
    """

    logits: Tensor
    aux_4a: Tensor | None
    aux_4d: Tensor | None


class ConvReLU(nn.Conv2d):
    """A convolution followed by ReLU; with batch normalisation between them if asked for."""

    def __init__(
        self, in_channels: int, row: Conv, norm: BatchNorm | None = None, **options: Any
    ) -> None:
        super().__init__(
            in_channels, row.out_channels, row.kernel_size, row.stride, row.padding, **options
        )
        self.bn = nn.BatchNorm2d(row.out_channels, *norm) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, oh, ow)."""
        if self.bn:
            return F.relu(self.bn(super().forward(x)))
        geometry = self.stride, self.padding, self.dilation, self.groups
        return F.conv2d(x, self.weight, self.bias, *geometry, activation="relu")


class InceptionModule(nn.Module):
    """Several views of the same input, concatenated: in GoogLeNet 1×1, 3×3, 5×5 and pooled.

    The 3×3 and 5×5 convolutions look at a 1×1 reduction of the input: that is what makes them
    affordable (at 3a, 12.4 million multiply-adds through 16 channels instead of 120.4 direct).
    """

    def __init__(self, row: Branches, in_channels: int, **options: Any) -> None:
        self.row = row
        for branch in row.branches:
            channels = in_channels
            for layer in branch:
                setattr(self, layer.name, _build(layer, channels, **options))
                channels = architecture.out_channels(layer, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, oh, ow)."""
        ends = []
        for branch in self.row.branches:
            y = x
            for layer in branch:
                y = getattr(self, layer.name)(y)
            ends.append(y)
        return minigrad.concat(ends, axis=1)


class AuxiliaryHead(nn.Module):
    """A small classifier on an inner stage: its loss brings gradients to the stages before it.

    The paper's: average pool, 1×1 convolution to 128 channels, linear to 1024, dropout, linear to
    the classes. At 224 pixels its pool is 5×5 with stride 3, 14×14 → 4×4. For images of other
    sizes it averages to 4×4 adaptively, and leaves maps that are smaller as they are.
    """

    def __init__(
        self,
        row: Head,
        step: Step,
        num_classes: int,
        dropout: float,
        generator: np.random.Generator,
        **options: Any,
    ) -> None:
        pool, side = architecture.head_pool(row, step.out_size)
        self.pool = nn.AdaptiveAvgPool2d(side) if pool is None else _build(pool, 0)
        self.row = row
        channels = step.out_channels
        for conv in row.convs:
            setattr(self, conv.name, ConvReLU(channels, conv, generator=generator, **options))
            channels = conv.out_channels
            side = architecture.out_size(conv, side)
        if row.features is None:
            side = 1  # averaged, in `forward`
        features = channels * side * side
        self.fc, self.dropout = None, nn.Dropout(dropout)
        if row.features is not None:
            self.fc = nn.Linear(features, row.features, generator=generator)
            features = row.features
        self.classifier = nn.Linear(features, num_classes, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, classes)."""
        x = self.pool(x)
        for conv in self.row.convs:
            x = getattr(self, conv.name)(x)
        if self.fc is None:
            x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        else:
            x = self.dropout(F.relu(self.fc(x.flatten(1))))
        return self.classifier(x)


class Network(nn.Module):
    """Any network of `googlenet.architecture`.

    Parameters
    ----------
    design : Architecture
        What to build.
    num_classes : int
    in_channels : int
        3 for colour, 1 for grey images.
    image_size : int
        Height and width of the images. The main path takes images of any size that is large
        enough; the auxiliary heads are built for this one.
    aux_heads : bool
        Whether to build the heads that only training uses, if there are any.
    dropout, aux_dropout : float, optional
        Shares dropped before the classifier of the main and of the auxiliary heads. None: as
        published.
    init : str, optional
        How weights begin: one of `googlenet.first_weights.INITS`. None: as published.
    generator : numpy.random.Generator, optional
        Draws the first weights. Without one, the default stream of `minigrad.manual_seed` does.

    Attributes
    ----------
    design : Architecture
    stages : list of str
        The stages of the main path, in order; each is an attribute of the network.
    heads : dict of str to str
        The auxiliary heads, by the stages they stand on; each is an attribute of the network.
    """

    outputs: type = Outputs  # what it returns in training

    def __init__(
        self,
        design: Architecture,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        aux_heads: bool = True,
        dropout: float | None = None,
        aux_dropout: float | None = None,
        init: str | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        self._called = type(self).__name__
        self._check(design.smallest, num_classes, in_channels, image_size)
        init = design.init if init is None else init
        if init not in INITS:
            raise ValueError(
                f"{self._called}: init must be one of {', '.join(INITS)}, got {init!r}"
            )
        self.design, self.init, self.batch_norm = design, init, design.norm is not None
        self.num_classes, self.in_channels, self.image_size = num_classes, in_channels, image_size
        self.aux_dropout = design.aux_dropout if aux_dropout is None else aux_dropout
        generator = generator or minigrad.random.default_generator()
        options: dict[str, Any] = {"generator": generator, "norm": design.norm, "bias": design.bias}

        self.stages: list[str] = []
        self.heads = {head.after: head.name for head in design.heads if aux_heads}
        self.aux_heads = bool(self.heads)
        rows = {head.name: head for head in design.heads}
        steps = list(architecture.walk(design.stages, in_channels, image_size))
        for step in steps:
            name = step.stage.name
            self.stages.append(name)
            setattr(self, name, _build(step.stage, step.in_channels, **options))
            if name in self.heads:
                row = rows[self.heads[name]]
                head = AuxiliaryHead(row, step, num_classes, self.aux_dropout, **options)
                setattr(self, row.name, head)
        self.dropout = nn.Dropout(design.dropout if dropout is None else dropout)
        self.classifier = nn.Linear(steps[-1].out_channels, num_classes, generator=generator)
        INITS[init](self, generator)

    def forward(self, x: Tensor) -> Any:
        """Images (N, in_channels, H, W) → outputs of all heads in training, in use the logits.

        Logits have shape (N, classes).
        """
        self._check_images(x)
        heads: dict[str, Tensor | None] = dict.fromkeys(self.outputs._fields[1:])  # type: ignore[attr-defined]
        for name in self.stages:
            x = getattr(self, name)(x)
            if self.training and name in self.heads:
                heads[self.heads[name]] = getattr(self, self.heads[name])(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits = self.classifier(self.dropout(x))
        return self.outputs(logits, **heads) if self.training else logits

    def _check(self, smallest: int, num_classes: int, in_channels: int, image_size: int) -> None:
        arguments = {
            "num_classes": (num_classes, 1),
            "in_channels": (in_channels, 1),
            "image_size": (image_size, smallest),
        }
        for name, (value, least) in arguments.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(
                    f"{self._called}: {name} must be an integer of at least {least}, got {value!r}"
                )

    def _check_images(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"{self._called}: images must have shape (N, {self.in_channels}, H, W), "
                f"got {x.shape}"
            )
        least = self.design.smallest
        if min(x.shape[2:]) < least:
            raise ValueError(
                f"{self._called}: images must be at least {least} pixels high "
                f"and wide, got {x.shape[2]}×{x.shape[3]}"
            )
        for side in {*x.shape[2:]} - {self.image_size}:  # do the branches of all modules fit?
            for _ in architecture.walk(self.design.stages, self.in_channels, side):
                pass
        if self.training and self.aux_heads and x.shape[2:] != (self.image_size, self.image_size):
            raise ValueError(
                f"{self._called}: its auxiliary heads were built for images of {self.image_size}×"
                f"{self.image_size}, got {x.shape[2]}×{x.shape[3]}; set image_size, or use "
                "aux_heads=False"
            )


class GoogLeNet(Network):
    """GoogLeNet, also called Inception v1: as the paper describes it, or in another dialect.

    Parameters
    ----------
    num_classes, in_channels, image_size, aux_heads, dropout, aux_dropout
        As in `Network`. The paper's network takes images from 32 pixels on: five halvings leave
        one. Heads stand on 4a and on 4d, where there are such modules.
    batch_norm : bool, optional
        Normalise every convolution's output over the batch, instead of LRN after the first two.
        None: as the dialect does; the paper's network does not.
    lrn : bool
        Whether that LRN is there, where nothing else normalises.
    generator : numpy.random.Generator, optional
    dialect : {"paper", "torchvision", "cifar"}
    variant : {"googlenet", "naive", "long", "short", "short2", "short3", "short4"}
        Which Inception modules.
    stages : str or sequence of str, optional
        A list of modules of your own, ``"3a 3b pool 4a pool 5a 5b"``: see
        `googlenet.architecture.parse_stages`.
    init : {"xavier", "he", "normal", "default"}, optional

    Examples
    --------
    >>> from googlenet import GoogLeNet
    >>> net = GoogLeNet(num_classes=10, in_channels=1, image_size=32)
    >>> sum(p.size for p in GoogLeNet(num_classes=1000).parameters())
    13378280
    >>> short = GoogLeNet(num_classes=10, image_size=32, dialect="cifar", variant="short2")
    >>> sum(p.size for p in short.parameters())
    3431306
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        aux_heads: bool = True,
        dropout: float | None = None,
        aux_dropout: float | None = None,
        batch_norm: bool | None = None,
        generator: np.random.Generator | None = None,
        dialect: str = "paper",
        variant: str = "googlenet",
        stages: str | Any | None = None,
        init: str | None = None,
        lrn: bool = True,
    ) -> None:
        design = architecture.design(dialect, variant, stages, batch_norm, lrn)
        super().__init__(
            design, num_classes, in_channels, image_size, aux_heads, dropout, aux_dropout, init,
            generator,
        )  # fmt: skip


def _build(row: architecture.Stage, in_channels: int, **options: Any) -> nn.Module:
    """Make the module of one stage, or of one layer in a branch."""
    match row:
        case Conv():
            return ConvReLU(in_channels, row, **options)
        case Branches():
            return InceptionModule(row, in_channels, **options)
        case Pool(_, kernel_size, stride, padding, ceil_mode, kind):
            if kind == "max":
                return nn.MaxPool2d(kernel_size, stride, padding, ceil_mode=ceil_mode)
            return nn.AvgPool2d(kernel_size, stride, padding, ceil_mode)
        case LRN(_, size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)


def in_precision(images: Tensor, precision: str) -> Tensor:
    """Return a batch in the dtype of a precision: itself, if it is that already."""
    wanted = PRECISIONS[precision]
    return images if images.dtype.name == wanted else images.astype(wanted)


def loss(
    outputs: Any, target: Any, label_smoothing: float = 0.0, aux_weight: float = AUX_WEIGHT
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss that training lowers, and each head's own.

    Total = main + 0.3 · aux_4a + 0.3 · aux_4d, each the cross-entropy of its logits; of Inception
    v3, main + 0.4 · aux.

    Parameters
    ----------
    outputs : Outputs
        Or another named tuple, of which the first are the main logits.
    target : integer array (N,)
    label_smoothing : float
    aux_weight : float
        Of the auxiliary heads: `Architecture.aux_weight`, where it is not the paper's.

    Returns
    -------
    total : Tensor ()
    heads : dict of name to Tensor ()
    """
    heads = {
        name: F.cross_entropy(logits, target, label_smoothing=label_smoothing)
        for name, logits in outputs._asdict().items()
        if logits is not None
    }
    main, *others = heads.values()
    return sum((aux_weight * other for other in others), start=main), heads
