"""Concatenation, rung 1: number by number to its place. The specification."""

import numpy as np


def concat_forward(arrays, axis):
    """Put the arrays one behind the other along an axis."""
    shape = list(arrays[0].shape)
    shape[axis] = sum(a.shape[axis] for a in arrays)
    out = np.empty(shape, arrays[0].dtype)
    start = 0
    for a in arrays:
        for index in np.ndindex(a.shape):
            out[_moved(index, axis, start)] = a[index]
        start += a.shape[axis]
    return out


def concat_input_gradient(gradient, start, length, axis):
    """Copy out the places start … start + length − 1 of an axis."""
    shape = list(gradient.shape)
    shape[axis] = length
    part = np.empty(shape, gradient.dtype)
    for index in np.ndindex(part.shape):
        part[index] = gradient[_moved(index, axis, start)]
    return part


def _moved(index, axis, start):
    return (*index[:axis], start + index[axis], *index[axis + 1 :])
