"""Inception-BN, also called Inception v2: GoogLeNet with batch normalisation, and wider.

S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
internal covariate shift", ICML 2015, figure 5. Two 3×3 convolutions stand for the 5×5, pools in
modules take the mean instead of the maximum (but the last), and two modules with stride 2, 3c and
4e, take the place of pools between modules. There are no auxiliary heads, and no dropout.

Widths are those of the model for Caffe whose weights were published, of 11,295,240 parameters; its
convolutions have biases, which batch normalisation takes away again. Of 4c and 4d the table in the
paper prints 576 channels, which a projection to 96 would give; it is 128 here, as in that model.
"""

from typing import NamedTuple

from googlenet.architecture.design import Architecture
from googlenet.architecture.dialects import BatchNorm
from googlenet.architecture.stages import Branches, Conv, Layer, Pool, Stage


class InceptionBNRow(NamedTuple):
    """One module: the width of each convolution in its branches.

    Branches: 1×1; 1×1 reduction, then 3×3; 1×1 reduction, then 3×3 twice; 3×3 pool, then 1×1
    projection. A module with stride 2 has no 1×1, 0 in the table, and hands on what it pools.
    """

    name: str
    conv_1x1: int
    conv_3x3_reduce: int
    conv_3x3: int
    double_3x3_reduce: int
    double_3x3: int
    pool: str
    pool_proj: int
    stride: int = 1


INCEPTION_BN = {
    row.name: row
    for row in (
        #              name  1×1  3×3r  3×3  d3×3r d3×3  pool      proj  stride
        InceptionBNRow("3a", 64, 64, 64, 64, 96, "average", 32),
        InceptionBNRow("3b", 64, 64, 96, 64, 96, "average", 64),
        InceptionBNRow("3c", 0, 128, 160, 64, 96, "max", 0, 2),
        InceptionBNRow("4a", 224, 64, 96, 96, 128, "average", 128),
        InceptionBNRow("4b", 192, 96, 128, 96, 128, "average", 128),
        InceptionBNRow("4c", 160, 128, 160, 128, 160, "average", 128),
        InceptionBNRow("4d", 96, 128, 192, 160, 192, "average", 128),
        InceptionBNRow("4e", 0, 128, 192, 192, 256, "max", 0, 2),
        InceptionBNRow("5a", 352, 192, 320, 160, 224, "average", 128),
        InceptionBNRow("5b", 352, 192, 320, 192, 224, "max", 128),
    )
}


def inception_bn() -> Architecture:
    """Describe Inception-BN.

    Examples
    --------
    >>> [stage.name for stage in inception_bn().stages][5:8]
    ['inception_3a', 'inception_3b', 'inception_3c']
    """
    stem: tuple[Stage, ...] = (
        Conv("conv1", 64, kernel_size=7, stride=2, padding=3),
        Pool("pool1", ceil_mode=True),
        Conv("conv2_reduce", 64, kernel_size=1),
        Conv("conv2", 192, kernel_size=3, padding=1),
        Pool("pool2", ceil_mode=True),
    )
    return Architecture(
        name="Inception-BN",
        stages=(*stem, *map(_module, INCEPTION_BN.values())),
        heads=(),
        norm=BatchNorm(eps=1e-5),
        bias=True,
        dropout=0.0,
        aux_dropout=0.0,
        init="xavier",
        smallest=32,
    )


def _module(row: InceptionBNRow) -> Branches:
    three: tuple[Layer, ...] = (
        Conv("conv_3x3_reduce", row.conv_3x3_reduce, 1),
        Conv("conv_3x3", row.conv_3x3, 3, row.stride, padding=1),
    )
    double: tuple[Layer, ...] = (
        Conv("double_3x3_reduce", row.double_3x3_reduce, 1),
        Conv("double_3x3_first", row.double_3x3, 3, padding=1),
        Conv("double_3x3_second", row.double_3x3, 3, row.stride, padding=1),
    )
    branches: tuple[tuple[Layer, ...], ...]
    if row.stride == 2:
        branches = (three, double, (Pool("pool", ceil_mode=True),))
    else:
        branches = (
            (Conv("conv_1x1", row.conv_1x1, 1),),
            three,
            double,
            (Pool("pool", 3, 1, padding=1, kind=row.pool), Conv("pool_proj", row.pool_proj, 1)),
        )
    return Branches(f"inception_{row.name}", branches)
