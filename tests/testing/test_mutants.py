"""The corpus: every mutant is what it says it is, and mends the engine when it goes."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops import conv
from minigrad.testing import mutants
from minigrad.testing.mutants.mutant import Mutant, Patch, at, every_rung, mutant

BY_NAME = {m.name: m for m in mutants.CORPUS}


def _attributes(m):
    return [vars(patch.owner)[patch.attribute] for patch in m.patches]


def test_names_are_unique_and_in_kebab_case():
    assert len(BY_NAME) == len(mutants.CORPUS) >= 75
    for name in BY_NAME:
        assert name == name.lower()
        assert "_" not in name
        assert name.replace("-", "").isalnum()


@pytest.mark.parametrize("m", mutants.CORPUS, ids=BY_NAME)
def test_a_mutant_has_a_story_and_is_planted_and_goes(m):
    assert m.story.endswith(".")
    assert 20 < len(m.story) < 300
    assert m.patches
    before = _attributes(m)
    with m.planted():
        assert all(now is not then for now, then in zip(_attributes(m), before, strict=True))
    assert all(now is then for now, then in zip(_attributes(m), before, strict=True))


@pytest.mark.parametrize("m", mutants.CORPUS, ids=BY_NAME)
def test_a_mutant_keeps_the_signature_of_what_it_breaks(m):
    """Else a comparison of signatures would kill it, and not one of numbers."""
    before = [inspect.signature(a) for a in _attributes(m) if callable(a)]
    with m.planted():
        assert [inspect.signature(a) for a in _attributes(m) if callable(a)] == before


def test_the_engine_is_mended_when_something_raises():
    planted = mutants.find("conv2d-bias-forgotten")
    before = _attributes(planted)
    with pytest.raises(KeyboardInterrupt), planted.planted():
        raise KeyboardInterrupt
    assert _attributes(planted) == before


def test_the_engine_is_mended_when_planting_itself_fails():
    def cannot(sound):
        raise RuntimeError("no")

    sound = conv.cpu.conv2d_forward
    patches = Patch(conv.cpu, "conv2d_forward", lambda _: None), Patch(conv.cpu, "im2col", cannot)
    with pytest.raises(RuntimeError, match="no"), Mutant("a", "b", "c", patches).planted():
        pass
    assert conv.cpu.conv2d_forward is sound


def test_mutants_may_be_planted_one_in_another():
    sound = conv.cpu.conv2d_forward
    outer, inner = mutants.find("conv2d-bias-forgotten"), mutants.find("conv2d-kernel-turned")
    with outer.planted():
        broken = conv.cpu.conv2d_forward
        with inner.planted():
            assert conv.cpu.conv2d_forward is not broken
        assert conv.cpu.conv2d_forward is broken
    assert conv.cpu.conv2d_forward is sound


def test_a_mutant_is_frozen():
    with pytest.raises(AttributeError):
        mutants.CORPUS[0].name = "another"


@pytest.mark.parametrize("rung", ["naive", "vectorized", "cpu"])
def test_planted_in_every_rung(rung):
    """Then all rungs agree, and agree about nonsense."""
    x, weight = (tensor(np.arange(n, dtype=np.float32).reshape(s)) for n, s in SHAPES)
    with minigrad.kernels(rung):
        sound = F.conv2d(x, weight).data
        with mutants.find("conv2d-kernel-turned").planted():
            turned = F.conv2d(x, weight).data
    assert sound.ravel().tolist() == [19, 25, 37, 43]
    assert turned.ravel().tolist() == [5, 11, 23, 29]


SHAPES = (9, (1, 1, 3, 3)), (4, (1, 1, 2, 2))


def test_a_function_becomes_a_mutant():
    @mutant("relu", at(F, "relu"), historical=True)
    def relu_of_another_kind(sound, x):
        """Two lines
        of a story.
        """
        return sound(-x)

    assert relu_of_another_kind.name == "relu-of-another-kind"
    assert relu_of_another_kind.story == "Two lines of a story."
    assert relu_of_another_kind.historical
    with relu_of_another_kind.planted():
        assert F.relu(tensor([-3.0])).item() == 3


def test_places_of_rungs():
    place = every_rung(conv.RUNGS, "im2col", "col2im")
    patches = place(lambda sound, *a: sound(*a))
    assert {(p.owner, p.attribute) for p in patches} == {
        (rung, name) for rung in conv.RUNGS.values() for name in ("im2col", "col2im")
    }


@given(st.sampled_from(list(BY_NAME)))
def test_find(name):
    assert mutants.find(name).name == name


def test_find_suggests_near_names():
    with pytest.raises(ValueError, match=r"no mutant is called 'relu-leak'; did you mean relu-le"):
        mutants.find("relu-leak")
    with pytest.raises(ValueError, match="no mutant is called 'quite another thing'$"):
        mutants.find("quite another thing")


def test_of_operation():
    assert {m.operation for m in mutants.of_operation("conv2d")} == {"conv2d"}
    with pytest.raises(ValueError, match="breaks an operation 'conv2'; did you mean conv2d"):
        mutants.of_operation("conv2")


def test_history_is_told():
    """The mistakes that happened elsewhere, the reason for the others."""
    happened = {m.name for m in mutants.CORPUS if m.historical}
    assert {
        "softmax-gradient-zero", "batch-norm-input-gradient-zero", "lrn-cross-term-missing",
        "lrn-even-window-leans-the-other-way", "max-pool2d-pads-with-zero", "max-pool2d-must-tile",
        "autograd-walks-paths", "batch-norm-momentum-reversed",
    } <= happened  # fmt: skip
