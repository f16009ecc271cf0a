"""The network: modules built from the rows of `googlenet.architecture`."""

from typing import Any, NamedTuple

import numpy as np

import minigrad
from googlenet import architecture
from googlenet.architecture import LRN, Conv, Inception, MaxPool, Step
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
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        batch_norm: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.bn = nn.BatchNorm2d(self.out_channels) if batch_norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, oh, ow)."""
        if self.bn:
            return F.relu(self.bn(super().forward(x)))
        geometry = self.stride, self.padding, self.dilation, self.groups
        return F.conv2d(x, self.weight, self.bias, *geometry, activation="relu")


class InceptionModule(nn.Module):
    """Four views of the same input, concatenated: 1×1, 3×3, 5×5 and pooled.

    The 3×3 and 5×5 convolutions look at a 1×1 reduction of the input: that is what makes them
    affordable (at 3a, 12.4 million multiply-adds through 16 channels instead of 120.4 direct).
    """

    def __init__(self, row: Inception, in_channels: int, **options: Any) -> None:
        self.conv_1x1 = ConvReLU(in_channels, row.conv_1x1, 1, **options)
        self.conv_3x3_reduce = ConvReLU(in_channels, row.conv_3x3_reduce, 1, **options)
        self.conv_3x3 = ConvReLU(row.conv_3x3_reduce, row.conv_3x3, 3, padding=1, **options)
        self.conv_5x5_reduce = ConvReLU(in_channels, row.conv_5x5_reduce, 1, **options)
        self.conv_5x5 = ConvReLU(row.conv_5x5_reduce, row.conv_5x5, 5, padding=2, **options)
        self.pool_proj = ConvReLU(in_channels, row.pool_proj, 1, **options)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, H, W)."""
        branches = (
            self.conv_1x1(x),
            self.conv_3x3(self.conv_3x3_reduce(x)),
            self.conv_5x5(self.conv_5x5_reduce(x)),
            self.pool_proj(F.max_pool2d(x, kernel_size=3, stride=1, padding=1)),
        )
        return minigrad.concat(branches, axis=1)


class AuxiliaryHead(nn.Module):
    """A small classifier on an inner stage: its loss brings gradients to the stages before it.

    Average pool, 1×1 convolution to 128 channels, linear to 1024, dropout, linear to the classes.
    At 224 pixels the pool is the paper's, 5×5 with stride 3, 14×14 → 4×4. For images of other sizes
    it averages to 4×4 adaptively, and leaves maps that are smaller as they are.
    """

    def __init__(
        self,
        step: Step,
        num_classes: int,
        dropout: float,
        generator: np.random.Generator,
        **options: Any,
    ) -> None:
        side = architecture.aux_side(step.out_size)
        if architecture.aux_pool_fits(step.out_size):
            self.pool: nn.Module = nn.AvgPool2d(*architecture.AUX_POOL)
        else:
            self.pool = nn.AdaptiveAvgPool2d(side)
        channels, features = architecture.AUX_CHANNELS, architecture.AUX_FEATURES
        self.conv = ConvReLU(step.out_channels, channels, 1, generator=generator, **options)
        self.fc = nn.Linear(channels * side * side, features, generator=generator)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(features, num_classes, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, classes)."""
        x = self.conv(self.pool(x))
        x = self.dropout(F.relu(self.fc(x.flatten(1))))
        return self.classifier(x)


class GoogLeNet(nn.Module):
    """GoogLeNet, also called Inception v1, as the paper describes it.

    Parameters
    ----------
    num_classes : int
    in_channels : int
        3 for colour, 1 for grey images.
    image_size : int
        Height and width of the images, at least 32: five halvings leave one pixel. The main path
        takes images of any size from there on; the auxiliary heads are built for this one.
    aux_heads : bool
        Whether to build the two heads that only training uses.
    dropout, aux_dropout : float
        Shares dropped before the classifier of the main and of the auxiliary heads.
    batch_norm : bool
        Normalise every convolution's output over the batch, instead of LRN after the first two.
        The paper's network does not.
    generator : numpy.random.Generator, optional
        Draws the first weights. Without one, the default stream of `minigrad.manual_seed` does.

    Examples
    --------
    >>> from googlenet import GoogLeNet
    >>> net = GoogLeNet(num_classes=10, in_channels=1, image_size=32)
    >>> sum(p.size for p in GoogLeNet(num_classes=1000).parameters())
    13378280
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        aux_heads: bool = True,
        dropout: float = 0.4,
        aux_dropout: float = 0.7,
        batch_norm: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        _check(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
        self.num_classes, self.in_channels, self.image_size = num_classes, in_channels, image_size
        self.aux_heads, self.aux_dropout, self.batch_norm = aux_heads, aux_dropout, batch_norm
        generator = generator or minigrad.random.default_generator()
        options: dict[str, Any] = {"generator": generator, "batch_norm": batch_norm}

        self.stages: list[str] = []
        for step in architecture.walk(in_channels, image_size, batch_norm):
            name = step.stage.name
            self.stages.append(name)
            setattr(self, name, _build(step, **options))
            if aux_heads and name in architecture.AUX_AFTER:
                head = AuxiliaryHead(step, num_classes, aux_dropout, **options)
                setattr(self, name.replace("inception", "aux"), head)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(step.out_channels, num_classes, generator=generator)
        _begin(self, generator)

    def forward(self, x: Tensor) -> Tensor | Outputs:
        """Images (N, in_channels, H, W) → `Outputs` in training, logits (N, classes) in use."""
        self._check_images(x)
        heads: dict[str, Tensor | None] = {"aux_4a": None, "aux_4d": None}
        for name in self.stages:
            x = getattr(self, name)(x)
            head = name.replace("inception", "aux")
            if self.training and self.aux_heads and head in heads:
                heads[head] = getattr(self, head)(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits = self.classifier(self.dropout(x))
        return Outputs(logits, **heads) if self.training else logits

    def _check_images(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"GoogLeNet: images must have shape (N, {self.in_channels}, H, W), got {x.shape}"
            )
        if min(x.shape[2:]) < architecture.SMALLEST_IMAGE:
            raise ValueError(
                f"GoogLeNet: images must be at least {architecture.SMALLEST_IMAGE} pixels high "
                f"and wide, got {x.shape[2]}×{x.shape[3]}"
            )
        if self.training and self.aux_heads and x.shape[2:] != (self.image_size, self.image_size):
            raise ValueError(
                f"GoogLeNet: its auxiliary heads were built for images of {self.image_size}×"
                f"{self.image_size}, got {x.shape[2]}×{x.shape[3]}; set image_size, or use "
                "aux_heads=False"
            )


def _build(step: Step, **options: Any) -> nn.Module:
    """Make the module of one stage."""
    match step.stage:
        case Conv(_, out_channels, kernel_size, stride, padding):
            return ConvReLU(
                step.in_channels, out_channels, kernel_size,
                stride=stride, padding=padding, **options,
            )  # fmt: skip
        case Inception():
            return InceptionModule(step.stage, step.in_channels, **options)
        case MaxPool(_, kernel_size, stride):
            return nn.MaxPool2d(kernel_size, stride, ceil_mode=True)
        case LRN(_, size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)


def _begin(net: GoogLeNet, generator: np.random.Generator) -> None:
    """Give all weights their first values.

    He's normal distribution keeps signals alive through 22 layers of ReLU without batch norm. The
    classifiers begin smaller, so that no class is preferred much before anything was learned.
    """
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if name.endswith("classifier"):
                nn.init.normal_(module.weight, 0.0, 0.01, generator)
            else:
                nn.init.he_normal_(module.weight, generator)
            if module.bias is not None:
                nn.init.constant_(module.bias, 0.0)


def in_precision(images: Tensor, precision: str) -> Tensor:
    """Return a batch in the dtype of a precision: itself, if it is that already."""
    wanted = PRECISIONS[precision]
    return images if images.dtype.name == wanted else images.astype(wanted)


def loss(
    outputs: Outputs, target: Any, label_smoothing: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss that training lowers, and each head's own.

    Total = main + 0.3 · aux_4a + 0.3 · aux_4d, each the cross-entropy of its logits.

    Parameters
    ----------
    outputs : Outputs
    target : integer array (N,)
    label_smoothing : float

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
    return sum((architecture.AUX_WEIGHT * other for other in others), start=main), heads


def _check(**arguments: Any) -> None:
    least = {"image_size": architecture.SMALLEST_IMAGE}
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least.get(name, 1):
            raise ValueError(
                f"GoogLeNet: {name} must be an integer of at least {least.get(name, 1)}, "
                f"got {value!r}"
            )
