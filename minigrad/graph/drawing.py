"""`draw`: the recorded graph of a tensor, as a picture, as DOT, and in words."""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path as File
from typing import Any

from minigrad.autograd import Node, Variable
from minigrad.checkpoint import write_whole
from minigrad.graph import svg, words
from minigrad.graph.modules import Calls, Path, contained, module_of
from minigrad.graph.recorded import PARAMETER, Recorded, bytes_text, read, shape_text
from minigrad.graph.scene import Builder, Fold, Scene, folding
from minigrad.nn import Module

FORMATS = ("svg", "dot", "text")
KINDS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".txt": "text"}


class Drawing:
    """A drawn graph. Notebooks show it; ``print`` writes it in its format.

    Attributes
    ----------
    format : str
        "svg", "dot" or "text".
    svg, dot, text : str
        The drawing in each of them.
    """

    def __init__(self, graph: Recorded, scene: Scene, title: str, note: str, format: str) -> None:
        self.graph, self.scene, self.title, self.note, self.format = (
            graph, scene, title, note, format,
        )  # fmt: skip

    @cached_property
    def svg(self) -> str:
        """An SVG document. It needs nothing else, and is light or dark as the reader is."""
        return svg.svg(self.graph, self.scene, self.title, self.note)

    @cached_property
    def dot(self) -> str:
        """The language of Graphviz, for who wants another layout."""
        return words.dot(self.graph, self.scene, self.title)

    @cached_property
    def text(self) -> str:
        """One line for each box."""
        return words.text(self.graph, self.scene, self.title, self.note)

    def save(self, path: str | File) -> None:
        """Write the drawing to a file, in the format that the ending of its name says.

        Raises
        ------
        ValueError
            If the ending is none of .svg, .dot, .gv and .txt.
        """
        kind = KINDS.get(File(path).suffix.lower())
        if kind is None:
            raise ValueError(f"save: the name must end in {', '.join(KINDS)}, got {str(path)!r}")
        write_whole(path, str(getattr(self, kind)).encode("utf-8", "replace"))

    def __str__(self) -> str:
        return str(getattr(self, self.format))

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}; {self.note}>" if self.format == "svg" else str(self)

    def _repr_html_(self) -> str | None:
        # JupyterLab shows an SVG as an image, in which a click does nothing, and trips over links
        # of an SVG that stands in the page. In a frame it is a page of its own.
        if self.format != "svg" or "<a href=" not in self.svg:
            return None
        size = re.search(r' width="(\d+)" height="(\d+)"', self.svg)
        assert size is not None
        fitting = self.svg.replace(size[0], "", 1)  # as large as the frame
        encoded = base64.b64encode(fitting.encode("utf-8", "replace")).decode()
        return (
            f'<iframe src="data:image/svg+xml;base64,{encoded}" '
            'title="a drawn graph, in which modules unfold by a click" style="border:0;width:100%;'
            f'max-width:{size[1]}px;height:auto;aspect-ratio:{size[1]}/{size[2]}"></iframe>'
        )

    def _repr_svg_(self) -> str | None:
        return self.svg if self.format == "svg" else None


def draw(
    tensor: Any,
    format: str = "svg",
    fold: Fold = True,
    model: Module | Calls | None = None,
    names: Mapping[str, Variable] | None = None,
    parameters: str | None = None,
    title: str | None = None,
    highlight: Any = (),
) -> Drawing:
    """Draw what was recorded on the way to a tensor.

    Arrows run as the computation did; backward runs against them, and each arrow then carries a
    gradient of the shape and bytes that are written beside it. What needs no gradient (images,
    usually) was not recorded and is not there.

    Parameters
    ----------
    tensor : Tensor
        A loss, say. If a backward went through its graph, that can still be drawn.
    format : {"svg", "dot", "text"}
        What ``print`` and notebooks show. The drawing has all three.
    fold : bool, str, collection of str, or callable
        Which modules are one box: all of the outermost (True), none (False), those that are named
        ("inception_*", or a list), or those for whose name the function gives True. In an SVG a
        folded module unfolds by a click or the Enter key.
    model : Module or Calls, optional
        Without it there are no modules, and parameters have no names. A Module: operations belong
        to modules by where the parameters are, see `minigrad.graph.modules`. What `calls` yielded:
        by what made them.
    names : mapping of str to Tensor, optional
        What to call leaves: ``names={"x": x}``.
    parameters : {"beside", "inside"}, optional
        Whether parameters are boxes of their own, or stand in the box of the operation that uses
        them; which they cannot if several do. Inside if there is a model, if not given.
    title : str, optional
    highlight : Tensor or Node, or several
        Boxes that are to stand out.

    Returns
    -------
    Drawing

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import graph
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * 3
    >>> print(graph.draw((y + x * y).sum(), "text", names={"x": x}))
    The graph behind sum (one number)
    5 nodes, 6 edges; float32 throughout
    <BLANKLINE>
    0  x         input  2 numbers   float32  8 B
    1  multiply  ← 0    2 numbers   float32  8 B
    2  multiply  ← 0 1  2 numbers   float32  8 B
    3  add       ← 1 2  2 numbers   float32  8 B
    4  sum       ← 3    one number  float32  4 B
    """
    if format not in FORMATS:
        raise ValueError(f"draw: format must be one of {', '.join(FORMATS)}, got {format!r}")
    if parameters not in (None, "beside", "inside"):
        raise ValueError(f"draw: parameters must be 'beside' or 'inside', got {parameters!r}")
    module = module_of("draw", model)
    graph = read(tensor, names, module)
    is_folded = folding(fold)
    inline = parameters == "inside" or (parameters is None and model is not None)
    builder = Builder(graph, _paths(graph, model), is_folded, inline, _hot(graph, highlight))
    if title is None:
        last = graph.entries[-1]
        whose = f"{type(module).__name__}: the" if module else "The"
        title = f"{whose} graph behind {last.label} ({shape_text(last.shape)})"
    return Drawing(graph, builder.whole(), title, _note(graph), format)


def _paths(graph: Recorded, model: Module | Calls | None) -> list[Path]:
    if model is None:
        return [() for _ in graph.entries]
    return model.paths(graph) if isinstance(model, Calls) else contained(graph, model)


def _hot(graph: Recorded, highlight: Any) -> set[int]:
    """Find the entries that are to stand out."""
    single = isinstance(highlight, Variable | Node)
    nodes = set()
    for thing in [highlight] if single or not isinstance(highlight, Iterable) else highlight:
        if not isinstance(thing, Variable | Node):
            kind = type(thing).__name__
            raise TypeError(f"draw: highlight must be a Tensor or a Node, or several, got {kind}")
        nodes.add(thing.node if isinstance(thing, Variable) else thing)
    return {entry.index for entry in graph.entries if entry.node in nodes}


def _note(graph: Recorded) -> str:
    """Say how large a graph is, and in what state."""
    edges = sum(len(entry.parents) for entry in graph.entries)
    dtypes = Counter(str(entry.dtype) for entry in graph.entries)
    held = sum(entry.nbytes for entry in graph.entries if entry.kind == PARAMETER)
    said = [f"{len(graph.entries)} nodes, {edges} edge{'' if edges == 1 else 's'}"]
    if held:
        said.append(f"{bytes_text(held)} of parameters")
    said.append(f"{next(iter(dtypes))} throughout" if len(dtypes) == 1 else ", ".join(dtypes))
    if graph.released:
        said.append("a backward went through and freed what was kept for it")
    return "; ".join(said)
