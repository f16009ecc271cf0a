"""`gradcheck` itself: it accepts what is right, and sees, names and explains what is wrong."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.autograd import record
from minigrad.ops.conv import naive as conv
from minigrad.testing import GradcheckError, gradcheck

SEEDS = st.integers(0, 2**32 - 1)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def softmax(x, vjp=None):
    """Softmax over the last axis; `vjp` takes the gradient and the output."""
    power = np.exp(x.data - x.data.max(axis=-1, keepdims=True))
    y = power / power.sum(axis=-1, keepdims=True)
    vjp = vjp or (lambda g, y: y * (g - (g * y).sum(axis=-1, keepdims=True)))
    return record("softmax", y, (x, lambda gradient: vjp(gradient, y)))


def times(a, b, to_a=lambda g, a, b: g @ b.T, to_b=lambda g, a, b: a.T @ g):
    """The matrix product, with vjps to be replaced by wrong ones."""
    x, y = a.data, b.data
    return record("times", x @ y, (a, lambda g: to_a(g, x, y)), (b, lambda g: to_b(g, x, y)))


def squared(x, vjp=lambda g, x: 2 * g * x):
    return record("squared", x.data**2, (x, lambda g: vjp(g, x.data)))


# -- right or wrong --------------------------------------------------------------------------------

SQUARES = [normal(3, 3, seed=1), normal(3, 3, seed=2)]
WRONG = {
    "softmax of zeros": lambda a, b: softmax(a, lambda g, y: 0 * g) + b,
    "softmax without its sum": lambda a, b: softmax(a, lambda g, y: g * y) + b,
    "twice": lambda a, b: times(a, b, lambda g, a, b: 2 * g @ b.T),
    "1.0001 times": lambda a, b: times(a, b, to_b=lambda g, a, b: 1.0001 * a.T @ g),
    "1.0000001 times": lambda a, b: times(a, b, to_b=lambda g, a, b: 1.0000001 * a.T @ g),
    "12,345 times": lambda a, b: times(a, b, to_b=lambda g, a, b: 12345.0 * a.T @ g),
    "zeros": lambda a, b: times(a, b, lambda g, a, b: 0 * a),
    "negative": lambda a, b: times(a, b, to_b=lambda g, a, b: -a.T @ g),
    "transposed": lambda a, b: times(a, b, lambda g, a, b: (g @ b.T).T),
    "the other's": lambda a, b: times(a, b, lambda g, a, b: a.T @ g),
    "infinite": lambda a, b: times(a, b, lambda g, a, b: np.where(np.eye(3, 3, 2) > 0, np.inf, a)),
    "nan": lambda a, b: times(a, b, lambda g, a, b: g * np.nan),
    "one entry": lambda a, b: times(a, b, lambda g, a, b: g @ b.T + np.eye(1, 9, 5).reshape(3, 3)),
    "cut off": lambda a, b: a * b.detach() + b * 0,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_rejects(name, seed):
    with pytest.raises(GradcheckError, match=r"gradient of [ab] \(shape \(3, 3\)\) is wrong"):
        gradcheck(WRONG[name], SQUARES, seed=seed)


@pytest.mark.parametrize("f", [lambda a, b: softmax(a) + b, times, lambda a, b: a * 1e6 / (b + 9)])
def test_accepts(f):
    for seed in range(20):
        gradcheck(f, SQUARES, seed=seed)


def test_sees_errors_in_small_results():
    """Of a thousand classes each has a probability, and a gradient, of about 1/1000."""

    def wrong(x):
        return softmax(x, lambda g, y: 1.01 * y * (g - (g * y).sum(axis=-1, keepdims=True)))

    x = normal(4, 1000)
    gradcheck(softmax, [x])
    with pytest.raises(GradcheckError, match="gradient of x"):
        gradcheck(wrong, [x])
    with pytest.raises(GradcheckError, match="gradient of x"):
        gradcheck(lambda x: record("tiny", 1e-6 * x.data, (x, lambda g: 0 * g)), [x])
    gradcheck(lambda x: (x - x.mean(1, keepdims=True)).sum(1), [x])  # 0, but for rounding


@pytest.mark.parametrize("seed", range(10))
def test_a_single_wrong_entry_of_many_is_seen(seed):
    """One of 10,000, by half: along a random direction, without looking at every entry."""
    rng = np.random.default_rng(seed)
    x, place = rng.standard_normal((100, 100)), tuple(rng.integers(0, 100, 2))
    x[place] = 1.0

    def wrong(g, x):
        gradient = 2 * g * x
        gradient[place] *= 0.5
        return gradient

    report = gradcheck(lambda x: squared(x, wrong), [x], seed=seed, raise_error=False)
    assert not report.ok


def test_every_entry_of_a_small_jacobian_is_compared():
    """A wrong entry that the given cotangent multiplies by nothing."""
    cotangent = np.array([1.0, 0.0, 2.0])

    def last_wrong(g, x):
        return 2 * g * x * np.array([1.0, 3.0, 1.0])

    f, x = (lambda x: squared(x, last_wrong)), np.array([0.5, 1.5, 2.5])
    gradcheck(f, [x], cotangent=cotangent, jacobian=False)
    with pytest.raises(GradcheckError, match="1 of 3 entries"):
        gradcheck(f, [x], cotangent=cotangent)


def test_draws_other_directions_for_other_seeds():
    drawn = []

    def watched(x):
        return record("watched", x.data, (x, lambda g: drawn.append(g.copy()) or g))

    for seed in (0, 0, 1):
        gradcheck(watched, [np.ones(4)], seed=seed, directions=2, jacobian=False)
    assert len(drawn) == 6
    assert len({tuple(g) for g in drawn}) == 4
    assert all(len(set(g)) == 4 for g in drawn)  # never all ones


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_inputs_drawn_from_the_same_seed_do_not_coincide_with_the_cotangent(seed):
    """Where they did, half of the turned kernel's entries looked right."""
    f, _ = conv_with(to_w=lambda g: g[:, :, ::-1, ::-1])
    x = np.random.default_rng(seed).standard_normal((2, 2, 4, 4))
    report = gradcheck(f, [x, normal(2, 2, 3, 3, seed=9)], seed=seed, raise_error=False)
    assert report.failures[0].wrong.sum() == 4 * 8  # all but the middle of each kernel


# -- what it takes ---------------------------------------------------------------------------------


def test_integers_are_constants_and_several_outputs_are_checked():
    classes = np.array([2, 0])

    def f(logits, classes, scale):
        assert classes.dtype == np.int64
        return F.cross_entropy(logits, classes), {"y": logits * scale}["y"]

    report = gradcheck(f, [normal(2, 3), classes, 2.0])
    assert [(i.name, i.shape) for i in report.inputs] == [("logits", (2, 3)), ("scale", ())]
    assert report.outputs == 1 + 6

    def second_wrong(logits, classes, scale):
        return F.cross_entropy(logits, classes), squared(logits, lambda g, x: g * x)

    with pytest.raises(GradcheckError, match="gradient of logits"):
        gradcheck(second_wrong, [normal(2, 3), classes, 2.0])


def test_a_single_number_stays_an_array():
    """NumPy's sums of 0-d arrays are scalars, which the engine would take for a Python float."""
    gradcheck(lambda x: x**2, [np.array(1.5)])


def test_names():
    f = lambda *arguments: arguments[0] * arguments[1]  # noqa: E731
    assert [i.name for i in gradcheck(f, SQUARES).inputs] == ["input 0", "input 1"]
    named = gradcheck(f, SQUARES, names=["x", "parameter weight"])
    assert [i.name for i in named.inputs] == ["x", "parameter weight"]
    conv2d = gradcheck(F.conv2d, [normal(1, 1, 2, 2), normal(1, 1, 1, 1)])
    assert [i.name for i in conv2d.inputs] == ["x", "weight"]


def test_empty_inputs_pass_and_say_so():
    report = gradcheck(lambda x: x * 2, [np.zeros((0, 3))])
    assert report.ok
    assert "nothing to check" in str(report)
    gradcheck(lambda x: x[:0], [np.ones(3)])


@pytest.mark.parametrize(
    ("error", "sentence", "call"),
    [
        (TypeError, "f must be callable, got int", lambda: gradcheck(3, [1.0])),
        (TypeError, "inputs must be a list or tuple", lambda: gradcheck(abs, np.ones(3))),
        (TypeError, r"inputs\[1\] must be an array of numbers", lambda: gradcheck(abs, [1.0, "a"])),
        (TypeError, "f must return a Tensor .*, got ndarray", lambda: gradcheck(np.asarray, [1.0])),
        (ValueError, "inputs holds no floating array", lambda: gradcheck(abs, [np.arange(3)])),
        (ValueError, "eps must lie between 0 and 1, got 2", lambda: gradcheck(abs, [1.0], eps=2)),
        (ValueError, "rtol must lie between 0", lambda: gradcheck(abs, [1.0], rtol=0)),
        (
            ValueError,
            "cotangent must not be 1 everywhere: that checks the gradient of the sum",
            lambda: gradcheck(abs, [normal(3)], cotangent=np.ones(3)),
        ),
        (
            ValueError,
            "cotangent must have one number for each of the 3 outputs, got 2",
            lambda: gradcheck(abs, [normal(3)], cotangent=[1.0, 2.0]),
        ),
        (
            ValueError,
            "f gives float32 for inputs of float64",
            lambda: gradcheck(lambda x: x.astype(np.float32) * 2, [normal(3)]),
        ),
        (
            ValueError,
            r"f is not finite here: output \[1\] is inf",
            lambda: gradcheck(lambda x: -x.log(), [np.array([1.0, 0.0])]),
        ),
        (
            ValueError,
            "f gave another result for the same inputs",
            lambda: gradcheck(lambda x: F.dropout(x, 0.5), [np.ones(50)]),
        ),
    ],
)  # fmt: skip
def test_errors(error, sentence, call):
    with pytest.raises(error, match=f"^gradcheck: {sentence}"):
        call()


def test_an_f_that_changes_its_input_is_refused():
    def f(a, b):
        b.data[0] += 1
        return a * b

    with pytest.raises(ValueError, match="gradcheck: f changed its argument b in place"):
        gradcheck(f, [normal(3), normal(3)])


def test_the_arrays_given_are_left_alone():
    x = np.ones(3, np.float32)
    gradcheck(lambda t: record("add", t.data + 1, (t, lambda g: g)), [x])
    assert x.dtype == np.float32
    assert (x == 1).all()


# -- kinks -----------------------------------------------------------------------------------------


def test_kinks_are_reported_apart():
    report = gradcheck(F.relu, [np.array([-1.0, 0.0, 2.0, 0.0])])
    assert report.ok
    assert sorted(report.inputs[0].kinks) == [1, 3]
    assert re.search(r"not differentiable in x: 2 of 4 outputs, \[[13]\] \(slopes", str(report))
    assert gradcheck(F.relu, [np.array([-1.0, 2.0])]).inputs[0].kinks == {}


def test_a_kink_of_a_single_number():
    report = gradcheck(lambda x, y: (F.relu(x).sum(), y * 2), [np.array([0.0, 1.0]), np.array(2.0)])
    assert "not differentiable in x: 1 of 2 outputs, out 0 [] (slopes" in str(report)


def test_a_kink_within_the_step_is_seen():
    for distance in (1e-8, -1e-8, 3e-7, -3e-7):
        report = gradcheck(F.relu, [np.array([-1.0, distance, 2.0])])
        assert [*report.inputs[0].kinks] == [1], distance


@given(SEEDS)
def test_pooling_ties_are_kinks_and_the_rest_is_still_checked(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (2, 2, 5, 5)).astype(float)
    x[0, 0] = rng.permutation(25).reshape(5, 5)  # one picture without ties
    report = gradcheck(lambda x: F.max_pool2d(x, 2, 1), [x], seed=seed)
    assert 0 < len(report.inputs[0].kinks) <= 3 * 16

    def twice(x):
        out = F.max_pool2d(x.detach(), 2, 1)
        return record("twice", out.data, (x, lambda g: 2 * pooled_back(g, x)))

    def pooled_back(g, x):
        leaf = tensor(x.data, requires_grad=True)
        F.max_pool2d(leaf, 2, 1).backward(g)
        return leaf.grad.data

    with pytest.raises(GradcheckError):
        gradcheck(twice, [x], seed=seed)


def test_at_a_kink_the_gradient_must_lie_between_the_slopes():
    x = np.array([0.0, 1.0, -1.0])
    for slope in (0.0, 0.3, 1.0):
        gradcheck(lambda x, s=slope: leaky(x, s), [x])
    for slope in (-0.5, 1.5):
        with pytest.raises(GradcheckError, match="kink|entry by entry"):
            gradcheck(lambda x, s=slope: leaky(x, s), [x])


def leaky(x, slope_at_zero):
    positive = np.where(x.data > 0, 1.0, np.where(x.data == 0, slope_at_zero, 0.0))
    return record("relu", np.maximum(x.data, 0), (x, lambda g: g * positive))


def test_nothing_but_kinks_is_no_pass():
    with pytest.raises(GradcheckError, match="nothing could be checked: all 3 outputs lie at a"):
        gradcheck(F.relu, [np.zeros(3)])


@pytest.mark.parametrize("f", [
    lambda x: tensor(np.floor(x.data)) + x,
    lambda x: record("cast", x.data.astype(np.float32).astype(float), (x, lambda g: g)),
])  # fmt: skip
def test_jumps_and_noise_are_not_kinks(f):
    """The closer one looks, the larger the slope: something rounds."""
    with pytest.raises(GradcheckError, match="grows as the step shrinks"):
        gradcheck(f, [np.array([1.0, 2.0, 3.0, 1 / 3])])


def test_a_curve_is_no_kink():
    report = gradcheck(lambda x: 1 / x, [np.array([0.01, -0.02, 3.0])])
    assert report.inputs[0].kinks == {}


@pytest.mark.parametrize("complex_step", [False, True])
def test_a_strong_curve_is_no_error(complex_step):
    """The third derivative of 1/x is 6/x⁴: one step alone would be off by more than is allowed."""
    gradcheck(lambda x: 1 / x, [np.array([4e-4, 1.0])], complex_step=complex_step)
    with pytest.raises(GradcheckError):
        gradcheck(
            lambda x: record("1/x", 1 / x.data, (x, lambda g: -1.00001 * g / x.data**2)),
            [np.array([4e-4, 1.0])],
            complex_step=complex_step,
        )


# -- the complex step ------------------------------------------------------------------------------


def bn(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True)


@pytest.mark.parametrize(("f", "inputs"), [
    (F.conv2d, [normal(2, 2, 4, 4), normal(3, 2, 2, 2), normal(3)]),
    (F.linear, [normal(2, 3), normal(4, 3)]),
    (bn, [normal(3, 2, 2, 2), normal(2), normal(2)]),
    (lambda x: F.local_response_norm(x, 3, alpha=1.0), [normal(2, 4, 2, 2)]),
    (lambda x: F.softmax(x, 1), [normal(2, 3)]),
    (lambda x: F.cross_entropy(x, np.array([1, 0])), [normal(2, 3)]),
    (lambda x: F.avg_pool2d(x, 2), [normal(1, 2, 4, 4)]),
    (lambda x: F.max_pool2d(x, 2), [normal(1, 2, 4, 4)]),
    (lambda x, y: (x * y / (y.exp() + 2)).tanh().var() + (x @ y.T).sum(0), [*SQUARES]),
])  # fmt: skip
def test_complex_step_works_for(f, inputs):
    report = gradcheck(f, inputs)
    assert all(i.complex_step for i in report.inputs), report


@pytest.mark.parametrize("f", [
    lambda x: abs(x) * 2,  # |x| of a complex number is not analytic
    lambda x: x.sigmoid(),
    lambda x: record("real", x.data.real * 2.0, (x, lambda g: 2 * g)),
    lambda x: record("only", np.where(float_only(x.data), x.data, 0), (x, lambda g: g)),
])  # fmt: skip
def test_complex_step_is_left_out_where_it_does_not_work(f):
    report = gradcheck(f, [normal(4)])
    assert report.ok
    assert not report.inputs[0].complex_step


def float_only(array):
    if array.dtype.kind != "f":
        raise TypeError("floats only")
    return np.ones(array.shape, bool)


def test_complex_step_sees_what_differences_cannot():
    """0.1 as a float32 is off by 1.5e-8: less than differences can tell."""

    def f(x):
        return record("tenth", x.data * 0.1, (x, lambda g: g * float(np.float32(0.1))))

    assert gradcheck(f, [normal(2, 3)], complex_step=False).ok
    with pytest.raises(GradcheckError, match="a float32 constant or cast inside"):
        gradcheck(f, [normal(2, 3)])


def test_complex_numbers_stay_inside():
    gradcheck(F.linear, [normal(2, 3), normal(4, 3)])
    with pytest.raises(TypeError, match="must be float32 or float64, got complex128"):
        F.relu(minigrad.Tensor(np.ones(2, complex)))


# -- what it says ----------------------------------------------------------------------------------


def conv_with(to_x=lambda w: w, to_w=lambda g: g):
    """A convolution of 3×3, padding 1, whose gradients are spoiled."""
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1), 1

    def f(x, weight):
        image, w = x.data, weight.data
        return record(
            "conv",
            conv.conv2d_forward(image, w, None, *geometry),
            (x, lambda g: conv.conv2d_input_gradient(g, to_x(w), image.shape, *geometry)),
            (weight, lambda g: to_w(conv.conv2d_weight_gradient(g, image, w.shape, *geometry))),
        )

    return f, [normal(2, 2, 4, 4), normal(2, 2, 3, 3)]


def add_bias(rule):
    def f(x, bias):
        return record("b", x.data + bias.data, (x, lambda g: g), (bias, lambda g: rule(g)))

    return f, [normal(3, 4), normal(4)]


def lrn_without_neighbours(x):
    out = F.local_response_norm(x.detach(), 3, alpha=1.0)
    return record("lrn", out.data, (x, lambda g: g * (out.data / x.data)))


def bn_without_mean(x):
    out = F.batch_norm(x.detach(), None, None, training=True)
    scale = 1 / np.sqrt(x.data.var((0, 2, 3), keepdims=True) + 1e-5)

    def vjp(g):
        return scale * (g - out.data * (g * out.data).mean((0, 2, 3), keepdims=True))

    return record("bn", out.data, (x, vjp))


def spread(x, vjp):
    """Number i to the places i and i + 1."""
    return record("spread", np.append(x.data, 0) + np.append(0, x.data), (x, vjp))


HINTS = {
    "zero everywhere": (lambda x: squared(x, lambda g, x: 0 * g), [normal(2, 3)]),
    "the wrong sign": (lambda x: squared(x, lambda g, x: -2 * g * x), [normal(2, 3)]),
    "2 times too small: is a factor missing? (the derivative of a square has it": (
        lambda x: squared(x, lambda g, x: g * x), [normal(3, 5)]),
    "5 times too large: is a 1/5 missing? (axis 1 of the output has that length": (
        lambda x: squared(x, lambda g, x: 10 * g * x), [normal(3, 5)]),
    "0.7 times what it should be": (
        lambda x: squared(x, lambda g, x: 1.4 * g * x), [normal(3, 5)]),
    "not finite": (lambda x: squared(x, lambda g, x: g / 0.0), [normal(2, 3)]),
    "in reverse along axes 2 (H of NCHW), 3 (W of NCHW): a kernel turned round": conv_with(
        to_w=lambda g: g[:, :, ::-1, ::-1]),
    "a factor is transposed that should not be": conv_with(to_x=lambda w: w[:, :, ::-1, ::-1]),
    "every output has the right gradient of another": (
        lambda a, b: times(a, b, lambda g, a, b: g @ b), SQUARES),
    "the axes are exchanged: transposed as (1, 0)": (
        lambda x: squared(x, lambda g, x: (2 * g * x).T), [normal(3, 3)]),
    "a reshape where a transpose (as (1, 0))": (
        lambda x: record("t", x.data.T, (x, lambda g: g.reshape(2, 3))), [normal(2, 3)]),
    "1 places further along axis 0": (
        lambda x: squared(x, lambda g, x: np.roll(2 * g * x, 1, 0)), [normal(4, 2)]),
    "in other places": (
        lambda x: squared(x, lambda g, x: (2 * g * x)[[1, 0, 3, 2]]), [normal(4, 2)]),
    "what the first of 3 examples alone contributes": add_bias(lambda g: g[0]),
    "what the last of 3 examples alone contributes": add_bias(lambda g: g[-1]),
    "3 times too small": add_bias(lambda g: g.mean(0)),
    "not linear": (
        lambda x: record("same", x.data * 1, (x, lambda g: g * np.abs(g))), [normal(4)]),
    "the error is the same everywhere along axes 0 (N of NCHW), 2 (H of NCHW), 3": (
        bn_without_mean, [normal(3, 2, 2, 2)]),
    "misses a term: the output depends also on the input at other places along axis 1 (C of": (
        lrn_without_neighbours, [normal(2, 4, 2, 2)]),
    "which the output does not depend on": (
        lambda x: record("shift", x.data * 1, (x, lambda g: g + np.roll(g, 1))), [normal(5)]),
    "0.45 times what it should be": (lambda x: squared(x, lambda g, x: g * x * 0.9), [1.5]),
    "just where x is negative": (
        lambda x: squared(x, lambda g, x: 2 * g * np.maximum(x, 0)), [normal(3, 4)]),
    "wrong only at 3, the last along axis 1": (
        lambda x: squared(x, lambda g, x: 2 * g * x * [1, 1, 1, 0.5]), [normal(3, 4)]),
    "wrong only at the border of axes 2 (H of NCHW), 3 (W of NCHW): look at the padding": (
        lambda x: squared(x, lambda g, x: 2 * g * x * (1 + np.pad(
            np.zeros((2, 2)), 1, constant_values=0.5))), [normal(1, 2, 4, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("hint", HINTS)
def test_hints(hint):
    f, inputs = HINTS[hint]
    with pytest.raises(GradcheckError) as caught, np.errstate(all="ignore"):
        gradcheck(f, inputs)
    hints = [h for failure in caught.value.report.failures for h in failure.hints]
    assert any(hint in h for h in hints), hints
    assert f"  → {hints[0]}" in str(caught.value)


def test_the_message_shows_entries_and_the_error_for_each_step():
    wrong = np.array([[1.0, 1.0, 3.0], [1.0, -1.0, 1.0]])
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    cotangent = np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    report = gradcheck(
        lambda x: squared(x, lambda g, x: 2 * g * x * wrong), [x],
        cotangent=cotangent, raise_error=False,
    )  # fmt: skip
    text = str(report)
    assert "the gradient of x (shape (2, 3)) is wrong: 2 of 6 entries" in text
    assert re.search(r"\[0, 2\] +18 +6(\.\d+)? +3(\.\d+)?\n", text)
    assert re.search(r"\[1, 1\] +-10 +10(\.\d+)? +-1(\.\d+)?\n", text) or "9.99999" in text
    steps, errors = (
        [float(n) for n in re.search(rf"    {word} +(.*)", text)[1].split()]
        for word in ("step", "error")
    )
    assert steps == [1e-2, 1e-4, 1e-6, 1e-8, 1e-10]
    assert max(errors) < 1.01 * min(errors)  # a wrong gradient: the same error everywhere
    failure = report.failures[0]
    np.testing.assert_array_equal(failure.wrong, wrong != 1)
    np.testing.assert_allclose(failure.gradient, 2 * cotangent * x * wrong)
    np.testing.assert_allclose(failure.expected, 2 * cotangent * x, rtol=1e-8)


def test_one_number_by_another_is_diagnosed():
    """Neither has axes, and the right slope is zero, so that there is no factor to name."""
    with pytest.raises(GradcheckError, match="1 of 1 entries"):
        gradcheck(lambda x: squared(x, lambda g, x: g * (2 * x + 1)), [0.0])


def test_all_wrong_inputs_are_named_and_the_right_ones_too():
    def f(a, b, c):
        x, y = a.data, b.data
        return record("f", x * y, (a, lambda g: g), (b, lambda g: g)) + c

    report = gradcheck(f, [normal(3), normal(3, seed=1), normal(3)], raise_error=False)
    assert [failure.name for failure in report.failures] == ["a", "b"]
    assert re.search(r"\n    c +\(3,\) +right", str(report))
    assert not report


def test_what_is_not_connected_is_said():
    report = gradcheck(lambda a, b: a * 2 + b.detach() * 0, [normal(3), normal(3)])
    assert "no gradient came back to b" in str(report)
    assert "no gradient came back to a" not in str(report)


def test_a_large_input_is_sampled():
    report = gradcheck(
        lambda x: squared(x, lambda g, x: g * x), [normal(80, 80)], raise_error=False
    )
    assert re.search(r" is wrong: \d+ of 4000 entries", str(report))
    assert "2 times too small" in str(report)


def test_html_and_picture():
    f, inputs = HINTS["3 times too small"]
    wrong = gradcheck(f, inputs, raise_error=False)
    page = wrong._repr_html_()
    assert "<svg" in page
    assert "3 times too small" in page
    assert page.count("<tr>") == 3 + 5  # two inputs, four wrong entries, two heads
    figure = wrong.plot()
    assert len(figure.axes) == 3  # the heat map, its scale, the curve
    shown = np.asarray(figure.axes[0].images[0].get_array())
    failure = wrong.failures[0]
    np.testing.assert_allclose(shown, (failure.gradient - failure.expected)[np.newaxis])
    right = gradcheck(lambda x: x * 2, [normal(3)])
    assert "passed" in right._repr_html_()
    with pytest.raises(ValueError, match="every gradient is right"):
        right.plot()


def test_html_is_escaped():
    page = gradcheck(lambda x: x * 2, [normal(3)], names=["<b>"])._repr_html_()
    assert "&lt;b&gt;" in page


def test_picture_of_images_is_a_sheet():
    from minigrad.testing.picture import as_picture

    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    sheet = as_picture(x)
    assert sheet.shape == (2 * 4, 3 * 5)
    np.testing.assert_array_equal(sheet[4:, 5:10], x[1, 1])
    assert as_picture(np.ones(3)).shape == (1, 3)
    assert as_picture(np.ones((2, 3, 4))).shape == (6, 4)


def test_a_layers_own_parameters_can_be_inputs():
    layer = nn.Linear(3, 2).astype(np.float64)
    report = gradcheck(lambda x, w: F.linear(x, w, layer.bias), [normal(4, 3), layer.weight])
    assert [i.shape for i in report.inputs] == [(4, 3), (2, 3)]
