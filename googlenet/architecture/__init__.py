"""Networks as data: what the papers' tables say, row by row, and how published networks differ.

`table` is Table 1 of the paper, `dialects` the networks that go by its name, `variants` the lists
of modules, `design` puts a network together of these, and `stages` has the words for all of it.
`inception_bn` and `inception_v3` are the networks that came next, in the same words.
Nothing here computes: `googlenet.model` builds modules from it, `googlenet.summary` counts.
"""

from collections.abc import Callable

from googlenet.architecture.design import AUX_ON, AUX_WEIGHT, Architecture, design
from googlenet.architecture.dialects import DIALECTS, BatchNorm, Dialect
from googlenet.architecture.inception_bn import inception_bn
from googlenet.architecture.inception_v3 import inception_v3
from googlenet.architecture.stages import (
    LRN,
    Branches,
    Conv,
    Head,
    Placed,
    Pool,
    Stage,
    Step,
    head_pool,
    out_channels,
    out_size,
    pair,
    placed,
    walk,
)
from googlenet.architecture.table import PRINTED, ROWS, Inception, Printed
from googlenet.architecture.variants import (
    VARIANTS,
    Variant,
    parse_stages,
    read_stages,
    write_stages,
)

# Every network by its name; only a GoogLeNet's description takes arguments.
ARCHITECTURES: dict[str, Callable[..., Architecture]] = {
    "googlenet": design,
    "inception-bn": inception_bn,
    "inception-v3": inception_v3,
}

__all__ = [
    "ARCHITECTURES",
    "AUX_ON",
    "AUX_WEIGHT",
    "DIALECTS",
    "LRN",
    "PRINTED",
    "ROWS",
    "VARIANTS",
    "Architecture",
    "BatchNorm",
    "Branches",
    "Conv",
    "Dialect",
    "Head",
    "Inception",
    "Placed",
    "Pool",
    "Printed",
    "Stage",
    "Step",
    "Variant",
    "design",
    "head_pool",
    "inception_bn",
    "inception_v3",
    "out_channels",
    "out_size",
    "pair",
    "parse_stages",
    "placed",
    "read_stages",
    "walk",
    "write_stages",
]
