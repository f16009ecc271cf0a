"""Make the pictures of the gallery, `examples/README.md`, by the commands that stand there.

``python -m examples.gallery`` makes all of them, in six minutes on two cores, three of which train
GoogLeNet; with names it makes those: ``python -m examples.gallery 04 16 microscope``. It says how
long each took.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from examples.lesson import PICTURES, keep
from googlenet.commands.errors import usage

__all__ = ["BROWSERS", "makers"]

EXAMPLES = Path(__file__).resolve().parent
BROWSERS = "chromium", "chromium-browser", "google-chrome"
SCREEN = 1280, 1340  # pixels: as far down as the sum


def makers(folder: Path) -> dict[str, Callable[[], None]]:
    """Return what makes each thing of the gallery, by name.

    Parameters
    ----------
    folder : Path
        Where pictures go; drawings and the picture of the README go beside it.
    """
    made: dict[str, Callable[[], None]] = {
        file.name[:2]: lambda file=file: lesson(file, folder)
        for file in sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
    }
    return made | {
        "convolution": lambda: run(
            ["-m", "examples.picture", str(folder.resolve().parent / "convolution.png")], EXAMPLES
        ),
        "graphs": lambda: run(["-m", "examples.graphs", str(folder.resolve().parent)], EXAMPLES),
        "microscope": lambda: microscope(folder / "microscope.png"),
        "googlenet": lambda: googlenet(folder),
    }


def lesson(file: Path, folder: Path) -> None:
    """Run a lesson, which draws its picture."""
    run([str(file)], EXAMPLES, {"MINIGRAD_PICTURES": str(folder.resolve())})


def run(arguments: list[str], where: Path, environment: dict[str, str] | None = None) -> None:
    """Run Python, quietly, with what is imported here."""
    path = os.pathsep.join([str(EXAMPLES.parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=where, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
    )  # fmt: skip
    if done.returncode:
        raise click.ClickException(f"{' '.join(arguments)} ended with\n{done.stderr}")


def microscope(file: Path) -> None:
    """Write the microscope's page, and keep what a browser without a screen shows of it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise click.ClickException(f"there is no browser: none of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "microscope.html"), Path(folder, "shot.png")
        run(["-m", "examples.microscope", "--output", str(page)], Path(folder))
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={SCREEN[0]},{SCREEN[1]}", f"--user-data-dir={folder}/profile",
             "--virtual-time-budget=10000", f"--screenshot={shot}", page.as_uri()],
            capture_output=True, check=True, timeout=120,
        )  # fmt: skip
        keep(shot, file)


def googlenet(folder: Path) -> None:
    """Train GoogLeNet by its default recipe, and keep what its commands draw."""
    program = ["-c", "from googlenet.cli import main; main()"]
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        shown = ["data", "show", "embedded", "--count", "4", "--output", "augmented.png"]
        run([*program, *shown], here)
        run([*program, "train", "--run", "run"], here)
        run([*program, "evaluate", "run"], here)
        keep(here / "augmented.png", folder / "googlenet-augmented.png")
        keep(here / "run" / "curves.png", folder / "googlenet-curves.png")
        for drawn in ("confusion", "mistakes"):
            keep(here / "run" / "evaluation" / f"{drawn}.png", folder / f"googlenet-{drawn}.png")


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=PICTURES,
    help="Where pictures go.",
)  # fmt: skip
def main(names: tuple[str, ...], folder: Path) -> None:
    """Make the pictures of the gallery: all of them, or those that are named."""
    known = makers(folder)
    with usage():
        for name in names:
            if name not in known:
                raise ValueError(f"gallery: there are {', '.join(known)}, and no {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or known:
        begun = time.perf_counter()
        known[name]()
        click.echo(f"{name}: {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main(prog_name="python -m examples.gallery")
