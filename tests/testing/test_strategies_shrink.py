"""What a failure shrinks to, and how it prints: small, readable, and ready to be pasted."""

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad import tensor
from minigrad.testing import strategies
from minigrad.testing.strategies import ClassificationBatch, Conv2dCase, Pool2dCase, random_array

ONE_PIXEL = Conv2dCase(x=(1, 1, 1, 1), weight=(1, 1, 1, 1))
ONE_WINDOW = Pool2dCase(x=(1, 1, 1, 1), kernel_size=(1, 1))
ONE_EXAMPLE = ClassificationBatch(logits=(1, 1), target=(0,))


def smallest(strategy, condition=lambda _: True):
    """Find the smallest that meets a condition, the same one every day."""
    return find(
        strategy, condition, settings=settings(max_examples=5000, database=None), random=Random(0)
    )


def conv2d(case, **changes):
    return F.conv2d(*map(tensor, case.arrays()), **{**case.options, **changes}).data


def max_pool2d(case, **changes):
    return F.max_pool2d(tensor(*case.arrays()), **{**case.max_options, **changes}).data


def differ(a, b):
    return a.shape != b.shape or not np.array_equal(a, b)


def test_the_smallest_of_all():
    assert smallest(strategies.conv2d_cases()) == ONE_PIXEL
    assert smallest(strategies.pool2d_cases()) == ONE_WINDOW
    assert smallest(strategies.classification_batches()) == ONE_EXAMPLE
    assert smallest(strategies.broadcastable_shapes()) == ((), ())
    assert smallest(strategies.shapes()) == ()
    assert smallest(strategies.dtypes()) is np.float32
    uneven = smallest(strategies.conv2d_cases(asymmetric_padding=True))
    assert uneven == replace(ONE_PIXEL, padding=((0, 0), (0, 0)))


def same_option(name, i):
    """Make a mistake: give both axes the option of axis i."""
    return lambda case: differ(conv2d(case), conv2d(case, **{name: (case.options[name][i],) * 2}))


HEIGHT, WIDTH = 0, 1


@pytest.mark.parametrize(
    ("is_wrong", "wanted"),
    [
        (same_option("padding", HEIGHT), [{"padding": (0, 1)}, {"padding": (1, 0)}]),
        (
            same_option("stride", WIDTH),
            [{"x": (1, 1, 2, 1), "stride": (1, 2)}, {"x": (1, 1, 2, 1), "stride": (2, 1)}],
        ),
        (lambda c: c.stride == (1, 2), [{"stride": (1, 2)}]),
        (lambda c: c.options["padding"][WIDTH] == 2, [{"padding": (0, 2)}]),
        (lambda c: c.x[3] == 3, [{"x": (1, 1, 1, 3)}]),
        (lambda c: c.weight[2] > 1, [{"x": (1, 1, 2, 1), "weight": (1, 1, 2, 1)}]),
        (
            lambda c: c.dilation[WIDTH] > 1 and c.weight[3] > 1,
            [{"x": (1, 1, 1, 3), "weight": (1, 1, 1, 2), "dilation": (1, 2)}],
        ),
        (lambda c: c.groups > 1, [{"x": (1, 2, 1, 1), "weight": (2, 1, 1, 1), "groups": 2}]),
        (lambda c: c.x[0] > 1, [{"x": (2, 1, 1, 1)}]),
        (lambda c: c.x[0] == 0, [{"x": (0, 1, 1, 1)}]),
    ],
)
def test_a_planted_mistake_in_convolution_shrinks_to_what_it_needs(is_wrong, wanted):
    def fails(case):
        try:
            return is_wrong(case)
        except ValueError:  # what it asks for by mistake does not fit: that shows as well
            return True

    found = smallest(strategies.conv2d_cases(), fails)
    assert replace(found, seed=0) in [replace(ONE_PIXEL, **changes) for changes in wanted]


def pads_with_zeros(case):
    x = case.arrays()[0]
    top, left = case.max_options["padding"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    options = {**case.max_options, "padding": 0}
    return differ(max_pool2d(case), F.max_pool2d(tensor(padded), **options).data)


@pytest.mark.parametrize(
    ("is_wrong", "wanted"),
    [
        (
            pads_with_zeros,
            [
                {"kernel_size": (1, 2), "padding": (0, 1)},
                {"kernel_size": (2, 1), "padding": (1, 0)},
            ],
        ),
        (
            lambda c: c.leftover[1] < 0,
            [{"kernel_size": (1, 2), "stride": (1, 2), "ceil_mode": True}],
        ),
        (lambda c: c.leftover[0] > 0, [{"x": (1, 1, 2, 1), "stride": (2, 1)}]),
        (lambda c: c.stride[1] != c.kernel_size[1], [{"stride": (1, 2)}]),
        (lambda c: c.dilation[1] > c.x[3], [{"dilation": (1, 2)}]),
        (lambda c: not c.count_include_pad, [{"count_include_pad": False}]),
    ],
)
def test_a_planted_mistake_in_pooling_shrinks_to_what_it_needs(is_wrong, wanted):
    found = smallest(strategies.pool2d_cases(empty_batches=False), is_wrong)
    assert replace(found, seed=0) in [replace(ONE_WINDOW, **changes) for changes in wanted]


@pytest.mark.parametrize(
    ("is_wrong", "wanted"),
    [
        (lambda b: len(b.logits) > 2, {"logits": (1, 1, 1)}),
        (lambda b: b.logits[1] == 3, {"logits": (1, 3)}),
        (lambda b: 2 in b.target, {"logits": (1, 3), "target": (2,)}),
        (lambda b: b.weight is not None, {"weight": (1.0,)}),
        (lambda b: b.label_smoothing > 0, {"label_smoothing": 0.1}),
        (lambda b: b.reduction == "none", {"reduction": "none"}),
    ],
)
def test_a_planted_mistake_in_a_loss_shrinks_to_what_it_needs(is_wrong, wanted):
    found = smallest(strategies.classification_batches(), is_wrong)
    assert replace(found, seed=0) == replace(ONE_EXAMPLE, **wanted)


def test_arrays_shrink_with_their_shapes():
    found = smallest(strategies.arrays(values="distinct"), lambda x: (x > 0).any())
    np.testing.assert_array_equal(found, random_array(found.shape, "distinct"))
    assert found.shape == (2,)


# -- what is printed can be pasted ---------------------------------------------------------------

# How hypothesis introduces it changes with its version.
PRINTED = re.compile("(Falsifying example|Failing test case): (?P<call>fails.*)", re.DOTALL)
NAMES = {
    "numpy": np, "random_array": random_array, "Conv2dCase": Conv2dCase, "Pool2dCase": Pool2dCase,
    "ClassificationBatch": ClassificationBatch,
}  # fmt: skip


def falsifying_example(strategy, is_wrong):
    """Run a test that fails. What failed at last, and what hypothesis printed of it, evaluated."""
    last = []

    @settings(database=None, derandomize=True, max_examples=1000)
    @given(drawn=strategy)
    def fails(drawn):
        if is_wrong(drawn):
            last[:] = [drawn]
            raise AssertionError("planted")

    with pytest.raises(AssertionError, match="planted") as error:
        fails()
    notes = (PRINTED.match(note) for note in error.value.__notes__)
    (printed,) = (found["call"] for found in notes if found)
    return last[0], eval(printed, {**NAMES, "fails": lambda drawn: drawn}), printed


@pytest.mark.parametrize(
    ("strategy", "is_wrong"),
    [
        (strategies.conv2d_cases(), lambda c: c.stride[0] > 1 and c.groups > 1 and c.x[0] > 1),
        (strategies.conv2d_cases(asymmetric_padding=True), lambda c: c.padding[0] == (1, 2)),
        (strategies.pool2d_cases(), lambda c: min(c.leftover) < 0 and c.dilation[0] > 1),
        (strategies.classification_batches(), lambda b: b.weight and len(b.target) > 3),
    ],
)
def test_a_failing_case_prints_as_its_own_call(strategy, is_wrong):
    failed, evaluated, _ = falsifying_example(strategy, is_wrong)
    assert evaluated == failed == eval(repr(failed), NAMES)


@pytest.mark.parametrize("dtype", [np.float64, strategies.dtypes()])
def test_a_failing_array_prints_as_the_call_that_makes_it(dtype):
    strategy = strategies.arrays(
        strategies.shapes(min_axes=2), dtype, layout=st.sampled_from(["contiguous", "scrambled"])
    )
    failed, evaluated, printed = falsifying_example(
        strategy, lambda x: x.size > 30 and x.max() > 2 and not x.flags.c_contiguous
    )
    np.testing.assert_array_equal(evaluated, failed, strict=True)
    assert evaluated.strides == failed.strides
    assert re.search(r"random_array\(\s*shape=\(", printed)
    assert len(printed) < 400
