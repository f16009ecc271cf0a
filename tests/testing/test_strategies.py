"""The strategies: every draw is a case, every corner occurs, every number is what it says."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad import tensor
from minigrad.ops.conv import naive as conv_kernels
from minigrad.ops.pool import naive as pool_kernels
from minigrad.testing import strategies
from minigrad.testing.strategies import Conv2dCase, Pool2dCase, random_array

ONE_PIXEL = Conv2dCase(x=(1, 1, 1, 1), weight=(1, 1, 1, 1))
ONE_WINDOW = Pool2dCase(x=(1, 1, 1, 1), kernel_size=(1, 1))


DRAWS = 300


def count(strategy, events):
    """Count how often each event happens, in the same draws every day."""
    seen = Counter()

    @settings(max_examples=DRAWS, database=None, derandomize=True, phases=[Phase.generate])
    @given(strategy)
    def look(drawn):
        seen.update(name for name, happens in events.items() if happens(drawn))

    look()
    return {name: seen[name] for name in events}


def tensors(arrays):
    return [tensor(a) for a in arrays]


def conv2d(case, **changes):
    return F.conv2d(*tensors(case.arrays()), **{**case.options, **changes}).data


def max_pool2d(case, **changes):
    return F.max_pool2d(tensor(*case.arrays()), **{**case.max_options, **changes}).data


def avg_pool2d(case, **changes):
    return F.avg_pool2d(tensor(*case.arrays()), **{**case.avg_options, **changes}).data


def differ(a, b):
    return a.shape != b.shape or not np.array_equal(a, b)


# -- every draw is a case ------------------------------------------------------------------------


@given(strategies.conv2d_cases())
def test_a_convolution_fits(case):
    assert conv2d(case).shape == case.output
    assert F.im2col(tensor(case.arrays()[0]), **case.window).shape[2] == np.prod(case.output[2:])


@given(strategies.conv2d_cases(asymmetric_padding=True))
def test_a_convolution_for_kernels_fits(case):
    assert conv_kernels.conv2d_forward(*case.arrays(), *case.geometry).shape == case.output


@given(strategies.pool2d_cases())
def test_a_pooling_fits_and_every_window_sees_a_pixel(case):
    out = max_pool2d(case)
    assert out.shape == case.output
    assert np.isfinite(out).all()


def test_blind_windows_are_drawn_only_if_wanted():
    blind = {"blind": lambda case: np.isinf(max_pool2d(case)).any()}
    small = {"max_windows": 1, "max_kernel": 2}
    assert count(strategies.pool2d_cases(**small), blind) == {"blind": 0}
    assert_all_occur(strategies.pool2d_cases(**small, blind_windows=True), blind)


@given(strategies.pool2d_cases(max_dilation=1))
def test_an_average_fits(case):
    assert avg_pool2d(case).shape == case.output


@given(strategies.pool2d_cases(asymmetric_padding=True))
def test_a_pooling_for_kernels_fits(case):
    out, _ = pool_kernels.max_pool2d_forward(*case.arrays(), *case.geometry, case.ceil_mode)
    assert out.shape == case.output


@given(strategies.classification_batches())
def test_a_batch_has_a_loss(batch):
    logits, target, weight = batch.arrays()
    weight = None if weight is None else tensor(weight)
    for function, options in ((F.cross_entropy, batch.options), (F.nll_loss, batch.nll_options)):
        loss = function(tensor(logits), target, weight, **options)
        assert np.isfinite(loss.data).all()


@given(strategies.broadcastable_shapes(count=3), st.data())
def test_shapes_that_broadcast(shapes, data):
    assert len(shapes) == 3
    assert len(np.broadcast_shapes(*shapes)) <= 3


@given(strategies.shapes(min_axes=1, max_axes=3, lengths=(2, 0, 5)))
def test_shapes(shape):
    assert 1 <= len(shape) <= 3
    assert set(shape) <= {2, 0, 5}


@given(strategies.permutations(strategies.seeds().map(lambda seed: seed % 6)))
def test_permutations_index_an_array(order):
    array = np.arange(len(order))
    assert sorted(array[order]) == array.tolist()


# -- what is rare, occurs ------------------------------------------------------------------------


def assert_all_occur(strategy, events, least=3):
    """Hold each event to 1 % of all draws, and to not being all of them."""
    counts = count(strategy, events)
    assert all(least <= times < DRAWS for times in counts.values()), counts


def test_every_corner_of_convolution_occurs():
    def leftover(case):
        return Pool2dCase(x=case.x, **case.window).leftover

    assert_all_occur(
        strategies.conv2d_cases(),
        {
            "N = 0": lambda c: c.x[0] == 0,
            "N = 1": lambda c: c.x[0] == 1,
            "C = 1": lambda c: c.x[1] == 1,
            "ragged": lambda c: max(leftover(c)) > 0,
            "padding": lambda c: max(c.options["padding"]) > 0,
            "more padding than the kernel": lambda c: c.options["padding"][0] >= c.weight[2],
            "dilation": lambda c: c.dilation[0] == 2 and c.weight[2] > 1,
            "groups": lambda c: c.groups > 1,
            "depthwise": lambda c: c.groups > 1 and c.weight[1] == 1,
            "stride beyond the kernel": lambda c: c.stride[1] > c.weight[3],
            "axes that differ": lambda c: c.stride[0] != c.stride[1],
            "several windows": lambda c: min(c.output[2:]) > 1,
            "a pixel": lambda c: c.x[2:] == (1, 1) or c.output[2:] == (1, 1),
        },
    )
    asymmetric = {"uneven": lambda c: any(before != after for before, after in c.padding)}
    assert_all_occur(strategies.conv2d_cases(asymmetric_padding=True), asymmetric, least=100)
    never = {"N = 0": lambda c: c.x[0] == 0}
    assert count(strategies.conv2d_cases(empty_batches=False), never) == {"N = 0": 0}


def test_every_corner_of_pooling_occurs():
    assert_all_occur(
        strategies.pool2d_cases(),
        {
            "N = 0": lambda c: c.x[0] == 0,
            "N = 1": lambda c: c.x[0] == 1,
            "C = 1": lambda c: c.x[1] == 1,
            "ragged": lambda c: c.leftover[0] > 0,
            "hangs over": lambda c: min(c.leftover) < 0,
            "hangs over, padded": lambda c: any(
                c.leftover[i] < 0 < c.max_options["padding"][i] for i in (0, 1)
            ),
            "smaller than a window": lambda c: c.x[2] < c.kernel_size[0],
            "rounds up": lambda c: c.output != replace(c, ceil_mode=False).output,
            "ceil mode cannot round up": lambda c: c.ceil_mode and c.leftover[0] > 0,
            "padding": lambda c: max(c.max_options["padding"]) > 0,
            "dilation": lambda c: c.dilation[1] == 2 and c.kernel_size[1] > 1,
            "stride < kernel": lambda c: c.stride[0] < c.kernel_size[0],
            "stride = kernel > 1": lambda c: c.stride[0] == c.kernel_size[0] > 1,
            "stride > kernel": lambda c: c.stride[0] > c.kernel_size[0],
            "count_include_pad": lambda c: c.count_include_pad,
            "several windows": lambda c: min(c.output[2:]) > 1,
        },
    )


def test_every_corner_of_a_loss_occurs():
    assert_all_occur(
        strategies.classification_batches(),
        {
            "ignored": lambda b: b.ignore_index in b.target,
            "nothing ignored": lambda b: b.ignore_index not in b.target,
            "a class that is ignored": lambda b: 0 <= b.ignore_index in b.target,
            "one class": lambda b: b.logits[1] == 1,
            "one example": lambda b: len(b.target) == 1,
            "images": lambda b: len(b.logits) == 4,
            "weights": lambda b: b.weight is not None and len(set(b.weight)) > 1,
            "no weights": lambda b: b.weight is None,
            **{r: lambda b, r=r: b.reduction == r for r in ("mean", "sum", "none")},
            **{f"smoothing {s}": lambda b, s=s: b.label_smoothing == s for s in (0.0, 0.1, 1.0)},
        },
    )
    nothing = {
        "empty": lambda b: b.logits[0] == 0,
        "all ignored": lambda b: set(b.target) == {b.ignore_index},
    }
    assert count(strategies.classification_batches(), nothing) == {"empty": 0, "all ignored": 0}
    assert_all_occur(strategies.classification_batches(nothing_counts=True), nothing)


def test_every_way_to_broadcast_occurs():
    assert_all_occur(
        strategies.broadcastable_shapes(),
        {
            "the same": lambda s: s[0] == s[1] != (),
            "fewer axes": lambda s: len(s[0]) < len(s[1]),
            "repeated": lambda s: len(s[0]) == len(s[1]) and 1 in s[0] and s[0] != s[1],
            "both repeated": lambda s: len({s[0], s[1], np.broadcast_shapes(*s)}) == 3,
            "empty": lambda s: 0 in s[0],
        },
    )


# -- numbers -------------------------------------------------------------------------------------

SHAPES = strategies.shapes(lengths=(1, 2, 5, 0))
ANY = {"shape": SHAPES, "dtype": strategies.dtypes()}


@given(strategies.arrays(**ANY, values="distinct"))
def test_distinct_numbers_are_apart_and_away_from_integers(x):
    near = np.finfo(x.dtype).eps * x.size
    assert (np.diff(np.sort(x, axis=None)) >= 0.6 - near).all()
    assert (np.abs(x - np.rint(x)) >= 0.3 - near).all()
    assert abs(int((x < 0).sum()) - int((x > 0).sum())) <= 1


@given(strategies.arrays(**ANY, values="integers"))
def test_integers_are_small_and_whole(x):
    assert set(np.unique(x)) <= set(range(-4, 5))


@given(strategies.arrays(**ANY, values="probabilities"))
def test_probabilities_add_up_to_one(x):
    assert (x > 0).all()
    if x.ndim:
        axis = min(1, x.ndim - 1)
        tiny = 8 * np.finfo(x.dtype).eps
        np.testing.assert_allclose(x.sum(axis), 1 if x.shape[axis] else 0, rtol=tiny)
    else:
        assert x == 1


@given(st.sampled_from(list(strategies.VALUES)), strategies.dtypes(), strategies.seeds())
def test_every_kind_of_value_has_its_range(values, dtype, seed):
    least, most = {
        "normal": (-8, 8), "integers": (-4, 4), "ties": (-2, 1), "signs": (-1, 1),
        "distinct": (-30.2, 30.2), "positive": (0.5, 2), "probabilities": (0, 1),
    }[values]  # fmt: skip
    x = random_array((3, 4, 5), values, dtype, seed)
    assert x.dtype == dtype
    assert x.min() >= least
    assert x.max() <= most
    np.testing.assert_array_equal(x, random_array((3, 4, 5), values, dtype, seed))
    assert differ(x, random_array((3, 4, 5), values, dtype, seed + 1))
    assert values != "signs" or (np.abs(x) == 1).all()


@given(strategies.arrays(SHAPES), strategies.seeds())
def test_scrambled_numbers_are_the_same_elsewhere(x, seed):
    y = strategies.scrambled(np.random.default_rng(seed), x)
    np.testing.assert_array_equal(x, y, strict=True)
    assert not np.shares_memory(x, y)
    assert x.size < 2 or not (y.flags.c_contiguous or y.flags.f_contiguous)


@given(strategies.classification_batches(scales=(1e-3, 1e4)), strategies.dtypes())
def test_a_batch_hands_out_what_it_says(batch, dtype):
    _, target, weight = batch.arrays(dtype)
    assert tuple(target.ravel()) == batch.target
    assert batch.weight == (None if weight is None else tuple(weight))
    logits, _, _ = batch.arrays()
    plain, _, _ = replace(batch, scale=1.0).arrays()
    np.testing.assert_array_equal(logits, plain * batch.scale)
    assert batch.scale in (1e-3, 1e4)


def test_arrays_of_one_shape_differ():
    others = {"another seed than 0": lambda x: differ(x, random_array((2,)))}
    assert count(strategies.arrays((2,)), others)["another seed than 0"] > DRAWS / 2


# -- errors --------------------------------------------------------------------------------------


def test_errors():
    with pytest.raises(ValueError, match="^random_array: values must be one of normal, .*'gauss'"):
        random_array((2,), "gauss")
    with pytest.raises(ValueError, match="^random_array: layout must be contiguous or scrambled, "):
        random_array((2,), layout="C")
    with pytest.raises(ValueError, match=r"^Conv2dCase: .* padding is \(\(0, 1\), \(0, 0\)\)"):
        _ = replace(ONE_PIXEL, padding=((0, 1), (0, 0))).options
    with pytest.raises(ValueError, match=r"^Pool2dCase: avg_pool2d knows no dilation, but this ca"):
        _ = replace(ONE_WINDOW, dilation=(2, 1)).avg_options
