"""ONNX operators, each written as calls of minigrad.

Each takes its inputs as Tensors (None where an optional one is missing) and its attributes by
name, so that an attribute it does not know is a TypeError and not overlooked. What it cannot
express it says by `LeftOut`. The operators are specified at onnx.ai/onnx/operators.
"""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

import minigrad
from minigrad import functional as F
from minigrad import nn, optim, tensor
from tests.conformance.onnx_windows import average_pool, col2im, conv, max_pool
from tests.conformance.verdicts import LeftOut

# -- normalisation -----------------------------------------------------------------------------


def batch_normalization(x, scale, bias, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0):
    before, count = var.numpy().copy(), x.size // x.shape[1]
    out = F.batch_norm(x, mean, var, scale, bias, bool(training_mode), 1 - momentum, epsilon)
    if not training_mode:
        return out
    # ONNX moves the running variance towards Σ(x − μ)²/M, we (and PyTorch) by Σ(x − μ)²/(M − 1).
    kept = tensor(momentum * before)
    return [out, mean, kept + (var - kept) * ((count - 1) / count)]


def instance_normalization(x, scale, bias, *, epsilon=1e-5):
    return normalized_in_groups(x, x.shape[1], epsilon) * column(scale, x) + column(bias, x)


def group_normalization(x, scale, bias, *, num_groups, epsilon=1e-5, stash_type=1):
    return normalized_in_groups(x, num_groups, epsilon) * column(scale, x) + column(bias, x)


def normalized_in_groups(x, groups, epsilon):
    """Normalise each group of channels of each image, as if it were a channel of one image."""
    one = x.reshape(1, x.shape[0] * groups, -1)
    return F.batch_norm(one, None, None, training=True, eps=epsilon).reshape(x.shape)


def column(per_channel, x):
    return per_channel.reshape(1, -1, *(1,) * (x.ndim - 2))


def layer_normalization(x, scale, bias=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = tuple(range(axis % x.ndim, x.ndim))
    mean = x.mean(axes, keepdims=True)
    inverse = 1 / (x.var(axes, keepdims=True) + epsilon).sqrt()
    out = (x - mean) * inverse * scale
    return [out if bias is None else out + bias, mean, inverse]


def lrn(x, *, size, alpha=1e-4, beta=0.75, bias=1.0):
    return F.local_response_norm(x, size, alpha, beta, bias)


# -- layers and losses -------------------------------------------------------------------------


def dropout(x, share=None, training=None, *, ratio=0.5, seed=None):
    p = float(share) if share is not None else ratio
    trains = training is not None and bool(training)
    if trains and p > 0:
        raise LeftOut("the mask that NumPy's generator draws: ours is a hash of a key")
    return [F.dropout(x, p, trains), np.ones(x.shape, bool)]


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    x, weight = a.T if transA else a, b if transB else b.T
    if c is not None and c.size == weight.shape[0] and alpha == beta == 1:
        return F.linear(x, weight, c.reshape(-1))
    out = F.linear(x, weight) * alpha
    return out if c is None else out + c * beta


def softmax_cross_entropy(scores, labels, weights=None, *, ignore_index=-100, reduction="mean"):
    options = weights, ignore_index, reduction
    return [F.cross_entropy(scores, labels, *options), F.log_softmax(scores, 1)]


def negative_log_likelihood(
    scores, labels, weights=None, *, ignore_index=-100, reduction="mean"
):  # fmt: skip
    return F.nll_loss(scores, labels, weights, ignore_index, reduction)


# -- optimisers: (rate, count, parameters…, gradients…, states…) → (parameters…, states…) -------


def in_columns(arrays, columns):
    """Cut [a1, a2, b1, b2] into rows [(a1, b1), (a2, b2)]."""
    length = len(arrays) // columns
    return list(zip(*(arrays[i * length : (i + 1) * length] for i in range(columns)), strict=True))


def stepped(make, arrays, names, state):
    """Make one step with an optimiser that remembers `arrays`; return what it has made of them."""
    rows = in_columns(arrays, 2 + len(names))
    parameters = [nn.Parameter(row[0].data) for row in rows]
    optimizer = make(parameters)
    for parameter, (_, gradient, *remembered) in zip(parameters, rows, strict=True):
        parameter.grad = gradient
        states = zip(names, remembered, strict=True)
        optimizer.state[parameter] = {**state, **{name: s.data for name, s in states}}
    optimizer.step()
    columns = [[optimizer.state[p][name] for p in parameters] for name in names]
    return [*parameters, *(array for column in columns for array in column)]


def momentum(rate, count, *arrays, alpha, beta, norm_coefficient, mode):
    if beta != 1 and int(count) > 0:
        raise LeftOut("beta: our momentum takes all of the gradient")

    def make(parameters):
        return optim.SGD(parameters, float(rate), alpha, norm_coefficient, mode == "nesterov")

    return stepped(make, arrays, ["velocity"], {})


def adam(rate, count, *arrays, alpha=0.9, beta=0.999, epsilon=0.0, norm_coefficient=0.0,
         norm_coefficient_post=0.0):  # fmt: skip
    if norm_coefficient_post:
        raise LeftOut("weight decay after the step")
    if int(count) > 0:
        raise LeftOut("a count above 0: ONNX adds epsilon before it corrects the bias")
    # At count 0 it corrects no bias: as we do once alphaᵗ and betaᵗ have become 0.
    state = {"step": np.array(10**9)}

    def make(parameters):
        return optim.Adam(parameters, float(rate), (alpha, beta), epsilon, norm_coefficient)

    return stepped(make, arrays, ["mean", "square"], state)


# -- arithmetic --------------------------------------------------------------------------------


def of_floats(function):
    """Leave out integers, which our division and our power turn into floats."""

    def call(a, b):
        if a.dtype.kind != "f":
            raise LeftOut("integers: the result is floating here")
        return function(a, b)

    return call


def of_all(function):
    """Make a function of any number of operands out of one of two."""
    return lambda *operands: reduce(function, operands)


def mean_of_all(*operands):
    return reduce(operator.add, operands) / len(operands)


def clip(x, low=None, high=None):
    low, high = (None if bound is None else bound.item() for bound in (low, high))
    if low is None and high is None:
        raise LeftOut("no bound: our clip wants one")
    if low is not None and high is not None and low > high:
        raise LeftOut("bounds in the wrong order: our clip refuses them")
    return x.clip(low, high)


# -- reductions --------------------------------------------------------------------------------


def reduction(fold: Callable[..., Any]):
    """Give a reduction ONNX's arguments."""

    def call(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        empty = axes is None or axes.size == 0
        chosen = (() if noop_with_empty_axes else None) if empty else tuple(axes.tolist())
        return fold(x, chosen, bool(keepdims))

    return call


def arg(sign: int):
    """Give argmax (1), or argmin (−1), ONNX's arguments."""

    def call(x, *, axis=0, keepdims=1, select_last_index=0):
        axis, x = axis % x.ndim, x * sign
        if select_last_index:
            x = x[(*(slice(None),) * axis, slice(None, None, -1))]
        found = x.argmax(axis)
        if select_last_index:
            found = x.shape[axis] - 1 - found
        return found.unsqueeze(axis) if keepdims else found

    return call


def extreme(name: str):
    """Give max or min ONNX's arguments."""

    def fold(x, axes, keepdims):
        folded = range(x.ndim) if axes is None else axes
        if any(x.shape[a] == 0 for a in folded):
            raise LeftOut("the largest or smallest of nothing: an error here")
        return getattr(x, name)(axes, keepdims)

    return reduction(fold)


# -- shapes ------------------------------------------------------------------------------------


def reshape(x, shape, *, allowzero=0):
    wanted = shape.tolist()
    if not allowzero:
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(wanted)


def flatten(x, *, axis=1):
    axis = axis % x.ndim if axis < 0 else axis
    if axis in (0, x.ndim):
        return x.flatten().unsqueeze(0 if axis == 0 else 1)
    return x.flatten(axis).flatten(0, axis - 1)


def unsqueeze(x, axes):
    ndim = x.ndim + axes.size
    for axis in sorted(a % ndim for a in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def expand(x, shape):
    return x.broadcast_to(np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def cut(x, starts, ends, axes=None, steps=None):
    index = [slice(None)] * x.ndim
    named = range(starts.size) if axes is None else axes.tolist()
    widths = [1] * starts.size if steps is None else steps.tolist()
    for axis, *bounds in zip(named, starts.tolist(), ends.tolist(), widths, strict=True):
        index[axis] = slice(*bounds)
    return x[tuple(index)]


def gather(x, indices, *, axis=0):
    return x[(*(slice(None),) * (axis % x.ndim), indices)]


def pad(x, pads, value=None, axes=None, *, mode="constant"):
    if mode != "constant":
        raise LeftOut("borders that are not constant")
    named = range(x.ndim) if axes is None else [a % x.ndim for a in axes.tolist()]
    widths, half = [(0, 0)] * x.ndim, pads.size // 2
    for axis, before, after in zip(named, pads.tolist()[:half], pads.tolist()[half:], strict=True):
        widths[axis] = before, after
    pairs = [n for pair in reversed(widths) for n in pair]
    return F.pad(x, pairs, 0.0 if value is None else value.item())


OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": lambda x: abs(x),
    "Adam": adam,
    "Add": operator.add,
    "ArgMax": arg(1),
    "ArgMin": arg(-1),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Clip": clip,
    "Col2Im": col2im,
    "Concat": lambda *parts, axis: F.concat(parts, axis),
    "Conv": conv,
    "Div": of_floats(operator.truediv),
    "Dropout": dropout,
    "Equal": operator.eq,
    "Exp": lambda x: x.exp(),
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "GlobalAveragePool": lambda x: F.adaptive_avg_pool2d(x, 1),
    "GlobalMaxPool": lambda x: F.max_pool2d(x, x.shape[2:]),
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LRN": lrn,
    "LayerNormalization": layer_normalization,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Log": lambda x: x.log(),
    "LogSoftmax": lambda x, *, axis=-1: F.log_softmax(x, axis),
    "MatMul": operator.matmul,
    "Max": of_all(minigrad.maximum),
    "MaxPool": max_pool,
    "Mean": mean_of_all,
    "Min": of_all(minigrad.minimum),
    "Momentum": momentum,
    "Mul": operator.mul,
    "Neg": operator.neg,
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
    "Pad": pad,
    "Pow": of_floats(operator.pow),
    "Reciprocal": lambda x: 1 / x,
    "ReduceL1": reduction(lambda x, *fold: abs(x).sum(*fold)),
    "ReduceL2": reduction(lambda x, *fold: (x * x).sum(*fold).sqrt()),
    "ReduceLogSum": reduction(lambda x, *fold: x.sum(*fold).log()),
    "ReduceLogSumExp": reduction(lambda x, *fold: x.exp().sum(*fold).log()),
    "ReduceMax": extreme("max"),
    "ReduceMean": reduction(lambda x, *fold: x.mean(*fold)),
    "ReduceMin": extreme("min"),
    "ReduceSum": reduction(lambda x, *fold: x.sum(*fold)),
    "ReduceSumSquare": reduction(lambda x, *fold: (x * x).sum(*fold)),
    "Relu": F.relu,
    "Reshape": reshape,
    "Sigmoid": lambda x: x.sigmoid(),
    "Slice": cut,
    "Softmax": lambda x, *, axis=-1: F.softmax(x, axis),
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
    "Sqrt": lambda x: x.sqrt(),
    "Squeeze": lambda x, axes: x.squeeze(tuple(axes.tolist())),
    "Sub": operator.sub,
    "Sum": of_all(operator.add),
    "Tanh": lambda x: x.tanh(),
    "Transpose": lambda x, *, perm=None: x.T if perm is None else x.permute(perm),
    "Unsqueeze": unsqueeze,
    "Where": minigrad.where,
}

# Those whose kernels stand in several rungs; the others have one version.
WITH_RUNGS = {
    "AveragePool", "BatchNormalization", "Col2Im", "Concat", "Conv", "Dropout", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN",
    "LogSoftmax", "MaxPool", "NegativeLogLikelihoodLoss", "Relu", "Softmax",
    "SoftmaxCrossEntropyLoss",
}  # fmt: skip
