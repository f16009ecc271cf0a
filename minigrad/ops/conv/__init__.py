r"""Convolution: one weighted window, slid over an image. The derivation, then the operation.

**Forward.** With stride s, padding p and dilation d, output pixel (i, j) of channel o is::

    out[n, o, i, j] = bias[o] + Σ  x[n, c, i·s − p + u·d, j·s − p + v·d] · weight[o, c, u, v]
                             c,u,v

**im2col.** For one output pixel the sum is an inner product of all that its window sees, C·kh·kw
numbers, with the weights of o. Write what each window sees into one column of a matrix, and
convolution is *one* matrix product, the operation that machines do fastest::

    cols   (C·kh·kw, oh·ow)    column l is what window l sees
    out    (O, oh·ow)        = weight (O, C·kh·kw) @ cols

im2col copies: a pixel that k windows see stands in k columns. It is a linear map with a single 1
in each row, so its transpose, **col2im**, adds what was copied: pixel by pixel, the sum of all
entries that came from it. That is all there is to the backward pass. With G the gradient of out:

====================  =============================  ==========================================
gradient of           is                             shapes
====================  =============================  ==========================================
weight                G @ colsᵀ                      (O, oh·ow) · (oh·ow, C·kh·kw)
cols                  weightᵀ @ G                    (C·kh·kw, O) · (O, oh·ow)
x                     col2im(gradient of cols)       (C·kh·kw, oh·ow) → (C, H, W)
bias                  G summed over all pixels       (O, oh·ow) → (O,)
====================  =============================  ==========================================

**Groups** cut channels and outputs into equal parts that do not see each other.

The rungs: `naive` is the formula above as loops, `vectorized` is im2col and one product,
`cpu` cuts the columns into tiles that stay in the cache and never stores the whole matrix; for 3×3
windows `winograd` replaces three of four multiplications by additions.
"""

from typing import TYPE_CHECKING

import numpy as np

from minigrad import device
from minigrad.autograd import Adding, Array, Once, Vjp, record
from minigrad.ops.arguments import (
    Pair,
    check_same_dtype,
    check_tensor,
    output_size,
    pair,
    parameters,
    window_padding,
)
from minigrad.ops.conv import cpu, gpu, naive, vectorized
from minigrad.ops.conv.winograd import allow_winograd

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

__all__ = ["RUNGS", "allow_winograd", "col2im", "conv2d", "im2col"]

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def conv2d(
    x: "Tensor",
    weight: "Tensor",
    bias: "Tensor | None" = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: str | None = None,
) -> "Tensor":
    """Convolve a batch of images with a set of kernels (cross-correlation: kernels not flipped).

    Parameters
    ----------
    x : Tensor (N, C, H, W)
        float32 or float64; or float16 or bfloat16, and then weight and bias may be float32: they
        are rounded for the product, whose sums are float32, and their gradients are not rounded.
    weight : Tensor (O, C / groups, kh, kw)
    bias : Tensor (O,), optional
    stride, dilation : int or (int, int)
        Steps between windows, and between the elements of one window.
    padding : int, (int, int), "same" or "valid"
        Zeros around the image. "same" keeps the size (stride 1), "valid" is 0.
    groups : int
        Parts that channels and outputs are cut into.
    activation : {None, "relu"}
        What to do with each output. ``conv2d(…, activation="relu")`` is ``relu(conv2d(…))``, with
        one pass over the output less.

    Returns
    -------
    Tensor (N, O, oh, ow)
        ``oh = (H + 2·padding − dilation·(kh − 1) − 1) // stride + 1``, and ow likewise.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> edge = minigrad.tensor([[[[-1.0, 1.0]]]])
    >>> minigrad.functional.conv2d(x, edge)
    tensor([[[[1., 1.],
              [1., 1.]]]], dtype=float32, device=cpu)
    """
    check_tensor("conv2d", "x", x, 4)
    check_tensor("conv2d", "weight", weight, 4)
    if bias is not None:
        check_tensor("conv2d", "bias", bias, 1)
    check_same_dtype("conv2d", x=x, weight=weight, bias=bias)
    kernel_size = weight.shape[2], weight.shape[3]
    strides = pair("conv2d", "stride", stride, 1)
    dilations = pair("conv2d", "dilation", dilation, 1)
    paddings = window_padding("conv2d", padding, kernel_size, strides, dilations)
    _check_channels(x, weight, bias, groups)
    output_size("conv2d", x.shape, kernel_size, strides, paddings, dilations)
    geometry = strides, paddings, dilations, int(groups)

    if activation not in (None, "relu"):
        raise ValueError(f"conv2d: activation must be None or 'relu', got {activation!r}")

    kernel = device.choose(RUNGS, gpu, x.data)
    image, input_shape, weight_shape = x.data, x.shape, weight.shape
    filters, start = parameters(image, weight, bias)
    options = {"relu": True} if activation else {}
    out = kernel.conv2d_forward(image, filters, start, *geometry, **options)

    # With ReLU, its gradient comes first: what passes is the gradient of the sum. Without, no rule
    # needs the output, and none may keep it.
    passed = Once(lambda gradient: kernel.conv2d_relu_gradient(gradient, out)) if options else None

    def to_x(gradient: Array, **into: Array) -> Array:
        slope = passed(gradient)[0] if passed else gradient
        return kernel.conv2d_input_gradient(slope, filters, input_shape, *geometry, **into)

    def to_weight(gradient: Array) -> Array:
        slope = passed(gradient)[0] if passed else gradient
        return kernel.conv2d_weight_gradient(slope, image, weight_shape, *geometry)

    def to_bias(gradient: Array) -> Array:
        return passed(gradient)[1] if passed else kernel.conv2d_bias_gradient(gradient)

    rules: list[tuple[Tensor, Vjp]] = [(x, Adding(to_x)), (weight, to_weight)]
    if bias is not None:
        rules.append((bias, to_bias))
    return record("conv2d", out, *rules)


def im2col(
    x: "Tensor",
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
) -> "Tensor":
    """Copy what each window sees into one column (PyTorch's ``unfold``).

    Parameters
    ----------
    x : Tensor (N, C, H, W)
    kernel_size, stride, padding, dilation : int or (int, int)
        The window, as in `conv2d`.

    Returns
    -------
    Tensor (N, C·kh·kw, oh·ow)
        Column ``i·ow + j`` is the window of output pixel (i, j); its rows run over the channels,
        then the kernel's rows, then the kernel's columns.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> minigrad.functional.im2col(x, kernel_size=(1, 2))
    tensor([[[1., 2.],
             [2., 3.]]], dtype=float32, device=cpu)
    """
    check_tensor("im2col", "x", x, 4)
    window = _window("im2col", kernel_size, stride, padding, dilation)
    output_size("im2col", x.shape, *window)
    kernel, shape = device.choose(RUNGS, gpu, x.data), x.shape
    return record(
        "im2col",
        kernel.im2col(x.data, *window),
        (x, lambda gradient: kernel.col2im(gradient, shape, *window)),
    )


def col2im(
    cols: "Tensor",
    output_shape: int | Pair,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
) -> "Tensor":
    """Add every entry of the columns onto the pixel it came from (PyTorch's ``fold``).

    The transpose of `im2col`: ⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩ for all x and c. It is not its
    inverse, since a pixel that k windows see comes back k times.

    Parameters
    ----------
    cols : Tensor (N, C·kh·kw, oh·ow)
    output_shape : int or (int, int)
        Height and width of the image.
    kernel_size, stride, padding, dilation : int or (int, int)
        The window, as in `conv2d`.

    Returns
    -------
    Tensor (N, C, H, W)
    """
    check_tensor("col2im", "cols", cols, 3)
    window = _window("col2im", kernel_size, stride, padding, dilation)
    h, w = pair("col2im", "output_shape", output_shape, 1)
    n, rows, columns = cols.shape
    area = window[0][0] * window[0][1]
    shape = (n, rows // area, h, w)
    oh, ow = output_size("col2im", shape, *window, image="the image")
    if rows % area or columns != oh * ow:
        raise ValueError(
            f"col2im: cols must have a multiple of {area} rows (kernel_size {window[0]}) and "
            f"{oh * ow} columns (one for each of {oh}×{ow} windows), got shape {cols.shape}"
        )
    kernel = device.choose(RUNGS, gpu, cols.data)
    return record(
        "col2im",
        kernel.col2im(cols.data, shape, *window),
        (cols, lambda gradient: kernel.im2col(gradient, *window)),
    )


def _window(name: str, kernel_size, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Read the four arguments that describe a window."""
    h, w = pair(name, "padding", padding, 0)
    return (
        pair(name, "kernel_size", kernel_size, 1),
        pair(name, "stride", stride, 1),
        ((h, h), (w, w)),
        pair(name, "dilation", dilation, 1),
    )


def _check_channels(x: "Tensor", weight: "Tensor", bias: "Tensor | None", groups: int) -> None:
    channels, (outputs, per_group) = x.shape[1], weight.shape[:2]
    if not isinstance(groups, int | np.integer) or isinstance(groups, bool) or groups < 1:
        raise ValueError(f"conv2d: groups must be a positive integer, got {groups!r}")
    if channels % groups or outputs % groups:
        raise ValueError(
            f"conv2d: groups = {groups} must divide both x's {channels} channels and weight's "
            f"{outputs} outputs"
        )
    if per_group * groups != channels:
        times = f" × {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"conv2d: weight has {per_group} input channels{times} (shape {weight.shape}) but x "
            f"has {channels} (shape {x.shape})"
        )
    if min(weight.shape) < 1:
        raise ValueError(f"conv2d: weight must not be empty, got shape {weight.shape}")
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(
            f"conv2d: bias must have shape ({outputs},), one for each output of weight, "
            f"got {bias.shape}"
        )
