r"""Pooling: one number for each window. The derivation, then the operations.

A window of kernel_size (kh, kw) slides over every channel by itself. With stride s, padding p and
dilation d, element (u, v) of window (i, j) lies at pixel y = i·s − p + u·d, z = j·s − p + v·d.

**Max pooling** keeps the largest number that the window sees::

    out[n, c, i, j] = max  x[n, c, y, z]                   winner[n, c, i, j] = u·kw + v of it
                      u,v

A small change of x moves the output only if it happens at the winner, and then by the same amount:
the Jacobian has a single 1 in each row. Going back, every window hands its gradient to its winner,
and a pixel adds up what it wins::

    gradient of x[n, c, y, z]  =   Σ   G[n, c, i, j]  over the windows (i, j) that (y, z) won

So the winners are all that backward needs: one byte for each output, where keeping x would cost
four bytes for each of s² inputs. What the definition leaves open is settled as PyTorch does:

* Equal numbers: the first in scan order (u, then v) wins. After a ReLU, windows of nothing but
  zeros are common, so this is no rare case.
* Padding is −∞, which never wins, not 0, which would beat every negative number.
* NaN counts as larger than every number: it is not hidden.

**Average pooling** is the mean instead, over as many pixels as the window has::

    out[n, c, i, j] = 1 / D[i, j] ·  Σ  x[n, c, y, z]      (padding adds 0)
                                    u,v

It is linear, so the way back is its transpose: each pixel of the window gets G[i, j] / D[i, j].
The divisor D counts the whole window, padding included (`count_include_pad`), or only the pixels
of the image. It never counts what hangs over the padding in ceil mode, where a last window may
begin inside and end outside.

**Adaptive average pooling** is told the size of the output, and chooses windows that cover the
image: along an axis of H pixels, output i of oh averages

    ⌊i·H / oh⌋ ≤ y < ⌈(i + 1)·H / oh⌉

Output size 1 is the mean of the whole image. The windows overlap where oh does not divide H.

The rungs: `naive` is these formulas as loops, `vectorized` takes element (u, v) of all windows at
once, `cpu` goes over the channels of one pixel at once, and lets each pixel gather its gradient.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, record
from minigrad.ops import arguments
from minigrad.ops.arguments import Pair, check_tensor, pair
from minigrad.ops.pool import cpu, gpu, naive, vectorized
from minigrad.ops.window import Padding

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def max_pool2d(
    x: "Tensor",
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> "Tensor":
    """Keep the largest number that each window sees.

    Parameters
    ----------
    x : Tensor (N, C, H, W)
    kernel_size : int or (int, int)
    stride : int or (int, int), optional
        Steps between windows; the size of the window if not given.
    padding : int or (int, int)
        Around the image, at most half of the window. It never wins.
    dilation : int or (int, int)
        Steps between the elements of one window.
    ceil_mode : bool
        Let a last window hang over the end, if it begins in the image or in the padding before it.

    Returns
    -------
    Tensor (N, C, oh, ow)
        ``oh = (H + 2·padding − dilation·(kh − 1) − 1) // stride + 1``, rounded up in ceil mode.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> minigrad.functional.max_pool2d(x, kernel_size=2, stride=1)
    tensor([[[[5., 6.]]]], dtype=float32, device=cpu)
    """
    window = _window("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    kernel, input_shape = device.choose(RUNGS, gpu, x.data), x.shape
    out, winners = kernel.max_pool2d_forward(x.data, *window, bool(ceil_mode))

    def to_x(gradient: Array) -> Array:
        return kernel.max_pool2d_input_gradient(gradient, winners, input_shape, *window)

    return record("max_pool2d", out, (x, to_x))


def avg_pool2d(
    x: "Tensor",
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> "Tensor":
    """Average what each window sees.

    Parameters
    ----------
    x : Tensor (N, C, H, W)
    kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`; the padding is zeros.
    count_include_pad : bool
        Divide by the number of pixels and padding that the window covers, or by that of its
        pixels alone.

    Returns
    -------
    Tensor (N, C, oh, ow)

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> minigrad.functional.avg_pool2d(x, kernel_size=2, stride=1)
    tensor([[[[3., 4.]]]], dtype=float32, device=cpu)
    """
    window = _window("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    geometry = *window[:3], bool(ceil_mode), bool(count_include_pad)
    kernel, input_shape = device.choose(RUNGS, gpu, x.data), x.shape

    def to_x(gradient: Array) -> Array:
        return kernel.avg_pool2d_input_gradient(gradient, input_shape, *geometry)

    return record("avg_pool2d", kernel.avg_pool2d_forward(x.data, *geometry), (x, to_x))


def adaptive_avg_pool2d(
    x: "Tensor", output_size: int | tuple[int | None, int | None] | None
) -> "Tensor":
    """Average over as many windows as wanted, which cover the image evenly.

    Parameters
    ----------
    x : Tensor (N, C, H, W)
    output_size : int or (int, int)
        Height and width of the output; None keeps that of x. 1 averages the whole image.

    Returns
    -------
    Tensor (N, C, oh, ow)

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> minigrad.functional.adaptive_avg_pool2d(x, output_size=1)
    tensor([[[[3.5]]]], dtype=float32, device=cpu)
    """
    _check_images("adaptive_avg_pool2d", x)
    size = _adaptive_size(output_size, x.shape)
    kernel, input_shape = device.choose(RUNGS, gpu, x.data), x.shape
    return record(
        "adaptive_avg_pool2d",
        kernel.adaptive_avg_pool2d_forward(x.data, size),
        (x, lambda gradient: kernel.adaptive_avg_pool2d_input_gradient(gradient, input_shape)),
    )


def _window(
    name: str,
    x: "Tensor",
    kernel_size: int | Pair,
    stride: int | Pair | None,
    padding: int | Pair,
    dilation: int | Pair,
    ceil_mode: bool,
) -> tuple[Pair, Pair, Padding, Pair]:
    """Read the arguments that describe a window, and make sure that it fits x."""
    _check_images(name, x)
    size = pair(name, "kernel_size", kernel_size, 1)
    steps = size if stride is None else pair(name, "stride", stride, 1)
    h, w = pair(name, "padding", padding, 0)
    dilations = pair(name, "dilation", dilation, 1)
    # More padding than this, and a window could lie in it altogether.
    if h > size[0] // 2 or w > size[1] // 2:
        raise ValueError(
            f"{name}: padding must be at most half of kernel_size {size}, rounded down, "
            f"got {(h, w)}"
        )
    window = size, steps, ((h, h), (w, w)), dilations
    arguments.output_size(name, x.shape, *window, bool(ceil_mode))
    return window


def _check_images(name: str, x: "Tensor") -> None:
    check_tensor(name, "x", x, 4)
    if min(x.shape[2:]) < 1:
        raise ValueError(f"{name}: x must have at least one pixel to an image, got shape {x.shape}")


def _adaptive_size(output_size: Any, shape: tuple[int, ...]) -> Pair:
    """Read a size in which None stands for that of the input."""
    both = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * 2
    right = len(both) == 2 and all(
        n is None or (isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1)
        for n in both
    )
    if not right:
        raise ValueError(
            "adaptive_avg_pool2d: output_size must be an integer of at least 1, None, or a pair "
            f"of them, got {output_size!r}"
        )
    h, w = (int(length if n is None else n) for n, length in zip(both, shape[2:], strict=True))
    return h, w
