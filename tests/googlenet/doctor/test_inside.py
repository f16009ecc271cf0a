"""Each thing that is seen inside is said when it is there, and not when it nearly is."""

import math
import re
from pathlib import Path

import pytest

from googlenet.commands.train import train as train_command
from googlenet.doctor import diagnose, inside, outside
from googlenet.doctor import thresholds as at
from googlenet.recipes import Recipe
from tests.googlenet.doctor.cases import LN10, RELUS, STAGES, case, found, kinds, probe, with_probes


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
    told = False
    for line in Path(at.__file__).read_text().splitlines():
        if re.match("[A-Z_]+ = ", line):
            assert told or "  # " in line, line
        else:  # a comment holds for all that stands below it without a space between
            told = line.startswith("# ")
