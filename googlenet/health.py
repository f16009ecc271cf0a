"""What goes wrong in training without an error, named while it goes on, with what to try.

`Health` watches the numbers, and says of each trouble once:

- *A head is stuck*: over the last 100 steps its loss lay within 1 % of what guessing gives. Who
  says of every picture how frequent the classes are, and knows no more, has a loss of their
  entropy: ln 10 with ten classes of one size. That is where the deep heads of this network can stay
  for ever. Every head begins there, so nothing is said in the first `patience` steps.
- *The run diverges*: twice in a row, a head's loss over 100 steps lay above its best, or above what
  guessing gives, by half of that.
- *It has collapsed*: after two epochs in a row the network said the same of every test picture. Its
  accuracy is the share of one class, and its loss no less than guessing's.
- *The loader is too slow*: steps waited for pictures for a quarter of the time.

That numbers are finite, each step looks by itself on the CPU. On a GPU to look is to wait, so it is
done here, where the numbers are read anyway.
"""

import math
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from googlenet.anomaly import NotFiniteError
from googlenet.labels import Warn, entropy, shares
from googlenet.recipes import Recipe
from googlenet.train import HEADS, Metrics, RunningMean
from googlenet.windows import Window
from minigrad.data import DataLoader, Dataset

EVERY = 1.0  # seconds at least from one look at the numbers to the next
WINDOW = 100  # steps whose means are judged
PATIENCE = 300  # steps at least before a head is called stuck
STUCK = 0.01  # of guessing's loss: so near to it is as good as guessing
COLLAPSED = 0.98  # of guessing's loss: what a network says of all pictures need not be the best
FAR = 0.5  # of guessing's loss: so much above its best, a loss has diverged
WAITING = 0.25  # of the time
SOME_TIME = 20.0  # seconds of training, at least, before the loader is called slow
LOOKED_AT = 8  # pictures, to say how large they are


class Health:
    """A `Watcher` that warns.

    Parameters
    ----------
    warn : callable
        Called with the kind of trouble ("stuck", "diverging", "collapsed", "loader") and a text.
    recipe : Recipe
    training, test : Dataset
    loader : DataLoader, optional
        Of the training pictures.
    every : float
        Seconds from one look at the numbers to the next, at least.

    Attributes
    ----------
    guess : float
        The training loss of who knows nothing but how frequent the classes are.
    patience : int
        Steps before a head is called stuck, or the network collapsed: more of them where there are
        many classes, and while the learning rate climbs.
    """

    def __init__(
        self,
        warn: Warn,
        recipe: Recipe,
        training: Dataset,
        test: Dataset,
        loader: DataLoader | None = None,
        every: float = EVERY,
    ) -> None:
        self.warn, self.recipe, self.loader, self.every = warn, recipe, loader, every
        self.classes = training.classes
        self.guess = entropy(shares(training), recipe.label_smoothing)
        self.test_shares = shares(test)
        self.patience = patience(recipe, recipe.steps(len(training)), len(self.classes))
        self.said: set[str] = set()
        self.best: Metrics = {}  # of each head, the lowest loss of a window
        self.high: dict[str, int] = {}  # of each head, windows in a row that were far above it
        self.constant = 0  # epochs in a row after which the network said the same of all pictures
        self.steps = 0  # seen
        self._since = Window()  # the last look
        self._window: tuple[int, int, Metrics] = 0, 0, {}  # steps, pictures, sums of losses
        self._looked = time.perf_counter()
        self._waiting = Waiting(loader)

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; look at the numbers now and then.

        Raises
        ------
        NotFiniteError
            If the loss has become infinite or NaN.
        """
        now = time.perf_counter()
        self.steps += 1
        self._waiting.step(now)
        self._since.step(images, means)
        if now - self._looked >= self.every:
            self._look()
            self._looked = time.perf_counter()

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch.

        Raises
        ------
        NotFiniteError
            As for a step.
        """
        self._look()
        self._waiting.pause()
        self._check_collapse(metrics)

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take what was added to the means since the last look; judge when it is a window full."""
        taken = self._since.take()
        if taken is None:
            return
        steps, pictures = taken.steps, taken.pictures
        new = {name: value for name, value in taken.sums.items() if name.startswith("loss")}
        if not all(map(math.isfinite, new.values())):
            when = f"{steps} steps" if steps > 1 else "step"
            raise NotFiniteError(
                f"within the last {when} the loss became infinite or NaN; with --detect-anomaly, "
                "also beside --resume, every step is looked at, and the operation named"
            )
        before = self._window
        total = {name: before[2].get(name, 0.0) + value for name, value in new.items()}
        self._window = before[0] + steps, before[1] + pictures, total
        if self._window[0] >= WINDOW:
            losses = {h: total[f"loss_{h}"] / self._window[1] for h in HEADS if f"loss_{h}" in new}
            self._window = 0, 0, {}
            self._judge(losses)
        self._check_loader()

    def _judge(self, losses: Metrics) -> None:
        """Judge the heads by their mean losses over a window."""
        diverging, stuck = [], []
        for head, loss in losses.items():
            best = self.best[head] = min(self.best.get(head, self.guess), loss)
            self.high[head] = self.high.get(head, 0) + 1 if loss > best + FAR * self.guess else 0
            if self.high[head] == 2:
                diverging.append(head)
            elif self.steps > self.patience and abs(loss - self.guess) <= STUCK * self.guess:
                stuck.append(head)
        if diverging:
            each = ", ".join(
                f"{HEADS[h]} {losses[h]:.3g} (best {self.best[h]:.3g})" for h in losses
            )
            self._say(
                "diverging",
                f"The run diverges: for 200 steps the loss has been far above its best, {each}. "
                f"Try a lower --lr (now {self.recipe.lr:g}), from the start.",
            )
        if stuck and not self.said & {"collapsed", "diverging"}:
            plural = len(stuck) > 1
            self._say(
                "stuck",
                f"The {_and([HEADS[h] for h in stuck])} head{'s' if plural else ''} "
                f"{'do' if plural else 'does'} no better than guessing after {self.steps} steps: "
                f"the loss is {losses[stuck[0]]:.3f}, and guessing gives {self._guessing()}. Try "
                f"a lower --lr (now {self.recipe.lr:g})"
                + ("" if self.recipe.normalized else ", or --batch-norm")
                + "; a head that stays there for long seldom gets away by itself.",
            )

    def _check_collapse(self, metrics: Metrics) -> None:
        accuracy, loss = metrics["test_accuracy"], metrics["test_loss"]
        if not math.isfinite(loss):
            self._say(
                "test-loss",
                "The loss on the test pictures is infinite or NaN, though that in training is "
                "not. Try --precision float32, if it is another; else a lower --lr.",
            )
        whole = np.flatnonzero(np.isclose(self.test_shares, accuracy, rtol=0, atol=1e-9))
        guessing = loss >= COLLAPSED * entropy(self.test_shares)
        self.constant = self.constant + 1 if len(whole) and guessing else 0
        if self.constant < 2 or self.steps <= self.patience or "stuck" in self.said:
            return
        which = f" ({self.classes[whole[0]]!r})" if len(whole) == 1 else ""
        self._say(
            "collapsed",
            f"The network seems to say the same class{which} of every picture: the test accuracy "
            f"is {accuracy:.4f}, which is the share of one class, and the test loss {loss:.3f} is "
            f"that of guessing. Try a lower --lr (now {self.recipe.lr:g})"
            + ("." if self.recipe.normalized else ", or --batch-norm."),
        )

    def _check_loader(self) -> None:
        share = self._waiting.share()
        if self.loader is None or share < WAITING or "loader" in self.said:
            return
        side, cores, workers = self.recipe.image_size, os.cpu_count() or 1, self.loader.workers
        tries = [f"--workers {min(2 * workers, cores)} (now {workers})"] if workers < cores else []
        large = median_side(self.loader.dataset)
        if large > 2 * side:
            tries.append(
                f"pictures made smaller beforehand: their shorter side is about {large} pixels, "
                f"and the network takes {side}"
            )
        elif not tries:
            tries.append(
                "pictures in a format that is faster to read, or --threads below all cores"
            )
        self._say(
            "loader",
            f"Training waits for its pictures {share:.0%} of the time. Try {_or(tries)}.",
        )

    def _guessing(self) -> str:
        count = len(self.classes)
        even = abs(self.guess - math.log(count)) < 5e-4
        return f"{self.guess:.3f}" + (f" (ln {count})" if even else "")

    def _say(self, kind: str, text: str) -> None:
        if kind not in self.said:
            self.said.add(kind)
            self.warn(kind, text)


def patience(recipe: Recipe, per_epoch: int, classes: int) -> int:
    """Return how many steps pass before a head may be called stuck, of so many in an epoch."""
    return max(PATIENCE, 5 * classes, 2 * recipe.warmup_steps(per_epoch))


class Waiting:
    """Which share of the time between steps was spent waiting for pictures.

    Not counted are tests, and the first step after each pause: kernels may be compiled in it, and
    the loader begins anew.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.seconds = self.waited = 0.0
        self._last: tuple[float, float] | None = None  # when a step ended; waited until then

    def step(self, now: float) -> None:
        """Be told of a step's end."""
        if self.loader is not None:
            waited = self.loader.seconds_waited
            if self._last is not None:
                self.seconds += now - self._last[0]
                self.waited += waited - self._last[1]
            self._last = now, waited

    def pause(self) -> None:
        """Be told that something else comes between this step and the next."""
        self._last = None

    def share(self) -> float:
        """Return the share, from 0 to 1; 0 as long as it is too early to tell."""
        return self.waited / self.seconds if self.seconds >= SOME_TIME else 0.0


def median_side(dataset: Dataset) -> int:
    """Return the shorter side of a picture, in pixels: the median of a few. 0 if none is read."""
    sides = []
    for i in range(LOOKED_AT):
        try:
            sides.append(min(dataset[len(dataset) * i // LOOKED_AT][0].shape[1:]))
        except ValueError:  # a damaged one: the loader has its say on it
            continue
    return int(np.median(sides)) if sides else 0


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)
