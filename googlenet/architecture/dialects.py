"""Dialects: networks that go by the name GoogLeNet and differ in what the paper leaves open.

`paper` is the paper's network where that speaks, and BVLC's model for Caffe where it is silent
(padding, ceil mode, where the heads stand, first weights). `torchvision` is PyTorch's, trained with
batch normalisation; its "5×5" branch has a 3×3 kernel, a mistake that was kept for the sake of the
published weights. `cifar` is the one for small pictures of weiaicunzai/pytorch-cifar100: no stem to
speak of, no auxiliary heads.
"""

from typing import NamedTuple

from googlenet.architecture.stages import LRN, Branches, Conv, Head, Layer, Pool, Stage
from googlenet.architecture.table import Inception


class BatchNorm(NamedTuple):
    """Batch normalisation after every convolution."""

    eps: float = 1e-5
    momentum: float = 0.1


class Dialect(NamedTuple):
    """What a GoogLeNet is made of around, and inside, its Inception modules.

    Attributes
    ----------
    name : str
    stem : tuple of stages
        In front of the first module.
    kernels_5x5 : tuple of int
        The kernels, one after the other, of what is called the 5×5 branch.
    pools : Pool
        Between modules; their names are counted on: pool3, pool4.
    last_pool : Pool
        The last of these, where it differs.
    norm : BatchNorm, optional
    bias : bool
        Whether convolutions have one where they are normalised; where they are not, they do.
    head : Head, optional
        What auxiliary heads look like: on 4a and on 4d, where there are such modules.
    dropout, aux_dropout : float
    init : str
        How weights begin: see `googlenet.first_weights.INITS`.
    smallest : int
        Pixels of the smallest images.
    source : str
    """

    name: str
    stem: tuple[Stage, ...]
    kernels_5x5: tuple[int, ...]
    pools: Pool
    last_pool: Pool
    norm: BatchNorm | None
    bias: bool
    head: Head | None
    dropout: float
    aux_dropout: float
    init: str
    smallest: int
    source: str

    def module(self, row: Inception) -> Branches:
        """Return the Inception module of a row of the table."""
        *first, last = (
            Conv(name, row.conv_5x5, kernel, padding=kernel // 2)
            for name, kernel in zip(self._names_5x5(), self.kernels_5x5, strict=True)
        )
        branches: tuple[tuple[Layer, ...], ...] = (
            (Conv("conv_1x1", row.conv_1x1, 1),),
            (
                Conv("conv_3x3_reduce", row.conv_3x3_reduce, 1),
                Conv("conv_3x3", row.conv_3x3, 3, padding=1),
            ),
            (Conv("conv_5x5_reduce", row.conv_5x5_reduce, 1), *first, last),
            (Pool("pool", 3, 1, padding=1), Conv("pool_proj", row.pool_proj, 1)),
        )
        return Branches(f"inception_{row.name}", branches)

    def naive_module(self, row: Inception) -> Branches:
        """Return the module without reductions and projection: figure 2(a) of the paper.

        In place of what is called the 5×5 branch stands one convolution, with the first kernel.
        The pool hands all channels of its input on, so modules grow wider and wider.
        """
        kernel = self.kernels_5x5[0]
        branches: tuple[tuple[Layer, ...], ...] = (
            (Conv("conv_1x1", row.conv_1x1, 1),),
            (Conv("conv_3x3", row.conv_3x3, 3, padding=1),),
            (Conv("conv_5x5", row.conv_5x5, kernel, padding=kernel // 2),),
            (Pool("pool", 3, 1, padding=1),),
        )
        return Branches(f"inception_{row.name}", branches)

    def _names_5x5(self) -> tuple[str, ...]:
        return (
            ("conv_5x5",) if len(self.kernels_5x5) == 1 else ("conv_5x5_first", "conv_5x5_second")
        )


def _ceil(name: str, kernel_size: int = 3) -> Pool:
    return Pool(name, kernel_size, 2, ceil_mode=True)  # 112 → 56 → 28 → 14 → 7


_HEAD = Head("", "", (Conv("conv", 128, 1),), side=4, features=1024)

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            "paper",
            stem=(
                Conv("conv1", 64, kernel_size=7, stride=2, padding=3),
                _ceil("pool1"),
                LRN("lrn1"),
                Conv("conv2_reduce", 64, kernel_size=1),
                Conv("conv2", 192, kernel_size=3, padding=1),
                LRN("lrn2"),
                _ceil("pool2"),
            ),
            kernels_5x5=(5,),
            pools=_ceil("pool"),
            last_pool=_ceil("pool"),
            norm=None,
            bias=True,
            head=_HEAD._replace(pool=Pool("pool", 5, 3, kind="average")),  # 14×14 → 4×4
            dropout=0.4,
            aux_dropout=0.7,
            init="xavier",
            smallest=32,
            source="Szegedy et al., CVPR 2015, and BVLC's bvlc_googlenet for Caffe",
        ),
        Dialect(
            "torchvision",
            stem=(
                Conv("conv1", 64, kernel_size=7, stride=2, padding=3),
                _ceil("pool1"),
                Conv("conv2_reduce", 64, kernel_size=1),
                Conv("conv2", 192, kernel_size=3, padding=1),
                _ceil("pool2"),
            ),
            kernels_5x5=(3,),
            pools=_ceil("pool"),
            last_pool=_ceil("pool", 2),
            norm=BatchNorm(eps=1e-3),
            bias=False,
            head=_HEAD,
            dropout=0.2,
            aux_dropout=0.7,
            init="normal",
            smallest=32,
            source="torchvision.models.googlenet",
        ),
        Dialect(
            "cifar",
            stem=(Conv("conv1", 192, kernel_size=3, padding=1),),
            kernels_5x5=(3, 3),
            pools=Pool("pool", 3, 2, padding=1),
            last_pool=Pool("pool", 3, 2, padding=1),
            norm=BatchNorm(),
            bias=True,
            head=None,
            dropout=0.4,
            aux_dropout=0.7,
            init="default",
            smallest=8,
            source="weiaicunzai/pytorch-cifar100, models/googlenet.py",
        ),
    )
}
