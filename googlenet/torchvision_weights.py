"""Weights of torchvision's GoogLeNet and Inception v3: their names by ours, and checks.

A layer is called otherwise there, and what it computes is the same: `names` has both names of each
array. A file is somebody else's: nothing is taken from it unless everything in it fits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from googlenet.inception import build
from googlenet.model import Network
from minigrad import checkpoint

MOST = 8  # of what differs is listed
COUNTED = ".num_batches_tracked"  # how many batches a batch norm has seen: nothing here asks for it
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on the scale 0 … 1

# Their names by ours, of layers, and of those in a module; these by the beginnings of stages.
Names = Mapping[str, str]
_GOOGLENET = {
    "conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3", "classifier": "fc",
    "aux_4a.conv": "aux1.conv", "aux_4a.fc": "aux1.fc1", "aux_4a.classifier": "aux1.fc2",
    "aux_4d.conv": "aux2.conv", "aux_4d.fc": "aux2.fc1", "aux_4d.classifier": "aux2.fc2",
}  # fmt: skip
_GOOGLENET_MODULES: Mapping[str, Names] = {
    "inception_": {
        "conv_1x1": "branch1",
        "conv_3x3_reduce": "branch2.0", "conv_3x3": "branch2.1",
        "conv_5x5_reduce": "branch3.0", "conv_5x5": "branch3.1",
        "pool_proj": "branch4.1",
    },
}  # fmt: skip
_INCEPTION_V3 = {
    "conv_1a": "Conv2d_1a_3x3", "conv_2a": "Conv2d_2a_3x3", "conv_2b": "Conv2d_2b_3x3",
    "conv_3b": "Conv2d_3b_1x1", "conv_4a": "Conv2d_4a_3x3", "classifier": "fc",
    "aux.conv_1x1": "AuxLogits.conv0", "aux.conv_5x5": "AuxLogits.conv1",
    "aux.classifier": "AuxLogits.fc",
}  # fmt: skip
_DOUBLE = {
    "double_3x3_reduce": "branch3x3dbl_1",
    "double_3x3_first": "branch3x3dbl_2",
    "double_3x3_second": "branch3x3dbl_3",
}
_INCEPTION_V3_MODULES: Mapping[str, Names] = {
    "inception_5": {
        "conv_1x1": "branch1x1", "conv_5x5_reduce": "branch5x5_1", "conv_5x5": "branch5x5_2",
        **_DOUBLE, "pool_proj": "branch_pool",
    },
    "inception_6a": {"conv_3x3": "branch3x3", **_DOUBLE},
    "inception_6": {
        "conv_1x1": "branch1x1",
        "conv_7x7_reduce": "branch7x7_1", "conv_1x7": "branch7x7_2", "conv_7x1": "branch7x7_3",
        "double_7x7_reduce": "branch7x7dbl_1",
        "double_7x1_first": "branch7x7dbl_2", "double_1x7_first": "branch7x7dbl_3",
        "double_7x1_second": "branch7x7dbl_4", "double_1x7_second": "branch7x7dbl_5",
        "pool_proj": "branch_pool",
    },
    "inception_7a": {
        "conv_3x3_reduce": "branch3x3_1", "conv_3x3": "branch3x3_2",
        "conv_7x7_reduce": "branch7x7x3_1", "conv_1x7": "branch7x7x3_2",
        "conv_7x1": "branch7x7x3_3", "conv_7x7_3x3": "branch7x7x3_4",
    },
    "inception_7": {
        "conv_1x1": "branch1x1",
        "conv_3x3_reduce": "branch3x3_1",
        "fork_3x3.conv_1x3": "branch3x3_2a", "fork_3x3.conv_3x1": "branch3x3_2b",
        "double_3x3_reduce": "branch3x3dbl_1", "double_3x3_first": "branch3x3dbl_2",
        "fork_double_3x3.conv_1x3": "branch3x3dbl_3a",
        "fork_double_3x3.conv_3x1": "branch3x3dbl_3b",
        "pool_proj": "branch_pool",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Theirs:
    """A network of torchvision's, and what its published weights were trained with.

    Attributes
    ----------
    name : str
        What it is called there.
    architecture, dialect : str
        Ours; the dialect of a GoogLeNet.
    mark : str
        An array that no other network of theirs has.
    aux : tuple of str
        What the names of arrays in auxiliary heads begin with.
    resize, crop : int
        Pixels, for use.
    module : str
        What modules are called in place of ``inception_``.
    layers, modules : mappings
    """

    name: str
    architecture: str
    dialect: str | None
    mark: str
    aux: tuple[str, ...]
    resize: int
    crop: int
    module: str
    layers: Names
    modules: Mapping[str, Names]

    def fits(self, net: Network) -> bool:
        """Tell whether a network is one of these."""
        same = self.build(net.num_classes, net.aux_heads).state_dict() if self._like(net) else {}
        own = net.state_dict()
        return {n: a.shape for n, a in same.items()} == {n: a.shape for n, a in own.items()}

    def _like(self, net: Network) -> bool:
        """Tell whether a network is described alike."""
        design = net.design
        described = self.build(1, False).design
        return (design.stages, design.norm, net.in_channels) == (
            described.stages, described.norm, 3
        )  # fmt: skip

    def build(self, num_classes: int, aux_heads: bool) -> Network:
        """Build our network of the same layers."""
        options = {} if self.dialect is None else {"dialect": self.dialect}
        return build(
            self.architecture, num_classes=num_classes, image_size=self.crop, aux_heads=aux_heads,
            init="default", **options,
        )  # fmt: skip


TORCHVISION = {
    each.name: each
    for each in (
        Theirs(
            "googlenet", "googlenet", "torchvision", "inception3a.branch1.conv.weight",
            ("aux1.", "aux2."), 256, 224, "inception", _GOOGLENET, _GOOGLENET_MODULES,
        ),
        Theirs(
            "inception_v3", "inception-v3", None, "Conv2d_1a_3x3.conv.weight",
            ("AuxLogits.",), 342, 299, "Mixed_", _INCEPTION_V3, _INCEPTION_V3_MODULES,
        ),
    )
}  # fmt: skip


def names(net: Network, theirs: Theirs) -> dict[str, str]:
    """Return, for every array of a network by our name, torchvision's name.

    Examples
    --------
    >>> net = TORCHVISION["googlenet"].build(10, aux_heads=True)
    >>> found = names(net, TORCHVISION["googlenet"])
    >>> found["inception_3a.conv_3x3.bn.running_var"], found["aux_4a.fc.weight"]
    ('inception3a.branch2.1.bn.running_var', 'aux1.fc1.weight')
    """
    return {name: _their_name(name, theirs) for name in net.state_dict()}


def _their_name(ours: str, theirs: Theirs) -> str:
    layer, end = ours.rsplit(".", 1)
    normalised = layer.endswith(".bn")
    layer = layer.removesuffix(".bn")
    if layer in theirs.layers:
        found = theirs.layers[layer]
    else:
        stage, inside = layer.split(".", 1)
        # The longest beginning counts: 6a is another module than 6b.
        begun = max((b for b in theirs.modules if stage.startswith(b)), key=len)
        found = f"{theirs.module}{stage.removeprefix('inception_')}.{theirs.modules[begun][inside]}"
    if layer.rsplit(".", 1)[-1] in ("fc", "classifier"):
        return f"{found}.{end}"
    return f"{found}.bn.{end}" if normalised else f"{found}.conv.{end}"


def recognise(state: Mapping[str, np.ndarray]) -> Theirs:
    """Tell of which of torchvision's networks a state is.

    Raises
    ------
    ValueError
        If it is of none that there is here.
    """
    for theirs in TORCHVISION.values():
        if theirs.mark in state:
            return theirs
    known = " and ".join(f"torchvision.models.{name}" for name in TORCHVISION)
    raise ValueError(
        f"these are not the weights of {known}, for {_or(t.mark for t in TORCHVISION.values())} is "
        f"missing; there is {_some(sorted(state), 3) if state else 'nothing'}"
    )


def from_torchvision(state: Mapping[str, np.ndarray]) -> tuple[Network, Theirs]:
    """Build our network with torchvision's weights.

    Parameters
    ----------
    state : mapping of name to array
        Its ``state_dict()``. Without the auxiliary heads, which only training uses, the network is
        built without them; ``num_batches_tracked`` is not needed here.

    Returns
    -------
    net : Network
        In use (`eval`), with batch statistics as they were.
    theirs : Theirs

    Raises
    ------
    ValueError
        If anything is missing, unexpected, of another shape or type, or not finite: all of that is
        listed, up to a bound.

    Source
    ------
    torchvision.models.googlenet and torchvision.models.inception_v3.
    """
    theirs = recognise(state)
    given = {name: array for name, array in state.items() if not name.endswith(COUNTED)}
    fc = given.get("fc.weight")
    if fc is None or fc.ndim != 2 or fc.size == 0:
        found = "is missing" if fc is None else f"has shape {fc.shape}"
        raise ValueError(f"fc.weight {found}; (classes, features) was needed")
    heads = any(name.startswith(theirs.aux) for name in given)
    net = theirs.build(fc.shape[0], heads)
    wanted = {theirs_: ours for ours, theirs_ in names(net, theirs).items()}
    own = net.state_dict()
    problems = list(_problems(given, {name: own[ours] for name, ours in wanted.items()}))
    if problems:
        raise ValueError(
            f"this is not the whole of torchvision.models.{theirs.name}: {_some(problems, MOST)}"
        )
    net.load_state_dict({ours: given[name] for name, ours in wanted.items()})
    return net.eval(), theirs


def read_torchvision(path: str | Path) -> tuple[Network, Theirs]:
    """Read a safetensors file of torchvision's weights: see `from_torchvision`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file, and what in it differs from what was needed.
    """
    try:
        state, _ = checkpoint.load(path, foreign=True)
    except ValueError:
        with open(path, "rb") as file:
            begun = file.read(4)
        if begun[:2] in (b"PK", b"\x80\x02"):
            raise ValueError(
                f"{str(path)!r} is a file of PyTorch's, which may hold code and is not read here: "
                "convert it to safetensors, as googlenet import-weights --help shows"
            ) from None
        raise
    try:
        return from_torchvision(state)
    except ValueError as error:
        raise ValueError(f"{str(path)!r}: {error}") from None


def to_torchvision(net: Network, theirs: Theirs) -> dict[str, np.ndarray]:
    """Return the state of a network under torchvision's names: the way back.

    ``num_batches_tracked`` is 0: it matters only to a batch norm whose momentum is None.
    """
    state = net.state_dict()
    # In the order of axes: safetensors' own functions write memory as it lies, whatever that is.
    found = {name: np.ascontiguousarray(state[ours]) for ours, name in names(net, theirs).items()}
    counted = [n.removesuffix(".running_mean") for n in found if n.endswith(".running_mean")]
    return found | {name + COUNTED: np.zeros((), np.int64) for name in counted}


def _problems(given: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Say all that keeps arrays from being those that are wanted."""
    yield from (f"missing: {name}" for name in wanted if name not in given)
    yield from (f"unexpected: {name}" for name in given if name not in wanted)
    for name in wanted:
        if name not in given:
            continue
        array, needed = given[name], wanted[name]
        if array.shape != needed.shape:
            yield f"mis-shaped: {name} has shape {array.shape}, needs {needed.shape}"
        elif array.dtype != np.float32:
            yield f"not float32: {name} has dtype {array.dtype}"
        elif not np.isfinite(array).all():
            yield f"not finite: {name}"
        elif name.endswith("running_var") and (array < 0).any():
            yield f"below zero: {name}, which holds variances"


def _some(items: list[str], most: int) -> str:
    rest = len(items) - most
    return "; ".join(items[:most]) + (f"; and {rest} more" if rest > 0 else "")


def _or(items: Iterator[str]) -> str:
    return " or ".join(items)
