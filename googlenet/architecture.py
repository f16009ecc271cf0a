"""GoogLeNet as data: what Table 1 of the paper says, row by row.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke and
A. Rabinovich, "Going deeper with convolutions", CVPR 2015. Where the paper is silent (padding,
ceil mode, where the heads stand) this follows the model that BVLC published for Caffe.

Nothing here computes. `googlenet.model` builds modules from it, `googlenet.summary` counts.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Inception(NamedTuple):
    """One Inception module: the width of each convolution in its four branches.

    Branches: 1×1; 1×1 reduction, then 3×3; 1×1 reduction, then 5×5; 3×3 max pool, then 1×1
    projection. Their outputs are concatenated.
    """

    name: str
    conv_1x1: int
    conv_3x3_reduce: int
    conv_3x3: int
    conv_5x5_reduce: int
    conv_5x5: int
    pool_proj: int

    @property
    def out_channels(self) -> int:
        """Channels of the concatenated output."""
        return self.conv_1x1 + self.conv_3x3 + self.conv_5x5 + self.pool_proj


class Conv(NamedTuple):
    """A convolution with bias, followed by ReLU."""

    name: str
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0


class MaxPool(NamedTuple):
    """A 3×3 max pool with stride 2, in ceil mode: 112 → 56 → 28 → 14 → 7."""

    name: str
    kernel_size: int = 3
    stride: int = 2


class LRN(NamedTuple):
    """Local response normalisation over 5 channels, α = 1e-4 (divided by 5), β = 0.75, k = 1."""

    name: str
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


Stage = Inception | Conv | MaxPool | LRN

STAGES: tuple[Stage, ...] = (
    Conv("conv1", 64, kernel_size=7, stride=2, padding=3),
    MaxPool("pool1"),
    LRN("lrn1"),
    Conv("conv2_reduce", 64, kernel_size=1),
    Conv("conv2", 192, kernel_size=3, padding=1),
    LRN("lrn2"),
    MaxPool("pool2"),
    #          name            1×1  3×3r  3×3  5×5r  5×5  proj
    Inception("inception_3a", 64, 96, 128, 16, 32, 32),
    Inception("inception_3b", 128, 128, 192, 32, 96, 64),
    MaxPool("pool3"),
    Inception("inception_4a", 192, 96, 208, 16, 48, 64),
    Inception("inception_4b", 160, 112, 224, 24, 64, 64),
    Inception("inception_4c", 128, 128, 256, 24, 64, 64),
    Inception("inception_4d", 112, 144, 288, 32, 64, 64),
    Inception("inception_4e", 256, 160, 320, 32, 128, 128),
    MaxPool("pool4"),
    Inception("inception_5a", 256, 160, 320, 32, 128, 128),
    Inception("inception_5b", 384, 192, 384, 48, 128, 128),
)

AUX_AFTER = ("inception_4a", "inception_4d")  # the two heads that help gradients on their way back
AUX_WEIGHT = 0.3  # of each head's loss in the total
AUX_CHANNELS, AUX_FEATURES = 128, 1024  # of a head: its 1×1 convolution, its hidden layer
AUX_POOL = (5, 3)  # kernel and stride of a head's average pool
AUX_SIDE = 4  # of what it gives: 14×14 → 4×4

SMALLEST_IMAGE = 32


class Step(NamedTuple):
    """One stage and the images that go through it."""

    stage: Stage
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int


def walk(in_channels: int, image_size: int, batch_norm: bool = False) -> Iterator[Step]:
    """Follow square images of `image_size` pixels through the stages.

    With batch normalisation after every convolution, the LRN stages are left out.
    """
    channels, size = in_channels, image_size
    for stage in STAGES:
        before = channels, size
        match stage:
            case Conv():
                channels = stage.out_channels
                size = (size + 2 * stage.padding - stage.kernel_size) // stage.stride + 1
            case Inception():
                channels = stage.out_channels
            case MaxPool():  # ceil mode
                size = -(-(size - stage.kernel_size) // stage.stride) + 1
            case LRN() if batch_norm:
                continue
        yield Step(stage, before[0], channels, before[1], size)


def aux_side(map_size: int) -> int:
    """Give the side of the square that an auxiliary head pools its map to: the paper's 4.

    Maps that are smaller stay as they are.
    """
    return min(AUX_SIDE, map_size)


def aux_pool_fits(map_size: int) -> bool:
    """Tell whether the paper's pool, 5×5 with stride 3, gives 4×4: on its own 14×14, up to 16×16.

    On maps of other sizes the heads average adaptively instead.
    """
    kernel, stride = AUX_POOL
    return (map_size - kernel) // stride + 1 == AUX_SIDE
