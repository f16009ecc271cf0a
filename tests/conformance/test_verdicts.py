"""The judging itself: what is wrong turns red, and what is left out is counted."""

import numpy as np
import pytest

from minigrad.ops.pool import cpu, naive
from tests.conformance import report, torch_samples
from tests.conformance.onnx_cases import Case, check
from tests.conformance.onnx_cases import assert_like as assert_like_onnx
from tests.conformance.torch_samples import Sample, check_refused
from tests.conformance.verdicts import SMALL, LeftOut, assert_as_pinned, judge, rungs, tally


def raising(error):
    def check():
        raise error
        yield

    return check


def test_a_case_passes_fails_or_is_left_out():
    passed = judge("relu", "a", list)
    partly = judge("relu", "b", lambda: [LeftOut("mask"), LeftOut("mask")])
    left_out = judge("relu", "c", raising(LeftOut("float16")))
    failed = judge("relu", "d", raising(AssertionError("1 is not 2")))
    passed.show()
    partly.show()
    with pytest.raises(pytest.skip.Exception, match="float16"):
        left_out.show()
    with pytest.raises(AssertionError, match="1 is not 2"):
        failed.show()
    counts = tally([passed, partly, left_out, failed])["relu"]
    assert (counts.cases, counts.passed) == (4, 2)
    assert (counts.left_out, counts.parts_left_out) == ({"float16": 1}, {"mask": 1})


def test_any_change_of_what_is_left_out_is_noticed():
    verdicts = [judge("relu", "a", lambda: [LeftOut("mask")]), judge("add", "b", list)]
    verdicts.append(judge("add", "c", raising(LeftOut("float16"))))
    pins = {"add": 2, "relu": 1}, {"add": {"float16": 1}}, {"relu": {"mask": 1}}
    assert_as_pinned(verdicts, *pins)
    for fewer in range(3):
        with pytest.raises(AssertionError):
            assert_as_pinned([v for i, v in enumerate(verdicts) if i != fewer], *pins)
    for i in range(3):
        with pytest.raises(AssertionError):
            assert_as_pinned(verdicts, *(pins[j] if j != i else {} for j in range(3)))


@pytest.mark.parametrize("jit_is_off", [False, True])
def test_every_case_runs_on_some_rung(jit_is_off, monkeypatch):
    monkeypatch.setattr("numba.config.DISABLE_JIT", jit_is_off)
    assert list(rungs(SMALL, True)) == ["cpu", "vectorized", "naive"]
    assert list(rungs(SMALL + 1, True)) == (["vectorized"] if jit_is_off else ["cpu", "vectorized"])
    assert list(rungs(SMALL, False)) == list(rungs(SMALL + 1, False)) == ["cpu"]


POOL = Case(
    "pool", "MaxPool", (np.array([[[[-1.0, -2.0], [-3.0, -4.0]]]], np.float32),),
    {"kernel_shape": [2, 2]}, (np.array([[[[-1.0]]]], np.float32), np.zeros((1, 1, 1, 1), int)),
    1e-3, 1e-7,
)  # fmt: skip


@pytest.mark.parametrize("rung", [cpu, naive])
def test_a_wrong_kernel_fails_the_case(rung, monkeypatch):
    assert [part.reason for part in check(POOL)] == ["indices: our max pooling gives none"] * 3
    right = rung.max_pool2d_forward

    def wrong(*arguments):
        out, winners = right(*arguments)
        return np.maximum(out, 0), winners

    monkeypatch.setattr(rung, "max_pool2d_forward", wrong)
    with pytest.raises(AssertionError, match=f"pool on {rung.__name__.split('.')[-1]}"):
        list(check(POOL))


def test_an_attribute_we_do_not_know_is_not_overlooked():
    case = Case("relu", "Relu", POOL.inputs, {"slope": 0.1}, POOL.wanted[:1], 1e-3, 1e-7)
    with pytest.raises(TypeError, match="slope"):
        list(check(case))


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (np.array([1.0, 2.0]), "dtype float64, wanted float32"),
        (np.array([[1.0, 2.0]], np.float32), r"shape \(1, 2\), wanted \(2,\)"),
        (np.array([1.0, 2.01], np.float32), "Not equal to tolerance"),
        (np.array([1.0, np.nan], np.float32), "nan"),
    ],
)
def test_dtype_shape_and_numbers_are_compared(got, sentence):
    wanted = np.array([1.0, 2.0], np.float32)
    with pytest.raises(AssertionError, match=sentence):
        assert_like_onnx(got, wanted, POOL, "cpu")
    with pytest.raises(AssertionError, match=sentence):
        torch_samples.assert_like(got, wanted, 2.0, "here")


def test_a_refusal_must_be_our_own(monkeypatch):
    def refusing(x):
        raise ValueError("exp: the adapter says no")

    monkeypatch.setitem(torch_samples.OPERATIONS, "exp", refusing)
    for sentence, operation, *arguments in (
        ("PyTorch refuses this call, we do not", "neg", 1),
        ("does not say which operation refuses", "neg", 1, 2),
        ("is not ours", "exp", 1),
    ):
        with pytest.raises(AssertionError, match=sentence):
            list(check_refused(Sample("a", operation, print, tuple(arguments))))
    assert list(check_refused(Sample("a", "nn.functional.relu", print, (1,)))) == []


def test_the_report_ends_with_an_error_if_a_case_fails(monkeypatch, capsys):
    def verdict(name):
        return judge("relu", name, raising(ValueError("no")) if name == "b" else list)

    for names, status in ((["a"], 0), (["a", "b"], 1)):
        monkeypatch.setattr(report, "JUDGES", {"A judge": ((), lambda n=names: n, verdict)})
        assert report.main() == status
    assert "FAILED b: ValueError('no')" in capsys.readouterr().out
    monkeypatch.setattr(report, "JUDGES", {"A judge": (("nobody_has_this",), list, verdict)})
    assert report.main() == 0
    assert "not run, nobody_has_this not installed" in capsys.readouterr().out
