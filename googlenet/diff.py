"""Two networks side by side: where their stages differ, and in what."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from googlenet.architecture import LRN, Branches, Conv, Head, Pool, Stage
from googlenet.model import Network
from googlenet.summary import Row, rows

OPTIONS = ("kernel_size", "stride", "padding", "ceil_mode", "kind", "out_channels")


@dataclass(frozen=True)
class Line:
    """One stage of two networks.

    Attributes
    ----------
    name : str
    rows : tuple of Row, or None where a network has no such stage
    differences : list of str
        What is not the same, as "layer: option a → b".
    """

    name: str
    rows: tuple[Row | None, Row | None]
    differences: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        both = [None if row is None else row._asdict() for row in self.rows]
        return {"stage": self.name, "a": both[0], "b": both[1], "differences": self.differences}


@dataclass(frozen=True)
class Diff:
    """What `compare` found: the settings that differ, and the stages in order."""

    titles: tuple[str, str]
    settings: dict[str, tuple[Any, Any]]
    lines: list[Line]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        titles = dict(zip("ab", self.titles, strict=True))
        settings = {
            name: dict(zip("ab", pair, strict=True)) for name, pair in self.settings.items()
        }
        stages = [line.to_dict() for line in self.lines]
        totals = [total(self, side) for side in (0, 1)]
        return {**titles, "settings": settings, "stages": stages, "totals": totals}


def compare(a: Network, b: Network) -> Diff:
    """Hold two networks against each other, stage by stage; stages are known by their names."""
    counted = [{row.name: row for part in rows(net) for row in part} for net in (a, b)]
    described = [
        {part.name: part for part in (*net.design.stages, *net.design.heads)} for net in (a, b)
    ]
    lines = []
    for name in _merged(*map(list, counted)):
        both = counted[0].get(name), counted[1].get(name)
        said = _differences(described[0].get(name), described[1].get(name))
        lines.append(Line(name, both, said if None not in both else []))
    return Diff((a.design.name, b.design.name), _settings(a, b), lines)


def total(diff: Diff, side: int) -> dict[str, int]:
    """Sum parameters and multiply-adds of one of the two up; heads are named aux…."""
    own = [line.rows[side] for line in diff.lines]
    main = [row for row in own if row is not None and not row.name.startswith("aux")]
    heads = [row for row in own if row is not None and row.name.startswith("aux")]
    return {
        "parameters": sum(row.parameters for row in main),
        "multiply_adds": sum(row.multiply_adds for row in main),
        "parameters_with_heads": sum(row.parameters for row in main + heads),
    }


def table(diff: Diff) -> Table:
    """Lay the difference out; what is not the same is marked and told."""
    made = Table(title=f"A: {diff.titles[0]}\nB: {diff.titles[1]}", show_lines=False)
    made.add_column("stage")
    for name in ("output", "parameters", "multiply-adds"):
        made.add_column(name, justify="right")
    made.add_column("what differs")
    for line in diff.lines:
        a, b = line.rows
        same = a == b and not line.differences
        alone = "only in A" if b is None else "only in B" if a is None else ""
        made.add_row(
            line.name,
            _pair(a and "×".join(map(str, a.output)), b and "×".join(map(str, b.output))),
            _pair(a and f"{a.parameters:,}", b and f"{b.parameters:,}"),
            _pair(a and f"{a.multiply_adds:,}", b and f"{b.multiply_adds:,}"),
            alone or "\n".join(line.differences),
            style="dim" if same else None,
        )
    made.add_section()
    totals = [total(diff, side) for side in (0, 1)]
    for key, name in (("parameters", "total"), ("parameters_with_heads", "with heads")):
        cells = [f"{one[key]:,}" for one in totals]
        adds = [f"{one['multiply_adds']:,}" for one in totals] if name == "total" else ["", ""]
        made.add_row(name, "", _pair(*cells), _pair(*adds), "", style="bold")
    return made


def _merged(first: list[str], second: list[str]) -> list[str]:
    """Merge two lists of names: each in its own order, those of both once."""
    merged: list[str] = []
    rest = list(second)
    for name in first:
        if name in rest:
            while rest[0] != name and rest[0] not in first:
                merged.append(rest.pop(0))
            rest.remove(name)
        merged.append(name)
    return merged + rest


def _settings(a: Network, b: Network) -> dict[str, tuple[Any, Any]]:
    """Return what differs beside the stages."""
    names = ("image_size", "norm", "bias", "dropout", "aux_dropout", "aux_weight", "init")
    sides = [
        {name: getattr(net.design, name) for name in names[1:]}
        | {"image_size": net.image_size}
        | {"dropout": net.dropout.p, "aux_dropout": net.aux_dropout, "init": net.init}
        for net in (a, b)
    ]
    for side, net in zip(sides, (a, b), strict=True):
        norm, lrn = net.design.norm, any(isinstance(stage, LRN) for stage in net.design.stages)
        side["norm"] = f"batch norm, eps {norm.eps:g}" if norm else "LRN" if lrn else "none"
    return {n: (sides[0][n], sides[1][n]) for n in names if sides[0][n] != sides[1][n]}


def _differences(a: Stage | Head | None, b: Stage | Head | None, where: str = "") -> list[str]:
    """Say in what two descriptions differ."""
    if a is None or b is None or a == b:
        return []
    if type(a) is not type(b):
        return [f"{where}{_kind(a)} → {_kind(b)}"]
    if isinstance(a, Branches) and isinstance(b, Branches):
        return _of_branches(a, b)
    if isinstance(a, Head) and isinstance(b, Head):
        return [
            f"{name}: {_shown(getattr(a, name))} → {_shown(getattr(b, name))}"
            for name in ("pool", "side", "convs", "features")
            if getattr(a, name) != getattr(b, name)
        ]
    return [
        f"{where}{name}: {getattr(a, name)} → {getattr(b, name)}"
        for name in OPTIONS
        if hasattr(a, name) and getattr(a, name) != getattr(b, name)
    ]


def _of_branches(a: Branches, b: Branches) -> list[str]:
    layers = [
        {layer.name: layer for branch in part.branches for layer in branch} for part in (a, b)
    ]
    found = []
    for name in _merged(*map(list, layers)):
        one, other = layers[0].get(name), layers[1].get(name)
        if one is None or other is None:
            found.append(f"{name}: only in {'B' if one is None else 'A'}")
        else:
            found += _differences(one, other, f"{name}.")
    return found


def _kind(stage: Any) -> str:
    kinds = {Conv: "convolution", Pool: "pool", LRN: "LRN", Branches: "branches", Head: "head"}
    return kinds[type(stage)]


def _shown(value: Any) -> str:
    if isinstance(value, Pool):
        return f"{value.kind} {value.kernel_size}×{value.kernel_size}/{value.stride}"
    if isinstance(value, tuple):
        return ", ".join(f"{conv.name} {conv.out_channels}" for conv in value)
    return "none" if value is None else str(value)


def _pair(a: str | None, b: str | None) -> str:
    """Return both, or the one if they are the same; – for what is not there."""
    a, b = (value if value is not None else "–" for value in (a, b))
    return a if a == b else f"{a}\n{b}"
