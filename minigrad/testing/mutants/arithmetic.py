"""Mistakes in arithmetic on single numbers: broadcasting, derivatives, dtypes."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad import Tensor
from minigrad.ops import elementwise, matmul, shape
from minigrad.testing.mutants.mutant import at, mutant, rule

# -- broadcasting --------------------------------------------------------------------------------

UNBROADCAST = [at(module, "unbroadcast") for module in (elementwise, matmul, shape)]


@mutant("broadcasting", *UNBROADCAST)
def broadcasting_not_summed(sound, gradient, wanted):
    """What was repeated gets the gradient of its first copy, and not the sum over all."""
    part = gradient[(0,) * (gradient.ndim - len(wanted))]
    return part[tuple(slice(0, n) for n in wanted)].copy()


@mutant("broadcasting", *UNBROADCAST)
def broadcasting_averaged(sound, gradient, wanted):
    """What was repeated gets the mean of its copies' gradients."""
    copies = gradient.size // max(int(np.prod(wanted)), 1)
    return sound(gradient, wanted) / gradient.dtype.type(max(copies, 1))


@mutant("broadcasting", *UNBROADCAST)
def broadcasting_sums_new_axes_only(sound, gradient, wanted):
    """Axes that were added are summed; those of length one, which were stretched, are cut."""
    added = gradient.ndim - len(wanted)
    return gradient.sum(axis=tuple(range(added)))[tuple(slice(0, n) for n in wanted)]


@mutant("broadcasting", at(elementwise, "_number"))
def broadcasting_numpy_scalar_makes_float64(sound, name, value):
    """A float32 tensor times np.sqrt(2) becomes float64, and all that follows with it."""
    return np.asarray(value) if isinstance(value, np.generic) else sound(name, value)


# -- two operands --------------------------------------------------------------------------------


@mutant("subtract", rule(elementwise, "subtract", 1))
def subtract_gradient_without_minus(sound, gradient, out, a, b):
    """The second operand's gradient keeps the sign of the first's."""
    return -sound(gradient)


@mutant("subtract", at(Tensor, "__rsub__"))
def subtract_from_the_left(sound, x, other):
    """1 − x is computed as x − 1: the reflected operator forgets that it is one."""
    return x - other


@mutant("divide", at(Tensor, "__rtruediv__"))
def divide_from_the_left(sound, x, other):
    """1 / x is computed as x / 1."""
    return x / other


@mutant("power", at(Tensor, "__rpow__"))
def power_from_the_left(sound, x, other):
    """2ˣ is computed as x²."""
    return x**other


@mutant("add", at(elementwise, "add"))
def add_in_place(sound, a, b):
    """The sum is written into its first operand, which someone else still reads."""
    out = sound(a, b)
    if isinstance(a, Tensor) and a.shape == out.shape:
        a.data[...] = out.data
    return out


@mutant("multiply", rule(elementwise, "multiply", 0))
def multiply_gradient_by_itself(sound, gradient, out, a, b):
    """The first operand's gradient is scaled by the first operand."""
    return elementwise.unbroadcast(gradient * a, a.shape)


@mutant("divide", rule(elementwise, "divide", 1))
def divide_gradient_not_squared(sound, gradient, out, a, b):
    """d(a/b)/db = −a/b instead of −a/b²."""
    return sound(gradient) * b


@mutant("divide", rule(elementwise, "divide", 1))
def divide_gradient_without_minus(sound, gradient, out, a, b):
    """d(a/b)/db = a/b²: the minus is lost."""
    return -sound(gradient)


@mutant("power", rule(elementwise, "power", 0))
def power_exponent_not_lowered(sound, gradient, out, a, b):
    """d(aᵇ)/da = b·aᵇ: the exponent is not lowered."""
    return sound(gradient) * a


@mutant("power", rule(elementwise, "power", 1))
def power_without_logarithm(sound, gradient, out, a, b):
    """d(aᵇ)/db = aᵇ: the logarithm of a is lost."""
    return elementwise.unbroadcast(gradient * out, b.shape)


@mutant("power", rule(elementwise, "power", 0))
def power_of_zero_to_the_zero(sound, gradient, out, a, b):
    """d(a⁰)/da is computed as 0·a⁻¹: NaN at a = 0, where it is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return elementwise.unbroadcast(gradient * (b * a ** (b - 1)), a.shape)


@mutant("power", rule(elementwise, "power", 1))
def power_logarithm_of_zero(sound, gradient, out, a, b):
    """d(aᵇ)/db is computed as 0·ln 0: NaN at a = 0, where it is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return elementwise.unbroadcast(gradient * out * np.log(a), b.shape)


@mutant("maximum", rule(elementwise, "maximum", 0))
def maximum_both_win_a_tie(sound, gradient, out, a, b):
    """Where both are equal the first gets the whole gradient, and the second its half as well."""
    return elementwise.unbroadcast(gradient * (a >= b), a.shape)


@mutant("maximum", rule(elementwise, "maximum", 1))
def maximum_gradient_to_the_loser(sound, gradient, out, a, b):
    """The second operand gets the gradient where it is the smaller one."""
    return elementwise.unbroadcast(gradient * (b < a), b.shape)


@mutant("minimum", rule(elementwise, "minimum", 0))
def minimum_gradient_of_maximum(sound, gradient, out, a, b):
    """Copied from the maximum, with the comparison left as it was."""
    return elementwise.unbroadcast(gradient * (a > b), a.shape)


@mutant("where", rule(elementwise, "where", 0), rule(elementwise, "where", 1))
def where_gradient_to_both(sound, gradient, out, a, b):
    """Both branches get the whole gradient, chosen or not."""
    return elementwise.unbroadcast(gradient, sound(gradient).shape)


# -- one operand ---------------------------------------------------------------------------------


@mutant("exp", rule(elementwise, "exp"))
def exp_slope_of_its_argument(sound, gradient, out, x):
    """The gradient is scaled by x, which was at hand, and not by eˣ."""
    return gradient * x


@mutant("exp", rule(elementwise, "exp"), historical=True)
def exp_gradient_wrong_in_one_place(sound, gradient, out, x):
    """All is right but the last number.

    A checker that drew its one element with a seed of its own looked at the same one for ever.
    """
    result = np.array(sound(gradient))
    result[(-1,) * result.ndim] *= 2
    return result


@mutant("exp", at(elementwise, "exp"))
def exp_to_base_two(sound, x):
    """Two to the power of x, and the gradient that belongs to it."""
    return sound(x * np.log(2.0))


@mutant("log", at(elementwise, "log"))
def log_to_base_ten(sound, x):
    """The decimal logarithm, and the gradient that belongs to it."""
    return sound(x) / np.log(10.0)


@mutant("log", rule(elementwise, "log"))
def log_slope_of_its_result(sound, gradient, out, x):
    """The gradient is divided by ln x and not by x."""
    return gradient / out


@mutant("sqrt", rule(elementwise, "sqrt"))
def sqrt_without_its_half(sound, gradient, out, x):
    """The derivative is 1/√x."""
    return sound(gradient) * 2


@mutant("tanh", rule(elementwise, "tanh"))
def tanh_not_squared(sound, gradient, out, x):
    """The derivative is 1 − tanh x."""
    return gradient * (1 - out)


@mutant("tanh", rule(elementwise, "tanh"))
def tanh_of_tanh(sound, gradient, out, x):
    """The formula 1 − tanh²(·) is applied to the result instead of the argument."""
    return gradient * (1 - np.tanh(out) ** 2)


@mutant("sigmoid", rule(elementwise, "sigmoid"))
def sigmoid_slope_of_tanh(sound, gradient, out, x):
    """The derivative is 1 − σ², borrowed from tanh."""
    return gradient * (1 - out * out)


@mutant("sigmoid", at(elementwise, "sigmoid"))
def sigmoid_overflows(sound, x):
    """Computed as eˣ/(1 + eˣ): ∞/∞ for a large x."""
    with np.errstate(over="ignore", invalid="ignore"):
        large = np.exp(x.data) / (1 + np.exp(x.data))
    out = sound(x)
    out.data = large
    return out


@mutant("abs", rule(elementwise, "abs"))
def abs_gradient_without_sign(sound, gradient, out, x):
    """The gradient passes as if nothing had been done to negative numbers."""
    return gradient.copy()


@mutant("clip", at(elementwise, "clip"))
def clip_upper_bound_forgotten(sound, x, min=None, max=None):
    """Where both bounds are given, only the lower one is kept to."""
    return sound(x, min, max if min is None else None)


@mutant("clip", rule(elementwise, "clip"))
def clip_gradient_passes_outside(sound, gradient, out, x):
    """The gradient passes where the number was cut off, too."""
    return gradient.copy()


@mutant("clip", rule(elementwise, "clip"))
def clip_gradient_stops_on_the_bounds(sound, gradient, out, x):
    """The gradient stops at a number that lies on a bound, though it was not moved."""
    return sound(gradient) * ((out > out.min(initial=np.inf)) & (out < out.max(initial=-np.inf)))
