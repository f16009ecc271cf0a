"""Dropout, rung 4: one thread for each number hashes its position, on a GPU.

The mask is that of the other rungs, bit for bit: nothing is drawn, so no thread waits for another.
"""

from minigrad.gpu import Source, contiguous, empty

source = Source(__file__, small=True)


def dropout_forward(x, p, key):
    """Drop with probability p and scale the rest: any shape → the same."""
    x = contiguous(x)
    out = empty(x.shape, x.dtype)
    scale = 1 / (1 - p) if p < 1 else 0
    place = getattr(key, "place", None)  # in a recorded step (`minigrad.cuda_graph`)
    source.launch("dropout_forward", x.size, x, key, place, round(p * 2**24), scale, out)
    return out


def dropout_input_gradient(gradient, p, key):
    """Send the gradient through the same gate: any shape → the same."""
    return dropout_forward(gradient, p, key)
