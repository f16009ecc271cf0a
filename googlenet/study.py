"""Studies: one question, the same training with a few settings, several seeds each.

A study is data: a name, what it asks, and labelled changes of the recipe. `STUDIES` has some by
name; `custom` makes one of what somebody writes. Each training is an ordinary run folder, and so a
study goes on where it was stopped, and its runs can be looked at with every other command.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from googlenet.architecture import VARIANTS
from googlenet.comparison import Compared, compare
from googlenet.recipes import Recipe, changed
from googlenet.recipes import settings as read_settings


class Setting(NamedTuple):
    """One thing that is tried: what it is called, and what it changes in the recipe."""

    label: str
    changes: Mapping[str, Any]


class Published(NamedTuple):
    """What somebody else measured: of which data, and by the labels of settings."""

    of: str
    errors: Mapping[str, float]
    parameters: Mapping[str, int]


@dataclass(frozen=True)
class Study:
    """A question, and what is trained to answer it.

    Attributes
    ----------
    name, asks : str
    settings : tuple of Setting
    base : mapping
        What all of them change in the default recipe.
    published : Published, optional
    """

    name: str
    asks: str
    settings: tuple[Setting, ...]
    base: Mapping[str, Any] = field(default_factory=dict)
    published: Published | None = None


CUSTOM = "custom"  # the name of every study that somebody writes

STUDIES = {
    study.name: study
    for study in (
        Study(
            "variants",
            "What do fewer, more or naive Inception modules cost and bring?",
            tuple(Setting(name, {"variant": name}) for name in VARIANTS),
            # The source's network begins without pools. At 16 pixels a picture costs it as much as
            # one of 32 costs the others.
            {"dialect": "cifar", "image_size": 16, "epochs": 6},
            Published(
                "CIFAR-10, 14 epochs",
                {name: variant.errors[10] for name, variant in VARIANTS.items()},
                {name: variant.parameters[10] for name, variant in VARIANTS.items()},
            ),
        ),
        Study(
            "heads",
            "Do the auxiliary heads help?",
            (Setting("with", {"aux_heads": True}), Setting("without", {"aux_heads": False})),
        ),
        Study(
            "normalisation",
            "Local response normalisation, as in the paper, batch normalisation, or neither?",
            (
                Setting("lrn", {"batch_norm": False}),
                Setting("batch-norm", {"batch_norm": True}),
                Setting("neither", {"batch_norm": False, "lrn": False}),
            ),
        ),
        Study(
            "averaging",
            "Are averaged weights better than the last ones?",
            (
                Setting("last", {"average": "none"}),
                Setting("mean", {"average": "mean", "average_start": 0.75}),
                Setting("ema", {"average": "ema", "average_decay": 0.99}),
            ),
        ),
        Study(
            "rates",
            "How high may the learning rate be?",
            tuple(Setting(f"{lr:g}", {"lr": lr}) for lr in (7e-5, 2e-4, 7e-4, 2e-3, 7e-3)),
        ),
    )
}


def custom(settings: Iterable[str], base: Iterable[str] = ()) -> Study:
    """Make a study of settings as somebody writes them: ``"lr=0.001"``, ``"lr=0.001 flip=false"``.

    Parameters
    ----------
    settings : iterable of str
        Each ``name=value``, several with spaces between them.
    base : iterable of str
        What all of them change, likewise.

    Raises
    ------
    ValueError
        If that is none, there are not two, or two are the same.
    """
    parsed = tuple(
        Setting(" ".join(text.split()), read_settings(text.split())) for text in settings
    )
    different = {setting.label: setting for setting in parsed}
    if len(different) < 2:
        raise ValueError(
            "a study needs two settings at least: --set lr=0.001 --set lr=0.0001, or the name of "
            f"one there is: {', '.join(STUDIES)}"
        )
    if len(different) < len(parsed):
        twice = next(s.label for s in parsed if different[s.label] is not s)
        raise ValueError(f"the setting {twice!r} is given twice: it would count twice")
    together = read_settings(part for text in base for part in text.split())
    return Study(CUSTOM, "Which of these settings is better?", parsed, together)


# -- what is trained -------------------------------------------------------------------------------


class Planned(NamedTuple):
    """One training of a study."""

    setting: Setting
    seed: int
    recipe: Recipe
    path: Path


def plan(
    study: Study,
    folder: Path,
    seeds: int = 1,
    only: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
) -> list[Planned]:
    """List the trainings of a study.

    Parameters
    ----------
    study : Study
    folder : Path
        Where their run folders lie.
    seeds : int
        Trainings of each setting: the recipe's seed, and those after it.
    only : sequence of str
        Labels of settings; without any, all.
    changes : mapping, optional
        Of the recipe, beside the study's own; a setting's win.
    recipe : Recipe, optional
        What is changed. By default the default one.

    Raises
    ------
    ValueError
        If there is no such setting, the recipe does not take what is changed, or two settings would
        have one folder.
    """
    labels = [setting.label for setting in study.settings]
    for label in only:
        if label not in labels:
            raise ValueError(
                f"there is no setting {label!r} in the study {study.name!r}; there are: "
                + ", ".join(labels)
            )
    planned = []
    for setting in study.settings:
        if only and setting.label not in only:
            continue
        whole = {**study.base, **(changes or {}), **setting.changes}
        own = changed(recipe or Recipe(), whole)
        for seed in range(own.seed, own.seed + seeds):
            path = folder / f"{_slug(setting.label)}-seed{seed}"
            planned.append(Planned(setting, seed, replace(own, seed=seed), path))
    _check_folders(planned)
    return planned


def _check_folders(planned: Sequence[Planned]) -> None:
    """Refuse two trainings in one folder: the second would be taken for done."""
    known: dict[Path, Planned] = {}
    for each in planned:
        other = known.setdefault(each.path, each)
        if other is not each:
            raise ValueError(
                f"the settings {other.setting.label!r} and {each.setting.label!r} would both be "
                f"trained in {str(each.path)!r}: study one of them"
            )


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=,-]+", "-", label)


# -- what came out ---------------------------------------------------------------------------------


@dataclass
class Result:
    """What came out of one setting.

    Attributes
    ----------
    label : str
    runs : list of Compared
        One for each seed that is through.
    failed : dict of str to str
        Why, for each run folder that is not.
    """

    label: str
    runs: list[Compared]
    failed: dict[str, str]

    @property
    def errors(self) -> list[float]:
        """The test errors of all seeds, as shares."""
        return [1 - run.accuracy for run in self.runs]

    @property
    def error(self) -> float | None:
        """Their mean."""
        return float(np.mean(self.errors)) if self.runs else None

    @property
    def spread(self) -> float | None:
        """Their standard deviation, from two seeds on."""
        return float(np.std(self.errors, ddof=1)) if len(self.runs) > 1 else None

    @property
    def seconds(self) -> float | None:
        """The median time of a training."""
        return float(np.median([r.last["seconds"] for r in self.runs])) if self.runs else None

    @property
    def parameters(self) -> int | None:
        """How many there are in the network."""
        return self.runs[0].run.parameters if self.runs else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Mean ± spread; of one seed, the 95 % interval of its test."""
        if self.error is None:
            return None
        if self.spread is not None:
            return self.error - self.spread, self.error + self.spread
        interval = self.runs[0].interval
        return (1 - interval[1], 1 - interval[0]) if interval else (self.error, self.error)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "setting": self.label,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "seeds": len(self.runs),
            "test_error": self.error,
            "spread": self.spread,
            "bounds": list(self.bounds) if self.bounds else None,
            "test_errors": self.errors,
            "train_error": (
                float(np.mean([1 - run.last["train_accuracy"] for run in self.runs]))
                if self.runs
                else None
            ),
            "runs": [str(run.path) for run in self.runs],
            "failed": self.failed,
        }


def results(planned: Sequence[Planned]) -> list[Result]:
    """Read what came out of a study's trainings, as far as they are through."""
    found: dict[str, Result] = {}
    for each in planned:
        result = found.setdefault(each.setting.label, Result(each.setting.label, [], {}))
        if not each.path.is_dir():
            result.failed[str(each.path)] = "not trained yet"
            continue
        compared = compare([each.path])
        if compared.runs and compared.runs[0].run.state == "finished":
            result.runs += compared.runs
        else:
            why = compared.left_out.get(str(each.path), "not finished")
            result.failed[str(each.path)] = why
    return list(found.values())


def table(study: Study, found: Sequence[Result]) -> list[list[str]]:
    """Lay results out as a table: its head, and a row for each setting."""
    several = any(result.spread is not None for result in found)
    head = ["setting", "parameters", "seconds", "test error", "± spread" if several else "95 %"]
    head += ["training error"]
    head += [f"published: {study.published.of}"] if study.published else []
    rows = [head]
    for result in found:
        facts = result.to_dict()
        row = [result.label, _count(result.parameters)]
        row += ["–" if result.seconds is None else f"{result.seconds:.0f}", _percent(result.error)]
        if several:
            row.append(_percent(result.spread))
        else:
            low, high = result.bounds or (None, None)
            row.append(f"{_percent(low)} to {_percent(high)}" if low is not None else "–")
        row.append(_percent(facts["train_error"]))
        if study.published:
            error = study.published.errors.get(result.label)
            row.append("–" if error is None else f"{error:.0%}")
        rows.append(row)
    return rows


def as_csv(found: Sequence[Result]) -> bytes:
    """Return results as a CSV file."""
    text = io.StringIO()
    names = ["setting", "parameters", "seconds", "seeds", "test_error", "spread", "train_error"]
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.to_dict() for result in found)
    return text.getvalue().encode("utf-8", "backslashreplace")


def as_markdown(study: Study, rows: Sequence[Sequence[str]], command: str) -> bytes:
    """Return a table as Markdown, with what it is about and the command that made it."""
    head, *body = rows
    lines = [f"# {study.name}", "", study.asks, "", "```", command, "```", ""]
    lines += ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    if study.published:
        lines += ["", f"The published figures are of other data ({study.published.of})."]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
