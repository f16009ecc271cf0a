"""The linear layer: every output a weighted sum of every input.

Forward, with weight (O, I)::

    out[n, o] = bias[o] + Σᵢ x[n, i] · weight[o, i]          out = x @ weightᵀ + bias

Backward, with G the gradient of out: x[n, i] is met once for every output o, with weight
``weight[o, i]``; ``weight[o, i]`` is met once for every row n, with x[n, i]::

    gradient of x       G @ weight       (N, O) · (O, I)
    gradient of weight  Gᵀ @ x           (O, N) · (N, I)
    gradient of bias    G summed over n

It is a 1×1 convolution of a 1×1 image. The weight lies as (O, I) because a row of it, the weights
of one output, is then a picture that can be looked at; PyTorch and Caffe store it so too.
"""

import math
from typing import TYPE_CHECKING

from minigrad import device
from minigrad.autograd import record
from minigrad.ops.arguments import check_same_dtype, check_tensor, parameters
from minigrad.ops.linear import cpu, gpu, naive, vectorized

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def linear(x: "Tensor", weight: "Tensor", bias: "Tensor | None" = None) -> "Tensor":
    """Return x @ weightᵀ + bias.

    Parameters
    ----------
    x : Tensor (..., I)
        float32 or float64; or float16 or bfloat16, and then weight and bias may be float32: they
        are rounded for the product, whose sums are float32, and their gradients are not rounded.
    weight : Tensor (O, I)
    bias : Tensor (O,), optional

    Returns
    -------
    Tensor (..., O)

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit.

    Examples
    --------
    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0]])
    >>> minigrad.functional.linear(x, minigrad.tensor([[3.0, 4.0], [5.0, 6.0]]))
    tensor([[11., 17.]], dtype=float32, device=cpu)
    """
    check_tensor("linear", "x", x)
    check_tensor("linear", "weight", weight, 2)
    if bias is not None:
        check_tensor("linear", "bias", bias, 1)
    check_same_dtype("linear", x=x, weight=weight, bias=bias)
    outputs, inputs = weight.shape
    if x.ndim == 0 or x.shape[-1] != inputs:
        raise ValueError(
            f"linear: the last axis of x (shape {x.shape}) must have length {inputs}, the number "
            f"of inputs of weight (shape {weight.shape})"
        )
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"linear: bias must have shape ({outputs},), got {bias.shape}")

    kernel, shape = device.choose(RUNGS, gpu, x.data), x.shape
    matrix, start = parameters(x.data, weight, bias)
    count = math.prod(shape[:-1])
    rows = x.data.reshape(count, inputs)
    out = kernel.linear_forward(rows, matrix, start)

    def by_rows(gradient):  # type: ignore[no-untyped-def]
        return gradient.reshape(count, outputs)

    rules = [
        (x, lambda g: kernel.linear_input_gradient(by_rows(g), matrix).reshape(shape)),
        (weight, lambda g: kernel.linear_weight_gradient(by_rows(g), rows)),
    ]
    if bias is not None:
        rules.append((bias, lambda g: kernel.linear_bias_gradient(by_rows(g))))
    return record("linear", out.reshape(*shape[:-1], outputs), *rules)
