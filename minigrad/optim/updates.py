"""The arithmetic of optimisers, in one pass over memory each.

Written as array formulas, SGD with momentum reads and writes every parameter five times and more.
These loops touch parameter, gradient and state once. For parameters on a GPU `minigrad.optim.gpu`
does the same.

Numbers that belong together must meet. The arrays of one parameter lie in memory in the parameter's
own order as a rule, whatever that is, and are walked through side by side; one that does not is
copied, and what has changed is put back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np

from minigrad import device
from minigrad.cpu import kernel, run
from minigrad.cpu.layout import flat, is_dense, like
from minigrad.gpu import is_gpu_array
from minigrad.optim import gpu

BLOCK = 1 << 16  # numbers in one task
LANES = 128  # sums that grow side by side, so that vector registers are full
PIECE = 4  # tasks of one parameter that are handed out together


# -- state ---------------------------------------------------------------------------------------


def zeros_like(data):
    """Make zeros for a parameter's state, where it lies."""
    return gpu.zeros_like(data) if is_gpu_array(data) else np.zeros_like(data)


def as_like(array, data):
    """Return an array on the device of a parameter, in its dtype and order in memory.

    Itself if it is so already, else a copy.
    """
    array = device.put_like(array, data)
    if array.dtype != data.dtype:
        array = array.astype(data.dtype)
    usual = is_gpu_array(data) or array.strides == data.strides or array.shape != data.shape
    return array if usual else like(array, data)


# -- steps ---------------------------------------------------------------------------------------


def sgd(data, gradient, velocity, lr, momentum, weight_decay, nesterov):
    """Change `data` and `velocity` in place; see `minigrad.optim.SGD`."""
    _update(_sgd, data, gradient, [velocity], lr, momentum, weight_decay, bool(nesterov))


def adam(data, gradient, mean, square, step, lr, betas, eps, weight_decay):
    """Change `data`, `mean` and `square` in place; see `minigrad.optim.Adam`."""
    numbers = _adam_numbers(step, lr, betas)
    _update(_adam, data, gradient, [mean, square], *numbers, eps, weight_decay, 1.0)


def adamw(data, gradient, mean, square, step, lr, betas, eps, weight_decay):
    """Change `data`, `mean` and `square` in place; see `minigrad.optim.AdamW`."""
    numbers = _adam_numbers(step, lr, betas)
    _update(_adam, data, gradient, [mean, square], *numbers, eps, 0.0, 1 - lr * weight_decay)


def _adam_numbers(step, lr, betas):
    """Work out step size, 1 / √(1 − β₂ᵗ), β₁, 1 − β₁, β₂, 1 − β₂.

    m̂ and v̂ differ from m and v by factors that are the same for all weights.
    """
    beta1, beta2 = betas
    step_size, root = lr / (1 - beta1**step), 1 / (1 - beta2**step) ** 0.5
    return step_size, root, beta1, 1 - beta1, beta2, 1 - beta2


def rmsprop(data, gradient, square, mean, velocity, lr, alpha, eps, weight_decay, momentum):
    """Change `data` and the state in place; see `minigrad.optim.RMSprop`.

    `mean` is None unless centred, `velocity` None without momentum.
    """
    _update(
        _rmsprop, data, gradient, [square, mean, velocity],
        lr, alpha, 1 - alpha, eps, weight_decay, momentum, mean is not None, velocity is not None,
    )  # fmt: skip


def adadelta(data, gradient, square, moved, lr, rho, eps, weight_decay):
    """Change `data`, `square` and `moved` in place; see `minigrad.optim.Adadelta`."""
    _update(_adadelta, data, gradient, [square, moved], lr, rho, 1 - rho, eps, weight_decay)


def average(data, value, weight):
    """Move `data` in place by the share `weight` towards `value`.

    See `minigrad.optim.WeightAverage`. Means of gradients, over several batches, are made so too.
    """
    _update(_average, data, value, [], weight)


def squares(gradient):
    """Sum the squares of a gradient in parts, whose sum is the square of its norm: → (P,).

    Inside `together` the parts have their values when that ends. They are float64: in float32 the
    squares themselves would overflow. How many parts there are depends on the size alone.
    """
    if is_gpu_array(gradient):
        return gpu.squares(gradient)
    blocks = -(-gradient.size // BLOCK)
    parts = np.zeros(blocks * LANES)
    _do(_Work(_squares, blocks, (flat(gradient), parts), []))
    return parts


# -- running them --------------------------------------------------------------------------------


class _Work(NamedTuple):
    """A kernel and its arguments, and what to put back when it has run: (array, its copy)."""

    kernel: Callable
    tasks: int
    arguments: tuple
    copies: list[tuple[np.ndarray, np.ndarray]]


_gathered: ContextVar[list[_Work] | None] = ContextVar("gathered", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Gather what is to be done on the CPU inside the ``with``, and do it at the end, all at once.

    One parameter after the other, threads are called and waited for each time, 128 times for
    GoogLeNet, most of whose parameters are small. If an error leaves the ``with`` nothing is done.
    """
    works: list[_Work] = []
    token = _gathered.set(works)
    try:
        yield
    finally:
        _gathered.reset(token)
    pieces = [
        (work.kernel, first, min(first + PIECE, work.tasks), work.arguments)
        for work in works
        for first in range(0, work.tasks, PIECE)
    ]
    run(_each, len(pieces), pieces)
    for work in works:
        _put_back(work.copies)


def _each(first: int, last: int, pieces: list) -> None:
    for function, start, end, arguments in pieces[first:last]:
        function(start, end, *arguments)


def _do(work: _Work) -> None:
    """Do it now, or inside `together` later."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append(work)
        return
    run(work.kernel, work.tasks, *work.arguments)
    _put_back(work.copies)


def _put_back(copies: list) -> None:
    for array, copy in copies:
        array[...] = copy


def _update(function, data, gradient, state, *numbers):
    """Run a kernel that changes `data` and `state`, of which what is None is not there."""
    name = function.__name__.strip("_")
    arrays = [data, gradient, *(array for array in state if array is not None)]
    _check_shapes(name, arrays)
    if is_gpu_array(data):
        gpu.update(data, gradient, state, name, numbers)
        return
    rows, copies = _rows(arrays)
    if len(rows) < len(state) + 2:
        there, nothing = iter(rows[2:]), np.empty(0, data.dtype)
        rows = [*rows[:2], *(nothing if array is None else next(there) for array in state)]
    one = data.dtype.type
    values = (number if isinstance(number, bool) else one(number) for number in numbers)
    _do(_Work(function, -(-data.size // BLOCK), (*rows, *values), copies))


def _check_shapes(name, arrays):
    """Insist on one shape: a kernel would read past the end of what is too short."""
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape:
            raise ValueError(
                f"{name}: gradient and state of a parameter of shape {shape} must have its shape, "
                f"got {array.shape}"
            )


def _rows(arrays):
    """View parameter, gradient and state as rows alongside each other; copy what lies otherwise.

    Returns
    -------
    rows : list of 1-D arrays
    copies : list of (array, copy)
        What has to be put back when the rows have changed: never the gradient.
    """
    data = arrays[0]
    order = sorted(range(data.ndim), key=data.strides.__getitem__, reverse=True)
    if all(array.strides == data.strides for array in arrays):
        in_order = data.transpose(order)
        if in_order.flags.c_contiguous:
            return [array.transpose(order).reshape(-1) for array in arrays], []
    model = data if is_dense(data) else data.copy()
    alike = [model, *(like(array, model) for array in arrays[1:])]
    pairs = zip(arrays, alike, strict=True)
    copies = [(a, b) for i, (a, b) in enumerate(pairs) if b is not a and i != 1]
    return [flat(array) for array in alike], copies


# -- kernels -------------------------------------------------------------------------------------


@kernel
def _sgd(first, last, p, g, v, lr, momentum, weight_decay, nesterov):
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, v = p[start:end], g[start:end], v[start:end]
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        v[i] = momentum * v[i] + slope
        p[i] -= lr * (slope + momentum * v[i] if nesterov else v[i])


@kernel
def _adam(first, last, p, g, m, s, step_size, root, beta1, rest1, beta2, rest2, eps, weight_decay,
          kept):  # fmt: skip
    """`kept` is what decay by itself leaves of a weight."""
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, m, s = p[start:end], g[start:end], m[start:end], s[start:end]
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        m[i] = beta1 * m[i] + rest1 * slope
        s[i] = beta2 * s[i] + rest2 * slope * slope
        p[i] = kept * p[i] - step_size * m[i] / (np.sqrt(s[i]) * root + eps)


@kernel
def _rmsprop(first, last, p, g, s, m, v, lr, alpha, rest, eps, weight_decay, momentum, centered,
             moving):  # fmt: skip
    """Without `centered` m is empty, and without `moving` v."""
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, s, m, v = p[start:end], g[start:end], s[start:end], m[start:end], v[start:end]
    zero = p.dtype.type(0)  # 0 would be an int64, and all float64 from there on
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        size = alpha * s[i] + rest * slope * slope
        s[i] = size
        if centered:
            mean = alpha * m[i] + rest * slope
            m[i] = mean
            size -= mean * mean
            if size < 0:  # max() would hide a NaN
                size = zero
        change = slope / (np.sqrt(size) + eps)
        if moving:
            change += momentum * v[i]
            v[i] = change
        p[i] -= lr * change


@kernel
def _adadelta(first, last, p, g, s, u, lr, rho, rest, eps, weight_decay):
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, s, u = p[start:end], g[start:end], s[start:end], u[start:end]
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        s[i] = rho * s[i] + rest * slope * slope
        change = np.sqrt(u[i] + eps) / np.sqrt(s[i] + eps) * slope
        u[i] = rho * u[i] + rest * change * change
        p[i] -= lr * change


@kernel
def _average(first, last, a, x, weight):
    start, end = first * BLOCK, min(last * BLOCK, len(a))
    a, x = a[start:end], x[start:end]
    for i in range(len(a)):
        a[i] += weight * (x[i] - a[i])


@kernel
def _squares(first, last, g, parts):
    for task in range(first, last):
        block, sums = g[task * BLOCK : (task + 1) * BLOCK], parts[task * LANES : (task + 1) * LANES]
        whole = len(block) // LANES * LANES
        for i in range(0, whole, LANES):
            row = block[i : i + LANES]
            for lane in range(LANES):
                x = np.float64(row[lane])
                sums[lane] += x * x
        for i in range(whole, len(block)):
            x = np.float64(block[i])
            sums[i - whole] += x * x
