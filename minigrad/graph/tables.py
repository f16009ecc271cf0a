"""Tables for notebooks, with no colours of their own: they are light or dark as the page is."""

from collections.abc import Iterable, Sequence

from minigrad.graph.svg import escape


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], note: str = "", words: int = 1
) -> str:
    """Write a table as HTML. Whatever stands in a cell is shown as text.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequences of str
        A cell of several lines keeps them.
    note : str
        Stands below.
    words : int
        How many columns, from the left, are words; the others are numbers, and stand at the right.

    Examples
    --------
    >>> table(["of", "times"], [["<b>", "3"]]).split("<tbody>")[1]
    '<tr><td style="text-align:left">&lt;b&gt;</td><td style="text-align:right">3</td></tr>...'
    """
    sides = ["left" if k < words else "right" for k in range(len(headings))]

    def line(kind: str, cells: Sequence[str]) -> str:
        made = (
            f'<{kind} style="text-align:{side}">{escape(cell).replace(chr(10), "<br>")}</{kind}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    below = f'<caption style="caption-side:bottom;text-align:left">{escape(note)}</caption>'
    body = "".join(line("td", row) for row in rows)
    head = line("th", headings)
    return f"<table>{below if note else ''}<thead>{head}</thead><tbody>{body}</tbody></table>"
