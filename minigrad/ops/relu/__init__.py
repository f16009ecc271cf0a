r"""The rectifier: negative numbers become zero. The derivation, then the operation.

**Forward.** ``out = max(x, 0)``, number by number.

**Backward.** Where x is positive, out moves as x does; where it is negative, out does not move:
``gradient of x = gradient of out where x > 0, else 0``. At x = 0 the function has a kink and any
slope between 0 and 1 would do; like everyone, we take 0.

**What is kept.** Both questions, "was x positive?" and "is out positive?", have the same answer. So
the rule keeps out and not x: out is kept anyway, by the layer that takes it in, while x is needed
by nobody else and its memory is free again as soon as the forward pass has gone by.

A NaN is neither negative nor zero and passes through: a network that broke should show it.

Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
"""

from typing import TYPE_CHECKING

from minigrad import device
from minigrad.autograd import record
from minigrad.ops.arguments import check_tensor
from minigrad.ops.relu import cpu, gpu, naive, vectorized

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def relu(x: "Tensor") -> "Tensor":
    """Set negative numbers to zero and leave the others.

    Parameters
    ----------
    x : Tensor, any shape

    Returns
    -------
    Tensor
        Of the same shape, in the same memory layout.

    Raises
    ------
    TypeError
        If `x` is not a floating Tensor.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.functional.relu(minigrad.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.], dtype=float32, device=cpu)
    """
    check_tensor("relu", "x", x)
    kernel = device.choose(RUNGS, gpu, x.data)
    out = kernel.relu_forward(x.data)
    return record("relu", out, (x, lambda gradient: kernel.relu_input_gradient(gradient, out)))
