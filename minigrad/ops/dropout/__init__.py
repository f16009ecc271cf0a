r"""Dropout: in training, each number is set to zero by chance. The derivation, then the operation.

**Forward.** Every number is kept with probability 1 − p, and scaled so that its mean stays::

    out[i] = x[i] · m[i] / (1 − p)          m[i] = 1 with probability 1 − p, else 0

E[m] = 1 − p, so E[out] = x: in use, without dropout, the next layer sees what it is used to, and
nothing has to be scaled there.

**Backward.** For a given mask, out is x times a constant, number by number, so that the gradient
goes through the same gate: ``gradient of x = gradient of out · m / (1 − p)``.

**The mask is computed, not stored.** m[i] is a hash of a 64-bit key and of i, the position of the
number when the array is read row by row (`minigrad.random`)::

    m[i] = mix(key + (i + 1)·GOLDEN mod 2⁶⁴) >> 40  ≥  round(p · 2²⁴)

the top 24 bits of number i of the stream SplitMix64 with seed key. Nobody needs to know what the
others drew: the mask is the same in any memory layout, on any rung and for any number of threads,
and the backward pass keeps eight bytes instead of a mask as large as x. Hashing again costs less
than reading a mask from memory would.

The hash decides, and does not multiply: a dropped number gives zero even if it is infinite or NaN.

Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to
prevent neural networks from overfitting", 2014.
"""

from typing import TYPE_CHECKING

import numpy as np

from minigrad import device, random
from minigrad.autograd import record
from minigrad.ops.arguments import check_tensor
from minigrad.ops.dropout import cpu, gpu, naive, vectorized

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def dropout(x: "Tensor", p: float = 0.5, training: bool = True, key: int | None = None) -> "Tensor":
    """Set each number to zero with probability `p` and divide the others by 1 − p.

    Parameters
    ----------
    x : Tensor, any shape
    p : float
        The share that is dropped, 0 … 1.
    training : bool
        If not, `x` is returned as it is.
    key : int, optional
        What the mask is made from, 0 … 2⁶⁴ − 1: the same key gives the same mask. Left out, the
        next key of the stream that `minigrad.manual_seed` starts.

    Returns
    -------
    Tensor
        Of the same shape, in the same memory layout.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0, 3.0, 4.0])
    >>> minigrad.functional.dropout(x, p=0.5, key=1)
    tensor([2., 4., 6., 0.], dtype=float32, device=cpu)
    >>> minigrad.functional.dropout(x, p=0.5, training=False) is x
    True
    """
    check_tensor("dropout", "x", x)
    if not isinstance(p, int | float | np.integer | np.floating) or not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be a number from 0 to 1, got {p!r}")
    if key is not None and not _is_key(key):
        raise ValueError(f"dropout: key must be an integer from 0 to 2⁶⁴ − 1, got {key!r}")
    if not training or p == 0:
        return x
    share, seed = float(p), random.default.next_key() if key is None else int(key)
    kernel = device.choose(RUNGS, gpu, x.data)
    return record(
        "dropout",
        kernel.dropout_forward(x.data, share, seed),
        (x, lambda gradient: kernel.dropout_input_gradient(gradient, share, seed)),
    )


def _is_key(key: object) -> bool:
    is_integer = isinstance(key, int | np.integer) and not isinstance(key, bool)
    return is_integer and 0 <= int(key) <= random.MASK  # type: ignore[call-overload]
