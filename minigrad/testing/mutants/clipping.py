"""Mistakes in gradient clipping."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad import optim
from minigrad.optim import clipping, updates
from minigrad.testing.mutants.mutant import at, mutant


@mutant("clip_grad_norm", at(optim, "clip_grad_norm_"))
def clip_grad_norm_each_alone(sound, parameters, max_norm, *rest, **options):
    """Every gradient is shortened by its own norm: what is large in one layer loses its share."""
    total = sound(parameters, np.inf, *rest, **options)
    for parameter in parameters:
        sound([parameter], max_norm, *rest, **options)
    return total


@mutant("clip_grad_norm", at(optim, "clip_grad_norm_"))
def clip_grad_norm_lengthens(sound, parameters, max_norm, *rest, **options):
    """Gradients that are short already are made as long as allowed."""
    total = sound(parameters, max_norm, *rest, **options)
    if 0 < total.item() < max_norm:
        for parameter in parameters:
            parameter.grad.data[...] *= max_norm / total.item()
    return total


@mutant("clip_grad_norm", at(optim, "clip_grad_norm_"))
def clip_grad_norm_tells_what_is_left(sound, parameters, *rest, **options):
    """Returns the norm after clipping, which says nothing."""
    sound(parameters, *rest, **options)
    return sound(parameters, np.inf)


@mutant("clip_grad_norm", at(clipping, "_norm"))
def clip_grad_norm_without_the_root(sound, gradients, p):
    """The sum of the powers is taken for the norm."""
    norm = sound(gradients, p)
    return norm if p == np.inf else norm**p


@mutant("clip_grad_norm", at(clipping, "_norm"))
def clip_grad_norm_of_the_first_part(sound, gradients, p):
    """Of a gradient that is cut into tasks only the first counts."""
    return sound([gradient.reshape(-1)[: updates.BLOCK] for gradient in gradients], p)


@mutant("clip_grad_norm", at(clipping, "_norm"))
def clip_grad_norm_largest_without_sign(sound, gradients, p):
    """The largest number is taken for the largest absolute value."""
    if p == np.inf:
        return np.asarray(max(gradient.max() for gradient in gradients), float)[()]
    return sound(gradients, p)


@mutant("clip_grad_value", at(optim, "clip_grad_value_"))
def clip_grad_value_from_above_only(sound, parameters, clip_value):
    """Large negative numbers pass."""
    for parameter in parameters:
        np.minimum(parameter.grad.data, clip_value, out=parameter.grad.data)
