"""A network as data, and how a GoogLeNet's comes of its dialect, variant and switches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from googlenet.architecture.dialects import DIALECTS, BatchNorm, Dialect
from googlenet.architecture.stages import LRN, Head, Stage
from googlenet.architecture.table import Inception
from googlenet.architecture.variants import VARIANTS, parse_stages

T = TypeVar("T")
AUX_WEIGHT = 0.3  # of each head's loss in the total
AUX_ON = ("4a", "4d")  # the modules that carry a head


@dataclass(frozen=True)
class Architecture:
    """All there is to know to build a network.

    Attributes
    ----------
    name : str
        What it is called, for a title.
    stages : tuple
        `Conv`, `Pool`, `LRN` and `Branches`, up to the average pool before the classifier.
    heads : tuple of Head
    norm : BatchNorm, optional
        Between every convolution and its ReLU.
    bias : bool
        Whether convolutions have one.
    dropout, aux_dropout : float
    init : str
    smallest : int
        Pixels of the smallest images.
    aux_weight : float
        Of each auxiliary head's loss in the total.
    """

    name: str
    stages: tuple[Stage, ...]
    heads: tuple[Head, ...]
    norm: BatchNorm | None
    bias: bool
    dropout: float
    aux_dropout: float
    init: str
    smallest: int
    aux_weight: float = AUX_WEIGHT


def design(
    dialect: str = "paper",
    variant: str = "googlenet",
    stages: str | Iterable[str] | None = None,
    batch_norm: bool | None = None,
    lrn: bool = True,
) -> Architecture:
    """Describe a GoogLeNet.

    Parameters
    ----------
    dialect : {"paper", "torchvision", "cifar"}
    variant : str
        One of `VARIANTS`.
    stages : str or sequence of str, optional
        A list of modules instead of the variant's, as `parse_stages` reads it.
    batch_norm : bool, optional
        Normalise every convolution's output over the batch, and leave local response normalisation
        out; or do not. None: as the dialect does.
    lrn : bool
        Keep the local response normalisation that the dialect has, where nothing else normalises.

    Raises
    ------
    ValueError
        Naming what there is instead.

    Examples
    --------
    >>> [head.after for head in design("paper").heads]
    ['inception_4a', 'inception_4d']
    >>> len(design("cifar", "short2").stages)
    8
    """
    spoken = chosen("dialect", dialect, DIALECTS)
    kind = chosen("variant", variant, VARIANTS)
    words = parse_stages(kind.stages if stages is None else stages)
    built = (*spoken.stem, *_modules(spoken, words, kind.naive))
    norm = spoken.norm
    if batch_norm is not None:
        norm = (spoken.norm or BatchNorm()) if batch_norm else None
    has_lrn = any(isinstance(stage, LRN) for stage in built)
    if norm is not None or not lrn:
        built = tuple(stage for stage in built if not isinstance(stage, LRN))
    names = {stage.name for stage in built}
    heads = tuple(
        spoken.head._replace(name=f"aux_{name}", after=f"inception_{name}")
        for name in AUX_ON
        if spoken.head is not None and f"inception_{name}" in names
    )
    called = "" if variant == "googlenet" and stages is None else f", {stages or variant}"
    switched = "" if batch_norm in (None, spoken.norm is not None) else (
        ", with batch norm" if batch_norm else ", without batch norm"
    )  # fmt: skip
    switched += ", without LRN" if has_lrn and norm is None and not lrn else ""
    return Architecture(
        f"GoogLeNet, dialect {dialect}{called}{switched}", built, heads, norm,
        spoken.bias if norm is not None else True, spoken.dropout, spoken.aux_dropout,
        spoken.init, spoken.smallest,
    )  # fmt: skip


def chosen(what: str, name: str, known: Mapping[str, T]) -> T:
    """Look a name up.

    Raises
    ------
    ValueError
        Naming what there is instead.
    """
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {name!r}")
    return known[name]


def _modules(
    dialect: Dialect, words: tuple[Inception | str, ...], naive: bool
) -> tuple[Stage, ...]:
    """Make stages of a list of modules; pools are counted on from those of the stem."""
    make = dialect.naive_module if naive else dialect.module
    last = max((i for i, word in enumerate(words) if isinstance(word, str)), default=-1)
    stages: list[Stage] = []
    number = 3
    for i, word in enumerate(words):
        if isinstance(word, Inception):
            stages.append(make(word))
        else:
            # The last pool of the published networks, 14×14 → 7×7, is torchvision's 2×2.
            pool = dialect.last_pool if i == last and number > 3 else dialect.pools
            stages.append(pool._replace(name=f"pool{number}"))
            number += 1
    return tuple(stages)
