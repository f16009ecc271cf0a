"""What a training run shows on a terminal: compilation, a bar, a row when an epoch is over."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from googlenet.log import JsonLines, Log, Plain, numbers
from googlenet.train import Metrics, RunningMean

LOGS = ("auto", "rich", "plain", "json")


def open_log(kind: str = "auto", quiet: bool = False) -> Log:
    """Choose how a command speaks.

    Parameters
    ----------
    kind : {"auto", "rich", "plain", "json"}
        With "auto", rich on a terminal and plain elsewhere.
    quiet : bool
        Say only how it ended.
    """
    if kind == "auto":
        terminal = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        kind = "rich" if terminal else "plain"
    if kind == "json":
        return JsonLines(quiet=quiet)
    return Screen() if kind == "rich" and not quiet else Plain(quiet=quiet)


class Screen(Plain):
    """Lines of text, and below them a progress bar."""

    every, eager = 0.2, True

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console or Console()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("left"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self.console,
            transient=True,
        )

    @contextmanager
    def showing(self, epochs: int, pictures: int, done: int = 0) -> Iterator[None]:
        """Keep the bar on the screen."""
        self.task = self.bar.add_task(
            "", total=epochs * pictures, completed=done, speed="", numbers="getting ready"
        )
        with self.bar, super().showing(epochs, pictures, done):
            self._describe()
            yield

    def compiling(self, kernel: str) -> None:
        """Name the kernel beside the bar."""
        super().compiling(kernel)
        self.bar.update(self.task, numbers=f"compiling {kernel} (kernel {self.compiled})")

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Move the bar; now and then also its numbers."""
        self.bar.update(self.task, advance=images)
        super().step(images, means, learning_rate)

    def now_and_then(self, means: Metrics, learning_rate: float) -> None:
        """Show the epoch's means so far beside the bar."""
        speed = self.bar.tasks[0].speed
        self.bar.update(
            self.task,
            speed=f"{speed:.0f} img/s" if speed else "",
            numbers=numbers(means, learning_rate),
        )

    def epoch(self, metrics: Metrics) -> None:
        """Write the epoch's row above the bar."""
        super().epoch(metrics)
        self._describe()

    def write(self, text: str, style: str = "") -> None:
        """Write a line above the bar."""
        self.console.print(text, style=style, highlight=False, soft_wrap=True, markup=False)

    def _describe(self) -> None:
        description = f"epoch {min(self.epoch_number, self.epochs)}/{self.epochs}"
        self.bar.update(self.task, description=description)
