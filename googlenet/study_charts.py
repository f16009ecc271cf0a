"""What came out of a study, as a picture: the test error against parameters and time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, PercentFormatter

from googlenet.comparison_charts import COLOURS
from googlenet.drawing import plt, png, short
from googlenet.study import Result, Study

GREY = "#8a8f98"
WIDE = 5  # times the smallest: from there on an axis is logarithmic


def draw_study(study: Study, found: Sequence[Result]) -> bytes:
    """Draw each setting's test error against its parameters and its time; return a PNG.

    Settings whose networks have about the same size are set side by side instead.
    """
    shown = [result for result in found if result.runs]
    counts = [result.parameters for result in shown if result.parameters]
    sized = len(counts) == len(shown) and max(counts) > 1.1 * min(counts)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    if sized:
        _scatter(left, shown, [float(count) for count in counts])
        _published(left, study, shown)
        left.set(xlabel="parameters")
        left.xaxis.set_major_formatter(FuncFormatter(_millions))
        if left.get_xscale() == "log":
            left.xaxis.set_minor_formatter(FuncFormatter(_few))
    else:
        _side_by_side(left, shown)
    _scatter(right, shown, [result.seconds or 0.0 for result in shown])
    right.set(xlabel="seconds of training")
    if right.get_xscale() == "log":
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        right.xaxis.set_minor_formatter(FuncFormatter(_few))
    seeds = max(len(result.runs) for result in shown)
    bars = f"mean of {seeds} seeds ± standard deviation" if seeds > 1 else "one seed, 95 % interval"
    left.set_ylabel("test error")
    figure.suptitle(f"{study.asks}  ({bars})", fontsize=11, parse_math=False)
    for axes in (left, right):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure, dpi=110)


def _scatter(axes: Any, shown: Sequence[Result], x: Sequence[float]) -> None:
    low, high = min(x), max(x)
    wide = high > WIDE * low
    for i, (result, place) in enumerate(zip(shown, x, strict=True)):
        colour = COLOURS[i % len(COLOURS)]
        _bar(axes, place, result, colour)
        axes.annotate(
            short(result.label), (place, result.error), xytext=(7, 5), textcoords="offset points",
            fontsize=9, color=colour, parse_math=False,
        )  # fmt: skip
    if wide:
        axes.set_xscale("log")
        room = (high / low) ** 0.1
        axes.set_xlim(low / room, high * room**2.2)
    else:
        room = max(high - low, 0.2 * high) or 1.0
        axes.set_xlim(low - 0.15 * room, high + 0.3 * room)


def _side_by_side(axes: Any, shown: Sequence[Result]) -> None:
    for i, result in enumerate(shown):
        colour = COLOURS[i % len(COLOURS)]
        _bar(axes, i, result, colour)
        seeds = len(result.runs)
        if seeds > 1:
            axes.plot([i + 0.12] * seeds, result.errors, ".", color=colour, alpha=0.5)
    names = [short(result.label) for result in shown]
    turned = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 9 else {}
    axes.set_xticks(range(len(shown)), names, parse_math=False, **turned)
    axes.set_xlim(-0.6, len(shown) - 0.4)


def _bar(axes: Any, x: float, result: Result, colour: str) -> None:
    low, high = result.bounds or (result.error, result.error)
    axes.plot([x, x], [low, high], color=colour, lw=1.5, alpha=0.6)
    axes.plot([x], [result.error], "o", color=colour, ms=7)


def _published(axes: Any, study: Study, shown: Sequence[Result]) -> None:
    """Draw what others measured, of other data, as rings above or below ours."""
    if study.published is None:
        return
    for i, result in enumerate(shown):
        if result.label in study.published.errors:
            x = study.published.parameters[result.label]
            colour = COLOURS[i % len(COLOURS)]
            axes.plot(
                [x], [study.published.errors[result.label]], "o", mfc="none", mec=colour, ms=8
            )
    label = f"published: {study.published.of} (other data)"
    axes.plot([], [], "o", mfc="none", mec=GREY, ms=8, label=label)
    axes.legend(frameon=False, fontsize=8)


def _millions(value: float, place: Any = None) -> str:
    return f"{value / 1e6:g} M" if value >= 1e5 else f"{value:,.0f}"


def _few(value: float, place: Any = None) -> str:
    """Label 2 and 5 of the minor ticks of a logarithmic axis."""
    first = round(value / 10 ** np.floor(np.log10(value)))
    if first not in (2, 5):
        return ""
    return _millions(value) if value >= 1e5 else f"{value:g}"
