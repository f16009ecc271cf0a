"""Concatenation, rung 2: whole slices at once, in NumPy."""

import numpy as np


def concat_forward(arrays, axis):
    """Put the arrays one behind the other along an axis."""
    return np.concatenate(arrays, axis)


def concat_input_gradient(gradient, start, length, axis):
    """Copy out the places start … start + length − 1 of an axis."""
    places = (slice(None),) * axis + (slice(start, start + length),)
    return gradient[places].copy(order="K")
