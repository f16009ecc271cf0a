"""Laws of normalisation, dropout, softmax and losses: each holds, and each can be violated."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad import random, tensor
from minigrad.autograd import record
from minigrad.testing import laws
from minigrad.testing.strategies import (
    arrays,
    classification_batches,
    dtypes,
    random_array,
    seeds,
    shapes,
)
from tests.testing.broken import violation, with_gradient

X = random_array((3, 4), "distinct")
ONES = np.ones(4)
CHANNELS = st.tuples(*(st.integers(*ends) for ends in ((1, 2), (1, 7), (1, 2), (1, 3))))

# -- local response normalisation ----------------------------------------------------------------


@given(arrays(CHANNELS, dtypes()), st.sampled_from([0.5, 0.75, 1.0, 0.6]), seeds())
def test_lrn_of_one_channel(x, beta, seed):
    options = {"alpha": 1.5, "beta": beta, "k": 2.0}
    laws.lrn_of_size_one(F.local_response_norm, x, **options, seed=seed)


@given(arrays(CHANNELS, dtypes(), "distinct"), st.integers(1, 8), seeds())
def test_lrn_damps_and_keeps_signs(x, size, seed):
    f = partial(F.local_response_norm, size=size, alpha=1.0, k=2.0)
    laws.lrn_damps_its_neighbours(f, x, size)
    laws.sign_symmetric(f, x, random_array(x.shape, "signs", x.dtype, seed), seed=seed)
    laws.examples_are_independent(f, x, seed=seed)


def lrn_with(**changes):
    return lambda x, **options: F.local_response_norm(x, **{**options, **changes})


def test_wrong_lrn_is_seen():
    for wrong in (lrn_with(alpha=3.0), lrn_with(beta=0.5), lrn_with(k=2.0), lrn_with(size=2)):
        with violation("lrn_of_size_one", "the output of size 1"):
            laws.lrn_of_size_one(wrong, X)
    with violation("lrn_of_size_one", "the gradient"):  # without its second term

        def forgets(x, **options):
            scale = 1 + x.data**2
            return x * tensor(scale**-0.75)

        laws.lrn_of_size_one(forgets, X)
    law, lrn = laws.lrn_damps_its_neighbours, partial(F.local_response_norm, alpha=1.0)
    with violation("lrn_damps_its_neighbours", "channel 0 twice", "that it does not reach"):
        law(lambda x: lrn(x, size=3), X, size=1)
    with violation("lrn_damps_its_neighbours", "that it reaches", "are not damped"):
        law(lambda x: lrn(x, size=1), X, size=3)
    with violation("lrn_damps_its_neighbours", "channel 0 twice"):  # an even window, turned around
        law(lambda x: lrn(x[:, ::-1], size=4)[:, ::-1], X, size=4)


# -- batch normalisation -------------------------------------------------------------------------


def batch_norm(**options):
    """In training, with statistics of the batch."""
    return lambda x, w=None, b=None: F.batch_norm(x, None, None, w, b, training=True, **options)


def in_use(**options):
    return lambda *tensors: F.batch_norm(*tensors, **options)


@st.composite
def channels(draw):
    """Draw x with distinct numbers, two at least for each channel, and the channel's numbers."""
    shape = (draw(st.integers(2, 4)), draw(st.integers(1, 4)), *draw(shapes(0, 2)))
    seed, dtype = draw(seeds()), draw(dtypes())
    per_channel = [random_array(shape[1:2], "positive", dtype, seed + i) for i in range(4)]
    return random_array(shape, "distinct", dtype, seed), per_channel, seed


@given(channels())
def test_batch_norm_in_training(drawn):
    x, (mean, var, weight, bias), seed = drawn
    laws.batch_norm_normalises(batch_norm(eps=0.5), x, weight, bias, eps=0.5, roundings=256)
    axes = (0, *range(2, x.ndim))
    laws.gradient_sums_to_zero(batch_norm(eps=0.5), x, axes, seed=seed, roundings=256)
    laws.running_statistics_follow_the_batch(
        lambda *t: F.batch_norm(*t, training=True, momentum=0.3), x, mean, var, momentum=0.3
    )


@given(channels())
def test_batch_norm_does_not_see_scale_and_shift(drawn):
    x, _, seed = drawn
    laws.invariant_to_scale_and_shift(batch_norm(eps=0.0), x, seed=seed)


@given(channels())
def test_batch_norm_in_use(drawn):
    x, (mean, var, weight, bias), seed = drawn
    laws.batch_norm_uses_running_statistics(
        in_use(eps=0.5), x, mean, var, weight, bias, eps=0.5, seed=seed
    )


def test_wrong_batch_norm_is_seen():
    law, options = laws.batch_norm_normalises, {"weight": 2 * ONES, "bias": ONES, "eps": 0.5}
    with violation("batch_norm_normalises", "the variance"):
        law(batch_norm(eps=0.4), X, **options)
    with violation("batch_norm_normalises", "the mean"):
        law(lambda x, w, b: batch_norm(eps=0.5)(x, w), X, **options)
    unbiased = np.sqrt(2 / 3)
    with violation("batch_norm_normalises", "the variance", "at [0]"):
        law(lambda x, w, b: batch_norm(eps=0.0)(x, w * unbiased, b), X, **{**options, "eps": 0.0})
    law = laws.invariant_to_scale_and_shift
    with violation("invariant_to_scale_and_shift", "the output of scale·x + shift"):
        law(batch_norm(eps=1.0), X)
    with violation("invariant_to_scale_and_shift", "scale · the gradient"):
        law(with_gradient(batch_norm(eps=0.0), lambda g: g + 1), X)
    with violation("invariant_to_scale_and_shift", "the sum of gradient over a channel"):
        law(without_terms(lambda c, normal: c), X)
    with violation("invariant_to_scale_and_shift", "the sum of gradient·(x − mean)"):
        law(without_terms(lambda c, normal: c - c.mean(0)), X)
    law(without_terms(lambda c, normal: c - c.mean(0) - normal * (c * normal).mean(0)), X)


def without_terms(formula):
    """Batch normalisation with a gradient that is 1/σ times a formula."""

    def f(x):
        normal, deviation = batch_norm(eps=0.0)(x).data, x.data.std(0)
        return record("batch_norm", normal, (x, lambda c: formula(c, normal) / deviation))

    return f


def statistics(**changes):
    """Mistake the variance or the momentum."""

    def f(x, mean, var):
        count, before = len(x), var.data.copy()
        F.batch_norm(x, mean, var, training=True, momentum=changes.get("momentum", 0.3))
        if "biased" in changes:
            var.data[...] = 0.7 * before + (var.data - 0.7 * before) * (count - 1) / count

    return f


def test_wrong_running_statistics_are_seen():
    law = partial(laws.running_statistics_follow_the_batch, momentum=0.3)
    law(statistics(), X, ONES, ONES)
    with violation("running_statistics_follow_the_batch", "running_var", "at [0]"):
        law(statistics(biased=True), X, ONES, ONES)
    with violation("running_statistics_follow_the_batch", "running_mean"):
        law(statistics(momentum=0.7), X, ONES, ONES)
    law = partial(laws.batch_norm_uses_running_statistics, eps=0.5)
    with violation("batch_norm_uses_running_statistics", "the output"):
        law(in_use(eps=0.1), X, ONES, 2 * ONES, ONES, ONES)
    with violation("batch_norm_uses_running_statistics", "the output"):
        law(in_use(eps=0.5, training=True), X, ONES, 2 * ONES, ONES, ONES)
    for i, name in ((0, "x"), (3, "weight"), (4, "bias")):
        with violation("batch_norm_uses_running_statistics", f"the gradient of {name}"):
            wrong = with_gradient(in_use(eps=0.5), lambda g: 2 * g, argument=i)
            law(wrong, X, ONES, 2 * ONES, ONES, ONES)
    with violation("batch_norm_uses_running_statistics", "running_mean after use"):

        def learns(x, mean, *others):
            out = F.batch_norm(x, mean, *others, eps=0.5)
            mean.data += 1
            return out

        law(learns, X, ONES, 2 * ONES, ONES, ONES)


# -- softmax -------------------------------------------------------------------------------------


@given(arrays(shapes(1, 3), dtypes(), "integers"), st.integers(-1000, 1000), st.data(), seeds())
def test_softmax(x, constant, data, seed):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    softmax, log_softmax = (partial(f, axis=axis) for f in (F.softmax, F.log_softmax))
    for f in (softmax, log_softmax):
        laws.softmax_shift_invariant(f, x, constant, seed=seed)
        laws.gradient_sums_to_zero(f, x, axis, seed=seed)
    laws.rows_sum_to_one(softmax, x, axis)
    laws.log_softmax_is_log_of_softmax(log_softmax, softmax, x)


def overflows(x):
    with np.errstate(all="ignore"):
        e = x.exp()
        return e / e.sum(1, keepdims=True)


def test_wrong_softmax_is_seen():
    x = random_array((3, 4), "integers", seed=1)
    with violation("softmax_shift_invariant", "of x + 1000"), np.errstate(all="ignore"):
        laws.softmax_shift_invariant(overflows, x, 1000.0)
    with violation("softmax_shift_invariant", "the gradient"):
        laws.softmax_shift_invariant(
            lambda t: with_gradient(lambda u: F.softmax(u, 1), lambda g: g * t.data)(t), x, 5.0
        )
    with violation("rows_sum_to_one", "the sum of a row"):
        laws.rows_sum_to_one(lambda x: F.softmax(x, 0), x, axis=1)
    with violation("rows_sum_to_one", "the output", "are negative"):
        laws.rows_sum_to_one(lambda x: F.softmax(x, 1) - 0.5, x, axis=1)
    with violation("log_softmax_is_log_of_softmax", "exp(log_softmax(x))"):
        laws.log_softmax_is_log_of_softmax(
            lambda x: F.log_softmax(x, 0), lambda x: F.softmax(x, 1), x
        )


# -- losses --------------------------------------------------------------------------------------


@given(classification_batches(), dtypes())
def test_cross_entropy_in_two_pieces(batch, dtype):
    logits, target, weight = batch.arrays(dtype)
    laws.cross_entropy_is_nll_of_log_softmax(
        F.cross_entropy, F.nll_loss, F.log_softmax, logits, target,
        weight=None if weight is None else tensor(weight), **batch.nll_options, seed=batch.seed,
    )  # fmt: skip


@given(classification_batches(), dtypes())
def test_what_does_not_count(batch, dtype):
    logits, target, weight = batch.arrays(dtype)
    weight = None if weight is None else tensor(weight)
    for function, options in ((F.cross_entropy, batch.options), (F.nll_loss, batch.nll_options)):
        laws.ignored_examples_do_not_count(
            partial(function, weight=weight, **options), logits, target, batch.ignore_index,
            seed=batch.seed,
        )  # fmt: skip


@given(classification_batches(), st.sampled_from(["mean", "sum"]), seeds())
def test_weights_and_their_gradients(batch, reduction, seed):
    logits, target, _ = batch.arrays()
    weight = np.random.default_rng(seed).integers(1, 4, logits.shape[1]).astype(np.float64)
    index = batch.ignore_index
    for function in (F.cross_entropy, F.nll_loss):
        laws.class_weights_are_repetition(
            partial(function, ignore_index=index, reduction=reduction), logits, target, weight,
            ignore_index=index, seed=seed,
        )  # fmt: skip
    laws.gradient_sums_to_zero(
        lambda t: F.cross_entropy(t, target, tensor(weight), index, reduction), logits, 1, seed=seed
    )


@given(classification_batches(), st.sampled_from([0.0, 0.1, 0.5, 1.0]), dtypes())
def test_label_smoothing(batch, smoothing, dtype):
    logits, target, _ = replace(batch, target=tuple(max(c, 0) for c in batch.target)).arrays(dtype)
    loss = partial(F.cross_entropy, reduction=batch.reduction)
    laws.label_smoothing_is_linear(loss, logits, target, smoothing, seed=batch.seed)


LOGITS, TARGET = random_array((4, 3)), np.array([2, 0, -100, 1])
WEIGHT = np.array([3.0, 1.0, 2.0])


def test_a_wrong_fusion_is_seen():
    law = partial(laws.cross_entropy_is_nll_of_log_softmax, logits=LOGITS, target=TARGET)
    with violation("cross_entropy_is_nll_of_log_softmax", "the output of cross_entropy"):
        law(partial(F.cross_entropy, label_smoothing=0.1), F.nll_loss, F.log_softmax)
    with violation("cross_entropy_is_nll_of_log_softmax", "the gradient", "of cross_entropy"):
        law(with_gradient(F.cross_entropy, lambda g: -g), F.nll_loss, F.log_softmax)


def mean_over_all(logits, target, weight=None):
    """Divide by the number of examples, whatever they count."""
    return F.cross_entropy(logits, target, weight, reduction="none").mean()


def test_what_counts_wrongly_is_seen():
    ignored = partial(laws.ignored_examples_do_not_count, ignore_index=-100)
    with violation("ignored_examples_do_not_count", "the loss"):
        ignored(mean_over_all, LOGITS, TARGET)
    with violation("ignored_examples_do_not_count", "the gradient of an ignored example"):
        ignored(with_gradient(F.cross_entropy, lambda g: g + 1), LOGITS, TARGET)
    with violation("ignored_examples_do_not_count", "the loss of an ignored example", "is 1.0"):
        ignored(
            lambda x, t: F.cross_entropy(x, t, reduction="none") + tensor((t < 0) * 1.0),
            LOGITS, TARGET,
        )  # fmt: skip
    with violation("ignored_examples_do_not_count", "the gradient of an example that counts"):
        ignored(with_gradient(F.cross_entropy, lambda g: g * len(g)), LOGITS, TARGET)
    law = laws.class_weights_are_repetition
    with violation("class_weights_are_repetition", "the loss with weights"):
        law(mean_over_all, LOGITS, TARGET, WEIGHT)
    with violation("class_weights_are_repetition", "the gradient with weights"):
        law(with_gradient(F.cross_entropy, lambda g: g / len(g)), LOGITS, TARGET, WEIGHT)


def spread_over_the_others(logits, target, label_smoothing):
    """Give no share of the smoothing to the true class itself."""
    each = [F.cross_entropy(logits, np.full_like(target, c)) for c in range(3)]
    total = each[0] + each[1] + each[2]
    true = F.cross_entropy(logits, target)
    return true * (1 - label_smoothing) + (total - true) * (label_smoothing / 2)


def test_wrong_label_smoothing_is_seen():
    target = np.array([2, 0, 0, 1])
    with violation("label_smoothing_is_linear", "with smoothing 0.1", "in between"):
        laws.label_smoothing_is_linear(
            lambda x, t, label_smoothing: F.cross_entropy(x, t, label_smoothing=label_smoothing**2),
            LOGITS, target, 0.1,
        )  # fmt: skip
    with violation("label_smoothing_is_linear", "with smoothing 1", "over all classes"):
        laws.label_smoothing_is_linear(spread_over_the_others, LOGITS, target, 0.1)
    with violation("label_smoothing_is_linear", "the gradient"):
        laws.label_smoothing_is_linear(
            lambda x, t, label_smoothing: with_gradient(
                F.cross_entropy, lambda g: g * (1 + label_smoothing**2)
            )(x, t, label_smoothing=label_smoothing),
            LOGITS, target, 0.1,
        )  # fmt: skip


# -- dropout -------------------------------------------------------------------------------------

SHARES = st.sampled_from([0.0, 0.1, 0.5, 0.7])


@given(st.integers(0, 2**64 - 1), SHARES)
def test_dropout_keeps_the_mean(key, p):
    laws.dropout_keeps_the_mean(partial(F.dropout, p=p, key=key), p)


@given(arrays(shapes(lengths=(1, 2, 5)), dtypes(), "distinct"), SHARES, seeds())
def test_dropout(x, p, seed):
    f = partial(F.dropout, p=p, key=seed)
    laws.dropout_keeps_or_drops(f, x, p)
    laws.dropout_gradient_goes_through_the_gate(f, x, p, seed=seed)


def test_wrong_dropout_is_seen():
    x = random_array((20, 20), "positive")
    keeps = partial(F.dropout, p=0.3, key=1)
    with pytest.raises(
        AssertionError, match="^dropout_keeps_the_mean: the mean of 65536 ones is 0."
    ):
        laws.dropout_keeps_the_mean(lambda x: keeps(x) * 0.7, 0.3)
    with violation("dropout_keeps_or_drops", "0, or x / (1 − p)"):
        laws.dropout_keeps_or_drops(lambda x: keeps(x) * 0.7, x, 0.3)
    with violation("dropout_gradient_goes_through_the_gate", "the gradient"):  # another mask
        other = partial(F.dropout, p=0.3, key=2)
        laws.dropout_gradient_goes_through_the_gate(
            lambda x: other(x) + tensor(keeps(x).data - other(x).data), x, 0.3
        )
    with violation("dropout_gradient_goes_through_the_gate"):
        laws.dropout_gradient_goes_through_the_gate(with_gradient(keeps, lambda g: g * 0.7), x, 0.3)


def test_random_numbers_go_on_as_if_no_law_had_been_asked():
    random.manual_seed(3)
    wanted = random.default.next_key()
    random.manual_seed(3)
    laws.dropout_keeps_or_drops(F.dropout, X, 0.5)
    laws.deterministic(F.dropout, X)
    assert random.default.next_key() == wanted
