"""Branches: the ways side by side through a module."""

from collections.abc import Sequence

from minigrad.graph.modules import Group, Path
from minigrad.graph.recorded import Recorded


def branches(graph: Recorded, paths: Sequence[Path]) -> dict[int, str]:
    """Name the branch of every operation that stands in one.

    Take an outermost module, and out of it the operation that its ways flow together in: the one
    that nothing else in the module uses. If what remains falls into several pieces that no edge
    joins, those are its branches. A branch is called after what it consists of; that operation
    after itself.

    Parameters
    ----------
    graph : Recorded
    paths : sequence of Path
        The groups around each entry.

    Returns
    -------
    dict of int to str
        For entries in branches: ``conv_3x3_reduce → conv_3x3``.
    """
    members: dict[Group, list[int]] = {}
    for entry in graph.entries:
        if paths[entry.index] and entry.parents:
            members.setdefault(paths[entry.index][0], []).append(entry.index)
    found: dict[int, str] = {}
    for own in members.values():
        inside = set(own)
        ends = [i for i in own if not inside & set(graph.uses[i])]
        rest = [i for i in own if i not in ends] if len(ends) == 1 else own
        pieces = _pieces(graph, rest)
        if len(pieces) < 2:
            continue
        for piece in pieces:
            said = dict.fromkeys(
                paths[i][1].title if len(paths[i]) > 1 else graph.entries[i].name for i in piece
            )
            found.update(dict.fromkeys(piece, " → ".join(said)))
        found.update((i, graph.entries[i].name) for i in ends if len(ends) == 1)
    return found


def _pieces(graph: Recorded, entries: Sequence[int]) -> list[list[int]]:
    """Cut entries into pieces that edges hold together, in the order they were recorded."""
    piece_of: dict[int, list[int]] = {}
    for i in entries:
        mine = [i]
        for parent in graph.entries[i].parents:
            other = piece_of.get(parent)
            if other is not None and other is not mine:
                other.extend(mine)
                for j in mine:
                    piece_of[j] = other
                mine = other
        for j in mine:
            piece_of[j] = mine
    unique = {id(piece): sorted(piece) for piece in piece_of.values()}
    return sorted(unique.values())
