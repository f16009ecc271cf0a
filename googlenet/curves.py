"""The curves of a training run, as a picture."""

from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator, PercentFormatter

from googlenet.drawing import plt, png

HEADS = {"logits": "main", "aux_4a": "4a", "aux_4d": "4d", "aux": "auxiliary"}
COLOURS = {"logits": "#1f4e9c", "aux_4a": "#e08e2b", "aux_4d": "#3a9d6e", "aux": "#e08e2b"}

AVERAGED = "#b03060"


def draw(epochs: Sequence[Mapping[str, float]]) -> bytes:
    """Draw the loss of each head and the accuracies against the epoch; return a PNG.

    Parameters
    ----------
    epochs : sequence of mappings
        Rows of ``metrics.csv``.
    """
    x = [row["epoch"] for row in epochs]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for head, label in HEADS.items():
        if f"loss_{head}" in epochs[0]:
            y = [row[f"loss_{head}"] for row in epochs]
            left.plot(x, y, color=COLOURS[head], marker=".", label=f"training, {label} head")
    test = [row["test_loss"] for row in epochs]
    left.plot(x, test, color="black", linestyle="--", marker=".", label="test, main head")
    left.set(title="loss (training: with dropout and label smoothing)", xlabel="epoch")
    left.set_ylim(bottom=0)

    for key, style, label in (("train_accuracy", "-", "training"), ("test_accuracy", "--", "test")):
        y = [row[key] for row in epochs]
        colour = COLOURS["logits"] if style == "-" else "black"
        right.plot(x, y, color=colour, linestyle=style, marker=".", label=label)
    if "test_accuracy_averaged" in epochs[0]:
        y = [row["test_accuracy_averaged"] for row in epochs]
        right.plot(x, y, color=AVERAGED, linestyle="--", marker=".", label="test, averaged weights")
    final = epochs[-1]["test_accuracy"]
    right.annotate(
        f"{final:.1%}",
        (x[-1], final),
        xytext=(0, -16),
        textcoords="offset points",
        ha="right",
    )
    right.set(title="accuracy, main head", xlabel="epoch", ylim=(0, 1))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return png(figure, dpi=110)
