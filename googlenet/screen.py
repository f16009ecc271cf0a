"""What a training run shows: compilation, a bar for each epoch, a row when it is over."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import minigrad
from googlenet.train import Metrics, RunningMean

HEADS = {"logits": "main", "aux_4a": "4a", "aux_4d": "4d"}
EVERY = 0.2  # seconds at least from one look at the numbers to the next
WIDTHS = {"logits": 10, "aux_4a": 8, "aux_4d": 8}  # of the columns of their losses


class Screen:
    """A `Watcher` that draws a progress bar, and writes one line for each epoch.

    Parameters
    ----------
    console : rich.console.Console
    epochs, pictures : int
        How many epochs, and how many pictures in each.
    started : float
        When the command started, by `time.perf_counter`.
    """

    def __init__(self, console: Console, epochs: int, pictures: int, started: float) -> None:
        self.console, self.epochs, self.started = console, epochs, started
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("left"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self.task = self.bar.add_task(
            f"epoch 1/{epochs}", total=epochs * pictures, speed="", numbers="getting ready"
        )
        self.compiled = 0
        self.headed = False  # whether the table has its head
        self.written = 0.0  # when the bar's numbers were

    @contextmanager
    def showing(self, done: int = 0) -> Iterator["Screen"]:
        """Keep the bar on the screen, tell of kernels being compiled, and of what is warned of.

        Parameters
        ----------
        done : int
            How many pictures an earlier part of this run has gone through.
        """
        self.bar.update(self.task, completed=done)
        with self.bar, minigrad.on_compile(self._compiling), warnings.catch_warnings():
            warnings.filterwarnings("always", "DataLoader: ", RuntimeWarning)
            # Counted once, at the end.
            warnings.filterwarnings("ignore", "DataLoader: samples left out of", RuntimeWarning)
            warnings.showwarning = lambda message, *place: self._line(str(message), "yellow")
            yield self

    def _compiling(self, kernel: str) -> None:
        if self.compiled == 0:
            self._line("Compiling kernels, once on this machine: a minute at most.")
        self.compiled += 1
        self.bar.update(self.task, numbers=f"compiling {kernel} (kernel {self.compiled})")

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Move the bar; now and then also its numbers."""
        now = time.perf_counter()
        if self.written == 0:
            self._line(f"first batch after {now - self.started:.1f} s")
        self.bar.update(self.task, advance=images)
        if now - self.written < EVERY:
            return
        self.written, metrics = now, means.means()
        losses = " ".join(
            f"{HEADS[name]} {metrics[f'loss_{name}']:.3f}"
            for name in HEADS
            if f"loss_{name}" in metrics
        )
        speed = self.bar.tasks[0].speed
        self.bar.update(
            self.task,
            speed=f"{speed:.0f} img/s" if speed else "",
            numbers=f"loss {losses} · accuracy {metrics['train_accuracy']:.3f} "
            f"· lr {learning_rate:.1e}",
        )

    def epoch(self, metrics: Metrics) -> None:
        """Write the epoch's row, the table's head first. Rows fit into 80 columns."""
        heads = [name for name in HEADS if f"loss_{name}" in metrics]
        if not self.headed:
            self.headed = True
            losses = "".join(f"{'loss ' + HEADS[name]:>{WIDTHS[name]}}" for name in heads)
            self._line(
                f"{'epoch':>5}{losses}{'train acc':>10}{'test loss':>10}{'test acc':>9}{'lr':>8}"
                f"{'img/s':>6}{'time':>6}",
                "bold",
            )
        losses = "".join(f"{metrics[f'loss_{name}']:>{WIDTHS[name]}.3f}" for name in heads)
        minutes, seconds = divmod(int(metrics["seconds"]), 60)
        self._line(
            f"{metrics['epoch']:>5}{losses}{metrics['train_accuracy']:>10.3f}"
            f"{metrics['test_loss']:>10.3f}{metrics['test_accuracy']:>9.3f}"
            f"{metrics['learning_rate']:>8.0e}{metrics['images_per_second']:>6.0f}"
            f"{minutes:>3}:{seconds:02}"
        )
        following = min(int(metrics["epoch"]) + 1, self.epochs)
        self.bar.update(self.task, description=f"epoch {following}/{self.epochs}")

    def _line(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style, highlight=False, soft_wrap=True, markup=False)
