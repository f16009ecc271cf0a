"""What was seen inside the network says of a run: signals, updates, ReLUs, the heads' help."""

import math
import warnings
from collections.abc import Iterator

import numpy as np

from googlenet.doctor import thresholds as at
from googlenet.doctor.case import Case, called, short
from googlenet.doctor.finding import Finding
from googlenet.doctor.outside import lower_rate, normed, or_batch_norm, young_run

MOST = 4  # stages that a sentence names


def update_ratio(case: Case) -> Iterator[Finding]:
    """Find steps that move the weights too far, or hardly at all."""
    rows = case.probes
    if not rows:
        return
    moved = _median(case.per_stage("update"), 1)
    if not np.isfinite(moved).any():
        return
    place = int(np.nanargmax(moved))
    most, step = float(moved[place]), rows[place]["step"]
    numbers = {"ratio": most, "step": step}
    if most > at.UPDATE_HIGH:
        yield Finding(
            "rate-high", "warning",
            "The learning rate is too high: steps move the weights too far",
            f"by {most:.1%} of their size at step {step}, in the median over stages; about 0.1% is "
            "healthy",
            lower_rate(case), numbers, case.epoch_of(step),
        )  # fmt: skip
    elif most < at.UPDATE_LOW and not _learned(case):
        better = case.recipe.lr * min(100.0, 0.001 / most) if most > 0 else 100 * case.recipe.lr
        yield Finding(
            "rate-low", "warning", "The learning rate is too low: steps hardly move the weights",
            f"by {most:.1g} of their size at most, in the median over stages; about 0.001 is "
            "healthy",
            f"--lr {float(f'{better:.1g}'):g} (now {case.recipe.lr:g})",
            numbers, case.epoch_of(step),
        )  # fmt: skip


def dead_relus(case: Case) -> Iterator[Finding]:
    """Find stages in which many channels are zero for all pictures."""
    if not case.probes:
        return
    assert case.vitals is not None
    dead = case.per_stage("dead")[-1]
    stages = case.vitals["stages"]
    bad = [i for i in np.argsort(-np.nan_to_num(dead), kind="stable") if dead[i] > at.DEAD]
    if not bad:
        return
    first = case.per_stage("dead")[0][bad[0]]
    listed = ", ".join(f"{short(stages[i])} {dead[i]:.0%}" for i in bad[:MOST])
    more = f" and {len(bad) - MOST} more stages" if len(bad) > MOST else ""
    far = dead[bad[0]] > at.DEAD_FAR
    yield Finding(
        "dead-relus", "serious" if far else "warning", "ReLUs are dead: channels are always 0",
        f"for all {case.vitals['pictures']['probe']} pictures looked at, of the channels in "
        f"{listed}{more}; in the first look, {first:.0%}",
        lower_rate(case) + or_batch_norm(case),
        {"stages": {stages[i]: float(dead[i]) for i in bad}},
        case.epoch_of(case.probes[-1]["step"]),
    )  # fmt: skip


def dead_heads(case: Case) -> Iterator[Finding]:
    """Find heads whose hidden units are dead, or whose logits are the same for all pictures."""
    if not case.probes or young_run(case):
        return
    for head, seen in case.probes[-1]["heads"].items():
        dead, said = seen["dead"], seen["classes"]
        if dead is not None and dead > at.DEAD_FAR:
            yield Finding(
                "dead-head", "warning", f"The hidden layer of the {called(head)} head is dead",
                f"{dead:.0%} of its units are zero for all pictures looked at",
                lower_rate(case) + or_batch_norm(case)
                + ", or train without the heads: --no-aux-heads",
                {"head": head, "dead": dead}, case.epoch_of(case.probes[-1]["step"]),
            )  # fmt: skip
        elif said == 1 and all(row["heads"][head]["classes"] == 1 for row in case.probes[-2:]):
            if head == "logits" and case.state == "finished":
                continue  # the test says so too: see `outside.collapsed`
            yield Finding(
                "constant", "serious" if head == "logits" else "warning",
                f"The {called(head)} head says the same class of every picture looked at",
                f"its logits differ by {seen['spread']:.2g} from picture to picture",
                lower_rate(case) + or_batch_norm(case),
                {"head": head, "spread": seen["spread"]},
                case.epoch_of(case.probes[-1]["step"]),
            )  # fmt: skip


def activations(case: Case) -> Iterator[Finding]:
    """Find signals that grow or fade from stage to stage."""
    yield from _scales(
        case, "activation", at.ACTIVATION, "Signals", "on their way to", forward=True
    )


def gradients(case: Case) -> Iterator[Finding]:
    """Find gradients that grow or fade on their way back."""
    yield from _scales(case, "gradient", at.GRADIENT, "Gradients", "on their way back to", False)


def _scales(
    case: Case, name: str, limit: float, what: str, way: str, forward: bool
) -> Iterator[Finding]:
    """Compare a column at the stage where signals arrive with where they come from."""
    if not case.probes:
        return
    assert case.vitals is not None
    stages, values = case.vitals["stages"], case.per_stage(name)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        yield Finding(
            f"{name}-not-finite", "serious", f"{what} are infinite or NaN",
            f"first seen at step {case.probes[row]['step']}, in "
            f"{short(stages[int(np.argmin(np.isfinite(values[row])))])}",
            lower_rate(case), {"step": case.probes[row]["step"]},
            case.epoch_of(case.probes[row]["step"]),
        )  # fmt: skip
        return
    last = values[-1]
    start = last[0] if forward else last[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = last / start if start > 0 else np.full(len(last), math.nan)
    low, high = np.nanargmin(np.nan_to_num(ratio)), np.nanargmax(np.nan_to_num(ratio))
    epoch = case.epoch_of(case.probes[-1]["step"])
    source = stages[0] if forward else stages[-1]
    evidence = "in the last look: {:.2g} there, {:.2g} at " + short(source)
    if not start > 0 or ratio[low] < 1 / limit:
        gone = not start > 0 or ratio[low] < 1 / at.GONE
        yield Finding(
            f"{name}-vanishing", "serious" if gone else "warning",
            f"{what} vanish {way} {short(stages[int(low)])}",
            evidence.format(last[low], start),
            first_weights(case) + f", or another --lr (now {case.recipe.lr:g})",
            {"stage": stages[int(low)], "value": float(last[low]), "source": float(start)}, epoch,
        )  # fmt: skip
    elif ratio[high] > limit:
        yield Finding(
            f"{name}-exploding", "warning", f"{what} explode {way} {short(stages[int(high)])}",
            evidence.format(last[high], start), first_weights(case) + ", or " + lower_rate(case),
            {"stage": stages[int(high)], "value": float(last[high]), "source": float(start)}, epoch,
        )  # fmt: skip


def first_weights(case: Case) -> str:
    """Suggest what keeps signals and gradients alive through many layers."""
    init = case.recipe.init
    tries = [] if normed(case) else ["--batch-norm"]
    tries += [] if init == "he" else [f"--set init=he (now {init})"]
    return " or ".join(tries) or "fewer stages"


def heads_help(case: Case) -> Iterator[Finding]:
    """Find auxiliary heads that bring hardly any gradient to the stages before them."""
    help_ = help_of_heads(case)
    if help_ is None or young_run(case):
        return
    before = help_[help_ > 0]
    share = float(np.median(before)) if len(before) else 0.0
    if share < at.HELP:
        yield Finding(
            "heads-idle", "remark", "The auxiliary heads bring hardly any gradient",
            f"of the gradient that reaches the stages before them {share:.1%} is theirs, in the "
            "median over the run",
            "Training without them is faster: --no-aux-heads",
            {"share": share},
        )  # fmt: skip


def help_of_heads(case: Case) -> np.ndarray | None:
    """Return by how much the heads strengthen each stage's gradient, in the median over the run.

    (with the heads − without) / with them, 0 behind the heads; negative where they weaken it. None
    where there are no heads, or nothing was recorded.
    """
    if not case.probes or len(case.probes[-1]["heads"]) < 2:
        return None
    both, main = case.per_stage("gradient"), case.per_stage("gradient_main")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(_median((both - main) / both, 0))


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """Return medians without NaN; NaN where there is nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(values, axis=axis)


def _learned(case: Case) -> bool:
    """Tell whether the loss fell well below guessing's: then the steps were large enough."""
    return bool(case.heads) and case.last_loss("logits") < case.guess / 2
