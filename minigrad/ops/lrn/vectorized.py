"""Local response normalisation, rung 2: the window as shifted copies, in NumPy. The idea.

The sum over a window of channels is the sum of `size` copies of the whole array, each shifted by
one channel more. What it costs: every step crosses memory with an array of the size of x.
"""

import numpy as np


def lrn_forward(x, size, alpha, beta, k):
    """Normalise each channel: (N, C, H, W) → the output and the scale, of the same shape."""
    scale = k + alpha / size * _window_sums(x * x, size // 2, (size - 1) // 2)
    return x * scale**-beta, scale


def lrn_input_gradient(gradient, x, scale, size, alpha, beta):
    """Hand each output's gradient to its channel and to those that damped it: → (N, C, H, W)."""
    damped = gradient * scale**-beta
    # The transposed window: what reached `below` channels down now reaches them up.
    through_scale = _window_sums(damped * x / scale, (size - 1) // 2, size // 2)
    return damped - 2 * alpha / size * beta * x * through_scale


def _window_sums(values, below, above):
    """Add up the channels c − below … c + above, for every channel c."""
    C = values.shape[1]
    padded = np.pad(values, ((0, 0), (below, above), (0, 0), (0, 0)))
    return sum(padded[:, d : d + C] for d in range(below + above + 1))
