"""Each law holds for sound operations, and each is violated by one that is wrong on purpose."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.testing import laws
from minigrad.testing.strategies import (
    arrays,
    conv2d_cases,
    permutations,
    pool2d_cases,
    random_array,
    seeds,
    shapes,
)
from tests.testing.broken import violation, with_gradient

# Averages divide by 1, 2, 3, 4, 6 or 9: of multiples of 36 they are integers, and exact.
EXACT = 36
SHAPES = shapes(min_axes=1)
INTEGERS = arrays(SHAPES, values="integers")
IMAGE = random_array((2, 3, 5, 6), "integers")
X, Y = (random_array((2, 3), "integers", seed=s) for s in (0, 1))


def conv2d(case):
    return lambda *t: F.conv2d(*t, **case.options)


def max_pool2d(case):
    return lambda t: F.max_pool2d(t, **case.max_options)


def avg_pool2d(case):
    return lambda t: F.avg_pool2d(t, **case.avg_options)


def doubled(gradient):
    return 2 * gradient


# -- linear maps ---------------------------------------------------------------------------------


@given(conv2d_cases())
def test_convolution_is_bilinear_and_its_own_adjoint(case):
    x, weight, bias = case.arrays(np.float32, "integers")
    others = random_array(case.x, "integers", np.float32, case.seed + 1), weight[::-1].copy()
    laws.adjoint(conv2d(case), [x, weight], seed=case.seed)
    laws.bilinear(conv2d(case), [x, weight], others, seed=case.seed)
    fixed = [tensor(weight), tensor(bias)]
    laws.affine(lambda t: conv2d(case)(t, *fixed), x, others[0], seed=case.seed)
    laws.adjoint(lambda t: F.im2col(t, **case.window), x, seed=case.seed)


@given(pool2d_cases(max_dilation=1))
def test_an_average_is_linear_monotone_and_adjoint(case):
    (x,) = case.arrays(np.float32, "integers")
    y = EXACT * random_array(case.x, "integers", np.float32, case.seed + 1)
    f, c = (
        avg_pool2d(case),
        EXACT * random_array(case.output, "integers", np.float32, case.seed + 2),
    )
    laws.adjoint(f, EXACT * x, c)
    laws.linear(f, EXACT * x, y)
    laws.monotone(f, EXACT * x, y)


@given(INTEGERS, seeds())
def test_relu_is_homogeneous_monotone_and_idempotent(x, seed):
    y = random_array(x.shape, "integers", seed=seed)
    laws.adjoint(F.relu, x, seed=seed)
    laws.positively_homogeneous(F.relu, x, seed=seed)
    laws.monotone(F.relu, x, y)
    laws.idempotent(F.relu, x)
    laws.positive_and_negative_parts(F.relu, x)


@given(pool2d_cases())
def test_a_maximum_is_homogeneous_monotone_and_adjoint(case):
    (x,) = case.arrays(np.float32, "ties")
    y = random_array(case.x, "ties", np.float32, case.seed + 1)
    laws.adjoint(max_pool2d(case), x, seed=case.seed)
    laws.positively_homogeneous(max_pool2d(case), x, seed=case.seed)
    laws.monotone(max_pool2d(case), x, y)


@given(SHAPES, st.lists(st.integers(0, 3), min_size=1, max_size=4), st.data(), seeds())
def test_what_was_joined_can_be_taken_apart(shape, lengths, data, seed):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for i, n in enumerate(lengths):
        part = list(shape)
        part[axis] = n
        parts.append(random_array(part, "integers", seed=seed + i))
    laws.concat_then_split(minigrad.concat, parts, axis, seed=seed)
    laws.adjoint(lambda *t: minigrad.concat(t, axis), parts, jointly=True, seed=seed)


def test_adjoint_sees_wrong_gradients():
    w = random_array((4, 3, 2, 2), "integers")
    with violation("adjoint", "input 0"):
        laws.adjoint(with_gradient(F.conv2d, lambda g: g[:, :, ::-1]), [IMAGE, w])
    with violation("adjoint", "input 1"):
        laws.adjoint(with_gradient(F.conv2d, doubled, argument=1), [IMAGE, w])
    with violation("adjoint", "Σ ⟨input, its gradient⟩"):
        join = with_gradient(lambda *t: minigrad.concat(t), lambda g: g[:, ::-1])
        laws.adjoint(join, [X, Y], jointly=True)
    with violation("adjoint"):  # forgets what came before
        laws.adjoint(lambda x: x + tensor(x.data), X)
    real = random_array((20, 3), dtype=np.float32)
    with violation("adjoint"):
        laws.adjoint(lambda x: x * 0.1, real)
    laws.adjoint(lambda x: x * 0.1, real, roundings=4)


def test_linear_and_its_kin_see_what_is_not():
    with violation("linear", "at [", "f(2·x − 3·y)"):
        laws.linear(F.relu, X, Y)
    with violation("linear"):
        laws.linear(lambda x: x + 1, X, Y)
    with violation("linear", "the gradient at x"):
        laws.linear(lambda x: with_gradient(lambda t: t * 2, lambda g: g * x.data)(x), X, Y)
    with violation("affine", "at [", "f(3·x − 2·y)"):
        laws.affine(F.relu, X, Y)
    with violation("bilinear", "in input 1"):
        laws.bilinear(lambda x, y: x * y * y, [X, Y], [Y, X])
    with violation("positively_homogeneous", "f(4·x)"):
        laws.positively_homogeneous(lambda x: F.relu(x - 1), X)
    with violation("positively_homogeneous", "the gradient at 4·x"):
        laws.positively_homogeneous(
            lambda x: with_gradient(F.relu, lambda g: g * abs(x.data))(x), X
        )


def test_other_functions_are_found_out():
    with violation("monotone", "at [", "are smaller"):
        laws.monotone(lambda x: -x, X, Y)
    with violation("idempotent", "at ["):
        laws.idempotent(lambda x: x * 2, X)
    with violation("positive_and_negative_parts", "f(x) − f(−x)"):
        laws.positive_and_negative_parts(lambda x: F.relu(x) * 2, X)
    for wrong in (abs, lambda x: x * 0.5, lambda x: F.relu(x) + 0.1 * x, lambda x: F.relu(x) + 1):
        with violation("positive_and_negative_parts", "the smaller of f(x) and f(−x)"):
            laws.positive_and_negative_parts(wrong, X)


def test_concat_then_split_sees_wrong_places():
    parts = [X, random_array((1, 3), "integers", seed=2), Y]
    with violation("concat_then_split", "part 0 of what was joined"):
        laws.concat_then_split(lambda t, axis: minigrad.concat(t[::-1], axis), parts, 0)
    with violation("concat_then_split", "the gradient of part 1"):
        wrong = with_gradient(lambda *t: minigrad.concat(t), lambda g: 0 * g, argument=1)
        laws.concat_then_split(lambda t, axis: wrong(*t), parts, 0)
    with pytest.raises(AssertionError, match="the parts have 5 along axis 0, joined 2"):
        laws.concat_then_split(lambda t, axis: t[0], parts, 0)


# -- all maps ------------------------------------------------------------------------------------


@given(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), seeds())
def test_a_linear_layer_is_a_product(n, inputs, outputs, seed):
    x, w, b = (
        random_array(s, "integers", np.float32, seed + i)
        for i, s in enumerate(((n, inputs), (outputs, inputs), (outputs,)))
    )
    laws.equivalent(F.linear, lambda x, w, b: x @ w.T + b, [x, w, b], seed=seed)
    laws.adjoint(F.linear, [x, w], seed=seed)


@given(INTEGERS, seeds())
def test_odd_functions(x, seed):
    laws.sign_symmetric(lambda x: x.tanh(), x, random_array(x.shape, "signs", seed=seed))


def test_equivalent_sees_either_half():
    with violation("equivalent", "the output of f", "at [0, "):
        laws.equivalent(lambda x: x.exp(), lambda x: x.exp() + 1e-9, X)
    with violation("equivalent", "the gradient of input 1"):
        laws.equivalent(
            lambda x, y: x * y, with_gradient(lambda x, y: x * y, doubled, argument=1), [X, Y]
        )
    with violation("equivalent", "output 1"):
        laws.equivalent(lambda x: (x, x * 2), lambda x: (x, x * 3), X)
    laws.equivalent(lambda x: x * 3, lambda x: x + x + x * 1.0000000000000002, X, roundings=2)


def test_sign_symmetric_sees_functions_that_are_not_odd():
    with violation("sign_symmetric", "the output"):
        laws.sign_symmetric(lambda x: x.exp(), X, -np.ones_like(X))
    with violation("sign_symmetric", "the gradient"):
        wrong = with_gradient(lambda x: x.tanh(), lambda g: abs(g))
        laws.sign_symmetric(wrong, X, -np.ones_like(X))


def test_gradient_sums_to_zero_sees_those_that_do_not():
    with violation("gradient_sums_to_zero", "the sum of the gradient"):
        laws.gradient_sums_to_zero(lambda x: x.sigmoid(), X, 1)
    with violation("gradient_sums_to_zero"):
        laws.gradient_sums_to_zero(lambda x: F.softmax(x, 0), X, 1)


# -- batches and images --------------------------------------------------------------------------


@given(conv2d_cases(empty_batches=False), st.data())
def test_examples_of_a_batch_do_not_see_each_other(case, data):
    x, *parameters = case.arrays(np.float32, "integers")
    order = data.draw(permutations(len(x)))

    def convolve(t):
        return conv2d(case)(t, *map(tensor, parameters))

    for f in (convolve, partial(F.local_response_norm, size=2), partial(F.softmax, axis=1)):
        laws.batch_permutation(f, x, order, seed=case.seed)
        laws.examples_are_independent(f, x, seed=case.seed, roundings=4)  # powers and quotients


@given(arrays(shapes(2, 2), values="normal"), st.data(), seeds())
def test_order_does_not_matter_to_losses_and_batch_norm(x, data, seed):
    order = data.draw(permutations(len(x)))
    target = np.random.default_rng(seed).integers(0, x.shape[1], len(x))
    laws.batch_permutation(F.cross_entropy, [x, target], order, seed=seed, roundings=16)
    x = np.concatenate([x, x + 1])
    laws.batch_permutation(
        lambda x: F.batch_norm(x, None, None, training=True, eps=0.1),
        x, [*order, *(i + len(order) for i in order)], seed=seed, roundings=64,
    )  # fmt: skip


def test_what_depends_on_the_place_in_the_batch_is_seen():
    places, target = tensor(np.arange(2.0)[:, None]), np.array([0, 2])
    with violation("batch_permutation", "the output of the permuted batch", "at ["):
        laws.batch_permutation(lambda x: x * places, X, [1, 0])
    with violation("batch_permutation", "the gradient of input 0"):
        laws.batch_permutation(with_gradient(F.relu, lambda g: g * places.data), X, [1, 0])
    with violation("batch_permutation", "the output"):  # the first example counts twice
        wrong = lambda x, t: F.cross_entropy(x, t) + F.cross_entropy(x[:1], t[:1])  # noqa: E731
        laws.batch_permutation(wrong, [X, target], [1, 0])
    trained = partial(F.batch_norm, running_mean=None, running_var=None, training=True, eps=0.1)
    with violation("examples_are_independent", "of example 0 alone"):
        laws.examples_are_independent(lambda x: trained(x), IMAGE)
    with violation("examples_are_independent", "the gradient", "of example 1 alone"):
        laws.examples_are_independent(with_gradient(F.relu, lambda g: np.cumsum(g, 0)), X)


@given(conv2d_cases(), pool2d_cases(max_dilation=1), pool2d_cases())
def test_a_shifted_image(conv, average, maximum):
    x, *parameters = conv.arrays(np.float32, "integers")
    f = lambda t: conv2d(conv)(t, *map(tensor, parameters))  # noqa: E731
    laws.shift_equivariant(f, x, conv.stride, seed=conv.seed)
    (x,) = average.arrays(np.float32, "integers")
    laws.shift_equivariant(avg_pool2d(average), EXACT * x, average.stride, roundings=4)
    (x,) = maximum.arrays(np.float32, "ties")
    laws.shift_equivariant(max_pool2d(maximum), x, maximum.stride, seed=maximum.seed)


def test_what_depends_on_the_place_in_the_image_is_seen():
    w = tensor(random_array((4, 3, 3, 2), "integers"))
    with violation("shift_equivariant", "the output of the shifted image", "at [0, 0, "):
        laws.shift_equivariant(lambda x: F.conv2d(x, w, stride=2), IMAGE, stride=1)
    with violation("shift_equivariant", "the output"):  # rows and columns mixed up
        laws.shift_equivariant(lambda x: F.conv2d(x, w, stride=(2, 1)), IMAGE, stride=(1, 2))
    with violation("shift_equivariant", "the gradient of the shifted image"):
        wrong = with_gradient(lambda x: F.conv2d(x, w), lambda g: g[:, :, ::-1])
        laws.shift_equivariant(wrong, IMAGE)
    with violation("shift_equivariant"):
        ramp = np.arange(29.0)[:, None]
        laws.shift_equivariant(lambda x: x * ramp, IMAGE)


# -- convolution ---------------------------------------------------------------------------------


@given(conv2d_cases(max_kernel=1, max_stride=1, max_dilation=1, max_groups=1))
def test_pointwise_convolution(case):
    x, weight, bias = case.arrays(np.float32, "integers")
    for b in (None, bias):
        laws.pointwise_convolution_is_matmul(F.conv2d, x, weight[:, :, 0, 0], b, seed=case.seed)


@given(conv2d_cases(max_groups=3))
def test_groups(case):
    x, weight, bias = case.arrays(np.float32, "integers")
    options = {**case.options}
    groups = options.pop("groups")
    for b in (None, bias):
        laws.groups_are_concatenated_convolutions(
            partial(F.conv2d, **options), x, weight, b, groups=groups, seed=case.seed
        )


def test_wrong_convolutions_are_seen():
    square, b = random_array((3, 3), "integers"), random_array((3,), "integers")
    law = laws.pointwise_convolution_is_matmul
    with violation("pointwise_convolution_is_matmul", "the output", "at [0, "):
        law(lambda x, w: F.conv2d(x, w.permute(1, 0, 2, 3)), IMAGE, square)
    for i in range(3):
        with violation("pointwise_convolution_is_matmul", f"the gradient of input {i}"):
            law(with_gradient(F.conv2d, doubled, argument=i), IMAGE, square, b)
    law = laws.groups_are_concatenated_convolutions
    x, weight = random_array((1, 4, 3, 3), "integers"), random_array((4, 2, 2, 2), "integers")
    swapped = [2, 3, 0, 1]

    def mixed(x, w, groups):
        return F.conv2d(x[:, swapped] if groups > 1 else x, w, groups=groups)

    with violation("groups_are_concatenated_convolutions", "the output of group 0"):
        law(mixed, x, weight, groups=2)
    with violation("groups_are_concatenated_convolutions", "the gradient of input 1"):
        law(
            lambda x, w, groups: with_gradient(F.conv2d, lambda g: g * groups, 1)(
                x, w, groups=groups
            ),
            x, weight, groups=2,
        )  # fmt: skip


# -- pooling -------------------------------------------------------------------------------------


@given(pool2d_cases())
def test_maxima(case):
    (x,) = case.arrays(np.float32, "ties")
    laws.padding_never_wins(max_pool2d(case), x)
    laws.chosen_from_the_image(max_pool2d(case), x)
    laws.winner_takes_all(max_pool2d(case), x, seed=case.seed)
    laws.first_of_equals_wins(max_pool2d(case), x, seed=case.seed)


@given(pool2d_cases(max_dilation=1))
def test_averages_that_do_not_count_padding(case):
    (x,) = case.arrays(np.float32, "normal")

    def average(t):
        return F.avg_pool2d(t, **{**case.avg_options, "count_include_pad": False})

    laws.padding_never_wins(average, x)
    laws.maximum_is_at_least_average(max_pool2d(case), average, x)
    # Up to nine shares of every gradient, each rounded.
    laws.winner_takes_all(average, x, seed=case.seed, roundings=16)


def pads_with_zeros(x):
    return F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)


def last_of_equals(x):
    return F.max_pool2d(x[..., ::-1, ::-1], (5, 6))[..., ::-1, ::-1]


def test_wrong_poolings_are_seen():
    ties = random_array((2, 3, 5, 6), "ties")
    with violation("padding_never_wins", "is 0.0 but every pixel is -1.0"):
        laws.padding_never_wins(pads_with_zeros, IMAGE)
    with violation("padding_never_wins"):
        laws.padding_never_wins(lambda x: F.avg_pool2d(x, 3, 2, padding=1), IMAGE)
    with violation("maximum_is_at_least_average", "at [0, "):
        laws.maximum_is_at_least_average(pads_with_zeros, lambda x: x[..., :3, :3], IMAGE)
    with pytest.raises(AssertionError, match=r"the maxima have shape .* the averages \(2, 3, 5, 6"):
        laws.maximum_is_at_least_average(pads_with_zeros, lambda x: x, IMAGE)
    with violation("chosen_from_the_image", "stand nowhere"):
        laws.chosen_from_the_image(lambda x: F.avg_pool2d(x, 2), IMAGE)
    with violation("winner_takes_all", "at [0, 0]"):
        wrong = with_gradient(lambda x: F.max_pool2d(x, 2), doubled)
        laws.winner_takes_all(wrong, IMAGE)
    with violation("first_of_equals_wins", "the gradient"):
        laws.first_of_equals_wins(last_of_equals, ties)
