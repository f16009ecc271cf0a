"""A scene in words, and in DOT, the language of Graphviz."""

from collections.abc import Iterator

from minigrad.graph.recorded import Recorded, bytes_text, shape_text
from minigrad.graph.scene import PORT, Scene

SHAPES = {
    "input": "parallelogram",
    "parameter": "oval",
    "operation": "box",
    "output": "hexagon",
    "module": "box3d",
}


def text(graph: Recorded, scene: Scene, title: str, note: str) -> str:
    """Write a scene as lines of text: one for each box, in the order of computation.

    A line has the number of what was computed, its name, the numbers of what it was computed
    from, its shape, dtype and bytes. What stands in an open module is indented.
    """
    rows = list(_rows(graph, scene, 0))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if k in (0, 5) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([title, note, "", *lines])


def _rows(graph: Recorded, scene: Scene, depth: int) -> Iterator[tuple[str, ...]]:
    came: list[list[int]] = [[] for _ in scene.boxes]
    for edge in scene.edges:
        came[edge.target].append(edge.value)
    for box, values in sorted(
        zip(scene.boxes, came, strict=True), key=lambda pair: pair[0].members[-1:]
    ):
        if box.kind == PORT:
            continue
        entry = graph.entries[box.entry]
        indent = "  " * depth
        own = [line for _, line in box.lines if line != shape_text(entry.shape)]
        name = indent + box.title
        if box.inside is not None:
            yield "", f"{name}:", "", "", "", ""
            yield from _rows(graph, box.inside, depth + 1)
            continue
        parents = "← " + " ".join(map(str, values)) if values else ""
        detail = f"{name} ({'; '.join(own)})" if own else name
        yield (
            str(box.entry), detail, parents or box.kind, shape_text(entry.shape),
            str(entry.dtype), bytes_text(entry.nbytes),
        )  # fmt: skip


def dot(graph: Recorded, scene: Scene, title: str) -> str:
    """Write a scene in DOT. Open modules are clusters."""
    lines = [
        "digraph minigrad {",
        f"  label={_quoted(title)}; labelloc=t; rankdir=TB;",
        '  node [fontname="Helvetica", fontsize=11]; edge [fontname="Helvetica", fontsize=9];',
    ]
    lines += _nodes(scene, "  ")
    for source, target, value in _joined(scene):
        entry = graph.entries[value]
        label = f"{shape_text(entry.shape)}\n{bytes_text(entry.nbytes)}"
        lines.append(f"  n{source} -> n{target} [label={_quoted(label)}];")
    return "\n".join([*lines, "}", ""])


def _nodes(scene: Scene, indent: str) -> Iterator[str]:
    for box in scene.boxes:
        if box.kind == PORT:
            continue
        if box.inside is not None:
            yield f"{indent}subgraph cluster_{box.entry} {{"
            yield f"{indent}  label={_quoted(box.title)};"
            yield from _nodes(box.inside, indent + "  ")
            yield f"{indent}}}"
            continue
        label = "\n".join([box.title, *(line for _, line in box.lines)])
        yield (
            f"{indent}n{box.entry} [label={_quoted(label)}, shape={SHAPES[box.kind]}, "
            f"tooltip={_quoted(box.tip)}];"
        )


def _joined(scene: Scene) -> Iterator[tuple[int, int, int]]:
    """Yield edges between boxes of all depths: (node, node, value)."""
    holders: dict[int, int] = {}  # of each entry, the box that is drawn for it

    def look(inner: Scene) -> None:
        for box in inner.boxes:
            if box.inside is not None:
                look(box.inside)
            elif box.kind != PORT:
                holders.update((member, box.entry) for member in box.members)

    def walk(inner: Scene) -> Iterator[tuple[int, int, int]]:
        for edge in inner.edges:
            target = inner.boxes[edge.target]
            if target.kind != PORT and target.inside is None:
                yield holders[edge.value], target.entry, edge.value
        for box in inner.boxes:
            if box.inside is not None:
                yield from walk(box.inside)

    look(scene)
    yield from walk(scene)


def _quoted(words: str) -> str:
    """Write a string of DOT."""
    safe = words.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", "\\n")
    return f'"{safe}"'
