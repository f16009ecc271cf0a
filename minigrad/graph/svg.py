"""A plan as SVG: one file, no script, nothing from the network, light or dark as the reader is.

A folded module is a link to its own inside, which is in the same file and hidden until it is the
target of a link (CSS ``:target``): a click or the Enter key unfolds it, and another folds it.
"""

import hashlib
import re
from collections.abc import Iterator

from minigrad.graph.placing import (
    FRAME,
    PAD,
    STEP,
    TITLE,
    Curve,
    Placed,
    Plan,
    inside_offset,
    plan,
    text_width,
)
from minigrad.graph.recorded import INPUT, OPERATION, OUTPUT, PARAMETER, Recorded
from minigrad.graph.scene import LEGEND, MODULE, PORT, Scene, value_text

MARGIN, TOP = 24.0, 86.0
CLASSES = {INPUT: "i", PARAMETER: "r", OPERATION: "o", OUTPUT: "u", MODULE: "m"}  # short: many
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STYLE = """
.mg{--paper:#fff;--ink:#1d2733;--dim:#5c6b7a;--line:#8492a2;--op:#eef3f9;--ope:#9fb3c8;
--par:#fdf0d5;--pare:#d9a441;--inp:#def3e4;--inpe:#4f9d69;--out:#f6dfe3;--oute:#c2566b;
--mod:#e8e4f6;--mode:#8674bd;--frame:#f7f6fc;--hot:#e8590c;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media(prefers-color-scheme:dark){.mg{--paper:#12171d;--ink:#e8edf2;--dim:#9aa8b6;--line:#718092;
--op:#1f2a36;--ope:#4a6078;--par:#3a2f17;--pare:#b4852f;--inp:#183423;--inpe:#4f9d69;
--out:#3d1f27;--oute:#c2566b;--mod:#2b2642;--mode:#8b79c7;--frame:#191c27;--hot:#ff922b}}
.mg text{fill:var(--ink);font-size:11px}
.mg .t{font-size:13px;font-weight:600}
.mg .d,.mg .e{fill:var(--dim)}
.mg .e{font-size:10.5px;paint-order:stroke;stroke:var(--paper);stroke-width:4px;
stroke-linejoin:round}
.mg .h{font-size:19px;font-weight:650}
.mg .c path{fill:none;stroke:var(--line);stroke-width:1.5}
.mg .paper{fill:var(--paper)}
.mg .o{fill:var(--op);stroke:var(--ope)}
.mg .r{fill:var(--par);stroke:var(--pare)}
.mg .i{fill:var(--inp);stroke:var(--inpe)}
.mg .u{fill:var(--out);stroke:var(--oute);stroke-width:2}
.mg .m{fill:var(--mod);stroke:var(--mode)}
.mg .frame{fill:var(--frame);stroke:var(--mode);stroke-dasharray:5 4}
.mg .hot{stroke:var(--hot);stroke-width:3.5}
.mg .p{fill:var(--line)}
.mg .a{fill:var(--line)}
.mg a{cursor:pointer;text-decoration:none;outline:none}
.mg a:hover>.m,.mg a:focus>.m{stroke-width:3}
.mg .b{text-anchor:middle}
.mg .panel{display:none}
.mg .panel:target{display:inline}
.mg .sheet{fill:var(--frame);stroke:var(--mode);stroke-width:2}
"""


def svg(graph: Recorded, scene: Scene, title: str, note: str) -> str:
    """Write a scene as an SVG document.

    Parameters
    ----------
    graph : Recorded
    scene : Scene
    title, note : str
        Stand above the picture.
    """
    return _Writer(graph, scene, title, note).document()


class _Writer:
    """Writes one document. Names in it begin with a mark of its own: pages hold several."""

    def __init__(self, graph: Recorded, scene: Scene, title: str, note: str) -> None:
        self.graph, self.title, self.note = graph, title, note
        self.plan = plan(graph, scene)
        told = repr((title, note, [(e.name, e.parents, e.shape) for e in graph.entries], scene))
        self.mark = "g" + hashlib.sha256(told.encode()).hexdigest()[:6]
        self.panels: list[tuple[str, Placed, Plan, float, float]] = []
        self.kinds: set[str] = set()
        self.within = False  # a panel: what is folded in there cannot be unfolded too

    def document(self) -> str:
        body = "".join(self._plan(self.plan, 0, 0))
        widest = max([self.plan.width, *(p.width + 2 * FRAME for _, _, p, _, _ in self.panels)])
        legend = self._legend()
        heading = max(text_width(self.title, 19, True), text_width(self.note, 11), legend[1])
        width = max(widest, heading) + 2 * MARGIN
        left = (width - self.plan.width) / 2
        height = self.plan.height + TOP + MARGIN
        panels = ""
        for name, placed, inside, x, y in self.panels:
            made, bottom = self._panel(name, placed, inside, left + x, TOP + y, width)
            panels += made
            height = max(height, bottom + MARGIN)
        size = f"{width:.0f}", f"{height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="mg" width="{size[0]}" '
            f'height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}" role="img" '
            f'aria-label="{_quoted(self.title)}">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style>"
            f'<defs><marker id="{self.mark}-a" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="7" markerHeight="7" orient="auto"><path class="a" d="M0 0L8 4L0 8z"/>'
            f'</marker></defs><rect class="paper" width="{size[0]}" height="{size[1]}"/>'
            f'<text class="h" x="{MARGIN:.0f}" y="32">{escape(self.title)}</text>'
            f'<text class="d" x="{MARGIN:.0f}" y="50">{escape(self.note)}</text>'
            f'<g transform="translate({MARGIN:.0f} 60)">{legend[0]}</g>'
            f'<g transform="translate({left:.0f} {TOP:.0f})">{body}</g>{panels}</svg>\n'
        )

    def _plan(self, drawn: Plan, x: float, y: float) -> Iterator[str]:
        """Write a plan: frames first, then edges, then boxes, then what edges carry."""
        frames = [b for b in drawn.boxes if b.inside is not None]
        for placed in frames:
            yield self._frame(placed, x, y)
        labelled = {label.value for label in drawn.labels}
        yield f'<g class="c" marker-end="url(#{self.mark}-a)">'
        for curve in drawn.curves:
            yield self._curve(curve, x, y, curve.value not in labelled)
        for placed in frames:
            yield from self._through_border(placed, x, y)
        yield "</g>"
        for placed in frames:
            dx, dy = inside_offset(placed)
            assert placed.inside is not None
            yield from self._plan(placed.inside, x + placed.x + dx, y + placed.y + dy)
        for placed in drawn.boxes:
            if placed.inside is None:
                yield self._box(placed, x, y)
        for label in drawn.labels:
            yield f'<text class="e" x="{x + label.x:.0f}" y="{y + label.y:.0f}">{label.text}</text>'

    def _through_border(self, placed: Placed, x: float, y: float) -> Iterator[str]:
        """Write how values pass the border of an open module, to its ports and from them."""
        assert placed.inside is not None
        dx, dy = inside_offset(placed)
        for port in placed.inside.boxes:
            if port.box.kind == PORT:
                at = x + placed.x + dx + port.x + port.width / 2
                own = y + placed.y + dy + port.y
                border = y + placed.y + (placed.height if port.box.side == "out" else 0)
                yield f'<path d="M{at:.0f} {border:.0f}V{own:.0f}" marker-end="none"/>'

    def _frame(self, placed: Placed, x: float, y: float) -> str:
        left, top = x + placed.x, y + placed.y
        hot = " hot" if placed.box.hot else ""
        return (
            f'<rect class="frame{hot}" x="{left:.0f}" y="{top:.0f}" width="{placed.width:.0f}" '
            f'height="{placed.height:.0f}" rx="10"/><text class="t" x="{left + 10:.0f}" '
            f'y="{top + 18:.0f}">{escape(placed.box.title)}<title>{escape(placed.box.tip)}</title>'
            "</text>"
        )

    def _box(self, placed: Placed, x: float, y: float) -> str:
        box, left, top = placed.box, x + placed.x, y + placed.y
        if box.kind == PORT:
            middle = left + placed.width / 2
            return f'<circle class="p" cx="{middle:.0f}" cy="{top:.0f}" r="3"/>'
        self.kinds.add(box.kind)
        middle = left + placed.width / 2
        shape = _shape(box.kind, box.hot, -placed.width / 2, 0, placed.width, placed.height)
        texts = [f'<text class="t" y="19">{escape(box.title)}</text>']
        for k, line in enumerate(placed.lines):
            base = 19 + STEP * (k + 1)
            if line.kind:
                self.kinds.add(line.kind)
                wide = text_width(line.text, 11) + 12
                texts.append(_shape(line.kind, False, -wide / 2, base - 11, wide, 14))
            dim = "" if line.kind else ' class="d"'
            texts.append(f'<text{dim} y="{base:.0f}">{escape(line.text)}</text>')
        inner = f"<title>{escape(box.tip)}</title>{shape}{''.join(texts)}"
        where = f'class="b" transform="translate({middle:.0f} {top:.0f})"'
        if box.folded is None or self.within:
            return f"<g {where}>{inner}</g>"
        name = f"{self.mark}-{len(self.panels)}"
        self.panels.append((name, placed, plan(self.graph, box.folded), left, top))
        return f'<a href="#{name}" id="{name}b" {where}>{inner}</a>'

    def _panel(
        self, name: str, placed: Placed, inside: Plan, x: float, y: float, width: float
    ) -> tuple[str, float]:
        """Write the inside of a folded module, over the box, hidden until it is asked for."""
        wide, high = inside.width + 2 * FRAME, inside.height + 62
        x = min(max(x + placed.width / 2 - wide / 2, 4), max(width - wide - 4, 4))
        self.within = True
        drawn = "".join(self._plan(inside, x + FRAME, y + 40))
        self.within = False
        head = f"{placed.box.title}: fold again"
        return (
            f'<g class="panel" id="{name}"><rect class="sheet" x="{x:.0f}" y="{y:.0f}" '
            f'width="{wide:.0f}" height="{high:.0f}" rx="10"/><a href="#{name}b">'
            f'<rect class="m" x="{x + 8:.0f}" y="{y + 8:.0f}" '
            f'width="{text_width(head, TITLE, True) + 2 * PAD:.0f}" height="22" rx="6"/>'
            f'<text class="t" x="{x + 8 + PAD:.0f}" y="{y + 24:.0f}">{escape(head)}</text></a>'
            f"{drawn}</g>",
            y + high,
        )

    def _curve(self, curve: Curve, x: float, y: float, told: bool) -> str:
        """Write an edge: down its pieces, and in an S from one to the next."""
        start, first, foot = curve.pieces[0]
        path = f"M{x + start:.0f} {y + first:.0f}"
        if foot > first + 0.5:
            path += f"V{y + foot:.0f}"
        at, low = start, foot
        for across, top, bottom in curve.pieces[1:]:
            middle = (low + top) / 2
            if abs(across - at) < 1.5:
                path += f"V{y + bottom:.0f}"
                low = bottom
                continue
            path += (
                f"C{x + at:.0f} {y + middle:.0f} {x + across:.0f} {y + middle:.0f} "
                f"{x + across:.0f} {y + top:.0f}"
            )
            if bottom > top + 0.5:
                path += f"V{y + bottom:.0f}"
            at, low = across, bottom
        end = "" if curve.arrow else ' marker-end="none"'
        if not told:
            return f'<path d="{path}"{end}/>'
        tip = value_text(self.graph.entries[curve.value])
        return f'<path d="{path}"{end}><title>{tip}</title></path>'

    def _legend(self) -> tuple[str, float]:
        """Write what the shapes mean, those that are used."""
        made, x = "", 0.0
        for kind, text in LEGEND.items():
            if kind in self.kinds:
                made += _shape(kind, False, x, 0, 22, 13)
                made += f'<text class="d" x="{x + 28:.0f}" y="10">{text}</text>'
                x += 28 + text_width(text, 11) + 18
        return made, x


def _shape(kind: str, hot: bool, x: float, y: float, width: float, height: float) -> str:
    """Draw the outline that tells what a box is."""
    own = f'class="{CLASSES[kind]}{" hot" if hot else ""}"'
    place = f'x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"'
    if kind == PARAMETER:
        return f'<rect {own} {place} rx="{height / 2:.0f}"/>'
    if kind == MODULE:  # a pile: there is more below
        off = 4 if height > 20 else 2
        under = f'x="{x + off:.0f}" y="{y + off:.0f}" width="{width:.0f}" height="{height:.0f}"'
        return f'<rect class="{CLASSES[kind]}" {under} rx="6"/><rect {own} {place} rx="6"/>'
    if kind in (INPUT, OUTPUT):
        cut = min(9.0 if kind == OUTPUT else 5.0, height / 2)
        left, right, low = x, x + width, y + height
        if kind == INPUT:  # leaning
            points = [(left + cut, y), (right + cut, y), (right - cut, low), (left - cut, low)]
        else:
            middle = y + height / 2
            points = [
                (left, middle), (left + cut, y), (right - cut, y), (right, middle),
                (right - cut, low), (left + cut, low),
            ]  # fmt: skip
        listed = " ".join(f"{a:.0f},{b:.0f}" for a, b in points)
        return f'<polygon {own} points="{listed}"/>'
    return f'<rect {own} {place} rx="6"/>'


def escape(text: str) -> str:
    """Write any text into XML, which has no place for control characters at all."""
    safe = NOT_XML.sub("\ufffd", text).replace("&", "&amp;")
    return safe.replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    return escape(text).replace('"', "&quot;")
