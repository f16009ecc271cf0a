"""The arithmetic of optimisers, in one pass over memory each.

Written as array formulas, SGD with momentum reads and writes every parameter five times and more.
These loops touch parameter, gradient and state once. All arrays of one parameter lie in memory in
the parameter's own order. For parameters on a GPU `minigrad.optim.gpu` does the same.
"""

import numpy as np

from minigrad.cpu import kernel, run
from minigrad.cpu.layout import flat, like
from minigrad.gpu import is_gpu_array
from minigrad.optim import gpu

BLOCK = 1 << 16  # numbers in one task


def zeros_like(data):
    """Make zeros for a parameter's state, where it lies."""
    return gpu.zeros_like(data) if is_gpu_array(data) else np.zeros_like(data)


def sgd(data, gradient, velocity, lr, momentum, weight_decay, nesterov):
    """Change `data` and `velocity` in place; see `minigrad.optim.SGD`."""
    if is_gpu_array(data):
        gpu.sgd(data, gradient, velocity, lr, momentum, weight_decay, nesterov)
        return
    one = data.dtype.type
    run(
        _sgd, -(-data.size // BLOCK),
        flat(data), flat(like(gradient, data)), flat(velocity),
        one(lr), one(momentum), one(weight_decay), bool(nesterov),
    )  # fmt: skip


def adam(data, gradient, mean, square, step, lr, betas, eps, weight_decay):
    """Change `data`, `mean` and `square` in place; see `minigrad.optim.Adam`."""
    if is_gpu_array(data):
        gpu.adam(data, gradient, mean, square, step, lr, betas, eps, weight_decay)
        return
    one, (beta1, beta2) = data.dtype.type, betas
    # m̂ and v̂ differ from m and v by factors that are the same for all weights.
    step_size = lr / (1 - beta1**step)
    root = (1 - beta2**step) ** 0.5
    run(
        _adam, -(-data.size // BLOCK),
        flat(data), flat(like(gradient, data)), flat(mean), flat(square),
        one(step_size), one(1 / root), one(beta1), one(1 - beta1), one(beta2), one(1 - beta2),
        one(eps), one(weight_decay),
    )  # fmt: skip


@kernel
def _sgd(first, last, p, g, v, lr, momentum, weight_decay, nesterov):
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, v = p[start:end], g[start:end], v[start:end]
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        v[i] = momentum * v[i] + slope
        p[i] -= lr * (slope + momentum * v[i] if nesterov else v[i])


@kernel
def _adam(first, last, p, g, m, s, step_size, root, beta1, rest1, beta2, rest2, eps, weight_decay):
    start, end = first * BLOCK, min(last * BLOCK, len(p))
    p, g, m, s = p[start:end], g[start:end], m[start:end], s[start:end]
    for i in range(len(p)):
        slope = g[i] + weight_decay * p[i]
        m[i] = beta1 * m[i] + rest1 * slope
        s[i] = beta2 * s[i] + rest2 * slope * slope
        p[i] -= step_size * m[i] / (np.sqrt(s[i]) * root + eps)
