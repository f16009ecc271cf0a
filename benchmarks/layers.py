"""Every layer of the network by itself, each distinct shape once.

Convolutions: the three kernels alone, held against the machine's matrix product. All else: the
operation with its recording, and its backward pass, held against the machine's copy: what these do
costs less than what they move. Arrays lie in memory as they do within the network of either side.
"""

from collections.abc import Iterator

from benchmarks import convolutions, other_layers, peers
from benchmarks.machine import COPY, MATRIX, roof
from benchmarks.options import Options
from benchmarks.peers import MISSING, OURS, torch
from benchmarks.report import Column, Row, Table, giga, milliseconds, quartiles, share, text, times
from benchmarks.shapes import ConvShape, counted
from benchmarks.timing import Spread, alternate, ratio

PEER = (
    Column("peer", "PyTorch\nms", milliseconds),
    Column("peer", "quartiles", quartiles),
    Column("layout", "layout"),
    Column("ratio", "peer /\nours", times),
)
CONVOLUTIONS = (
    Column("shape", "C→O kernel map"), Column("first", "first\nmet as"),
    Column("count", "×", lambda n: f"{n}"), Column("flop", "GFLOP", giga),
    Column("ours", "ours\nms", milliseconds), Column("ours", "quartiles", quartiles),
    Column("rate", "GFLOP/s", giga), Column("share", "of the\nroof", share), *PEER,
)  # fmt: skip
OTHERS = (
    Column("shape", "layer"), Column("pass", "pass"), Column("count", "×", lambda n: f"{n}"),
    Column("ours", "ours\nms", milliseconds), Column("ours", "quartiles", quartiles),
    Column("flop_rate", "GFLOP/s", giga), Column("rate", "GB/s", giga),
    Column("share", "of a\ncopy", share), *PEER,
)  # fmt: skip
LOST = (
    Column("what", "layer"), Column("pass", "pass"), Column("count", "×", text),
    Column("ours", "ours\nms", milliseconds), Column("peer", "PyTorch\nms", milliseconds),
    Column("lost", "ms behind\nin a step", milliseconds), Column("ratio", "peer /\nours", times),
)  # fmt: skip
LAYOUT = {peers.EAGER: "default", peers.CHANNELS_LAST: "channels last"}


def tables(options: Options) -> Iterator[Table]:
    """Yield a table for each pass of the convolutions, one of all other layers, and a summary."""
    (matrix, flops), (copy, bytes_) = roof(options, MATRIX), roof(options, COPY)
    done = []
    for kind in convolutions.PASSES:
        title = f"Convolutions of GoogLeNet, batch {options.batch}: {kind}"
        table = Table(f"layers/{kind}", title, CONVOLUTIONS)
        table.notes = [
            f"× is how often the network has the shape. The roof is the matrix product of {matrix},"
            f" {giga(flops)} GFLOP/s; Winograd's 3×3 needs fewer multiplications than are counted."
        ] + ([] if torch else [MISSING])
        table.rows = list(conv_rows(kind, options, flops))
        table.rows.append(total(table.rows, flops))
        done.append(table)
        yield table
    table = Table("layers/others", f"All other layers, batch {options.batch}", OTHERS)
    table.notes = [
        "GB/s count bytes that must be read and written once, held against a copy by "
        f"{copy}, {giga(bytes_)} GB/s; above it, the caches helped. Concatenation hands views back "
        "on both sides: there is nothing to time.",
        *([] if torch else [MISSING]),
    ]
    table.rows = list(other_rows(options, bytes_))
    done.append(table)
    yield table
    if torch:
        yield behind(done)


def conv_rows(kind: str, options: Options, flops: float) -> Iterator[Row]:
    """Yield a row for each distinct shape that needs this pass."""
    shapes = counted(options.batch, ConvShape)
    if options.quick:
        shapes = dict(list(shapes.items())[:4])
    for shape, names in shapes.items():
        if kind == "input gradient" and names == ["conv1"]:
            continue  # nobody asks for the gradient of the images
        steps = convolutions.steps(shape, kind)
        yield conv_row(shape, names, alternate(steps, options.turns(5)), flops)


def conv_row(shape: ConvShape, names: list[str], spreads: dict[str, Spread], flops: float) -> Row:
    """Return the row of one shape: how fast it is, and what that is of `flops`."""
    rate = shape.flop / spreads[OURS].median
    return {
        "shape": str(shape), "first": names[0], "names": names, "count": len(names),
        "flop": shape.flop, "bytes": shape.bytes, "rate": rate, "share": rate / flops,
        **beside(spreads),
    }  # fmt: skip


def other_rows(options: Options, bytes_: float) -> Iterator[Row]:
    """Yield two rows for each layer that is no convolution: forward and backward."""
    for layer in other_layers.layers(options.batch, options.quick):
        for kind, steps in layer.passes():
            yield other_row(layer, kind, alternate(steps, options.turns(4)), 1, bytes_)


def other_row(
    layer: other_layers.Layer, kind: str, spreads: dict[str, Spread], size: float, bytes_: float
) -> Row:
    """Return the row of one pass, of numbers `size` times as large as float32."""
    ours, moved = spreads[OURS].median, size * layer.bytes[kind]
    return {
        "shape": layer.name, "pass": kind, "count": layer.count, "bytes": moved,
        "rate": moved / ours, "share": moved / ours / bytes_, **beside(spreads),
        "flop_rate": layer.flop[kind] / ours if layer.flop else None,
    }  # fmt: skip


def beside(spreads: dict[str, Spread]) -> Row:
    """Return our times, and those of the peer's faster layout."""
    theirs = {name: spread for name, spread in spreads.items() if name != OURS}
    row: Row = {"ours": spreads[OURS]}
    if theirs:
        faster = min(theirs, key=lambda name: theirs[name].median)
        row |= {
            "peer": theirs[faster],
            "layout": LAYOUT[faster] if len(theirs) > 1 else "",
            "ratio": ratio(spreads[OURS], theirs[faster]),
            "peer_layouts": theirs,
        }
    return row


def total(rows: list[Row], flops: float) -> Row:
    """Sum rows, each as often as the network has its shape."""
    count = sum(row["count"] for row in rows)
    flop = sum(row["count"] * row["flop"] for row in rows)
    ours = sum(row["count"] * row["ours"].median for row in rows)
    summed: Row = {
        "shape": "all of the network", "first": "", "count": count, "flop": flop,
        "ours_total": ours, "rate": flop / ours, "share": flop / ours / flops,
    }  # fmt: skip
    summed["ours"] = Spread(*[ours] * 5, 1)
    if all("peer" in row for row in rows):
        peer = sum(row["count"] * row["peer"].median for row in rows)
        summed |= {"peer": Spread(*[peer] * 5, 1), "ratio": peer / ours}
    return summed


def behind(done: list[Table]) -> Table:
    """List where PyTorch's faster layout is ahead, by the time that costs a step."""
    found = []
    for table in done:
        kind = table.name.split("/")[-1]
        for row in table.rows:
            if "peer" not in row or row["shape"].startswith("all "):
                continue
            lost = row["count"] * (row["ours"].median - row["peer"].median)
            if lost > 0:
                found.append({
                    "what": f"{row['shape']} {row.get('first', '')}", "pass": row.get("pass", kind),
                    "count": row["count"], "ours": row["ours"], "peer": row["peer"],
                    "lost": lost, "ratio": row["ratio"],
                })  # fmt: skip
    found.sort(key=lambda row: row["lost"], reverse=True)
    title = "Where PyTorch's faster layout is ahead, by what it costs a training step"
    return Table("layers/behind", title, LOST, found[:15])
