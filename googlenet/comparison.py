"""Several runs side by side: what each ended with, how sure that is, and what differs in them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from googlenet.evaluation.intervals import wilson
from googlenet.run_folder import CONFIG, METRICS, RunFolder
from googlenet.runs import Run, find_runs, read_metrics
from googlenet.sentences import sentence
from googlenet.vitals import VITALS, read_vitals

ASKED = {"data": "data", "pictures": "pictures"}  # of what was asked for, that is no recipe


@dataclass
class Compared:
    """One of the runs that are compared.

    Attributes
    ----------
    name : str
        Of its folder; with those above it, where another is called the same.
    path : Path
    run : Run
        What its folder says of it.
    settings : dict
        Its recipe and what it was trained on, by the names of options.
    epochs : list of dict
        The rows of ``metrics.csv``, at least one.
    test : str
        A fingerprint of its test pictures.
    tested : int, optional
        How many they are, if that is known.
    """

    name: str
    path: Path
    run: Run
    settings: dict[str, Any]
    epochs: list[dict[str, float]]
    test: str
    tested: int | None

    @property
    def accuracies(self) -> list[float]:
        """The test accuracy of each epoch; of the averaged weights, if the recipe averages them."""
        return [row.get("test_accuracy_averaged", row["test_accuracy"]) for row in self.epochs]

    @property
    def best(self) -> float:
        """The highest of them."""
        return max(self.accuracies)

    @property
    def last(self) -> dict[str, float]:
        """The last epoch."""
        return self.epochs[-1]

    @property
    def accuracy(self) -> float:
        """The last of them."""
        return self.accuracies[-1]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `accuracy` (Wilson's), if it can be known."""
        if not self.tested:
            return None
        return wilson(round(self.accuracy * self.tested), self.tested)

    def to_dict(self) -> dict[str, Any]:
        """Return what a table needs, as JSON has it."""
        interval = self.interval
        return {
            "name": self.name,
            "path": str(self.path),
            "state": self.run.state,
            "parameters": self.run.parameters,
            "epochs": len(self.epochs),
            "seconds": self.last["seconds"],
            "train_accuracy": self.last["train_accuracy"],
            "train_loss": self.last["loss_logits"],
            "test_loss": self.last["test_loss"],
            "test_accuracy": self.last["test_accuracy"],
            "test_accuracy_averaged": self.last.get("test_accuracy_averaged"),
            "interval": list(interval) if interval else None,
            "best_test_accuracy": self.best,
            "test_pictures": self.tested,
        }


@dataclass
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs : list of Compared
    left_out : dict of str to str
        Why, for each path that was left out.
    differing : dict of str to list
        Settings in which the runs differ, and the value of each run.
    other_test : list of bool
        Which runs were tested on other pictures than most.
    """

    runs: list[Compared]
    left_out: dict[str, str] = field(default_factory=dict)
    differing: dict[str, list[Any]] = field(default_factory=dict)
    other_test: list[bool] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        rows = [
            run.to_dict() | {"tested_on_other_pictures": other, "settings": self.settings(i)}
            for i, (run, other) in enumerate(zip(self.runs, self.other_test, strict=True))
        ]
        return {"runs": rows, "left_out": self.left_out}

    def settings(self, index: int) -> dict[str, Any]:
        """Return the differing settings of one of the runs."""
        return {name: values[index] for name, values in self.differing.items()}

    def label(self, index: int) -> str:
        """Return the name of a run, and what differs in it, if that takes a few words."""
        told = [f"{name} {short_value(value)}" for name, value in self.settings(index).items()]
        name = self.runs[index].name
        return f"{name}: {', '.join(told)}" if 0 < len(told) <= 2 else name

    def table(self) -> bytes:
        """Return the table as a CSV file: what each ended with, then the settings that differ.

        A setting that is called as a column of the first, as epochs are, has ``recipe_`` before it.
        """
        text, rows = io.StringIO(), []
        for i, run in enumerate(self.runs):
            row = run.to_dict()
            row["interval"] = _bounds(row["interval"])
            settings = self.settings(i).items()
            rows.append({**row, **{f"recipe_{n}" if n in row else n: v for n, v in settings}})
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode("utf-8", "backslashreplace")


def compare(paths: Iterable[Path]) -> Comparison:
    """Read runs and put them side by side.

    Parameters
    ----------
    paths : iterable of Path
        Run folders. Those that are damaged, or have no epoch behind them, are left out and named.

    Raises
    ------
    FileNotFoundError
        If one of them is not there or no run.
    """
    runs, left_out = [], {}
    for path in dict.fromkeys(paths):
        if not path.is_dir():
            raise FileNotFoundError(f"there is no run {str(path)!r}")
        found = [run for run in find_runs(path) if Path(run.path) == path]
        if not found:
            raise FileNotFoundError(f"{str(path)!r} is no run folder: there is no {CONFIG} in it")
        try:
            runs.append(_open(path, found[0]))
        except (ValueError, OSError) as error:
            left_out[str(path)] = sentence(error)
    for run, name in zip(runs, _names([run.path for run in runs]), strict=True):
        run.name = name
    marks = [run.test for run in runs]
    usual = max(marks, key=marks.count) if marks else ""
    return Comparison(
        runs, left_out, _differing([run.settings for run in runs]),
        [mark != usual for mark in marks],
    )  # fmt: skip


def _open(path: Path, run: Run) -> Compared:
    if run.state == "damaged":
        raise ValueError(run.note)
    folder = RunFolder(path)
    config, recipe = folder.config(), folder.recipe()
    rows = list(read_metrics(path / METRICS)) if (path / METRICS).is_file() else []
    if not rows:
        raise ValueError("no epoch of it is done yet")
    missing = {"loss_logits", "train_accuracy", "test_loss"} - set(rows[0])
    if missing:
        raise ValueError(f"its {METRICS} has no {', '.join(sorted(missing))}")
    settings = {"recipe": recipe.name, **asdict(recipe)} | {
        n: config["asked"].get(o) for o, n in ASKED.items()
    }
    del settings["name"]  # which is that of the recipe
    return Compared(
        path.name, path, run, settings, rows, str(config["fingerprints"].get("test")),
        pictures_of_test(path),
    )  # fmt: skip


def pictures_of_test(path: Path) -> int | None:
    """Return how many pictures a run is tested on, if its folder says so."""
    try:
        return int(read_vitals(path / VITALS)["pictures"]["test"])
    except (OSError, ValueError):
        return None


def _names(paths: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with so many of those above that no two are called the same."""
    whole = [path.absolute().parts for path in paths]
    for depth in range(1, max(map(len, whole), default=0) + 1):
        names = ["/".join(parts[-depth:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the settings in which not all are alike."""
    names = dict.fromkeys(name for each in settings for name in each)
    values = {name: [each.get(name) for each in settings] for name in names}
    return {name: given for name, given in values.items() if any(v != given[0] for v in given)}


def short_value(value: Any) -> str:
    """Put a setting's value into few characters.

    Examples
    --------
    >>> short_value(0.0007), short_value(True), short_value(None), short_value((0.9, 0.99))
    ('0.0007', 'yes', '–', '0.9, 0.99')
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(short_value, value)) or "–"
    return str(value)


def _bounds(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
