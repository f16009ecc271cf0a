"""What a training run shows: compilation, a bar for each epoch, a row when it is over."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import minigrad
from googlenet.train import Metrics

HEADS = {"logits": "main", "aux_4a": "4a", "aux_4d": "4d"}


class Screen:
    """A `Watcher` that draws a progress bar, and writes one line for each epoch.

    Parameters
    ----------
    console : rich.console.Console
    epochs, pictures : int
        How many epochs, and how many pictures in each.
    """

    def __init__(self, console: Console, epochs: int, pictures: int) -> None:
        self.console, self.epochs, self.pictures = console, epochs, pictures
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
        self.heads: list[str] = []
        self.compiled = 0

    @contextmanager
    def showing(self) -> Iterator["Screen"]:
        """Keep the bar on the screen, and tell of kernels being compiled."""
        with self.bar, minigrad.on_compile(self._compiling):
            yield self

    def _compiling(self, kernel: str) -> None:
        if self.compiled == 0:
            self.console.print("Compiling kernels, once on this machine: a minute at most.")
        self.compiled += 1
        self.bar.update(self.task, numbers=f"compiling {kernel} (kernel {self.compiled})")

    def step(self, metrics: Metrics) -> None:
        """Move the bar."""
        losses = " ".join(
            f"{HEADS[name]} {metrics[f'loss_{name}']:.3f}"
            for name in HEADS
            if f"loss_{name}" in metrics
        )
        speed = self.bar.tasks[0].speed
        self.bar.update(
            self.task,
            advance=metrics["images"],
            speed=f"{speed:.0f} img/s" if speed else "",
            numbers=f"loss {losses} · accuracy {metrics['train_accuracy']:.3f} "
            f"· lr {metrics['learning_rate']:.1e}",
        )

    def epoch(self, metrics: Metrics) -> None:
        """Write the epoch's row, the table's head first."""
        if not self.heads:
            self.heads = [name for name in HEADS if f"loss_{name}" in metrics]
            losses = "".join(f"{'loss ' + HEADS[name]:>10}" for name in self.heads)
            self.console.print(
                f"{'epoch':>5}{losses}{'train acc':>11}{'test loss':>11}{'test acc':>10}"
                f"{'lr':>9}{'images/s':>10}{'time':>7}",
                style="bold",
                highlight=False,
            )
        losses = "".join(f"{metrics[f'loss_{name}']:>10.3f}" for name in self.heads)
        minutes, seconds = divmod(int(metrics["seconds"]), 60)
        self.console.print(
            f"{metrics['epoch']:>5}{losses}{metrics['train_accuracy']:>11.3f}"
            f"{metrics['test_loss']:>11.3f}{metrics['test_accuracy']:>10.3f}"
            f"{metrics['learning_rate']:>9.1e}{metrics['images_per_second']:>10.0f}"
            f"{minutes:>4}:{seconds:02}",
            highlight=False,
        )
        following = min(int(metrics["epoch"]) + 1, self.epochs)
        self.bar.update(self.task, description=f"epoch {following}/{self.epochs}")
