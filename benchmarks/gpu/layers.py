"""Every layer of the network by itself on a GPU, each distinct shape once, in every precision.

As `benchmarks.layers` does it on the CPU: convolutions are held against the measured product of
matrices, all else against the measured copy. Images lie as each side keeps them: ours in the order
of their axes, PyTorch's in either layout, and the faster counts.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import convolutions
from benchmarks import gpu as section
from benchmarks.gpu import is_there, missing, networks, nothing
from benchmarks.gpu.precision import Precision, chosen
from benchmarks.gpu.rates import described
from benchmarks.gpu.turns import alternate
from benchmarks.layers import CONVOLUTIONS, OTHERS, behind, conv_row, other_row, total
from benchmarks.machine import COPY, MATRIX, roof
from benchmarks.options import Options
from benchmarks.other_layers import Place, drawn, layers
from benchmarks.peers import OURS, agree, layouts, torch
from benchmarks.report import Row, Table, giga
from benchmarks.shapes import ConvShape, counted
from benchmarks.timing import Spread
from minigrad.dtypes import as_dtype
from minigrad.gpu import copied
from minigrad.ops.conv import gpu

BATCH, CHECKED = 128, 2  # images that are timed, and those of which results are compared
TURN = 0.01, 0.02  # s: uncounted and counted


def tables(options: Options) -> Iterator[Table]:
    """Yield, for each precision, a table for each pass of the convolutions, and of all else."""
    if not is_there():
        yield from nothing(options, "gpu-layers")
        return
    batch = options.asked_batch or (2 if options.quick else BATCH)
    copy, bytes_ = roof(options, COPY, "gpu-rates")
    for precision in chosen(options.precisions):
        matrix, flops = roof(options, f"{MATRIX}, {precision.title}", "gpu-rates")
        done = []
        for kind in convolutions.PASSES:
            title = f"Convolutions on a GPU, batch {batch}, {precision.title}: {kind}"
            table = Table(f"gpu-layers/{precision.name}/{kind}", title, CONVOLUTIONS)
            table.notes = [
                described(),
                "× is how often the network has the shape. The roof is the matrix product of "
                f"{matrix}, {giga(flops)} GFLOP/s.",
                *missing(),
            ]
            with precision.applied():
                table.rows = list(conv_rows(kind, batch, precision, options, flops))
            table.rows.append(total(table.rows, flops))
            done.append(table)
            yield table
        title = f"All other layers on a GPU, batch {batch}, {precision.title}"
        table = Table(f"gpu-layers/{precision.name}/others", title, OTHERS)
        table.notes = [
            described(),
            f"GB/s count bytes that must be read and written once, held against a copy by {copy}, "
            f"{giga(bytes_)} GB/s. PyTorch's layers are all of {precision.dtype}, parameters too.",
            *missing(),
        ]
        with precision.applied():
            table.rows = list(other_rows(batch, precision, options, bytes_))
        done.append(table)
        yield table
        if torch:
            yield lost(behind(done), precision)


def conv_rows(
    kind: str, batch: int, precision: Precision, options: Options, flops: float
) -> Iterator[Row]:
    """Yield a row for each distinct shape that needs this pass."""
    shapes = list(counted(batch, ConvShape).items())
    for shape, names in shapes[:: len(shapes) // 3] if options.quick else shapes:
        if kind == "input gradient" and names == ["conv1"]:
            continue  # nobody asks for the gradient of the images
        check(shape._replace(batch=min(batch, CHECKED)), kind, precision)
        yield conv_row(shape, names, taken(conv_steps(shape, kind, precision), options), flops)
        networks.forget()


def taken(steps: dict[str, Callable[[], Any]], options: Options) -> dict[str, Spread]:
    """Time the steps of a layer."""
    return alternate(steps, options.turns(5), turn=TURN)


def check(shape: ConvShape, kind: str, precision: Precision) -> None:
    """Insist that all sides give the same for a few images."""
    if torch:
        torch.backends.cudnn.set_flags(_benchmark=False)  # to try all algorithms takes long
    made = {name: step() for name, step in conv_steps(shape, kind, precision).items()}
    if torch:
        torch.backends.cudnn.set_flags(_benchmark=True)
    ours = made.pop(OURS).astype(np.float32).get()
    for name, theirs in made.items():
        what = f"{kind} of {shape}, {name}, {precision.name}"
        agree(what, ours, theirs.float().cpu().numpy(), networks.TOLERANCES[precision.name][0])


def conv_steps(shape: ConvShape, kind: str, precision: Precision) -> dict[str, Callable[[], Any]]:
    """Make the step of each side for one pass of a convolution."""
    N, C, O, k = shape.batch, shape.channels, shape.outputs, shape.kernel
    x = drawn(0, (N, C, shape.size, shape.size))
    gradient = drawn(1, (N, O, shape.out_size, shape.out_size))
    rng = np.random.default_rng(2)
    weight = rng.standard_normal((O, C, k, k), np.float32) / np.float32(C * k * k) ** 0.5
    bias = rng.standard_normal(O, np.float32)
    arrays = x, weight, bias, gradient
    steps = {OURS: _ours(shape, kind, precision, *arrays)}
    for name, layout in layouts(precision.dtype).items():
        place = Place(peer=section.PEER, dtype=precision.dtype)
        tensors = [place.theirs(a, layout, a is x or a is gradient) for a in arrays]
        steps[name] = convolutions.peer_step(shape, kind, *tensors)
    return steps


def _ours(
    shape: ConvShape, kind: str, precision: Precision, x: np.ndarray, weight: np.ndarray,
    bias: np.ndarray, gradient: np.ndarray,
) -> Callable[[], Any]:  # fmt: skip
    place = Place("cuda", dtype=precision.dtype)
    images, slope = place.ours(x).data, place.ours(gradient).data
    filters, start = copied(weight, 0).astype(as_dtype(precision.dtype)), copied(bias, 0)
    s, p = shape.stride, shape.padding
    geometry = (s, s), ((p, p), (p, p)), (1, 1), 1
    if kind == "forward":
        return lambda: gpu.conv2d_forward(images, filters, start, *geometry)
    if kind == "input gradient":
        return lambda: gpu.conv2d_input_gradient(slope, filters, images.shape, *geometry)
    return lambda: gpu.conv2d_weight_gradient(slope, images, filters.shape, *geometry)


def other_rows(batch: int, precision: Precision, options: Options, bytes_: float) -> Iterator[Row]:
    """Yield two rows for each layer that is no convolution: forward and backward."""
    tolerance = networks.TOLERANCES[precision.name][0]
    place = Place("cuda", section.PEER, precision.dtype, tolerance)
    size = as_dtype(precision.dtype).itemsize / 4
    for layer in layers(batch, options.quick):
        for kind, steps in layer.passes(place):
            yield other_row(layer, kind, taken(steps, options), size, bytes_)
        networks.forget()


def lost(table: Table, precision: Precision) -> Table:
    """Name the table of what is behind."""
    table.name = f"gpu-layers/{precision.name}/behind"
    table.title = f"On a GPU, {precision.title}: {table.title[0].lower()}{table.title[1:]}"
    return table
