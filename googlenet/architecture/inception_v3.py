"""Inception v3: convolutions taken apart into smaller and asymmetric ones.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the Inception architecture
for computer vision", CVPR 2016; and, where that leaves open how wide something is, torchvision's
model, which is TensorFlow's. Modules are numbered as there: 5b–5d see 35×35 maps, 6a–6e 17×17 and
7a–7c 8×8 of an image of 299×299.

- 7×7 is 1×7, then 7×1: 14 weights for 49.
- 6a and 7a halve the maps: convolutions with stride 2 beside a pool, so that neither the pool comes
  first, and loses what it loses, nor the convolution, and costs four times as much.
- In 7b and 7c branches fork at their ends, into 1×3 and 3×1.
- One auxiliary head, on 6e. Its loss counts 0.4 in torchvision's training; the paper's also has
  label smoothing of 0.1, which it brought up.
"""

from googlenet.architecture.design import Architecture
from googlenet.architecture.dialects import BatchNorm
from googlenet.architecture.stages import Branches, Conv, Head, Layer, Pool, Stage

Branch = tuple[Layer, ...]
AUX_WEIGHT_V3 = 0.4
PROJECTIONS_5 = {"5b": 32, "5c": 64, "5d": 64}  # the width of what is pooled and projected
WIDTHS_6 = {"6b": 128, "6c": 160, "6d": 160, "6e": 192}  # inside the branches of 1×7 and 7×1


def inception_v3() -> Architecture:
    """Describe Inception v3.

    Examples
    --------
    >>> [head.after for head in inception_v3().heads]
    ['inception_6e']
    """
    stem: tuple[Stage, ...] = (
        Conv("conv_1a", 32, 3, stride=2),
        Conv("conv_2a", 32, 3),
        Conv("conv_2b", 64, 3, padding=1),
        Pool("pool1"),
        Conv("conv_3b", 80, 1),
        Conv("conv_4a", 192, 3),
        Pool("pool2"),
    )
    modules = (
        *(_module_5(name, width) for name, width in PROJECTIONS_5.items()),
        _reduction_6a(),
        *(_module_6(name, width) for name, width in WIDTHS_6.items()),
        _reduction_7a(),
        _module_7("7b"),
        _module_7("7c"),
    )
    head = Head(
        "aux",
        "inception_6e",
        (Conv("conv_1x1", 128, 1), Conv("conv_5x5", 768, 5)),
        pool=Pool("pool", 5, 3, kind="average"),  # 17×17 → 5×5
    )
    return Architecture(
        name="Inception v3",
        stages=(*stem, *modules),
        heads=(head,),
        norm=BatchNorm(eps=1e-3),
        bias=False,
        dropout=0.5,
        aux_dropout=0.0,
        init="inception",
        smallest=75,
        aux_weight=AUX_WEIGHT_V3,
    )


def _row(name: str, width: int, kernel: int) -> Conv:
    """1×kernel, which keeps the size of maps."""
    return Conv(name, width, (1, kernel), padding=(0, kernel // 2))


def _column(name: str, width: int, kernel: int) -> Conv:
    """kernel×1, likewise."""
    return Conv(name, width, (kernel, 1), padding=(kernel // 2, 0))


def _averaged(width: int) -> Branch:
    return (Pool("pool", 3, 1, padding=1, kind="average"), Conv("pool_proj", width, 1))


def _module_5(name: str, projection: int) -> Branches:
    """Figure 5 of the paper, but that one branch kept its 5×5."""
    five: Branch = (Conv("conv_5x5_reduce", 48, 1), Conv("conv_5x5", 64, 5, padding=2))
    double: Branch = (
        Conv("double_3x3_reduce", 64, 1),
        Conv("double_3x3_first", 96, 3, padding=1),
        Conv("double_3x3_second", 96, 3, padding=1),
    )
    one: Branch = (Conv("conv_1x1", 64, 1),)
    return Branches(f"inception_{name}", (one, five, double, _averaged(projection)))


def _reduction_6a() -> Branches:
    """Figure 10 of the paper: 35×35 → 17×17."""
    double: Branch = (
        Conv("double_3x3_reduce", 64, 1),
        Conv("double_3x3_first", 96, 3, padding=1),
        Conv("double_3x3_second", 96, 3, stride=2),
    )
    three: Branch = (Conv("conv_3x3", 384, 3, stride=2),)
    return Branches("inception_6a", (three, double, (Pool("pool"),)))


def _module_6(name: str, width: int) -> Branches:
    """Figure 6 of the paper, with n = 7."""
    seven: Branch = (
        Conv("conv_7x7_reduce", width, 1),
        _row("conv_1x7", width, 7),
        _column("conv_7x1", 192, 7),
    )
    double: Branch = (
        Conv("double_7x7_reduce", width, 1),
        _column("double_7x1_first", width, 7),
        _row("double_1x7_first", width, 7),
        _column("double_7x1_second", width, 7),
        _row("double_1x7_second", 192, 7),
    )
    one: Branch = (Conv("conv_1x1", 192, 1),)
    return Branches(f"inception_{name}", (one, seven, double, _averaged(192)))


def _reduction_7a() -> Branches:
    """17×17 → 8×8."""
    three: Branch = (Conv("conv_3x3_reduce", 192, 1), Conv("conv_3x3", 320, 3, stride=2))
    seven: Branch = (
        Conv("conv_7x7_reduce", 192, 1),
        _row("conv_1x7", 192, 7),
        _column("conv_7x1", 192, 7),
        Conv("conv_7x7_3x3", 192, 3, stride=2),
    )
    return Branches("inception_7a", (three, seven, (Pool("pool"),)))


def _module_7(name: str) -> Branches:
    """Figure 7 of the paper."""
    three: Branch = (Conv("conv_3x3_reduce", 384, 1), _fork("fork_3x3"))
    double: Branch = (
        Conv("double_3x3_reduce", 448, 1),
        Conv("double_3x3_first", 384, 3, padding=1),
        _fork("fork_double_3x3"),
    )
    one: Branch = (Conv("conv_1x1", 320, 1),)
    return Branches(f"inception_{name}", (one, three, double, _averaged(192)))


def _fork(name: str) -> Branches:
    return Branches(name, ((_row("conv_1x3", 384, 3),), (_column("conv_3x1", 384, 3),)))
