"""Each thing that can be wrong with a run is said when it is there, and not when it nearly is."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from googlenet import vitals as vitals_module
from googlenet.commands.doctor import doctor as command
from googlenet.commands.train import train as train_command
from googlenet.doctor import Case, diagnose, inside, open_case, outside
from googlenet.doctor import thresholds as at
from googlenet.doctor.drawings import draw
from googlenet.probe import PER_STAGE
from googlenet.recipes import Recipe
from googlenet.vitals import VITALS, read_vitals
from minigrad import checkpoint
from tests.googlenet.tiny import call, tiny, train  # noqa: F401 (a fixture)

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


def test_a_healthy_run_hears_nothing():
    assert kinds(case()) == []


def test_a_healthy_run_of_which_nothing_was_recorded_hears_nothing():
    made = case()
    made.vitals = None
    assert kinds(made) == []
    assert case().last_loss("logits") == pytest.approx(made.last_loss("logits"), rel=0.05)


# -- the curves ------------------------------------------------------------------------------------


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


# -- inside ----------------------------------------------------------------------------------------


def changed(value, *places, **kept):
    """Return a probe's column with other values at some places."""
    return [value if i in places else kept["of"][i] for i in range(len(STAGES))]


def ratios(value):
    return [value if relu else None for relu in RELUS]


def test_a_rate_that_is_too_high():
    made = with_probes(case(), probe(55, update=ratios(0.011)), probe(800, update=ratios(1e-6)))
    finding = found(made, "rate-high")
    assert "1.1% of their size at step 55" in finding.evidence
    assert finding.cure == "--lr 0.0002 (now 0.0007)"
    assert kinds(with_probes(case(), probe(55, update=ratios(0.005)))) == []


def test_a_rate_that_is_too_low():
    slow, seen = case(lambda s: 1.9, lr=1e-6), probe(55, update=ratios(4e-6))
    finding = found(with_probes(slow, seen), "rate-low")
    assert finding.cure == "--lr 0.0001 (now 1e-06)"  # at most a hundred times
    assert "rate-low" not in kinds(with_probes(case(lambda s: 1.9), probe(55, update=ratios(2e-4))))
    assert kinds(with_probes(case(), seen)) == []  # it learned all the same
    unknown = with_probes(case(lambda s: 1.9), probe(55, update=[None] * 6))
    assert "rate-low" not in kinds(unknown)


def test_dead_relus():
    usual = probe(1)["dead"]
    made = with_probes(case(), probe(55), probe(900, dead=changed(0.55, 4, of=usual)))
    finding = found(made, "dead-relus")
    assert finding.severity == "warning"
    assert "4d 55%" in finding.evidence
    assert "in the first look, 10%" in finding.evidence
    far = with_probes(case(), probe(900, dead=changed(0.95, 4, of=usual)))
    assert found(far, "dead-relus").severity == "serious"
    assert (
        "--batch-norm"
        not in found(
            with_probes(case(batch_norm=True), probe(9, dead=changed(0.95, 4, of=usual))),
            "dead-relus",
        ).cure
    )
    assert kinds(with_probes(case(), probe(900, dead=changed(0.45, 4, of=usual)))) == []
    # It is the last look that counts.
    revived = with_probes(case(), probe(55, dead=changed(0.95, 4, of=usual)), probe(900))
    assert kinds(revived) == []


def heads_with(head, **numbers):
    usual = probe(1)["heads"]
    return {**usual, head: {**usual[head], **numbers}}


def test_a_dead_head():
    made = with_probes(case(), probe(900, heads=heads_with("aux_4a", dead=1.0)))
    assert found(made, "dead-head").title == "The hidden layer of the 4a head is dead"
    assert kinds(with_probes(case(), probe(900, heads=heads_with("aux_4a", dead=0.6)))) == []


def test_a_head_that_says_the_same_of_all():
    same = heads_with("aux_4d", classes=1)
    made = with_probes(case(), probe(800, heads=same), probe(900, heads=same))
    assert found(made, "constant").severity == "warning"
    assert kinds(with_probes(case(), probe(800), probe(900, heads=same))) == []
    main = heads_with("logits", classes=1)
    stopped = with_probes(case(), probe(800, heads=main), probe(900, heads=main))
    stopped.state = "stopped"
    assert found(stopped, "constant").severity == "serious"


@pytest.mark.parametrize(
    ("column", "place", "vanishing", "near", "exploding"),
    [("activation", 5, 0.9 / 150, 0.9 / 80, 0.9 * 150), ("gradient", 0, 1e-4, 2e-4, 200)],
)
def test_signals_that_vanish_or_explode(column, place, vanishing, near, exploding):
    usual = probe(1)[column]

    def seen(value):
        return with_probes(case(), probe(900, **{column: changed(value, place, of=usual)}))

    assert found(seen(vanishing), f"{column}-vanishing").severity == "warning"
    assert "--batch-norm" in found(seen(vanishing), f"{column}-vanishing").cure
    assert found(seen(0.0), f"{column}-vanishing").severity == "serious"
    assert found(seen(exploding), f"{column}-exploding").severity == "warning"
    assert found(seen(math.nan), f"{column}-not-finite").severity == "serious"
    assert kinds(seen(near)) == []


def test_vanishing_gradients_are_the_cause_of_stuck_heads():
    made = case(lambda s: LN10, accuracy=lambda e: 0.1, test_loss=lambda e: LN10, init="normal")
    with_probes(made, probe(900, gradient=[1e-11, 1e-11, 1e-9, 1e-7, 1e-4, 0.28],
                            update=ratios(0.02)))  # fmt: skip
    assert kinds(made)[:2] == ["gradient-vanishing", "stuck"]
    assert "rate-high" not in kinds(made)
    assert "--set init=he (now normal)" in diagnose(made)[0].cure


def test_heads_that_bring_no_gradient():
    main = [0.78, 0.78, 0.585, 0.39, 0.196, 0.15]
    made = with_probes(case(), probe(900, gradient_main=main))
    assert found(made, "heads-idle").severity == "remark"
    assert kinds(with_probes(case(), probe(900))) == []
    alone = case(heads=("logits",))
    only = {"logits": probe(1)["heads"]["logits"]}
    assert (
        kinds(with_probes(alone, probe(900, heads=only, gradient_main=probe(1)["gradient"]))) == []
    )


def test_every_cure_is_an_option_that_there_is():
    """Whatever the findings of these tests suggest."""
    options = {name for each in train_command.params for name in (*each.opts, *each.secondary_opts)}
    source = Path(outside.__file__).read_text() + Path(inside.__file__).read_text()
    named = set(re.findall(r"--[a-z][a-z-]+", source))
    assert {"--lr", "--batch-norm", "--epochs", "--no-aux-heads", "--set"} <= named
    assert named <= options
    fields = re.findall(r"--set (\w+)=", source)
    assert all(hasattr(Recipe(), name) for name in fields)


def test_thresholds_say_why():
    assert at.UPDATE_LOW < at.UPDATE_HIGH
    assert at.DEAD < at.DEAD_FAR


# -- folders, words, pictures ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):  # noqa: F811
    """A run of a few steps, of which enough was recorded."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vitals_module, "BUDGET", 1.0)
        train(folder, "--batch-size", "16")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "one")


def test_a_run_folder_is_read(run):
    made = open_case(run)
    assert made.damage == []
    assert len(made.epochs) == 2
    assert len(made.probes) >= 2
    assert made.heads == ["logits", "aux_4a", "aux_4d"]
    assert made.per_stage("dead").shape == (len(made.probes), len(made.vitals["stages"]))
    assert set(PER_STAGE) <= set(made.probes[0])


def test_the_command_speaks_and_draws(run):
    done = call("doctor", run)
    assert done.err == ""
    assert done.code in (0, 1)
    assert "finished, 2 of 2 epochs, test accuracy" in done.out
    assert "too short to judge" in done.out
    names = {"curves.png", "stages.png", "gradients.png"}
    assert {file.name for file in (run / "doctor").iterdir()} == names
    assert all((run / "doctor" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert call("runs", run, "--json").code == 0  # the folder is still that of a run


def test_the_command_speaks_json(run):
    done = call("doctor", run, "--json", "--no-pictures")
    told = json.loads(done.out)
    assert (done.code == 0) == told["healthy"]
    assert told["recorded"] >= 2
    assert told["pictures"] == []
    assert not (run / "doctor").exists()
    for finding in told["findings"]:
        assert set(finding) == {"kind", "severity", "title", "evidence", "cure", "numbers", "epoch"}


def test_the_exit_code_says_whether_something_is_wrong(run, monkeypatch):
    from googlenet.commands import doctor as module

    for made, code in ((case(), 0), (case(tested=100), 0), (case(lambda s: 2.1), 1)):
        made.path = run
        monkeypatch.setattr(module, "open_case", lambda path, made=made: made)
        done = call("doctor", run, "--no-pictures")
        assert done.code == code, done.out
        assert ("Nothing is wrong" in done.out) == (code == 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [("config.json", "config.json"), ("metrics.csv", "metrics.csv"), (VITALS, "vitals.json"),
     ("model.safetensors", "model.safetensors")],
)  # fmt: skip
def test_damage_is_a_finding_and_the_rest_is_looked_at(run, name, said):
    (run / name).write_bytes((run / name).read_bytes()[:40])
    done = call("doctor", run, "--json")
    assert done.code == 1, done.err
    told = json.loads(done.out)
    assert told["state"] == "damaged"
    assert told["findings"][0]["kind"] == "damaged"
    assert said in told["findings"][0]["evidence"]
    assert told["pictures"]


def test_a_run_that_recorded_nothing(run):
    (run / VITALS).unlink()
    done = call("doctor", run)
    assert "Nothing was recorded inside the network" in done.out
    assert {file.name for file in (run / "doctor").iterdir()} == {"curves.png"}


def test_a_run_that_was_too_short_to_look_inside(run):
    content = read_vitals(run / VITALS)
    checkpoint.save_json(run / VITALS, {**content, "probes": []})
    assert "too short to look inside" in call("doctor", run).out


def test_a_run_that_was_stopped_before_its_first_epoch(tiny, tmp_path):  # noqa: F811
    path = train(tmp_path / "stopped", stop=True)
    done = call("doctor", path)
    assert done.code == 0, done.out
    assert "stopped, 0 of 2 epochs" in done.out
    assert "--resume" in done.out


def test_no_run_is_a_mistake_in_what_was_asked(tmp_path):
    assert call("doctor", tmp_path / "none").code == 2
    (tmp_path / "empty").mkdir()
    done = call("doctor", tmp_path / "empty")
    assert done.code == 2
    assert "is no run folder" in done.err


def test_recording_can_be_left_out(tiny, tmp_path):  # noqa: F811
    path = train(tmp_path / "plain", "--no-record")
    assert not (path / VITALS).exists()


def test_pictures_of_all_kinds_of_runs():
    """Drawn without an error or a warning: one look, zeros, no heads, many findings."""
    only = {"logits": probe(1)["heads"]["logits"]}
    flat = probe(900, gradient=[0.0] * 6, gradient_main=[0.0] * 6, activation=[1.0] * 6,
                 update=[None] * 6)  # fmt: skip
    alone = with_probes(case(heads=("logits",)), probe(9, heads=only))
    for made in (with_probes(case(lambda s: math.nan if s > 500 else 1e9), flat), alone):
        with np.errstate(all="raise", under="ignore"):
            drawn = draw(made, diagnose(made))
        assert set(drawn) == {"curves.png", "stages.png", "gradients.png"}
    assert command.get_short_help_str()
