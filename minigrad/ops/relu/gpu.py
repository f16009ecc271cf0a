"""The rectifier, rung 4: one thread for each number, on a GPU."""

from minigrad.gpu import Source, contiguous, empty

source = Source(__file__, small=True)


def relu_forward(x):
    """Set what is not positive to zero; NaN stays: any shape → the same."""
    x = contiguous(x)
    out = empty(x.shape, x.dtype)
    source.launch("relu_forward", x.size, x, out)
    return out


def relu_input_gradient(gradient, out):
    """Let the gradient through where the output is positive: any shape → the same."""
    gradient, out = contiguous(gradient), contiguous(out)
    x_gradient = empty(out.shape, out.dtype)
    source.launch("relu_input_gradient", out.size, gradient, out, x_gradient)
    return x_gradient
