"""Pictures of a diagnosis: curves with what was found, the stages over time, the heads' help."""

import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, PercentFormatter

from googlenet.curves import COLOURS
from googlenet.doctor import thresholds as at
from googlenet.doctor.case import Case, called, short
from googlenet.doctor.finding import Finding
from googlenet.doctor.inside import help_of_heads
from googlenet.drawing import plt, png
from googlenet.evaluation.intervals import wilson

MARKS = {"serious": "#b3261e", "warning": "#c77700", "remark": "#5f6b7a"}
GREY = "#8a8f98"
MOST_MARKED = 8  # findings in a picture


def draw(case: Case, findings: Sequence[Finding]) -> dict[str, bytes]:
    """Draw what there is to draw of a run; return PNGs by the names of their files."""
    pictures = {}
    if case.epochs or case.curve:
        pictures["curves.png"] = draw_curves(case, findings)
    if case.probes:
        pictures["stages.png"] = draw_stages(case)
        pictures["gradients.png"] = draw_gradients(case)
    return pictures


# -- curves ---------------------------------------------------------------------------------------


def draw_curves(case: Case, findings: Sequence[Finding]) -> bytes:
    """Draw losses and accuracies against the epoch, and mark where something was found."""
    marked = [f for f in findings if f.kind != "unfinished"][:MOST_MARKED]
    lines = [
        textwrap.wrap(f"{i}  {f.title}: {f.evidence}", 150, subsequent_indent="    ")
        for i, f in enumerate(marked, 1)
    ]
    below = 0.22 * sum(map(len, lines)) + (0.2 if lines else 0)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3 + below), layout="none")
    figure.subplots_adjust(
        left=0.065, right=0.985, top=1 - 0.45 / (4.3 + below), wspace=0.16,
        bottom=(0.6 + below) / (4.3 + below),
    )  # fmt: skip
    _draw_losses(left, case)
    _draw_accuracies(right, case)
    for axes in (left, right):
        _plain(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=9)
    _mark(left, marked)
    height = 0.12 + 0.22 * sum(map(len, lines))
    for finding, wrapped in zip(marked, lines, strict=True):
        for part in wrapped:
            height -= 0.22
            figure.text(
                0.065, (height + 0.1) / (4.3 + below), part, fontsize=8.5,
                color=MARKS[finding.severity], parse_math=False,
            )  # fmt: skip
    return png(figure, dpi=110)


def _draw_losses(axes: Any, case: Case) -> None:
    highest = case.guess
    for head in case.heads:
        colour = COLOURS.get(head, GREY)
        if case.curve:
            x = [case.epoch_of(row["step"]) for row in case.curve]
            y = [row[f"loss_{head}"] for row in case.curve]
        else:
            x, y = [r["epoch"] for r in case.epochs], [r[f"loss_{head}"] for r in case.epochs]
        axes.plot(x, y, color=colour, lw=1.2, label=f"training, {called(head)} head")
        highest = max(highest, *(v for v in y if np.isfinite(v)), 0)
    if case.epochs:
        x = [row["epoch"] for row in case.epochs]
        y = [row["test_loss"] for row in case.epochs]
        axes.plot(x, y, color="black", ls="--", marker=".", label="test, main head")
        highest = max(highest, *(v for v in y if np.isfinite(v)), 0)
    axes.axhline(case.guess, color=GREY, lw=1, ls=":")
    axes.annotate(
        "guessing", (0.8, case.guess), xycoords=("axes fraction", "data"), xytext=(-3, 3),
        textcoords="offset points", ha="right", fontsize=8, color=GREY,
    )  # fmt: skip
    axes.set(title="loss", ylim=(0, min(1.12 * highest, 3.5 * case.guess)))


def _draw_accuracies(axes: Any, case: Case) -> None:
    rows = case.epochs
    if case.curve:
        x = [case.epoch_of(row["step"]) for row in case.curve if "train_accuracy" in row]
        y = [row["train_accuracy"] for row in case.curve if "train_accuracy" in row]
        axes.plot(x, y, color=COLOURS["logits"], lw=1.2, label="training, with dropout")
    elif rows:
        y = [row["train_accuracy"] for row in rows]
        axes.plot([r["epoch"] for r in rows], y, color=COLOURS["logits"], label="training")
    if rows:
        x, y = [row["epoch"] for row in rows], [row["test_accuracy"] for row in rows]
        axes.plot(x, y, color="black", ls="--", marker=".", label="test")
        if case.tested:
            bounds = [wilson(round(value * case.tested), case.tested) for value in y]
            low, high = zip(*bounds, strict=True)
            axes.fill_between(x, low, high, color="black", alpha=0.1, lw=0, label="its 95 %")
    axes.axhline(case.chance, color=GREY, lw=1, ls=":")
    axes.set(title="accuracy, main head", ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _mark(axes: Any, findings: Sequence[Finding]) -> None:
    """Put the number of each finding where in the run it is seen; several at one place, below."""
    taken: dict[float, int] = {}
    for number, finding in enumerate(findings, 1):
        if finding.epoch is None:
            continue
        place = round(finding.epoch, 1)
        near = next((x for x in taken if abs(x - place) < 0.04 * axes.get_xlim()[1]), place)
        taken[near] = taken.get(near, 0) + 1
        axes.axvline(finding.epoch, color=MARKS[finding.severity], lw=0.8, alpha=0.35)
        axes.annotate(
            str(number), (near, 1), xycoords=("data", "axes fraction"),
            xytext=(0, 8 - 15 * taken[near]), textcoords="offset points", ha="center",
            va="center", fontsize=8, color="white", weight="bold", annotation_clip=False,
            bbox={"boxstyle": "circle,pad=0.25", "fc": MARKS[finding.severity], "ec": "white"},
        )  # fmt: skip


# -- stages ---------------------------------------------------------------------------------------


def draw_stages(case: Case) -> bytes:
    """Draw, for every stage and over time, what was seen of it."""
    assert case.vitals is not None
    stages = [short(name) for name in case.vitals["stages"]]
    panels = [
        ("activation", "activation (root mean square)", "viridis", _logarithmic),
        ("gradient", "gradient of the output (norm)", "viridis", _logarithmic),
        ("update", "update of the weights, ‖Δw‖ / ‖w‖", "RdYlBu_r", _updates),
        ("zero", "zeros behind ReLU", "Greys", _share),
        ("dead", "dead ReLU channels", "Reds", _share),
    ]
    figure, places = plt.subplots(
        1, 5, figsize=(15, 0.9 + 0.26 * len(stages)), sharey=True, layout="constrained"
    )
    edges = _edges([case.epoch_of(row["step"]) or 0.0 for row in case.probes])
    for axes, (name, title, colours, scale) in zip(places, panels, strict=True):
        values = case.per_stage(name).T
        norm, how = scale(values)
        axes.set_facecolor("#f4f4f4")
        drawn = axes.pcolormesh(
            edges, np.arange(len(stages) + 1), np.ma.masked_invalid(values), cmap=colours, norm=norm
        )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        bar = figure.colorbar(drawn, ax=axes, aspect=35, pad=0.02, **how)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
        bar.ax.minorticks_off()
    places[0].set_yticks(np.arange(len(stages)) + 0.5, stages, fontsize=9, parse_math=False)
    places[0].invert_yaxis()
    return png(figure, dpi=100)


def _edges(middles: Sequence[float]) -> np.ndarray:
    """Return borders between columns, from where their middles are."""
    x = np.array(middles)
    if len(x) == 1:
        return np.array([0.0, 2 * x[0] or 1.0])
    between = (x[1:] + x[:-1]) / 2
    return np.concatenate([[max(0.0, 2 * x[0] - between[0])], between, [2 * x[-1] - between[-1]]])


def _logarithmic(values: np.ndarray) -> tuple[Normalize, dict[str, Any]]:
    known = values[np.isfinite(values) & (values > 0)]
    low, high = (known.min(), known.max()) if len(known) else (1e-3, 1.0)
    if high < 10 * low:  # less than a decade would look like more than it is
        middle = (low * high) ** 0.5
        low, high = middle / 10**0.5, middle * 10**0.5
    places = [
        a * 10.0**b for b in range(-12, 13) for a in ((1, 2, 5) if high < 1e3 * low else (1,))
    ]
    return LogNorm(low, high), {"ticks": [p for p in places if low <= p <= high], "format": "%g"}


def _updates(values: np.ndarray) -> tuple[Normalize, dict[str, Any]]:
    """Healthy is the middle of the colours, whatever the run."""
    return LogNorm(1e-5, 1e-1), {"format": LogFormatterSciNotation(), "extend": "both"}


def _share(values: np.ndarray) -> tuple[Normalize, dict[str, Any]]:
    return Normalize(0, 1), {"format": PercentFormatter(1.0)}


# -- gradients ------------------------------------------------------------------------------------


def draw_gradients(case: Case) -> bytes:
    """Draw each stage's gradient with and without the auxiliary heads, and their share of it."""
    assert case.vitals is not None
    stages, help_ = [short(name) for name in case.vitals["stages"]], help_of_heads(case)
    both, main = case.per_stage("gradient"), case.per_stage("gradient_main")
    x = np.arange(len(stages))
    rows = 2 if help_ is not None else 1
    figure, places = plt.subplots(
        rows, 1, figsize=(10, 3.4 + 2 * (rows - 1)), sharex=True, squeeze=False,
        height_ratios=[3, 1.6][:rows], layout="constrained",
    )  # fmt: skip
    axes = places[0, 0]
    for values, colour, label in (
        (main, COLOURS["aux_4a"], "of the main head's loss alone"),
        (both, COLOURS["logits"], "of the loss with the auxiliary heads"),
    ):
        if values is both and help_ is None:
            continue
        positive = np.where(values > 0, values, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # stages without any gradient
            middle, low, high = (np.nanquantile(positive, q, axis=0) for q in (0.5, 0.1, 0.9))
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(x, middle, color=colour, marker="o", ms=4, label=label)
    if (both > 0).any() or (main > 0).any():
        axes.set_yscale("log")
        _at_least_a_decade(axes)
    axes.set_title(
        "gradient of a picture's loss in each stage's output (norm): median over the run, and "
        "where 80 % of the looks lie", fontsize=10,
    )  # fmt: skip
    axes.legend(frameon=False, fontsize=9)
    _plain(axes)
    if help_ is not None:
        axes = places[1, 0]
        axes.bar(x, 100 * help_, color=COLOURS["aux_4d"], width=0.7)
        axes.axhline(100 * at.HELP, color=GREY, lw=1, ls=":")
        axes.set_ylim(min(0, axes.get_ylim()[0]), max(10, axes.get_ylim()[1]))
        axes.set_ylabel("% of it", fontsize=9)
        axes.set_title("what the auxiliary heads add", fontsize=10)
        _plain(axes)
    places[-1, 0].set_xticks(x, stages, rotation=45, ha="right", parse_math=False)
    return png(figure, dpi=110)


def _at_least_a_decade(axes: Any) -> None:
    low, high = axes.get_ylim()
    if high < 10 * low:
        middle = (low * high) ** 0.5
        axes.set_ylim(middle / 10**0.5, middle * 10**0.5)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")


def _plain(axes: Any) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
