"""GoogLeNet at 224 pixels in use on a GPU, in every precision."""

from collections.abc import Iterator

from benchmarks.gpu import is_there, missing, networks, nothing
from benchmarks.gpu.precision import chosen
from benchmarks.gpu.rates import described
from benchmarks.gpu.training import RATES, batches, measured
from benchmarks.options import Options
from benchmarks.report import Table


def tables(options: Options) -> Iterator[Table]:
    """Yield a table for each precision."""
    if not is_there():
        yield from nothing(options, "gpu-inference")
        return
    for precision in chosen(options.precisions):
        table = Table(
            f"gpu-inference/{precision.name}",
            f"GoogLeNet in use on a GPU, 224 pixels, {precision.title}",
            RATES,
            notes=[
                described(),
                "eval(), under no_grad (PyTorch: inference_mode); the main head. Steps are queued; "
                "the GPU is waited for once a turn.",
                *missing(),
            ],
        )
        with precision.applied():
            for batch in batches(options):
                table.rows += measured("inference", networks.inference, batch, precision, table,
                                       options)  # fmt: skip
        yield table
