"""Each thing that curves show is said when it is there, and not when it nearly is."""

import math

import pytest

from tests.googlenet.doctor.cases import LN10, case, found, healthy_loss, kinds


def test_a_healthy_run_hears_nothing():
    assert kinds(case()) == []


def test_a_healthy_run_of_which_nothing_was_recorded_hears_nothing():
    made = case()
    made.vitals = None
    assert kinds(made) == []
    assert case().last_loss("logits") == pytest.approx(made.last_loss("logits"), rel=0.05)


def test_stuck_heads_are_one_finding():
    made = case({"logits": healthy_loss, "aux_4a": lambda s: LN10 + 0.01, "aux_4d": healthy_loss})
    finding = found(made, "stuck")
    assert finding.severity == "warning"
    assert finding.title == "The 4a head does no better than guessing"
    assert "2.313" in finding.evidence
    assert "2.303 (ln 10)" in finding.evidence
    assert "--no-aux-heads" in finding.cure
    assert "--batch-norm" in finding.cure
    made = case(lambda s: LN10, accuracy=lambda e: 0.1, test_loss=lambda e: LN10)
    finding = found(made, "stuck")
    assert finding.severity == "serious"
    assert "main, 4a and 4d heads do" in finding.title
    assert "collapsed" not in kinds(made)  # that is the same


def test_a_head_that_is_slow_is_not_stuck():
    slow = {"logits": healthy_loss, "aux_4a": lambda s: LN10 * 0.985, "aux_4d": healthy_loss}
    assert "stuck" not in kinds(case(slow))


def test_a_short_run_is_not_called_stuck():
    made = case(lambda s: LN10, epochs=3, accuracy=lambda e: 0.1, test_loss=lambda e: LN10,
                train_accuracy=0.1)  # fmt: skip
    assert kinds(made) == ["short"]
    assert "short" not in kinds(case(epochs=5))


def test_guessing_is_that_of_uneven_classes():
    made = case({"logits": lambda s: 0.325}, heads=("logits",))
    assert "stuck" not in kinds(made)
    made.vitals["guess"]["training"] = 0.3251
    assert "ln 10" not in found(made, "stuck").evidence


def test_a_run_that_diverged():
    made = case(lambda s: healthy_loss(s) if s < 600 else 0.7 + 0.55 * LN10)
    finding = found(made, "diverged")
    assert finding.severity == "serious"
    assert finding.epoch == pytest.approx(590 / 79)
    assert "diverged" not in kinds(case(lambda s: healthy_loss(s) if s < 600 else 1.5))


def test_a_loss_that_spikes():
    def spiky(times):
        return case(lambda s: healthy_loss(s) + (1.0 if s in times else 0.0))

    assert found(spiky({400, 600, 800}), "spikes").numbers["spikes"] == 3
    assert "spikes" not in kinds(spiky({400}))
    assert "spikes" not in kinds(case(lambda s: healthy_loss(s) + 0.4 * (s in {400, 600, 800})))


def test_numbers_that_are_not_finite():
    made = case(test_loss=lambda e: math.nan if e >= 5 else 0.5)
    finding = found(made, "not-finite")
    assert (finding.severity, finding.epoch) == ("serious", 5)
    assert "test_loss" in finding.evidence
    assert "--precision" not in finding.cure
    assert (
        "--precision float32"
        in found(case(test_loss=lambda e: math.inf, precision="mixed"), "not-finite").cure
    )


def test_a_network_that_says_the_same_of_all():
    made = case(accuracy=lambda e: 0.1, test_loss=lambda e: LN10)
    assert found(made, "collapsed").severity == "serious"
    assert "collapsed" not in kinds(case(accuracy=lambda e: 0.1, test_loss=lambda e: 1.9))
    assert "collapsed" not in kinds(case(accuracy=lambda e: 0.105, test_loss=lambda e: LN10))
    once = case(accuracy=lambda e: 0.1 if e == 12 else 0.3, test_loss=lambda e: LN10)
    assert "collapsed" not in kinds(once)


def test_a_test_below_guessing():
    made = case(accuracy=lambda e: 0.07)
    finding = found(made, "below-guessing")
    assert "0.070 (95 %: 0.056–0.088)" in finding.evidence
    assert "below-guessing" not in kinds(case(accuracy=lambda e: 0.09))
    assert "below-guessing" not in kinds(case(accuracy=lambda e: 0.07, tested=100))


def test_a_head_ahead_of_the_main_one():
    def ahead(by):
        return case({"logits": lambda s: healthy_loss(s) + by, "aux_4a": healthy_loss,
                     "aux_4d": healthy_loss})  # fmt: skip

    assert found(ahead(0.3), "heads-ahead").numbers["head"] == "aux_4a"
    assert "heads-ahead" not in kinds(ahead(0.2))


def test_underfitting():
    assert found(case(lambda s: 2.1), "underfitting").severity == "warning"
    assert "underfitting" not in kinds(case(lambda s: 1.9))


def test_a_run_that_was_still_getting_better():
    def rising(by):
        return case(lambda s: 2.0 - s / 700, accuracy=lambda e: 0.4 + by * e, train_accuracy=0.6)

    assert found(rising(0.02), "short-of-epochs").severity == "remark"
    assert "short-of-epochs" not in kinds(rising(0.009))


def test_overfitting():
    def risen(to):
        return case(test_loss=lambda e: 0.5 if e <= 6 else 0.5 + (to - 0.5) * (e - 6) / 6)

    finding = found(risen(0.7), "overfitting")
    assert (finding.severity, finding.epoch) == ("warning", 1)
    assert "--epochs 1" in finding.cure
    assert found(risen(0.55), "overfitting").severity == "remark"
    assert kinds(risen(0.505)) == []


def test_a_gap_between_training_and_test():
    def gap(of):
        return case(accuracy=lambda e: 0.7, train_accuracy=0.7 + of)

    assert found(gap(0.28), "overfitting").severity == "warning"
    assert found(gap(0.1), "overfitting").severity == "remark"
    assert kinds(gap(0.04)) == []
    assert found(gap(0.28), "overfitting").cure.endswith("weight_decay=0.0001 (now 0)")
    decaying = case(accuracy=lambda e: 0.7, train_accuracy=0.9, weight_decay=5e-4)
    assert found(decaying, "overfitting").cure.endswith("weight_decay=0.002 (now 0.0005)")
    few = case(accuracy=lambda e: 0.7, train_accuracy=0.8, tested=100)  # may be chance
    assert "overfitting" not in kinds(few)


def test_a_test_that_is_small_or_jumps():
    assert found(case(tested=100), "small-test").severity == "remark"
    assert "small-test" not in kinds(case(tested=400))

    def jumping(by):
        return case(accuracy=lambda e: 0.8 + by * (e % 2), train_accuracy=0.85)

    assert found(jumping(0.1), "noisy-test").severity == "warning"
    assert "noisy-test" not in kinds(jumping(0.03))


def test_a_run_that_was_stopped():
    made = case(epochs=12)
    made.state, made.note = "stopped", "after epoch 5 and 3 steps, resumable"
    made.epochs = made.epochs[:5]
    made.vitals["curve"] = [row for row in made.curve if row["step"] <= 400]
    finding = found(made, "unfinished")
    assert finding.cure == "googlenet train --resume runs/one"
    assert finding.severity == "remark"
