"""Laws of single operations: what a change of the input does to the output, by `laws`."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad import Tensor
from minigrad import functional as F
from minigrad.testing import laws
from minigrad.testing import strategies as our
from minigrad.testing.place import tensor
from minigrad.testing.strategies import Pool2dCase, random_array
from minigrad.testing.suite.comparing import OTHER
from minigrad.testing.suite.property import holds

SEED = our.seeds()
FLAT = Pool2dCase(x=(2, 2, 5, 6), kernel_size=(3, 2), stride=(2, 1))


def _draw(seed: int, *shapes: tuple[int, ...], values: str = "integers") -> Any:
    return [random_array(shape, values, seed=seed + i) for i, shape in enumerate(shapes)]


# -- convolution and pooling ---------------------------------------------------------------------


@holds("conv2d", seed=SEED)
def convolutions_among_themselves(seed: int) -> None:
    """Groups are convolutions side by side, a 1×1 kernel is a matrix, shifts shift."""
    x, weight, bias, matrix = _draw(seed, (2, 4, 4, 5), (6, 2, 2, 3), (6,), (6, 4))
    options = {"seed": seed + OTHER}
    laws.groups_are_concatenated_convolutions(F.conv2d, x, weight, bias, groups=2, **options)
    laws.pointwise_convolution_is_matmul(F.conv2d, x, matrix, bias, **options)

    def strided(t: Any) -> Any:
        return F.conv2d(t, tensor(weight[:, :, ::-1]), stride=(2, 3), groups=2)

    laws.shift_equivariant(strided, x, (2, 3), **options)
    laws.examples_are_independent(strided, x, **options)


@holds("conv2d", seed=SEED)
def convolution_is_linear(seed: int) -> None:
    """In the image and in the weights, and affine with a bias."""
    x, y, weight, bias = _draw(seed, (2, 2, 4, 4), (2, 2, 4, 4), (3, 2, 2, 2), (3,))
    laws.linear(lambda t: F.conv2d(t, tensor(weight), padding=1), x, y, seed=seed + OTHER)
    laws.affine(lambda t: F.conv2d(t, tensor(weight), tensor(bias)), x, y, seed=seed + OTHER)


@holds("max_pool2d", case=our.pool2d_cases(empty_batches=False))
def maxima_are_chosen(case: Pool2dCase) -> None:
    """Each is a number of the image; padding never wins, and one pixel gets all of the gradient."""
    f = lambda t: F.max_pool2d(t, **case.max_options)  # noqa: E731
    options: Any = {"seed": case.seed + OTHER}
    (x,) = case.arrays()
    laws.chosen_from_the_image(f, x)
    laws.padding_never_wins(f, x)
    laws.winner_takes_all(f, x, **options)
    laws.adjoint(f, case.arrays(values="integers"), **options)
    laws.positively_homogeneous(f, x, **options)


@holds("max_pool2d", case=our.pool2d_cases(empty_batches=False))
def the_first_of_equals_wins(case: Pool2dCase) -> None:
    """In scan order, whatever the window."""
    (x,) = case.arrays(values="ties")
    laws.first_of_equals_wins(lambda t: F.max_pool2d(t, **case.max_options), x, seed=case.seed)


@holds("avg_pool2d", case=our.pool2d_cases(max_dilation=1, empty_batches=False))
def averages_are_at_most_maxima(case: Pool2dCase) -> None:
    """Over the pixels alone; and they are linear."""
    if not case.count_include_pad:
        laws.maximum_is_at_least_average(
            lambda t: F.max_pool2d(t, **case.max_options),
            lambda t: F.avg_pool2d(t, **case.avg_options),
            case.arrays(values="integers")[0],
        )
    x, y = _draw(case.seed, case.x, case.x, values="normal")
    options: Any = {"seed": case.seed + OTHER, "roundings": 16}
    laws.linear(lambda t: F.avg_pool2d(t, **case.avg_options), x, y, **options)


@holds("avg_pool2d")
def averages_shift_with_the_image() -> None:
    """An image that is shifted by a stride gives outputs shifted by one place."""
    for pool in (F.avg_pool2d, F.max_pool2d):
        f = lambda t, pool=pool: pool(t, FLAT.kernel_size, FLAT.stride)  # noqa: E731
        laws.shift_equivariant(f, np.abs(random_array(FLAT.x, "integers")), FLAT.stride)


# -- normalisation -------------------------------------------------------------------------------


def _batch_norm(eps: float) -> Any:
    def f(x: Any, weight: Any = None, bias: Any = None) -> Any:
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)

    return f


@holds("batch_norm", seed=SEED)
def batch_norm_sees_no_scale_and_no_shift(seed: int) -> None:
    """Each channel gets the mean `bias` and the variance weight², whatever it had before."""
    x, weight, bias = _draw(seed, (4, 3, 2, 2), (3,), (3,), values="normal")
    laws.batch_norm_normalises(_batch_norm(0.5), x, weight, bias, eps=0.5)
    laws.invariant_to_scale_and_shift(_batch_norm(0.0), x, seed=seed + OTHER, roundings=256)


@holds("batch_norm", seed=SEED)
def batch_norm_keeps_and_uses_statistics(seed: int) -> None:
    """In training they follow the batch, in use they are what is normalised with."""
    x, mean, weight, bias = _draw(seed, (4, 3, 2, 2), (3,), (3,), (3,), values="normal")
    var = np.array([0.5, 2.0, 3.0])

    def train(x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return F.batch_norm(x, mean, var, training=True, momentum=0.3)

    def use(*tensors: Tensor) -> Tensor:
        x, mean, var, weight, bias = tensors
        return F.batch_norm(x, mean, var, weight, bias, eps=0.5)

    laws.running_statistics_follow_the_batch(train, x, mean, var, momentum=0.3)
    arrays = x, mean, var, weight, bias
    laws.batch_norm_uses_running_statistics(use, *arrays, eps=0.5, seed=seed + OTHER)


@holds("local_response_norm", seed=SEED, size=st.integers(1, 6))
def lrn_damps_whom_it_should(seed: int, size: int) -> None:
    """A channel damps those whose window holds it and no other; alone, by the formula."""
    (x,) = _draw(seed, (2, 7, 3), values="distinct")
    options = {"alpha": 1.0, "k": 2.0}
    f = lambda t: F.local_response_norm(t, size, **options)  # noqa: E731
    laws.lrn_damps_its_neighbours(f, x, size)
    laws.lrn_of_size_one(F.local_response_norm, x, **options, seed=seed + OTHER)
    laws.sign_symmetric(f, x, random_array(x.shape, "signs", seed=seed), seed=seed + OTHER)


# -- losses --------------------------------------------------------------------------------------


@holds("softmax", seed=SEED)
def softmax_sees_no_shift(seed: int) -> None:
    """A thousand added to all scores changes nothing; rows add up to 1."""
    (x,) = _draw(seed, (3, 4))
    for axis in (0, 1):
        f = lambda t, axis=axis: F.softmax(t, axis)  # noqa: E731
        laws.softmax_shift_invariant(f, x, 1000.0, seed=seed + OTHER)
        laws.rows_sum_to_one(f, x, axis)


@holds("log_softmax", seed=SEED)
def log_softmax_is_what_it_is_called(seed: int) -> None:
    """Its exponential is softmax; a thousand added to all scores changes nothing."""
    (x,) = _draw(seed, (3, 4))
    f = lambda t: F.log_softmax(t, 1)  # noqa: E731
    laws.log_softmax_is_log_of_softmax(f, lambda t: F.softmax(t, 1), x)
    laws.softmax_shift_invariant(f, x, 1000.0, seed=seed + OTHER)


@holds("cross_entropy", seed=SEED)
def losses_among_themselves(seed: int) -> None:
    """One piece is as good as two, weights repeat, smoothing mixes, ignored rows do not count."""
    (logits,), target = _draw(seed, (5, 3), values="normal"), np.array([2, 0, 1, 1, 2])
    options: Any = {"seed": seed + OTHER}
    laws.cross_entropy_is_nll_of_log_softmax(
        F.cross_entropy, F.nll_loss, F.log_softmax, logits, target, **options
    )
    weight = np.array([2.0, 1.0, 3.0])
    laws.class_weights_are_repetition(F.cross_entropy, logits, target, weight, **options)
    laws.label_smoothing_is_linear(F.cross_entropy, logits, target, 0.3, **options)
    loss = lambda t, y: F.cross_entropy(t, y, ignore_index=2)  # noqa: E731
    laws.ignored_examples_do_not_count(loss, logits, target, 2, **options)
    order = [3, 1, 4, 0, 2]
    laws.batch_permutation(F.cross_entropy, [logits, target], order, roundings=64, **options)


@holds("nll_loss", seed=SEED)
def nll_weights_and_ignores(seed: int) -> None:
    """Weights repeat, ignored rows do not count."""
    logs, target = -random_array((5, 3), "positive", seed=seed), np.array([2, 0, 1, 1, 2])
    options: Any = {"seed": seed + OTHER}
    weight = np.array([2.0, 1.0, 3.0])
    laws.class_weights_are_repetition(F.nll_loss, logs, target, weight, **options)
    loss = lambda t, y: F.nll_loss(t, y, ignore_index=2)  # noqa: E731
    laws.ignored_examples_do_not_count(loss, logs, target, 2, **options)


# -- dropout -------------------------------------------------------------------------------------


@holds("dropout", key=st.integers(0, 2**64 - 1), p=st.sampled_from([0.1, 0.5, 0.75]))
def dropout_keeps_the_mean(key: int, p: float) -> None:
    """What is kept is scaled so that the mean stays, and the gradient passes the same gate."""
    f, x = lambda t: F.dropout(t, p, key=key), random_array((6, 7), "distinct")
    laws.dropout_keeps_the_mean(f, p, count=1 << 13)
    laws.dropout_keeps_or_drops(f, x, p)
    laws.dropout_gradient_goes_through_the_gate(f, x, p)
