"""What is recorded inside a network while it is trained, for `googlenet doctor` to read.

Two tables in ``vitals.json``, beside the ``metrics.csv`` of the epochs:

- *probes*: now and then a few pictures are followed through the network (`googlenet.probe`), and it
  is noted how far the last step moved the weights of each stage, as a share of their size;
- *curve*: the training loss of each head, over windows of a few steps.

A probe of as many pictures as a batch has costs less than two steps. Probes come so rarely that
all of them take less than 2 % of the time, and `MOST_PROBES` times at most: the file stays small.
Recording changes no number of the training, and a training never ends because of it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import minigrad
from googlenet.attempts import Attempts
from googlenet.labels import Warn, entropy, shares
from googlenet.probe import PER_HEAD, PER_STAGE, look_inside
from googlenet.train import Metrics, RunningMean, Training
from googlenet.windows import Window, steps_done
from minigrad import Tensor, checkpoint, nn
from minigrad.data import ImageError

VITALS = "vitals.json"
MOST_PICTURES, FEWEST_PICTURES = 32, 16  # of a probe; half a batch, in between
COST = 1.8  # steps that a probe takes, with as many pictures as a batch has
BUDGET = 0.012  # of the time
MOST_PROBES = 40
WINDOW, MOST_POINTS = 10, 200  # steps in a point of the curve, at least; points, at most
FILTERS = 16  # of each weight, whose change stands for all of it

Row = dict[str, Any]


class Recorder:
    """A `Watcher` of a training that records.

    Parameters
    ----------
    folder : Path
        Of the run.
    training : Training
        Where it stands, rows of an earlier part of the run are kept up to there.
    warn : callable
        Told, once, if nothing can be recorded any more.

    Attributes
    ----------
    every : int
        Steps from one probe to the next; 0 if the run is too short for one.
    content : dict
        What the file holds.
    """

    def __init__(self, folder: Path, training: Training, warn: Warn) -> None:
        self.file, self.training = folder / VITALS, training
        self._trying = Attempts(warn, "vitals", "Nothing more is recorded for googlenet doctor")
        loader, recipe = training.batches, training.recipe
        self.steps = steps_done(training)
        per_epoch = recipe.steps(len(loader.dataset))
        total = recipe.epochs * per_epoch
        pictures = min(MOST_PICTURES, max(FEWEST_PICTURES, recipe.batch_size // 2))
        self.pictures = min(pictures, len(loader.dataset))
        self.every = interval(total, self.pictures, recipe.batch_size * recipe.accumulate)
        self.window = max(WINDOW, math.ceil(total / MOST_POINTS))
        tested = shares(training.test_batches.dataset)
        self.content: dict[str, Any] = {
            "stages": list(training.net.stages),
            "classes": len(tested),
            "pictures": {
                "probe": self.pictures,
                "training": len(loader.dataset),
                "test": len(training.test_batches.dataset),
            },
            "steps": total,
            "steps_of_epoch": per_epoch,
            "guess": {
                "training": entropy(shares(loader.dataset), recipe.label_smoothing),
                "test": entropy(tested),
            },
            "test_shares": [_short(share) for share in tested.tolist()],
            "probes": [],
            "curve": [],
        }
        self._images: tuple[Tensor, np.ndarray] | None = None
        self._weights: dict[str, list[Tensor]] | None = None  # before the step that is going on
        self._since = Window(training.means)
        self._trying(self._go_on)

    # -- a watcher -------------------------------------------------------------------------------

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; now and then, look."""
        self.steps += 1
        if not self._trying.going:
            return
        self._since.step(images, means)
        if self._since.steps >= self.window:
            self._point()
        if self.every:
            place = self.steps % self.every
            if place == 0:
                self._trying(lambda: self._probe(learning_rate))
            elif place == self.every - 1:
                self._weights = sample(self.training.net)

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch: write."""
        if self._trying.going:
            self._point()
            self.write()

    def write(self) -> None:
        """Write all that was recorded so far."""
        if self._trying.going:
            self._trying(lambda: checkpoint.save_json(self.file, self.content))

    # -- recording -------------------------------------------------------------------------------

    def _point(self) -> None:
        """Add the means since the last point to the curve."""
        taken = self._since.take()
        if taken is not None:
            means = {name: _short(value) for name, value in taken.means().items()}
            self.content["curve"].append({"step": self.steps, "steps": taken.steps, **means})

    def _probe(self, learning_rate: float) -> None:
        net, recipe = self.training.net, self.training.recipe
        if self._images is None:
            self._images = self._read()
        look = look_inside(net, *self._images, recipe.label_smoothing, recipe.aux_weight)
        update = changes(self._weights, net) if self._weights else [None] * len(net.stages)
        self._weights = None
        row: Row = {"step": self.steps, "learning_rate": learning_rate}
        row |= {name: [_short(value) for value in look.stages[name]] for name in PER_STAGE}
        row["update"] = [_short(value) for value in update]
        row["heads"] = {
            head: {name: _short(value) for name, value in numbers.items()}
            for head, numbers in look.heads.items()
        }
        self.content["probes"].append(row)

    def _read(self) -> tuple[Tensor, np.ndarray]:
        """Read the pictures that probes look at: some of every part of the dataset."""
        dataset, rng = self.training.batches.dataset, np.random.default_rng(0)
        images, labels = [], []
        for i in range(self.pictures):
            try:
                image, label = dataset[len(dataset) * i // self.pictures]
                images.append(self.training.transform(image, rng))
                labels.append(int(label))
            except ImageError:  # the loader has its say on it
                continue
        if not images:
            raise ValueError("none of the pictures to look at can be read")
        device = next(self.training.net.parameters()).device
        return minigrad.tensor(np.stack(images), device=device), np.array(labels)

    def _go_on(self) -> None:
        """Take over the rows of an earlier part of this run, up to where it goes on."""
        if not self.file.is_file():
            return
        before = read_vitals(self.file)
        if before["stages"] != self.content["stages"]:
            raise ValueError(f"{str(self.file)!r} is of a network of other stages")
        for name in ("probes", "curve"):
            self.content[name] = [row for row in before[name] if row["step"] <= self.steps]


def interval(total: int, pictures: int, batch_size: int) -> int:
    """Return how many steps lie between probes, in a run of `total` steps; 0 for none at all.

    Examples
    --------
    >>> interval(948, 32, 64), interval(10**6, 32, 64), interval(20, 32, 64)
    (79, 25000, 0)
    """
    least = math.ceil(COST * pictures / (BUDGET * batch_size))
    if total < least // 2:
        return 0
    return max(1, total // min(MOST_PROBES, max(1, total // least)))


def sample(net: nn.Module) -> dict[str, list[Tensor]]:
    """Copy a few filters of every weight of each stage."""
    return {
        name: [minigrad.tensor(filters) for filters in _filters(getattr(net, name))]
        for name in net.stages  # type: ignore[attr-defined]
    }


def changes(before: dict[str, list[Tensor]], net: nn.Module) -> list[float | None]:
    """Return how far the weights of each stage moved, as a share of their size: ‖Δw‖ / ‖w‖.

    None for stages without weights.
    """
    found: list[float | None] = []
    for name, old in before.items():
        now = _filters(getattr(net, name))
        moved = [((new - was) * (new - was)).sum() for was, new in zip(old, now, strict=True)]
        size = [(was * was).sum() for was in old]
        whole = sum(each.item() for each in size)
        found.append((sum(each.item() for each in moved) / whole) ** 0.5 if whole > 0 else None)
    return found


def _filters(module: nn.Module) -> list[Tensor]:
    return [
        parameter.detach()[:: max(1, len(parameter) // FILTERS)]
        for parameter in module.parameters()
        if parameter.ndim > 1 and parameter.requires_grad  # frozen ones do not move
    ]


def _short(value: float | None) -> float | None:
    """Keep six digits: more say nothing."""
    return None if value is None else float(f"{value:.6g}")


# -- reading ---------------------------------------------------------------------------------------


def read_vitals(file: Path) -> dict[str, Any]:
    """Read ``vitals.json``: what `Recorder.content` is.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or not what a `Recorder` writes.
    """
    content = checkpoint.load_json(file)
    try:
        _check(content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"{str(file)!r} is not what was recorded of a run ({what})") from None
    return content


def _check(content: dict[str, Any]) -> None:
    stages = content["stages"]
    if not isinstance(stages, list) or not all(isinstance(name, str) for name in stages):
        raise ValueError("stages must be a list of names")
    counts = {name: content[name] for name in ("classes", "steps", "steps_of_epoch")}
    counts |= {name: content["pictures"][name] for name in ("probe", "training", "test")}
    for name, count in counts.items():
        if type(count) is not int or not 0 < count < 2**53:
            raise ValueError(f"{name} must be an integer above 0, got {count!r}")
    _check_numbers({name: content["guess"][name] for name in ("training", "test")})
    _check_numbers(dict(enumerate(content["test_shares"])))
    if len(content["test_shares"]) != content["classes"]:
        raise ValueError("test_shares must have a number for each class")
    for name in ("probes", "curve"):
        if not isinstance(content[name], list):
            raise ValueError(f"{name} must be a list")
        steps = [row["step"] for row in content[name]]
        if not all(type(step) is int and step > 0 for step in steps):
            raise ValueError(f"the steps of {name} must be integers above 0")
        if steps != sorted(set(steps)):
            raise ValueError(f"the steps of {name} must ascend")
    for row in content["curve"]:
        _check_numbers(row)
        if not row.get("steps", 0) > 0:
            raise ValueError("a point of the curve must be of some steps")
        if "loss" not in row or "loss_logits" not in row:
            raise ValueError("a point of the curve lacks its loss")
    for row in content["probes"]:
        _check_numbers({"learning_rate": row["learning_rate"]})
        for name in (*PER_STAGE, "update"):
            if len(row[name]) != len(stages):
                raise ValueError(f"{name} must have a number for each stage")
            _check_numbers(dict(enumerate(row[name])), none=True)
        for head, numbers in row["heads"].items():
            if set(numbers) != set(PER_HEAD):
                raise ValueError(f"what is said of the head {head!r} is not what is recorded")
            _check_numbers(numbers, none=True)


def _check_numbers(numbers: Mapping[Any, Any], none: bool = False) -> None:
    for name, value in numbers.items():
        if type(value) not in (int, float) and not (none and value is None):
            raise ValueError(f"{name} must be a number, got {value!r}")
