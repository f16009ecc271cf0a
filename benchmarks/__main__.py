"""Measure minigrad and googlenet beside PyTorch: ``python -m benchmarks``."""

import importlib
import os
import shlex
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from benchmarks.options import Options
    from benchmarks.report import Report, Table

# In the order in which they run. Imported when their turn comes: what sets the number of threads
# of a library must be in the environment before that library is imported.
SECTIONS = {
    "machine": "the machine's rates: matrix product, copy",
    "training": "a training step of GoogLeNet at 224 pixels",
    "inference": "GoogLeNet in use, batch 1 to 64",
    "threads": "one thread and all of them",
    "job": "a step of the default job, 32 pixels, batch 64",
    "layers": "every convolution and every other layer by itself",
    "roofline": "a picture of the convolutions under the machine's roof (runs layers too)",
    "overhead": "what autograd costs a node, and its share of a step",
    "startup": "from the command to the first batch; imports",
    "loader": "pictures a second through the data loader",
    "pictures": "photographs from files, a second and core",
    "feeding": "a training step with the loader reading photographs beside it",
    "memory": "peak memory of a step",
    "gpu-rates": "where there is a GPU: its rates, matrix product, copy",
    "gpu-training": "a training step on the GPU, and its memory, in four precisions",
    "gpu-inference": "the network in use on the GPU",
    "gpu-layers": "every layer by itself on the GPU, batch 128",
}
DISTURBED = 0.05  # of the cores
NEEDS = {
    "layers": ["machine"], "roofline": ["machine", "layers"], "gpu-layers": ["gpu-rates"],
}  # fmt: skip
PRECISIONS = "float32", "tf32", "float16", "bfloat16"  # on a GPU: those of benchmarks.gpu.precision


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", "wanted", multiple=True, metavar="SECTION", help="Again for more than one.")
@click.option("--quick", is_flag=True, help="Few rounds, small batches: to try the program.")
@click.option("--compiled", is_flag=True, help="Also torch.compile; takes minutes to compile.")
@click.option("--rounds", type=click.IntRange(1), help="Turns of each side.")
@click.option("--batch", type=click.IntRange(1), help="Images, for single layers and on a GPU.")
@click.option(
    "--precision", "precisions", multiple=True, type=click.Choice(PRECISIONS), help="On a GPU."
)
@click.option("--threads", type=click.IntRange(1), help="For both sides.  [default: all cores]")
@click.option("--output", default="benchmarks/results", show_default=True, type=click.Path())
@click.option("--name", help="Of the files, after the date.  [default: from the machine]")
@click.option("--list", "listing", is_flag=True, help="List the sections.")
def main(
    wanted: tuple[str, ...], quick: bool, compiled: bool, rounds: int | None, batch: int | None,
    precisions: tuple[str, ...], threads: int | None, output: str, name: str | None, listing: bool,
) -> None:  # fmt: skip
    """Measure minigrad and googlenet beside PyTorch, in one run.

    Prints each table as soon as it is done, and keeps all of them in <output>/<date>-<name>.json
    and .md, which are rewritten after every section.
    """
    if listing:
        for section, what in SECTIONS.items():
            click.echo(f"{section:13} {what}")
        return
    sections = chosen(wanted)
    count = threads or len(os.sched_getaffinity(0))
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(count)

    from benchmarks import machine, peers
    from benchmarks.options import Options
    from benchmarks.report import Report

    peers.set_threads(count)
    parts = [machine.slug(), *wanted, *precisions, *(["quick"] if quick else [])]
    name = name or "-".join(parts)
    beginning = Path(output) / f"{time.strftime('%Y-%m-%d')}-{name}"
    images = batch or (2 if quick else 8)
    options = Options(rounds, quick, compiled, images, count, beginning, batch, precisions)
    report = Report(machine.describe(count), command(), time.strftime("%Y-%m-%d %H:%M"))
    sys.exit(run(sections, options, report, beginning))


def chosen(wanted: tuple[str, ...]) -> list[str]:
    """Return the sections to run, those that others need before them.

    What stands before a dash names all sections that begin so.
    """
    parts = {
        name: [s for s in SECTIONS if s == name or s.startswith(f"{name}-")] for name in wanted
    }
    unknown = [name for name in wanted if not parts[name]]
    if unknown:
        raise click.UsageError(
            f"--only: there is no section {unknown[0]!r}. The sections: {', '.join(SECTIONS)}"
        )
    sections = [section for name in wanted for section in parts[name]]
    needed = {name for section in sections for name in [*NEEDS.get(section, []), section]}
    return [name for name in SECTIONS if name in needed or not wanted]


def run(sections: list[str], options: "Options", report: "Report", beginning: Path) -> int:
    """Run sections one after the other; what is measured is kept whatever happens after."""
    from rich.console import Console

    from benchmarks.machine import Others
    from benchmarks.report import show

    # A table that goes into a file or a pipe must not be cut at 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 160)
    for key, value in report.machine.items():
        console.print(f"{key:20} {value}", highlight=False, markup=False, soft_wrap=True)
    for section in sections:
        started, others, all_others = time.perf_counter(), Others(), Others()
        disturbed: float | None = None
        try:
            with console.status(f"{section}: {SECTIONS[section]}"):
                module = importlib.import_module(f"benchmarks.{section.replace('-', '.')}")
                for table in module.tables(options):
                    if (share := others.share()) is not None:
                        disturbed, others = share, Others()
                    warn(table, disturbed)  # one that was only derived: as those before it
                    report.tables.append(table)
                    options.done[table.name] = table.rows
                    show(console, table)
                    report.write(beginning)
        except KeyboardInterrupt:
            report.write(beginning)
            console.print(f"stopped in {section}; measured so far: {beginning}.md", style="bold")
            return 130
        except Exception as error:
            report.failures[section] = f"{type(error).__name__}: {error}"
            report.write(beginning)
            traceback.print_exc()
        passed, meanwhile = time.perf_counter() - started, all_others.share()
        report.sections.append({"section": section, "seconds": passed, "others": meanwhile})
        report.write(beginning)
        shared = "" if meanwhile is None else f"; other programs took {meanwhile:.0%} of the cores"
        console.print(f"{section}: {passed:.0f} s{shared}", style="dim", highlight=False)
    console.print(f"\n{beginning}.md, {beginning}.json", style="bold", highlight=False)
    return 1 if report.failures else 0


def warn(table: "Table", share: float | None) -> None:
    """Mark a table if other programs took so much of the cores that it cannot be trusted.

    Threads that wait for one another, as OpenMP's do, are held up far more than the share says.
    """
    if share is None or share < DISTURBED:
        return
    warning = f"DISTURBED: other programs took {share:.0%} of the cores. Do not trust the ratios."
    table.notes.append(warning)
    for row in table.rows:
        row["disturbed"] = share


def command() -> str:
    """Return how this run was started, without where Python lies."""
    return shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    main()
