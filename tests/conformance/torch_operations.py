"""PyTorch's functions, with PyTorch's arguments, each written as calls of minigrad.

What they cannot express they say by `LeftOut`. An argument that none of the samples gives is not
among the parameters here; a sample that gives it is a TypeError, which the judge reports.
"""

import operator
from collections.abc import Callable
from typing import Any

import minigrad
from minigrad import Tensor
from minigrad import functional as F
from tests.conformance.verdicts import LeftOut


def one_image(function: Callable) -> Callable:
    """Let a function of images (N, C, H, W) take a single one (C, H, W), as PyTorch's do."""

    def call(x, *arguments, **options):
        if x.ndim != 3:
            return function(x, *arguments, **options)
        return function(x.unsqueeze(0), *arguments, **options).squeeze(0)

    return call


def both(value):
    """Turn PyTorch's (2,) into (2, 2)."""
    return tuple(value) * 2 if isinstance(value, tuple | list) and len(value) == 1 else value


# -- windows -----------------------------------------------------------------------------------


@one_image
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return F.conv2d(x, weight, bias, both(stride), both(padding), both(dilation), groups)


def max_pool2d(
    x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    options = kernel_size, stride, padding, dilation, ceil_mode
    out = one_image(F.max_pool2d)(x, *options)
    return (out, LeftOut("indices: our max pooling gives none")) if return_indices else out


@one_image
def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):  # fmt: skip
    stride = both(stride) or None  # () stands for None
    out = F.avg_pool2d(x, kernel_size, stride, both(padding), ceil_mode, count_include_pad)
    if divisor_override is None:
        return out
    if divisor_override == 0:
        raise LeftOut("divisor_override: ours divides by the size of the window")
    # With the border in the image, and no window hanging over, every divisor is the kernel's area.
    kernel, steps, border = ((v, v) if isinstance(v, int) else v for v in
                             (kernel_size, stride or kernel_size, both(padding)))  # fmt: skip
    pads = []
    for axis in (1, 0):
        span = (out.shape[2 + axis] - 1) * steps[axis] + kernel[axis]
        pads += [border[axis], span - border[axis] - x.shape[2 + axis]]
    sums = F.avg_pool2d(F.pad(x, pads), kernel, steps) * (kernel[0] * kernel[1])
    return sums / divisor_override


@one_image
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    return F.im2col(x, kernel_size, stride, padding, dilation)


def unfold_and_fold(x, kernel_size, dilation=1, padding=0, stride=1):
    window = kernel_size, stride, padding, dilation
    return F.col2im(F.im2col(x, *window), x.shape[2:], *window)


# -- normalisation, losses ---------------------------------------------------------------------


def batch_norm(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    if x.ndim < 2:
        raise LeftOut("one axis: ours wants (N, C)")
    if not training:
        momentum = 0.1  # means nothing there; PyTorch lets anything pass
    if not 0 <= momentum <= 1:
        raise LeftOut("momentum below 0: ours is a share")
    statistics = running_mean, running_var
    out = F.batch_norm(x, *statistics, weight, bias, training, momentum, eps)
    return (out, *(s for s in statistics if s is not None))


def softmax(x, dim, dtype=None):
    return F.softmax(of_dtype(x, dtype), axis_of(x, dim))


def log_softmax(x, dim, dtype=None):
    return F.log_softmax(of_dtype(x, dtype), axis_of(x, dim))


def of_dtype(x, dtype):
    return x if dtype is None else x.astype(str(dtype).removeprefix("torch."))


# -- shapes ------------------------------------------------------------------------------------


def axis_of(x, dim):
    """Turn a `dim` into an axis."""
    if x.ndim == 0 and dim is not None:
        raise LeftOut("an axis of a number without axes: an IndexError here")
    return tuple(dim) if isinstance(dim, tuple | list) else dim


def cat(tensors, dim=0):
    parts = list(tensors) if isinstance(tensors, tuple | list) else tensors
    if isinstance(parts, list) and {getattr(part, "shape", None) for part in parts} > {(0,)}:
        raise LeftOut("an empty vector among others: a ValueError here")
    return F.concat(parts, dim)


def pad(x, pad, mode="constant", value=None):
    if mode != "constant":
        raise LeftOut("borders that are not constant")
    return F.pad(x, pad, 0.0 if value is None else value)


def squeeze(x, dim=None):
    if dim is None:
        return x.squeeze()
    axes = axis_of(x, dim)
    if any(x.shape[a] != 1 for a in (axes if isinstance(axes, tuple) else (axes,))):
        raise LeftOut("squeezing an axis longer than 1: a ValueError here")
    return x.squeeze(axes)


def transpose(x, dim0, dim1):
    return x.transpose(axis_of(x, dim0), dim1)


def t(x):
    if x.ndim > 2:
        raise LeftOut("t of more than two axes: our T reverses them all")
    return x.T


def expand(x, shape):
    added = len(shape) - x.ndim
    return x.broadcast_to([x.shape[i - added] if n == -1 else n for i, n in enumerate(shape)])


def unbind(x, dim=0):
    return tuple(x.permute(dim, *(i for i in range(x.ndim) if i != dim % x.ndim)))


# -- reductions --------------------------------------------------------------------------------


def reduction(name: str) -> Callable:
    def call(x, dim=None, keepdim=False):
        if dim == ():
            dim = None  # to PyTorch an empty list means all axes
        return getattr(x, name)(axis_of(x, dim), keepdim)

    return call


def mean(x, dim=None, keepdim=False, dtype=None):
    if x.dtype.kind != "f" or dtype is not None:
        raise LeftOut("mean of, or in, another dtype: ours makes floats of integers")
    return reduction("mean")(x, dim, keepdim)


def max_along(name: str, sign: int) -> Callable:
    """Give max or min along an axis: the numbers, and where they stood."""

    def call(x, dim, keepdim=False):
        axis = axis_of(x, dim)
        places = (x * sign).argmax(axis)
        return getattr(x, name)(axis, keepdim), places.unsqueeze(axis) if keepdim else places

    return call


def argmax(x, dim=None, keepdim=False):
    found = x.argmax(axis_of(x, dim))
    return found.unsqueeze(dim) if keepdim else found


UNSAID = object()


def var(x, dim=None, unbiased=None, keepdim=False, correction=UNSAID):
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is UNSAID or correction is None:
        correction = 0 if unbiased is False else 1
    if isinstance(correction, float):
        raise LeftOut("correction by a fraction: ours is an integer")
    return x.var(axis_of(x, dim), keepdim, correction)


def var_mean(x, dim=None, unbiased=None, keepdim=False, correction=UNSAID):
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    spread = var(x, dim, unbiased, keepdim, correction)
    return spread, x.mean(axis_of(x, dim), keepdim)


# -- arithmetic --------------------------------------------------------------------------------


def divide(a, b, rounding_mode=None):
    if rounding_mode is not None:
        raise LeftOut("division with rounding")
    return a / b


def clamp(x, min=None, max=None):
    if min is not None:
        x = minigrad.maximum(x, min)
    return x if max is None else minigrad.minimum(x, max)


def masked_fill(x, mask, value):
    if isinstance(value, Tensor) and value.ndim > 0:
        raise LeftOut("masked_fill: written with where, whose operands broadcast")
    return minigrad.where(mask, value, x)


def addmm(x, a, b, alpha=1, beta=1):
    return beta * x + alpha * (a @ b)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "__getitem__": operator.getitem,
    "__radd__": Tensor.__radd__,
    "__rdiv__": Tensor.__rtruediv__,
    "__rmatmul__": Tensor.__rmatmul__,
    "__rmul__": Tensor.__rmul__,
    "__rpow__": Tensor.__rpow__,
    "__rsub__": Tensor.__rsub__,
    "abs": Tensor.abs,
    "add": lambda a, b, alpha=1: a + alpha * b,
    "addmm": addmm,
    "amax": reduction("max"),
    "amin": reduction("min"),
    "argmax": argmax,
    "bmm": operator.matmul,
    "broadcast_to": Tensor.broadcast_to,
    "cat": cat,
    "clamp": clamp,
    "div": divide,
    "dot": operator.matmul,
    "eq": operator.eq,
    "exp": Tensor.exp,
    "expand": expand,
    "flatten": lambda x, start_dim=0, end_dim=-1: x.flatten(start_dim, end_dim),
    "fold": unfold_and_fold,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "log": Tensor.log,
    "log_softmax": log_softmax,
    "lt": operator.lt,
    "masked_fill": masked_fill,
    "matmul": operator.matmul,
    "max.binary": minigrad.maximum,
    "max.reduction_no_dim": reduction("max"),
    "max.reduction_with_dim": max_along("max", 1),
    "maximum": minigrad.maximum,
    "mean": mean,
    "min.binary": minigrad.minimum,
    "min.reduction_no_dim": reduction("min"),
    "min.reduction_with_dim": max_along("min", -1),
    "minimum": minigrad.minimum,
    "mm": operator.matmul,
    "mul": operator.mul,
    "mv": operator.matmul,
    "ne": operator.ne,
    "neg": operator.neg,
    "nn.functional.adaptive_avg_pool2d": one_image(F.adaptive_avg_pool2d),
    "nn.functional.avg_pool2d": avg_pool2d,
    "nn.functional.batch_norm": batch_norm,
    "nn.functional.conv2d": conv2d,
    "nn.functional.cross_entropy": F.cross_entropy,
    "nn.functional.dropout": F.dropout,
    "nn.functional.hardtanh": lambda x, min_val=-1.0, max_val=1.0: x.clip(min_val, max_val),
    "nn.functional.linear": F.linear,
    "nn.functional.local_response_norm": F.local_response_norm,
    "nn.functional.max_pool2d": max_pool2d,
    "nn.functional.nll_loss": F.nll_loss,
    "nn.functional.pad": pad,
    "nn.functional.relu": F.relu,
    "nn.functional.relu6": lambda x: x.clip(0, 6),
    "nn.functional.unfold": unfold,
    "permute": Tensor.permute,
    "pow": operator.pow,
    "reciprocal": lambda x: 1 / x,
    "reshape": Tensor.reshape,
    "rsub": lambda a, b, alpha=1: b - alpha * a,
    "sigmoid": Tensor.sigmoid,
    "softmax": softmax,
    "sqrt": Tensor.sqrt,
    "square": lambda x: x**2,
    "squeeze": squeeze,
    "stack": minigrad.stack,
    "sub": lambda a, b, alpha=1: a - alpha * b,
    "sum": reduction("sum"),
    "t": t,
    "tanh": Tensor.tanh,
    "transpose": transpose,
    "true_divide": operator.truediv,
    "unbind": unbind,
    "unsqueeze": Tensor.unsqueeze,
    "var": var,
    "var_mean": var_mean,
    "view": Tensor.reshape,
    "where": lambda x, condition, other: minigrad.where(condition, x, other),
}

# Those whose kernels stand in several rungs; the others have one version.
WITHOUT_RUNGS = {"nn.functional.hardtanh", "nn.functional.pad", "nn.functional.relu6"}
WITH_RUNGS = {
    "cat", "fold", "log_softmax", "softmax",
    *(name for name in OPERATIONS if name.startswith("nn.") and name not in WITHOUT_RUNGS),
}  # fmt: skip

# PyTorch's functions want a tensor in the first place at least; these take numbers as well.
TAKE_NUMBERS = {
    "add", "div", "eq", "ge", "gt", "le", "lt", "max.binary", "maximum", "min.binary", "minimum",
    "mul", "ne", "pow", "rsub", "sub", "true_divide",
    *(name for name in OPERATIONS if name.startswith("__r")),
}  # fmt: skip
