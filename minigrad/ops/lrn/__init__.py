r"""Local response normalisation: a channel is damped where its neighbours are loud.

Krizhevsky, Sutskever and Hinton (2012), section 3.3; GoogLeNet has it twice near its input.

**Forward.** Channel c at one pixel is divided by a power of the mean square of a window of
`size` channels, with zeros beyond the first and the last channel. With a = alpha / size::

    scale[c] = k + a ·  Σ  x[i]²       W(c) = {c − ⌊size/2⌋, …, c + ⌊(size − 1)/2⌋}
                     i ∈ W(c)

    out[c]   = x[c] · scale[c]^(−beta)

An even window cannot be centred: it reaches one channel further down than up, as in PyTorch.

**Backward.** x[i] moves out[i] directly, and through scale every out[c] whose window holds i. With
G the gradient of out, and ∂scale[c] / ∂x[i] = 2·a·x[i] for i ∈ W(c)::

    gradient of x[i]  =  G[i] · scale[i]^(−beta)
                         − 2·a·beta · x[i] ·     Σ      G[c] · x[c] · scale[c]^(−beta − 1)
                                             c : i ∈ W(c)

The sum runs over the channels whose window holds i, which is the window turned around: from
i − ⌊(size − 1)/2⌋ to i + ⌊size/2⌋. For odd sizes that is W(i) itself; for even sizes it is not.
With the customary alpha = 1e-4 the second line is next to nothing, and a mistake in it shows
nowhere: test with alpha = 1.

The rungs: `naive` is the formulas as loops, `vectorized` adds up shifted copies of all channels,
`cpu` does the same on a few pixels at a time, which stay in the cache.
"""

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, record
from minigrad.ops.arguments import check_tensor
from minigrad.ops.lrn import cpu, gpu, naive, vectorized

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def local_response_norm(
    x: "Tensor", size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> "Tensor":
    """Divide each channel by a power of the mean square of its neighbours.

    Parameters
    ----------
    x : Tensor (N, C, H, W), (N, C, L) or (N, C)
        The second axis has the channels.
    size : int
        How many neighbouring channels, itself among them, damp a channel.
    alpha : float
        Weight of their mean square. Divided by `size`, as in PyTorch; not so in the paper.
    beta : float
        The power.
    k : float
        What is added to the mean square, so that silence is not divided by zero.

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 1.0, 0.0]])
    >>> minigrad.functional.local_response_norm(x, size=3, alpha=3.0, beta=1.0)
    tensor([[0.33333334, 0.33333334, 0.        ]], dtype=float32, device=cpu)
    """
    check_tensor("local_response_norm", "x", x, 2, 3, 4)
    if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
        raise ValueError(f"local_response_norm: size must be a positive integer, got {size!r}")
    size = int(size)
    alpha, beta, k = (_number(*pair) for pair in (("alpha", alpha), ("beta", beta), ("k", k)))
    kernel, shape = device.choose(RUNGS, gpu, x.data), x.shape
    image = _as_image(x.data)
    out, scale = kernel.lrn_forward(image, size, alpha, beta, k)

    def to_x(gradient: Array) -> Array:
        arrays = _as_image(gradient), image, scale
        return kernel.lrn_input_gradient(*arrays, size, alpha, beta).reshape(shape)

    return record("local_response_norm", out.reshape(shape), (x, to_x))


def _as_image(array: Array) -> Array:
    """View (N, C), (N, C, L) or (N, C, H, W) as (N, C, H, W)."""
    return array.reshape(*array.shape[:2], *(1, 1, *array.shape[2:])[-2:])


def _number(argument: str, value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"local_response_norm: {argument} must be a number, got {value!r}")
    return float(value)
