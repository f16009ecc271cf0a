"""What the figures of the epochs, and the training loss between them, say of a run."""

import math
from collections.abc import Iterator

import numpy as np

from googlenet.doctor import thresholds as at
from googlenet.doctor.case import Case, called
from googlenet.doctor.finding import Finding
from googlenet.evaluation.intervals import wilson
from googlenet.health import COLLAPSED, FAR, PATIENCE, STUCK


def damaged(case: Case) -> Iterator[Finding]:
    """Find files that cannot be read."""
    for sentence in case.damage:
        yield Finding(
            "damaged", "serious", "A file of the run is damaged", sentence,
            "What else there is was looked at. Restore the file, or train anew",
        )  # fmt: skip


def unfinished(case: Case) -> Iterator[Finding]:
    """Find a run that was stopped, or is going on."""
    if case.state == "stopped":
        yield Finding(
            "unfinished", "remark", "The run was stopped before its end",
            f"{len(case.epochs)} of {case.recipe.epochs} epochs are done: {case.note}",
            f"googlenet train --resume {case.path}",
        )  # fmt: skip
    elif case.state == "training":
        yield Finding(
            "unfinished", "remark", "The run is being trained right now",
            f"{len(case.epochs)} of {case.recipe.epochs} epochs are done",
        )  # fmt: skip


def not_finite(case: Case) -> Iterator[Finding]:
    """Find numbers that are infinite or NaN."""
    for row in case.epochs:
        wrong = [name for name, value in row.items() if not math.isfinite(value)]
        if wrong:
            yield Finding(
                "not-finite", "serious", "Numbers have become infinite or NaN",
                f"in epoch {row['epoch']:.0f}: {', '.join(wrong)}",
                lower_rate(case)
                + ("" if case.recipe.precision == "float32" else ", or --precision float32"),
                {"epoch": row["epoch"], "columns": wrong}, row["epoch"],
            )  # fmt: skip
            return


def young(case: Case) -> Iterator[Finding]:
    """Find a run of so few steps that nothing can be said of how it learns."""
    if young_run(case):
        yield Finding(
            "short", "remark", "The run is too short to judge how it learns",
            f"{case.steps or 0} steps were taken; nothing is said of heads before "
            f"{case.patience or PATIENCE}",
            f"--epochs {2 * case.recipe.epochs} (now {case.recipe.epochs})",
        )  # fmt: skip


def stuck(case: Case) -> Iterator[Finding]:
    """Find heads that do no better than guessing."""
    if not case.heads or young_run(case):
        return
    losses = {head: case.last_loss(head) for head in case.heads}
    heads = [h for h, loss in losses.items() if abs(loss - case.guess) <= STUCK * case.guess]
    if not heads:
        return
    names, main = [called(head) for head in heads], "logits" in heads
    who = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
    yield Finding(
        "stuck", "serious" if main else "warning",
        f"The {who} head does no better than guessing" if len(names) == 1
        else f"The {who} heads do no better than guessing",
        f"the training loss is {losses[heads[0]]:.3f} at the end, and guessing gives "
        f"{guessing(case)}",
        lower_rate(case) + or_batch_norm(case)
        + ("" if main else ", or train without the heads: --no-aux-heads"),
        {"heads": heads, "losses": losses, "guess": case.guess}, float(len(case.epochs)),
    )  # fmt: skip


def diverged(case: Case) -> Iterator[Finding]:
    """Find a loss that ends far above its best, or above guessing's."""
    for head in case.heads:
        rows = case.curve or case.epochs
        losses = [row[f"loss_{head}"] for row in rows]
        best, last = min(case.guess, *losses), case.last_loss(head)
        if last > best + FAR * case.guess:
            place = int(np.argmin(losses)) if best < case.guess else 0
            yield Finding(
                "diverged", "serious", f"The loss of the {called(head)} head has diverged",
                f"it ends at {last:.3g}; its best was {min(losses):.3g}, and guessing gives "
                f"{guessing(case)}",
                lower_rate(case),
                {"head": head, "loss": last, "best": min(losses), "guess": case.guess},
                _epoch(case, rows[place]),
            )  # fmt: skip
            return  # the heads diverge together


def spikes(case: Case) -> Iterator[Finding]:
    """Find a training loss that jumps up again and again."""
    if not case.curve:
        return
    losses = [row["loss_logits"] for row in case.curve]
    lowest = np.minimum.accumulate([case.guess, *losses])[:-1]
    high = np.array(losses) > lowest + at.SPIKE * case.guess
    begun = high & ~np.concatenate([[False], high[:-1]])
    if begun.sum() < at.SPIKES or high[-1]:
        return
    worst = int(np.argmax(np.where(high, np.array(losses) - lowest, -np.inf)))
    yield Finding(
        "spikes", "warning", "The training loss jumps up: the learning rate is too high",
        f"{int(begun.sum())} times it rose by more than {at.SPIKE * case.guess:.2f} above its "
        f"lowest, at most to {losses[worst]:.2f} from {lowest[worst]:.2f}",
        lower_rate(case),
        {"spikes": int(begun.sum()), "highest": losses[worst], "lowest": float(lowest[worst])},
        _epoch(case, case.curve[worst]),
    )  # fmt: skip


def collapsed(case: Case) -> Iterator[Finding]:
    """Find a network that says the same of every picture."""
    if len(case.epochs) < 2 or young_run(case):
        return
    shares = case.vitals["test_shares"] if case.vitals else [1 / max(2, case.classes)]
    guessing = COLLAPSED * case.test_guess
    for row in case.epochs[-2:]:
        alike = np.isclose(shares, row["test_accuracy"], rtol=0, atol=1e-5).any()
        if not alike or not row["test_loss"] >= guessing:
            return
    row = case.epochs[-1]
    yield Finding(
        "collapsed", "serious", "The network says the same class of every picture",
        f"the test accuracy is {row['test_accuracy']:.4f}, the share of one class, and the test "
        f"loss {row['test_loss']:.3f}; guessing gives {case.test_guess:.3f}",
        lower_rate(case) + or_batch_norm(case),
        {"test_accuracy": row["test_accuracy"], "test_loss": row["test_loss"]}, row["epoch"],
    )  # fmt: skip


def below_guessing(case: Case) -> Iterator[Finding]:
    """Find test pictures that are told apart worse than by naming the most frequent class."""
    if not case.epochs or case.tested is None or young_run(case):
        return
    accuracy = case.epochs[-1]["test_accuracy"]
    low, high = wilson(round(accuracy * case.tested), case.tested)
    if high >= case.chance:
        return
    learned = case.epochs[-1]["train_accuracy"]
    yield Finding(
        "below-guessing", "serious", "On the test pictures it is worse than guessing",
        f"test accuracy {accuracy:.3f} (95 %: {low:.3f}–{high:.3f}); naming the most frequent "
        f"class gives {case.chance:.3f}, and on the training pictures it has {learned:.3f}",
        "Look whether the test pictures have the labels of the training pictures: googlenet "
        f"evaluate {case.path}",
        {"test_accuracy": accuracy, "high": high, "chance": case.chance}, case.epochs[-1]["epoch"],
    )  # fmt: skip


def underfitting(case: Case) -> Iterator[Finding]:
    """Find a run that has hardly learned, or had not come to its end of learning."""
    rows, guess = case.epochs, case.guess
    if not rows or young_run(case):
        return
    loss = case.last_loss("logits")
    if guess - STUCK * guess > loss > guess - at.LEARNED * guess:
        yield Finding(
            "underfitting", "warning", "It has hardly learned",
            f"the training loss ends at {loss:.3f}, and guessing gives {guessing(case)}",
            f"--epochs {3 * case.recipe.epochs} (now {case.recipe.epochs}); if the loss hardly "
            f"falls, another --lr (now {case.recipe.lr:g})",
            {"loss": loss, "guess": guess}, rows[-1]["epoch"],
        )  # fmt: skip
        return
    if len(rows) < 4 or case.state == "stopped":
        return
    before = rows[-1 - max(1, len(rows) // 4)]
    fell = before["loss_logits"] - rows[-1]["loss_logits"]
    rose = rows[-1]["test_accuracy"] - before["test_accuracy"]
    half = half_width(case, rows[-1]["test_accuracy"])
    if fell > at.FALLING * guess and rose > at.GAINED * half:
        yield Finding(
            "short-of-epochs", "remark", "It was still getting better when it ended",
            f"over the last quarter of its epochs the training loss fell by {fell:.3f}, and the "
            f"test accuracy rose from {before['test_accuracy']:.3f} to "
            f"{rows[-1]['test_accuracy']:.3f}",
            f"--epochs {2 * case.recipe.epochs} (now {case.recipe.epochs})",
            {"fell": fell, "rose": rose}, rows[-1]["epoch"],
        )  # fmt: skip


def overfitting(case: Case) -> Iterator[Finding]:
    """Find a run that gets better on what it has seen, and worse on what it has not."""
    rows = case.epochs
    if len(rows) < 3 or not all(math.isfinite(row["test_loss"]) for row in rows):
        return
    best = min(rows, key=lambda row: row["test_loss"])
    last, ago = rows[-1], len(rows) - int(best["epoch"])
    risen = last["test_loss"] / best["test_loss"] - 1 if best["test_loss"] > 0 else 0.0
    gap = last["train_accuracy"] - last["test_accuracy"]
    fell = last["loss_logits"] < best["loss_logits"]
    sure = gap > 1.5 * half_width(case, last["test_accuracy"])
    rising = fell and ago >= 2 and risen > at.RISEN
    if not (rising or (gap > at.GAP and sure)):
        return
    far = (rising and risen > at.RISEN_FAR) or (gap > at.GAP_FAR and sure)
    seen = []
    if rising:
        seen.append(
            f"the test loss has risen by {risen:.0%} since epoch {best['epoch']:.0f}, from "
            f"{best['test_loss']:.3f} to {last['test_loss']:.3f}, while the training loss fell"
        )
    if gap > at.GAP and sure:
        seen.append(
            f"of the training pictures {last['train_accuracy']:.1%} are right (with dropout), of "
            f"the test pictures {last['test_accuracy']:.1%}"
        )
    decay = case.recipe.weight_decay
    more_decay = f"--set weight_decay={float(f'{3 * decay:.1g}') or 1e-4:g} (now {decay:g})"
    fewer_epochs = f"fewer epochs: --epochs {best['epoch']:.0f} (now {case.recipe.epochs})"
    yield Finding(
        "overfitting", "warning" if far else "remark",
        "It learns its training pictures by heart" if far else "It overfits a little",
        "; ".join(seen),
        f"More training pictures; {fewer_epochs if rising else more_decay}",
        {"risen": risen, "gap": gap, "best_epoch": best["epoch"]}, best["epoch"],
    )  # fmt: skip


def vague_test(case: Case) -> Iterator[Finding]:
    """Find a test of too few pictures, or one whose accuracy jumps."""
    if not case.epochs or case.tested is None:
        return
    accuracy, half = case.epochs[-1]["test_accuracy"], 0.0
    half = half_width(case, accuracy)
    if half > at.WIDE:
        yield Finding(
            "small-test", "remark", "The test is too small to be sure of",
            f"it has {case.tested} pictures: an accuracy of {accuracy:.3f} may be "
            f"{max(0, accuracy - half):.3f} or {min(1, accuracy + half):.3f} just as well",
            "More test pictures: --test-data FOLDER",
            {"pictures": case.tested, "half_width": half},
        )  # fmt: skip
    tail = case.epochs[-max(4, len(case.epochs) // 3) :]
    if len(tail) < 4 or young_run(case):
        return
    moved = np.abs(np.diff([row["test_accuracy"] for row in tail]))
    error = half / 1.96
    if float(np.median(moved)) > at.JUMPS * max(error, 1e-3):
        yield Finding(
            "noisy-test", "warning", "The test accuracy jumps from epoch to epoch",
            f"by {np.median(moved):.3f} in the median over the last {len(tail)} epochs; chance in "
            f"which {case.tested} pictures are tested makes {error:.3f}",
            lower_rate(case),
            {"median": float(np.median(moved)), "standard_error": error}, tail[0]["epoch"],
        )  # fmt: skip


def heads_ahead(case: Case) -> Iterator[Finding]:
    """Find an auxiliary head that does better than the main one."""
    if len(case.heads) < 2 or young_run(case):
        return
    losses = {head: case.last_loss(head) for head in case.heads}
    main = losses.pop("logits", math.inf)
    head = min(losses, key=lambda name: losses[name])
    if main > losses[head] + at.BETTER * case.guess:
        yield Finding(
            "heads-ahead", "warning",
            f"The {called(head)} head does better than the main one: what lies behind it does harm",
            f"training loss {losses[head]:.3f} against {main:.3f}, though it drops more "
            f"({case.recipe.aux_dropout:g} against {case.recipe.dropout:g})",
            lower_rate(case) + or_batch_norm(case),
            {"head": head, "loss": losses[head], "main": main}, float(len(case.epochs)),
        )  # fmt: skip


def young_run(case: Case) -> bool:
    """Tell whether too few steps were taken, as far as they are known; else, too few epochs."""
    if case.steps is None or case.patience is None:
        return len(case.epochs) < 4
    return case.steps <= case.patience


def normed(case: Case) -> bool:
    """Tell whether the network has batch normalisation."""
    return case.recipe.normalized


def or_batch_norm(case: Case) -> str:
    """Suggest batch normalisation, where there is none."""
    return "" if normed(case) else ", or --batch-norm"


def lower_rate(case: Case) -> str:
    """Suggest a third of the learning rate."""
    return f"--lr {float(f'{case.recipe.lr / 3:.1g}'):g} (now {case.recipe.lr:g})"


def guessing(case: Case) -> str:
    """Say what guessing gives."""
    even = abs(case.guess - math.log(max(2, case.classes))) < 5e-4
    return f"{case.guess:.3f}" + (f" (ln {case.classes})" if even else "")


def _epoch(case: Case, row: dict[str, float]) -> float | None:
    """Say where in the run a row of the curve, or of the epochs, is."""
    return row["epoch"] if "epoch" in row else case.epoch_of(row["step"])


def half_width(case: Case, accuracy: float) -> float:
    """Return half of the accuracy's 95 % interval; of a test of 1,000, if it is not known."""
    pictures = case.tested or 1000
    low, high = wilson(round(accuracy * pictures), pictures)
    return (high - low) / 2
