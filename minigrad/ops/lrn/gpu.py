"""Local response normalisation, rung 4: one thread for each number, on a GPU.

A thread reads the channels of its window for itself, though its neighbours read most of them too:
they are found in the cache, and nothing but the results is written.
"""

from minigrad.gpu import Source, contiguous, empty, sum_dtype

source = Source(__file__, small=True)


def lrn_forward(x, size, alpha, beta, k):
    """Normalise each channel: (N, C, H, W) → the output and the scale, of the same shape."""
    x = contiguous(x)
    N, C, H, W = x.shape
    out, scale = empty(x.shape, x.dtype), empty(x.shape, sum_dtype(x.dtype))
    settings = size, alpha / size, beta, k
    source.launch("lrn_forward", x.size, x, out, scale, C, H * W, *settings)
    return out, scale


def lrn_input_gradient(gradient, x, scale, size, alpha, beta):
    """Hand each output's gradient to its channel and to those that damped it: → (N, C, H, W)."""
    gradient, x, scale = contiguous(gradient), contiguous(x), contiguous(scale)
    N, C, H, W = x.shape
    x_gradient = empty(x.shape, x.dtype)
    arrays = gradient, x, scale, x_gradient
    settings = size, 2 * alpha / size * beta, beta
    source.launch("lrn_input_gradient", x.size, *arrays, C, H * W, *settings)
    return x_gradient
