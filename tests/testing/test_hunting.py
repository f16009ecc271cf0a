"""The hunter: what it counts as a kill, what it refuses, and the whole hunt."""

import html
import json
import unittest
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops import relu
from minigrad.testing import hunting, mutants
from minigrad.testing.__main__ import cli
from minigrad.testing.gradients import gradcheck
from minigrad.testing.hunting import (
    Hunter,
    HuntError,
    HuntReport,
    Verdict,
    checker_suite,
    hunt,
    hunt_with_pytest,
    sum_of_outputs,
)
from minigrad.testing.suite import SUITE

RELU = mutants.of_operation("relu")


def nothing():
    pass


def negative_becomes_zero():
    assert F.relu(tensor([-1.0])).item() == 0, "a negative number came through"


# -- the hunt ------------------------------------------------------------------------------------


def test_our_suite_kills_every_mutant():
    report = hunt(SUITE)
    assert report, str(report)
    assert report.summary == f"{len(mutants.CORPUS)} of {len(mutants.CORPUS)} mutants killed"


def test_the_sum_of_outputs_misses_what_gradcheck_finds():
    """The zeros of softmax and of batch norm, and no mutant the other way round."""
    zeros = [
        mutants.find("softmax-gradient-zero"),
        mutants.find("batch-norm-input-gradient-zero"),
    ]
    assert hunt(checker_suite(sum_of_outputs), zeros).killed == []
    assert hunt(checker_suite(gradcheck), zeros).survived == []


def test_gradcheck_kills_what_the_sum_of_outputs_kills_and_more():
    operations = "softmax", "batch_norm", "concat", "stack", "permute", "sum", "pad", "linear"
    corpus = [m for operation in operations for m in mutants.of_operation(operation)]
    bad, good = (hunt(checker_suite(check), corpus) for check in (sum_of_outputs, gradcheck))
    killed = [{v.mutant.name for v in report.killed} for report in (bad, good)]
    assert killed[0] < killed[1], sorted(killed[0] - killed[1])


def test_a_property_that_asserts_nothing_kills_nothing():
    report = hunt(nothing)
    assert report.killed == []
    assert not report
    assert report.summary.startswith("0 of ")


def test_who_killed_it_and_what_it_said():
    report = hunt({"relu": [nothing, negative_becomes_zero]}, RELU)
    by_name = {v.mutant.name: v for v in report.verdicts}
    assert by_name["relu-leaks"].killed_by == "negative_becomes_zero"
    assert by_name["relu-leaks"].message == "AssertionError: a negative number came through"
    assert not by_name["relu-hides-nan"].killed
    assert [v.mutant.name for v in report.killed] == ["relu-leaks", "relu-of-the-size"]


@pytest.mark.parametrize(
    "properties",
    [
        negative_becomes_zero,
        {"relu": negative_becomes_zero},
        {"relu": [negative_becomes_zero]},
        {"relu": {"negative_becomes_zero": negative_becomes_zero}},
    ],
)
def test_properties_in_all_their_forms(properties):
    assert [v.killed_by for v in hunt(properties, RELU).killed] == ["negative_becomes_zero"] * 2


def test_an_operation_without_properties_survives():
    (verdict, *_) = hunt({}, RELU).verdicts
    assert not verdict.killed
    assert verdict.message == "no property of relu"


def test_a_hypothesis_test_hunts():
    @settings(max_examples=5, database=None, derandomize=True)
    @given(st.floats(-10, -1, width=32))
    def drawn(number):
        assert F.relu(tensor([number])).item() == 0

    assert [v.killed_by for v in hunt(drawn, RELU).killed] == ["drawn"] * 2


def test_any_exception_of_the_engine_is_a_kill():
    def only_runs():
        F.max_pool2d(tensor([[[[1.0, 2.0, 3.0]]]]), (1, 2), 2)

    (verdict,) = hunt(only_runs, [mutants.find("max-pool2d-must-tile")]).verdicts
    assert verdict.killed
    assert verdict.message == "ValueError: the stride must tile the input"


def test_what_pytest_raises_is_a_kill():
    """It is no Exception."""

    def fails():
        if F.relu(tensor([-1.0])).item() != 0:
            pytest.fail("leaks")

    assert hunt(fails, [mutants.find("relu-leaks")])


@pytest.mark.parametrize("skip", [pytest.skip.Exception, unittest.SkipTest])
def test_a_skipped_test_kills_nothing(skip):
    def skipped():
        raise skip("not today")

    assert hunt(skipped, RELU).killed == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_hunt_and_mends_the_engine(end):
    sound = relu.cpu.relu_forward

    def interrupted():
        if relu.cpu.relu_forward is not sound:
            raise end

    with pytest.raises(end):
        hunt(interrupted, [mutants.find("relu-leaks")])
    assert relu.cpu.relu_forward is sound


def test_the_engine_is_sound_after_a_hunt():
    sound = [vars(p.owner)[p.attribute] for m in mutants.CORPUS for p in m.patches]
    hunt(checker_suite(gradcheck), RELU)
    assert [vars(p.owner)[p.attribute] for m in mutants.CORPUS for p in m.patches] == sound


def test_a_property_that_fails_on_the_sound_engine_is_refused():
    def wrong():
        raise AssertionError("two is not three\nreally")

    with pytest.raises(HuntError) as error:
        hunt({"relu": wrong}, RELU)
    assert str(error.value) == (
        "hunt: the property 'wrong' of relu fails on the sound engine (AssertionError: two is not "
        "three), so it cannot tell a mutant from it"
    )
    assert isinstance(error.value.__cause__, AssertionError)


def test_properties_of_operations_that_are_not_hunted_are_not_run():
    def wrong():
        raise AssertionError

    assert Hunter({"relu": nothing, "conv2d": wrong}, RELU)


def test_every_verdict_is_told():
    told = []
    report = hunt(nothing, RELU, tell=told.append)
    assert told == report.verdicts


# -- the report ----------------------------------------------------------------------------------


def test_the_report_prints_as_a_table():
    report = hunt(negative_becomes_zero, RELU[:2])
    assert str(report) == (
        "mutant                      operation  verdict   killed by\n"
        "relu-gradient-passes-zeros  relu       SURVIVED\n"
        "relu-leaks                  relu       killed    negative_becomes_zero\n"
        "\n"
        "1 of 2 mutants killed\n"
        "\n"
        f"relu-gradient-passes-zeros: {RELU[0].story}"
    )
    page = report._repr_html_()
    assert "1 of 2 mutants killed" in page
    assert "<td>relu-leaks</td>" in page
    assert html.escape(RELU[0].story) in page


def test_html_is_escaped():
    report = HuntReport([Verdict(RELU[0], "<b>", "a < b")])
    assert "&lt;b&gt;" in report._repr_html_()


def test_an_error_of_the_hunt_is_no_kill():
    report = HuntReport([Verdict(RELU[0], message="pytest died", failed=True)])
    assert not report
    assert "ERROR" in str(report)
    assert "pytest died" in str(report)


# -- checkers ------------------------------------------------------------------------------------


def test_the_sum_of_outputs_is_an_honest_checker_otherwise():
    """It looks at every entry: a gradient that is wrong in one place is found."""
    with mutants.find("exp-gradient-wrong-in-one-place").planted():
        inputs = [minigrad.tensor([[1.0, 2.0]]).data.astype(float)]
        with pytest.raises(AssertionError, match=r"gradient of input 0 is 14.7\d* at \[0, 1\]"):
            sum_of_outputs(lambda x: x.exp(), inputs)


# -- with pytest ---------------------------------------------------------------------------------

TESTS = """
import minigrad
from minigrad import functional as F

def test_something():
    pass

def test_negative():
    assert F.relu(minigrad.tensor([-1.0])).item() == 0, "came through"
"""


def test_hunting_with_pytest(tmp_path):
    tests = tmp_path / "test_relu.py"
    tests.write_text(TESTS)
    chosen = [mutants.find(name) for name in ("relu-leaks", "relu-hides-nan")]
    told = []
    report = hunt_with_pytest([str(tests)], chosen, tell=told.append)
    assert [v.killed for v in report.verdicts] == [True, False]
    assert report.verdicts[0].killed_by.endswith("test_relu.py::test_negative")
    assert "came through" in report.verdicts[0].message
    assert told == report.verdicts


class Pytest:
    """Stands for the processes: gives exit codes and outputs in their order."""

    def __init__(self, monkeypatch, *codes, output=""):
        self.codes, self.output, self.calls = list(codes), output, []
        monkeypatch.setattr(hunting, "_pytest", self)

    def __call__(self, *arguments):
        self.calls.append(arguments)
        return CompletedProcess(arguments, self.codes.pop(0), self.output, "")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "a test failed"),
        (2, "collecting the tests failed"),
        (4, "pytest was called wrongly"),
        (5, "there are no tests"),
        (-11, "it died"),
    ],
)
def test_tests_that_do_not_pass_on_the_sound_engine_are_refused(monkeypatch, code, reason):
    Pytest(monkeypatch, code, output="what pytest said")
    with pytest.raises(HuntError) as error:
        hunt_with_pytest(["tests"], RELU)
    assert str(error.value) == (
        f"hunt: the tests do not pass on the sound engine (pytest ended with exit code {code}: "
        f"{reason}), so they cannot tell a mutant from it\nwhat pytest said"
    )


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "SURVIVED"), (1, "killed"), (2, "ERROR"), (5, "ERROR"), (-11, "ERROR")],
)
def test_only_exit_code_1_is_a_kill(monkeypatch, code, verdict):
    """What breaks the collection, say, or the process, is an error of the hunt."""
    ran = Pytest(monkeypatch, 0, code, output="FAILED tests/test_a.py::test_b - assert False\n")
    (got,) = hunt_with_pytest(["tests"], RELU[:1]).verdicts
    assert str(got) == verdict
    assert got.killed == (code == 1)
    assert got.failed == (verdict == "ERROR")
    if got.killed:
        assert (got.killed_by, got.message) == ("tests/test_a.py::test_b", "assert False")
    if got.failed:
        assert f"exit code {code}" in got.message
    assert ran.calls == [("tests",), ("--minigrad-mutant", RELU[0].name, "tests")]


# -- the command line ----------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(cli, ["hunt", *arguments])


def test_the_command_prints_all_three_side_by_side():
    result = run("--mutant", "softmax-gradient-zero", "--operation", "sgd")
    assert result.exit_code == 0, result.output
    head, first, second, *_ = result.output.splitlines()
    assert head.split() == [
        "mutant", "operation", "verdict", "gradcheck", "sum", "killed", "by",
    ]  # fmt: skip
    assert first.split()[:5] == ["softmax-gradient-zero", "softmax", "killed", "killed", "missed"]
    assert second.split()[:5] == ["sgd-momentum-reversed", "sgd", "killed", "–", "–"]
    assert "our suite: 9 of 9 mutants killed" in result.output
    assert "gradcheck alone: 1 of 1 mutants killed" in result.output
    assert "a check of the sum of the outputs: 0 of 1 mutants killed" in result.output


def test_the_command_ends_with_1_if_a_mutant_survives():
    result = run("--mutant", "softmax-gradient-zero", "--checker", "sum")
    assert result.exit_code == 1
    assert "SURVIVED" in result.output
    assert mutants.find("softmax-gradient-zero").story in result.output


def test_the_command_prints_json():
    result = run("--operation", "relu", "--json")
    assert result.exit_code == 0
    data = json.loads(result.output)
    assert list(data) == ["suite", "gradcheck", "sum"]
    assert data["suite"]["killed"] == len(RELU)
    first = data["suite"]["mutants"][0]
    assert (first["name"], first["verdict"]) == (RELU[0].name, "killed")
    assert first["story"] == RELU[0].story


def test_the_command_lists_stories():
    result = run("--list", "--operation", "max_pool2d")
    assert result.exit_code == 0
    story = mutants.find("max-pool2d-pads-with-zero").story
    assert f"  max-pool2d-pads-with-zero (this happened)\n      {story}" in result.output
    listed = json.loads(run("--list", "--json").output)
    assert [m["name"] for m in listed] == [m.name for m in mutants.CORPUS]


def test_the_command_hunts_with_pytest(monkeypatch):
    Pytest(monkeypatch, 0, 1, output="FAILED test_a.py::test_b - assert False\n")
    result = run("--pytest", "test_a.py", "--mutant", "relu-leaks")
    assert result.exit_code == 0, result.output
    assert "test_a.py::test_b" in result.output
    assert "pytest: 1 of 1 mutants killed" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--mutant", "relu-leak"], "no mutant is called 'relu-leak'; did you mean relu-leaks"),
        (["--operation", "conv2"], "did you mean conv2d?"),
        (["--checker", "sum", "--pytest", "x.py"], "--checker and --pytest are two ways to hunt"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(arguments, sentence):
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_the_command_says_why_it_cannot_hunt(monkeypatch):
    Pytest(monkeypatch, 5)
    result = run("--pytest", "nowhere", "--mutant", "relu-leaks")
    assert result.exit_code == 1
    assert "do not pass on the sound engine" in result.output
