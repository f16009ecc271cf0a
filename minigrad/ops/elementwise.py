"""Operations on one number at a time, with broadcasting: arithmetic, exp, tanh, where, …

Shapes broadcast as in NumPy. What broadcasting repeats going forward, its transpose sums going
back: that is `unbroadcast`, and with it every rule below is the one from the table of derivatives.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, Variable, as_array, record
from minigrad.dtypes import is_floating, is_small, rounded
from minigrad.ops.arguments import check_same_device, complex_allowed

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

Operand = Any  # a Tensor, an array, or a Python number


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum `gradient` over the axes along which an array of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    stretched = [
        added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1
    ]
    return gradient.sum(axis=(*range(added), *stretched), keepdims=True).reshape(shape)


def operands(name: str, *values: Operand) -> Sequence["Tensor"]:
    """Make tensors of all `values`, of dtypes that combine without surprise.

    A Python number, or a NumPy scalar, takes the dtype of the tensors it meets; an integer tensor
    that meets a floating one takes the floating dtype, so that float32 stays float32.
    """
    first = values[0]
    if isinstance(first, Variable) and first.data.dtype.kind == "f":
        dtype = first.data.dtype
        for value in values:
            if not isinstance(value, Variable) or value.data.dtype is not dtype:
                break
            if type(value.data) is not np.ndarray:  # on a GPU: which one?
                break
        else:  # the usual case: nothing to find out
            return values
    some = next((value for value in values if isinstance(value, Variable)), None)
    if some is None:
        kinds = ", ".join(type(value).__name__ for value in values)
        raise TypeError(f"{name}: at least one operand must be a Tensor, got {kinds}")
    tensor_places = [i for i, value in enumerate(values) if isinstance(value, Variable)]
    for i in tensor_places[1:]:
        check_same_device(name, f"operand {i}", values[i], f"operand {tensor_places[0]}", some)
    numbers = [_number(name, value) for value in values]
    dtype = _common_dtype(numbers)
    tensors: list[Any] = [
        value if isinstance(value, Variable) else some.new(_beside(number, dtype, some.data))
        for value, number in zip(values, numbers, strict=True)
    ]
    return [t if t.data.dtype == dtype else cast(t, dtype) for t in tensors]


def _beside(number: Any, dtype: np.dtype, array: Array) -> Array:
    """Make an array of an operand that is none, on the device of another."""
    if isinstance(number, int | float) and type(array) is not np.ndarray:
        return device.library(array).full((), number, dtype)  # written there: no copy to wait for
    return device.put_like(as_array(number).astype(dtype), array)


def _number(name: str, value: Operand) -> Any:
    """Return the array, or the Python number, that an operand stands for; refuse the rest."""
    value = value.data if isinstance(value, Variable) else value
    if isinstance(value, np.generic):
        value = value.item()  # np.sqrt(2) is a float64, but must not make one of a float32 tensor
    if isinstance(value, int | float):
        return value
    dtype = getattr(value, "dtype", None)
    kinds = "iubc" if complex_allowed() else "iub"
    if dtype is None or not (is_floating(dtype) or dtype.kind in kinds):
        raise TypeError(
            f"{name}: an operand must be a Tensor, an array of real numbers or a number, "
            f"got {type(value).__name__}" + ("" if dtype is None else f" of {dtype}")
        )
    return value


def _common_dtype(values: list[Any]) -> np.dtype:
    arrays = [np.dtype(value.dtype) for value in values if hasattr(value, "dtype")]
    floats = [dtype for dtype in arrays if is_floating(dtype) or dtype.kind == "c"]
    if floats:
        return np.result_type(*floats)
    if any(isinstance(value, float) for value in values):
        return np.dtype(np.float32)
    return np.result_type(*(value.dtype if hasattr(value, "dtype") else value for value in values))


def cast(x: "Tensor", dtype: np.dtype) -> "Tensor":
    """Give `x` another dtype; the gradient comes back in its own."""
    before = x.data.dtype
    return record("cast", rounded(x.data, dtype), (x, lambda gradient: rounded(gradient, before)))


def widened(x: "Tensor") -> "Tensor":
    """Give a tensor of 16 bits float32, for an operation that is not done in 16."""
    return cast(x, np.dtype(np.float32)) if is_small(x.data.dtype) else x


def floating(x: "Tensor") -> "Tensor":
    """Give an integer or boolean tensor the default floating dtype, float32."""
    return (
        x
        if is_floating(x.data.dtype) or x.data.dtype.kind == "c"
        else x.new(x.data.astype(np.float32))
    )


def combine(name: str, function: Callable[..., Any], *arrays: Array) -> Any:
    """Compute ``function(*arrays)``, or say that the shapes, or the dtypes, do not allow it."""
    try:
        return function(*arrays)
    except ValueError:
        shapes = _listed(np.shape(array) for array in arrays)
        raise ValueError(f"{name}: shapes {shapes} do not broadcast") from None
    except TypeError:
        kinds = _listed(getattr(array, "dtype", type(array).__name__) for array in arrays)
        raise TypeError(f"{name}: not defined for {kinds}") from None


def _listed(things: Iterable[Any]) -> str:
    """Write "a, b and c"."""
    *others, last = map(str, things)
    return f"{', '.join(others)} and {last}" if others else last


# -- two operands ------------------------------------------------------------------------------


def add(a: Operand, b: Operand) -> "Tensor":
    """Return a + b."""
    a, b = operands("add", a, b)
    shape_a, shape_b = a.data.shape, b.data.shape
    return record(
        "add",
        combine("add", operator.add, a.data, b.data),
        (a, lambda gradient: unbroadcast(gradient, shape_a)),
        (b, lambda gradient: unbroadcast(gradient, shape_b)),
    )


def subtract(a: Operand, b: Operand) -> "Tensor":
    """Return a − b."""
    a, b = operands("subtract", a, b)
    shape_a, shape_b = a.data.shape, b.data.shape
    return record(
        "subtract",
        combine("subtract", operator.sub, a.data, b.data),
        (a, lambda gradient: unbroadcast(gradient, shape_a)),
        (b, lambda gradient: unbroadcast(-gradient, shape_b)),
    )


def multiply(a: Operand, b: Operand) -> "Tensor":
    """Return a · b. Each operand's gradient is scaled by the other."""
    a, b = operands("multiply", a, b)
    x, y = a.data, b.data
    shape_x, shape_y = x.shape, y.shape
    return record(
        "multiply",
        combine("multiply", operator.mul, x, y),
        (a, lambda gradient: unbroadcast(gradient * y, shape_x)),
        (b, lambda gradient: unbroadcast(gradient * x, shape_y)),
    )


def divide(a: Operand, b: Operand) -> "Tensor":
    """Return a / b. d(a/b)/da = 1/b and d(a/b)/db = −(a/b)/b."""
    a, b = (floating(t) for t in operands("divide", a, b))
    shape, y, shape_y = a.data.shape, b.data, b.data.shape
    quotient = combine("divide", operator.truediv, a.data, y)
    return record(
        "divide",
        quotient,
        (a, lambda gradient: unbroadcast(gradient / y, shape)),
        (b, lambda gradient: unbroadcast(-gradient * quotient / y, shape_y)),
    )


def power(a: Operand, b: Operand) -> "Tensor":
    """Return a to the power b. d(aᵇ)/da = b·aᵇ⁻¹ and d(aᵇ)/db = aᵇ·ln a (0 where a is 0).

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([3.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> x.grad
    tensor([6.], dtype=float32, device=cpu)
    """
    a, b = (floating(t) for t in operands("power", a, b))
    x, y = a.data, b.data
    result = combine("power", operator.pow, x, y)

    def to_base(gradient: Array) -> Array:
        slope = y * x ** np.where(y == 0, 1, y - 1)  # y = 0 is a constant, at x = 0 too
        return unbroadcast(gradient * slope, x.shape)

    def to_exponent(gradient: Array) -> Array:
        log = np.log(np.where(x == 0, 1, x))
        return unbroadcast(gradient * result * log, y.shape)

    return record("power", result, (a, to_base), (b, to_exponent))


def maximum(a: Operand, b: Operand) -> "Tensor":
    """Return the larger of a and b. Where they are equal each gets half of the gradient."""
    return _extreme("maximum", np.maximum, np.greater, a, b)


def minimum(a: Operand, b: Operand) -> "Tensor":
    """Return the smaller of a and b. Where they are equal each gets half of the gradient."""
    return _extreme("minimum", np.minimum, np.less, a, b)


def _extreme(name: str, choose: Any, wins: Any, a: Operand, b: Operand) -> "Tensor":
    a, b = operands(name, a, b)
    x, y = a.data, b.data

    def share(mine: Array, other: Array) -> Array:
        return wins(mine, other) + (mine == other) * mine.dtype.type(0.5)

    return record(
        name,
        combine(name, choose, x, y),
        (a, lambda gradient: unbroadcast(gradient * share(x, y), x.shape)),
        (b, lambda gradient: unbroadcast(gradient * share(y, x), y.shape)),
    )


def where(condition: Operand, a: Operand, b: Operand) -> "Tensor":
    """Return a where `condition` is true and b elsewhere.

    Parameters
    ----------
    condition : Tensor or array of bool
    a, b : Tensor, array or number
        All three broadcast together.

    Raises
    ------
    TypeError
        If `condition` does not hold booleans, or neither a nor b is a Tensor.
    ValueError
        If the three shapes do not broadcast.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.where(x > 0, x, 0.1 * x)
    tensor([-0.1,  2. ], dtype=float32, device=cpu)
    """
    mask = condition.data if isinstance(condition, Variable) else _mask(condition)
    model = next((t.data for t in (a, b) if isinstance(t, Variable)), mask)
    mask = device.put_like(mask, model)
    if mask.dtype != np.bool_:
        raise TypeError(f"where: condition must hold booleans, got dtype {mask.dtype}")
    a, b = operands("where", a, b)
    shape_a, shape_b = a.data.shape, b.data.shape
    return record(
        "where",
        combine("where", np.where, mask, a.data, b.data),
        (a, lambda gradient: unbroadcast(np.where(mask, gradient, 0), shape_a)),
        (b, lambda gradient: unbroadcast(np.where(mask, 0, gradient), shape_b)),
    )


def _mask(condition: Any) -> Array:
    try:
        return as_array(condition)
    except ValueError as error:  # lists of unequal lengths
        raise TypeError(f"where: condition must be an array of booleans ({error})") from None


# -- one operand -------------------------------------------------------------------------------


def negative(x: "Tensor") -> "Tensor":
    """Return −x."""
    return record("negative", combine("negative", operator.neg, x.data), (x, np.negative))


def exp(x: "Tensor") -> "Tensor":
    """Return eˣ, which is its own derivative."""
    x = floating(x)
    y = np.exp(x.data)
    return record("exp", y, (x, lambda gradient: gradient * y))


def log(x: "Tensor") -> "Tensor":
    """Return ln x; its derivative is 1/x."""
    x = floating(x)
    data = x.data
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(data)
    return record("log", y, (x, lambda gradient: gradient / data))


def sqrt(x: "Tensor") -> "Tensor":
    """Return √x; its derivative is 1/(2√x)."""
    x = floating(x)
    with np.errstate(invalid="ignore"):
        y = np.sqrt(x.data)
    return record("sqrt", y, (x, lambda gradient: gradient / (2 * y)))


def tanh(x: "Tensor") -> "Tensor":
    """Return tanh x; its derivative is 1 − tanh²x."""
    x = floating(x)
    y = np.tanh(x.data)
    return record("tanh", y, (x, lambda gradient: gradient * (1 - y * y)))


def sigmoid(x: "Tensor") -> "Tensor":
    """Return σ(x) = 1/(1 + e⁻ˣ); its derivative is σ(1 − σ).

    Computed from exp(−|x|), which no x overflows: 1/(1 + e⁻ˣ) for x ≥ 0, eˣ/(1 + eˣ) below, where
    the small numbers keep all of their digits.
    """
    x = floating(x)
    small = np.exp(-np.abs(x.data))
    y = np.where(x.data >= 0, 1, small) / (1 + small)
    return record("sigmoid", y, (x, lambda gradient: gradient * y * (1 - y)))


def absolute(x: "Tensor") -> "Tensor":
    """Return |x|; its derivative is the sign of x, and 0 at 0."""
    sign = combine("abs", np.sign, x.data)
    return record("abs", np.abs(x.data), (x, lambda gradient: gradient * sign))


def clip(x: "Tensor", min: float | None = None, max: float | None = None) -> "Tensor":
    """Return x with what lies below `min` or above `max` moved onto that bound.

    The gradient passes where x lies between the bounds, on them too, and stops outside. For bounds
    that are tensors, with gradients of their own, there are `maximum` and `minimum`.

    Raises
    ------
    TypeError, ValueError
        If a bound is not a number, neither is given, or `min` lies above `max`.
    """
    if min is None and max is None:
        raise ValueError("clip: give min, max or both")
    for argument, bound in (("min", min), ("max", max)):
        if bound is not None and not isinstance(bound, int | float | np.integer | np.floating):
            raise TypeError(f"clip: {argument} must be a number, got {type(bound).__name__}")
    if min is not None and max is not None and min > max:
        raise ValueError(f"clip: min must not lie above max, got min {min} and max {max}")
    x, *bounds = operands("clip", x, *(bound for bound in (min, max) if bound is not None))
    low = None if min is None else bounds[0].data
    high = None if max is None else bounds[-1].data
    inside = x.data >= low if low is not None else x.data <= high
    if low is not None and high is not None:
        inside &= x.data <= high
    return record("clip", np.clip(x.data, low, high), (x, lambda gradient: gradient * inside))
