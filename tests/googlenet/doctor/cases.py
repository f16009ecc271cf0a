"""Runs made up for the doctor, and what it finds in them."""

import math
from pathlib import Path

from googlenet.doctor import Case, diagnose
from googlenet.recipes import Recipe

LN10 = math.log(10)
STAGES = ["conv1", "pool1", "inception_3a", "inception_4a", "inception_4d", "inception_5b"]
HEADS = ("logits", "aux_4a", "aux_4d")
RELUS = [True, False, True, True, True, True]


def healthy_loss(step):
    return 0.62 + 1.7 * math.exp(-max(0, step - 30) / 200)


def probe(step, rate=7e-4, **changes):
    stage = {
        "activation": [0.9, 1.4, 1.2, 0.6, 0.5, 0.6],
        "mean": [0.5, 1.0, 0.7, 0.3, 0.2, 0.2],
        "zero": [0.5, None, 0.6, 0.6, 0.6, 0.6],
        "dead": [0.0, None, 0.05, 0.2, 0.1, 0.28],
        "gradient": [0.8, 0.8, 0.6, 0.4, 0.2, 0.15],
        "gradient_main": [0.5, 0.5, 0.4, 0.3, 0.18, 0.15],
        "update": [7e-4, None, 2e-3, 2e-3, 2e-3, 3e-3],
    }
    heads = {
        head: {"loss": 0.8, "spread": 1.3, "classes": 9, "largest": 0.2, "dead": dead}
        for head, dead in zip(HEADS, (None, 0.1, 0.1), strict=True)
    }
    return {"step": step, "learning_rate": rate, **stage, "heads": heads, **changes}


def case(losses=healthy_loss, heads=HEADS, accuracy=None, test_loss=None, epochs=12, tested=1000,
         train_accuracy=0.9, **recipe):  # fmt: skip
    """Make a run of 79 steps an epoch. `losses`: of a step; or of each head, of a step."""
    losses = dict.fromkeys(heads, losses) if callable(losses) else losses
    accuracy = accuracy or (lambda epoch: 0.87 - 0.3 * math.exp(-epoch / 3))
    test_loss = test_loss or (lambda epoch: 0.45 + 0.5 * math.exp(-epoch / 3))
    curve = [
        {"step": s, "steps": 10, "loss": 1.0, "train_accuracy": 0.5}
        | {f"loss_{head}": losses[head](s) for head in heads}
        for s in range(10, 79 * epochs + 1, 10)
    ]
    rows = [
        {"epoch": float(e), "learning_rate": 7e-4, "loss": 1.0}
        | {f"loss_{head}": losses[head](79 * e - 40) for head in heads}
        | {"train_accuracy": train_accuracy, "test_loss": test_loss(e),
           "test_accuracy": accuracy(e), "images_per_second": 300.0, "seconds": 10.0 * e}
        for e in range(1, epochs + 1)
    ]  # fmt: skip
    recorded = {
        "stages": STAGES, "classes": 10, "steps": 79 * epochs, "steps_of_epoch": 79,
        "pictures": {"probe": 32, "training": 5000, "test": tested},
        "guess": {"training": LN10, "test": LN10}, "test_shares": [0.1] * 10,
        "probes": [probe(s) for s in range(55, 79 * epochs, 110)], "curve": curve,
    }  # fmt: skip
    return Case(
        path=Path("runs/one"),
        recipe=Recipe(epochs=epochs, **recipe), classes=10, epochs=rows, vitals=recorded,
    )  # fmt: skip


def with_probes(made, *rows):
    made.vitals["probes"] = list(rows)
    return made


def kinds(made):
    return [finding.kind for finding in diagnose(made)]


def found(made, kind):
    findings = {finding.kind: finding for finding in diagnose(made)}
    assert kind in findings, list(findings)
    return findings[kind]
