"""Gradient clipping: what a step may be at most, whatever the batch.

Call it between ``backward`` and ``step``. On a GPU everything stays there: nothing waits for the
norm to be known.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, as_array
from minigrad.optim import updates
from minigrad.optim.options import check_options
from minigrad.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Shorten all gradients together, in place, if their norm is larger than `max_norm`::

        norm = (Σ |g|^p)^(1/p)                over all numbers of all gradients
        g ← g · min(1, max_norm / (norm + 10⁻⁶))

    Parameters
    ----------
    parameters : iterable of Tensor, or one
        Those without a gradient are passed over.
    max_norm : float
        May be ``math.inf``: then the norm is measured, and nothing changes.
    norm_type : float
        p, above 0. ``math.inf`` is the largest absolute value.
    error_if_nonfinite : bool
        Insist on a norm that is a number; on a GPU that waits for it. Otherwise a gradient that
        is not finite makes all of them so: zero, or NaN.

    Returns
    -------
    Tensor ()
        The norm as it was, on the gradients' device. 0 without gradients.

    Raises
    ------
    ValueError
        If an option is out of range, or gradients lie on several devices.
    TypeError
        If they are neither float32 nor float64.
    FloatingPointError
        If `error_if_nonfinite` and the norm is not finite. Nothing has changed then.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013
    (algorithm 1). The 10⁻⁶ is PyTorch's.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import optim
    >>> x = minigrad.tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> optim.clip_grad_norm_([x], max_norm=1.0)
    tensor(5., dtype=float32, device=cpu)
    >>> x.grad.numpy().round(4)
    array([0.6, 0.8], dtype=float32)
    """
    check_options("clip_grad_norm_", max_norm=max_norm, norm_type=norm_type)
    gradients = [g for g in _gradients("clip_grad_norm_", parameters) if g.size]
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    norm = _norm(gradients, float(norm_type))
    if error_if_nonfinite and not np.isfinite(float(norm)):
        raise FloatingPointError(
            f"clip_grad_norm_: the norm of all gradients is {float(norm)}, so they cannot be "
            "clipped (error_if_nonfinite=False takes them as they are)"
        )
    if max_norm < np.inf:
        factor = np.minimum(max_norm / (norm + 1e-6), 1.0)
        if device.of(norm) != "cpu" or factor != 1:  # on a GPU nobody knows yet
            with np.errstate(invalid="ignore"):  # ∞ · 0
                for gradient in {id(g): g for g in gradients}.values():
                    gradient *= factor.astype(gradient.dtype)
    dtype = np.result_type(*(gradient.dtype for gradient in gradients))
    return Tensor(as_array(norm.astype(dtype)))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bring every number of every gradient into [−clip_value, clip_value], in place.

    Parameters
    ----------
    parameters : iterable of Tensor, or one
        Those without a gradient are passed over.
    clip_value : float

    Raises
    ------
    ValueError
        If `clip_value` is out of range.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import optim
    >>> x = minigrad.tensor([3.0, -0.5], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> optim.clip_grad_value_([x], clip_value=1.0)
    >>> x.grad
    tensor([ 1. , -0.5], dtype=float32, device=cpu)
    """
    check_options("clip_grad_value_", clip_value=clip_value)
    for gradient in _gradients("clip_grad_value_", parameters):
        bound = gradient.dtype.type(clip_value)
        gradient.clip(-bound, bound, out=gradient)


def _gradients(name: str, parameters: Any) -> list[Array]:
    """List the gradients that are there."""
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for each in given:
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}: parameters must be tensors, got {type(each).__name__}")
    gradients = [each.grad.data for each in given if each.grad is not None]
    for gradient in gradients:
        if gradient.dtype.char not in "fd":
            raise TypeError(f"{name}: gradients must be float32 or float64, got {gradient.dtype}")
    places = sorted({device.of(gradient) for gradient in gradients})
    if len(places) > 1:
        raise ValueError(f"{name}: the gradients lie on {' and '.join(places)}; clip them apart")
    return gradients


def _norm(gradients: list[Array], p: float) -> Any:
    """Return the norm of all numbers together, in float64, where they are."""
    library = device.library(gradients[0])
    if p == 2:
        with updates.together():
            parts = [updates.squares(gradient) for gradient in gradients]
        return np.sqrt(library.concatenate(parts).sum())
    sizes = [np.abs(gradient).astype(np.float64) for gradient in gradients]
    if p == np.inf:
        return library.stack([size.max() for size in sizes]).max()
    return library.stack([(size**p).sum() for size in sizes]).sum() ** (1 / p)
