"""What a command says while it works: lines for people, or JSON for programs.

Everything said is an *event*: its kind, a text for people, and facts for programs. `Plain` writes
the texts, `JsonLines` the facts, one object a line; `googlenet.screen` adds a bar to the texts. On
standard output there is nothing else; errors for people go to standard error.
"""

import json
import math
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import minigrad
from googlenet.sentences import finite
from googlenet.train import HEADS, Metrics, RunningMean

QUIET = {"end", "stopped", "error", "live"}  # what is said all the same
STYLES = {"end": "bold", "warning": "yellow"}
WIDTHS = {"logits": 10, "aux_4a": 8, "aux_4d": 8, "aux": 9}  # of the columns of their losses
# Columns of the test, and their widths. With averaged weights there is no room for the loss.
TESTED = {"test_loss": ("test loss", 10), "test_accuracy": ("test acc", 9)}
TESTED_TWICE = {"test_accuracy": ("test acc", 9), "test_accuracy_averaged": ("averaged", 10)}


class Log:
    """What `Plain` and `JsonLines` have in common. A `Watcher` of the training.

    Parameters
    ----------
    stream : text file, optional
        By default standard output.
    quiet : bool
        Say only how it ended.

    Attributes
    ----------
    every : float
        Seconds from one word about steps to the next, at least.
    eager : bool
        Whether the first word comes after the first step.
    """

    every, eager = 0.0, True

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream, self.quiet = stream, quiet
        self.started = time.perf_counter()
        self.epochs = self.pictures = 0  # of the run, and in each epoch
        self.epoch_number, self.done = 1, 0  # the epoch going on, and how many pictures of it
        self.spoke = 0.0  # when something was last said of steps

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Say something.

        Parameters
        ----------
        event : str
            What kind of thing it is.
        text : str
            For people.
        **facts
            For programs; anything that JSON can hold.
        """
        raise NotImplementedError

    def warn(self, kind: str, text: str) -> None:
        """Warn of a kind of trouble."""
        self.say("warning", f"Warning: {text}", kind=kind, message=text)

    @contextmanager
    def showing(self, epochs: int, pictures: int, done: int = 0) -> Iterator[None]:
        """Show a training of so many epochs and pictures in each, of which some are done.

        Kernels that are compiled meanwhile, and warnings of the loader, are told of.
        """
        self.epochs, self.pictures = epochs, pictures
        self.epoch_number, self.done = done // pictures + 1, done % pictures
        self.compiled = 0
        with minigrad.on_compile(self.compiling), warnings.catch_warnings():
            warnings.filterwarnings("always", "DataLoader: ", RuntimeWarning)
            # These are counted once, at the end.
            warnings.filterwarnings("ignore", "DataLoader: samples left out of", RuntimeWarning)
            usual = warnings.showwarning

            def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
                if category is RuntimeWarning and str(message).startswith("DataLoader"):
                    self.warn("pictures", str(message))
                else:
                    usual(message, category, *where, **more)

            warnings.showwarning = show
            yield

    def compiling(self, kernel: str) -> None:
        """Be told that a kernel is being compiled."""
        if self.compiled == 0:
            text = "Compiling kernels, once on this machine: a minute at most."
            self.say("compiling", text)
        self.compiled += 1

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; now and then, say something of it."""
        now = time.perf_counter()
        self.done += images
        if self.spoke == 0:
            self.spoke = -math.inf if self.eager else now
            self.say("first-batch", f"first batch after {now - self.started:.1f} s")
        if now - self.spoke >= self.every:
            self.spoke = now
            self.now_and_then(means.means(), learning_rate)

    def now_and_then(self, means: Metrics, learning_rate: float) -> None:
        """Say how the epoch is going."""

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch."""
        self.epoch_number, self.done = int(metrics["epoch"]) + 1, 0
        self.spoke = time.perf_counter()


class Plain(Log):
    """Lines of text, without a bar or colours: for files, pipes, and terminals that know none."""

    every, eager = 30.0, False
    headed = False  # whether the table has its head

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Write the text."""
        # Errors are written by who ends the program.
        if event != "error" and (not self.quiet or event in QUIET):
            self.write(text, STYLES.get(event, ""))

    def write(self, text: str, style: str = "") -> None:
        """Write a line. Whoever reads a pipe shall have it at once."""
        print(text, file=self.stream or sys.stdout, flush=True)

    def now_and_then(self, means: Metrics, learning_rate: float) -> None:
        """Write how far the epoch is, and its means so far."""
        share = self.done / self.pictures
        self.say("step", f"{self.epoch_number:>5}, {share:.0%}: {numbers(means, learning_rate)}")

    def epoch(self, metrics: Metrics) -> None:
        """Write the epoch's row, the table's head first. Rows fit into 80 columns."""
        super().epoch(metrics)
        if self.quiet:
            return
        heads = [name for name in HEADS if f"loss_{name}" in metrics]
        tested = TESTED_TWICE if "test_accuracy_averaged" in metrics else TESTED
        if not self.headed:
            self.headed = True
            losses = "".join(f"{'loss ' + HEADS[name]:>{WIDTHS[name]}}" for name in heads)
            self.write(
                f"{'epoch':>5}{losses}{'train acc':>10}"
                + "".join(f"{title:>{width}}" for title, width in tested.values())
                + f"{'lr':>8}{'img/s':>6}{'time':>6}",
                "bold",
            )
        losses = "".join(f"{metrics[f'loss_{name}']:>{WIDTHS[name]}.3f}" for name in heads)
        minutes, seconds = divmod(int(metrics["seconds"]), 60)
        numbers = "".join(f"{metrics[name]:>{width}.3f}" for name, (_, width) in tested.items())
        self.write(
            f"{metrics['epoch']:>5}{losses}{metrics['train_accuracy']:>10.3f}{numbers}"
            f"{metrics['learning_rate']:>8.0e}{metrics['images_per_second']:>6.0f}"
            f"{minutes:>3}:{seconds:02}"
        )


class JsonLines(Log):
    """Facts, one JSON object a line: each has "event", and "elapsed", seconds of the command.

    A number that is infinite or NaN, which JSON does not know, is null.
    """

    every = 5.0

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Write the facts; without any, the text."""
        if self.quiet and event not in QUIET:
            return
        elapsed = round(time.perf_counter() - self.started, 3)
        content = {"event": event, "elapsed": elapsed, **(facts or {"message": text})}
        line = json.dumps(finite(content), ensure_ascii=False, allow_nan=False)
        print(line, file=self.stream or sys.stdout, flush=True)

    def now_and_then(self, means: Metrics, learning_rate: float) -> None:
        """Write the epoch's means so far."""
        facts = {"epoch": self.epoch_number, "pictures": self.done, "learning_rate": learning_rate}
        self.say("step", "", **facts, **means)

    def epoch(self, metrics: Metrics) -> None:
        """Write the row of ``metrics.csv``."""
        super().epoch(metrics)
        self.say("epoch", "", **metrics)


def numbers(means: Metrics, learning_rate: float) -> str:
    """Put the means of an epoch that is going on into words."""
    losses = " ".join(
        f"{HEADS[name]} {means[f'loss_{name}']:.3f}" for name in HEADS if f"loss_{name}" in means
    )
    return f"loss {losses} · accuracy {means['train_accuracy']:.3f} · lr {learning_rate:.1e}"
